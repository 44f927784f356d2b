"""./tigerbush centrality: which pixels of an image are its network, by threshold, nodata, transparency and band."""

import warnings

import numpy as np
import pytest

from small_images import random_image, write_csv, write_png, write_tiff
from tigerbush.centrality import feature_vector
from tigerbush.cli.centrality.command import NEUTRAL


@pytest.mark.parametrize("high", [1, 255])
def test_the_higher_of_two_values(tmp_path, measure, high):
    image = random_image(4, high=high)
    record, _, _ = measure(write_png(tmp_path / "a.png", image))
    assert record["threshold"] == high
    assert record["feature_vec"] == feature_vector(image == high).tolist()


def test_below_takes_the_lower_of_two_values(tmp_path, measure):
    image = random_image(5)
    record, _, _ = measure(write_png(tmp_path / "a.png", image), "--below")
    assert (record["threshold"], record["below"]) == (255.0, True)
    assert record["feature_vec"] == feature_vector(image == 0).tolist()


def test_threshold_includes_its_own_value(tmp_path, measure):
    path = write_csv(tmp_path / "a.csv", np.array([[1.0, 2.0, 3.0]]))
    assert [row["column"] for row in measure(path, "--threshold", 2)[1]] == ["1", "2"]
    assert [row["column"] for row in measure(path, "--threshold", 2, "--below")[1]] == ["0"]
    assert len(measure(path, "--threshold", "-0.5")[1]) == 3


def test_threshold_of_float32_is_the_written_number(tmp_path, measure):
    values = np.array([[0.1, 0.7, 0.9]])
    paths = write_csv(tmp_path / "a.csv", values), write_tiff(tmp_path / "a.tif", values.astype(np.float32))
    for path in paths:
        assert [row["column"] for row in measure(path, "--threshold", 0.7)[1]] == ["1", "2"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert measure(paths[1], "--threshold", 1e39)[1] == []  # beyond float32


@pytest.mark.parametrize("options", [("--threshold", 10), ("--threshold", 0, "--below")])
def test_no_signal_gives_zeros(tmp_path, measure, options):
    record, rows, picture = measure(write_png(tmp_path / "a.png", np.zeros((3, 4), np.uint8)), *options)
    assert record["feature_vec"] == [0.0] * 20
    assert (record["signal_pixels"], record["mean"], rows) == (0, 0.0, [])
    assert (picture == NEUTRAL).all()
    for method in ("exact", "networkx"):
        path = tmp_path / "a.png"
        assert measure(path, *options, "--method", method)[0]["feature_vec"] == [0.0] * 20


def test_all_signal(tmp_path, measure):
    record, rows, _ = measure(write_png(tmp_path / "a.png", np.zeros((3, 4), np.uint8)), "--threshold", 0)
    assert record["signal_pixels"] == len(rows) == 12
    assert record["feature_vec"] == feature_vector(np.ones((3, 4))).tolist()


def test_geotiff_nodata_is_no_signal(tmp_path, measure):
    path = write_tiff(tmp_path / "a.tif", np.array([[0, 255, 127], [255, 255, 0]], np.uint8), nodata=127)
    record, rows, _ = measure(path)
    assert (record["threshold"], len(rows)) == (255.0, 3)
    assert len(measure(path, "--threshold", 100)[1]) == 3
    assert len(measure(path, "--threshold", 200, "--below")[1]) == 2


def test_nan_and_infinity_are_no_signal(tmp_path, measure):
    values = np.array([[0.0, np.nan, 1.0, np.inf, -np.inf]], np.float32)
    for path in (
        write_tiff(tmp_path / "a.tif", values),
        write_tiff(tmp_path / "b.tif", values, nodata=np.nan),
        write_csv(tmp_path / "a.csv", values),
    ):
        assert [row["column"] for row in measure(path)[1]] == ["2"]
        assert [row["column"] for row in measure(path, "--below")[1]] == ["0"]
        for file in (tmp_path / "output").iterdir():
            file.unlink()


def test_band(tmp_path, measure):
    images = random_image(6), random_image(7)
    path = write_tiff(tmp_path / "a.tif", *images)
    for number, options in ((1, ()), (1, ("--band", 1)), (2, ("--band", 2))):
        record, _, _ = measure(path, *options)
        assert record["band"] == number
        assert record["feature_vec"] == feature_vector(images[number - 1]).tolist()


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("0,,1\n", ["2"]),
        ("0,nan, \n1,NaN,1\n", ["0", "2"]),
        ("0\t\t1\n1\t0\t", ["2", "0"]),
        ("\ufeff0;1;1\r\n", ["1", "2"]),
        ("  0.000e+00   1.0 \n\n", ["1"]),
        ("1,0,\n", ["0"]),
    ],
)
def test_csv_dialects_and_empty_cells(tmp_path, measure, text, columns):
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    assert [row["column"] for row in measure(path)[1]] == columns


def test_colour_png_with_equal_channels_is_grey(tmp_path, measure):
    image = random_image(8)
    expected = feature_vector(image).tolist()
    assert measure(write_png(tmp_path / "a.png", np.dstack([image] * 3)))[0]["feature_vec"] == expected


def test_transparent_pixels_are_no_signal(tmp_path, measure):
    grey = np.array([[0, 255, 255, 9]], np.uint8)
    rgba = np.dstack([grey, grey, grey, np.array([[255, 0, 1, 0]], np.uint8)])
    rgba[0, 3, 0] = 200  # a colour that is not visible
    assert [row["column"] for row in measure(write_png(tmp_path / "a.png", rgba))[1]] == ["2"]


def test_channel_of_a_colour_png(tmp_path, measure):
    rgb = np.dstack([random_image(seed) for seed in (1, 2, 3)])
    path = write_png(tmp_path / "a.png", rgb)
    for band in (1, 2, 3):
        record, _, _ = measure(path, "--band", band)
        assert record["feature_vec"] == feature_vector(rgb[..., band - 1]).tolist()


def test_png_of_16_bits(tmp_path, measure):
    image = np.array([[1000, 40000, 65535]], np.uint16)
    record, rows, _ = measure(write_png(tmp_path / "a.png", image), "--threshold", 40000)
    assert (record["threshold"], len(rows)) == (40000.0, 2)
