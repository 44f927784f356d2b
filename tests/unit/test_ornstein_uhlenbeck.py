"""The restoring rate: against a dense restricted likelihood and simulated processes."""

import numpy as np
import pytest

import slow
from planted import assert_same
from tigerbush.analysis.ornstein_uhlenbeck import (
    SeasonalProcess,
    bootstrap_median,
    corrected_rate,
    fit_site,
    interval,
)
from tigerbush.analysis.surrogates import ornstein_uhlenbeck

STEP = 30.4
WEIGHTS = np.linspace(1, 4, 46)
DAYS = np.delete(np.arange(50), [3, 4, 20, 33]) * STEP + np.random.default_rng(7).uniform(0, 9, 46)


def both(harmonics, share):
    """The process and its reference."""
    means = slow.regressors(DAYS.tolist(), harmonics, 1, drift=True)
    noise = share * WEIGHTS.mean() / WEIGHTS if share else None
    return SeasonalProcess(DAYS, STEP, means, noise), slow.Process(DAYS, STEP, means, noise)


@pytest.mark.parametrize(("share", "harmonics"), [(0.0, 2), (0.4, 1)])
def test_the_likelihood_is_the_textbook_one(share, harmonics):
    """Of every rate, with the mean and its parabola taken off."""
    process, expected = both(harmonics, share)
    random = np.random.default_rng(1)
    values = np.vstack([expected.simulate(rate, 1, random) for rate in (0, 14, 24)])
    fits = process.fit(values)
    # the columns of the mean are another basis, whose determinant is in all likelihoods
    ahead = expected.scores(values) - fits.scores
    np.testing.assert_allclose(ahead - ahead[0], 0, atol=1e-8)
    where, ahead = expected.fit(values)
    np.testing.assert_allclose(fits.peak[1], where, atol=1e-6)
    for rate in (0, 11, 24):
        np.testing.assert_allclose(fits.deviance(rate), ahead[rate], atol=1e-7)


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_series_are_drawn_from_the_model(share):
    process, expected = both(2, share)
    for rate in (3, 20):
        series = process.simulate(rate, 4, np.random.default_rng(rate))
        np.testing.assert_allclose(series, expected.simulate(rate, 4, np.random.default_rng(rate)), rtol=1e-9)


@pytest.mark.parametrize(("truth", "seed", "converged"), [(14, 2, True), (24, 3, False), (0, 3, False)])
def test_the_rate_and_its_bounds_are_those_of_the_slow_reference(truth, seed, converged):
    """Of series that return, that return at once, and that never do: not all of their bounds are closed."""
    process, expected = both(2, 0.0)
    values = expected.simulate(truth, 1, np.random.default_rng(seed))[0] * 3 + 5
    fitted = fit_site(process, values, 39, np.random.default_rng(1))
    assert_same(fitted, slow.fit_site(expected, values, 39, np.random.default_rng(1)), 1e-6)
    assert fitted["converged"] == converged


def test_a_series_without_any_noise_has_a_likelihood():
    white = both(0, 0.0)[0].constant[5]
    # 46 dates, a parabola taken off; 1e-300 for what is 0
    expected = -0.5 * (43 * np.log(1e-300) + white.logs)
    assert white.score(np.zeros((1, len(DAYS))))[0] == pytest.approx(expected, rel=1e-12)


def test_level_trend_and_season_change_nothing():
    process, _ = both(2, 0.0)
    noise = ornstein_uhlenbeck(DAYS, 0.02, 4, np.random.default_rng(1))
    moved = 7 * noise + 100 - 0.03 * DAYS + 5 * np.cos(2 * np.pi * DAYS / 365.2425)
    np.testing.assert_allclose(process.fit(moved).peak[1], process.fit(noise).peak[1], atol=1e-6)


def test_bounds_hold_the_rate():
    """Of 12 series of 100 dates and a rate of 0.01 a day; 95 % bounds miss four or more of 12 once in 500."""
    random, days = np.random.default_rng(2), np.arange(100) * STEP
    process = SeasonalProcess(days, STEP, slow.regressors(days.tolist(), 1, 1))
    fits = [fit_site(process, series, 99, random) for series in ornstein_uhlenbeck(days, 0.01, 12, random)]
    held = [(fit["low"] or 0) < 0.01 < (fit["high"] or 1) for fit in fits]
    assert sum(held) >= 9


def test_bounds_lie_where_the_deviance_crosses_its_limit():
    grid = np.array([0.0, 1.0, 2.0, 4.0, 5.0])
    scores = np.array([0.0, 1.0, 1.5, 1.4, 1.3])
    # deviances 3, 1, 0, 0.2, 0.4
    assert interval(grid, scores, 1.5, 2.0) == (pytest.approx(0.5, abs=1e-12), None)
    assert interval(grid, scores, 1.5, 0.3) == (pytest.approx(1.7, abs=1e-12), pytest.approx(4.5, abs=1e-12))
    assert interval(grid, scores, 1.5, 3.0) == (None, None)
    # the top lies between the points, and the limit is already passed at the best of them
    assert interval(grid, scores, 1.8, 0.5) == (2.0, 2.0)
    assert interval(grid, scores[::-1], 1.5, 2.0) == (None, pytest.approx(4.5, abs=1e-12))


def test_a_bias_is_taken_off_on_the_grid():
    assert [corrected_rate(*pair) for pair in ((7.4, 1.0), (7.6, -1.0), (0.2, 3.0), (23.9, -2.0))] == [
        6,
        9,
        0,
        24,
    ]
    process, expected = both(2, 0.0)
    drawn = expected.simulate(20, 15, np.random.default_rng(5))
    bias = np.median(expected.fit(drawn)[0]) - 20
    estimate = bootstrap_median(process, 20, 15, np.random.default_rng(5))
    assert estimate == pytest.approx(bias, abs=1e-6)
    assert abs(bias) > 0.1
