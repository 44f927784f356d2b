"""Mode pyveg from images to Kendall's tau, against numbers of pyveg's own modules (pyveg_numbers.py)."""

import json
import zlib

import numpy as np
import pytest
import yaml

from fabricate import ROOT
from pyveg_numbers import ANALYSIS, DATES, HEIGHT, IMAGES, PLACE, SUB_IMAGES, VECTORS, WIDTH, scene, weather
from tigerbush.analysis.series import read_series
from tigerbush.analysis.site import analyse_site
from tigerbush.grid import Grid
from tigerbush.images import render
from tigerbush.pyveg import smoothed
from tigerbush.raster import Raster
from tigerbush.site import Site
from tigerbush.sites.layout import place_sub_images
from tigerbush.sites.subimages import (
    centrality_of_sub_images,
    coverage,
    ndvi_of_sub_images,
    usable_sub_images,
)
from tigerbush.summary.results import summarise_date, summarise_site

GRID, EPSG = Grid(600_000, 1_280_000, 10, WIDTH, HEIGHT), 32635
SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"] | {"mode": "default"}
CONFIG = {"period": {"start": "2017-01-01", "end": "2018-07-01", "step": "1m"}, "run": {"name": "test"}}


def rendered(number):
    bands, masked = scene(number)
    data = np.stack([np.where(masked, np.nan, dn / 10_000) for dn in bands.values()]).astype(np.float32)
    return render(Raster(data, GRID, EPSG, tuple(bands), np.nan), "pyveg")


def date_summary(number):
    """What the rules of a date do, one after the other."""
    images, day = rendered(number), DATES[number]
    index = images.ndvi.data[0]
    covered = coverage(index, images.rgb, "pyveg")
    parts = usable_sub_images(
        place_sub_images(GRID, EPSG, Site(**PLACE, size=50, resolution=10), "pyveg"), covered, 0.05
    )
    ndvi = ndvi_of_sub_images(
        index, images.grey, images.black_white, np.ones(index.shape), covered, parts, day
    )
    # pyveg knows no float NDVI, which the series would prefer
    for record in ndvi:
        record.pop("ndvi_mean", None)
    centrality = centrality_of_sub_images(images.black_white, covered, parts, day)
    # acquired elsewhen: pyveg counts by the dates' names
    products = [f"S2A_MSIL1C_{day[:4]}{day[5:7]}{1 + number:02}T102021_N0204_R122_T35PPN_20170101T000000"]
    lineage = {"products": products, "unmasked": [], "left_out": {}, "failed": {}}
    return summarise_date(day, centrality, ndvi, lineage, weather(number))


@pytest.fixture(scope="module")
def summary():
    site = PLACE | {"site": "here"}
    dates = [date_summary(number) for number in range(len(DATES))]
    return json.loads(json.dumps(summarise_site(site, dates, DATES, {}, {}, CONFIG, ["config.yaml"])))


def with_offset50_of(summary, longitude):
    """The summary with offset50 of some sub-images only."""
    copy = json.loads(json.dumps(summary))
    for records in copy["COPERNICUS/S2"]["time-series-data"].values():
        for record in records or []:
            if record["longitude"] != longitude:
                del record["offset50"]
    return read_series(copy, "results_summary.json")


@pytest.fixture(scope="module")
def analysis(summary):
    return analyse_site(with_offset50_of(summary, 27.97), SETTINGS | {"mode": "pyveg", "surrogates": 9})


def numbers(text):
    return [float(word) for word in text.split()]


@pytest.mark.parametrize("day", IMAGES)
def test_images_are_pyvegs_to_the_last_pixel(day):
    images = rendered(DATES.index(day))
    assert {name: zlib.crc32(getattr(images, name).tobytes()) for name in IMAGES[day]} == IMAGES[day]


def test_sub_images_are_pyvegs(summary):
    dates = summary["COPERNICUS/S2"]["time-series-data"]
    assert list(dates) == DATES
    assert [day for day in DATES if not dates[day]] == ["2017-11-16"]
    records = [record for day in DATES for record in dates[day] or []]
    expected = [line.split() for line in SUB_IMAGES.splitlines()]
    assert len(records) == len(expected) == 67
    for record, (day, *numbers) in zip(records, expected, strict=True):
        latitude, longitude, offset, offset50, mean, std, ndvi, ndvi_veg = map(float, numbers)
        assert record["date"] == day
        keys = ("latitude", "longitude", "offset", "offset50", "mean", "ndvi")
        assert [record[key] for key in keys] == [latitude, longitude, offset, offset50, mean, ndvi]
        assert record["slope"] == offset / 20
        # half of the last digit that is kept
        assert record["std"] == pytest.approx(std, abs=5.1e-5)
        # here it is rounded to 4 decimals, by pyveg not
        assert record["ndvi_veg"] == pytest.approx(ndvi_veg, abs=5.6e-5)


def test_feature_vectors_are_pyvegs(summary):
    records = summary["COPERNICUS/S2"]["time-series-data"]["2017-08-16"]
    vectors = {record["longitude"]: record["feature_vec"] for record in records if record["latitude"] == 11.6}
    assert vectors == VECTORS


def test_the_summary_counts_as_pyveg(summary):
    climate = summary["ECMWF/ERA5/MONTHLY"]["time-series-data"]
    assert climate == {day: weather(number) for number, day in enumerate(DATES)}
    assert summary["metadata"]["num_data_points"] == 17


def test_outliers_are_those_that_pyveg_drops(summary):
    """One of offset50 in each of the sub-images at 27.93 E."""
    series = read_series(summary, "results_summary.json")
    assert series.places == ((11.56, 27.93), (11.56, 27.97), (11.6, 27.93), (11.6, 27.97))
    _, treated = smoothed(series.dates, series.vegetation)
    for variable, table in series.vegetation.items():
        dropped = np.argwhere(np.isfinite(table) & np.isnan(treated[variable])).tolist()
        assert dropped == ([[13, 0], [13, 2]] if variable == "offset50" else [])


@pytest.mark.parametrize("variable", ANALYSIS)
def test_smoothed_means_of_the_sub_images_are_pyvegs(analysis, variable):
    means, expected = analysis["series"][variable]["mean"], numbers(ANALYSIS[variable]["smooth_mean"])
    assert [i for i, value in enumerate(means) if value is None] == [10]
    # pyveg counts nanoseconds instead of days
    np.testing.assert_allclose(means[:10] + means[11:], expected[:10] + expected[11:], rtol=1e-9)


@pytest.mark.parametrize("variable", ANALYSIS)
def test_variances_of_first_differences_and_their_tau_are_pyvegs(analysis, variable):
    """Of windows of half of the 17 differences; AR(1) is defined otherwise (a correlation, pyveg: a slope)."""
    variance = analysis["early_warning"]["indicators"][variable]["variance"]
    assert variance["dates"] == DATES[8:]
    np.testing.assert_allclose(variance["values"], numbers(ANALYSIS[variable]["variance"]), rtol=1e-6)
    assert variance["tau"] == pytest.approx(ANALYSIS[variable]["tau"], abs=1e-9)
