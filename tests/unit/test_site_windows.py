"""The window of a product that a site needs, at the edges of tiles and with folders that sort before GRANULE; by hand."""

from dataclasses import replace

import numpy as np
import pytest

from fabricate import name_of, scene_of
from tigerbush.grid import Grid
from tigerbush.placeholder import placeholder_raster
from tigerbush.raster import Raster
from tigerbush.sentinel2.names import SITE_BANDS, parse_name
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.writer import write_product
from tigerbush.site import Site
from tigerbush.sites.product import resample_site, site_placeholder, site_window, subset_site

# 2 x 2 sub-images of 20 pixels of 10 m, around 465795 m east and 5079632 m north: with the corner at 465180, 5080260 from
# 42 to 82 pixels east, and from 43 to 83 pixels south
SITE = Site(14.5593, 45.8694, 0.0037, size=20, resolution=10)
GRID = Grid(465600, 5079830, 10, 40, 40)
BANDS = ("B2", "B3", "B4", "B8")


def moved(scene, x=0, y=0):
    """The same pixels, so many metres east and north."""
    return replace(scene, x=scene.x + x, y=scene.y + y)


@pytest.fixture(scope="module")
def scene():
    scene = scene_of(11)
    return replace(scene, bands={band: scene.bands[band] for band in BANDS})


@pytest.fixture
def written(tmp_path, scene):
    """`written(x, y)` is a product whose corner lies so many metres further east and north."""

    def write(x=0, y=0, **options):
        return write_product(tmp_path / f"{x},{y}", name_of(**options), moved(scene, x, y))

    return write


@pytest.mark.parametrize(
    ("x", "y", "inside"),
    [
        # whole; then the site reaches over the western, northern, eastern and southern edge of the tile
        (0, 0, (slice(0, 40), slice(0, 40))),
        (600, 0, (slice(0, 40), slice(18, 40))),
        (0, -600, (slice(17, 40), slice(0, 40))),
        (-780, 0, (slice(0, 40), slice(0, 6))),
        (0, 780, (slice(0, 5), slice(0, 40))),
        (780, -780, (slice(35, 40), slice(36, 40))),
    ],
)  # fmt: skip
def test_a_site_at_the_edge_of_a_tile(written, scene, x, y, inside):
    """What the tile does not cover is no-data; the rest are its own pixels."""
    image, mask = subset_site(*resample_site(written(x, y), SITE), SITE)
    assert (image.grid, image.epsg, image.bands, image.tags["TIGERBUSH_STATUS"]) == (
        GRID,
        32633,
        SITE_BANDS,
        "ok",
    )
    rows, columns = inside
    expected = np.zeros((4, 40, 40), np.uint16)
    # 43 - 18 pixels of 60 m and so on: the first row and column of the tile that the site needs
    top, left = 43 + y // 10, 42 - x // 10
    whole = np.stack([scene.bands[band] for band in BANDS])
    expected[:, rows, columns] = whole[
        :, top + rows.start : top + rows.stop, left + columns.start : left + columns.stop
    ]
    np.testing.assert_array_equal(image.data, expected)
    assert mask.grid == GRID
    np.testing.assert_array_equal(mask.data[0] == mask.nodata, expected[0] == 0)


@pytest.mark.parametrize(
    ("x", "y", "reached"),
    [(820, 0, False), (810, 0, True), (-840, 0, False), (-830, 0, True), (0, 840, False), (0, 820, True), (0, -840, False), (0, -820, True)],
)  # fmt: skip
def test_from_where_on_a_tile_reaches_a_site(written, x, y, reached):
    """Its columns 42 to 82 and rows 43 to 83 of 126, and not one pixel less."""
    safe = written(x, y)
    grid, window = site_window(open_product(safe), SITE)
    assert grid == GRID
    assert (window is not None) == reached
    image, mask = resample_site(safe, SITE)
    assert image.tags["TIGERBUSH_STATUS"] == ("ok" if reached else "outside")
    assert image.tags["TIGERBUSH_REASON"] == ("" if reached else "the product does not reach the site")
    if not reached:
        assert (image.grid, image.data.any(), set(np.unique(mask.data))) == (GRID, np.False_, {mask.nodata})


def test_a_product_of_another_zone_does_not_reach_a_site(tmp_path, scene):
    other = write_product(tmp_path, name_of(tile="32TVL"), replace(scene, epsg=32632))
    assert site_window(open_product(other), SITE) == (GRID, None)


@pytest.mark.parametrize(
    ("x", "y", "buffer", "window"),
    [
        (0, 0, 0, Grid(465480, 5079960, 10, 66, 66)),
        # 420 m to 820 m in whole 60 m, two more, and one more for 1 to 6 pixels of 10 m
        (0, 0, 6, Grid(465420, 5080020, 10, 78, 78)),
        (0, 0, 7, Grid(465360, 5080080, 10, 90, 90)),
        # clamped to the tile, 600 m further east: from its western edge to 220 m, which become 240 + 120
        (600, 0, 0, Grid(465780, 5079960, 10, 36, 66)),
        (600, 0, 1, Grid(465780, 5080020, 10, 42, 78)),
        (0, -600, 0, Grid(465480, 5079660, 10, 66, 36)),
    ],
)  # fmt: skip
def test_the_window_that_is_read(written, x, y, buffer, window):
    assert site_window(open_product(written(x, y)), SITE, buffer=buffer) == (GRID, window)


def test_folders_that_sort_before_granule(tmp_path, scene):
    """AUX_DATA and DATASTRIP are whole products' own; what they hold is neither granule nor band."""
    safe = write_product(tmp_path, name_of(), scene)
    stamp = "T33TVL_20170116T100000"
    for folder in ("AUX_DATA/x/IMG_DATA", "DATASTRIP/D/QI_DATA", "FIRST/G/IMG_DATA"):
        (safe / folder).mkdir(parents=True)
        (safe / folder / f"{stamp}_B04.jp2").write_bytes(b"none")
        (safe / folder / "MTD_TL.xml").write_bytes(b"<x/>")
    product = open_product(safe)
    assert min(product.files) == "AUX_DATA/x/IMG_DATA/MTD_TL.xml"
    assert product.granule == "L1C_T33TVL_A000001_20170116T100000"
    name, resolution = product.band_file("B4")
    assert (name, resolution) == (f"GRANULE/{product.granule}/IMG_DATA/{stamp}_B04.jp2", 10)
    np.testing.assert_array_equal(product.read_band("B4", product.grids[10]), scene.bands["B4"])


def test_what_stands_for_a_product_without_pixels():
    image, mask = site_placeholder(name_of(), "gone", SITE)
    assert (image.grid, image.epsg, image.bands, image.data.shape, image.data.dtype) == (GRID, 32633, SITE_BANDS, (4, 40, 40), np.uint16)  # fmt: skip
    assert (image.tags["TIGERBUSH_STATUS"], image.tags["TIGERBUSH_REASON"]) == ("failed", "gone")
    assert (mask.bands, mask.data.shape, mask.data.dtype, set(np.unique(mask.data))) == (("mask",), (1, 40, 40), np.uint8, {mask.nodata})  # fmt: skip
    south, _ = site_placeholder(name_of(), "gone", replace(SITE, latitude=-25.0))
    assert south.epsg == 32733
    assert south.grid.y % 10 == 0
    image = placeholder_raster(
        parse_name(name_of()), "why", Grid(0, 50, 20, 3, 2), 32601, SITE_BANDS, status="outside"
    )
    assert (image.data.shape, image.tags["TIGERBUSH_STATUS"], image.tags["TIGERBUSH_PRODUCT"]) == (
        (4, 2, 3),
        "outside",
        name_of(),
    )


def test_a_window_is_trimmed_or_padded(monkeypatch):
    """By whole pixels; of other values there is nothing to see."""
    from tigerbush.sites import product as site

    data = np.arange(1, 1 + 2 * 5 * 4, dtype=np.uint16).reshape(2, 5, 4)
    raster = Raster(
        data=data, grid=Grid(100, 1000, 10, 4, 5), epsg=32633, bands=("a", "b"), nodata=0, tags={"x": "y"}
    )
    for x, y, width, height, rows, columns in (
        (100, 1000, 4, 5, (0, 5, 0), (0, 4, 0)),
        (110, 980, 2, 3, (2, 5, 0), (1, 3, 0)),
        (80, 1030, 3, 4, (0, 1, 3), (0, 1, 2)),
        (130, 970, 3, 4, (3, 5, 0), (3, 4, 0)),
        (140, 1000, 2, 2, None, None),
        (80, 1000, 2, 2, None, None),
        (100, 950, 2, 2, None, None),
        (100, 1020, 2, 2, None, None),
    ):
        expected = np.zeros((2, height, width), np.uint16)
        if rows:
            part = data[:, rows[0] : rows[1], columns[0] : columns[1]]
            expected[:, rows[2] : rows[2] + part.shape[1], columns[2] : columns[2] + part.shape[2]] = part
        cropped = site._on_grid(raster, Grid(x, y, 10, width, height))
        np.testing.assert_array_equal(cropped.data, expected)
        assert cropped == replace(raster, data=cropped.data, grid=Grid(x, y, 10, width, height))
