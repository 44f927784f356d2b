"""What analysis.json says of rain: lags, the decay of the mean annual cycle, recovery after a drought that was planted."""

import numpy as np
import pytest
import yaml

import planted
import slow
from fabricate import ROOT
from planted import assert_same, month
from tigerbush.analysis.series import read_series
from tigerbush.analysis.site import analyse_site

# refused, so that only what is tested here is computed
SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"] | {
    "mode": "default",
    "minimum_dates": 99,
}
PLACES = planted.indices()
NOMINAL = [planted.ordinal(month(i)) - planted.ordinal(month(0)) for i in PLACES]
DAYS = [planted.days_of(i) for i in PLACES]


@pytest.fixture(scope="module")
def summary():
    return planted.long_summary()


@pytest.fixture(scope="module")
def analysis(summary):
    return analyse_site(read_series(summary, "it"), SETTINGS)


@pytest.fixture(scope="module")
def rain(summary):
    series = summary["ECMWF/ERA5/MONTHLY"]["time-series-data"]
    return [weather["total_precipitation"] * 1000 for weather in series.values()]


@pytest.fixture(scope="module")
def means(summary):
    """Over the sub-images that are there."""
    tables = {
        name: planted.table_of(summary, key)
        for name, key in (("offset50", "offset50"), ("ndvi", "ndvi_mean"))
    }
    return {
        name: np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in table])
        for name, table in tables.items()
    }


def test_vegetation_follows_the_rain_of_two_months_before(analysis, rain, means):
    weather = analysis["weather"]
    assert list(weather) == ["lagged_correlation"]
    weather = weather["lagged_correlation"]
    odd_rain = slow.rest_of(DAYS, np.array(rain), 2)
    for variable, mean in means.items():
        odd, numbers = slow.lagged(slow.rest_with_gaps(DAYS, mean, 2), odd_rain, PLACES)
        assert max(odd, key=abs) == odd[planted.LAG] > 0.3
        # of 51 dates; the first has the rain of two months before; one month is not there
        assert numbers == [51, 50, 50, 49, 48, 47, 46]
        assert_same(weather[variable], {
            "lags": [0, 1, 2, 3, 4, 5, 6],
            "correlation": list(map(float, odd)),
            "n": numbers,
            "best_lag": 2,
            "best_correlation": float(odd[2]),
            "raw_correlation": list(map(float, slow.lagged(mean, rain, PLACES)[0])),
            "days_per_lag": 1736 / 57,
        })  # fmt: skip
    nothing = [None] * 7
    assert weather["ndvi_veg"] == {
        "lags": [0, 1, 2, 3, 4, 5, 6],
        "correlation": nothing,
        "n": [0] * 7,
        "best_lag": None,
        "best_correlation": None,
        "raw_correlation": nothing,
        "days_per_lag": weather["ndvi"]["days_per_lag"],
    }


def test_the_best_lag_may_be_of_less_vegetation_after_more_rain(summary, rain):
    """The raw correlation of what is a multiple of the rain of four months before is -1."""

    def change(vegetation):
        for i, day in enumerate(vegetation):
            if i < 4 or PLACES[i] - 4 not in PLACES:
                vegetation[day] = None
            else:
                fallen = rain[PLACES.index(PLACES[i] - 4)]
                vegetation[day] = [{"latitude": 11.5, "longitude": 27.9, "ndvi_mean": 0.5 - fallen / 400}]

    result = analyse_site(read_series(planted.changed(summary, change), "it"), SETTINGS)
    correlations = result["weather"]["lagged_correlation"]["ndvi"]
    assert correlations["best_lag"] == 4
    assert correlations["raw_correlation"][4] == pytest.approx(-1, abs=1e-12)
    assert correlations["best_correlation"] == correlations["correlation"][4] < -0.9


def test_no_rain_is_told_as_such(summary):
    dry = summary | {"ECMWF/ERA5/MONTHLY": {"type": "weather", "time-series-data": {}}}
    result = analyse_site(read_series(dry, "it"), SETTINGS)
    assert result["weather"] == {"lagged_correlation": {}}
    assert result["recovery"]["dry_spells"] == []
    assert result["recovery"]["annual_cycle"]["ndvi"]["decay_rate"] is not None


def test_the_mean_annual_cycle(analysis, means):
    for variable, mean in means.items():
        finite = np.isfinite(mean)
        line = np.polyval(np.polyfit(np.array(DAYS)[finite], mean[finite], 1), DAYS)
        level = mean - line + mean[finite].mean()
        names = [int(month(i)[5:7]) for i in PLACES]
        cycle = [
            np.mean(
                [value for value, name in zip(level, names, strict=True) if name == k and np.isfinite(value)]
            )
            for k in range(1, 13)
        ]
        top, bottom = int(np.argmax(cycle)), int(np.argmin(cycle))
        # the outlier of September 2019 lifts that month above October; the year turns on the way down
        assert (top + 1, bottom + 1) == (9, 4)
        fall = [cycle[k % 12] - cycle[bottom] for k in range(top, bottom + 1 + 12 * (bottom < top))]
        rate, r2 = slow.best_exponential(range(len(fall)), fall)
        annual_cycle = analysis["recovery"]["annual_cycle"][variable]
        assert_same(annual_cycle["mean"], list(map(float, cycle)))
        # the fit of the analysis stops when it gains less than 1e-8, which is flat by 1e-4
        assert_same(
            annual_cycle,
            {
                "months": list(range(1, 13)),
                "mean": annual_cycle["mean"],
                "decay_rate": float(rate),
                "r2": float(r2),
            },
            1e-3,
        )
    assert analysis["recovery"]["annual_cycle"]["ndvi_veg"] == {
        "months": [], "mean": [], "decay_rate": None, "r2": None
    }  # fmt: skip


def test_recovery_after_the_drought_that_was_planted(analysis, rain, means):
    spells = slow.dry_runs(rain, PLACES, NOMINAL, 2)
    # the rain fails from month 31 to 35: three months are dry in the third, and there are dry ones among three in the 37th
    assert [(PLACES[first], PLACES[last]) for first, last in spells] == [(33, 37)]
    (first, last) = spells[0]
    expected = []
    for variable, mean in means.items():
        odd = slow.rest_with_gaps(DAYS, mean, 2)
        low = min(range(first, last + 3), key=lambda i: odd[i] if np.isfinite(odd[i]) else 9)
        year = [i for i in range(low, 57) if DAYS[i] < DAYS[low] + slow.YEAR and np.isfinite(odd[i])]
        rate, r2 = slow.best_exponential([DAYS[i] - DAYS[low] for i in year], odd[year])
        expected.append(
            {
                "start": month(PLACES[low]),
                "variable": variable,
                "rate": float(rate),
                "r2": float(r2),
                "used": bool(r2 >= 0.2),
            }
        )
    assert_same(analysis["recovery"]["dry_spells"], expected, 1e-3)


def test_the_decay_and_the_recovery_that_were_planted():
    """Eight years of a season that decays at 0.6 a month; and after a drought, what was lost returns at 0.012 a day."""
    days = np.array([planted.ordinal(month(i, 0)) for i in range(96)], dtype=float)
    rain = 40 + 20 * np.cos(2 * np.pi * days / slow.YEAR)
    rain[50:54] -= 18
    # from February down to a floor in September
    course = np.array([0.02, *np.exp(-0.6 * np.arange(7)), 0.0, 0.0, 0.0, 0.01])
    offset = np.where(days < days[53], -400, -400 - 100 * np.exp(-0.012 * (days - days[53])))
    vegetation = {
        month(i, 0): [
            {
                "latitude": 1.0,
                "longitude": 2.0,
                "ndvi_mean": float(0.2 + 0.3 * course[i % 12]),
                "offset50": float(offset[i]),
            }
        ]
        for i in range(96)
    }
    weather = {month(i, 0): {"total_precipitation": float(rain[i] / 1000)} for i in range(96)}
    recovery = analyse_site(read_series(planted.summary_of(vegetation, weather), "it"), SETTINGS)["recovery"]
    # the line through whole years of a season is hardly inclined
    np.testing.assert_allclose(recovery["annual_cycle"]["ndvi"]["mean"], 0.2 + 0.3 * course, atol=0.005)
    assert recovery["annual_cycle"]["ndvi"]["decay_rate"] == pytest.approx(0.6, rel=0.05)
    spell = recovery["dry_spells"][0]
    assert (spell["start"], spell["variable"], spell["used"]) == (month(53, 0), "offset50", True)
    # what is lost for months is in the line and the season that are taken off, too
    assert spell["rate"] == pytest.approx(0.012, rel=0.15)


def test_lags_without_enough_pairs_are_none(summary, rain, means):
    """Of the first 16 months 14 have data: those of three and fewer lags are twelve pairs or more."""

    def change(vegetation):
        for day in list(vegetation)[16:]:
            del vegetation[day]

    short = planted.changed(summary, change)
    weather = summary["ECMWF/ERA5/MONTHLY"]["time-series-data"]
    short["ECMWF/ERA5/MONTHLY"]["time-series-data"] = dict(list(weather.items())[:16])
    correlations = analyse_site(read_series(short, "it"), SETTINGS)["weather"]["lagged_correlation"]["ndvi"]
    # under two years nothing but a line is taken off
    odd, odd_rain = (
        slow.rest_with_gaps(DAYS[:16], np.array(series)[:16], 0) for series in (means["ndvi"], rain)
    )
    correlation, numbers = slow.lagged(odd, odd_rain, PLACES[:16])
    assert correlations["n"] == numbers == [14, 14, 14, 13, 12, 11, 10]
    assert_same(correlations["correlation"], [*map(float, correlation[:5]), None, None])
    best = max(range(5), key=lambda lag: abs(correlation[lag]))
    assert (correlations["best_lag"], correlations["best_correlation"]) == (
        best,
        correlations["correlation"][best],
    )
    assert [value is None for value in correlations["raw_correlation"]] == [False] * 5 + [True] * 2
