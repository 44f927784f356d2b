"""The change of a measure: equal calendar months, the interval of the difference, and the test of the trend."""

import numpy as np
import pytest
from scipy import stats

from tigerbush.analysis.changes import (
    change,
    changes_of,
    half_interval,
    inflation,
    mann_kendall,
    memory,
    tabulate,
    theil_sen,
)

MONTH = 365.2425 / 12
# 6 years and 4 seasons, with ties
TABLE = np.array([
    [3.1, 0.5, 7.7, 2.0], [2.9, 1.5, 8.1, 2.4], [3.6, 0.9, 7.9, 2.1], [4.2, 1.9, 9.0, 2.1], [3.9, 2.5, 8.8, 3.0],
    [5.0, 2.2, 8.5, 2.6],
])  # fmt: skip


def months(first, number):
    """Dates in the middle of months, the first of which is counted from January 2015."""
    return [f"{2015 + i // 12}-{i % 12 + 1:02}-16" for i in range(first, first + number)]


def season(first, number):
    """Values that depend on the calendar month alone."""
    return [float([5, 4, 3, 2, 1, 2, 9, 20, 15, 9, 7, 6][i % 12]) for i in range(first, first + number)]


def test_july_is_not_compared_with_january():
    """NDVI that has a season and no change: the first year is known from January to July, the last from June on."""
    values = season(0, 36)
    for i in (*range(7, 12), *range(24, 29)):
        values[i] = None
    result = change(months(0, 36), values, MONTH)
    # means over all values would be 26/7 and 68/7
    assert result["months"] == [6, 7]
    assert (result["first"], result["last"], result["difference"]) == (5.5, 5.5, 0.0)
    assert (result["first_period"], result["last_period"]) == (["2015-01", "2015-12"], ["2017-01", "2017-12"])
    assert (result["slope"], result["n"], result["years"], result["relative"]) == (0.0, 26, 1, 0.0)
    values[5] = values[6] = None
    none = change(months(0, 36), values, MONTH)
    assert none["why"] == ["too_short_for_trend", "months_do_not_match"]
    assert none["months"] == []
    assert all(none[key] is None for key in ("first", "last", "difference", "low", "high", "relative", "p"))
    assert none["slope"] == 0.0


@pytest.mark.parametrize(
    ("first", "number", "periods"),
    [
        (3, 24, (1, ["2015-04", "2016-03"], ["2016-04", "2017-03"])),
        (3, 35, (1, ["2015-04", "2016-03"], ["2017-03", "2018-02"])),
        (3, 71, (1, ["2015-04", "2016-03"], ["2020-03", "2021-02"])),
        (3, 72, (2, ["2015-04", "2017-03"], ["2019-04", "2021-03"])),
        (0, 179, (4, ["2015-01", "2018-12"], ["2025-12", "2029-11"])),
        (0, 504, (5, ["2015-01", "2019-12"], ["2052-01", "2056-12"])),
    ],
)
def test_the_ends_are_thirds_of_up_to_five_years(first, number, periods):
    values = [value + 0.001 * i for i, value in enumerate(season(first, number))]
    result = change(months(first, number), values, MONTH)
    assert (result["years"], result["first_period"], result["last_period"]) == periods
    assert result["months"] == list(range(1, 13))
    # the line alone, from the middle of one end to that of the other
    assert result["difference"] == pytest.approx(0.001 * (number - 12 * periods[0]), rel=1e-9)
    assert result["slope"] == pytest.approx(0.012, rel=1e-9)


@pytest.mark.parametrize("number", [1, 2, 12, 23])
def test_under_two_years_nothing_is_compared(number):
    result = change(months(0, number), season(0, number), MONTH)
    assert result["why"] == ["too_short"]
    assert (result["n"], result["months"], result["years"], result["first_period"]) == (
        number,
        [],
        None,
        None,
    )
    assert all(result[key] is None for key in ("first", "last", "difference", "low", "high", "p", "slope"))
    # empty dates at the ends are no length
    longer = [None, *season(0, number), *[None] * 12]
    assert change(months(0, number + 13), longer, MONTH)["why"] == ["too_short"]


def test_what_never_changes_has_no_interval_and_no_trend():
    result = change(months(0, 48), [0.25] * 48, MONTH)
    assert (result["first"], result["last"], result["difference"], result["relative"]) == (
        0.25,
        0.25,
        0.0,
        0.0,
    )
    assert result["why"] == ["constant"]
    assert [result[key] for key in ("low", "high", "p", "slope")] == [None] * 4


def test_an_end_of_several_years_is_the_mean_of_each_month_first():
    """A month of two years counts as one of one year."""
    values = [None] * 84
    for place, value in {0: 1, 12: 3, 13: 10, 61: 14, 72: 6, 73: 16, 83: 7}.items():
        values[place] = value
    result = change(months(0, 84), values, MONTH)
    # two years at each end: January 2 and 6, February 10 and 15; December is not in the first
    assert (result["months"], result["first"], result["last"]) == ([1, 2], 6.0, 10.5)
    assert result["relative"] == 0.75


@pytest.mark.parametrize(
    ("first", "last", "relative"), [(-2.0, -3.0, 0.5), (-2.0, 3.0, None), (0.0, 3.0, None), (4.0, 1.0, -0.75)]
)
def test_the_relative_change_is_one_of_size(first, last, relative):
    values = [first] * 12 + [first, last] * 6 + [last] * 12
    assert change(months(0, 36), values, MONTH)["relative"] == relative


def test_parts_of_a_month_are_compared_where_dates_are_closer():
    """Of two dates a month, the second halves of the first year are missing; every other date is ten more."""
    dates = [
        f"{year}-{month:02}-{day:02}"
        for year in (2018, 2019, 2020)
        for month in range(1, 13)
        for day in (8, 23)
    ]
    values = [None if i < 24 and i % 2 else float(10 * (i % 2)) for i in range(72)]
    result = change(dates, values, 15.2)
    assert (result["first"], result["last"], result["months"]) == (0.0, 0.0, list(range(1, 13)))
    # as months they would be 0 and 5
    assert change(dates, values, MONTH)["difference"] == 5.0
    table = tabulate(dates, values, 15.2)
    assert (table.values.shape, table.length, table.parts) == ((3, 24), 72, 2)
    # the 23rd and the 31st are in the second half of a month, the 15th of 31 days in the first, of 28 in the second
    dates = ["2019-01-15", "2019-01-31", "2019-02-15", "2019-02-28"]
    counted = tabulate(dates, [1.0, 2.0, 3.0, 5.0], 14.0)
    np.testing.assert_array_equal(counted.values[0, :4], [1, 2, np.nan, 4])


def test_years_and_directions():
    """A date a year has a season of one month; an angle has no mean."""
    dates = [f"{year}-07-02" for year in range(2010, 2019)]
    measures = {
        "ndvi": {"unit": "1", "dates": dates, "mean": [1.0, 2, 3, 4, 5, 6, 7, 8, 9]},
        "direction": {"unit": "degree", "dates": dates, "values": [5.0] * 9},
        "cover": {"unit": "1", "dates": dates, "values": [None] * 9},
        "wavelength": {"unit": "m", "dates": dates, "values": [None, float("nan"), *[80.0] * 7]},
    }
    changes = changes_of(measures, 365.25)
    assert list(changes) == ["ndvi", "wavelength"]
    assert (changes["ndvi"]["years"], changes["ndvi"]["first"], changes["ndvi"]["last"]) == (2, 1.5, 8.5)
    assert (changes["ndvi"]["unit"], changes["ndvi"]["months"], changes["ndvi"]["slope"]) == ("1", [7], 1.0)
    assert (changes["wavelength"]["n"], changes["wavelength"]["unit"]) == (7, "m")


def slow_score(values):
    """S and the variance of Hirsch & Slack 1984 by their sums; missing values have the mean rank."""
    years, width = values.shape
    known = np.isfinite(values)
    score, variance = 0.0, 0.0
    for g in range(width):
        for h in range(width):
            k = sum(
                np.sign((values[j, g] - values[i, g]) * (values[j, h] - values[i, h]))
                for i in range(years)
                for j in range(i + 1, years)
                if known[[i, j]][:, [g, h]].all()
            )
            ranks = [
                [
                    (known[:, s].sum() + 1 + sum(np.sign(values[i, s] - values[j, s]) for j in range(years) if known[j, s])) / 2
                    if known[i, s]
                    else (known[:, s].sum() + 1) / 2
                    for i in range(years)
                ]
                for s in (g, h)
            ]  # fmt: skip
            variance += (
                k + 4 * np.dot(*ranks) - years * (known[:, g].sum() + 1) * (known[:, h].sum() + 1)
            ) / 3
        score += sum(
            np.sign(values[j, g] - values[i, g])
            for i in range(years)
            for j in range(i + 1, years)
            if known[i, g] and known[j, g]
        )
    return score, variance


def test_the_trend_test_is_that_of_hirsch_and_slack():
    # score and variance by pymannkendall 1.4.3, correlated_seasonal_test, which has no correction for continuity
    assert mann_kendall(TABLE) == pytest.approx(2 * stats.norm.sf(36 / 329**0.5), rel=1e-12)
    assert theil_sen(TABLE)["slope"] == pytest.approx(0.25, rel=1e-12)
    gappy = np.where(np.arange(24).reshape(6, 4) % 7 == 3, np.nan, TABLE)
    for table in (TABLE, gappy):
        score, variance = slow_score(table)
        assert mann_kendall(table) == pytest.approx(2 * stats.norm.sf((score - 1) / variance**0.5), rel=1e-12)
        assert mann_kendall(-table) == pytest.approx(mann_kendall(table), rel=1e-12)


def test_one_season_is_the_test_of_mann_and_kendall():
    """Gilbert 1987 (Statistical Methods for Environmental Pollution Monitoring): variance n (n-1) (2n+5) / 18."""
    values = np.array([[1.0], [3], [2], [5], [4], [7], [6], [8]])
    # 25 pairs rise and 3 fall
    expected = 2 * stats.norm.sf((22 - 1) / np.sqrt(8 * 7 * 21 / 18))
    assert mann_kendall(values) == pytest.approx(expected, rel=1e-12)
    # in two equal seasons the second one tells nothing
    assert mann_kendall(np.hstack([values, values])) == pytest.approx(
        2 * stats.norm.sf((44 - 1) / np.sqrt(4 * 8 * 7 * 21 / 18)), rel=1e-12
    )
    assert mann_kendall(np.array([[1.0, np.nan], [np.nan, 2.0]])) is None


def test_negative_covariances_do_not_shrink_the_variance():
    """Two seasons that go against each other: S is 0, and the variance that of independent seasons."""
    values = np.array([[1.0, 4.0], [2, 3], [3, 2], [4, 1.5]])
    values[0, 1] = np.nan
    # 6 pairs rise, 3 fall; variances 26/3 and 11/3
    assert mann_kendall(values) == pytest.approx(2 * stats.norm.sf(2 / np.sqrt(37 / 3)), rel=1e-12)


def test_the_slope_is_the_median_of_pairs():
    values = np.array([[1.0, 10], [2, np.nan], [5, 16]])
    # 1, 3 and 2 of the first season, 3 of the second
    assert theil_sen(values) == {"slope": 2.5, "slope_low": None, "slope_high": None}
    assert theil_sen(np.array([[1.0, np.nan], [np.nan, 2.0]]))["slope"] is None
    ordinary = stats.theilslopes(TABLE[:, 0], np.arange(6))
    own = theil_sen(TABLE[:, :1])
    # one season without ties: Sen's interval, as scipy has it, which takes the next rank inwards
    slopes = np.sort([(TABLE[j, 0] - TABLE[i, 0]) / (j - i) for i in range(6) for j in range(i + 1, 6)])
    assert own["slope"] == pytest.approx(ordinary.slope, rel=1e-12)
    reach = 1.959964 * np.sqrt(6 * 5 * 17 / 18)
    assert own["slope_low"] == slopes[int(np.floor((15 - reach) / 2)) - 1]
    assert own["slope_high"] == slopes[int(np.ceil((15 + reach) / 2))]
    assert own["slope_low"] <= ordinary.low_slope <= ordinary.high_slope <= own["slope_high"]


def residuals_of(values):
    """From season and line, by the regression of statsmodels; NaN where missing."""
    import statsmodels.api

    year, month = np.nonzero(np.isfinite(values))
    fit = statsmodels.api.OLS(
        values[year, month], np.column_stack([np.eye(values.shape[1])[month], year])
    ).fit()
    residual = np.full(values.shape, np.nan)
    residual[year, month] = fit.resid
    return residual


def with_memory(random, own, number):
    """An AR(1) process."""
    noise = random.normal(size=number)
    for i in range(1, number):
        noise[i] += own * noise[i - 1]
    return noise


def test_the_interval_is_one_of_years():
    """Yearly anomalies from season and line, Student's t with two fewer than years."""
    random = np.random.default_rng(3)
    values = random.normal(size=(9, 12)) + np.arange(12) + 0.3 * np.arange(9)[:, None] ** 1.3
    values[random.random(values.shape) < 0.2] = np.nan
    values[4, :7] = np.nan
    residual = residuals_of(values)
    # the fifth year has less than half of its months
    anomalies = [np.nanmean(residual[i]) for i in range(9) if i != 4]
    deviation = np.sqrt(np.square(anomalies).sum() / 6)
    assert half_interval(values, 3) == pytest.approx(2.446911851 * deviation * np.sqrt(2 / 3), rel=1e-9)
    assert half_interval(values[:2], 1) is None


def test_memory_is_the_autocorrelation_of_residuals_without_bias():
    random = np.random.default_rng(6)
    values = with_memory(random, 0.7, 96).reshape(8, 12) + 3 * np.arange(12) + 0.5 * np.arange(8)[:, None]
    values[random.random(values.shape) < 0.15] = np.nan
    residual = residuals_of(values).ravel()
    products = [residual[i] * residual[i + 1] for i in range(95) if np.isfinite(residual[i : i + 2]).all()]
    known = residual[np.isfinite(residual)]
    estimate = np.mean(products) / np.mean(known**2)
    assert memory(values) == pytest.approx(estimate + (2 + 4 * estimate) / len(known), rel=1e-9)
    assert 0.4 < memory(values) < 0.97
    # below 0; too few pairs; nothing that varies
    waves = np.tile([1.0, -1.0], 48).reshape(8, 12) * (np.arange(8)[:, None] % 3)
    assert memory(waves) == memory(values[:, :1]) == memory(values[:1]) == 0
    assert memory(np.random.default_rng(1).normal(size=400).cumsum().reshape(4, 100)) <= 0.97


def test_memory_from_year_to_year_raises_the_variance_of_a_difference():
    """By the whole matrix of covariances, and by that without those between years."""
    weights = np.zeros((6, 12))
    weights[:2], weights[4:] = -1 / 24, 1 / 24
    weights[0, 3] = 0
    lag = np.abs(np.subtract.outer(np.arange(72), np.arange(72)))
    same = np.subtract.outer(np.arange(72) // 12, np.arange(72) // 12) == 0
    for own in (0.3, 0.95):
        whole, within = (weights.ravel() @ matrix @ weights.ravel() for matrix in (own**lag, own**lag * same))
        assert inflation(weights, own) == pytest.approx(whole / within, rel=1e-12)
    assert inflation(weights, 0.95) > 1.2
    # years next to each other, of opposite sign: never below 1
    weights[0], weights[4:], weights[2:4] = 0, 0, 1 / 24
    assert inflation(weights, 0.95) == inflation(weights, 0.0) == 1.0


def test_memory_widens_intervals_and_raises_p():
    table = with_memory(np.random.default_rng(12), 0.9, 120).reshape(10, 12) + np.array(season(0, 12))
    result = change(months(0, 120), table.ravel().tolist(), MONTH)
    ends = np.zeros((10, 12))
    ends[:3], ends[7:] = -1 / 36, 1 / 36
    factor = inflation(ends, memory(table))
    assert factor > 1.1
    half = half_interval(table, 3) * factor**0.5
    assert result["low"] == pytest.approx(result["difference"] - half, rel=1e-9)
    assert result["high"] == pytest.approx(result["difference"] + half, rel=1e-9)
    line = np.repeat(np.arange(10) - 4.5, 12).reshape(10, 12)
    factor = inflation(line, memory(table))
    score, variance = slow_score(table)
    assert result["p"] == pytest.approx(
        2 * stats.norm.sf((abs(score) - 1) / (factor * variance) ** 0.5), rel=1e-9
    )
    assert {key: result[key] for key in ("slope", "slope_low", "slope_high")} == theil_sen(table, factor)
    assert theil_sen(table, factor)["slope_high"] > theil_sen(table)["slope_high"]


def test_two_years_have_no_interval():
    result = change(months(0, 24), [value + 0.1 * i for i, value in enumerate(season(0, 24))], MONTH)
    assert result["why"] == ["too_short_for_trend", "too_short_for_interval"]
    assert result["difference"] == pytest.approx(1.2, rel=1e-12)
    assert result["low"] is result["high"] is result["p"] is None


def test_level_and_coverage():
    """500 records of ten years with memory, a season and gaps: 99.9 % binomial limits around 5 and 95 %."""
    random = np.random.default_rng(11)
    dates, false, covered = months(0, 120), 0, 0
    for _ in range(500):
        noise = random.normal(size=120)
        for i in range(1, 120):
            noise[i] += 0.3 * noise[i - 1]
        values = np.array(season(0, 120)) + noise
        values[random.random(120) < 0.2] = np.nan
        result = change(dates, values.tolist(), MONTH)
        false += result["p"] <= 0.05
        covered += result["low"] <= 0 <= result["high"]
    assert false <= 43
    assert covered >= 457


def test_the_bench_of_changes_runs(capsys):
    from bench import changes

    assert changes.main(["--series", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 4 * 7
    assert lines[2].startswith("| 36 | 0 | plain | – | – | ")
