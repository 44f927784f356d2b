"""The real products of ../shared/data through the workflow."""

import json
import subprocess

import numpy as np
import pytest

from fabricate import ROOT
from runs import SUMMARIES
from test_summary import read_as_pyveg
from tigerbush.raster import PRODUCT, STATUS, read_raster
from tigerbush.sentinel2.safe import open_product

# in one worker, so that runs are made once
pytestmark = [pytest.mark.workflow, pytest.mark.data, pytest.mark.xdist_group("real")]

# 2 x 2 sub-images of 50 pixels in the 102 x 102 pixels of the L1C products
SITE = ("ljubljana", 14.5579, 45.8704, 0.009)
COVER = {"max_cloud_percent": 100}


def configured(start_run, folder, path, start="2015-07-01", end="2017-04-01", **changes):
    return start_run(
        folder,
        {
            "sites": "sites.tsv",
            "period": {"start": start, "end": end, "step": "1m"},
            "source": {"path": str(path)},
            "composite": COVER,
        }
        | changes,
        [SITE],
    )


@pytest.fixture(scope="module")
def series(shared_data, start_run, tmp_path_factory):
    """The 36 products of l1c_series, all of them used."""
    run = configured(start_run, tmp_path_factory.mktemp("series"), shared_data / "sentinel2" / "l1c_series")
    run.snakemake()
    return run


def test_the_series_reaches_the_summary(series):
    summary = series.summary("ljubljana")
    points = summary["COPERNICUS/S2"]["time-series-data"]
    assert len(points) == 21
    assert sum(point is not None for point in points.values()) == 18
    assert all(len(point) == 4 for point in points.values() if point)
    used = [name for date in summary["metadata"]["products"].values() for name in date["products"]]
    assert len(used) == len(set(used)) == 36
    assert set(summary["metadata"]["missing"].values()) == {"no product in the period"}
    december = summary["metadata"]["products"]["2015-12-16"]
    assert december["n_takes"] == len(december["products"]) == 4  # two of them on the 8th
    assert all(
        len(date.get("unmasked", [])) == len(date["products"])
        for date in summary["metadata"]["products"].values()
    )
    frames = read_as_pyveg(summary)
    assert len(frames["COPERNICUS/S2"]) == 18 * 4 + 3
    assert "Nothing to be done" in series.snakemake()


def test_the_series_is_too_short_for_early_warning_except_as_pyveg(series):
    folder = series.folder / "results" / "ljubljana"
    analysis = json.loads((folder / "analysis" / "analysis.json").read_text())
    assert analysis["early_warning"]["refused"].startswith("18 dates have data")
    assert analysis["spatial"]["morans_i"]["values"][0] > 0.5
    arguments = ("--output", "pyveg", "--configfile", "config.yaml", "--config", "analysis={mode: pyveg}")
    output = series.tigerbush("analyse", str(folder / "results_summary.json"), *arguments)
    assert "18 of 21 dates have data" in output
    pyveg = json.loads((series.folder / "pyveg" / "analysis.json").read_text())["early_warning"]
    assert pyveg["refused"] is None
    assert -1 <= pyveg["indicators"]["ndvi"]["ar1"]["tau"] <= 1
    assert -1 <= pyveg["indicators"]["offset50"]["variance"]["tau"] <= 1


def test_ndvi_of_every_product_is_the_truth(series, shared_data):
    truth = np.load(shared_data / "sentinel2" / "l1c_series" / "truth.npz")
    compared = 0
    for name, expected in zip(truth["product"], truth["ndvi"], strict=True):
        product = str(name).removesuffix(".SAFE")
        image, _ = series.window(product, "ljubljana")
        assert (image.tags[STATUS], image.tags[PRODUCT]) == ("ok", product)
        # the truth covers rows from 1 and columns up to 100 of the products' 102 x 102 pixels
        column, row = round((image.grid.x - 465180) / 10), round((5080260 - image.grid.y) / 10)
        red, nir = (image.band(band).astype(np.float64) for band in ("B4", "B8"))
        with np.errstate(invalid="ignore"):
            ndvi = (nir - red) / (nir + red)
        known = np.full((102, 102), np.nan)
        known[1:, :100] = expected
        known = known[row : row + 100, column : column + 100]
        both = np.isfinite(ndvi) & np.isfinite(known)
        assert np.abs(ndvi - known)[both].max() <= 1.3e-7
        compared += both.sum()
    assert compared >= 36 * 98 * 99


def test_the_composite_is_the_median_of_its_products(series):
    summary = series.summary("ljubljana")
    folder = series.folder / "results" / "ljubljana"
    for date, lineage in summary["metadata"]["products"].items():
        if not lineage["products"]:
            continue
        stack = [series.window(name, "ljubljana")[0].data for name in lineage["products"]]
        assert all(image.all() for image in stack)
        expected = np.float32(np.median(np.stack(stack).astype(float), axis=0) * 1e-4)
        np.testing.assert_array_equal(read_raster(folder / date / "composite.tif").data[:4], expected)


def test_a_month_under_the_cloud_limit(series, shared_data, start_run, tmp_path):
    """13 of the 18 months have a product with less than 50 % cloud."""
    path = shared_data / "sentinel2" / "l1c_series"
    run = configured(start_run, tmp_path, path, composite={"max_cloud_percent": 50})
    run.tigerbush("discover", "--configfile", "config.yaml")
    assert run.planned()["composite_date"] == 13


@pytest.fixture(scope="module")
def five_dates(shared_data, start_run, tmp_path_factory):
    runs = []
    for name in ("l1c_5dates", "l1c_5dates_offset"):
        path = shared_data / "sentinel2" / name
        run = configured(start_run, tmp_path_factory.mktemp(name), path, end="2015-10-01")
        run.snakemake(SUMMARIES, "scenes")
        runs.append(run)
    return runs


def test_the_offset_changes_nothing_but_the_stored_dn(five_dates):
    plain, shifted = (run.folder / "results" / "ljubljana" for run in five_dates)
    products = sorted(path.name for path in (plain.parent / "windows").iterdir())
    assert len(products) == 5
    for name in products:
        unshifted, shifted_image = (
            run.window(product, "ljubljana")[0]
            for run, product in zip(five_dates, (name, name.replace("N0204", "N0500")), strict=True)
        )
        np.testing.assert_array_equal(unshifted.data.astype(int), shifted_image.data.astype(int) - 1000)
        assert (unshifted.offset, shifted_image.offset) == ((0.0,) * 4, (-0.1,) * 4)
    dates = sorted(path.parent.name for path in plain.glob("*/composite.tif"))
    assert len(dates) == 3
    for date in dates:
        unshifted, shifted_image = (
            read_raster(folder / date / "composite.tif") for folder in (plain, shifted)
        )
        np.testing.assert_array_equal(unshifted.data, shifted_image.data)
        for name in ("ndvi.json", "centrality.json", "ndvi.png", "bwndvi.png", "rgb.png"):
            assert (plain / date / name).read_bytes() == (shifted / date / name).read_bytes()


def test_a_scene_is_every_second_pixel(five_dates, shared_data):
    run = five_dates[0]
    scenes = sorted((run.folder / "results" / "scenes").glob("*.tif"))
    assert len(scenes) == 5
    for path in scenes:
        scene = read_raster(path)
        product = open_product(shared_data / "sentinel2" / "l1c_5dates" / f"{path.stem}.SAFE")
        assert scene.bands == ("B2", "B3", "B4")
        for band, data in zip(scene.bands, scene.data, strict=True):
            full = product.read_band(band, product.grids[10])
            assert full.any()
            np.testing.assert_array_equal(data, full[::2, ::2])


def test_lost_pixels_are_no_data_not_vegetation(shared_data, start_run, tmp_path):
    path = shared_data / "sentinel2" / "l1c_partial"
    run = configured(start_run, tmp_path, path, start="2016-12-01", end="2017-03-01")
    run.snakemake(SUMMARIES)
    folder = run.folder / "results" / "ljubljana"
    fractions = []
    for date in ("2016-12-16", "2017-01-16", "2017-02-15"):
        composite, ndvi = (
            read_raster(folder / date / "composite.tif"),
            read_raster(folder / date / "ndvi.tif"),
        )
        lost = composite.band("n_obs") == 0
        fractions.append(lost.mean())
        assert np.isnan(composite.data[:4, lost]).all()
        assert np.isnan(ndvi.data[0][lost]).all()
        # no sub-image with 5 % of lost pixels is used
        for record in json.loads((folder / date / "ndvi.json").read_text()):
            assert ("unused" in record) == (record["masked_fraction"] >= 0.05)
            assert "unused" in record or record["ndvi_mean"] > 0
    assert 0.2 < fractions[0] < 0.3  # 24 % of December is lost
    assert 0.7 < fractions[2] < 0.8


def test_level_2a_with_its_scene_classification(shared_data, start_run, tmp_path):
    path = shared_data / "sentinel2" / "l2a_cropped"
    product = open_product(next(path.glob("*.SAFE")))
    grid = product.grids[10]
    # the centre of the crop, in degrees
    import utm

    latitude, longitude = utm.to_latlon(
        grid.x + grid.width * 5, grid.y - grid.height * 5, product.epsg % 100, northern=True
    )
    run = start_run(
        tmp_path,
        {
            "sites": "sites.tsv",
            "period": {"start": "2022-10-01", "end": "2022-11-01", "step": "1m"},
            "source": {"path": str(path)},
            "composite": COVER,
        },
        [("crop", longitude, latitude, 0.02)],
    )
    run.snakemake(SUMMARIES)
    [point] = run.summary("crop")["COPERNICUS/S2"]["time-series-data"].values()
    assert len(point) == 16
    lineage = run.summary("crop")["metadata"]["products"]["2022-10-16"]
    assert lineage["unmasked"] == []
    _, image = run.window(lineage["products"][0], "crop")
    assert image.tags["TIGERBUSH_MASK"].endswith("_SCL_20m.jp2")
    assert not image.data.any()  # classes 4, 5, 6 only


def test_the_shared_data_is_not_in_the_project():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not [name for name in tracked.splitlines() if name.endswith((".jp2", ".npz", ".grib", ".nc"))]
