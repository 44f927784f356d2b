"""What earlier runs have made of a product that may be gone."""

import json
import zipfile

import numpy as np

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
    """Windows, scenes and copies, no placeholders; without these the composites that the product is in."""
    results = tmp_path / "results"
    assert made_of(A, results) == []
    raster(results / "here" / "products" / f"{A}.tif", "failed")
    raster(results / "here" / "products" / f"{B}.tif")
    copy = results / "downloads" / f"{A}.zip"
    copy.parent.mkdir()
    copy.write_bytes(b"cut")
    assert made_of(A, results) == []
    # of its two neighbours in time; of another site
    lineages = {
        "2016-12-16": [A], "2017-01-16": [B], "2017-02-15": [A], "2017-03-16": [A], "2017-04-16": [A],
    }  # fmt: skip
    for date, products in lineages.items():
        lineage = json.dumps({"products": products, "left_out": {}, "failed": {A: "x"}})
        raster(results / "here" / date / "composite.tif", **{LINEAGE: lineage})
    assert made_of(A, results) == [results / "here" / "2016-12-16" / "composite.tif"]
    lineage = json.dumps({"products": [], "left_out": {A: "cloud"}, "failed": {}})
    there = raster(results / "there" / "2017-01-01" / "composite.tif", **{LINEAGE: lineage})
    assert there in made_of(A, results)
    there.write_bytes(b"cut")
    assert made_of(A, results) == [results / "here" / "2016-12-16" / "composite.tif"]
    image = raster(results / "there" / "products" / f"{A}.tif")
    scenes = [
        raster(results / "scenes" / place / f"{A}.tif")
        for place in ("", "33TVL/2017-01-10", "33TVL/2017-01-11")
    ]
    with zipfile.ZipFile(copy, "w") as archive:
        archive.writestr("x", b"x")
    assert made_of(A, results) == [image, *scenes[:2], copy]
    with zipfile.ZipFile(copy, "w") as archive:
        archive.writestr(FAILED, b"x")
    assert made_of(A, results) == [image, *scenes[:2]]
