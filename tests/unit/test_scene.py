"""From a product to a site's window, a whole scene, and placeholders."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile

from bundles import write_bundle
from fabricate import CORNER, name_of, scene_of
from tigerbush import masks
from tigerbush.errors import ConfigurationError, TigerbushError
from tigerbush.grid import Grid
from tigerbush.placeholder import failed_outputs, placeholder_on_failure, write_placeholder_zip
from tigerbush.raster import PRODUCT, REASON, STATUS, read_raster, write_raster
from tigerbush.scenes.engines import make_scene
from tigerbush.scenes.scene import SceneOptions, scene_grid, scene_placeholder, scene_region, write_scene
from tigerbush.scenes.snap import Limits
from tigerbush.sentinel2.names import SITE_BANDS
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.sensor import SENSOR
from tigerbush.site import Site
from tigerbush.sites.product import resample_site, site_placeholder, subset_site

# centre of the 126 x 126 pixels of CORNER, one site of 2 x 2 sub-images of 20 pixels
SITE = Site(14.5593, 45.8694, 0.0037, size=20, resolution=10)


def test_a_site_is_the_crop_of_the_whole(product):
    scene = scene_of(2, offset=-1000, classi=np.random.default_rng(1).integers(0, 2, (3, 21, 21)))
    safe = product(baseline="0400", scene=scene)
    image, mask = subset_site(*resample_site(safe, SITE), SITE)
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
    site = replace(SITE, resolution=20, size=10)
    image, _ = subset_site(*resample_site(product(scene=scene), site), site)
    column, row = round((image.grid.x - CORNER["x"]) / 20), round((CORNER["y"] - image.grid.y) / 20)
    expected = scene.bands["B4"][::2, ::2][row : row + 20, column : column + 20]
    np.testing.assert_array_equal(image.band("B4"), expected)


def test_pixels_outside_a_product_are_nodata(product):
    site = replace(SITE, longitude=14.5520)  # the west half lies outside
    image, mask = subset_site(*resample_site(product(scene=scene_of(clouds=[])), site), site)
    outside = round((CORNER["x"] - image.grid.x) / 10)
    assert 0 < outside < 40
    assert not image.data[:, :, :outside].any()
    assert image.data[:, :, outside:].all()
    assert (mask.data[0, :, :outside] == masks.MASK_NODATA).all()
    assert (mask.data[0, :, outside:] == masks.CLEAR).all()


@pytest.mark.parametrize("change", [{"longitude": 14.9}, {"longitude": 20.0}])
def test_a_product_that_does_not_reach_the_site(product, change):
    image, mask = resample_site(product(), replace(SITE, **change))
    assert image.tags[STATUS] == "outside"
    assert not image.data.any()
    assert (mask.data == masks.MASK_NODATA).all()
    assert subset_site(image, mask, replace(SITE, **change))[0].tags[STATUS] == "outside"


def test_a_placeholder_has_the_grid_of_the_site(product, tmp_path):
    image, mask = subset_site(*site_placeholder(name_of(), "B4 is missing.", SITE), SITE)
    good, _ = subset_site(*resample_site(product(), SITE), SITE)
    assert (image.grid, image.epsg, image.bands) == (good.grid, good.epsg, good.bands)
    write_raster(tmp_path / "a.tif", image)
    tags = read_raster(tmp_path / "a.tif").tags
    assert (tags[STATUS], tags[REASON], tags[PRODUCT]) == ("failed", "B4 is missing.", name_of())
    assert (mask.data == masks.MASK_NODATA).all()


@pytest.fixture
def scene_file(tmp_path):
    """Write a scene and read it back."""

    def write(safe, bands, resolution=20, **options):
        write_scene(safe, tmp_path / "scene.tif", SceneOptions(bands, resolution, **options))
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["scene.tif"]
        return read_raster(tmp_path / "scene.tif")

    return write


@pytest.mark.parametrize(("resolution", "step"), [(10, 1), (20, 2), (60, 6)])
def test_a_scene_equals_that_of_snap(product, scene_file, resolution, step):
    scene = scene_of(4)
    raster = scene_file(product(scene=scene), ["B4", "B2"], resolution)
    np.testing.assert_array_equal(raster.data[0], scene.bands["B4"][::step, ::step])
    np.testing.assert_array_equal(raster.data[1], scene.bands["B2"][::step, ::step])
    assert raster.grid == Grid(CORNER["x"], CORNER["y"], resolution, 126 // step, 126 // step)


def test_a_scene_upsamples_with_nearest(product, scene_file):
    scene = scene_of(4)
    raster = scene_file(product(scene=scene), ["B1", "B5"])
    np.testing.assert_array_equal(raster.data[0], np.kron(scene.bands["B1"], np.ones((3, 3))))
    np.testing.assert_array_equal(raster.data[1], scene.bands["B5"])


METHODS = {"upsampling": {"B1": "Bicubic", "B9": "Bilinear"}, "downsampling": {"B2": "Median", "B3": "Mean"}}


@pytest.mark.parametrize("metres", [60, 180, 1260, 7000])
def test_strips_do_not_show(product, scene_file, monkeypatch, metres):
    """The pixels are the same for every height of the strips and every method."""
    safe, bands = product(scene=scene_of(4)), ["B2", "B3", "B4", "B1", "B9", "B5"]
    whole = scene_file(safe, bands, **METHODS)
    sensor = replace(SENSOR, strip_metres=metres)
    monkeypatch.setattr("tigerbush.scenes.scene.sensor_of", lambda product: sensor)
    np.testing.assert_array_equal(scene_file(safe, bands, **METHODS).data, whole.data)
    part = scene_file(safe, bands, region=[7, 11, 40, 33], **METHODS)
    np.testing.assert_array_equal(part.data, whole.data[:, 11:44, 7:47])


def test_methods_per_band(product, scene_file):
    scene = scene_of(4)
    raster = scene_file(product(scene=scene), ["B2", "B4", "B9"], **METHODS)
    blocks = scene.bands["B2"].reshape(63, 2, 63, 2).swapaxes(1, 2).reshape(63, 63, 4)
    np.testing.assert_array_equal(raster.data[0], np.median(blocks, axis=2).astype(int))
    np.testing.assert_array_equal(raster.data[1], scene.bands["B4"][::2, ::2])  # not named: First
    assert (raster.data[2] != np.kron(scene.bands["B9"], np.ones((3, 3)))).any()


WHOLE = Grid(CORNER["x"], CORNER["y"], 20, 63, 63)


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (None, WHOLE),
        ([3, 5, 10, 20], Grid(WHOLE.x + 60, WHOLE.y - 100, 20, 10, 20)),
        ([60, 60, 10, 20], Grid(WHOLE.x + 1200, WHOLE.y - 1200, 20, 3, 3)),
        ([63, 0, 1, 1], None),
    ],
)
def test_scene_region(region, expected):
    assert scene_region(WHOLE, 32633, region) == expected


def test_a_geographic_region_reaches_outward_to_whole_pixels():
    # corners of (465300, 5079800) .. (465501, 5080001)
    corners = rasterio.warp.transform(
        "EPSG:32633",
        "EPSG:4326",
        [465300.5, 465501, 465501, 465300.5],
        [5079800.5, 5079800.5, 5080001, 5080001],
    )
    ring = [f"{x} {y}" for x, y in zip(*corners, strict=True)]
    polygon = f"POLYGON(({', '.join([*ring, ring[0]])}))"
    part = scene_region(WHOLE, 32633, None, polygon)
    assert part == Grid(465300, 5080020, 20, 11, 11)


def test_an_invalid_region_is_not_the_fault_of_a_product(product, tmp_path):
    """No placeholder is written, not even in the last attempt."""
    safe, target = product(), tmp_path / "scene.tif"
    text = "POLYGON((14.5 45.8, 14.6 45.8, 14.6 45.9)"
    sentence = f"scene.geo_region {text!r} is not POLYGON((longitude latitude, ...)) with one ring."
    options = SceneOptions(["B4"], 60, geo_region=text)
    with pytest.raises(ConfigurationError) as error:
        make_scene(safe, target, name_of(), options, limits=Limits(1, 1000), last_attempt=True)
    assert str(error.value) == sentence
    assert not target.exists()


def test_a_region_on_the_other_side_of_the_earth_is_outside():
    # a quarter of the earth from the meridian of zone 33, where its projection ends
    assert scene_region(WHOLE, 32633, None, "POLYGON((105 0, 106 0, 106 1, 105 0))") is None
    assert scene_region(WHOLE, 32633, None, "POLYGON((-166 45, -165 45, -165 46, -166 45))") is None


def test_a_scene_outside_the_region(product, scene_file):
    raster = scene_file(product(), ["B4"], region=[100, 100, 5, 5])
    assert (raster.tags[STATUS], raster.data.shape) == ("outside", (1, 1, 1))


def test_a_scene_that_fails_leaves_nothing(product, tmp_path):
    safe = product()
    next(safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2")).unlink()
    with pytest.raises(TigerbushError, match="band B4 is missing"):
        write_scene(safe, tmp_path / "out" / "a.tif", SceneOptions(["B2", "B4"], 20))
    assert not list(tmp_path.glob("out/*"))


def test_a_geotiff_describes_itself(product, scene_file, tmp_path):
    scene_file(product(baseline="0400", scene=scene_of(4, offset=-1000)), ["B2", "B3", "B4"])
    with rasterio.open(tmp_path / "scene.tif") as image:
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
    assert (
        placeholder_on_failure(raising(TigerbushError("B4 is\nmissing")), str.upper, False) == "B4 IS MISSING"
    )


def test_transient_errors_are_raised_until_the_last_attempt():
    with pytest.raises(OSError, match="reset"):
        placeholder_on_failure(raising(OSError("reset")), str, last_attempt=False)
    assert placeholder_on_failure(raising(OSError("reset")), str, last_attempt=True) == "OSError: reset"


def test_out_of_memory_stays_an_error():
    with pytest.raises(MemoryError):
        placeholder_on_failure(raising(MemoryError()), str, last_attempt=True)


def test_failed_outputs(tmp_path):
    write_bundle(tmp_path / "windows" / name_of() / "0.zip", here=site_placeholder(name_of(), "gone", SITE))
    write_raster(tmp_path / "scenes" / f"{name_of()}.tif", scene_placeholder(name_of(), "gone", ["B2"], 20))
    write_placeholder_zip(tmp_path / "downloads" / f"{name_of()}.zip", "gone")
    assert failed_outputs(tmp_path) == [
        tmp_path / "downloads" / f"{name_of()}.zip",
        tmp_path / "scenes" / f"{name_of()}.tif",
        tmp_path / "windows" / name_of() / "here",
    ]


def test_mask_values_are_named(product):
    _, mask = resample_site(product(), SITE)
    assert json.loads(mask.tags["TIGERBUSH_MASK_VALUES"]) == {"0": "clear", "1": "masked", "2": "unknown"}
    assert mask.tags["TIGERBUSH_MASK"] == "none"


def test_a_reduced_read_returns_other_pixels(product):
    """Why scenes are decoded in full: GDAL's read at half the size returns a level of the wavelet transform."""
    scene = scene_of(place=CORNER | {"width": 252, "height": 252})
    safe = product(scene=scene)
    band = scene.bands["B4"]
    with rasterio.open(next(safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2"))) as image:
        assert image.overviews(1) == [2]
        reduced = image.read(1, out_shape=(126, 126)).astype(int)
    opened = open_product(safe)
    first = opened.read_band("B4", scene_grid(opened, 20))
    np.testing.assert_array_equal(first, band[::2, ::2])
    mean = band.reshape(126, 2, 126, 2).mean(axis=(1, 3))
    for other in (first, mean.astype(int), *(band[i::2, j::2] for i, j in ((0, 1), (1, 0), (1, 1)))):
        # hardly a pixel is the same
        assert np.mean(reduced == other) < 0.01
    # without overviews GDAL takes the pixel below the centre of the target pixel, SNAP that below its corner
    with MemoryFile() as file:
        profile = {"driver": "GTiff", "width": 252, "height": 252, "count": 1, "dtype": "uint16"}
        with file.open(transform=opened.grids[10].transform, **profile) as image:
            image.write(band, 1)
            np.testing.assert_array_equal(image.read(1, out_shape=(126, 126)), band[1::2, 1::2])
