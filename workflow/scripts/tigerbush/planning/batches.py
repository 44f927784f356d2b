"""Sites in batches: those of one square of 100 km share the files of their windows, and are measured together.

A batch is a function of the site alone. It needs no record, is the same on every machine, and a new site moves no
other.
"""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from tigerbush.planning.zones import zone_name
from tigerbush.site import Place

# a batch by name, for wildcards
BATCH = r"[0-9]{1,2}[NS][0-9]+x[0-9]+-[0-9]+"
_SQUARE = 100_000


def part_of(site: str, parts: int) -> int:
    """Return which of so many parts of its tiles a site belongs to, by its name."""
    return zlib.crc32(site.encode()) % parts


def batch_of(site: Mapping[str, Any], parts: int) -> str:
    """Return the batch of a site: the square of its centre in UTM, and its part of that square.

    Parameters
    ----------
    site : mapping
        As `tigerbush.planning.tables.read_sites` returns it.
    parts : int
        Into how many a square is divided (`run.batches`).
    """
    place = Place(site["longitude"], site["latitude"], site["region_size"])
    column, row = (int(metres // _SQUARE) for metres in place.easting_northing)
    return f"{zone_name(place.epsg)}{column}x{row}-{part_of(site['site'], parts)}"


def batches_of(sites: Iterable[Mapping[str, Any]], parts: int) -> dict[str, list[str]]:
    """Return the names of the sites of each batch, both in order."""
    batches: dict[str, list[str]] = {}
    for site in sites:
        batches.setdefault(batch_of(site, parts), []).append(site["site"])
    return {name: sorted(batches[name]) for name in sorted(batches)}
