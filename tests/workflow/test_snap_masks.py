"""Scenes with the masks of SNAP 14: the masks are fetched, and results without them are made again."""

import zipfile

import numpy as np
import pytest

from fabricate import name_of, scene_of, write_product
from runs import BASE, Run
from tigerbush.raster import read_raster

pytestmark = pytest.mark.workflow
NAME = name_of("20170110", baseline="0400")


def copied_masks(run):
    names = zipfile.ZipFile(run.folder / "results" / "downloads" / f"{NAME}.zip").namelist()
    return [name[-14:-4] for name in names if "QI_DATA" in name]


def scene_of_run(run):
    return read_raster(run.folder / "results" / "scenes" / f"{NAME}.tif").data


def test_masks_are_fetched_when_they_are_wanted(tmp_path):
    footprint = np.full((126, 126), 5, np.uint8)
    footprint[:, :31] = 0
    scene = scene_of(offset=-1000, footprints={"B2": footprint})
    write_product(tmp_path / "work" / "products", NAME, scene)
    config = BASE | {"source": {"path": "products", "access": "storage"}, "scene": {"bands": ["B2", "B8A"]}}
    run = Run(tmp_path / "work", config)
    run.snakemake("scenes")
    assert copied_masks(run) == []
    before = scene_of_run(run)
    np.testing.assert_array_equal(before[0], scene.bands["B2"][::2, ::2])
    np.testing.assert_array_equal(before[1], scene.bands["B8A"])
    # a configuration that names the default makes nothing again
    run.configure(config | {"scene": config["scene"] | {"snap_masks": False}})
    assert "Nothing to be done" in run.snakemake("scenes")
    run.configure(config | {"scene": config["scene"] | {"snap_masks": True}})
    run.snakemake("scenes")
    assert copied_masks(run) == ["DETFOO_B02", "DETFOO_B8A", "QUALIT_B02", "QUALIT_B8A"]
    expected = before[0].copy()
    # columns whose first pixel no detector observed
    expected[:, :16] = 0
    np.testing.assert_array_equal(scene_of_run(run), [expected, before[1]])
    # and back
    run.configure(config)
    run.snakemake("scenes")
    np.testing.assert_array_equal(scene_of_run(run), before)
