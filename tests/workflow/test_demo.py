"""The default configuration: the sample, from nothing to the report."""

import re
import shutil
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import ndimage

from runs import SUMMARIES
from tigerbush.files import read_json
from tigerbush.grid import Grid
from tigerbush.images import read_png
from tigerbush.raster import read_raster
from tigerbush.sites.layout import sub_images

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("sample")]

# 4 x 4 sub-images of 50 pixels in the middle of the products
SITE = Grid(461_080, 1_460_280, 10, 200, 200)
WINDOW = np.s_[24:224, 28:228]
ANALYSIS = (
    "analyse_site", "compare_sites", "compare_truth", "plot_site", "map_site", "report_site", "report_sites"
)  # fmt: skip


@pytest.fixture
def place(sample_folder):
    return sample_folder


@pytest.fixture(scope="module")
def finished(sample_run):
    return sample_run


@pytest.fixture(scope="module")
def truth(finished):
    return np.load(finished.folder / "data" / "sample" / "truth.npz")


def test_a_dry_run_on_a_fresh_clone_shows_every_job(place):
    run = place()
    dates = dict.fromkeys(
        ("composite_date", "render_date", "compute_ndvi", "compute_centrality", "summarise_date"), 37
    )
    products = {"resample_product": 42, "subset_product": 42}
    once = dict.fromkeys(("all", "simulate_products", "summarise_site", "check_products", *ANALYSIS), 1)
    assert run.planned() == dates | products | once | {"read_weather": 39}
    records = dict.fromkeys(("simulate_record", "analyse_record", "plot_record", "report_record"), 2)
    assert run.planned("--", "records") == records | {"records": 1}
    assert not (run.folder / "data").exists()


def test_a_second_run_does_nothing(finished):
    assert "100%" in finished.output
    assert "Nothing to be done" in finished.snakemake()


def test_dates_without_data_are_null_for_the_right_reason(finished):
    summary = finished.summary("niger")
    series = summary["COPERNICUS/S2"]["time-series-data"]
    assert len(series) == 39
    assert summary["metadata"]["missing"] == {
        "2020-09-16": "the only product left out: more than 50 % cloud (composite.max_cloud_percent)",
        "2021-05-16": "no product in the period",
        "2022-07-16": "too few clear pixels in every sub-image of the only product",
    }
    assert [day for day, parts in series.items() if parts is None] == list(summary["metadata"]["missing"])
    assert summary["metadata"]["failed_products"] == {}
    assert summary["metadata"]["num_data_points"] == 36
    # the swath ends in the upper-right sub-image, clouds cover more
    assert [len(series[day]) for day in ("2020-01-16", "2020-02-15", "2021-01-16", "2021-09-16")] == [
        15,
        16,
        16,
        8,
    ]


def test_ndvi_of_every_sub_image_is_the_truth(finished, truth):
    """But for the noise of 2500 pixels and the truncation to 8 bits."""
    summary = finished.summary("niger")
    products = list(truth["product"])
    clouds = truth["cloud"].repeat(6, axis=1).repeat(6, axis=2)
    seen = np.where(truth["valid"] & ~clouds, truth["ndvi"], np.nan)
    places = {(part.latitude, part.longitude): part for part in sub_images(SITE, 32631, 50)}
    assert len(places) == 16
    compared = 0
    for day, parts in summary["COPERNICUS/S2"]["time-series-data"].items():
        if not parts:
            continue
        used = [products.index(name) for name in summary["metadata"]["products"][day]["products"]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # pixels without any observation
            expected = np.nanmean(seen[used], axis=0)[WINDOW]
        for record in parts:
            part = places[record["latitude"], record["longitude"]]
            mean = np.nanmean(expected[part.rows, part.columns])
            assert record["ndvi_mean"] == pytest.approx(mean, abs=0.0015), day
            assert record["ndvi"] * 2 / 255 - 1 == pytest.approx(mean, abs=0.008), day
            compared += 1
    assert compared > 500


def test_the_ecosystem_dries_out_and_its_pattern_changes(finished, truth):
    series = finished.summary("niger")["COPERNICUS/S2"]["time-series-data"]
    parts = [records for records in series.values() if records]
    ndvi = [np.mean([part["ndvi_mean"] for part in records]) for records in parts]
    offset = [np.mean([part["offset50"] for part in records]) for records in parts]
    assert np.corrcoef(np.arange(len(ndvi)), ndvi)[0, 1] < -0.9
    assert ndvi[-1] < 0.45 * ndvi[0]
    assert offset[-1] < 1.5 * offset[0] < 0
    # spots instead of labyrinths: less of the ground is vegetation, in more and smaller patches
    first, last = (
        read_png(finished.folder / "results" / "niger" / day / "bwndvi.png") == 0
        for day in ("2020-02-15", "2023-02-15")
    )
    assert last.mean() < 0.6 * first.mean()


@pytest.fixture(scope="module")
def analysis(finished):
    return read_json(finished.folder / "results" / "niger" / "analysis" / "analysis.json")


def test_the_analysis_says_that_the_series_is_too_short(analysis, finished):
    warning = analysis["early_warning"]
    assert analysis["completeness"]["with_data"] == 36
    assert warning["refused"].startswith("36 dates have data, and early warning needs more than 36")
    assert warning["indicators"] == {} and warning["ornstein_uhlenbeck"] == {}
    comparison = read_json(finished.folder / "results" / "analysis" / "sites.json")
    assert comparison["n_tests"] == 0
    assert comparison["rows"][0]["refused"] == warning["refused"]


def test_the_analysis_shows_that_ndvi_falls(analysis, finished, truth):
    ndvi = np.array(analysis["series"]["ndvi"]["mean"], dtype=float)
    assert [gap["start"] for gap in analysis["series"]["ndvi"]["gaps"]] == [
        "2020-09-16",
        "2021-05-16",
        "2022-07-16",
    ]
    assert ndvi[-1] < 0.45 * ndvi[0]
    rows = (finished.folder / "results" / "niger" / "analysis" / "series.csv").read_text().splitlines()
    assert sum('"ndvi","mean"' in row for row in rows) == 36


def plants_of(ndvi):
    """Vegetation by local contrast of 8-bit NDVI, with OpenCV's own functions."""
    grey = ((ndvi.astype(np.float64) + 1) / 2 * 255).astype(np.uint8)
    equal = cv2.createCLAHE(2.0, (11, 11)).apply(grey)
    split = cv2.adaptiveThreshold(equal, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 51, -5)
    return cv2.medianBlur(split, 3) == 0


def test_wavelength_and_patches_are_those_of_the_truth(analysis, finished, truth):
    """The peak of the biomass's radial spectrum, and patches of the NDVI without clouds and noise.

    Sensor noise changes the wavelength by 0.2 %, the number of labyrinths by 2 %, and that of spots, of which it adds
    some, by 15 %.
    """
    products = [str(name) for name in truth["product"]]
    lineage = finished.summary("niger")["metadata"]["products"]
    measured = analysis["spatial"].items()
    spatial = {name: dict(zip(row["dates"], row["values"], strict=True)) for name, row in measured}
    areas = []
    for day, tolerance in (("2020-02-15", 0.03), ("2021-06-16", 0.03), ("2023-02-15", 0.17)):
        place = products.index(lineage[day]["products"][0])
        biomass = truth["biomass"][place][12:112, 14:114].astype(float)
        taper = np.outer(np.hanning(102)[1:-1], np.hanning(102)[1:-1])
        power = np.abs(np.fft.fft2((biomass - biomass.mean()) * taper)).ravel() ** 2
        ring = (
            np.hypot(*np.meshgrid(np.fft.fftfreq(100, 0.01), np.fft.fftfreq(100, 0.01)))
            .round()
            .astype(int)
            .ravel()
        )
        mean = np.bincount(ring, power) / np.bincount(ring)
        best = 4 + mean[4:51].argmax()
        # 100 cells of 20 m
        expected = 2000 / np.average([best - 1, best, best + 1], weights=mean[best - 1 : best + 2])
        assert spatial["wavelength"][day] == pytest.approx(expected, rel=0.004)
        clean = plants_of(truth["ndvi"][place])[WINDOW]
        number = ndimage.label(clean)[1]
        assert spatial["patch_mean_area"][day] == pytest.approx(clean.sum() / number * 100, rel=tolerance)
        areas.append(spatial["patch_mean_area"][day])
    # labyrinths break up into spots
    assert areas[0] > areas[1] > 2 * areas[2]


def test_the_same_seed_gives_the_same_json(finished, place):
    run = place({"period": {"start": "2020-01-01", "end": "2020-04-01"}})
    run.snakemake(SUMMARIES)
    for day in ("2020-01-16", "2020-02-15", "2020-03-16"):
        for name in ("ndvi", "centrality", "weather", "summary"):
            path = Path("results") / "niger" / day / f"{name}.json"
            assert (run.folder / path).read_bytes() == (finished.folder / path).read_bytes(), path


def test_the_sample_through_copies(finished, place):
    """With `source.access: storage`, the simulated products are copied to results/downloads."""
    run = place({"period": {"start": "2020-01-01", "end": "2020-02-01"}, "source": {"access": "storage"}})
    shutil.copytree(finished.folder / "data", run.folder / "data")
    assert run.planned()["download_product"] == 1
    run.snakemake(SUMMARIES)
    assert len(run.summary("niger")["COPERNICUS/S2"]["time-series-data"]["2020-01-16"]) == 15


def test_discovery_of_the_sample_writes_the_tracked_table(finished):
    table = finished.folder / "config" / "sample" / "products.tsv"
    tracked = table.read_text()
    says = [("discover", " 0 new, "), ("discover", " 43 unchanged."), ("retry", "No product of"), ("plan", "products 0")]  # fmt: skip
    assert all(text in finished.tigerbush(name, "--configfile", "config.yaml") for name, text in says)
    assert "Nothing to be done" in finished.snakemake()
    without_size = re.compile(r"\t[0-9]+$", re.MULTILINE)
    assert without_size.sub("", table.read_text()) == without_size.sub("", tracked)
    table.write_text(tracked)


def test_figures_and_maps_are_there_as_png_and_svg(finished):
    analysis = finished.folder / "results" / "niger" / "analysis"
    drawn = {path.name for path in (analysis / "figures").iterdir()}
    names = {
        "series", "completeness", "indicators", "sensitivity", "weather", "recovery", "spatial", "patches",
        "sub_images", "spatial_warning", "truth",
    }  # fmt: skip
    assert drawn == {f"{name}.{form}" for name in names for form in ("png", "svg")}
    mapped = {path.name for path in (analysis / "maps").iterdir()}
    assert mapped == {
        f"{metric}.{form}"
        for metric in ("offset50", "ndvi", "ndvi_veg")
        for form in ("png", "svg", "webp", "tif")
    }
    # a band per date; the upper-right sub-image of the first is outside the swath
    maps = read_raster(analysis / "maps" / "ndvi.tif")
    assert maps.data.shape == (39, 4, 4)
    assert maps.bands[0] == "2020-01-16"
    assert np.isnan(maps.data[0, 0, 3]) and np.isnan(maps.data[0]).sum() == 1
    first = finished.summary("niger")["COPERNICUS/S2"]["time-series-data"]["2020-01-16"]
    assert np.nanmean(maps.data[0]) == pytest.approx(np.mean([part["ndvi_mean"] for part in first]), abs=1e-6)


def test_the_overview_is_a_picture(finished):
    overview = read_png(finished.folder / "results" / "niger" / "analysis" / "overview.png")
    assert min(overview.shape[:2]) > 900
    assert overview.std() > 20
