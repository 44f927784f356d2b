"""Product names and the two tables that describe what there is to process.

`products.tsv` has one row per product, `files.tsv` one row per file of a product. Both come from
outside (a bucket, a folder, a user's editor), so every row is checked when it is read.
"""

import csv
import io
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.files import write_bytes

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

# Sentinel-2 Products Specification Document, compact naming convention (since December 2016)
NAME = re.compile(
    r"(?P<platform>S2[A-D])_MSI(?P<level>L1C|L2A)_(?P<sensing_time>[0-9]{8}T[0-9]{6})"
    r"_N(?P<baseline>[0-9]{4})_R(?P<relative_orbit>[0-9]{3})"
    r"_T(?P<tile>[0-9]{2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V])_[0-9]{8}T[0-9]{6}"
)

_BAND = re.compile(r"GRANULE/[^/]+/IMG_DATA/(?:R\d\dm/)?[^/]+_(B\d[\dA])(?:_\d\dm)?\.(?:jp2|tif)")
_MASK = re.compile(
    r"GRANULE/[^/]+/(?:QI_DATA/[^/]*MSK_(?:CLASSI|CLOUDS)[^/]*|IMG_DATA/R\d\dm/[^/]+_SCL_\d\dm\.(?:jp2|tif))"
)
# the metadata of a product that a catalogue describes item by item: the STAC item
STAC_ITEM = "stac.json"
_METADATA = re.compile(rf"MTD_MSIL(?:1C|2A)\.xml|GRANULE/[^/]+/MTD_TL\.xml|{re.escape(STAC_ITEM)}")
# side of a tile in metres
TILE_METRES = 109_800
# PSD: band_id / bandId 0..12, and the native resolution in metres
BANDS = {
    "B1": 60, "B2": 10, "B3": 10, "B4": 10, "B5": 20, "B6": 20, "B7": 20,
    "B8": 10, "B8A": 20, "B9": 60, "B10": 60, "B11": 20, "B12": 20,
}  # fmt: skip


@dataclass(frozen=True)
class ProductName:
    """The fields of a product name.

    Attributes
    ----------
    product : str
        The whole name without `.SAFE`.
    platform, level, tile : str
        For example S2A, L1C, 33TVL.
    sensing_time : datetime
        Start of the data take, UTC.
    baseline : str
        Processing baseline as in the metadata, for example 05.00.
    relative_orbit : int
    """

    product: str
    platform: str
    level: str
    sensing_time: datetime
    tile: str
    baseline: str
    relative_orbit: int


def parse_name(name: str) -> ProductName:
    """Split a product name such as `S2A_MSIL1C_20160824T100607_N0204_R122_T33TVL_20160824T100607`.

    Raises
    ------
    TigerbushError
        When the name does not follow the Sentinel-2 Products Specification Document.
    """
    product = name.removesuffix(".SAFE")
    match = NAME.fullmatch(product)
    try:
        return ProductName(
            product=product,
            platform=match["platform"],
            level=match["level"],
            sensing_time=datetime.strptime(match["sensing_time"], "%Y%m%dT%H%M%S"),
            tile=match["tile"],
            baseline=f"{match['baseline'][:2]}.{match['baseline'][2:]}",
            relative_orbit=int(match["relative_orbit"]),
        )
    except (TypeError, ValueError):
        raise TigerbushError(
            f"{name[:120]!r} is not a Sentinel-2 product name; expected the form "
            "S2A_MSIL1C_<time>_N<baseline>_R<orbit>_T<tile>_<time>."
        ) from None


def role(name: str) -> tuple[str, str] | None:
    """Return role (band, metadata, mask) and band of a product's file, or None when it is not needed."""
    if match := _BAND.fullmatch(name):
        number = match[1][1:]
        return "band", "B" + (number if number == "8A" else str(int(number)))
    if _MASK.fullmatch(name):
        return "mask", ""
    if _METADATA.fullmatch(name):
        return "metadata", ""
    return None


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
