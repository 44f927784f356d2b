"""The images of a date on disk, and which of its sub-images are used."""

import cv2
import numpy as np
import pytest

from tigerbush.date_images import read_date
from tigerbush.errors import TigerbushError
from tigerbush.grid import place_sub_images
from tigerbush.raster import Raster, write_raster
from tigerbush.resample import Grid

# 3 x 2 sub-images of 4 pixels
GRID, EPSG = Grid(461_080, 1_460_280, 10, 12, 8), 32631
SITE = {"longitude": 2.65, "latitude": 13.2, "region_size": 0.0011, "size": 4}
NAMES = ("ndvi.tif", "bwndvi.png", "rgb.png")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Of the sub-images, from the north, 0 and 3, 4 and 0, 16 and 8 pixels are masked; others are black, or grey, in the RGB."""
    folder = tmp_path_factory.mktemp("date")
    index = np.linspace(-0.5, 0.5, 96, dtype=np.float32).reshape(8, 12)
    index[:1, 4:8] = np.nan
    index[:4, 8:] = np.nan
    index[4, :3] = np.nan
    index[4:6, 8:] = np.nan
    colours = np.arange(96 * 3).reshape(8, 12, 3).astype(np.uint8) % 200 + 1
    colours[:2, :4] = 0
    colours[4:, 4:8] = 9
    split = np.arange(96).reshape(8, 12).astype(np.uint8)
    write_raster(folder / NAMES[0], Raster(index[None], GRID, EPSG, ("NDVI",), np.nan))
    cv2.imwrite(str(folder / NAMES[1]), split)
    cv2.imwrite(str(folder / NAMES[2]), colours[..., ::-1])
    return folder, index, split, colours


def images_of(folder, most, limit, mode="default"):
    return read_date(
        *(folder / name for name in NAMES), site=SITE, max_masked_fraction=most, limit=limit, mode=mode
    )


def test_images_are_those_on_disk(written):
    folder, index, split, colours = written
    date = images_of(folder, 0.2, None)
    assert date.ndvi.dtype == np.float32 and date.black_white.dtype == date.rgb.dtype == np.uint8
    np.testing.assert_array_equal(date.ndvi, index)
    np.testing.assert_array_equal(date.black_white, split)
    np.testing.assert_array_equal(date.rgb, colours)
    np.testing.assert_array_equal(date.covered.lost, np.isnan(index))


@pytest.mark.parametrize(
    ("most", "limit", "used"),
    [
        (0.2, None, [0, 1, 3]),
        (0.25, None, [0, 1, 3]),
        (0.26, None, [0, 1, 2, 3]),
        (0.26, 2, [0, 1]),
        (1, None, [0, 1, 2, 3, 5]),
    ],
)
def test_sub_images_are_used_by_what_is_masked(written, most, limit, used):
    date = images_of(written[0], most, limit)
    masked = [0, 3 / 16, 4 / 16, 0, 1, 8 / 16]
    parts = place_sub_images(GRID, EPSG, SITE, "default")
    assert [part for part, _, _ in date.examined] == parts
    assert [fraction for _, fraction, _ in date.examined] == masked
    assert date.parts == [(parts[i], masked[i]) for i in used]
    assert [bool(reason) for _, _, reason in date.examined] == [i not in used for i in range(6)]


def test_mode_pyveg_looks_at_colours_and_has_its_own_centres(written):
    date = images_of(written[0], 0.6, None, "pyveg")
    parts = place_sub_images(GRID, EPSG, SITE, "pyveg")
    # black pixels are lost; what is all grey is dropped
    assert date.examined == [
        (part, 0.5 if i == 0 else 0, "no coloured pixel (mode: pyveg)" if i == 3 else "")
        for i, part in enumerate(parts)
    ]
    assert date.parts == [(part, 0.5 if i == 0 else 0) for i, part in enumerate(parts) if i != 3]


@pytest.mark.parametrize("name", NAMES)
def test_an_image_that_cannot_be_read_is_named(written, tmp_path, name):
    for one in NAMES:
        (tmp_path / one).write_bytes((written[0] / one).read_bytes() if one != name else b"no image")
    with pytest.raises(TigerbushError, match=name):
        images_of(tmp_path, 0.2, None)
