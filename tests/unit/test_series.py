"""Series of a site, from our summaries and from pyveg's."""

import json

import numpy as np
import pyarrow.parquet
import pytest
from statsmodels.nonparametric.smoothers_lowess import lowess

from tigerbush.errors import TigerbushError
from tigerbush.series import (
    TIDY,
    common_number,
    equal_n,
    gaps,
    interpolated,
    outliers,
    pyveg_treatment,
    read_series,
    site_mean,
    tidy_rows,
    write_series,
)

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


def test_pyvegs_own_summary():
    series = read_series(summary(), "it.json")
    assert series.dates == tuple(DATES)
    assert series.places == ((11.5, 27.9), (11.6, 27.9))
    np.testing.assert_allclose(series.vegetation["ndvi"][:, 0], [0.2, np.nan, 0.2, 0.0], atol=1e-12)
    np.testing.assert_allclose(series.vegetation["ndvi_veg"][0], [0.6, np.nan], atol=1e-12)
    assert series.weather["total_precipitation"][0] == 10
    assert series.weather["temperature"][0] == pytest.approx(27)
    assert series.with_data.tolist() == [True, False, True, True]
    assert series.n_obs is None
    assert series.days.tolist() == [0, 30, 59, 90]
    mean, spread, number = site_mean(series.vegetation["offset50"])
    np.testing.assert_allclose(mean, [-400, np.nan, -400, -450])
    np.testing.assert_allclose(spread, [0, np.nan, 100, 0])
    assert number.tolist() == [1, 0, 2, 1]


def test_our_own_float_ndvi_and_acquisition_times_are_used():
    contents = summary()
    contents["COPERNICUS/S2"]["time-series-data"][DATES[0]][0] |= {"ndvi_mean": 0.2034, "n_obs": 2.0}
    names = [f"S2A_MSIL1C_201701{day}T120000_N0204_R122_T33TVL_20170110T110000" for day in ("10", "20")]
    contents["metadata"] = {"coords_id": "here", "products": {DATES[0]: {"products": names}}}
    series = read_series(contents, "it.json")
    assert series.site == "here"
    assert series.vegetation["ndvi"][0, 0] == 0.2034
    assert series.n_obs[0, 0] == 2
    # noon of the 10th and of the 20th; days count from the midnight of the first date
    assert series.days[0] == pytest.approx(-0.5)


def test_a_missing_key_leaves_a_hole():
    contents = summary()
    del contents["COPERNICUS/S2"]["time-series-data"][DATES[1]]
    del contents["ECMWF/ERA5/MONTHLY"]["time-series-data"][DATES[1]]
    assert read_series(contents, "it.json").positions.tolist() == [0, 1, 2]
    # with enough others, two months are two steps
    days = ["2017-01-16", "2017-02-15", "2017-04-16", "2017-05-16", "2017-06-16"]
    contents["COPERNICUS/S2"]["time-series-data"] = {day: [part(11.5, day, offset50=1)] for day in days}
    contents["ECMWF/ERA5/MONTHLY"]["time-series-data"] = {}
    assert read_series(contents, "it.json").positions.tolist() == [0, 1, 3, 4, 5]


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


def test_gaps_and_outliers_are_found_and_stay():
    present = np.array([1, 1, 0, 0, 1, 0], bool)
    assert gaps(present, list("abcdef")) == [
        {"start": "c", "end": "d", "dates": 2},
        {"start": "f", "end": "f", "dates": 1},
    ]
    random = np.random.default_rng(0)
    days = np.arange(60.0) * 30
    values = 0.4 - days / 1800 * 0.3 + random.normal(0, 0.01, 60)
    values[17] += 0.2
    values[30] = np.nan
    assert np.flatnonzero(outliers(days, values)).tolist() == [17]
    assert not outliers(days[:5], values[:5]).any()


def test_the_treatment_of_pyveg():
    random = np.random.default_rng(0)
    days = [f"2017-{month:02}-16" for month in range(1, 13)] + [
        f"2018-{month:02}-16" for month in range(1, 13)
    ]
    values = random.normal(-400, 20, 24)
    values[5] = 400
    contents = summary()
    contents["COPERNICUS/S2"]["time-series-data"] = {
        day: [part(11.5, day, offset50=value)] for day, value in zip(days, values, strict=True)
    }
    contents["ECMWF/ERA5/MONTHLY"]["time-series-data"] = {}
    series = read_series(contents, "it.json")
    smooth = pyveg_treatment(series).vegetation["offset50"][:, 0]
    kept = np.arange(24) != 5
    expected = lowess(values[kept], series.days[kept], frac=4 / 24, it=3, return_sorted=False)
    expected = np.where(np.isfinite(expected), expected, values[kept])
    np.testing.assert_allclose(smooth[kept], expected, atol=1e-9)
    assert np.isnan(smooth[5])
    assert interpolated(smooth, series.positions)[5] == pytest.approx((smooth[4] + smooth[6]) / 2)


def test_equal_draws_are_equally_noisy():
    random = np.random.default_rng(0)
    own = random.normal(0, 5, 12)
    table = own + random.normal(0, 1, (4000, 12))
    table[::2, 7:] = np.nan
    assert common_number(table) == 7
    drawn = equal_n(table, 7, random)
    # the sub-images' own means are off, so which ones are drawn matters little
    assert drawn[::2].std() == pytest.approx(drawn[1::2].std(), rel=0.05)
    assert drawn[::2].mean() == pytest.approx(drawn[1::2].mean(), abs=0.05)
    plain = site_mean(table)[0]
    assert (plain - plain[::2].mean())[::2].std() > 1.2 * plain[1::2].std()
    table[0] = np.nan
    assert np.isnan(equal_n(table, 7, random)[0])
    # a date with less than half of the usual number is left out instead of setting the number
    assert common_number(np.where(np.arange(16) < np.array([[16], [15], [14], [2]]), 1.0, np.nan)) == 14


def test_tidy_rows_and_both_files(tmp_path):
    series = read_series(summary(), "it.json")
    rows = tidy_rows(series)
    assert all(tuple(row) == TIDY for row in rows)
    means = [row for row in rows if (row["variable"], row["statistic"]) == ("offset50", "mean")]
    assert [(row["date"], row["value"], row["n"]) for row in means] == [
        (DATES[0], -400, 1),
        (DATES[2], -400, 2),
        (DATES[3], -450, 1),
    ]
    assert sum(row["sub_image"] is not None for row in rows) == 4 + 4 + 1
    write_series(rows, tmp_path / "series.csv", tmp_path / "series.parquet")
    lines = (tmp_path / "series.csv").read_text().splitlines()
    assert lines[0].replace('"', "").split(",") == list(TIDY)
    assert len(lines) == len(rows) + 1
    assert pyarrow.parquet.read_table(tmp_path / "series.parquet").to_pylist() == rows
    assert json.loads(json.dumps(rows)) == rows
