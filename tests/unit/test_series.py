"""Series of a site, from our summaries and from pyveg's: how they are read, and what is reported of them."""

import json
import math

import numpy as np
import pyarrow.parquet
import pytest
from scipy.stats import theilslopes

from tigerbush.analysis.series import (
    TIDY,
    common_number,
    equal_n,
    gaps,
    outliers,
    read_series,
    runs,
    site_mean,
    tidy_rows,
    write_series,
)
from tigerbush.errors import TigerbushError

DATES = ["2017-01-16", "2017-02-15", "2017-03-16", "2017-04-16"]


def part(latitude, day, **values):
    return {"latitude": latitude, "longitude": 27.9, "date": day} | values


def summary(**changes):
    """pyveg's own: greys, no metadata."""
    series = {
        DATES[0]: [part(11.5, DATES[0], offset50=-400, ndvi=153.0, ndvi_veg=204.0)],
        DATES[1]: None,
        DATES[2]: [
            part(11.6, DATES[2], offset50=-300, ndvi=102.0),
            part(11.5, DATES[2], offset50=-500, ndvi=153.0),
        ],
        DATES[3]: [part(11.5, DATES[3], offset50=-450, ndvi=127.5)],
    }
    weather = {DATES[0]: {"total_precipitation": 0.01, "mean_2m_air_temperature": 300.15}, DATES[1]: None}
    return {
        "ECMWF/ERA5/MONTHLY": {"type": "weather", "time-series-data": weather},
        "COPERNICUS/S2": {"type": "vegetation", "time-series-data": series},
    } | changes


def of_dates(days, **metadata):
    """A summary of a single number at each date."""
    return summary(metadata=metadata) | {
        "ECMWF/ERA5/MONTHLY": {"type": "weather", "time-series-data": {}},
        "COPERNICUS/S2": {
            "type": "vegetation",
            "time-series-data": {day: [part(11.5, day, offset50=1)] for day in days},
        },
    }


def test_pyvegs_own_summary():
    series = read_series(summary(), "it.json")
    assert (series.site, series.dates) == ("site", tuple(DATES))
    assert series.places == ((11.5, 27.9), (11.6, 27.9))
    nan = np.nan
    expected = {
        "offset50": [[-400, nan], [nan, nan], [-500, -300], [-450, nan]],
        "ndvi": [[0.2, nan], [nan, nan], [0.2, -0.2], [0.0, nan]],
        "ndvi_veg": [[0.6, nan], [nan, nan], [nan, nan], [nan, nan]],
    }
    assert list(series.vegetation) == list(expected)
    for variable, table in expected.items():
        np.testing.assert_allclose(series.vegetation[variable], table, atol=1e-12)
    np.testing.assert_allclose(series.weather["total_precipitation"], [10, nan, nan, nan], rtol=1e-12)
    np.testing.assert_allclose(series.weather["temperature"], [27, nan, nan, nan], rtol=1e-12)
    assert series.with_data.tolist() == [True, False, True, True]
    assert series.n_obs is None
    assert series.days.tolist() == [0, 30, 59, 90]
    assert series.positions.tolist() == [0, 1, 2, 3]
    assert series.days_per_step == 30
    assert series.steps_per_year == pytest.approx(365.2425 / 30, rel=1e-12)
    mean, spread, number = site_mean(series.vegetation["offset50"])
    np.testing.assert_allclose(mean, [-400, nan, -400, -450])
    np.testing.assert_allclose(spread, [0, nan, 100, 0])
    assert number.tolist() == [1, 0, 2, 1]


@pytest.mark.input(
    "Analysis",
    "sub-images whose rounded centres are the same",
    "all are used",
)
def test_sub_images_of_one_place_are_all_used():
    """Two, three and one of them, around another place."""
    records = {
        DATES[0]: [part(11.5, DATES[0], offset50=-1), part(11.4, DATES[0], offset50=-9), part(11.5, DATES[0], offset50=-2)],
        DATES[1]: [part(11.5, DATES[1], offset50=-value) for value in (3, 4, 5)],
        DATES[2]: [part(11.5, DATES[2], offset50=-6)],
    }  # fmt: skip
    collection = {"type": "vegetation", "time-series-data": records}
    series = read_series(summary(**{"COPERNICUS/S2": collection}), "it")
    assert series.places == ((11.4, 27.9), (11.5, 27.9), (11.5, 27.9), (11.5, 27.9))
    nan = math.nan
    np.testing.assert_array_equal(
        series.vegetation["offset50"], [[-9, -1, -2, nan], [nan, -3, -4, -5], [nan, -6, nan, nan]]
    )
    mean, _, number = site_mean(series.vegetation["offset50"])
    assert mean.tolist() == [-4, -4, -6] and number.tolist() == [3, 3, 1]


def test_numbers_that_are_none_are_left_out():
    contents = summary()
    parts = contents["COPERNICUS/S2"]["time-series-data"][DATES[2]]
    parts[0] |= {"ndvi_mean": None, "offset50": None, "n_obs": 0.0}
    parts[1] |= {"ndvi_mean": 0.0, "ndvi_veg": math.nan}
    series = read_series(contents, "it.json")
    # a mean of 0 is a mean; without one there is the grey
    np.testing.assert_allclose(series.vegetation["ndvi"][2], [0.0, -0.2], atol=1e-12)
    np.testing.assert_array_equal(series.vegetation["offset50"][2], [-500, np.nan])
    assert np.isnan(series.vegetation["ndvi_veg"][2]).all()
    np.testing.assert_array_equal(series.n_obs[2], [np.nan, 0])
    weather = contents["ECMWF/ERA5/MONTHLY"]["time-series-data"]
    weather[DATES[3]] = {"total_precipitation": 0.0, "mean_2m_air_temperature": None}
    series = read_series(contents, "it.json")
    assert series.weather["total_precipitation"][3] == 0 and np.isnan(series.weather["temperature"][3])


def product(stamp, platform="S2A"):
    return f"{platform}_MSIL1C_{stamp}_N0204_R122_T33TVL_20990110T110000"


def test_time_is_the_mean_of_the_acquisitions():
    """To the second; of a product whose name tells no time, and of a date without any, nothing is known."""
    products = {
        DATES[0]: {"products": [product("20170110T103015"), product("20170121T114559", "S2B")]},
        DATES[1]: {"products": []},
        DATES[2]: {"products": ["a product of another name", product("20170318T000600")]},
        DATES[3]: None,
    }
    series = read_series(of_dates(DATES, coords_id="here", products=products), "it.json")
    assert series.site == "here"
    # the 10th at 10:30:15 and the 21st at 11:45:59, from the midnight of the 16th on
    first = (-6 + (10 + 30.25 / 60) / 24 + 5 + (11 + 45 / 60 + 59 / 3600) / 24) / 2
    # ordinals are some 700 000 days
    np.testing.assert_allclose(series.days, [first, 30, 61 + 6 / 60 / 24, 90], atol=1e-9)
    assert series.days_per_step == 30
    assert series.metadata == {"coords_id": "here", "products": products}


@pytest.mark.parametrize(
    ("second", "days"),
    [
        # one mean time for two dates: the dates themselves count; a minute later it is an order
        ("20170110T103000", [0, 30, 59, 90]),
        ("20170110T103100", [-6 + 10.5 / 24, -6 + (10 + 31 / 60) / 24, 59, 90]),
    ],
)
def test_times_without_an_order_are_not_used(second, days):
    products = {
        DATES[0]: {"products": [product("20170110T103000")]},
        DATES[1]: {"products": [product(second)]},
    }
    series = read_series(of_dates(DATES, products=products), "it.json")
    np.testing.assert_allclose(series.days, days, atol=1e-9)


def test_our_own_float_ndvi_is_preferred_to_greys():
    contents = summary()
    contents["COPERNICUS/S2"]["time-series-data"][DATES[0]][0] |= {"ndvi_mean": 0.2034, "n_obs": 2.0}
    series = read_series(contents, "it.json")
    assert series.vegetation["ndvi"][0, 0] == 0.2034
    assert series.n_obs[0, 0] == 2


@pytest.mark.parametrize(
    ("days", "positions", "step"),
    [
        (["2017-01-16", "2017-02-15", "2017-04-16", "2017-05-16", "2017-06-16"], [0, 1, 3, 4, 5], 151 / 5),
        # the median of 30, 60, 30 and 31 is 30.5; half a month early is a month, too
        (["2017-01-16", "2017-02-15", "2017-02-25", "2017-03-27"], [0, 1, 2, 3], 70 / 3),
        (["2017-01-16", "2017-03-16"], [0, 1], 59),
        (["2017-01-16"], [0], 1),
        # with too few others a hole is not seen
        (["2017-01-16", "2017-03-16", "2017-04-16"], [0, 1, 2], 45),
    ],
)
def test_a_missing_key_leaves_a_hole(days, positions, step):
    series = read_series(of_dates(days), "it.json")
    assert series.positions.tolist() == positions
    assert series.days_per_step == pytest.approx(step, rel=1e-12)
    assert series.days[0] == 0


def test_dates_are_those_of_both_and_in_order():
    contents = summary()
    contents["ECMWF/ERA5/MONTHLY"]["time-series-data"] = {
        "2017-05-16": {"total_precipitation": 0.002},
        "2016-12-16": {"total_precipitation": 0.001},
    }
    series = read_series(contents, "it.json")
    assert series.dates == ("2016-12-16", *DATES, "2017-05-16")
    assert series.weather["total_precipitation"][[0, 5]].tolist() == [1, 2]
    assert series.with_data.tolist() == [False, True, False, True, True, False]


def test_the_first_collection_that_has_data_is_read():
    contents = summary()
    dates = contents["COPERNICUS/S2"]["time-series-data"]
    empty = {"type": "vegetation", "time-series-data": dict.fromkeys(["2011-01-16"])}
    late = {"type": "vegetation", "time-series-data": {"2022-01-16": [part(1, "", offset50=1)]}}
    first = {"LANDSAT/7": empty, "COPERNICUS/S2": contents.pop("COPERNICUS/S2"), "LANDSAT/8": late}
    assert read_series(contents | first, "it.json").dates == tuple(dates)
    # without any data the dates are those of the first
    nothing = {
        "LANDSAT/7": empty,
        "LANDSAT/8": {"type": "vegetation", "time-series-data": {"2022-01-16": None}},
    }
    series = read_series({"metadata": {"coords_id": "x"}} | nothing, "it.json")
    assert (series.site, series.dates, series.places) == ("x", ("2011-01-16",), ())
    assert series.vegetation["ndvi"].shape == (1, 0)


@pytest.mark.parametrize(
    "contents",
    [
        [],
        {"a": 1},
        {"a": {"type": "vegetation"}},
        {"a": {"type": "vegetation", "time-series-data": {}}},
        {"a": {"type": "vegetation", "time-series-data": {"yesterday": None}}},
        {"a": {"type": "vegetation", "time-series-data": {"2017-01-16": [{"latitude": "north"}]}}},
        {"a": {"type": "vegetation", "time-series-data": {"2017-01-16": [part(1, "", offset50=[1])]}}},
    ],
)
def test_what_is_no_summary_is_refused_in_a_sentence(contents):
    with pytest.raises(TigerbushError, match=r"^it.json is no summary of a site .* expected collections"):
        read_series(contents, "it.json")


def test_the_mean_and_the_spread_of_sub_images():
    table = np.array(
        [[1.0, 4.0, np.nan, 7.0], [np.nan] * 4, [np.nan, np.nan, 2.5, np.nan], [1.0, 2.0, 3.0, 5.0]]
    )
    mean, spread, number = site_mean(table)
    np.testing.assert_allclose(mean, [4, np.nan, 2.5, 2.75])
    np.testing.assert_allclose(spread, [6**0.5, np.nan, 0, np.std([1, 2, 3, 5])])
    assert number.tolist() == [3, 0, 1, 4]


def test_gaps_are_runs_of_dates():
    assert runs(np.array([1, 0, 0, 1, 1, 0, 1], bool)) == [(0, 0), (3, 4), (6, 6)]
    assert runs(np.array([0, 1, 1, 0], bool)) == [(1, 2)]
    assert runs(np.zeros(3, bool)) == []
    present = np.array([0, 1, 1, 0, 0, 1, 0], bool)
    assert gaps(present, list("abcdefg")) == [
        {"start": "a", "end": "a", "dates": 1},
        {"start": "d", "end": "e", "dates": 2},
        {"start": "g", "end": "g", "dates": 1},
    ]


def slow_outliers(days, values):
    """Residuals from the Theil-Sen line of up to three values before and three after, in robust deviations."""
    finite = [i for i in range(len(values)) if np.isfinite(values[i])]
    residuals = []
    for k, i in enumerate(finite):
        others = [*finite[max(k - 3, 0) : k], *finite[k + 1 : k + 4]]
        slopes = [
            (values[b] - values[a]) / (days[b] - days[a])
            for n, a in enumerate(others)
            for b in others[n + 1 :]
        ]
        slope = np.median(slopes)
        assert slope == pytest.approx(theilslopes(values[others], days[others]).slope)
        level = np.median(values[others]) - slope * np.median(days[others])
        residuals.append(values[i] - level - slope * days[i])
    off = np.abs(residuals - np.median(residuals))
    return [i for i, deviation in zip(finite, off, strict=True) if deviation > 3 * 1.4826 * np.median(off)]


def test_outliers_lie_far_from_the_line_through_their_neighbours():
    random = np.random.default_rng(0)
    days = np.cumsum(random.uniform(20, 40, 60))
    # a slope, and noise that is not around 0
    values = 0.4 - days / 1800 * 0.3 + random.gamma(1, 0.01, 60)
    values[[0, 17, 18, 44, 59]] += [0.2, 0.2, -0.25, -0.2, -0.2]
    values[[1, 30, 45]] = np.nan
    flags = outliers(days, values)
    assert np.flatnonzero(flags).tolist() == slow_outliers(days, values)
    assert {0, 17, 18, 44, 59} <= set(np.flatnonzero(flags))
    assert 5 < flags.sum() < 10
    for seed in (1, 2):
        noise = np.random.default_rng(seed).standard_t(3, 41)
        assert np.flatnonzero(outliers(days[:41], noise)).tolist() == slow_outliers(days[:41], noise)


def test_outliers_need_seven_values():
    days = np.arange(8.0) * 30
    values = np.array([1.0, np.nan, 3.1, 4, 4.9, 6, 7.1, 20])
    assert np.flatnonzero(outliers(days, values)).tolist() == slow_outliers(days, values) == [6, 7]
    values[0] = np.nan
    assert not outliers(days, values).any()
    # on a straight line nothing is one, whatever is lost in sums
    assert not outliers(days, 0.1 + 0.3 * days).any()


def test_equal_draws_are_the_means_of_deviations():
    random = np.random.default_rng(3)
    table = random.gamma(2, 1, (30, 5)) + np.arange(0, 50, 10)
    table[random.random((30, 5)) < 0.25] = np.nan
    table[4] = np.nan
    for number in (2, 4):
        keys = np.random.default_rng(7).random((30, 5))
        own = [np.mean(column[np.isfinite(column)]) for column in table.T]
        expected = []
        for row, key in zip(table, keys, strict=True):
            drawn = sorted((k for k in range(5) if np.isfinite(row[k])), key=lambda k: key[k])[:number]
            enough = len(drawn) == number
            expected.append(np.mean([row[k] - own[k] for k in drawn]) + np.mean(own) if enough else np.nan)
        means = equal_n(table, number, np.random.default_rng(7))
        np.testing.assert_allclose(means, expected, rtol=1e-12)
        assert 0 < np.isnan(means).sum() < 30
    # a sub-image that was never seen has no mean of its own
    unseen = np.column_stack([table, np.full(30, np.nan)])
    whole = table[np.isfinite(table).all(axis=1)]
    drawn = equal_n(unseen, 5, np.random.default_rng(7))
    np.testing.assert_allclose(drawn[np.isfinite(drawn)], whole.mean(axis=1), rtol=1e-12)


@pytest.mark.parametrize(
    ("numbers", "common"),
    [
        # the fewest of any date with half of the median or more; dates without any do not count
        ([16, 15, 14, 2], 14),
        ([8, 8, 8, 4], 4),
        ([8, 8, 8, 3], 8),
        ([0, 0, 0, 0, 0, 6, 3], 3),
        ([1, 1, 5], 1),
        ([0, 0], 0),
    ],
)
def test_how_many_an_equal_draw_takes(numbers, common):
    table = np.where(np.arange(16) < np.array(numbers)[:, None], 1.0, np.nan)
    assert common_number(table) == common


def tidy(day, place, variable, statistic, value, unit, number):
    """A row: `place` is the number of a sub-image, with its latitude."""
    sub_image, latitude = place or (None, None)
    longitude = 27.9 if place else None
    row = ("site", day, sub_image, latitude, longitude, variable, statistic, value, unit, number)
    return dict(zip(TIDY, row, strict=True))


def test_tidy_rows_and_both_files(tmp_path):
    first, second = (0, 11.5), (1, 11.6)
    expected = [
        tidy(DATES[0], first, "offset50", "value", -400.0, "1", None),
        tidy(DATES[2], first, "offset50", "value", -500.0, "1", None),
        tidy(DATES[2], second, "offset50", "value", -300.0, "1", None),
        tidy(DATES[3], first, "offset50", "value", -450.0, "1", None),
        tidy(DATES[0], None, "offset50", "mean", -400.0, "1", 1),
        tidy(DATES[0], None, "offset50", "std", 0.0, "1", 1),
        tidy(DATES[2], None, "offset50", "mean", -400.0, "1", 2),
        tidy(DATES[2], None, "offset50", "std", 100.0, "1", 2),
        tidy(DATES[3], None, "offset50", "mean", -450.0, "1", 1),
        tidy(DATES[3], None, "offset50", "std", 0.0, "1", 1),
        tidy(DATES[0], first, "ndvi_veg", "value", 0.6, "1", None),
        tidy(DATES[0], None, "ndvi_veg", "mean", 0.6, "1", 1),
        tidy(DATES[0], None, "ndvi_veg", "std", 0.0, "1", 1),
        tidy(DATES[0], None, "total_precipitation", "value", 10.0, "mm", None),
        tidy(DATES[0], None, "temperature", "value", 27.0, "degC", None),
    ]
    contents = summary()
    for parts in contents["COPERNICUS/S2"]["time-series-data"].values():
        for part in parts or ():
            del part["ndvi"]
    rows = tidy_rows(read_series(contents, "it.json"))
    assert [row | {"value": round(row["value"], 9)} for row in rows] == expected
    write_series(rows, tmp_path / "series.csv", tmp_path / "series.parquet")
    lines = (tmp_path / "series.csv").read_text().splitlines()
    assert lines[:3] == [
        '"site","date","sub_image","latitude","longitude","variable","statistic","value","unit","n"',
        '"site","2017-01-16",0,11.5,27.9,"offset50","value",-400,"1",',
        '"site","2017-03-16",0,11.5,27.9,"offset50","value",-500,"1",',
    ]
    assert lines[5] == '"site","2017-01-16",,,,"offset50","mean",-400,"1",1'
    assert len(lines) == 16
    table = pyarrow.parquet.read_table(tmp_path / "series.parquet")
    assert table.to_pylist() == rows
    assert [str(field.type) for field in table.schema] == [
        "string", "string", "int32", "double", "double", "string", "string", "double", "string", "int32",
    ]  # fmt: skip
    assert json.loads(json.dumps(rows)) == rows
