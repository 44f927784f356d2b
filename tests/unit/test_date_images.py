"""The images of a date as they are read to measure its sub-images."""

import numpy as np
import pytest

from tigerbush.grid import Grid
from tigerbush.images import encode_png
from tigerbush.raster import Raster, write_raster
from tigerbush.site import Site
from tigerbush.sites.date import read_date

HEIGHT, WIDTH = 45, 43
SITE = Site(14.5579, 45.8704, 0.0036, size=20, resolution=10)
RANDOM = np.random.default_rng(1)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two by two sub-images of 20 pixels, with 8, 24, 20 and 0 masked pixels, and 5, 0, 21 and 19 black ones."""
    folder = tmp_path_factory.mktemp("date")
    ndvi = RANDOM.uniform(-0.2, 0.8, (HEIGHT, WIDTH)).astype(np.float32)
    rgb = RANDOM.integers(1, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    split = np.where(RANDOM.random((HEIGHT, WIDTH)) < 0.4, 0, 255).astype(np.uint8)
    for corner, masked, black in (((0, 0), 8, 5), ((20, 0), 24, 0), ((0, 20), 20, 21), ((20, 20), 0, 19)):
        for image, number, value in ((ndvi, masked, np.nan), (rgb, black, 0)):
            rows, columns = np.divmod(np.arange(number), 20)
            image[corner[0] + rows, corner[1] + columns] = value
    raster = Raster(ndvi[None], Grid(465_000, 5_080_000, 10, WIDTH, HEIGHT), 32633, ("NDVI",), np.nan)
    write_raster(folder / "ndvi.tif", raster)
    (folder / "split.png").write_bytes(encode_png(split))
    (folder / "rgb.png").write_bytes(encode_png(rgb))
    return {"ndvi": ndvi, "split": split, "rgb": rgb, "folder": folder}


def read(files, mode="default", share=0.05, limit=None):
    folder = files["folder"]
    return read_date(
        folder / "ndvi.tif",
        folder / "split.png",
        folder / "rgb.png",
        site=SITE,
        max_masked_fraction=share,
        limit=limit,
        mode=mode,
    )


def test_images_are_those_of_the_files(files):
    date = read(files)
    np.testing.assert_array_equal(date.ndvi, files["ndvi"])
    np.testing.assert_array_equal(date.black_white, files["split"])
    np.testing.assert_array_equal(date.rgb, files["rgb"])
    np.testing.assert_array_equal(date.covered.ground, ~np.isnan(files["ndvi"]))


@pytest.mark.parametrize(
    ("options", "used"),
    [
        # by columns: 8, 24, 20, 0 of 400 are masked; 5, 0, 21, 19 are black
        ({}, [0, 3]),
        ({"share": 0.051}, [0, 2, 3]),
        ({"share": 0.07}, [0, 1, 2, 3]),
        ({"share": 0.07, "limit": 3}, [0, 1, 2]),
        ({"mode": "pyveg"}, [0, 1, 3]),
        ({"mode": "pyveg", "limit": 2}, [0, 1]),
    ],
)
def test_sub_images_that_are_used(files, options, used):
    date = read(files, **options)
    lost = [5, 0, 21, 19] if options.get("mode") else [8, 24, 20, 0]
    assert [fraction for _, fraction, _ in date.examined] == [number / 400 for number in lost]
    corners = [(part.rows, part.columns) for part, _ in date.parts]
    places = [
        (slice(20 * (i % 2), 20 * (i % 2) + 20), slice(20 * (i // 2), 20 * (i // 2) + 20)) for i in range(4)
    ]
    assert corners == [places[i] for i in used]
    assert [fraction for _, fraction in date.parts] == [lost[i] / 400 for i in used]
    assert [i for i, (_, _, reason) in enumerate(date.examined) if not reason] == used


def test_the_centres_of_mode_pyveg_divide_the_square_in_degrees(files):
    centres = [(part.longitude, part.latitude) for part, _, _ in read(files, "pyveg").examined]
    west, east, north, south = 14.5579 - 0.0009, 14.5579 + 0.0009, 45.8704 + 0.0009, 45.8704 - 0.0009
    assert centres == [(round(x, 4), round(y, 4)) for x in (west, east) for y in (north, south)]
    assert [(part.longitude, part.latitude) for part, _, _ in read(files).examined] != centres
