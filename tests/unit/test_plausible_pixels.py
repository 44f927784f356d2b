"""Reflectances that no ground has: pixels are left out, products with many of them fail, and reasons say why."""

import json

import numpy as np
import pytest
import rasterio

from fabricate import CORNER, name_of, scene_of
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.masks import CLEAR, MASK_NODATA, MASKED, UNKNOWN
from tigerbush.raster import PRODUCT, REASON, STATUS, Raster, check_geotiff, write_raster
from tigerbush.sentinel2.names import SITE_BANDS
from tigerbush.site import Site
from tigerbush.sites.composite import composite_products, harmonise, why_lost
from tigerbush.sites.layout import SubImage
from tigerbush.sites.lost import CLOUD, NEGATIVE, NOT_OBSERVED, OBSERVED, SATURATED, main_reason
from tigerbush.sites.plausible import check_reflectance
from tigerbush.sites.product import resample_site
from tigerbush.sites.subimages import Coverage, examine_sub_images

GRID = Grid(465180, 5080260, 10, 5, 1)


def write_pair(folder, name, dn, mask, offset):
    """The files of one product, each band with the same row of DN."""
    tags = {PRODUCT: name, STATUS: "ok", REASON: ""}
    data = np.broadcast_to(np.asarray(dn, np.uint16), (4, 1, 5)).copy()
    paths = folder / f"{name}.tif", folder / f"{name}_mask.tif"
    scale, offsets = (1e-4,) * 4, (offset / 10000,) * 4
    write_raster(paths[0], Raster(data, GRID, 32633, SITE_BANDS, 0, scale, offsets, tags=tags))
    classes = np.asarray([[mask]], np.uint8)
    write_raster(paths[1], Raster(classes, GRID, 32633, ("mask",), MASK_NODATA, tags=tags))
    return paths


def test_zero_and_negative_reflectances_are_no_observations():
    stored = np.array([[[1001, 1000, 999, 1, 0]], [[5000, 5000, 5000, 5000, 5000]]], np.uint16)
    clear = np.zeros((1, 5), np.uint8)
    observation = harmonise(stored, [-1000, -1000], clear, 65535, [0, 0])
    assert observation.lost.tolist() == [[OBSERVED, NEGATIVE, NEGATIVE, NEGATIVE, NOT_OBSERVED]]
    everything = harmonise(stored, [-1000, -1000], clear, 65535)
    assert everything.lost.tolist() == [[OBSERVED] * 4 + [NOT_OBSERVED]]


def test_a_zero_that_lies_between_two_dn():
    """Landsat's zero reflectance is at DN 7272.73: of the rounded offset, a remainder of 0.27 is left."""
    stored = np.array([[[7274, 7273, 7272]]], np.uint16)
    observation = harmonise(stored, [-7273], np.zeros((1, 3), np.uint8), 65535, [-3 / 11])
    assert observation.lost.tolist() == [[OBSERVED, OBSERVED, NEGATIVE]]


def test_a_pixel_has_one_reason():
    """No observation before cloud, cloud before saturation, saturation before negative reflectance."""
    stored = np.array([[[0, 0, 65535, 65535, 1]], [[1, 65535, 1, 9000, 9000]]], np.uint16)
    mask = np.array([[MASKED, MASK_NODATA, MASKED, UNKNOWN, CLEAR]], np.uint8)
    observation = harmonise(stored, [-1000, -1000], mask, 65535, [0, 0])
    assert observation.lost.tolist() == [[NOT_OBSERVED, NOT_OBSERVED, CLOUD, SATURATED, NEGATIVE]]


def test_the_reason_of_the_observation_that_came_closest():
    stored = np.array([[[0, 0, 0, 0]]], np.uint16), np.array([[[5, 1, 65535, 0]]], np.uint16)
    clear = np.zeros((1, 4), np.uint8)
    observations = [harmonise(dn, [-3], clear, 65535, [0]) for dn in stored]
    assert why_lost(observations).tolist() == [[OBSERVED, NEGATIVE, SATURATED, NOT_OBSERVED]]
    assert why_lost(observations[::-1]).tolist() == why_lost(observations).tolist()


@pytest.mark.input(
    "Pixels",
    "DN 1 at the edge of a swath or in deep shadow",
    "no observation; the composite is made of the others (mode `pyveg` uses it)",
)
@pytest.mark.parametrize(
    ("mode", "n_obs", "red"),
    [
        ("default", [2, 1, 1, 0, 0], [0.3, 0.2, 0.2, np.nan, np.nan]),
        # DN 1 is -0.0999, and the mean of the two of the first pixel is not affected
        ("pyveg", [2, 2, 1, 1, 0], [0.3, 0.05005, 0.2, -0.0999, np.nan]),
    ],
)
def test_dn_1_does_not_enter_a_composite(tmp_path, mode, n_obs, red):
    pairs = [
        write_pair(tmp_path, name_of(baseline="0500"), [3000] * 3 + [0, 0], [CLEAR] * 5, -1000),
        write_pair(
            tmp_path,
            name_of("20170119", baseline="0500"),
            [5000, 1, 1, 1, 5000],
            [CLEAR, CLEAR, MASKED, CLEAR, MASKED],
            -1000,
        ),
    ]
    composite, lost = composite_products(pairs, mode=mode)
    np.testing.assert_array_equal(composite.band("n_obs")[0], n_obs)
    np.testing.assert_allclose(composite.band("B4")[0], red, rtol=0, atol=1e-7)
    negative = NEGATIVE if mode == "default" else OBSERVED
    assert lost.data.tolist() == [[[OBSERVED, OBSERVED, OBSERVED, negative, CLOUD]]]
    assert json.loads(lost.tags["TIGERBUSH_LOST_VALUES"]) == {
        "0": "observed", "1": "negative reflectance", "2": "saturated", "3": "cloud", "4": "no data"
    }  # fmt: skip


def test_a_date_without_a_usable_product_has_no_observation(tmp_path):
    image, mask = write_pair(tmp_path, name_of(), [3000] * 5, [UNKNOWN] * 5, 0)
    _, lost = composite_products([(image, mask)], "required")
    assert lost.data.tolist() == [[[NOT_OBSERVED] * 5]]


def test_the_main_reason_of_lost_pixels():
    lost = np.array([[CLOUD, CLOUD, NEGATIVE, NEGATIVE, NEGATIVE, OBSERVED, OBSERVED, OBSERVED, OBSERVED]])
    # of nine pixels, the lost ones alone count
    assert main_reason(lost, lost != OBSERVED) == "negative reflectance"
    assert main_reason(lost, np.array([[True] * 2 + [False] * 7])) == "cloud"
    assert main_reason(lost, np.array([[False] * 5 + [True] * 4])) == "black"


@pytest.mark.input(
    "Pixels",
    "a sub-image with too few pixels",
    "`missing.tsv` names the main reason: cloud, negative reflectance, saturated, no data",
)
def test_each_sub_image_that_is_not_used_has_its_reason():
    causes = (CLOUD, NEGATIVE, SATURATED, NOT_OBSERVED, OBSERVED)
    parts = [SubImage(slice(0, 4), slice(5 * i, 5 * i + 5), 0.0, 0.0) for i in range(6)]
    lost, missing = np.zeros((4, 30), np.uint8), np.zeros((4, 30), bool)
    for i, cause in enumerate(causes):
        lost[:, 5 * i : 5 * i + 5] = cause
        missing[: i + 1, 5 * i : 5 * i + 5] = True
    examined = examine_sub_images(parts, Coverage(missing, ~missing, ~missing), 0.05, None, lost)
    limit = "of its pixels lost (subimages.max_masked_fraction: 0.05)"
    assert [reason for _, _, reason in examined] == [
        f"cloud: 0.2500 {limit}",
        f"negative reflectance: 0.5000 {limit}",
        f"saturated: 0.7500 {limit}",
        f"no data: 1.0000 {limit}",
        f"black: 1.0000 {limit}",
        "",
    ]


def window(negative, *, water=0, cloudy=0, side=10):
    """A window of land (0.2 in the green, 0.3 in the near infrared), the first pixels of which are negative."""
    dn = np.full((4, side * side), 3000, np.uint16)
    dn[3] = 4000
    dn[1, :negative] = 1000
    # darker in the near infrared than in the green, and negative there
    dn[3, negative : negative + water] = 900
    mask = np.zeros((1, side * side), np.uint8)
    mask[0, :cloudy] = MASKED
    grid = Grid(0, 0, 10, side, side)
    scale, offset = (1e-4,) * 4, (-0.1,) * 4
    image = Raster(dn.reshape(4, side, side), grid, 32633, SITE_BANDS, 0, scale, offset)
    return image, Raster(mask.reshape(1, side, side), grid, 32633, ("mask",), MASK_NODATA)


@pytest.mark.parametrize(
    ("negative", "water", "cloudy"),
    [(0, 0, 0), (5, 0, 0), (4, 20, 0), (0, 90, 0), (30, 0, 30), (20, 0, 16), (51, 0, 50)],
)
def test_few_negative_reflectances_are_normal(negative, water, cloudy):
    """At most 5 % of the clear land; 4 of 80, and 4 of 84, too; 1 of 50."""
    check_reflectance(
        *window(negative, water=water, cloudy=cloudy), lambda: None, limit=0.05, enough=10, label="x"
    )


@pytest.mark.parametrize(
    ("negative", "water", "cloudy", "share"),
    [(6, 0, 0, "6.0%"), (5, 20, 0, "6.2%"), (21, 0, 16, "6.0%"), (100, 0, 0, "100.0%")],
)
def test_many_negative_reflectances_fail_the_product(negative, water, cloudy, share):
    with pytest.raises(TigerbushError) as error:
        check_reflectance(
            *window(negative, water=water, cloudy=cloudy), lambda: None, limit=0.05, enough=10, label="x"
        )
    assert str(error.value) == (
        f"x: negative reflectance in {share} of the clear land pixels of the site, more than "
        "composite.max_negative_fraction (0.05) allows; is the radiometric offset in its metadata, or in its catalogue "
        "item, that of its pixels?"
    )


def test_a_gap_between_clouds_tells_nothing():
    pair = window(100, cloudy=90)
    check_reflectance(*pair, lambda: None, limit=0.05, enough=11, label="x")
    with pytest.raises(TigerbushError):
        check_reflectance(*pair, lambda: None, limit=0.05, enough=10, label="x")


def test_the_classification_decides_where_there_is_one():
    land = np.ones((10, 10), bool)
    land[:3] = False
    # 30 dark pixels that the product holds for water
    check_reflectance(*window(30), lambda: land, limit=0.05, enough=10, label="x")
    with pytest.raises(TigerbushError, match=r"5\.7%"):
        check_reflectance(*window(34), lambda: land, limit=0.05, enough=10, label="x")


def test_the_classification_is_read_only_for_negative_reflectances():
    check_reflectance(*window(0), pytest.fail, limit=0.05, enough=10, label="x")


SITE = Site(14.5593, 45.8694, 0.0037, 20, 10)


def l2a_scene(bands, classes):
    """An L2A scene of baseline 05.00 with a vegetated north and a south given by its DN and class."""
    scene = scene_of(offset=-1000, level="L2A", scl=np.full((63, 63), 4, np.uint8))
    scene.scl[31:] = classes
    for band, values in scene.bands.items():
        values[:] = {"B2": 1300, "B3": 1500, "B4": 1300, "B8": 4000}.get(band, 3000)
        values[len(values) * 31 // 63 :] = bands.get(band, 3000)
    return scene


LAKE = {"B2": 1100, "B3": 1060, "B4": 990, "B8": 950}


@pytest.mark.input(
    "Pixels",
    "a lake or mountain shadow with negative reflectance in L2A",
    "its pixels are lost, the product is used",
)
@pytest.mark.parametrize("classes", [6, 2, 3])
def test_a_site_with_a_lake_or_shadow_loses_pixels_but_no_product(product, classes):
    path = product(level="L2A", baseline="0500", scene=l2a_scene(LAKE, classes))
    image, mask = resample_site(path, SITE, max_negative_fraction=0.05)
    assert image.tags[STATUS] == "ok"
    rows = image.grid.height
    negative = (image.band("B4") < 1000) & (mask.data[0] == CLEAR)
    assert negative[rows * 2 // 3 :].any() == (classes != 3) and not negative[: rows // 3].any()


def test_a_lake_without_a_classification_loses_no_product(product):
    scene = scene_of(offset=-1000)
    for band, values in scene.bands.items():
        values[:] = {"B2": 1300, "B3": 1500, "B4": 1300, "B8": 4000}.get(band, 3000)
        values[len(values) // 2 :] = LAKE.get(band, 3000)
    image, _ = resample_site(product(baseline="0400", scene=scene), SITE, max_negative_fraction=0.05)
    assert image.tags[STATUS] == "ok"


@pytest.mark.input(
    "Pixels",
    "an offset taken off twice, by a catalogue's wrong flag",
    "the product fails with the share of negative reflectances (`composite.max_negative_fraction`)",
)
def test_an_offset_taken_twice_fails_the_product(product):
    """Vegetation with its offset taken off already: 0.03 in the red is DN 300, of which 1000 are taken again."""
    twice = {"B2": 300, "B3": 600, "B4": 400, "B8": 3200}
    path = product(level="L2A", baseline="0500", scene=l2a_scene(twice, 4))
    with pytest.raises(TigerbushError) as error:
        resample_site(path, SITE, max_negative_fraction=0.05)
    assert str(error.value).startswith(f"{path}: negative reflectance in ")
    assert resample_site(path, SITE)[0].tags[STATUS] == "ok"


WHOLE = Grid(CORNER["x"], CORNER["y"], 10, 6, 7)
GOOD = {"dtype": "uint16", "count": 1, "crs": "EPSG:32633", "nodata": 0, "transform": WHOLE.transform}


def check(tmp_path, *, band=True, **options):
    profile = GOOD | {"driver": "GTiff", "width": 6, "height": 7} | options
    with rasterio.open(tmp_path / "x.tif", "w", **profile):
        pass
    with rasterio.open(tmp_path / "x.tif") as image:
        check_geotiff(image, "x.tif", WHOLE, 32633, band=band)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nodata": None},
        {"band": False, "dtype": "uint8"},
        {"band": False, "dtype": "uint8", "count": 3},
        # a window that was fetched earlier
        {"width": 5, "crs": None},
    ],
)
def test_geotiffs_of_a_product(tmp_path, options):
    check(tmp_path, **options)


@pytest.mark.input(
    "Pixels",
    "a STAC item whose GeoTIFF is rotated, in another zone, of another type or nodata value",
    "the product fails: what the file has, and what was expected",
)
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"dtype": "int16"}, "is of type int16, expected uint16"),
        ({"dtype": "float32"}, "is of type float32, expected uint16"),
        ({"dtype": "uint8"}, "is of type uint8, expected uint16"),
        ({"band": False, "dtype": "int16"}, "is of type int16, expected uint16 or uint8"),
        ({"count": 2}, "has 2 bands, expected 1"),
        ({"transform": rasterio.Affine(10, 0, 0, 0, 10, 0)}, "is rotated, not north-up or not of square pixels"),
        ({"transform": rasterio.Affine(10, 0, 0, 0, -20, 0)}, "is rotated, not north-up or not of square pixels"),
        ({"transform": rasterio.Affine(-10, 0, 0, 0, 10, 0)}, "is rotated, not north-up or not of square pixels"),
        ({"transform": rasterio.Affine(0, 10, 0, -10, 0, 0)}, "is rotated, not north-up or not of square pixels"),
        ({"crs": "EPSG:32733"}, "has EPSG:32733, expected EPSG:32633"),
        ({"crs": "EPSG:32733", "width": 5}, "has EPSG:32733, expected EPSG:32633"),
        ({"crs": None}, "has no coordinate reference system, expected EPSG:32633"),
        ({"nodata": 65535}, "has the nodata value 65535, expected 0 or none"),
        ({"nodata": 1}, "has the nodata value 1, expected 0 or none"),
    ],
)  # fmt: skip
def test_a_geotiff_that_is_another_image(tmp_path, options, problem):
    with pytest.raises(TigerbushError) as error:
        check(tmp_path, **options)
    assert str(error.value) == (
        f"x.tif {problem}; another file than the product's was listed under this name: correct the item of the "
        "product, or remove the product."
    )
