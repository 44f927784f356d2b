"""The UTM zone that each site is measured in, and the parts of a site that no tile of that zone covers.

Near the border of a zone, and near the equator, tiles of several zones reach a site. The zone whose tiles cover it best
is chosen when its products are listed for the first time, and recorded in the table of products.
"""

import csv
import math
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from tigerbush.errors import TigerbushError
from tigerbush.planning.notes import ZONE_LINE, Note, read_notes
from tigerbush.product import Sensor
from tigerbush.sensors import sensor_of
from tigerbush.site import METRES_PER_DEGREE, Place, Site

# west, south, east and north in metres
Rectangle = tuple[float, float, float, float]
Tiles = Collection[tuple[Sensor, str]]
# a column of the table of products since zones are recorded in it
_COLUMN = "etag"
_NAME = re.compile(r"([1-9]|[1-5][0-9]|60)([NS])")
# side of a tile, by which it may extend beyond the border of its zone
_REACH_METRES = 110_000
# parts of a site that differ by less are equal
_TOLERANCE = 1e-6


def zone_name(epsg: int) -> str:
    """Return the name of a UTM zone, for example 37S for EPSG:32737."""
    return f"{epsg % 100}{'N' if epsg < 32700 else 'S'}"


def parse_zone(text: str) -> int | None:
    """Return the EPSG code of a zone such as 37S (number and hemisphere), or None if it is not one."""
    match = _NAME.fullmatch(text)
    return (32600 if match[2] == "N" else 32700) + int(match[1]) if match else None


def read_zone(text: str, place: Place, where: str) -> int:
    """Return the EPSG code of the zone that the table of sites gives for a place.

    Parameters
    ----------
    text : str
    place : Place
    where : str
        File, line and site, for the message.

    Raises
    ------
    TigerbushError
        When it is not a zone whose tiles can reach the place.
    """
    zone, zones = parse_zone(text), zones_in_reach(place)
    if zone not in zones:
        raise TigerbushError(
            f"{where}: zone {text[:40]!r} is not a UTM zone whose tiles can reach the site; expected "
            f"{' or '.join(map(zone_name, zones))} (number and hemisphere, N or S), or leave the field empty."
        )
    return zone


def zones_in_reach(place: Place) -> list[int]:
    """Return the EPSG codes of the UTM zones whose tiles can reach a place, that of its centre first."""
    import utm

    north = _REACH_METRES / METRES_PER_DEGREE + place.region_size / 2
    east = north / max(math.cos(math.radians(place.latitude)), 0.1)
    numbers = {
        int(utm.latlon_to_zone_number(min(max(place.latitude + y, -80), 84), _longitude(place.longitude + x)))
        for y in (-north, 0, north)
        for x in (-east, 0, east)
    }
    hemispheres = [32600] * (place.latitude + north >= 0) + [32700] * (place.latitude - north < 0)
    zones = {hemisphere + number for hemisphere in hemispheres for number in numbers}
    return [place.zone_of_centre, *sorted(zones - {place.zone_of_centre})]


def _longitude(degrees: float) -> float:
    """Return a longitude from -180 to 180 degrees."""
    return (degrees + 180) % 360 - 180


def covered_fraction(area: Rectangle, squares: Iterable[Rectangle]) -> float:
    """Return the fraction of a rectangle that lies in at least one of other rectangles."""
    west, south, east, north = area
    inside = [
        (max(x0, west), max(y0, south), min(x1, east), min(y1, north))
        for x0, y0, x1, y1 in squares
        if x0 < east and x1 > west and y0 < north and y1 > south
    ]
    columns = sorted({x for x0, _, x1, _ in inside for x in (x0, x1)})
    rows = sorted({y for _, y0, _, y1 in inside for y in (y0, y1)})
    covered = sum(
        (right - left) * (top - bottom)
        for left, right in pairwise(columns)
        for bottom, top in pairwise(rows)
        if any(x0 <= left and right <= x1 and y0 <= bottom and top <= y1 for x0, y0, x1, y1 in inside)
    )
    return covered / ((east - west) * (north - south))


def tiles_of(products: Iterable[Mapping[str, Any]]) -> Tiles:
    """Return the tiles of rows of products.tsv, or of other mappings with product and tile; invalid rows have none."""
    tiles = set()
    for row in products:
        with suppress(KeyError, TigerbushError):
            tiles.add((sensor_of(row["product"]), row["tile"]))
    return tiles


def tile_squares(tiles: Tiles, epsg: int) -> list[Rectangle]:
    """Return the squares of those tiles that are in a UTM zone."""
    everywhere = (-math.inf, -math.inf, math.inf, math.inf)
    return [
        sensor.square(tile) if sensor.square else everywhere
        for sensor, tile in tiles
        if sensor.epsg(tile) == epsg
    ]


def choose_zone(place: Place, tiles: Tiles) -> int | None:
    """Return the UTM zone whose tiles cover most of a place: that of its centre unless another covers more.

    Returns
    -------
    int or None
        EPSG code; None when no tile reaches the place.
    """
    best, most = None, 0.0
    for zone in zones_in_reach(place):
        measured = replace(place, zone=zone)
        squares = tile_squares(_reaching(measured, tiles), zone)
        covered = covered_fraction(_square(measured, measured.metres), squares)
        if covered > most + _TOLERANCE:
            best, most = zone, covered
    return best


def _reaching(place: Place, tiles: Tiles) -> set[tuple[Sensor, str]]:
    """Return the tiles that reach a place in its zone."""
    return {(sensor, tile) for sensor, tile in tiles if sensor.reaches(place, tile)}


def _square(place: Place, side: float) -> Rectangle:
    """Return the square around a place in metres of its zone."""
    easting, northing = place.easting_northing
    return easting - side / 2, northing - side / 2, easting + side / 2, northing + side / 2


def is_uncovered(area: Rectangle, squares: Iterable[Rectangle], max_masked_fraction: float) -> bool:
    """Tell whether tiles leave so much of a sub-image without data that it can never be used."""
    return 1 - covered_fraction(area, squares) >= max(max_masked_fraction, _TOLERANCE)


def count_uncovered(site: Site, tiles: Tiles, max_masked_fraction: float) -> int:
    """Return how many sub-images of a site the tiles of its zone leave without data (`is_uncovered`)."""
    squares = tile_squares(tiles, site.epsg)
    side = site.size * site.resolution
    window = west, south, _, _ = _square(site, site.sub_images * side)
    if covered_fraction(window, squares) > 1 - _TOLERANCE:
        return 0
    lower_corners = [
        (west + column * side, south + row * side)
        for row in range(site.sub_images)
        for column in range(site.sub_images)
    ]
    return sum(
        is_uncovered((x, y, x + side, y + side), squares, max_masked_fraction) for x, y in lower_corners
    )


def zones_of(
    sites: Mapping[str, Mapping[str, Any]],
    recorded: Mapping[str, int] | None,
    tiles: Tiles,
) -> dict[str, int]:
    """Return the UTM zones of sites: that of the table of sites, else the recorded one, else the one covered best.

    Parameters
    ----------
    sites : mapping
        As `tigerbush.planning.tables.read_sites` returns them.
    recorded : mapping of site to EPSG code, or None
        From `read_zones`. With None sites have the zones of their centres, as far as tiles of these reach them.
    tiles : set of (Sensor, str)
        From `tiles_of`.

    Returns
    -------
    dict of site to EPSG code
        Without sites that no tile reaches.
    """
    zones = {}
    for name, site in sites.items():
        place = place_of(site)
        if recorded is None:
            known = place.epsg if _reaching(place, tiles) else None
        else:
            # not the zone of another place, which had this name before
            known = recorded.get(name) if recorded.get(name) in zones_in_reach(place) else None
        if zone := site.get("zone") or known or choose_zone(place, tiles):
            zones[name] = zone
    return zones


def sites_in_zones(sites: Mapping[str, Mapping[str, Any]], zones: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the arguments of a Place for each site and each zone that it may be measured in.

    Parameters
    ----------
    sites : mapping
        As `tigerbush.planning.tables.read_sites` returns them.
    zones : mapping of site to EPSG code
        The sites whose zone is decided.

    Returns
    -------
    list of dict
        longitude, latitude and region_size, and `zone` where it is not that of the centre.
    """
    arguments = []
    for name, site in sites.items():
        place = place_of(site)
        decided = site.get("zone") or zones.get(name)
        for zone in [decided] if decided else zones_in_reach(place):
            square = {key: site[key] for key in ("longitude", "latitude", "region_size")}
            arguments.append(square | ({} if zone == place.epsg else {"zone": zone}))
    return arguments


def rejected_tiles(
    tiles: Tiles, sites: Mapping[str, Mapping[str, Any]], zones: Mapping[str, int]
) -> set[tuple[Sensor, str]]:
    """Return the tiles that reach sites only in zones in which these are not measured."""
    rejected, wanted = set(), set()
    for name, site in sites.items():
        place = place_of(site)
        own = site.get("zone") or zones.get(name, place.epsg)
        for zone in zones_in_reach(place):
            (wanted if zone == own else rejected).update(_reaching(replace(place, zone=zone), tiles))
    return rejected - wanted


def place_of(site: Mapping[str, Any], zone: int | None = None) -> Place:
    """Return the place of a row of the table of sites, to be measured in a zone (default: that of its centre)."""
    return Place(site["longitude"], site["latitude"], site["region_size"], zone=zone)


def read_zones(table: Path) -> dict[str, int] | None:
    """Return the zones that a table of products records; None for a table of a release that recorded none.

    Parameters
    ----------
    table : Path
        Without it, no zone is recorded.

    Returns
    -------
    dict of site to EPSG code, or None
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            if _COLUMN not in next(csv.reader(file, delimiter="\t"), []):
                return None
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error):
        # whoever reads its products says so
        return None
    return {site: zone for site, name in read_notes(table, ZONE_LINE) if (zone := parse_zone(name))}


def zone_notes(zones: Mapping[str, int]) -> list[Note]:
    """Return the lines that record the zones of sites (EPSG codes) in a table of products."""
    return [(ZONE_LINE, site, zone_name(zone)) for site, zone in sorted(zones.items())]
