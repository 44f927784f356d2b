"""Cloud masks in corner cases: disc and corner, touched pixels, kinds of polygons, choice of file."""

import shutil

import numpy as np
import pytest
import rasterio

from fabricate import CORNER, scene_of
from tigerbush import masks
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.masks import MaskOptions, mask_method
from tigerbush.sentinel2.masks import read_mask
from tigerbush.sentinel2.safe import open_product

SMALL = CORNER | {"width": 24, "height": 18}  # 4 x 3 pixels of 60 m
WHOLE = Grid(CORNER["x"], CORNER["y"], 10, 24, 18)


def test_values_of_masks_are_those_in_files():
    assert (masks.CLEAR, masks.MASKED, masks.UNKNOWN, masks.MASK_NODATA) == (0, 1, 2, 255)
    assert MaskOptions() == MaskOptions(cirrus=True, snow=False, buffer=0)
    assert mask_method(60, WHOLE) == "Nearest"


@pytest.mark.parametrize("buffer", [1, 2, 3, 8])
def test_the_buffer_at_the_borders_of_the_image(product, buffer):
    """A disc around each masked pixel includes those at exactly the radius, and does not wrap around the border."""
    classi = np.zeros((3, 3, 4), np.uint8)
    classi[0, 0, 0] = classi[1, 2, 2] = 1
    safe = product(baseline="0400", scene=scene_of(offset=-1000, place=SMALL, classi=classi))
    mask, _ = read_mask(open_product(safe), WHOLE, MaskOptions(buffer=buffer))
    clouds = [(y, x) for y in range(6) for x in range(6)] + [
        (y, x) for y in range(12, 18) for x in range(12, 18)
    ]
    expected = [
        [any((y - row) ** 2 + (x - column) ** 2 <= buffer**2 for row, column in clouds) for x in range(24)]
        for y in range(18)
    ]
    np.testing.assert_array_equal(mask, np.array(expected, np.uint8))


def polygons(product, rings, **options):
    safe = product(scene=scene_of(place=SMALL, clouds=rings), **options)
    return safe, next(safe.glob("GRANULE/*/QI_DATA/*.gml"))


def ring(left, top, right, bottom):
    """A ring in metres east and south of the corner."""
    x, y = CORNER["x"], CORNER["y"]
    return [(x + left, y - top), (x + right, y - top), (x + right, y - bottom), (x + left, y - bottom)]


def test_polygons_mask_every_pixel_they_touch(product):
    safe, _ = polygons(product, [ring(17, 26, 52, 43), ring(201, 121, 204, 124)])
    expected = np.zeros((18, 24), np.uint8)
    expected[2:5, 1:6] = expected[12, 20] = 1
    np.testing.assert_array_equal(read_mask(open_product(safe), WHOLE)[0], expected)
    # on pixels of 20 m, in a window
    window = Grid(WHOLE.x + 40, WHOLE.y - 20, 20, 9, 6)
    expected = np.zeros((6, 9), np.uint8)
    expected[0:2, 0] = expected[5, 8] = 1
    np.testing.assert_array_equal(read_mask(open_product(safe), window)[0], expected)


def edited(path, *changes):
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text)


def test_only_cirrus_polygons_are_optional(product):
    safe, path = polygons(product, [ring(0, 0, 30, 30), ring(100, 100, 130, 130)])
    edited(path, (">OPAQUE<", "> CIRRUS\n<"))
    first, second = np.zeros((18, 24), bool), np.zeros((18, 24), bool)
    first[:3, :3], second[10:13, 10:13] = True, True
    both = read_mask(open_product(safe), WHOLE)[0]
    assert both[:3, :3].all() and both[10:13, 10:13].all()
    opaque = read_mask(open_product(safe), WHOLE, MaskOptions(cirrus=False))[0]
    assert not opaque[:3, :3].any() and opaque[10:13, 10:13].all()
    # one of unknown kind is a cloud
    edited(path, ("> CIRRUS\n<", "><"))
    assert read_mask(open_product(safe), WHOLE, MaskOptions(cirrus=False))[0][:3, :3].all()


def test_positions_with_three_coordinates(product):
    safe, path = polygons(product, [ring(2, 2, 28, 28)])
    x, y = CORNER["x"], CORNER["y"]
    west, east, north, south = x + 2, x + 28, y - 2, y - 28
    flat = f"{west} {north} {east} {north} {east} {south} {west} {south} {west} {north}"
    solid = f"{west} {north} 7 {east} {north} 8 {east} {south} 9 {west} {south} 9 {west} {north} 7"
    before = read_mask(open_product(safe), WHOLE)[0]
    edited(path, (flat, solid), ('srsDimension="2"', 'srsDimension="3"'))
    np.testing.assert_array_equal(read_mask(open_product(safe), WHOLE)[0], before)
    assert before.sum() == before[:3, :3].sum() == 9
    # two coordinates by default
    edited(path, (solid, flat), (' srsDimension="3"', ""))
    np.testing.assert_array_equal(read_mask(open_product(safe), WHOLE)[0], before)


@pytest.mark.parametrize(
    ("positions", "dimension", "reason"),
    [
        ("0 0 30 0 0 0", 2, "a posList is not a closed ring"),
        ("0 0 30 0 30 30 0 30", 2, "a posList is not a closed ring"),
        ("0 0 30 0 30 30 0 0 5", 2, "a posList is not a list of positions"),
        ("0 0 30 0 30 30 0 0", 1, "a posList is not a list of positions"),
        ("0 0 30 0 30 inf 0 0", 2, "a posList is not a list of positions"),
        ("", 2, "could not convert string to float: ''"),
    ],
)
def test_invalid_rings(product, positions, dimension, reason):
    safe, path = polygons(product, [ring(0, 0, 30, 30)])
    text = path.read_text()
    start = text.index("srsDimension")
    end = text.index("</", start)
    path.write_text(f'{text[:start]}srsDimension="{dimension}">{positions}{text[end:]}')
    with pytest.raises(TigerbushError) as error:
        read_mask(open_product(safe), WHOLE)
    assert str(error.value) == (
        f"{path} is not a well-formed cloud mask ({reason}); report this product, or delete its line from the table of products to leave it out."
    )


def test_a_triangle_is_a_ring(product):
    safe, path = polygons(product, [ring(2, 2, 28, 28)])
    x, y = CORNER["x"], CORNER["y"]
    edited(path, (f" {x + 28} {y - 28} ", " "))
    mask, _ = read_mask(open_product(safe), WHOLE)
    np.testing.assert_array_equal(mask[:4, :4], [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0] * 4])
    assert not mask[4:].any() and not mask[:, 4:].any()


def test_a_mask_file_that_is_too_large_is_not_read(product, monkeypatch):
    safe, path = polygons(product, [ring(0, 0, 30, 30)])
    size = path.stat().st_size
    monkeypatch.setattr("tigerbush.sentinel2.masks.MAX_XML_BYTES", size)
    assert read_mask(open_product(safe), WHOLE)[0].any()
    monkeypatch.setattr("tigerbush.sentinel2.masks.MAX_XML_BYTES", size - 1)
    with pytest.raises(TigerbushError) as error:
        read_mask(open_product(safe), WHOLE)
    assert str(error.value) == (
        f"{path} has {size} bytes, more than any Sentinel-2 cloud mask; report this product, or delete its line from the table of products to leave it out."
    )


def test_which_file_is_the_mask(product):
    """An image takes precedence over polygons, and 20 m over 60 m; names may be prefixed with the product's."""
    classi = np.zeros((3, 3, 4), np.uint8)
    safe = product(baseline="0400", scene=scene_of(offset=-1000, place=SMALL, classi=classi, clouds=[]))
    granule = next(safe.glob("GRANULE/*"))

    def chosen():
        name, resolution = open_product(safe).mask_file()
        return name and name.rpartition("/")[2], resolution

    assert chosen() == ("MSK_CLASSI_B00.jp2", 60)
    (granule / "QI_DATA" / "MSK_CLASSI_B00.jp2").unlink()
    assert chosen() == ("MSK_CLOUDS_B00.gml", None)
    older = "S2A_OPER_MSK_CLOUDS_SGS__20160101T000000_A000001_T33TVL_B00_MSIL1C.gml"
    (granule / "QI_DATA" / "MSK_CLOUDS_B00.gml").rename(granule / "QI_DATA" / older)
    assert chosen() == (older, None)
    (granule / "QI_DATA" / older).unlink()
    assert chosen() == (None, None)


def test_which_scene_classification_is_the_mask(product):
    scl = np.full((9, 12), 4, np.uint8)
    scl[:3, :3] = 9
    safe = product(
        level="L2A", baseline="0400", scene=scene_of(level="L2A", offset=-1000, place=SMALL, scl=scl)
    )
    fine = next(safe.glob("GRANULE/*/IMG_DATA/R20m/*_SCL_20m.jp2"))
    coarse = fine.parents[1] / "R60m" / fine.name.replace("20m", "60m")
    coarse.parent.mkdir(exist_ok=True)
    profile = {"driver": "JP2OpenJPEG", "width": 4, "height": 3, "count": 1, "dtype": "uint8", "quality": 100}
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(60, 0, CORNER["x"], 0, -60, CORNER["y"])}
    with rasterio.open(coarse, "w", reversible="YES", **profile, **place) as out:
        out.write(np.array([[[4, 4, 4, 4], [4, 4, 4, 4], [4, 4, 4, 8]]], np.uint8))
    mask, name = read_mask(open_product(safe), WHOLE)
    assert name.endswith("_SCL_20m.jp2")
    assert np.argwhere(mask).max(axis=0).tolist() == [5, 5]
    fine.unlink()
    mask, name = read_mask(open_product(safe), WHOLE)
    assert name.endswith("_SCL_60m.jp2") and open_product(safe).mask_file() == (name, 60)
    expected = np.zeros((18, 24), np.uint8)
    expected[12:, 18:] = 1
    np.testing.assert_array_equal(mask, expected)


def test_a_mask_of_one_band_is_refused(product):
    classi = np.zeros((3, 3, 4), np.uint8)
    safe = product(baseline="0400", scene=scene_of(offset=-1000, place=SMALL, classi=classi))
    path = next(safe.glob("GRANULE/*/QI_DATA/MSK_CLASSI_B00.jp2"))
    band = next(safe.glob("GRANULE/*/IMG_DATA/*_B01.jp2"))
    shutil.copy(band, path)
    with pytest.raises(TigerbushError) as error:
        read_mask(open_product(safe), WHOLE)
    assert (
        str(error.value)
        == f"{path} has 1 bands, expected 3; report this product, or delete its line from the table of products to leave it out."
    )


def test_the_method_for_a_mask():
    methods = {resolution: mask_method(20, Grid(0, 0, resolution, 3, 3)) for resolution in (10, 20, 21, 60)}
    assert methods == {10: "Nearest", 20: "Nearest", 21: "First", 60: "First"}
