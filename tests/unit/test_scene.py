"""From a product to a site's window, a whole scene, and placeholders."""

import json

import numpy as np
import pytest
import rasterio

from fabricate import CORNER, name_of, scene_of
from tigerbush import masks
from tigerbush.errors import TigerbushError
from tigerbush.failures import failed_outputs, or_placeholder
from tigerbush.raster import PRODUCT, REASON, STATUS, read_raster, write_raster
from tigerbush.resample import Grid
from tigerbush.scene import (
    SITE_BANDS,
    resample_scene,
    resample_site,
    scene_placeholder,
    site_placeholder,
    subset_site,
)
from tigerbush.sources import write_failed_copy

# centre of the 126 x 126 pixels of CORNER, one site of 2 x 2 sub-images of 20 pixels
SITE = {"longitude": 14.5593, "latitude": 45.8694, "region_size": 0.0037, "size": 20, "resolution": 10}


def test_a_site_is_the_crop_of_the_whole(product):
    scene = scene_of(2, offset=-1000, classi=np.random.default_rng(1).integers(0, 2, (3, 21, 21)))
    safe = product(baseline="0400", scene=scene)
    image, mask = subset_site(*resample_site(safe, **SITE), **SITE)
    assert image.data.shape == (4, 40, 40)
    column, row = round((image.grid.x - CORNER["x"]) / 10), round((CORNER["y"] - image.grid.y) / 10)
    assert 0 < column < 86
    assert 0 < row < 86
    for band, data in zip(SITE_BANDS, image.data, strict=True):
        np.testing.assert_array_equal(data, scene.bands[band][row : row + 40, column : column + 40])
    assert image.scale == (1e-4,) * 4
    assert image.offset == (-0.1,) * 4
    assert image.tags[STATUS] == "ok"
    assert mask.grid == image.grid
    assert set(np.unique(mask.data)) == {masks.CLEAR, masks.MASKED}
    assert mask.tags["TIGERBUSH_MASK"].endswith("MSK_CLASSI_B00.jp2")


def test_a_site_at_20_m_takes_the_first_pixel(product):
    scene = scene_of(2)
    site = SITE | {"resolution": 20, "size": 10}
    image, _ = subset_site(*resample_site(product(scene=scene), **site), **site)
    column, row = round((image.grid.x - CORNER["x"]) / 20), round((CORNER["y"] - image.grid.y) / 20)
    expected = scene.bands["B4"][::2, ::2][row : row + 20, column : column + 20]
    np.testing.assert_array_equal(image.band("B4"), expected)


def test_what_a_product_does_not_cover_is_no_data(product):
    site = SITE | {"longitude": 14.5520}  # the west half lies outside
    image, mask = subset_site(*resample_site(product(scene=scene_of(clouds=[])), **site), **site)
    outside = round((CORNER["x"] - image.grid.x) / 10)
    assert 0 < outside < 40
    assert not image.data[:, :, :outside].any()
    assert image.data[:, :, outside:].all()
    assert (mask.data[0, :, :outside] == masks.NODATA).all()
    assert (mask.data[0, :, outside:] == masks.CLEAR).all()


@pytest.mark.parametrize("change", [{"longitude": 14.9}, {"longitude": 20.0}])
def test_a_product_that_does_not_reach_the_site(product, change):
    image, mask = resample_site(product(), **SITE | change)
    assert image.tags[STATUS] == "outside"
    assert not image.data.any()
    assert (mask.data == masks.NODATA).all()
    assert subset_site(image, mask, **SITE | change)[0].tags[STATUS] == "outside"


def test_a_placeholder_lies_where_the_site_lies(product, tmp_path):
    image, mask = subset_site(*site_placeholder(name_of(), "B4 is missing.", **SITE), **SITE)
    good, _ = subset_site(*resample_site(product(), **SITE), **SITE)
    assert (image.grid, image.epsg, image.bands) == (good.grid, good.epsg, good.bands)
    write_raster(tmp_path / "a.tif", image)
    tags = read_raster(tmp_path / "a.tif").tags
    assert (tags[STATUS], tags[REASON], tags[PRODUCT]) == ("failed", "B4 is missing.", name_of())
    assert (mask.data == masks.NODATA).all()


@pytest.mark.parametrize(("resolution", "step"), [(10, 1), (20, 2), (60, 6)])
def test_a_scene_is_what_snap_makes(product, resolution, step):
    scene = scene_of(4)
    raster = resample_scene(product(scene=scene), ["B4", "B2"], resolution, "Nearest", "First")
    np.testing.assert_array_equal(raster.data[0], scene.bands["B4"][::step, ::step])
    np.testing.assert_array_equal(raster.data[1], scene.bands["B2"][::step, ::step])
    assert raster.grid == Grid(CORNER["x"], CORNER["y"], resolution, 126 // step, 126 // step)


def test_a_scene_upsamples_with_nearest(product):
    scene = scene_of(4)
    raster = resample_scene(product(scene=scene), ["B1", "B5"], 20, "Nearest", "First")
    np.testing.assert_array_equal(raster.data[0], np.kron(scene.bands["B1"], np.ones((3, 3))))
    np.testing.assert_array_equal(raster.data[1], scene.bands["B5"])


def test_a_geotiff_describes_itself(product, tmp_path):
    path = tmp_path / "scene.tif"
    safe = product(baseline="0400", scene=scene_of(4, offset=-1000))
    write_raster(path, resample_scene(safe, ["B2", "B3", "B4"], 20, "Nearest", "First"))
    with rasterio.open(path) as image:
        assert image.descriptions == ("B2", "B3", "B4")
        assert image.units == ("reflectance",) * 3
        assert image.scales == (1e-4,) * 3
        assert image.offsets == (-0.1,) * 3
        assert (image.nodata, image.dtypes) == (0, ("uint16",) * 3)
        assert image.crs.to_epsg() == 32633
        assert image.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert image.tags()["PROCESSING_BASELINE"] == "04.00"
        assert image.tags()["SENSING_TIME"] == "2017-01-16T10:00:00Z"


def test_the_placeholder_of_a_scene(tmp_path):
    write_raster(tmp_path / "a.tif", scene_placeholder(name_of(tile="20MQB"), "gone", ["B2", "B3"], 20))
    raster = read_raster(tmp_path / "a.tif")
    assert (raster.epsg, raster.data.shape, raster.tags[STATUS]) == (32720, (2, 1, 1), "failed")


def raising(error):
    def work():
        raise error

    return work


def test_a_permanent_error_becomes_a_placeholder_at_once():
    assert or_placeholder(raising(TigerbushError("B4 is\nmissing")), str.upper, False) == "B4 IS MISSING"


def test_trouble_is_raised_until_the_last_attempt():
    with pytest.raises(OSError, match="reset"):
        or_placeholder(raising(OSError("reset")), str, last_attempt=False)
    assert or_placeholder(raising(OSError("reset")), str, last_attempt=True) == "OSError: reset"


def test_out_of_memory_stays_an_error():
    with pytest.raises(MemoryError):
        or_placeholder(raising(MemoryError()), str, last_attempt=True)


def test_failed_outputs(tmp_path):
    image, mask = site_placeholder(name_of(), "gone", **SITE)
    folder = tmp_path / "here" / "products"
    write_raster(folder / f"{name_of()}.tif", image)
    write_raster(folder / f"{name_of()}_mask.tif", mask)
    write_raster(tmp_path / "scenes" / f"{name_of()}.tif", scene_placeholder(name_of(), "gone", ["B2"], 20))
    write_failed_copy(tmp_path / "downloads" / f"{name_of()}.zip", "gone")
    assert failed_outputs(tmp_path) == [
        tmp_path / "downloads" / f"{name_of()}.zip",
        folder / f"{name_of()}.tif",
        tmp_path / "scenes" / f"{name_of()}.tif",
    ]


def test_mask_values_are_named(product):
    _, mask = resample_site(product(), **SITE)
    assert json.loads(mask.tags["TIGERBUSH_MASK_VALUES"]) == {"0": "clear", "1": "masked", "2": "unknown"}
    assert mask.tags["TIGERBUSH_MASK"] == "none"
