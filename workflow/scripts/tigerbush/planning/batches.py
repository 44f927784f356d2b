"""Sites in batches, which are measured together: those of a square of 100 km, divided by their names.

A batch is a function of the site alone. It needs no record and is the same on every machine, and a new site moves no
other.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from tigerbush.planning.windows import Made, digest, part_of
from tigerbush.planning.zones import place_of, zone_name

# a batch by name, for wildcards
BATCH = r"[0-9]+[ns]_[0-9]+x[0-9]+_[0-9]+"
_SQUARE = 100_000
# of a site that is measured in memory the images of two dates a year are kept
_DAYS_BETWEEN_IMAGES = 182


def batch_of(site: Mapping[str, Any], parts: int) -> str:
    """Return the batch of a site: the square of its centre in UTM, and its part of that square.

    Parameters
    ----------
    site : mapping
        As `tigerbush.planning.tables.read_sites` returns it.
    parts : int
        Into how many a square is divided (`run.batches`).
    """
    place = place_of(site)
    column, row = (int(metres // _SQUARE) for metres in place.easting_northing)
    return f"{zone_name(place.epsg).lower()}_{column}x{row}_{part_of(site['site'], parts)}"


def batches_of(sites: Iterable[Mapping[str, Any]], parts: int) -> dict[str, list[str]]:
    """Return the names of the sites of each batch, both in order."""
    batches: dict[str, list[str]] = {}
    for site in sites:
        batches.setdefault(batch_of(site, parts), []).append(site["site"])
    return {name: sorted(batches[name]) for name in sorted(batches)}


def made_of_date(
    site: Mapping,
    products: Sequence[str],
    shown: bool,
    measures: Mapping,
    windows: Mapping[str, str] | None,
) -> Made:
    """Return what the measures of a site at a date are made of.

    Parameters
    ----------
    site : mapping
        The keyword arguments of `tigerbush.site.Site`.
    products : sequence of str
    shown : bool
        Whether the images are kept.
    measures : mapping
        What all sites are measured with.
    windows : mapping of product to str, or None
        The digests of the windows, None where they are of no matter.
    """
    return Made(digest([site, products, shown, measures]), None if windows is None else digest(windows))


def keeps_images(day: str, periods: Mapping[str, tuple[str, str]]) -> bool:
    """Tell whether the images of a date are kept: those of two dates a year, the same ones however long the record.

    Parameters
    ----------
    day : str
    periods : mapping of date to (start, end)
        In order.
    """
    start, end = (date.fromisoformat(text) for text in next(iter(periods.values())))
    every = max(round(_DAYS_BETWEEN_IMAGES / (end - start).days), 1)
    return list(periods).index(day) % every == 0
