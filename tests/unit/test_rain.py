"""Answers to rain, on series that were made from known ones, and against slow references."""

import numpy as np
import pytest

import slow
from tigerbush.analysis.rain import (
    annual_cycle,
    anomalies,
    dry_spells,
    exponential_fit,
    lagged_correlation,
    recoveries,
)

STEP = 30.44
PLACES = np.arange(96)
DAYS = PLACES * STEP
DATES = [f"{2015 + i // 12}-{i % 12 + 1:02}-16" for i in range(96)]
YEAR = 365.2425


def test_the_lag_is_found():
    rain = np.random.default_rng(0).gamma(2, 20, 96)
    vegetation = np.concatenate([[np.nan, np.nan], 0.01 * rain[:-2]])
    result = lagged_correlation(vegetation, rain, PLACES)
    assert result["lags"] == list(range(7))
    assert int(np.argmax(result["correlation"])) == 2
    assert result["correlation"][2] == pytest.approx(1, abs=1e-12)
    expected, numbers = slow.lagged(vegetation, rain, PLACES.tolist())
    np.testing.assert_allclose(result["correlation"], expected, rtol=1e-9)
    assert result["n"] == numbers == [94, 94, 94, 93, 92, 91, 90]
    # a lag counts periods, not rows
    keep = np.delete(PLACES, [20, 21])
    assert lagged_correlation(vegetation[keep], rain[keep], keep)["correlation"][2] == pytest.approx(1)


def test_twelve_pairs_that_vary_make_a_correlation():
    rain = np.random.default_rng(0).gamma(2, 20, 14)
    vegetation = rain**2
    result = lagged_correlation(vegetation, rain, PLACES[:14])
    assert result["n"] == [14, 13, 12, 11, 10, 9, 8]
    assert [value is None for value in result["correlation"]] == [False] * 3 + [True] * 4
    assert lagged_correlation(np.ones(14), rain, PLACES[:14])["correlation"] == [None] * 7
    assert lagged_correlation(vegetation, np.ones(14), PLACES[:14])["correlation"] == [None] * 7


def test_season_and_line_are_no_anomalies():
    random = np.random.default_rng(3)
    values = random.gamma(2, 1, 96) + 0.01 * DAYS + np.cos(2 * np.pi * DAYS / YEAR)
    values[[0, 5, 95]] = np.nan
    for harmonics in (0, 1, 2):
        residuals = anomalies(values, DAYS, STEP, harmonics)
        np.testing.assert_allclose(residuals, slow.rest_with_gaps(DAYS, values, harmonics), atol=1e-10)
    np.testing.assert_array_equal(anomalies(values, DAYS, STEP), residuals)
    # the years are those of the values that are there: these bear no season
    values[24:] = np.nan
    np.testing.assert_allclose(
        anomalies(values, DAYS, STEP), slow.rest_with_gaps(DAYS, values, 0), atol=1e-10
    )


def test_anomalies_need_twelve_values():
    values = np.random.default_rng(3).gamma(2, 1, 14)
    values[3] = np.nan
    assert np.isfinite(anomalies(values[:13], DAYS[:13], STEP)).sum() == 12
    assert np.isnan(anomalies(values[:12], DAYS[:12], STEP)).all()


def test_an_exponential_is_found_as_it_was_made():
    times = np.arange(8.0)
    assert exponential_fit(times, -3 * np.exp(-0.4 * times)) == pytest.approx((0.4, 1), abs=1e-6)
    assert exponential_fit(times[:4], np.exp(-0.4 * times[:4])) == pytest.approx((0.4, 1), abs=1e-6)
    assert exponential_fit(times[:3], np.exp(-0.4 * times[:3])) is None
    assert exponential_fit(times, np.exp(0.3 * times)) is None
    assert exponential_fit(times, np.full(8, 2.0)) is None
    # what begins at 0 has nothing to lose, whatever it does later
    assert exponential_fit(times, np.array([0.0, 9, 6, 4, 3, 2, 1.5, 1])) is None
    # a fall of 1
    assert exponential_fit(times[:5], np.array([1.0, 0.5, 0.2, 0.1, 0.0])) == pytest.approx(
        (0.75, 0.99), abs=0.05
    )


def test_a_fit_worse_than_the_mean_is_none():
    """The search ends at a curve through the first value alone: R2 is 1 - sum of squares of the others / of deviations."""
    times, values = np.arange(4) * 30.0, np.array([-0.6, 0.4, 1.3, 0.9])
    assert 1 - np.square(values[1:]).sum() / np.square(values - 0.5).sum() == pytest.approx(-0.3168, abs=1e-4)
    assert exponential_fit(times, values) is None


@pytest.mark.parametrize(
    "values",
    [
        [-0.3, -0.1, -0.2, 0.02, -0.15, 0.05, -0.1, 0.12],
        [0.9, 0.2, 0.6, 0.1, 0.5, 0.05, 0.7, -0.2],
        [1.0, 0.8, 0.1, 0.2, 0.15],
    ],
)
def test_a_bad_fit_has_the_rate_and_the_r2_of_least_squares(values):
    times = np.array([0.0, 2, 3, 5, 6, 8, 9, 12])[: len(values)]
    rate, r2 = exponential_fit(times, np.array(values))
    expected = slow.best_exponential(times, values)
    assert 0.05 < expected[1] < 0.9
    # the fit stops when it gains less than 1e-8, which is flat by 1e-4
    assert rate == pytest.approx(expected[0], rel=1e-3)
    assert r2 == pytest.approx(expected[1], abs=1e-7)


def cycle_of(fall, rise, years=8):
    """NDVI of whole years from January on: `fall` from a top in June on, `rise` after its end."""
    course = np.concatenate([fall, rise])
    return np.tile(np.roll(course, 5), years)


def test_the_decay_of_the_mean_annual_cycle():
    """From a top in June down to the floor in January, which is 0 above itself, so that no exponential is exact."""
    values = cycle_of(0.2 + 0.5 * np.array([1, 0.6, 0.5, 0.2, 0.16, 0.08, 0.06, 0.0]), [0.25, 0.3, 0.4, 0.5])
    # a trend, a gap and a value that lasts for one year only
    values = values + 0.0004 * DAYS
    values[[3, 40, 95]] = np.nan
    result = annual_cycle(values, DAYS, DATES)
    finite = np.isfinite(values)
    line = np.polyval(np.polyfit(DAYS[finite], values[finite], 1), DAYS)
    level = values - line + values[finite].mean()
    mean = [np.nanmean(level[month::12]) for month in range(12)]
    assert result["months"] == list(range(1, 13))
    np.testing.assert_allclose(result["mean"], mean, atol=1e-12)
    fall = np.array([*mean[5:], mean[0]]) - mean[0]
    rate, r2 = slow.best_exponential(range(8), fall)
    assert result["decay_rate"] == pytest.approx(rate, rel=1e-3)
    assert result["r2"] == pytest.approx(r2, abs=1e-7)
    assert 0.4 < rate < 0.6


def test_a_cycle_without_a_fall_of_four_months_or_a_fit_has_no_rate():
    months = [*range(1, 13)]
    sudden = annual_cycle(cycle_of([1.0, 0.5, 0.0], np.linspace(0.1, 0.9, 9)), DAYS, DATES)
    assert (sudden["months"], sudden["decay_rate"], sudden["r2"]) == (months, None, None)
    # four months are enough
    four = annual_cycle(cycle_of([1.0, 0.5, 0.2, 0.0], np.linspace(0.1, 0.9, 8)), DAYS, DATES)
    assert four["decay_rate"] == pytest.approx(0.8, abs=0.1)
    # hardly a decay: R2 is reported, but no rate
    wild = [1.0, 0.1, 0.95, 0.1, 0.9, 0.05, 0.9, 0.0]
    result = annual_cycle(cycle_of(wild, [0.5, 0.6, 0.7, 0.8]), DAYS, DATES)
    assert result["decay_rate"] is None
    assert 0 < result["r2"] < 0.2
    # no value in March
    gap = cycle_of(0.5 ** np.arange(8.0), [0.2, 0.4, 0.6, 0.8])
    gap[2::12] = np.nan
    result = annual_cycle(gap, DAYS, DATES)
    assert (result["months"], result["decay_rate"], result["r2"]) == ([1, 2, *range(4, 13)], None, None)


def test_a_line_is_taken_off_a_cycle_of_twelve_values_or_more():
    values = cycle_of(np.linspace(1, 0.3, 8), [0.4, 0.5, 0.6, 0.7], 2)
    result = annual_cycle(values[:11], DAYS[:11], DATES[:11])
    np.testing.assert_array_equal(result["mean"], values[:11])
    line = np.polyval(np.polyfit(DAYS[:12], values[:12], 1), DAYS[:12])
    result = annual_cycle(values[:12], DAYS[:12], DATES[:12])
    np.testing.assert_allclose(result["mean"], values[:12] - line + values[:12].mean(), atol=1e-12)


def test_an_r2_of_0_2_itself_is_enough(monkeypatch):
    monkeypatch.setattr("tigerbush.analysis.rain.exponential_fit", lambda times, values: (0.5, 0.2))
    values = cycle_of(np.linspace(1, 0.3, 8), [0.4, 0.5, 0.6, 0.7])
    assert annual_cycle(values, DAYS, DATES)["decay_rate"] == 0.5
    (recovery,) = recoveries(-values, DAYS, [(3, 5)])
    assert (recovery["rate"], recovery["r2"], recovery["used"]) == (0.5, 0.2, True)


def rain_with(*droughts):
    rain = 50 + 30 * np.cos(2 * np.pi * DAYS / YEAR) + np.random.default_rng(1).gamma(2, 2, 96)
    for first, last in droughts:
        rain[first : last + 1] -= 40
    return rain


def test_dry_spells_are_of_three_periods():
    """Rain that fails from 40 to 44, and from 70 to 71: one such month is enough for each sum of three that has it."""
    rain = rain_with((40, 44), (70, 71))
    expected = slow.dry_runs(rain, PLACES.tolist(), DAYS, 2)
    assert expected == [(40, 46), (70, 73)]
    assert dry_spells(rain, DAYS, PLACES, STEP) == expected
    # a month that is missing is in three sums: what was one spell are two
    rain[42] = np.nan
    spells = dry_spells(rain, DAYS, PLACES, STEP)
    assert spells == [(40, 41), (45, 46), (70, 73)]
    # a key that is missing is no dry month, nor are those before the first
    keep = np.delete(PLACES, [2, 57])
    wet = rain_with((40, 44), (0, 1))
    assert dry_spells(wet[keep], DAYS[keep], keep, STEP) == slow.dry_runs(
        wet[keep], keep.tolist(), DAYS[keep], 2
    )


def test_dry_is_a_standard_deviation_below_the_usual():
    """Of sums of three; one drought of five months, whose edges are shallower than that."""
    rain = rain_with()
    for depth in (3.0, 6.0, 9.0, 12.0):
        shallow = rain.copy()
        shallow[60:65] -= depth
        expected = slow.dry_runs(shallow, PLACES.tolist(), DAYS, 2)
        assert dry_spells(shallow, DAYS, PLACES, STEP) == expected
        assert len(expected) >= 1


def test_no_rain_no_spells():
    assert dry_spells(np.full(96, np.nan), DAYS, PLACES, STEP) == []
    assert dry_spells(np.zeros(96), DAYS, PLACES, STEP) == []
    # of every other period only, no three are together
    half = np.where(PLACES % 2, np.nan, rain_with((40, 44)))
    assert dry_spells(half, DAYS, PLACES, STEP) == []


def recovered(vegetation, course):
    return slow.best_exponential(DAYS[course] - DAYS[course[0]], vegetation[course])


def test_each_recovery_is_fitted_from_the_lowest_value_for_a_year_or_until_the_next_spell():
    """Spells from 20 to 22 and from 50 to 52; the lowest values come two dates after the first and within the second."""
    vegetation = np.random.default_rng(5).normal(0, 0.02, 96)
    vegetation[24:50] -= 0.3 * np.exp(-0.01 * (DAYS[24:50] - DAYS[24]))
    vegetation[51:] -= 0.2 * np.exp(-0.02 * (DAYS[51:] - DAYS[51]))
    vegetation[[27, 54]] = np.nan
    spells = [(20, 22), (50, 52), (58, 58)]
    fits = recoveries(vegetation, DAYS, spells)
    # 365.2425 days are 11.999 steps: the twelfth date after is beyond
    first = [24, 25, 26, *range(28, 36)]
    second = [51, 52, 53, 55, 56, 57]
    assert [fit["index"] for fit in fits[:2]] == [24, 51]
    for fit, course in zip(fits, (first, second), strict=False):
        rate, r2 = recovered(vegetation, course)
        assert fit["rate"] == pytest.approx(rate, rel=1e-3)
        assert fit["r2"] == pytest.approx(r2, abs=1e-7)
        assert fit["used"] and r2 > 0.7
        assert list(fit) == ["index", "rate", "r2", "used"]


def test_a_low_that_comes_three_dates_after_the_spell_is_not_its():
    vegetation = np.full(96, 0.1)
    vegetation[[20, 25]] = -0.1, -0.5
    (recovery,) = recoveries(vegetation, DAYS, [(19, 22)])
    assert recovery["index"] == 20
    vegetation[24] = -0.4
    (recovery,) = recoveries(vegetation, DAYS, [(19, 22)])
    assert recovery["index"] == 24
    # one before the spell is not its, either
    vegetation[18] = -0.9
    assert recoveries(vegetation, DAYS, [(19, 22)])[0]["index"] == 24


def test_a_vegetation_that_loses_nothing_or_is_not_seen_has_no_recovery():
    vegetation = np.full(96, 0.1)
    assert recoveries(vegetation, DAYS, [(20, 22)]) == []
    vegetation[21] = 0.0
    assert recoveries(vegetation, DAYS, [(20, 22)]) == []
    vegetation[20:25] = np.nan
    assert recoveries(vegetation, DAYS, [(20, 22)]) == []
    vegetation[21] = -0.01
    assert recoveries(vegetation, DAYS, [(20, 22)])[0]["index"] == 21
    assert recoveries(vegetation, DAYS, []) == []


def test_a_recovery_that_is_none_is_told_and_not_used():
    """Noise has a fit of hardly any R2; what stays as it is has none."""
    vegetation = np.zeros(96)
    vegetation[40:52] = [-0.2, -0.04, -0.19, -0.02, -0.18, -0.03, -0.16, 0, -0.14, -0.02, -0.12, 0]
    (recovery,) = recoveries(vegetation, DAYS, [(39, 41)])
    rate, r2 = recovered(vegetation, list(range(40, 52)))
    assert 0 < r2 < 0.2
    assert recovery == {
        "index": 40,
        "rate": pytest.approx(rate, rel=1e-3),
        "r2": pytest.approx(r2, abs=1e-7),
        "used": False,
    }
    vegetation[40:60] = -0.2
    assert recoveries(vegetation, DAYS, [(39, 41)]) == [
        {"index": 40, "rate": None, "r2": None, "used": False}
    ]
    # the record ends at the low itself
    vegetation[95] = -0.5
    assert recoveries(vegetation, DAYS, [(94, 95)]) == [
        {"index": 95, "rate": None, "r2": None, "used": False}
    ]


@pytest.mark.parametrize(("share", "used"), [(0.95, True), (1.0, False)])
def test_a_fit_is_used_from_an_r2_of_0_2_on(share, used):
    """A decay of which every other value lacks a share."""
    steps = np.arange(8.0)
    values = -np.exp(-0.1 * steps) * (1 - share * (steps % 2))
    rate, r2 = slow.best_exponential(steps, values)
    assert 0.19 < r2 < 0.21
    vegetation = np.full(20, np.nan)
    vegetation[5:13] = values
    assert recoveries(vegetation, np.arange(20.0), [(5, 5)]) == [
        {"index": 5, "rate": pytest.approx(rate, rel=1e-3), "r2": pytest.approx(r2, abs=1e-7), "used": used}
    ]
