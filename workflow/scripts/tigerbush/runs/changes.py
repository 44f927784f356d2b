"""What a run warns of before its first job: a folder that differs from the table of products, and results left over."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from tigerbush.planning.tables import RESERVED, Row, newest_baseline, table_row, why_unused
from tigerbush.sensors import parse_name
from tigerbush.sources.changes import sizes_and_time
from tigerbush.sources.tree import find_products

# results that show that a date or a site was finished, relative to the folder of results
FINISHED = ("*/*/composite.tif", "*/results_summary.json")
# names in a sentence
_NAMED = 10


def folder_difference(
    folder: Path, level: str | None, products: Mapping[str, Row], files: Mapping[str, Sequence[Row]]
) -> str | None:
    """Say how a folder of products differs from what was listed, in one sentence; no product is opened.

    Parameters
    ----------
    folder : Path
    level : {"L1C", "L2A"}, optional
        Other products do not count.
    products : mapping of product to row of products.tsv
    files : mapping of product to rows of files.tsv

    Returns
    -------
    str or None
        None if names, and as far as they are recorded sizes and times, are those of the table.
    """
    try:
        new, changed, gone = _differences(folder, level, products, files)
    except OSError as error:
        return (
            f"The folder {folder} cannot be read ({error.strerror}), so that changes in it are not noticed."
        )
    if not (new or changed or gone):
        return None
    return (
        f"The folder {folder} differs from the table of products: {len(new)} new, {len(changed)} with other sizes or "
        f"times, {len(gone)} gone; the run uses the table as it is: ./tigerbush discover brings it up to date."
    )


def _differences(
    folder: Path, level: str | None, products: Mapping[str, Row], files: Mapping[str, Sequence[Row]]
) -> tuple[set[str], set[str], set[str]]:
    """Return the products in a folder that are new, have other sizes or times, or are gone."""
    unlisted = _unlisted(folder, level, products)
    listed = {name: row for name, row in products.items() if Path(row["url"]).is_relative_to(folder)}
    absent = {name for name, row in listed.items() if not Path(row["url"]).exists()}
    marked = {name for name, row in listed.items() if row.get("gone")}
    back = marked - absent
    changed = {
        name for name in listed.keys() - absent - back if _has_changed(listed[name], files.get(name, ()))
    }
    return unlisted | back, changed, absent - marked


def _unlisted(folder: Path, level: str | None, products: Mapping[str, Row]) -> set[str]:
    """Return the products in a folder that are neither listed nor of an older baseline than another."""
    names = map(parse_name, find_products(folder, warn=lambda *_: None))
    rows = [
        table_row(name, url="", granule="", size_bytes=0, cloud_percent=None)
        for name in names
        if level in (None, name.level) and name.product not in products
    ]
    newest = newest_baseline([*(row for row in products.values() if not why_unused(row)), *rows])
    return {row["product"] for row in newest} - products.keys()


def _has_changed(row: Row, files: Sequence[Row]) -> bool:
    """Tell whether a product has other sizes or another time than when it was listed; False if files are unknown."""
    if not files:
        return False
    try:
        sizes, time = sizes_and_time(row, files)
    except OSError:
        return True
    listed = {file["name"]: int(file["size"]) for file in files}
    return time != (row.get("time") or time) or any(size != listed[name] for name, size in sizes.items())


def left_over(finished: Iterable[str], wanted: Mapping[str, Collection[str]]) -> list[str]:
    """Return the results of sites and dates that a configuration does not want, for example `results/here/2017-01-16`.

    Parameters
    ----------
    finished : iterable of str
        Paths of results that match FINISHED.
    wanted : mapping of site to dates
    """
    left = set()
    for path in map(PurePosixPath, finished):
        site, *date = path.parts[:-1]
        if site not in wanted and site not in RESERVED:
            left.add(f"results/{site}")
        elif date and date[0] not in wanted.get(site, date):
            left.add(f"results/{site}/{date[0]}")
    return sorted(left)


def left_over_sentence(results: Sequence[str]) -> str:
    """Return the sentence that names results that are left over."""
    more = f" and {len(results) - _NAMED} more" if len(results) > _NAMED else ""
    return (
        f"{len(results)} result(s) are left over from sites or dates that this configuration does not want: "
        f"{', '.join(results[:_NAMED])}{more}; they are kept as they are, delete what nobody needs."
    )
