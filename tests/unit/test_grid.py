"""The grid of a site, the window that is read for it, and its sub-images."""

import math

import pytest
import rasterio.warp
from hypothesis import given, settings
from hypothesis import strategies as st

from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.site import Place, Site
from tigerbush.sites.layout import sub_images
from tigerbush.sites.windows import read_window, site_grid

# northings of southern tiles are 40 modulo 60
NORTH = Grid(399960, 5100000, 10, 10980, 10980)
SOUTH = Grid(499980, 7200040, 10, 10980, 10980)


def project(longitude, latitude, epsg):
    xs, ys = rasterio.warp.transform("EPSG:4326", f"EPSG:{epsg}", [longitude], [latitude])
    return xs[0], ys[0]


@pytest.mark.parametrize(
    ("longitude", "latitude", "epsg"),
    [(14.5, 45.9, 32633), (-60.1, -3.0, 32720), (27.9, 11.6, 32635), (5.0, 60.0, 32632), (180, 10, 32601)],
)
def test_zone(longitude, latitude, epsg):
    assert Place(longitude, latitude, 0.08).epsg == epsg


@pytest.mark.parametrize(
    ("region_size", "size", "resolution", "n"),
    [(0.08, 50, 10, 17), (0.009, 50, 10, 2), (0.08, 50, 20, 8), (0.08, 64, 10, 13)],
)
def test_site_grid_size(region_size, size, resolution, n):
    grid = site_grid(Site(14.5, 45.9, region_size, size, resolution))
    assert (grid.width, grid.height, grid.resolution) == (n * size, n * size, resolution)


def test_site_grid_refuses_a_site_smaller_than_a_sub_image():
    with pytest.raises(TigerbushError, match=r"region_size 0\.004 is smaller than one sub-image"):
        site_grid(Site(14.5, 45.9, 0.004, 50, 10))


@settings(max_examples=200)
@given(
    longitude=st.floats(-179.9, 179.9),
    latitude=st.floats(-56, -1e-6) | st.floats(0, 83),
    resolution=st.sampled_from([10, 20, 60]),
    origin=st.tuples(st.integers(10000, 40000), st.integers(10000, 500000)),
)
def test_site_grid_is_centred_on_the_lattice_of_the_tile(longitude, latitude, resolution, origin):
    x0, y0 = origin[0] * 20, origin[1] * 20
    grid = site_grid(Site(longitude, latitude, 0.08, 50, resolution), (x0, y0))
    assert (grid.x - x0) % resolution == 0
    assert (y0 - grid.y) % resolution == 0
    x, y = project(longitude, latitude, Place(longitude, latitude, 0.08).epsg)
    half = grid.width * resolution / 2
    assert abs(grid.x + half - x) <= resolution / 2 + 0.01
    assert abs(grid.y - half - y) <= resolution / 2 + 0.01


@pytest.mark.parametrize(("latitude", "tile"), [(45.9, NORTH), (-25.0, SOUTH)])
@pytest.mark.parametrize("resolution", [10, 20, 60])
def test_site_grid_without_a_tile_takes_the_lattice_of_the_zone(latitude, tile, resolution):
    nominal = site_grid(Site(14.9, latitude, 0.02, 16, resolution))
    assert nominal == site_grid(Site(14.9, latitude, 0.02, 16, resolution), (tile.x, tile.y))


def test_read_window_grows_to_60_m_and_120_m_more():
    site = Grid(NORTH.x + 1010, NORTH.y - 2030, 10, 100, 100)
    window = read_window(site, NORTH, 60)
    # 1010 -> 960 - 120, 2010 -> 2040 + 120; 2030 -> 1980 - 120, 3030 -> 3060 + 120
    assert window == Grid(NORTH.x + 840, NORTH.y - 1860, 10, 132, 132)


@pytest.mark.parametrize("tile", [NORTH, SOUTH])
def test_read_window_is_clamped_to_the_tile(tile):
    site = Grid(tile.x - 500, tile.y - 109800 + 300, 10, 100, 100)
    window = read_window(site, tile, 60)
    assert (window.x, window.width) == (tile.x, 66)
    assert window.y - window.height * 10 == tile.y - 109800


def test_read_window_outside_the_tile():
    assert read_window(Grid(NORTH.x - 1000, NORTH.y, 10, 100, 100), NORTH, 60) is None
    assert read_window(Grid(NORTH.x, NORTH.y + 1000, 10, 100, 100), NORTH, 60) is None
    assert read_window(Grid(NORTH.x + 109800, NORTH.y, 10, 100, 100), NORTH, 60) is None


def test_sub_images_run_down_the_columns():
    parts = sub_images(Grid(465180, 5080260, 10, 120, 100), 32633, 50)
    assert [(part.columns.start, part.rows.start) for part in parts] == [(0, 0), (0, 50), (50, 0), (50, 50)]
    assert all(part.rows.stop - part.rows.start == 50 for part in parts)
    assert parts[0].latitude > parts[1].latitude
    assert parts[0].longitude < parts[2].longitude


@pytest.mark.parametrize(("epsg", "grid"), [(32633, NORTH), (32733, SOUTH)])
def test_centres_of_sub_images(epsg, grid):
    for part in sub_images(Grid(grid.x, grid.y, 10, 100, 100), epsg, 50):
        x, y = project(part.longitude, part.latitude, epsg)
        # four decimals of a degree are 11 m at most
        assert (
            math.hypot(
                x - (grid.x + 10 * (part.columns.start + 25)), y - (grid.y - 10 * (part.rows.start + 25))
            )
            < 8
        )
