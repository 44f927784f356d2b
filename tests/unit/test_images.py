"""The images of a date against values computed by hand and OpenCV."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.images import (
    BARE,
    MASKED_GREY,
    VEGETATION,
    black_white,
    encode_png,
    grey_ndvi,
    ndvi,
    read_png,
    render,
    rgb,
)
from tigerbush.raster import Raster


def test_ndvi():
    nir = np.array([[3000, 0, -1, np.nan, 0, 5]])
    red = np.array([[1000, 2000, 10, 1, 0, -5]])
    np.testing.assert_array_equal(ndvi(nir, red), np.float32([[0.5, -1, np.nan, np.nan, np.nan, np.nan]]))


def test_ndvi_of_unsigned_numbers_does_not_wrap():
    assert ndvi(np.array([[1000]], np.uint16), np.array([[3000]], np.uint16)) == -0.5


def test_grey_ndvi_truncates_clips_and_fills():
    index = np.array([[-1, 0, 1, 0.5, -1.5, 1.5, np.nan]])
    assert grey_ndvi(index).tolist() == [[0, 127, 255, 191, 0, 255, MASKED_GREY]]


def test_rgb_scales_by_the_common_maximum():
    red, green, blue = (np.array([[value, value / 2]]) for value in (999.0, 99.0, -10.0))
    image = rgb(red, green, blue)
    # int(999 * 255 / 1000) = 254, int(499.5 * 255 / 1000) = 127, int(99 * 255 / 1000) = 25
    assert image.tolist() == [[[254, 25, 0], [127, 12, 0]]]


def test_rgb_of_masked_pixels_is_black():
    masked = np.full((2, 2), np.nan)
    assert not rgb(masked, masked, masked).any()


def test_rgb_of_large_dn_does_not_overflow():
    band = np.array([[40000, 20000]], np.uint16)
    assert rgb(band, band, band)[0, :, 0].tolist() == [254, 127]


@pytest.mark.parametrize("shape", [(100, 100), (101, 77), (850, 850)])
def test_black_white_is_opencv_as_pyveg_called_it(shape):
    grey = np.random.default_rng(1).integers(90, 200, shape).astype(np.uint8)
    equalised = cv2.createCLAHE(2.0, (11, 11)).apply(grey)
    threshold = cv2.adaptiveThreshold(
        equalised, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 51, -5
    )
    expected = cv2.medianBlur(threshold, 3)
    result = black_white(grey)
    np.testing.assert_array_equal(result, expected)
    assert set(np.unique(result)) == {0, 255}


def test_black_white_threshold_by_hand():
    """Bare where grey <= local mean + 5, on the equalised image."""
    grey = np.random.default_rng(2).integers(0, 255, (60, 60)).astype(np.uint8)
    equalised = cv2.createCLAHE(2.0, (11, 11)).apply(grey).astype(float)
    padded = np.pad(equalised, 25, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (51, 51))
    bare = equalised <= np.rint(windows.mean(axis=(2, 3))) + 5
    filtered = (
        np.lib.stride_tricks.sliding_window_view(np.pad(bare, 1, mode="edge"), (3, 3)).sum(axis=(2, 3)) >= 5
    )
    np.testing.assert_array_equal(black_white(grey), np.where(filtered, BARE, VEGETATION))


@pytest.mark.parametrize("value", [0, 127, 255])
def test_black_white_of_one_grey_is_all_bare(value):
    assert (black_white(np.full((100, 100), value, np.uint8)) == BARE).all()


def composite(nir, red):
    green = np.full_like(red, 0.1)
    data = np.stack([green, green, red, nir, np.ones_like(red)]).astype(np.float32)
    return Raster(data, Grid(0, 0, 10, *red.shape[::-1]), 32633, ("B2", "B3", "B4", "B8", "n_obs"), np.nan)


def test_render_marks_masked_pixels():
    random = np.random.default_rng(3)
    nir, red = random.uniform(0.1, 0.5, (2, 100, 100))
    nir[10:20, 10:20] = np.nan
    images = render(composite(nir, red))
    masked = np.isnan(images.ndvi.data[0])
    assert masked.sum() == 100
    assert (images.black_white[masked] == MASKED_GREY).all()
    assert set(np.unique(images.black_white[~masked])) == {BARE, VEGETATION}
    assert (images.grey[masked] == MASKED_GREY).all()


def test_ndvi_is_described_as_its_composite():
    random = np.random.default_rng(4)
    nir, red = random.uniform(0.1, 0.5, (2, 40, 60))
    made = replace(composite(nir, red), tags={"A": "x"}, grid=Grid(20, 300, 10, 60, 40), epsg=32733)
    ndvi = render(made).ndvi
    assert (ndvi.grid, ndvi.epsg, ndvi.tags) == (made.grid, 32733, {"A": "x"})
    assert (ndvi.bands, ndvi.units, ndvi.scale, ndvi.offset) == (("NDVI",), ("1",), (), ())
    assert np.isnan(ndvi.nodata)
    nir, red = (made.band(name).astype(float) for name in ("B8", "B4"))
    np.testing.assert_allclose(ndvi.data, [(nir - red) / (nir + red)], rtol=1e-6)


def test_rgb_has_the_red_green_and_blue_of_the_composite():
    """In DN: 0.1 is 1000, and the maximum of the three bands is 3000."""
    data = np.array([0.1, 0.2, 0.3, 0.4, 1], np.float32)[:, None, None] * np.ones((5, 12, 14), np.float32)
    made = Raster(data, Grid(0, 0, 10, 14, 12), 32633, ("B2", "B3", "B4", "B8", "n_obs"), np.nan)
    image = render(made).rgb
    assert image.shape == (12, 14, 3)
    assert {tuple(colour) for colour in image.reshape(-1, 3).tolist()} == {
        (int(3000 * 255 / 3001), int(2000 * 255 / 3001), int(1000 * 255 / 3001))
    }


def test_the_one_of_the_formula_is_one_dn():
    """With a maximum of 4 DN: 4 * 255 / 5 = 204, and 1 * 255 / 5 = 51."""
    data = np.array([0.0001, 0.0001, 0.0004, 0.4], np.float32)[:, None, None] * np.ones(
        (4, 12, 14), np.float32
    )
    made = Raster(data, Grid(0, 0, 10, 14, 12), 32633, ("B2", "B3", "B4", "B8"), np.nan)
    assert {tuple(colour) for colour in render(made).rgb.reshape(-1, 3).tolist()} == {(204, 51, 51)}


def test_png_round_trip(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    (tmp_path / "a.png").write_bytes(encode_png(grey))
    np.testing.assert_array_equal(read_png(tmp_path / "a.png"), grey)
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 200
    (tmp_path / "b.png").write_bytes(encode_png(red))
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "b.png"))[..., ::-1], red)


def test_read_png_names_the_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not an image")
    with pytest.raises(TigerbushError, match=r"a\.png cannot be read as an image"):
        read_png(tmp_path / "a.png")
