"""The MGRS tiles that reach a site, computed from its coordinates alone."""

from functools import lru_cache

from tigerbush.site import METRES_PER_DEGREE, Place

_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"


def site_tiles(longitude: float, latitude: float, region_size: float) -> set[str]:
    """Return the names of the tiles whose 109.8 km square reaches a site, in the site's own UTM zone.

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
    """
    place = Place(longitude, latitude, region_size)
    (x, y), zone = place.easting_northing, place.epsg % 100
    half = region_size * METRES_PER_DEGREE / 2
    columns = [
        letter
        for i, letter in enumerate(_COLUMNS[zone % 3], 1)
        if 100_000 * i - 60 - half < x < 100_000 * i + 109_860 + half
    ]
    first = int(y // 100_000)
    rows = [
        _ROWS[(i + (0 if zone % 2 else 5)) % 20]
        for i in range(first - 2, first + 3)
        if 100_000 * i - 9_860 - half < y < 100_000 * i + 100_060 + half
    ]
    bands = [
        band
        for bottom, band in zip(range(-80, 80, 8), _BANDS, strict=True)
        if (band >= "N") == (latitude >= 0)
        and bottom - 2 < latitude < bottom + (12 if band == "X" else 8) + 2
    ]
    return {f"{zone:02}{band}{column}{row}" for band in bands for column in columns for row in rows}


def reaches(place: Place, tile: str) -> bool:
    """Tell whether the square of a tile reaches a place."""
    return tile in _tiles_of(place)


# many tiles are tested for one place after another
@lru_cache(maxsize=1)
def _tiles_of(place: Place) -> frozenset[str]:
    return frozenset(site_tiles(place.longitude, place.latitude, place.region_size))


def tile_epsg(tile: str) -> int:
    """Return the EPSG code of the UTM zone of a tile such as 33TVL."""
    return (32600 if tile[2] >= "N" else 32700) + int(tile[:2])
