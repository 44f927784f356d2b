"""Where products come from: what a source holds, and one file per product for the next steps."""

import logging
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from tigerbush.catalogue import list_catalogue
from tigerbush.errors import TigerbushError
from tigerbush.files import replacing
from tigerbush.products import file_row, keep_gone, newest_baseline, role, table_row
from tigerbush.ranges import check_decodes, checked_name
from tigerbush.remote import Store, check_content
from tigerbush.s3 import list_store
from tigerbush.safe import FAILED, Product, list_files, open_product, product_name
from tigerbush.tiles import site_tiles

log = logging.getLogger(__name__)

STORE_KEYS = ("bucket", "endpoint_url", "region", "anonymous", "requester_pays")

Row = dict[str, str]


def list_products(
    source: Mapping,
    sites: Sequence[Mapping],
    period: Sequence[str],
    old: Sequence[Row],
    old_files: Sequence[Row],
    connections: int = 4,
) -> tuple[list[Row], list[Row]]:
    """List the products of any kind of source, and those of an earlier listing that it no longer holds.

    Parameters
    ----------
    source : mapping
        The keys of `source` in the configuration.
    sites : sequence of mapping
        Keyword arguments of `tigerbush.tiles.site_tiles`; a local folder is listed without them.
    period : (str, str)
        First day and the day after the last.
    old, old_files : rows of products.tsv and files.tsv
        From an earlier listing.
    connections : int
        To an object store at once.

    Returns
    -------
    rows, files : list of dict
        Rows of `products.tsv` and of `files.tsv`.

    Raises
    ------
    TigerbushError, RemoteError
        When the source cannot be listed.
    """
    level = source["level"]
    if source["kind"] == "local":
        folder = Path(source["path"])
        found, files = list_local(folder, level)
        where = str(folder)

        def belongs(row: Row) -> bool:
            return Path(row["url"]).parent == folder and level in (None, row["level"])
    else:
        tiles = set().union(*(site_tiles(**site) for site in sites))
        start, end = map(date.fromisoformat, period)
        store = open_store(source, connections=connections)
        known = {
            "level": level,
            "tiles": tiles,
            "start": start,
            "end": end,
            "old": old,
            "old_files": old_files,
        }
        if source["kind"] == "s3":
            where = f"s3://{store.bucket}/"
            found, files = list_store(store, prefixes=source["prefixes"], **known)
        else:
            where = source["catalogue"]
            found, files = list_catalogue(store, where, source["collections"], sites=sites, **known)

        def belongs(row: Row) -> bool:
            day = row["sensing_time"][:10]
            here = row["url"].startswith((f"s3://{store.bucket}/", where)) and row["tile"] in tiles
            return here and row["level"] == level and period[0] <= day < period[1]

    if not found:
        raise TigerbushError(
            f"{where} holds no {level or ''} product of the sites' tiles in the period; check source.prefixes, "
            "source.level, period and the table of sites."
        )
    rows = keep_gone(old, found, belongs, where)
    gone = {row["product"] for row in rows} - {row["product"] for row in found}
    return rows, files + [row for row in old_files if row["product"] in gone]


def open_store(source: Mapping, connections: int = 1) -> Store:
    """Return the object store that the keys of `source` in the configuration name."""
    return Store(**{key: source[key] for key in STORE_KEYS}, connections=connections)


def list_local(folder: Path, level: str | None = None) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """List the products of a folder: `.SAFE` folders and zips of them.

    Names that are not products are passed over with a warning. A product whose metadata cannot be
    read is kept (with an empty cloud cover), so that it shows up as failed instead of vanishing.

    Parameters
    ----------
    folder : Path
    level : {"L1C", "L2A"}, optional
        Keep only this level.

    Returns
    -------
    rows, files : list of dict
        Rows of `products.tsv` and of `files.tsv`.

    Raises
    ------
    TigerbushError
        When the folder is missing or holds no product (of that level).
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise TigerbushError(
            f"source.path {folder} is not a folder; set it to the folder of your .SAFE products."
        )
    paths = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in {".SAFE", ".zip"}:
            continue
        try:
            name = product_name(path)
        except TigerbushError as error:
            log.warning("%s passed over: %s", path, error)
            continue
        # the folder wins over its own zip, because it reads faster
        if level in {None, name.level} and (name.product not in paths or path.suffix == ".SAFE"):
            paths[name.product] = path
    if not paths:
        what = f"{level} product" if level else "product"
        raise TigerbushError(
            f"source.path {folder} holds no {what} (folders or zips named S2x_MSILxx_...SAFE); check source.path "
            "and source.level."
        )
    rows = newest_baseline(_local_row(path) for path in paths.values())
    return rows, [file for row in rows for file in _file_rows(row["product"], paths[row["product"]])]


def _local_row(path: Path) -> dict[str, str]:
    try:
        product = open_product(path)
        return table_row(
            product.name,
            url=str(path),
            granule=product.granule,
            size_bytes=sum(product.files.values()),
            cloud_percent=product.cloud_percent,
        )
    except (TigerbushError, OSError) as error:
        log.warning("%s", error)
        return table_row(product_name(path), url=str(path), granule="", size_bytes=0, cloud_percent=None)


def _file_rows(product: str, path: Path) -> list[dict[str, str]]:
    try:
        files = list_files(path)
    except (TigerbushError, OSError):
        return []  # already reported with the product's row
    return [file_row(product, kind, name, name, size) for name, size in files.items() if (kind := role(name))]


def copy_product(path: Path, target: Path, bands: Iterable[str]) -> None:
    """Copy what the workflow needs of a product into one stored zip in SAFE layout.

    Parameters
    ----------
    path : Path
        Product folder or zip.
    target : Path
        `{product}.zip`, written whole or not at all.
    bands : iterable of str
        Bands to take, each at its finest resolution, as far as the product has them; metadata and masks
        are always taken.

    Raises
    ------
    TigerbushError
        When the product cannot be read.
    """
    product = open_product(path)
    names = _needed(product, tuple(bands))
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.writestr(f"{product.name.product}.SAFE/{name}", product.read_bytes(name))


def fetch_product(
    product: str,
    files: Sequence[Row],
    target: Path,
    *,
    store: Store,
    fetched: Sequence[Path] = (),
) -> None:
    """Put whole files of a product into one stored zip in SAFE layout; each has to be what was listed.

    Parameters
    ----------
    product : str
    files : sequence of rows of files.tsv
        What the workflow needs.
    target : Path
        `{product}.zip`, written whole or not at all.
    store : Store
        Where files are read from that were not fetched before.
    fetched : sequence of Path
        In the order of `files`, what something else fetched.

    Raises
    ------
    TigerbushError, RemoteError
    """
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for i, row in enumerate(files):
            # 0: not known before, as of the item of a catalogue
            label, size = store.label(row["key"]), int(row["size"]) or None
            if fetched:
                content = fetched[i].read_bytes()
                check_content(label, content, size, row["etag"])
            else:
                content = store.read(row["key"], size, row["etag"])
            check_decodes(label, row, content)
            archive.writestr(f"{product}.SAFE/{checked_name(row)}", content)


def write_failed_copy(target: Path, reason: str) -> None:
    """Write the zip that stands for a product that could not be fetched; opening it gives the reason."""
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(FAILED, reason)


def _needed(product: Product, bands: Sequence[str]) -> list[str]:
    """Name the files to copy. A band that is not there is missed where it is read."""
    kinds = {name: role(name) for name in product.files}
    there = {kind[1] for kind in kinds.values() if kind}
    return [name for name, kind in kinds.items() if kind and kind[0] != "band"] + [
        product.band_file(band)[0] for band in bands if band in there
    ]
