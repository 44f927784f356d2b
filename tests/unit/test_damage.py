"""Results that were cut, emptied or changed after they were finished."""

import json
import re
import zipfile

import cv2
import numpy as np
import pytest

from fabricate import ROOT
from tigerbush.cli.__main__ import main
from tigerbush.cli.damage import damaged_results
from tigerbush.grid import Grid
from tigerbush.raster import Raster, write_raster

PAGE = "<html><body>tiger bush</body></html>\n"
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg"><g/></svg>'


@pytest.fixture
def results(tmp_path):
    """One finished result of each kind."""
    folder = tmp_path / "results"
    site, date = folder / "here", folder / "here" / "2017-01-16"
    date.mkdir(parents=True)
    random = np.random.default_rng(0)
    image = Raster(
        random.random((2, 700, 700), np.float32), Grid(465180, 5080260, 10, 700, 700), 32633, ("a", "b"), -1
    )
    write_raster(date / "composite.tif", image)
    (date / "ndvi.json").write_text(json.dumps([{"ndvi": 0.5, "name": "é"}] * 20, ensure_ascii=False))
    cv2.imwrite(str(date / "rgb.png"), random.integers(0, 255, (50, 60, 3), np.uint8))
    cv2.imwrite(str(date / "ndvi.png"), random.integers(0, 255, (50, 60), np.uint8))
    cv2.imwrite(str(site / "map.webp"), random.integers(0, 255, (50, 60, 3), np.uint8))
    with zipfile.ZipFile(date / "subimages.zip", "w") as archive:
        archive.writestr("a.png", random.bytes(4000))
    (site / "missing.tsv").write_text("site\tdate\nhere\t2017-01-16\n")
    (site / "series.csv").write_text("date,ndvi\n2017-01-16,0.5\n")
    (site / "report.html").write_text(PAGE)
    (site / "series.svg").write_text(DRAWING)
    (site / "series.parquet").write_bytes(b"PAR1" + random.bytes(80) + b"PAR1")
    (folder / "products_checked.txt").write_text("0 failed\n")
    return folder


FILES = [
    "here/2017-01-16/composite.tif", "here/2017-01-16/ndvi.json", "here/2017-01-16/ndvi.png", "here/2017-01-16/rgb.png",
    "here/2017-01-16/subimages.zip", "here/map.webp", "here/missing.tsv", "here/report.html", "here/series.csv",
    "here/series.parquet", "here/series.svg", "products_checked.txt",
]  # fmt: skip


def test_finished_results_are_whole(results):
    assert [str(path.relative_to(results)) for path in sorted(results.rglob("*")) if path.is_file()] == FILES
    assert damaged_results(results) == {}
    assert damaged_results(results / "nowhere") == {}


@pytest.mark.parametrize("name", FILES)
def test_cut_and_empty_results(results, name):
    path = results / name
    content = path.read_bytes()
    cuts = {
        0,
        1,
        7,
        len(content) // 3,
        len(content) // 2,
        len(content) - 300,
        len(content) - 20,
        len(content) - 5,
    }
    for length in sorted(cut for cut in cuts if 0 <= cut < len(content)):
        if path.suffix in (".tsv", ".csv", ".txt") and content[:length].endswith(b"\n"):
            continue
        path.write_bytes(content[:length])
        damaged = damaged_results(results)
        assert list(damaged) == [path], length
        assert damaged[path].isprintable() and 0 < len(damaged[path]) <= 200
        if length == 0:
            assert damaged[path] == "it is empty"
    path.write_bytes(content)
    assert damaged_results(results) == {}


@pytest.mark.parametrize("name", ["here/2017-01-16/rgb.png", "here/2017-01-16/subimages.zip"])
def test_changed_bytes_of_files_with_checksums(results, name):
    path = results / name
    content = path.read_bytes()
    for position in range(40, len(content) - 120, len(content) // 7):
        path.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
        assert list(damaged_results(results)) == [path], position


def test_blocks_of_a_geotiff_in_its_middle(results):
    """The file has its size and its directory, which is at its beginning."""
    path = results / FILES[0]
    content = path.read_bytes()
    path.write_bytes(content[:500_000] + bytes(60_000) + content[560_000:])
    assert list(damaged_results(results)) == [path]


@pytest.mark.parametrize("text", ["{", "[1, 2", "nonsense", "\xff", '{"a": NaN'])
def test_json_that_is_none(results, text):
    path = results / "here/2017-01-16/ndvi.json"
    path.write_bytes(text.encode("latin-1"))
    assert list(damaged_results(results)) == [path]


def test_what_is_no_result_is_not_opened(results):
    for name in (".unfinished.tif", "notes.md", "here/.x.part/a.bin"):
        (results / name).parent.mkdir(exist_ok=True)
        (results / name).write_bytes(b"")
    (results / "folder.tif").mkdir()
    (results / "gone.json").symlink_to(results / "missing")
    assert damaged_results(results) == {}


def test_doctor_names_each_damaged_result(results, capsys, monkeypatch):
    monkeypatch.chdir(results.parent)
    assert main(["doctor", "--results"]) == 0
    assert capsys.readouterr().out == "ok      results         every result in results can be read\n"
    for name in FILES[:2]:
        (results / name).write_bytes(b"")
    assert main(["doctor", "--results", "--directory", str(results.parent)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"failed  results         {results / FILES[0]}: it is empty",
        f"failed  results         {results / FILES[1]}: it is empty",
        f"failed  results         2 damaged; what makes them again is not known: {results.parent} has no "
        f"config/config.yaml; name your configuration with --configfile, or start in {ROOT}.",
    ]
    assert main(["doctor", "--results", "--directory", str(results)]) == 1
    assert re.fullmatch(
        r"failed  results +.*/results/results does not exist; run the workflow, or name its --directory\n",
        capsys.readouterr().out,
    )
