"""What earlier runs have made of a product that may be gone."""

import json
import zipfile

import numpy as np
import pytest

from bundles import write_index
from fabricate import name_of
from tigerbush.grid import Grid
from tigerbush.placeholder import FAILED
from tigerbush.raster import LINEAGE, STATUS, Raster, write_raster
from tigerbush.runs.made_of import made_of

A, B = (name_of(day) for day in ("20170110", "20170120"))


def raster(path, status="ok", **tags):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((1, 4, 4), np.float32)
    image = Raster(pixels, Grid(0, 0, 10, 4, 4), 32633, ("B4",), nodata=np.nan, tags={STATUS: status} | tags)
    write_raster(path, image)
    return path


def test_what_was_made_of_a_product(tmp_path):
    """Windows, scenes, those of ranks, and copies; no placeholders and no damaged files."""
    results = tmp_path / "results"
    assert made_of(A, results) == []
    write_index(results / "windows" / A / "0.zip", here="failed")
    write_index(results / "windows" / B / "0.zip", here="ok")
    copy = results / "downloads" / f"{A}.zip"
    copy.parent.mkdir()
    copy.write_bytes(b"cut")
    (results / "downloads" / A).mkdir()
    (results / "downloads" / A / "0.json").write_bytes(b"cut")
    assert made_of(A, results) == []
    write_index(results / "windows" / A / "1.zip", there="ok", outside="outside")
    write_index(results / "downloads" / A / "1.zip", there="ok", outside="failed")
    windows = [
        results / name for name in (f"windows/{A}/outside", f"windows/{A}/there", f"downloads/{A}/there")
    ]
    places = ("", "33TVL/2017-01-10", "33TVL/2017-01-11", "../scenes_mpi/0123456789abcdef")
    scenes = [raster((results / "scenes" / place / f"{A}.tif").resolve()) for place in places]
    with zipfile.ZipFile(copy, "w") as archive:
        archive.writestr("x", b"x")
    assert made_of(A, results) == [*windows, *scenes[:2], scenes[3], copy]
    with zipfile.ZipFile(copy, "w") as archive:
        archive.writestr(FAILED, b"x")
    assert made_of(A, results) == [*windows, *scenes[:2], scenes[3]]


LINEAGES = {
    "products": {"products": [A], "left_out": {}, "failed": {}},
    "left out": {"products": [B], "left_out": {A: "cloud"}, "failed": {}},
    "failed": {"products": [B], "left_out": {}, "failed": {A: "x"}},
    "another": {"products": [B], "left_out": {}, "failed": {}},
}


@pytest.mark.parametrize("source", ["composite.tif", "summary.json", "ndvi.json", None])
@pytest.mark.parametrize("lineage", LINEAGES)
def test_the_dates_that_a_product_is_in(tmp_path, lineage, source):
    """Users delete images to free disk space: the summary of a date tells as well, and in doubt it counts."""
    results, content = tmp_path / "results", json.dumps(LINEAGES[lineage])
    folder = results / "here" / "2017-01-16"
    folder.mkdir(parents=True)
    if source == "composite.tif":
        raster(folder / source, **{LINEAGE: content})
        (folder / "summary.json").write_text("{}")
    elif source:
        (folder / source).write_text(f'{{"lineage": {content}}}')
    counts = source == "ndvi.json" or (source is not None and lineage in ("products", "left out"))
    assert made_of(A, results) == [folder] * counts


def test_dates_far_from_a_product_do_not_count(tmp_path):
    """Of the two nearest of each site."""
    results = tmp_path / "results"
    for date in ("2016-12-16", "2017-01-16", "2017-02-15", "2017-03-16", "2017-13-99"):
        (results / "here" / date).mkdir(parents=True)
        (results / "here" / date / "ndvi.json").write_text("{}")
    names = [path.name for path in made_of(A, results)]
    assert names == ["2017-01-16", "2016-12-16"]
