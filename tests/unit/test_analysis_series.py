"""What analysis.json says of a planted record besides its warnings: settings, series, outliers, gaps, completeness."""

import importlib.metadata
import json

import numpy as np
import pytest
import yaml

import planted
from fabricate import ROOT
from planted import assert_same, month
from tigerbush.analysis.series import read_series
from tigerbush.analysis.site import analyse_site
from tigerbush.version import __version__

# refused, so that only what is tested here is computed
SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"] | {
    "mode": "default",
    "minimum_dates": 51,
}
EMPTY = [planted.indices().index(i) for i in planted.EMPTY]


@pytest.fixture(scope="module")
def summary():
    return planted.long_summary()


@pytest.fixture(scope="module")
def analysis(summary):
    return analyse_site(read_series(summary, "it"), SETTINGS)


def dates():
    return [month(i) for i in planted.indices()]


def test_what_was_analysed_and_how(analysis, summary):
    assert json.loads(json.dumps(analysis, allow_nan=False)) == analysis
    assert list(analysis) == [
        "site", "mode", "software", "seed", "configuration", "days_per_step", "detrending", "metadata", "series",
        "changes", "completeness", "data_quality", "early_warning", "sub_images", "weather", "recovery", "spatial",
        "spatial_dates", "spatial_summary", "spatial_warning",
    ]  # fmt: skip
    assert (analysis["site"], analysis["mode"], analysis["seed"]) == ("planted", "default", 20200101)
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "statsmodels")}
    assert analysis["software"] == {"tigerbush": __version__} | versions
    assert analysis["configuration"] == SETTINGS
    # July 2015 to April 2020: 1736 days in 57 months
    assert analysis["days_per_step"] == pytest.approx(1736 / 57, rel=1e-12)
    assert analysis["metadata"] == summary["metadata"]
    # the images are not here
    for part in ("spatial", "spatial_dates", "spatial_summary", "spatial_warning"):
        assert analysis[part] == {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("gaussian", 0.3, 2, None, False)),
        ({"bandwidth": 0.45, "harmonics": 1}, ("gaussian", 0.45, 1, None, False)),
        ({"detrending": "stl"}, ("stl", None, 2, {"period": 12, "trend": 23, "low_pass": 13}, False)),
        ({"mode": "pyveg", "detrending": "stl"}, ("none", None, 2, None, True)),
    ],
)
def test_how_the_series_was_detrended(summary, change, expected):
    # without data, no early warning takes its time
    result = analyse_site(read_series(planted.changed(summary, emptied), "it"), SETTINGS | change)
    names = ("method", "bandwidth", "harmonics", "stl", "first_differences")
    assert result["detrending"] == dict(zip(names, expected, strict=True))
    assert result["mode"] == change.get("mode", "default")


def emptied(vegetation):
    for day in vegetation:
        vegetation[day] = None


def test_the_series_are_means_over_sub_images(analysis, summary):
    weather = summary["ECMWF/ERA5/MONTHLY"]["time-series-data"]
    rain = [of_date["total_precipitation"] * 1000 for of_date in weather.values()]
    warmth = [of_date["mean_2m_air_temperature"] - 273.15 for of_date in weather.values()]
    expected = {
        "offset50": ("network centrality (offset50)", "1", planted.table_of(summary, "offset50")),
        "ndvi": ("NDVI", "1", planted.table_of(summary, "ndvi_mean")),
        "ndvi_veg": ("NDVI of vegetation", "1", planted.table_of(summary, "ndvi_veg")),
        "total_precipitation": ("precipitation", "mm", rain),
        "temperature": ("air temperature at 2 m", "degC", warmth),
    }
    assert list(analysis["series"]) == list(expected)
    for variable, (label, unit, values) in expected.items():
        rows = [[value for value in np.atleast_1d(row) if np.isfinite(value)] for row in values]
        of_parts = np.ndim(values) == 2
        series = {
            key: analysis["series"][variable][key] for key in ("label", "unit", "dates", "mean", "std", "n")
        }
        assert_same(series, {
            "label": label,
            "unit": unit,
            "dates": dates(),
            "mean": [sum(row) / len(row) if row else None for row in rows],
            "std": [float(np.std(row)) if row and of_parts else None for row in rows],
            "n": [len(row) for row in rows],
        }, at=variable)  # fmt: skip
    # by hand: of five sub-images a date of every fourth lacks one, of every seventh the second
    assert analysis["series"]["ndvi"]["n"][:14] == [0, 0, 4, 4, 5, 5, 5, 4, 5, 4, 5, 4, 5, 5]
    assert analysis["series"]["ndvi"]["n"][23] == 3 and analysis["series"]["ndvi"]["n"][30] == 1


def test_gaps_and_outliers_are_those_that_were_planted(analysis):
    gaps = [
        {"start": "2015-07-16", "end": "2015-08-16", "dates": 2},
        {"start": "2017-07-16", "end": "2017-08-16", "dates": 2},
        {"start": "2020-03-16", "end": "2020-04-16", "dates": 2},
    ]
    series = analysis["series"]
    assert series["ndvi"]["gaps"] == series["offset50"]["gaps"] == gaps
    assert series["ndvi_veg"]["gaps"] == [{"start": "2015-07-16", "end": "2020-04-16", "dates": 57}]
    assert series["temperature"]["gaps"] == series["total_precipitation"]["gaps"] == []
    assert series["ndvi"]["outliers"] == ["2016-08-16", "2019-04-16", "2019-09-16"]
    assert series["ndvi_veg"]["outliers"] == []


def test_what_is_there_is_counted(analysis, summary):
    n_obs = planted.table_of(summary, "n_obs")
    with_data = [i for i in range(57) if i not in EMPTY]
    mean = [float(np.nanmean(n_obs[i])) if i in with_data else None for i in range(57)]
    assert_same(analysis["completeness"], {
        "dates": 57,
        "with_data": 51,
        "n_sub_images": [len(planted.present(i)) for i in planted.indices()],
        "n_obs": mean,
        "products": {month(i): 1 + i % 2 for i in planted.indices() if i not in planted.EMPTY},
    })  # fmt: skip
    # the third date lacks the second sub-image: 1, 1.25, 1.375 and 1.5
    assert mean[2] == 1.28125


def test_sub_images_are_those_of_any_measure(summary):
    """A sub-image may have a measure that others lack; and a record may tell no observations."""

    def change(vegetation):
        for k, part in enumerate(vegetation["2016-03-16"]):
            del part["ndvi_mean"], part["ndvi"]
            if k:
                del part["offset50"]
                part["ndvi_veg"] = 200.0
        for parts in vegetation.values():
            for part in parts or ():
                del part["n_obs"]

    result = analyse_site(read_series(planted.changed(summary, change), "it"), SETTINGS)
    assert [result["series"][name]["n"][8] for name in ("offset50", "ndvi", "ndvi_veg")] == [1, 0, 4]
    assert result["completeness"]["n_sub_images"][8] == 4
    assert result["completeness"]["with_data"] == 51
    assert result["completeness"]["n_obs"] is None


def test_a_date_counts_if_it_has_any_measure(summary):
    """The limit is of dates, and the date of a single NDVI of vegetation is one."""

    def change(vegetation):
        vegetation["2015-07-16"] = [{"latitude": 11.5, "longitude": 27.9, "ndvi_veg": 153.0}]

    result = analyse_site(
        read_series(planted.changed(summary, change), "it"), SETTINGS | {"minimum_dates": 52}
    )
    assert result["completeness"]["with_data"] == 52
    assert result["early_warning"]["refused"] == (
        "52 dates have data, and early warning needs more than 52 (analysis.minimum_dates): so short a series proves "
        "nothing either way."
    )
    assert result["early_warning"] == {
        "sign": None,
        "why": ["too_short"],
        "alternatives": {},
        "refused": result["early_warning"]["refused"],
        "primary": {
            "variable": "ndvi",
            "indicator": "falling_rate",
            "p": None,
            "p_low": None,
            "p_high": None,
            "surrogates": None,
        },
        "family": None,
        "power": None,
        "indicators": {},
        "ornstein_uhlenbeck": {},
        "steps": {},
        "noise": {},
        "season": {},
        "sensors": [],
        "rain": None,
        "observations": [],
        "sensitivity": {},
        "subsampling": None,
        "disagreement": {},
        "constant": [],
    }


def test_a_record_of_years_and_without_metadata():
    """pyveg's own tells no products; STL needs two dates a period at least."""
    vegetation = {
        f"{year}-07-02": [{"latitude": 1.0, "longitude": 2.0, "offset50": -4.0}]
        for year in (2015, 2016, 2017)
    }
    summary = planted.summary_of(vegetation, {})
    del summary["metadata"]
    result = analyse_site(read_series(summary, "it"), SETTINGS | {"detrending": "stl"})
    assert result["detrending"] == {
        "method": "stl",
        "bandwidth": None,
        "harmonics": 0,
        "stl": {"period": 2, "trend": 3, "low_pass": 3},
        "first_differences": False,
    }
    assert (result["site"], result["metadata"], result["days_per_step"]) == ("site", {}, 365.5)
    assert result["completeness"] == {
        "dates": 3, "with_data": 3, "n_sub_images": [1, 1, 1], "n_obs": None, "products": {}
    }  # fmt: skip


def test_a_date_that_names_no_products_has_none(summary):
    named = summary["metadata"]["products"] | {"2015-09-16": {"failed": {"A": "damaged"}}, "2015-11-16": None}
    contents = summary | {"metadata": summary["metadata"] | {"products": named}}
    products = analyse_site(read_series(contents, "it"), SETTINGS)["completeness"]["products"]
    assert (products["2015-09-16"], products["2015-10-16"], products["2015-11-16"]) == (0, 2, 0)
