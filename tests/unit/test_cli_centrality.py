"""`./tigerbush centrality`: one image in; numbers, table and picture out, or one sentence."""

import json
import math
import subprocess

import numpy as np
import pytest

from fabricate import ROOT
from small_images import random_image, write_csv, write_png, write_tiff
from tigerbush.centrality import euler_characteristics, feature_vector, metrics, subgraph_centrality
from tigerbush.cli.__main__ import main
from tigerbush.cli.centrality import command as module
from tigerbush.cli.centrality.command import NEUTRAL, quantiles_of
from tigerbush.version import __version__

METRICS = ("slope", "offset", "offset50", "mean", "std", "feature_vec")
# ends of viridis in OpenCV, RGB
YELLOW, VIOLET = (253, 231, 37), (68, 1, 84)


def test_two_pixels_by_hand(tmp_path, measure):
    image = np.array([[255, 255, 0]], np.uint8)
    record, rows, picture = measure(write_png(tmp_path / "a.png", image), "--quantiles", 2)
    # exp of [[0, 1], [1, 0]] has cosh(1) on its diagonal; no pixel, then one pixel and no edge
    assert record == {
        "image": "a.png",
        "width": 3,
        "height": 1,
        "band": 1,
        "signal_pixels": 2,
        "threshold": 255.0,
        "below": False,
        "neighbours": 4,
        "quantiles": 2,
        "method": "exact",
        "software": {"name": "tigerbush", "version": __version__},
        "slope": 0.5,
        "offset": 1.0,
        "offset50": 0.0,
        "mean": 0.5,
        "std": 0.5,
        "feature_vec": [0.0, 1.0],
    }
    assert [(row["row"], row["column"], row["quantile"]) for row in rows] == [
        ("0", "0", "0"),
        ("0", "1", "1"),
    ]
    assert [float(row["centrality"]) for row in rows] == pytest.approx([math.cosh(1)] * 2, rel=1e-15)
    assert [tuple(pixel) for pixel in picture[0].tolist()] == [YELLOW, VIOLET, NEUTRAL]


def test_three_pixels_in_a_column_by_hand(tmp_path, measure):
    image = np.array([[0, 7], [0, 7], [0, 7]], np.uint8)
    _, rows, picture = measure(write_png(tmp_path / "a.png", image), "--quantiles", 3)
    # eigenvalues 0 and +-sqrt(2)
    middle, end = math.cosh(math.sqrt(2)), (1 + math.cosh(math.sqrt(2))) / 2
    assert [float(row["centrality"]) for row in rows] == pytest.approx([end, middle, end], rel=1e-15)
    assert [(row["row"], row["column"]) for row in rows] == [("0", "1"), ("1", "1"), ("2", "1")]
    assert [row["quantile"] for row in rows] == ["1", "0", "2"]
    assert tuple(picture[1, 1].tolist()) == YELLOW
    assert tuple(picture[2, 1].tolist()) == VIOLET


def test_diagonal_pixels_touch_among_8_neighbours_only(tmp_path, measure):
    path = write_png(tmp_path / "a.png", np.array([[1, 0], [0, 1]], np.uint8))
    _, rows, _ = measure(path)
    assert [float(row["centrality"]) for row in rows] == pytest.approx([1, 1], rel=1e-15)
    record, rows, _ = measure(path, "--neighbours", 8)
    assert [float(row["centrality"]) for row in rows] == pytest.approx([math.cosh(1)] * 2, rel=1e-14)
    assert record["neighbours"] == 8


def test_files_equal_the_functions(tmp_path, measure):
    image = random_image()
    signal = image == 255
    record, rows, picture = measure(write_png(tmp_path / "a.png", image))
    assert {key: record[key] for key in METRICS} == metrics(feature_vector(signal))
    assert record["signal_pixels"] == signal.sum() == len(rows)
    np.testing.assert_array_equal(
        [[int(row["row"]), int(row["column"])] for row in rows], np.argwhere(signal)
    )
    values = subgraph_centrality(signal)
    np.testing.assert_array_equal([float(row["centrality"]) for row in rows], values)
    quantile = quantiles_of(values, 20)
    np.testing.assert_array_equal([int(row["quantile"]) for row in rows], quantile)
    assert picture.shape == (*image.shape, 3)
    assert (picture[~signal] == NEUTRAL).all()
    colours = {i: {tuple(pixel) for pixel in picture[signal][quantile == i].tolist()} for i in range(20)}
    assert all(len(fills) == 1 for fills in colours.values())
    assert len(set.union(*colours.values())) == 20
    assert NEUTRAL not in set.union(*colours.values())


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_png_tiff_and_csv_give_the_same(tmp_path, measure):
    image = random_image(1)
    paths = [
        write_png(tmp_path / "a.png", image),
        write_tiff(tmp_path / "a.tif", image),
        write_tiff(tmp_path / "A.TIFF", image.astype(np.float32), crs=None, transform=None),
        *(
            write_csv(tmp_path / f"a{i}.csv", image, mark)
            for i, mark in enumerate((",", ";", "\t", " ", ", "))
        ),
    ]
    results = []
    for path in paths:
        record, rows, picture = measure(path)
        assert record.pop("image") == path.name
        results.append((record, rows, picture.tolist()))
        for file in (tmp_path / "output").iterdir():
            file.unlink()
    assert all(result == results[0] for result in results)


def test_networkx(tmp_path, measure):
    image = random_image(2, (9, 9))
    path = write_png(tmp_path / "a.png", image)
    record, rows, _ = measure(path, "--method", "networkx")
    assert record["method"] == "networkx"
    assert record["feature_vec"] == feature_vector(image == 255, method="networkx").tolist()
    values = [float(row["centrality"]) for row in rows]
    np.testing.assert_allclose(values, subgraph_centrality(image == 255), rtol=1e-12)


def test_large_image(tmp_path, measure):
    image = np.where(np.random.default_rng(3).random((1000, 1000)) < 0.05, 255, 0).astype(np.uint8)
    record, rows, picture = measure(write_png(tmp_path / "a.png", image))
    assert record["feature_vec"] == feature_vector(image == 255).tolist()
    assert len(rows) == record["signal_pixels"] > 10_000
    assert picture.shape == (1000, 1000, 3)


def test_printed_table(tmp_path, capsys):
    path = write_png(tmp_path / "a.png", np.array([[255, 255, 0]], np.uint8))
    assert main(["centrality", str(path), "--quantiles", "3", "--output", str(tmp_path / "o")]) == 0
    assert capsys.readouterr().out == (
        "pixels       3 x 1\n"
        "signal       2 pixels >= 255\n"
        "neighbours   4\n"
        "slope        0.3333\n"
        "offset       1\n"
        "offset50     0\n"
        "mean         0.6667\n"
        "std          0.4714\n"
        "feature_vec  0 1 1\n"
        f"written      {tmp_path}/o/a_centrality.json\n"
        f"             {tmp_path}/o/a_centrality.csv\n"
        f"             {tmp_path}/o/a_centrality.png\n"
    )


def test_results_go_to_the_current_folder_by_default(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    path = write_png(tmp_path / "in" / "a.b.png", random_image())
    monkeypatch.chdir(tmp_path / "out")
    assert main(["centrality", str(path)]) == 0
    names = [f"a.b_centrality.{kind}" for kind in ("csv", "json", "png")]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == names
    assert [file.name for file in (tmp_path / "in").iterdir()] == ["a.b.png"]


@pytest.mark.parametrize("name", ["..png", "...png", "a\nb.png", "-a.png", "%s {x} ü.png", "\udcff.png"])
def test_odd_names_stay_in_the_output_folder(tmp_path, measure, name):
    plain = write_png(tmp_path / "plain.png", random_image())
    (tmp_path / "in").mkdir()
    path = plain.rename(tmp_path / "in" / name)
    before = {file for file in tmp_path.rglob("*") if file != tmp_path / "output"}
    measure(path)
    after = {file for file in tmp_path.rglob("*") if not file.is_relative_to(tmp_path / "output")}
    assert after == before


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("quantiles", [2, 3, 7, 20, 500])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (13, 17)])
def test_quantiles_are_those_of_the_feature_vector(shape, quantiles, neighbours):
    signal = random_image(9, shape) == 255
    values = subgraph_centrality(signal, neighbours)
    quantile = quantiles_of(values, quantiles)
    vector = euler_characteristics(signal, values, neighbours, quantiles)
    pixels = np.argwhere(signal)
    for i in range(quantiles):
        chosen = pixels[quantile < i]
        distance = np.abs(chosen[:, None] - chosen)
        reach = distance.sum(axis=2) if neighbours == 4 else distance.max(axis=2, initial=0)
        assert vector[i] == len(chosen) - np.count_nonzero(reach == 1) // 2


def test_quantile_limits_round_half_to_even_and_ties_are_row_major():
    # 5 pixels in 2 quantiles: round(2.5) = 2
    assert quantiles_of([1, 3, 2, 3, 3], 2).tolist() == [1, 0, 1, 0, 1]
    assert quantiles_of([], 3).tolist() == []
    # 1 pixel in 4: the limits are round(0, 0.25, 0.5, 0.75, 1) = 0, 0, 0, 1, 1
    assert quantiles_of([1.0], 4).tolist() == [2]


def test_the_script(tmp_path):
    write_png(tmp_path / "a.png", np.array([[255, 255, 0]], np.uint8))
    command = [ROOT / "tigerbush", "centrality"]
    completed = subprocess.run(
        [*command, "a.png", "--output", "deep/folder"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stderr == ""
    assert "signal       2 pixels >= 255\n" in completed.stdout
    assert len(list((tmp_path / "deep" / "folder").iterdir())) == 3
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    failed = subprocess.run([*command, "a.tif"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("tigerbush: a.tif cannot be read as a TIFF image")
    assert failed.stderr.count("\n") == 1


def test_help_is_the_docstring(capsys):
    with pytest.raises(SystemExit) as end:
        main(["centrality", "--help"])
    assert end.value.code == 0
    assert module.__doc__.strip() in capsys.readouterr().out


@pytest.mark.data
def test_sub_image_equals_pyveg(shared_data, measure):
    folder = shared_data / "pyveg" / "subimages_2018-03-01"
    path = folder / "sub103_11.550_27.930_BWNDVI.png"
    _, first, second, _ = path.stem.split("_")
    # pyveg's names have the coordinates the other way round than its records
    place = {float(first), float(second)}
    records = json.loads((folder / "network_centralities.json").read_text())
    (expected,) = (record for record in records if {record["latitude"], record["longitude"]} == place)
    measured, _, _ = measure(path)
    assert measured["threshold"] == 255.0
    for key in ("feature_vec", "mean", "slope", "offset", "offset50"):
        assert measured[key] == expected[key]
    assert measured["std"] == pytest.approx(expected["std"], abs=1e-9)
