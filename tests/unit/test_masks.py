"""Cloud masks: MSK_CLASSI, MSK_CLOUDS, SCL, and products without a mask."""

import re

import numpy as np
import pytest

from fabricate import CORNER, scene_of
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.masks import CLEAR, MASKED, UNKNOWN, MaskOptions
from tigerbush.sentinel2.masks import read_mask
from tigerbush.sentinel2.safe import open_product
from tigerbush.sites.windows import read_window

WHOLE = Grid(CORNER["x"], CORNER["y"], 10, CORNER["width"], CORNER["height"])


def test_classi_opaque_and_cirrus_but_not_snow(product):
    classi = np.zeros((3, 21, 21), np.uint8)
    classi[0, 2, 3] = classi[1, 5, 6] = classi[2, 8, 9] = 1
    opened = open_product(product(baseline="0400", scene=scene_of(offset=-1000, classi=classi)))
    mask, name = read_mask(opened, WHOLE)
    expected = np.zeros((126, 126), np.uint8)
    expected[12:18, 18:24] = expected[30:36, 36:42] = MASKED
    np.testing.assert_array_equal(mask, expected)
    assert name.endswith("QI_DATA/MSK_CLASSI_B00.jp2")


def test_a_window_of_a_mask_is_a_crop_of_the_whole(product):
    classi = np.random.default_rng(1).integers(0, 2, (3, 21, 21)).astype(np.uint8)
    opened = open_product(product(baseline="0400", scene=scene_of(offset=-1000, classi=classi)))
    window = Grid(WHOLE.x + 130, WHOLE.y - 250, 10, 57, 41)
    np.testing.assert_array_equal(read_mask(opened, window)[0], read_mask(opened, WHOLE)[0][25:66, 13:70])


def test_cloud_polygons(product):
    x, y = CORNER["x"], CORNER["y"]
    ring = [(x + 100, y - 200), (x + 400, y - 200), (x + 400, y - 500), (x + 100, y - 500)]
    mask, name = read_mask(open_product(product(scene=scene_of(clouds=[ring]))), WHOLE)
    assert name.endswith("MSK_CLOUDS_B00.gml")
    # all touched pixels, so at most one more on each side
    assert (mask[20:50, 10:40] == MASKED).all()
    outside = mask.copy()
    outside[19:51, 9:41] = CLEAR
    assert (outside == CLEAR).all()


@pytest.mark.parametrize(
    ("cirrus", "snow", "masked"),
    [(True, False, "oc"), (False, False, "o"), (False, True, "os"), (True, True, "ocs")],
)
def test_cirrus_and_snow_are_optional(product, cirrus, snow, masked):
    classi = np.zeros((3, 21, 21), np.uint8)
    classi[0, 1] = classi[1, 2] = classi[2, 3] = 1
    scl = np.full((63, 63), 4)
    scl[3:6], scl[6:9], scl[9:12] = 9, 10, 11
    options = MaskOptions(cirrus, snow)
    for safe in (
        product(baseline="0400", scene=scene_of(offset=-1000, classi=classi)),
        product(level="L2A", baseline="0400", scene=scene_of(level="L2A", offset=-1000, scl=scl)),
    ):
        mask, _ = read_mask(open_product(safe), WHOLE, options)
        rows = {"o": slice(6, 12), "c": slice(12, 18), "s": slice(18, 24)}
        for kind, part in rows.items():
            assert (mask[part] == (MASKED if kind in masked else CLEAR)).all()
        assert mask.sum() == len(masked) * 6 * 126


def test_cirrus_polygons_are_optional(product):
    x, y = CORNER["x"], CORNER["y"]
    safe = product(scene=scene_of(clouds=[[(x, y), (x + 500, y), (x + 500, y - 500), (x, y - 500)]]))
    path = next(safe.glob("GRANULE/*/QI_DATA/*.gml"))
    path.write_text(path.read_text().replace("OPAQUE", "CIRRUS"))
    assert read_mask(open_product(safe), WHOLE)[0].any()
    assert not read_mask(open_product(safe), WHOLE, MaskOptions(cirrus=False))[0].any()


def test_the_buffer_is_a_disc(product):
    classi = np.zeros((3, 21, 21), np.uint8)
    classi[0, 10, 10] = 1
    opened = open_product(product(baseline="0400", scene=scene_of(offset=-1000, classi=classi)))
    mask, _ = read_mask(opened, WHOLE, MaskOptions(buffer=5))
    rows, columns = np.mgrid[:126, :126]
    distance = np.hypot(np.maximum(abs(rows - 62.5) - 2.5, 0), np.maximum(abs(columns - 62.5) - 2.5, 0))
    np.testing.assert_array_equal(mask == MASKED, distance <= 5)


@pytest.mark.parametrize("buffer", [0, 1, 7, 30])
def test_a_buffer_reaches_into_a_site_from_outside(product, buffer):
    """The mask of a site's window is the crop of the whole tile's."""
    classi = (np.random.default_rng(2).random((3, 21, 21)) < 0.02).astype(np.uint8)
    opened = open_product(product(baseline="0400", scene=scene_of(offset=-1000, classi=classi)))
    site = Grid(WHOLE.x + 430, WHOLE.y - 470, 10, 40, 40)
    window = read_window(site, WHOLE, 60, buffer)
    row, column = round((window.y - site.y) / 10), round((site.x - window.x) / 10)
    whole, _ = read_mask(opened, WHOLE, MaskOptions(buffer=buffer))
    part, _ = read_mask(opened, window, MaskOptions(buffer=buffer))
    np.testing.assert_array_equal(part[row : row + 40, column : column + 40], whole[47:87, 43:83])


def test_no_cloud_polygons_means_clear(product):
    mask, name = read_mask(open_product(product(scene=scene_of(clouds=[]))), WHOLE)
    assert name is not None
    assert (mask == CLEAR).all()


def test_scene_classification(product):
    scl = np.arange(63 * 63).reshape(63, 63) % 12
    scene = scene_of(level="L2A", offset=-1000, scl=scl)
    mask, name = read_mask(open_product(product(level="L2A", baseline="0400", scene=scene)), WHOLE)
    masked = np.isin(scl, [0, 1, 3, 8, 9, 10])
    np.testing.assert_array_equal(mask, np.kron(masked, np.ones((2, 2))))
    assert name.endswith("SCL_20m.jp2")


@pytest.mark.parametrize(("level", "baseline", "offset"), [("L1C", "0204", 0), ("L2A", "0400", -1000)])
def test_a_missing_mask_is_unknown_not_clear(product, level, baseline, offset):
    opened = open_product(product(level=level, baseline=baseline, scene=scene_of(level=level, offset=offset)))
    mask, name = read_mask(opened, WHOLE)
    assert name is None
    assert (mask == UNKNOWN).all()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ns1:posList", "ns1:posLost"),
        (">465280 ", ">x "),
        (">465280 ", "> "),
        (">465280 ", ">nan "),
        (">465280 5080060 ", ">"),
        (" 465280 5080060<", "<"),
        ("ns1:Polygon", "ns1:Surface"),
        ("ns0:Mask(?=[ >])", "ns0:html"),
    ],
)
def test_a_damaged_mask_is_refused(product, old, new):
    x, y = CORNER["x"], CORNER["y"]
    safe = product(scene=scene_of(clouds=[[(x + 100, y - 200), (x + 400, y - 200), (x + 400, y - 500)]]))
    path = next(safe.glob("GRANULE/*/QI_DATA/*.gml"))
    text = path.read_text()
    assert re.search(old, text)
    path.write_text(re.sub(old, new, text))
    with pytest.raises(TigerbushError, match=r"MSK_CLOUDS_B00\.gml is not a well-formed cloud mask"):
        read_mask(open_product(safe), WHOLE)
