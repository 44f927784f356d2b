"""Sites at the edges of tiles and zones, pixel by pixel."""

import math

import pytest
import rasterio.warp
import utm

from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.pyveg import centres
from tigerbush.sentinel2.tiles import site_tiles
from tigerbush.site import METRES_PER_DEGREE, Place, Site
from tigerbush.sites.layout import SubImage, place_sub_images, sub_images
from tigerbush.sites.windows import read_window, site_grid

TILE = Grid(399_960, 5_100_000, 10, 10_980, 10_980)


def site(west, north, width=100, height=80):
    """A site whose corner is this many metres east and south of the tile's."""
    return Grid(TILE.x + west, TILE.y - north, 10, width, height)


@pytest.mark.parametrize(
    ("west", "north", "window"),
    [
        # column, row, width, height; a site of 1000 by 800 m grows to 60 m and by 120 m, up to the tile's edge
        (
            1200,
            1800,
            (108, 168, 126, 108),
        ),  # 1200 - 120 .. 2220 (2200) + 120; 1800 - 120 .. 2640 (2600) + 120
        (1210, 1810, (108, 168, 126, 108)),
        (1259, 1859, (108, 168, 132, 114)),
        (0, 0, (0, 0, 114, 96)),
        (60, 120, (0, 0, 120, 108)),
        (180, 240, (6, 12, 126, 108)),
        (-990, -790, (0, 0, 18, 18)),
        (109_790, 109_790, (10_962, 10_962, 18, 18)),
        (108_800, 109_000, (10_866, 10_884, 114, 96)),
    ],
)
def test_windows_at_the_edges_of_a_tile(west, north, window):
    column, row, width, height = window
    expected = Grid(TILE.x + 10 * column, TILE.y - 10 * row, 10, width, height)
    assert read_window(site(west, north), TILE, 60) == expected


@pytest.mark.parametrize(
    ("west", "north", "reached"),
    [
        (-1000, 0, False),
        (-999, 0, True),
        (0, -800, False),
        (0, -799, True),
        (109_800, 0, False),
        (109_799, 0, True),
        (0, 109_800, False),
        (0, 109_799, True),
    ],
)
def test_a_site_that_only_touches_a_tile_is_outside(west, north, reached):
    assert (read_window(site(west, north), TILE, 60) is not None) == reached


@pytest.mark.parametrize(
    ("buffer", "resolution", "more"),
    [
        (0, 10, 0),
        (1, 10, 6),
        (6, 10, 6),
        (7, 10, 12),
        (1, 20, 3),
        (3, 20, 3),
        (4, 20, 6),
        (1, 60, 1),
        (2, 60, 2),
    ],
)
def test_a_buffer_widens_what_is_read_by_whole_coarse_pixels(buffer, resolution, more):
    scene = Grid(TILE.x, TILE.y, resolution, 1830, 1830)
    here = Grid(TILE.x + 6000, TILE.y - 6600, resolution, 60, 60)
    window, plain = read_window(here, scene, 60, buffer), read_window(here, scene, 60)
    assert (window.x, window.y) == (plain.x - more * resolution, plain.y + more * resolution)
    assert (window.width, window.height) == (plain.width + 2 * more, plain.height + 2 * more)
    assert plain.x == here.x - 120 and plain.y == here.y + 120
    assert plain.width == 60 + 240 // resolution


def test_windows_of_odd_resolutions_are_whole_pixels():
    """The common multiple of 25 m and 60 m is 300 m."""
    scene = Grid(TILE.x, TILE.y, 25, 4000, 4000)
    window = read_window(Grid(TILE.x + 3025, TILE.y - 6100, 25, 40, 40), scene, 60)
    # 3025 .. 4025 to 3000 .. 4200, and 120 m more: 2880 / 25 = 115.2, 4320 / 25 = 172.8
    assert window == Grid(TILE.x + 115 * 25, TILE.y - 235 * 25, 25, 173 - 115, 293 - 235)


@pytest.mark.parametrize(
    ("region_size", "size", "n"),
    [
        (50 * 10 / 111_320, 50, 1),
        (0.0044915, 50, None),
        (0.0089831, 50, 1),
        (0.0089832, 50, 2),
        (0.08, 47, 18),
    ],
)
def test_the_number_of_sub_images(region_size, size, n):
    """A sub-image of 50 pixels is 0.0044916 degrees."""
    assert METRES_PER_DEGREE == 111_320
    if n is None:
        with pytest.raises(TigerbushError) as error:
            site_grid(Site(14.5, 45.9, region_size, size, 10))
        assert str(error.value) == (
            "region_size 0.0044915 is smaller than one sub-image of 50 x 10 m; make it at least 0.0045 or "
            "subimages.size smaller."
        )
        return
    grid = site_grid(Site(14.5, 45.9, region_size, size, 10))
    assert grid.width == grid.height == n * size


@pytest.mark.parametrize("latitude", [45.9, -25.3])
@pytest.mark.parametrize("origin", [None, (300_007, 7_200_043)])
def test_a_site_is_the_nearest_on_its_lattice(latitude, origin):
    """With GDAL's projection; the lattice of the zone starts at 0 m, in the south at 10,000,000 m."""
    grid = site_grid(Site(14.9, latitude, 0.02, 16, 20), origin)
    zone = 32633 if latitude > 0 else 32733
    (x,), (y,) = rasterio.warp.transform("EPSG:4326", f"EPSG:{zone}", [14.9], [latitude])
    side = math.floor(0.02 * 111_320 / 320) * 16
    x0, y0 = origin or (0, 0 if latitude > 0 else 10_000_000)
    assert (grid.width, grid.resolution) == (side, 20)
    assert (grid.x - x0) % 20 == (grid.y - y0) % 20 == 0
    # the nearest: less than half of a pixel away, and no lattice point is nearer
    assert abs(grid.x + side * 10 - x) <= 10 and abs(grid.y - side * 10 - y) <= 10
    assert site_grid(Site(14.9, latitude, 0.02, 16, 20), (grid.x, grid.y)) == grid


def test_zones_of_utm():
    places = {(-180, 0): 32601, (-174.01, 10): 32601, (-174, 10): 32602, (5, -0.001): 32731, (5, 0): 32631}
    # Norway and Svalbard
    places |= {(3.1, 60): 32632, (2.9, 60): 32631, (8.9, 75): 32631, (9.1, 75): 32633, (3.1, 55.9): 32631}
    assert {place: Place(*place, 0.08).epsg for place in places} == places


def test_sub_images_are_whole_and_their_centres_those_of_utm():
    grid = Grid(465_180, 5_080_260, 20, 50, 41)
    parts = sub_images(grid, 32633, 20)
    places = [(column, row) for column in (0, 20) for row in (0, 20)]
    assert [(part.columns, part.rows) for part in parts] == [
        (slice(column, column + 20), slice(row, row + 20)) for column, row in places
    ]
    for part, (column, row) in zip(parts, places, strict=True):
        latitude, longitude = utm.to_latlon(
            465_180 + 20 * (column + 10), 5_080_260 - 20 * (row + 10), 33, northern=True
        )
        assert (part.longitude, part.latitude) == (round(float(longitude), 4), round(float(latitude), 4))
    # one pixel less, and a column or row is incomplete
    assert len(sub_images(Grid(0, 5_080_260, 20, 39, 41), 32633, 20)) == 2
    assert len(sub_images(Grid(0, 5_080_260, 20, 40, 39), 32633, 20)) == 2
    assert sub_images(Grid(0, 5_080_260, 20, 19, 41), 32633, 20) == []


@pytest.mark.parametrize(("epsg", "y"), [(32633, 500_000), (32733, 9_500_000)])
def test_centres_of_either_hemisphere(epsg, y):
    (part,) = sub_images(Grid(500_000, y, 10, 40, 40), epsg, 40)
    (longitude,), (latitude,) = rasterio.warp.transform(f"EPSG:{epsg}", "EPSG:4326", [500_200], [y - 200])
    # of four decimals, and of two programs
    assert part.longitude == pytest.approx(longitude, abs=6e-5)
    assert part.latitude == pytest.approx(latitude, abs=6e-5)
    assert (part.latitude > 0) == (epsg == 32633)


def test_centres_of_mode_pyveg_run_down_the_columns_from_the_north_west():
    longitudes, latitudes = [27.93, 27.95, 27.97], [11.6, 11.58, 11.56]
    assert centres(27.95, 11.58, 0.06, 9) == [(x, y) for x in longitudes for y in latitudes]


def test_centres_are_those_of_the_mode():
    grid = Grid(600_000, 1_280_000, 10, 40, 40)
    place = Site(27.95, 11.58, 0.04, size=20, resolution=10)
    parts = sub_images(grid, 32635, 20)
    assert place_sub_images(grid, 32635, place, "default") == parts
    places = [(27.94, 11.59), (27.94, 11.57), (27.96, 11.59), (27.96, 11.57)]
    assert place_sub_images(grid, 32635, place, "pyveg") == [
        SubImage(part.rows, part.columns, *place) for part, place in zip(parts, places, strict=True)
    ]


# tiles of a site: squares of 100 km that overhang by 9.8 km to the east and south


def place_of(x, y, zone=33, north=True):
    """Longitude and latitude of a position in metres."""
    latitude, longitude = utm.to_latlon(x, y, zone, northern=north)
    return float(longitude), float(latitude)


def letters(x, y, region_size=0.02, **zone):
    """Column and row of the tiles of a site in the middle of band T of zone 33, 0.02 degrees being 2226.4 m wide."""
    tiles = site_tiles(*place_of(x, y, **zone), region_size)
    assert {tile[:2] for tile in tiles} == {"33"}
    return {tile[3:] for tile in tiles if tile[2] == "T"}


HALF = 0.01 * 111_320


@pytest.mark.parametrize(
    ("x", "tiles"),
    [
        # V is the square from 400 km, W that from 500 km
        (450_000, {"VL"}),
        (500_000 - 60 - HALF - 0.3, {"VL"}),
        (500_000 - 60 - HALF + 0.3, {"VL", "WL"}),
        (509_860 + HALF - 0.3, {"VL", "WL"}),
        (509_860 + HALF + 0.3, {"WL"}),
        (400_000 - 60 - HALF + 0.3, {"UL", "VL"}),
    ],
)
def test_columns_at_the_edges_of_tiles(x, tiles):
    # row L of an odd zone: 5,000 km is 50 rows, and 50 % 20 = 10, the eleventh letter
    assert letters(x, 5_050_000) == tiles


@pytest.mark.parametrize(
    ("y", "tiles"),
    [
        (5_050_000, {"VL"}),
        (5_000_000 + 90_140 - HALF - 0.3, {"VL"}),  # 9.86 km below 5,100 km
        (5_000_000 + 90_140 - HALF + 0.3, {"VL", "VM"}),
        (5_100_060 + HALF - 0.3, {"VL", "VM"}),
        (5_100_060 + HALF + 0.3, {"VM"}),
        (5_000_060 + HALF - 0.3, {"VK", "VL"}),
    ],
)
def test_rows_at_the_edges_of_tiles(y, tiles):
    assert letters(450_000, y) == tiles


@pytest.mark.parametrize(
    ("longitude", "latitude", "tile"),
    [
        # centres of tiles of the three sets of columns, of odd and even zones, north and south
        (15.0, 0.45, "33NWA"),
        (9.0, 0.45, "32NNF"),
        (3.0, 0.45, "31NEA"),
        (15.0, -0.45, "33MWV"),
        (9.0, -0.45, "32MNE"),
        (15.0, 78.0, "33XWG"),
        (15.0, -78.0, "33CWP"),
    ],
)
def test_letters_of_tiles(longitude, latitude, tile):
    assert tile in site_tiles(longitude, latitude, 0.01)


@pytest.mark.parametrize(
    ("latitude", "bands"),
    [(4.0, "N"), (5.99, "N"), (6.01, "NP"), (9.99, "NP"), (10.01, "P"), (0.01, "N"), (-0.01, "M"), (-5.99, "M"), (-6.01, "ML"), (73.99, "WX"), (74.01, "X"), (83.9, "X"), (-77.9, "C"), (-73.5, "CD")],
)  # fmt: skip
def test_bands_of_latitude_within_two_degrees(latitude, bands):
    """Hemispheres stay separate at the equator; the last band has 12 degrees."""
    assert {tile[2] for tile in site_tiles(15.0, latitude, 0.01)} == set(bands)
