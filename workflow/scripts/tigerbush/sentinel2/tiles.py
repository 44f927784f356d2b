"""The MGRS tiles that reach a site, and the place of a tile, computed from coordinates and names alone."""

import math
import re
from functools import lru_cache

from tigerbush.site import METRES_PER_DEGREE, Place

_NAME = re.compile(r"(0[1-9]|[1-5][0-9]|60)([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])")
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
# side of a square and of the tile that extends beyond it, and the lattice of the tiles' corners, in metres
_SQUARE = 100_000
_TILE = 109_800
_LATTICE = 60
# northing of the equator in zones of the south, in metres
_EQUATOR = 10_000_000


def site_tiles(longitude: float, latitude: float, region_size: float, zone: int | None = None) -> set[str]:
    """Return the names of the tiles whose 109.8 km square reaches a site, in the site's UTM zone.

    Columns of 100 km are lettered in three sets by zone, rows from A (odd zones) or F (even zones) in a
    cycle of 2000 km (MGRS, NGA.STND.0037); tiles extend 9.8 km beyond their square to the east and south. A
    square at the border of two latitude bands (8 degrees, the last one 12) is returned with either letter,
    so that some of the names may not exist.

    Parameters
    ----------
    longitude, latitude : float
        Degrees, WGS 84.
    region_size : float
        Side of the site in degrees of latitude.
    zone : int, optional
        EPSG code of the UTM zone of the site; None for that of its centre.
    """
    place = Place(longitude, latitude, region_size, zone=zone)
    (x, y), number, northern = place.easting_northing, place.epsg % 100, place.epsg < 32700
    half = region_size * METRES_PER_DEGREE / 2
    columns = [
        letter
        for i, letter in enumerate(_COLUMNS[number % 3], 1)
        if 100_000 * i - 60 - half < x < 100_000 * i + 109_860 + half
    ]
    first = int(y // 100_000)
    rows = [
        _ROWS[(i + (0 if number % 2 else 5)) % 20]
        for i in range(first - 2, first + 3)
        if 100_000 * i - 9_860 - half < y < 100_000 * i + 100_060 + half
    ]
    bands = [
        band
        for bottom, band in zip(range(-80, 80, 8), _BANDS, strict=True)
        if (band >= "N") == northern and bottom - 2 < latitude < bottom + (12 if band == "X" else 8) + 2
    ]
    return {f"{number:02}{band}{column}{row}" for band in bands for column in columns for row in rows}


def reaches(place: Place, tile: str) -> bool:
    """Tell whether the square of a tile reaches a place."""
    return tile in _tiles_of(place)


# many tiles are tested for one place after another
@lru_cache(maxsize=1)
def _tiles_of(place: Place) -> frozenset[str]:
    return frozenset(site_tiles(place.longitude, place.latitude, place.region_size, place.zone))


def tile_epsg(tile: str) -> int:
    """Return the EPSG code of the UTM zone of a tile such as 33TVL."""
    return (32600 if tile[2] >= "N" else 32700) + int(tile[:2])


def tile_square(tile: str) -> tuple[float, float, float, float]:
    """Return west, south, east and north of the square of a tile such as 33TVL, in metres of its UTM zone.

    Its west and north edges are those of the MGRS square, rounded outwards to the lattice of 60 m.
    """
    number, band, column, row = int(tile[:2]), tile[2], tile[3], tile[4]
    equator = 0 if band >= "N" else _EQUATOR
    # letters of rows repeat after 2000 km, and a band has less than half of that
    middle = equator + (8 * _BANDS.index(band) - 76) * 110_900
    first = _SQUARE * (_ROWS.index(row) - (0 if number % 2 else 5))
    cycle = _SQUARE * len(_ROWS)
    top = first + cycle * round((middle - first) / cycle) + _SQUARE
    west = _SQUARE * (_COLUMNS[number % 3].index(column) + 1) // _LATTICE * _LATTICE
    north = equator + math.ceil((top - equator) / _LATTICE) * _LATTICE
    return west, north - _TILE, west + _TILE, north


@lru_cache(maxsize=100_000)
def tile_corners(tile: str) -> tuple[tuple[float, float], ...] | None:
    """Return the corners of the square of a tile such as 33TVL; None when there is no such tile.

    The inverse of `site_tiles`.

    Returns
    -------
    tuple of (longitude, latitude) or None
        Upper left, upper right, lower right, lower left, in degrees (WGS 84). Longitudes are those nearest to the
        central meridian of the zone, so that they exceed 180 or -180 on the antimeridian.
    """
    import utm

    match = _NAME.fullmatch(tile)
    if match is None or match[3] not in _COLUMNS[int(match[1]) % 3]:
        return None
    zone, band = int(match[1]), match[2]
    meridian = 6 * zone - 183
    bottom = -80 + 8 * _BANDS.index(band)
    top = bottom + (12 if band == "X" else 8)
    west, south, east, north = tile_square(tile)
    corners = []
    for x, y in ((west, north), (east, north), (east, south), (west, south)):
        latitude, longitude = utm.to_latlon(x, y, zone, northern=band >= "N", strict=False)
        # the same meridian, seen from the zone
        corners.append((float(longitude - meridian + 180) % 360 - 180 + meridian, float(latitude)))
    longitudes, latitudes = zip(*corners, strict=True)
    # zones are wider in the south of Norway and in Svalbard
    half = 6 if band in "VX" else 3
    in_zone = min(longitudes) < meridian + half and max(longitudes) > meridian - half
    return tuple(corners) if in_zone and min(latitudes) < top and max(latitudes) > bottom else None
