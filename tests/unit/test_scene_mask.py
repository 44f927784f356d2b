"""The cloud mask of a whole product: on the grid of its scene, with documented values."""

import json
from dataclasses import replace

import numpy as np
import pytest

from fabricate import CORNER, name_of
from tigerbush.errors import KeptError
from tigerbush.masks import MaskOptions
from tigerbush.placeholder import failed_outputs, kept_results, record_path
from tigerbush.planning.fingerprints import mask_parameters
from tigerbush.raster import CODESTREAM, PRODUCT, REASON, STATUS, read_raster
from tigerbush.scenes.mask import SceneMaskOptions, make_mask, write_mask
from tigerbush.scenes.ranks import process_products, tasks_of
from tigerbush.scenes.scene import SceneOptions, write_scene

L2A = {"level": "L2A", "baseline": "0500"}
# of 63 x 63 pixels of 20 m: cloud, its shadow, cirrus, snow, water, vegetation
CLOUD, SHADOW, CIRRUS, SNOW, WATER, VEGETATION = 9, 3, 10, 11, 6, 4


@pytest.fixture
def classified(product):
    """A product of L2A, of which each class covers some rows."""
    scl = np.full((63, 63), VEGETATION, np.uint8)
    for row, number in ((3, CLOUD), (10, SHADOW), (20, CIRRUS), (30, SNOW), (40, WATER)):
        scl[row, 5:60] = number
    return product(**L2A, offset=-1000, scl=scl)


def mask_of(path, tmp_path, **options):
    target = tmp_path / "mask.tif"
    write_mask(path, target, SceneMaskOptions(**{"resolution": 20} | options))
    return read_raster(target)


def rows_of(mask):
    """The rows with masked pixels."""
    return [row for row, line in enumerate(mask.data[0]) if (line == 1).any()]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, [3, 10, 20]),
        ({"cirrus": False}, [3, 10]),
        ({"cirrus": False, "snow": True}, [3, 10, 30]),
        ({"buffer": 2}, [1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 18, 19, 20, 21, 22]),
    ],
)
def test_values(classified, tmp_path, options, rows):
    mask = mask_of(classified, tmp_path, masks=MaskOptions(**options))
    assert (mask.data.dtype, mask.data.shape, mask.nodata) == (np.uint8, (1, 63, 63), 255)
    assert set(np.unique(mask.data)) == {0, 1}
    assert rows_of(mask) == rows
    if "buffer" not in options:
        assert np.array_equal(np.flatnonzero(mask.data[0, 3] == 1), np.arange(5, 60))
    assert json.loads(mask.tags["TIGERBUSH_MASK_VALUES"]) == {"0": "clear", "1": "masked", "2": "unknown"}
    assert mask.tags["TIGERBUSH_MASK"].endswith("_SCL_20m.jp2")
    assert (mask.tags[STATUS], mask.tags[CODESTREAM], mask.bands) == ("ok", "unchecked", ("mask",))
    assert mask.tags[PRODUCT] == classified.name.removesuffix(".SAFE")


@pytest.mark.parametrize(
    "place",
    [
        {"resolution": 10},
        {"resolution": 60},
        {"region": [7, 1, 31, 12]},
        # clipped at the edge, as the scene is
        {"region": [40, 17, 100, 100]},
        {"resolution": 10, "region": [13, 5, 25, 27]},
        {"geo_region": "POLYGON((14.556 45.867, 14.562 45.867, 14.562 45.871, 14.556 45.867))"},
    ],
)
def test_it_lies_on_the_grid_of_the_scene(classified, tmp_path, place):
    """And a part of it is the part of the whole: clouds outside are dilated into it."""
    scene = tmp_path / "scene.tif"
    options = SceneOptions(**{"bands": ["B2"], "resolution": 20} | place)
    write_scene(classified, scene, options)
    masks = MaskOptions(buffer=4)
    part = mask_of(classified, tmp_path, **place, masks=masks)
    assert (part.grid, part.epsg) == (read_raster(scene).grid, 32633)
    whole = mask_of(classified, tmp_path, resolution=options.resolution, masks=masks)
    column, row, width, height = whole.grid.pixels(part.grid)
    expected = whole.data[:, row : row + height, column : column + width]
    np.testing.assert_array_equal(part.data, expected)
    assert (part.data == 1).any()


def test_a_product_without_a_mask_is_unknown(product, tmp_path):
    mask = mask_of(product(), tmp_path)
    assert set(np.unique(mask.data)) == {2}
    assert mask.tags["TIGERBUSH_MASK"] == "none"


def test_cloud_polygons(product, tmp_path):
    """Every pixel that a polygon touches."""
    x, y = CORNER["x"], CORNER["y"]
    ring = [(x + 205, y - 15), (x + 295, y - 15), (x + 295, y - 95), (x + 205, y - 95)]
    mask = mask_of(product(clouds=[ring]), tmp_path)
    expected = np.zeros((63, 63), np.uint8)
    expected[0:5, 10:15] = 1
    np.testing.assert_array_equal(mask.data[0], expected)


def damage(safe):
    for path in safe.glob("GRANULE/*/IMG_DATA/R20m/*_SCL_20m.jp2"):
        path.write_bytes(path.read_bytes()[:200])


def make(path, target, **options):
    make_mask(
        path, target, name_of(**L2A), SceneMaskOptions(**{"resolution": 20} | options), last_attempt=True
    )


def test_a_mask_that_cannot_be_read(classified, tmp_path):
    """A placeholder in its place, never in that of a finished mask; `retry` finds either."""
    target = tmp_path / "results" / "scenes" / f"{name_of(**L2A)}_mask.tif"
    make(classified, target)
    finished = target.read_bytes()
    damage(classified)
    with pytest.raises(KeptError) as error:
        make(classified, target)
    assert target.read_bytes() == finished
    assert record_path(target).name == f"{name_of(**L2A)}_mask.unreadable.json"
    results = tmp_path / "results"
    assert kept_results(results) == {target: error.value.reason}
    target.unlink()
    make(classified, target)
    mask = read_raster(target)
    assert (mask.data.tolist(), mask.tags[STATUS]) == ([[[255]]], "failed")
    assert mask.tags[REASON] == error.value.reason and "SCL" in mask.tags[REASON]
    assert (failed_outputs(results), kept_results(results)) == ([target], {})
    # by tile and date, too
    folder = target.parent / "33TVL" / "2017-01-16"
    folder.mkdir(parents=True)
    target.rename(folder / target.name)
    assert failed_outputs(results) == [folder / target.name]


def test_a_product_that_does_not_reach_the_region(classified, tmp_path):
    target = tmp_path / f"{name_of(**L2A)}_mask.tif"
    elsewhere = "POLYGON((45.86 14.55, 45.87 14.55, 45.87 14.56, 45.86 14.55))"
    make(classified, target, geo_region=elsewhere)
    mask = read_raster(target)
    assert (mask.data.tolist(), mask.tags[STATUS]) == ([[[255]]], "outside")
    make(classified, target)
    with pytest.raises(KeptError, match="the product does not reach the region: "):
        make(classified, target, geo_region=elsewhere)
    assert read_raster(target).tags[STATUS] == "ok"


def test_ranks_write_masks_beside_scenes(classified, product, tmp_path):
    """The same bytes as a job; a failed scene does not stop the mask."""
    config = {
        "scene": {"resolution": 20, "region": [7, 1, 31, 12], "geo_region": None},
        "composite": {"mask_cirrus": False, "mask_snow": True, "mask_buffer": 1},
    }
    parameters = mask_parameters(config)
    scene = {"bands": ["B2", "B10"], "resolution": 20, "region": [7, 1, 31, 12]}
    order = {
        "folder": str(tmp_path / "a"),
        "scene": scene,
        "threads": 1,
        "memory_mb": 1000,
        "last_attempt": True,
    }
    assert list(tasks_of(order | {"masks": None})) == ["scenes"]
    tasks = tasks_of(order | {"masks": {"folder": str(tmp_path / "b"), "mask": parameters}})
    name = name_of(**L2A)
    outcomes = {kind: process_products([name], {name: str(classified)}, task) for kind, task in tasks.items()}
    assert outcomes["scenes"][name]["status"] == "failed"
    assert outcomes["masks"] == {name: {"status": "ok", "reason": ""}}
    options = SceneMaskOptions.of(parameters)
    assert options == SceneMaskOptions(20, [7, 1, 31, 12], None, MaskOptions(False, True, 1))
    write_mask(classified, tmp_path / "job.tif", options)
    assert (tmp_path / "b" / f"{name}.tif").read_bytes() == (tmp_path / "job.tif").read_bytes()
    assert rows_of(mask_of(classified, tmp_path, masks=replace(options.masks, buffer=0))) == [3, 10, 30]
