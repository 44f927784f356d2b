"""Which pixels of a band are valid when it is resampled: by its DN, and by the masks that SNAP 14 uses."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio

from fabricate import CORNER, name_of, scene_of, write_product
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.raster import STATUS, read_raster
from tigerbush.scenes.scene import SceneOptions, scene_grid, write_scene
from tigerbush.sentinel2.safe import open_product

GRID = Grid(CORNER["x"], CORNER["y"], 10, 126, 126)
INTERPOLATIONS = ("Bilinear", "Bicubic")


def written(tmp_path, scene, **name):
    return write_product(tmp_path / "products", name_of(**name), scene)


def ramp(hole=None):
    """A scene whose B5 (20 m) is 1000 + 100 column, with 0 in one pixel; B2 is 4 times that everywhere."""
    scene = scene_of(clouds=[])
    scene.bands["B5"][:] = 1000 + 100 * np.arange(63)
    scene.bands["B2"][:] = 4000
    if hole is not None:
        scene.bands["B5"][hole] = 0
    return scene


@pytest.mark.input(
    "Scenes",
    "lost pixels (DN 0) in a band that is interpolated",
    "0 around them, as in SNAP; they are not mixed into their neighbours",
)
def test_bilinear_of_a_real_product_is_not_mixed_with_lost_pixels(tmp_path):
    product = open_product(written(tmp_path, ramp(hole=(20, 30))))
    ours = product.read_band("B5", GRID, "Bilinear")
    # the corner of target pixel d is at d / 2 - 1/2 source pixels
    columns, rows = np.meshgrid(np.arange(126) / 2 - 0.5, np.arange(126) / 2 - 0.5)
    expected = (1000 + 100 * columns).astype(int)
    # neighbours are the pixels before and after, the one after also where its weight is 0
    touches = (
        (np.floor(columns) <= 30)
        & (np.floor(columns) + 1 >= 30)
        & (np.floor(rows) <= 20)
        & (np.floor(rows) + 1 >= 20)
    )
    assert np.count_nonzero(touches) == 16
    expected[touches] = 0
    # the rim is mixed with the no-data value outside, as in SNAP
    np.testing.assert_array_equal(ours[1:-1, 1:-1], expected[1:-1, 1:-1])
    np.testing.assert_array_equal(ours[0, 1:-1], expected[0, 1:-1] // 2)


def test_bicubic_is_invalid_within_two_pixels_and_clipped(tmp_path):
    scene = ramp(hole=(20, 30))
    scene.bands["B5"][40:44, 40:44] = 1
    scene.bands["B5"][40:44, 44] = 60000
    product = open_product(written(tmp_path, scene))
    ours = product.read_band("B5", GRID, "Bicubic")
    # a linear ramp is itself; columns at d / 2 - 1/2
    assert ours[30, 20] == 1000 + 950 and ours[30, 21] == 1000 + 1000
    invalid = ours == 0
    invalid[80:] = False
    # its neighbours begin one pixel before and end two after: rows 18.0 to 21.5 and columns 28.0 to 31.5
    rows, columns = np.nonzero(invalid)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (37, 44, 57, 64)
    # half way between the last two pixels of 1 before 60000: (9 * (1 + 1) - 1 - 60000) / 16 is below 0
    assert ours[84, 86] == 0


@pytest.mark.parametrize("method", ["First", "Nearest"])
def test_copied_pixels_stay_as_they_are(tmp_path, method):
    scene = scene_of(clouds=[])
    scene.bands["B2"][5:9, 3:40] = 0
    scene.bands["B5"][50:, :7] = 0
    product = open_product(written(tmp_path, scene))
    coarse = scene_grid(product, 20)
    np.testing.assert_array_equal(
        product.read_band("B2", coarse, downsampling=method), scene.bands["B2"][::2, ::2]
    )
    repeated = scene.bands["B5"].repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(product.read_band("B5", GRID, method), repeated)


def holed(**options):
    """A scene with lost pixels by DN in all bands, and by the masks of B1, B2 and B5."""
    scene = scene_of(7, offset=-1000, **options)
    random = np.random.default_rng(3)
    for band, pixels in scene.bands.items():
        pixels[random.random(pixels.shape) < 0.05] = 0
        scene.footprints[band] = np.where(random.random(pixels.shape) < 0.1, 0, 9)
        scene.lost[band] = random.random(pixels.shape) < 0.1
    return scene


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize(
    ("resolution", "up", "down"),
    [(10, "Bilinear", "First"), (10, "Bicubic", "First"), (20, "Bicubic", "Mean"), (20, "Bilinear", "Median"), (60, "Nearest", "Mean"), (60, "Nearest", "Min")],
)  # fmt: skip
def test_a_region_is_the_crop_of_the_whole(tmp_path, resolution, up, down, masks):
    """So the halo of a window is wide enough, for masks as for pixels."""
    safe = written(tmp_path, holed(), baseline="0400")
    options = SceneOptions(["B1", "B2", "B5"], resolution, up, down, snap_masks=masks)
    files = []
    for number, region in enumerate([None, (3, 2, 9, 7), (0, 11, 5, 10), (12, 0, 9, 21)]):
        write_scene(safe, tmp_path / f"{number}.tif", replace(options, region=region))
        data = read_raster(tmp_path / f"{number}.tif").data
        if region is not None:
            x, y, width, height = region
            np.testing.assert_array_equal(data, files[0][:, y : y + height, x : x + width])
            assert data.any()
        files.append(data)


def masked_first(scene, band, factor):
    """SNAP 14: First, and 0 where no detector observed the pixel or it was lost; a DN of 0 stays."""
    valid = (scene.footprints[band] > 0) & ~scene.lost[band]
    return np.where(valid, scene.bands[band], 0)[::factor, ::factor]


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_masks_apply_to_bands_that_are_resampled(tmp_path, level):
    scene = holed(level=level)
    product = open_product(written(tmp_path, scene, level=level, baseline="0500"))
    coarse = scene_grid(product, 60)
    for band, factor in (("B2", 6), ("B8A", 3)):
        ours = product.read_band(band, coarse, snap_masks=True)
        np.testing.assert_array_equal(ours, masked_first(scene, band, factor))
        assert not np.array_equal(ours, product.read_band(band, coarse))
    repeated = masked_first(scene, "B5", 1).repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(product.read_band("B5", GRID, snap_masks=True), repeated)
    # on its own grid a band is copied, lost pixels and all
    for grid in (GRID, Grid(GRID.x + 200, GRID.y - 100, 10, 30, 20)):
        np.testing.assert_array_equal(
            product.read_band("B2", grid, snap_masks=True), product.read_band("B2", grid)
        )


def test_interpolation_by_the_masks_alone_takes_zeros_as_they_are(tmp_path):
    """SNAP 14 takes a DN of 0 for valid within the footprint."""
    scene = ramp(hole=(20, 30))
    scene = replace(scene, offsets=dict.fromkeys(scene.bands, -1000), footprints={"B5": np.full((63, 63), 4)})
    scene.lost["B5"] = np.zeros((63, 63), bool)
    scene.lost["B5"][40, 50] = True
    product = open_product(written(tmp_path, scene, baseline="0400"))
    ours = product.read_band("B5", GRID, "Bilinear", snap_masks=True)
    # a quarter of the pixel of 0, three quarters of its neighbours 3900, 4000 and 4000: row 19.5, column 29.5
    assert ours[40, 60] == (3900 + 3900 + 4000 + 0) // 4
    assert ours[80, 100] == 0 and ours[81, 100] == 0 and ours[84, 100] == 5950


def test_a_band_finer_than_its_masks_takes_the_nearest(tmp_path):
    """L2A has B1 at 20 m, too; its masks are those of the detector, at 60 m."""
    scene = holed(level="L2A")
    safe = written(tmp_path, scene, level="L2A", baseline="0400")
    (coarse,) = safe.glob("GRANULE/*/IMG_DATA/R60m/*_B01_60m.jp2")
    fine = coarse.parents[1] / "R20m" / coarse.name.replace("60m", "20m")
    pixels = np.random.default_rng(1).integers(1, 9000, (63, 63)).astype(np.uint16)
    with rasterio.open(fine, "w", driver="JP2OpenJPEG", width=63, height=63, count=1, dtype="uint16", quality=100, reversible="YES") as out:  # fmt: skip
        out.write(pixels, 1)
    product = open_product(safe)
    valid = ((scene.footprints["B1"] > 0) & ~scene.lost["B1"]).repeat(3, axis=0).repeat(3, axis=1)
    expected = np.where(valid, pixels, 0).repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(product.read_band("B1", GRID, snap_masks=True), expected)


@pytest.mark.input(
    "Scenes",
    "`scene.snap_masks` and a product from before baseline 04.00",
    "its pixels are valid by their DN",
)
def test_products_from_before_the_masks_are_not_masked(tmp_path):
    scene = ramp(hole=(20, 30))
    product = open_product(written(tmp_path, scene, baseline="0301"))
    for method in INTERPOLATIONS:
        np.testing.assert_array_equal(
            product.read_band("B5", GRID, method, snap_masks=True), product.read_band("B5", GRID, method)
        )


@pytest.mark.input(
    "Scenes",
    "`scene.snap_masks` and a later product without its masks",
    "the product fails: which file, and what to do",
)
@pytest.mark.parametrize("kind", ["DETFOO", "QUALIT"])
def test_a_product_without_its_masks_is_refused(tmp_path, kind):
    safe = written(tmp_path, scene_of(offset=-1000), baseline="0400")
    next(safe.glob(f"GRANULE/*/QI_DATA/MSK_{kind}_B8A.jp2")).unlink()
    options = SceneOptions(["B2", "B8A"], 60, snap_masks=True)
    with pytest.raises(TigerbushError) as error:
        write_scene(safe, tmp_path / "a.tif", options)
    assert str(error.value) == (
        f"{safe}: MSK_DETFOO_B8A.jp2 or MSK_QUALIT_B8A.jp2 is missing, which scene.snap_masks needs; use the whole product, "
        "then run ./tigerbush retry, or set scene.snap_masks: false."
    )
    assert not (tmp_path / "a.tif").exists()
    # without the option, or where the band is copied
    for changes in ({"snap_masks": False}, {"resolution": 20, "bands": ["B8A"]}):
        write_scene(safe, tmp_path / "a.tif", replace(options, **changes))
        assert read_raster(tmp_path / "a.tif").tags[STATUS] == "ok"


@pytest.mark.parametrize("count", [1, 5])
def test_masks_of_another_form_are_refused(tmp_path, count):
    safe = written(tmp_path, scene_of(offset=-1000), baseline="0400")
    (path,) = safe.glob("GRANULE/*/QI_DATA/MSK_QUALIT_B02.jp2")
    path.unlink()
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", width=126, height=126, count=count, dtype="uint8"
    ) as out:
        out.write(np.ones((count, 126, 126), np.uint8))
    product = open_product(safe)
    with pytest.raises(TigerbushError) as error:
        product.read_band("B2", scene_grid(product, 20), snap_masks=True)
    assert str(error.value) == f"{path} has {count} bands, expected at least 6; set scene.snap_masks: false."


def test_a_truncated_mask_is_refused(tmp_path):
    safe = written(tmp_path, scene_of(offset=-1000), baseline="0400")
    (path,) = safe.glob("GRANULE/*/QI_DATA/MSK_QUALIT_B02.jp2")
    path.write_bytes(path.read_bytes()[:-3])
    product = open_product(safe)
    with pytest.raises(TigerbushError, match=r"MSK_QUALIT_B02\.jp2 is not a complete JP2 file"):
        product.read_band("B2", scene_grid(product, 20), snap_masks=True)
