"""A second sensor is a folder of the library beside the first, and needs nothing else."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from checkouts import LIBRARY, copy_checkout
from runs import SUMMARIES, Run
from tigerbush.centrality import feature_vector
from tigerbush.files import write_json

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("kept")]

TOY = Path(__file__).parents[1] / "standins" / "toy"
# the middle of the product: 2 x 2 sub-images of 10 pixels
SITE = ("here", 14.5685, 45.8685, 0.0095)
CONFIG = {
    "sites": "sites.tsv",
    "period": {"start": "2017-01-01", "end": "2017-04-01", "step": "1m"},
    "source": {"kind": "local", "path": "products"},
    "composite": {"resolution": 50},
    "scene": {"resolution": 50, "bands": ["infrared"]},
    "subimages": {"size": 10},
}
SIDE, X, Y = 60, 465_000, 5_081_000
PROFILE = {
    "driver": "GTiff",
    "width": SIDE,
    "height": SIDE,
    "count": 1,
    "crs": "EPSG:32633",
    "transform": rasterio.Affine(50, 0, X, 0, -50, Y),
}


def write_toy(folder, day, seed, cloud=()):
    """Write a product of noise, and return its DN; `cloud` are the masked rows."""
    random = np.random.default_rng(seed)
    low = {"green": 2000, "red": 2500, "infrared": 3000}
    dn = {band: random.integers(start, 6000, (SIDE, SIDE), dtype=np.uint16) for band, start in low.items()}
    quality = np.zeros((SIDE, SIDE), np.uint8)
    # snow counts as ground by default
    quality[:, ::7] = 2
    quality[list(cloud)] |= 1
    safe = folder / f"TOY1_{day}_A.toy"
    safe.mkdir(parents=True)
    for name, data in {**dn, "quality": quality}.items():
        with rasterio.open(safe / f"{name}.tif", "w", dtype=data.dtype, **PROFILE) as image:
            image.write(data, 1)
    write_json(
        safe / "about.json",
        {"x": X, "y": Y, "width": SIDE, "height": SIDE, "cloud_percent": 100 * len(cloud) / SIDE},
    )
    return dn, quality & 1 == 0


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A finished run of a checkout with the toy sensor, and its products."""
    folder = tmp_path_factory.mktemp("toy")
    checkout = copy_checkout(folder / "checkout", "workflow", "config", "profiles")
    shutil.copytree(TOY, checkout / LIBRARY / "toy")
    run = Run(folder / "work", CONFIG, [SITE])
    products = {
        day: write_toy(run.folder / "products", day, seed, cloud)
        for seed, (day, cloud) in enumerate([("20170110", ()), ("20170120", range(20, 32)), ("20170210", ())])
    }
    # products that do not reach the site, or cannot be read
    shutil.copytree(
        run.folder / "products" / "TOY1_20170110_A.toy", run.folder / "products" / "TOY1_20170111_B.toy"
    )
    shutil.copytree(
        run.folder / "products" / "TOY1_20170210_A.toy", run.folder / "products" / "TOY1_20170212_A.toy"
    )
    (run.folder / "products" / "TOY1_20170212_A.toy" / "red.tif").unlink()
    snakefile = checkout / "workflow" / "Snakefile"
    output = run.snakemake(SUMMARIES, "scenes", status=1, snakefile=snakefile)
    assert "TOY1_20170212_A" in output
    return run, products


def image(run, name):
    with rasterio.open(run.folder / "results" / "here" / name) as file:
        return file.read(), file.descriptions, file.transform


def test_a_composite_is_the_median_of_the_pixels_that_its_own_mask_leaves(toy):
    run, products = toy
    data, names, place = image(run, "2017-01-16/composite.tif")
    assert names == ("green", "red", "infrared", "n_obs") and place.a == 50 and data.shape == (4, 20, 20)
    row, column = round((Y - place.f) / 50), round((place.c - X) / 50)
    window = slice(row, row + 20), slice(column, column + 20)
    (first, _), (second, clear) = products["20170110"], products["20170120"]
    np.testing.assert_array_equal(data[3], 1 + clear[window])
    for number, band in enumerate(("green", "red", "infrared")):
        both = np.where(clear, (first[band].astype(float) + second[band]) / 2, first[band])[window]
        np.testing.assert_allclose(data[number], both / 20_000 - 0.05, rtol=1e-6)


def test_ndvi_and_rgb_use_the_bands_by_their_order(toy):
    run, products = toy
    data, _, place = image(run, "2017-02-15/ndvi.tif")
    row, column = round((Y - place.f) / 50), round((place.c - X) / 50)
    window = slice(row, row + 20), slice(column, column + 20)
    red, infrared = (products["20170210"][0][band][window] / 20_000 - 0.05 for band in ("red", "infrared"))
    # reflectances are stored as float32
    np.testing.assert_allclose(data[0], (infrared - red) / (infrared + red), atol=1e-7)
    with rasterio.open(run.folder / "results" / "here" / "2017-02-15" / "rgb.png") as picture:
        pixels = picture.read()
    # infrared, red, green
    composite = image(run, "2017-02-15/composite.tif")[0].astype(float) * 10_000
    most = composite[:3].max()
    np.testing.assert_array_equal(pixels, np.floor(composite[2::-1] * 255 / (most + 1)).astype(np.uint8))


def test_the_summary_has_the_measures_and_the_failed_products(toy):
    run, _ = toy
    summary = run.summary()
    reason = "products/TOY1_20170212_A.toy: the file of band red is missing; restore it."
    assert summary["metadata"]["failed_products"] == {"TOY1_20170212_A": reason}
    assert {day: made["products"] for day, made in summary["metadata"]["products"].items()} == {
        "2017-01-16": ["TOY1_20170110_A", "TOY1_20170120_A"],
        "2017-02-15": ["TOY1_20170210_A"],
        "2017-03-16": [],
    }
    missing = (run.folder / "results" / "here" / "missing.tsv").read_text().splitlines()[1:]
    assert missing[0].split("\t") == ["here", "2017-02-15", "TOY1_20170212_A", "red", "", reason]
    data, _, _ = image(run, "2017-02-15/ndvi.tif")
    records = summary["COPERNICUS/S2"]["time-series-data"]["2017-02-15"]
    # columns outer, rows inner
    parts = [data[0, row : row + 10, column : column + 10] for column in (0, 10) for row in (0, 10)]
    np.testing.assert_allclose(
        [record["ndvi_mean"] for record in records], [part.mean() for part in parts], rtol=1e-6
    )
    bare = [feature_vector(signal) for signal in bare_ground(run, "2017-02-15")]
    assert [record["feature_vec"] for record in records] == [list(vector) for vector in bare]


def bare_ground(run, day):
    """Bare ground in a black/white image, per sub-image."""
    with rasterio.open(run.folder / "results" / "here" / day / "bwndvi.png") as picture:
        white = picture.read(1) == 255
    return [white[row : row + 10, column : column + 10] for column in (0, 10) for row in (0, 10)]


def test_scenes_are_those_of_the_toy(toy):
    run, products = toy
    with rasterio.open(run.folder / "results" / "scenes" / "TOY1_20170120_A.tif") as scene:
        np.testing.assert_array_equal(scene.read(1), products["20170120"][0]["infrared"])
        assert (scene.scales, scene.offsets, scene.nodata) == ((1 / 20_000,), (-0.05,), 0)
