"""An index is added by a row of the table and a function: what summary, series, analysis, figures, maps, reports make of it."""

import csv

import numpy as np
import pyarrow.parquet
import pytest

import planted
from report_lines import lines_of
from test_maps import DAYS, EPSG, GRID, SITE, SIZE
from test_summary import DAY, PARTS, arrays, grey, lineage, used
from tigerbush import indices
from tigerbush.analysis.series import read_series, tidy_rows, write_series
from tigerbush.analysis.site import analyse_site
from tigerbush.planning.configuration import check_variables
from tigerbush.report.figures import analysis_figures
from tigerbush.report.html import site_report, sites_report
from tigerbush.report.maps import map_metric, maps_raster
from tigerbush.report.overview import site_figure
from tigerbush.sites.layout import place_sub_images
from tigerbush.sites.subimages import index_of_sub_images, ndvi_of_sub_images
from tigerbush.summary.results import summarise_date, summarise_site
from tigerbush.variables import VARIABLES, Variable

COLOUR = "#123456"
DEFINITION = "The toy is the difference of two bands (Nobody 2017)."


def toy(nir, red):
    return (nir - red).astype(np.float32)


def add(monkeypatch, bands=("nir", "red")):
    """Add an index: a row and a function."""
    row = Variable(
        name="toy",
        label="toy index",
        short="the toy",
        colour=COLOUR,
        bands=bands,
        subject="The toy",
        definition=DEFINITION,
        reference=("Nobody 2017, On toys.", "10.0/toy"),
    )
    monkeypatch.setitem(VARIABLES, "toy", row)
    monkeypatch.setattr(indices, "toy", toy, raising=False)


@pytest.fixture
def added(monkeypatch):
    add(monkeypatch)


def records_with_toy():
    """Of two sub-images; the right one has no number of the toy."""
    ndvi, black_white = arrays()
    ndvi[:2, :3] = np.nan
    covered, parts = used(ndvi)
    n_obs = np.ones(ndvi.shape)
    records = ndvi_of_sub_images(ndvi, grey(ndvi), black_white, n_obs, covered, parts, DAY)
    index = np.full(ndvi.shape, np.nan, np.float32)
    index[:, :20] = 0.25
    index[:, 10:20] = 0.75
    # masked, though the index has a number
    index[0, 0] = 1000
    return records, index_of_sub_images("toy", index, covered, parts)


def test_mean_and_standard_deviation_of_clear_pixels():
    records, numbers = records_with_toy()
    # 194 pixels of 0.25, 200 of 0.75
    mean = (194 * 0.25 + 200 * 0.75) / 394
    deviation = ((194 * (0.25 - mean) ** 2 + 200 * (0.75 - mean) ** 2) / 394) ** 0.5
    assert numbers == [
        {"toy_mean": pytest.approx(mean, rel=1e-9), "toy_std": pytest.approx(deviation, rel=1e-9)},
        {},
    ]
    assert len(records) == 2


def summary_of_site(chosen):
    records, numbers = records_with_toy()
    if "toy" in chosen:
        records = [record | more for record, more in zip(records, numbers, strict=True)]
    summaries = [summarise_date(DAY, [], records, lineage())]
    site = {"site": "here", "longitude": 14.5, "latitude": 45.8, "region_size": 0.01}
    config = {
        "period": {"start": "2017-01-01", "end": "2017-02-01", "step": "1m"},
        "run": {"name": "x"},
        "composite": {"indices": chosen},
    }
    return summaries[0], summarise_site(site, summaries, [DAY], {}, {}, config, [])


def test_units_are_there_with_the_index(added):
    date, site = summary_of_site(["ndvi", "toy"])
    for units in (date["units"], site["metadata"]["units"]):
        assert list(units)[:7] == [
            "ndvi", "ndvi_veg", "ndvi_mean", "ndvi_std", "toy_mean", "toy_std", "feature_vec"
        ]  # fmt: skip
        assert (units["toy_mean"], units["toy_std"]) == ("1", "1")
    date, site = summary_of_site(["ndvi"])
    for units in (date["units"], site["metadata"]["units"]):
        assert [key for key in units if "toy" in key] == []


def test_a_series_of_an_index_is_there_when_the_summary_has_it(added):
    _, with_toy = summary_of_site(["ndvi", "toy"])
    series = read_series(with_toy, "it")
    assert list(series.vegetation) == ["offset50", "ndvi", "ndvi_veg", "toy"]
    place = series.places.index((PARTS[0].latitude, PARTS[0].longitude))
    assert series.vegetation["toy"][0, place] == pytest.approx((194 * 0.25 + 200 * 0.75) / 394)
    assert np.isnan(series.vegetation["toy"][0, 1 - place])
    _, without = summary_of_site(["ndvi"])
    assert list(read_series(without, "it").vegetation) == ["offset50", "ndvi", "ndvi_veg"]
    # chosen, and no date has a number
    without["metadata"]["units"]["toy_mean"] = "1"
    series = read_series(without, "it")
    assert np.isnan(series.vegetation["toy"]).all() and series.vegetation["toy"].shape == (1, 2)
    # of a summary that says no units, as other programs write it
    del with_toy["metadata"]["units"]
    assert "toy" in read_series(with_toy, "it").vegetation


SETTINGS = {
    "mode": "default", "primary": {"variable": "toy", "indicator": "ar1"}, "minimum_dates": 36, "window": 0.5,
    "detrending": "gaussian", "bandwidth": 0.3, "harmonics": 2, "equal_n": True, "repetitions": 2,
    "observation_noise": False, "surrogates": 9, "seed": 1, "fdr": {"method": "by", "q": 0.05},
}  # fmt: skip


@pytest.fixture
def analysed(added):
    """The long record; the toy is a tenth of NDVI."""

    def change(dates):
        for record in (record for records in dates.values() for record in records or ()):
            record |= {"toy_mean": record["ndvi_mean"] / 10, "toy_std": 0.01}

    summary = planted.changed(planted.long_summary(), change)
    for values in summary["metadata"], summary:
        values.setdefault("latitude", 11.5)
    del summary["latitude"]
    summary["metadata"] |= {
        "start_date": "2015-07-01", "end_date": "2020-05-01", "time_per_point": "1m", "region_size": 0.1,
    }  # fmt: skip
    series = read_series(summary, "it")
    return summary, series, analyse_site(series, SETTINGS)


def test_the_analysis_treats_it_as_any_other(analysed):
    _, _, analysis = analysed
    series, warning = analysis["series"], analysis["early_warning"]
    assert list(series)[:4] == ["offset50", "ndvi", "ndvi_veg", "toy"]
    assert (series["toy"]["label"], series["toy"]["unit"]) == ("toy index", "1")
    tenth = [value and value / 10 for value in series["ndvi"]["mean"]]
    assert series["toy"]["mean"] == [value and pytest.approx(value, rel=1e-9) for value in tenth]
    # autocorrelation does not change with the unit, but equal draws of sub-images are other ones
    assert -1 <= warning["indicators"]["toy"]["ar1"]["tau"] <= 1
    assert warning["indicators"]["toy"]["ar1"]["surrogates"] == 9
    # one of 20 is the level, and needs as many
    assert warning["primary"]["surrogates"] == 9
    assert set(warning["sensitivity"]) >= {"toy"} and set(warning["disagreement"]) >= {"toy"}
    assert "toy" in analysis["weather"]["lagged_correlation"]
    assert "toy" in analysis["recovery"]["annual_cycle"]


def test_the_tables_have_its_rows(analysed, tmp_path):
    _, series, _ = analysed
    write_series(tidy_rows(series), tmp_path / "series.csv", tmp_path / "series.parquet")
    with (tmp_path / "series.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["variable"] == "toy"]
    table = pyarrow.parquet.read_table(tmp_path / "series.parquet").to_pylist()
    assert len(rows) == sum(row["variable"] == "toy" for row in table) > 0
    assert {row["unit"] for row in rows} == {"1"}
    assert {row["statistic"] for row in rows} == {"value", "mean", "std"}


def test_figures_have_its_label_and_colour(analysed):
    summary, _, analysis = analysed
    figures = analysis_figures(analysis)
    [panel] = [axes for axes in figures["series"].axes if axes.get_title("left") == "toy index"]
    assert panel.get_lines()[0].get_color() == COLOUR
    assert "the toy, mean of each month" in [axes.get_title("left") for axes in figures["recovery"].axes]
    titles = [axes.get_title("left").partition("\n")[0] for axes in figures["indicators"].axes]
    assert "the toy" in titles
    [axes] = figures["weather"].axes
    assert "the toy" in [text.get_text() for text in axes.get_legend().get_texts()]
    overview = site_figure(summary, {})
    panels = [axes for figure in overview.subfigs for axes in figure.axes]
    assert [axes.get_ylabel() for axes in panels] == ["NDVI", "the toy", "offset50", "rain (mm)"]
    means = [value and value / 10 for value in analysis["series"]["ndvi"]["mean"]]
    drawn = panels[1].get_lines()[0].get_ydata()
    np.testing.assert_allclose(drawn, np.array(means, float), rtol=1e-9)
    assert panels[1].get_lines()[0].get_color() == COLOUR


def site_means(summary):
    """NDVI of each date, read the slow way; NaN without any."""
    table = planted.table_of(summary, "ndvi_mean")
    return [row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in table]


def test_reports_tell_of_it(analysed):
    summary, _, analysis = analysed
    names = [
        "series",
        "completeness",
        "indicators",
        "sensitivity",
        "weather",
        "recovery",
        "spatial",
        "patches",
        "sub_images",
    ]
    pictures = dict.fromkeys([*names, "map_toy", "animation_toy"], "data:x")
    lines = lines_of(site_report(analysis, {}, pictures, {"toy": "toy index"}))
    # from September 2015 to February 2020; of both years all months but one have data
    means = dict(zip(analysis["series"]["ndvi"]["dates"], site_means(summary), strict=True))
    ends = [
        {day[5:7]: value / 10 for day, value in means.items() if start <= day <= end and np.isfinite(value)}
        for start, end in (("2015-09-01", "2016-08-31"), ("2019-03-01", "2020-02-29"))
    ]
    both = ends[0].keys() & ends[1].keys()
    first, last = (np.mean([end[month] for month in both]) for end in ends)
    [line] = [line for line in lines if line.startswith("- The toy averaged")]
    assert line.startswith(
        f"- The toy averaged {first:.3g} in the first year (2015-09 to 2016-08) and {last:.3g} in the last year (2019-03 to "
        "2020-02)"
    )
    assert f"- {DEFINITION}" in lines
    assert "- Nobody 2017, On toys. doi:10.0/toy" in lines
    assert "figure: toy index of each sub-image at each date." in lines
    comparison = {"method": "x", "q": 0.05, "n_tests": 0, "rows": []}
    lines = lines_of(sites_report(comparison, [analysis], "data:x"))
    assert "site | dates with data | NDVI | the toy | offset50 | rain (mm)" in lines


def test_maps_are_of_its_numbers(added):
    parts = place_sub_images(GRID, EPSG, SITE, "default")
    records = [
        {"latitude": part.latitude, "longitude": part.longitude, "toy_mean": number / 8}
        for number, part in enumerate(parts)
    ]
    summary = {"COPERNICUS/S2": {"type": "vegetation", "time-series-data": {DAYS[0]: records}}}
    maps = map_metric(read_series(summary, "it"), "toy", parts, GRID, EPSG, SIZE)
    assert sorted(maps.values.ravel().tolist()) == [number / 8 for number in range(6)]
    assert maps_raster(maps).tags == {"TIGERBUSH_METRIC": "toy index"}


def test_the_configuration_knows_it(added):
    config = {
        "composite": {"indices": ["toy", "ndvi"]},
        "analysis": {"primary": {"variable": "toy", "indicator": "ar1"}},
    }
    check_variables(config)
    assert config["composite"]["indices"] == ["ndvi", "toy"]
