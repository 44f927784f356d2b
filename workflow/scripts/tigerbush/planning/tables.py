"""The tables `products.tsv` and `files.tsv`: one row per product, and one per file of a product.

Both come from outside (a bucket, a folder, a user's editor), so every row is checked when it is read.
"""

import csv
import io
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.files import write_bytes
from tigerbush.product import ProductName
from tigerbush.sentinel2.names import parse_name

log = logging.getLogger(__name__)

COLUMNS = (
    "product",
    "platform",
    "level",
    "sensing_time",
    "tile",
    "relative_orbit",
    "baseline",
    "cloud_percent",
    "url",
    "granule",
    "size_bytes",
)
# name: in SAFE layout, relative to the product; key: an object of the bucket of the product's url, or a whole
# https:// address; of a local product the name again
FILE_COLUMNS = ("product", "role", "band", "name", "key", "size", "etag")


def table_row(
    name: ProductName, *, url: str, granule: str, size_bytes: int, cloud_percent: float | None
) -> dict[str, str]:
    """Return the row of `products.tsv` for a product; an unknown cloud cover is an empty field."""
    return {
        "product": name.product,
        "platform": name.platform,
        "level": name.level,
        "sensing_time": name.sensing_time.isoformat(),
        "tile": name.tile,
        "relative_orbit": str(name.relative_orbit),
        "baseline": name.baseline,
        "cloud_percent": "" if cloud_percent is None else f"{cloud_percent:g}",
        "url": url,
        "granule": granule,
        "size_bytes": str(size_bytes),
    }


def file_row(
    product: str, kind: tuple[str, str], name: str, key: str, size: int, etag: str = ""
) -> dict[str, str]:
    """Return the row of `files.tsv` for a file; `kind` is its role and band."""
    role, band = kind
    return dict(zip(FILE_COLUMNS, (product, role, band, name, key, str(size), etag), strict=True))


def newest_baseline(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Keep, per platform, sensing time, tile and level, the rows of the newest baseline.

    Several rows of that baseline are parts of one tile from different receiving stations (or a
    repeated delivery); all are kept and merged when they are composited. Sorted by product name.
    """
    takes = defaultdict(list)
    for row in rows:
        takes[row["platform"], row["sensing_time"], row["tile"], row["level"]].append(row)
    kept = [
        row
        for take in takes.values()
        for row in take
        if row["baseline"] == max(other["baseline"] for other in take)
    ]
    return sorted(kept, key=lambda row: row["product"])


def keep_gone(
    old: Iterable[dict[str, str]],
    new: Sequence[dict[str, str]],
    belongs: Callable[[dict[str, str]], bool],
    source: str,
) -> list[dict[str, str]]:
    """Add the rows of products that a source no longer holds: their results may be all that is left.

    Parameters
    ----------
    old, new : rows of products.tsv
    belongs : callable
        Whether an old row is one of this source and this configuration; others are dropped.
    source : str
        Name of the source, for the log.
    """
    there = {row["product"] for row in new}
    gone = [row for row in old if row["product"] not in there and belongs(row)]
    kept = newest_baseline([*new, *gone])
    names = [row["product"] for row in kept if row["product"] not in there]
    if names:
        log.warning(
            "%d products of the table are no longer in %s; they are kept, because of their results. To forget one, "
            "take its line out of the table: %s",
            len(names),
            source,
            ", ".join(names[:5]) + (" ..." if len(names) > 5 else ""),
        )
    return kept


def is_row(row: dict[str, str]) -> bool:
    """Tell whether a row of an old table is one that discovery wrote."""
    try:
        name = parse_name(row["product"])
        return set(row) == set(COLUMNS) and row["baseline"] == name.baseline and row["tile"] == name.tile
    except (KeyError, TigerbushError):
        return False


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a table that discovery wrote; none when there is no readable table."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return [row for row in rows if None not in row and None not in row.values() and row.get("product")]


def write_table(path: Path, rows: Iterable[dict[str, str]], columns: tuple[str, ...]) -> None:
    """Write rows as tab-separated values, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())
