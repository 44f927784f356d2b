"""What has changed in a source since it was listed before: products that are new, were replaced, or are gone.

A product is the same as long as the names and sizes of its files are, the content of its metadata and samples of its
images in a folder (checksums in a zip), and the ETags of its files in a bucket. Times do not count: copying a folder
changes them. Nor does a manifest of checksums, which no number depends on.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tigerbush.planning.tables import UNUSED, by_product
from tigerbush.readers import open_product, stored_checksums
from tigerbush.sources.query import Row, is_band_mask

# bytes at the start, in the middle and at the end of an image
_SAMPLE = 4096
# before the checksum of an image in a zip, which is compared with none but such checksums
_STORED = "crc32-"
# changes that are counted even if there are none
_COUNTED = ("new", "replaced", "gone")


def version_of(files: Iterable[Row], content: str = "") -> str:
    """Return a short identifier of a product's files as they are listed, and of what else is known of their content."""
    lines = sorted(f"{row['name']}\t{row['size']}\t{row['etag']}" for row in _always_listed(files))
    return hashlib.sha256("\n".join([*lines, content]).encode()).hexdigest()[:16]


def _always_listed(files: Iterable[Row]) -> list[Row]:
    """Return rows of files without the masks of single bands, which are listed for some configurations only."""
    return [row for row in files if not is_band_mask(row["role"], row["band"])]


def with_versions(rows: Iterable[Row], files: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of products in a folder with their time, and metadata files with a digest as their ETag."""
    of_products = by_product(files)
    timed, versioned = [], []
    for row in rows:
        product_files = of_products.get(row["product"], [])
        with suppress(OSError):
            row = row | {"time": sizes_and_time(row, product_files)[1]}
        timed.append(row)
        versioned += [file | {"etag": digest} for file, digest in _digests(Path(row["url"]), product_files)]
    return timed, versioned


def _digests(path: Path, files: Sequence[Row]) -> Iterator[tuple[Row, str]]:
    """Yield the row of each file with a digest: of all of a metadata file, and of samples or a checksum of an image."""
    try:
        digest = _file_digest(path) if path.is_dir() else _member_digest(path)
        digests = {row["name"]: digest(row)[:32] for row in files}
    except Exception:  # the product fails when it is processed, with this reason
        digests = {}
    for row in files:
        yield row, digests.get(row["name"], "")


def _file_digest(folder: Path) -> Callable[[Row], str]:
    """Return a function that reads a file of a product's folder: compressed images differ all over, so samples do."""

    def digest(row: Row) -> str:
        path = folder / row["name"]
        if row["role"] == "metadata":
            return hashlib.sha256(path.read_bytes()).hexdigest()
        hasher, size = hashlib.sha256(), path.stat().st_size
        with path.open("rb") as file:
            for position in (0, size // 2, max(size - _SAMPLE, 0)):
                file.seek(position)
                hasher.update(file.read(_SAMPLE))
        return hasher.hexdigest()

    return digest


def _member_digest(path: Path) -> Callable[[Row], str]:
    """Return a function that reads metadata in a zip, and what the zip states of images: they are not decompressed."""
    read, checksums = open_product(path).read_bytes, stored_checksums(path)

    def digest(row: Row) -> str:
        if row["role"] == "metadata":
            return hashlib.sha256(read(row["name"])).hexdigest()
        return f"{_STORED}{checksums[row['name']]}" if row["name"] in checksums else ""

    return digest


def sizes_and_time(row: Row, files: Iterable[Row]) -> tuple[dict[str, int], str]:
    """Return the sizes of a product's files in a folder, none of a zip, and when it was changed last (UTC).

    Raises
    ------
    OSError
        When a file is missing.
    """
    path = Path(row["url"])
    stats = {file["name"]: (path / file["name"]).stat() for file in files} if path.is_dir() else {}
    newest = max((stat.st_mtime for stat in stats.values()), default=None) or path.stat().st_mtime
    time = datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {name: stat.st_size for name, stat in stats.items()}, time


def file_difference(old: Iterable[Row], new: Iterable[Row]) -> str | None:
    """Say how the files of a product differ from those that were listed before, as far as sizes and ETags are known."""
    before, now = ({row["name"]: row for row in _always_listed(rows)} for rows in (old, new))
    for name, row in before.items():
        if name not in now:
            return f"{name} is missing"
        if "0" not in (row["size"], now[name]["size"]) and row["size"] != now[name]["size"]:
            return f"{name} has {now[name]['size']} bytes, and had {row['size']}"
        if _etags_differ(row["etag"], now[name]["etag"]):
            return f"{name} has another content"
    return None


def _etags_differ(before: str, now: str) -> bool:
    """Tell whether two ETags differ, if both are known and of one kind: a zip may take the place of a folder."""
    return bool(before and now) and before.startswith(_STORED) == now.startswith(_STORED) and before != now


def same_files(old: Iterable[Row], new: Iterable[Row]) -> bool:
    """Tell whether the files of a product are those that were listed before, as far as sizes and ETags are known."""
    old, new = _always_listed(old), _always_listed(new)
    return {row["name"] for row in old} == {row["name"] for row in new} and file_difference(old, new) is None


def record_versions(
    rows: Iterable[Row],
    files: Iterable[Row],
    old: Iterable[Row],
    old_files: Iterable[Row],
    removed: Collection[str] = (),
    unused: Collection[str] = (),
) -> list[Row]:
    """Return the rows of products with the columns that changes are noticed by.

    Parameters
    ----------
    rows, files : rows of products.tsv and files.tsv
        As the source is listed now; `content` of a product, if there is one, is what else is known of its content.
    old, old_files : rows of products.tsv and files.tsv
        As it was listed before.
    removed : collection of str
        The products of `rows` that the source no longer has.
    unused : collection of str
        Those of them of which nothing was made.

    Returns
    -------
    list of rows of products.tsv
        `etag` is the version of the product. `first_etag` is that of the product when its version was recorded first:
        results without a record were made of that one. It is empty when the product had been replaced before.
    """
    before = {row["product"]: row for row in old}
    files_before, files_now = by_product(old_files), by_product(files)
    today = datetime.now(UTC).date().isoformat()
    recorded = []
    for row in rows:
        name = row["product"]
        known = before.get(name, {})
        if name in removed:
            since = known.get("gone", "").removesuffix(UNUSED) or today
            recorded.append(row | {"gone": since + UNUSED * (name in unused)})
            continue
        files_of_product = files_before.get(name, ()), files_now.get(name, ())
        etag = version_of(files_of_product[1], row.get("content", ""))
        if known.get("etag"):
            first = known.get("first_etag", known["etag"])
            if "content" not in row and same_files(*files_of_product):
                # as far as is known: a zip in place of a folder, or a file that cannot be read now, has no digests
                etag = known["etag"]
        else:
            first = etag if file_difference(*files_of_product) is None else ""
        columns = {key: text for key, text in row.items() if key != "content"}
        recorded.append(columns | {"etag": etag, "first_etag": first, "gone": ""})
    return recorded


def change_lines(
    old: Sequence[Row],
    old_files: Iterable[Row],
    rows: Sequence[Row],
    files: Iterable[Row],
    results_of: Callable[[str], Sequence[object]] | None = None,
) -> list[str]:
    """Say what has changed in a table of products, one line for each product, and how many have not.

    Parameters
    ----------
    old, old_files : rows of products.tsv and files.tsv
        Before.
    rows, files : rows of products.tsv and files.tsv
        From `record_versions`.
    results_of : callable, optional
        Returns the paths of what was made of a product.
    """
    before, now = ({row["product"]: row for row in table} for table in (old, rows))
    files_before, files_now = by_product(old_files), by_product(files)
    changes = {name: _change(before.get(name), now.get(name)) for name in sorted(before.keys() | now.keys())}
    details = {
        "new": lambda name: "",
        "replaced": lambda name: (
            file_difference(files_before.get(name, ()), files_now.get(name, ()))
            or _unnamed_difference(now[name])
        ),
        "gone": lambda name: f"no longer at {now[name]['url']}; {_kept(now[name], results_of)}",
        "back": lambda name: "",
        "dropped": lambda name: "outside of what is listed now, or another baseline is used",
    }
    # at first all are new
    lines = [
        f"{change}: {name}" + (f" ({detail})" if (detail := details[change](name)) else "")
        for name, change in changes.items()
        if change and old
    ]
    counts = Counter(changes.values())
    kinds = [f"{counts[kind]} {kind}" for kind in details if counts[kind] or kind in _COUNTED]
    return [*lines, f"Products: {', '.join(kinds)}, {counts[None]} unchanged."]


def _unnamed_difference(row: Row) -> str:
    if row["url"].startswith("http"):
        return "what the catalogue says of it, or its content, is another"
    return "its content is another one"


def _kept(row: Row, results_of: Callable[[str], Sequence[object]] | None) -> str:
    if row["gone"].endswith(UNUSED):
        return "nothing was made of it, and it is left out"
    return f"kept: {', '.join(map(str, results_of(row['product'])))}" if results_of else "its row is kept"


def _change(before: Row | None, now: Row | None) -> str | None:
    """Return in one word what has happened to a product; None if nothing has."""
    if before is None:
        return "new"
    if now is None:
        return "dropped"
    if now["gone"]:
        return None if before.get("gone") else "gone"
    if now["etag"] != (before.get("etag") or now["first_etag"]):
        return "replaced"
    return "back" if before.get("gone") else None
