"""The restoring rate: against a dense restricted likelihood and simulated processes."""

import numpy as np
import pytest

import slow
from planted import assert_same
from tigerbush.analysis.ornstein_uhlenbeck import (
    CHANGES,
    CONSTANT,
    SeasonalProcess,
    bootstrap_median,
    corrected_rate,
    fit_site,
    interval,
    noise_share,
)
from tigerbush.analysis.surrogates import ornstein_uhlenbeck

STEP = 30.4
WEIGHTS = np.linspace(1, 4, 46)
DAYS = np.delete(np.arange(50), [3, 4, 20, 33]) * STEP + np.random.default_rng(7).uniform(0, 9, 46)


def slow_process(harmonics, share):
    return slow.Process(DAYS, STEP, harmonics, share * WEIGHTS.mean() / WEIGHTS if share else None)


@pytest.mark.parametrize(("share", "harmonics"), [(0.0, 2), (0.4, 1)])
def test_the_likelihood_is_the_textbook_one(share, harmonics):
    """Of every constant rate and every change, with the mean and its parabola taken off."""
    process, expected = SeasonalProcess(DAYS, STEP, harmonics, WEIGHTS, share), slow_process(harmonics, share)
    random = np.random.default_rng(1)
    # rates that fall, stay and rise
    values = np.vstack([slow_process(0, 0.0).simulate(14, change, 1, random) for change in (0, 8, 16)])
    fits = process.fit(values)
    np.testing.assert_allclose(fits.scores, expected.scores(values), atol=1e-8)
    where, ahead = expected.fit(values)
    np.testing.assert_allclose(fits.peak[1], where, atol=1e-6)
    for rate in (0, 11, 24):
        np.testing.assert_allclose(fits.deviance(rate), ahead[rate], atol=1e-7)
    changes = process.fit_change(values)
    profile, greatest, change = expected.fit_change(values)
    np.testing.assert_allclose(changes.profile, profile, atol=1e-8)
    np.testing.assert_allclose(changes.peak[0], greatest, atol=1e-8)
    np.testing.assert_allclose(changes.change, change, atol=1e-6)
    np.testing.assert_allclose(changes.root, expected.roots(values), atol=1e-6)
    # both signs are there
    assert set(np.sign(changes.root)) == {-1, 1}
    for k in (0, 5, 16):
        best = [slow.top(column)[1] for column in expected.scores(values, k).T]
        np.testing.assert_allclose(changes.where[k], best, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_series_are_drawn_from_the_model(share):
    process, expected = SeasonalProcess(DAYS, STEP, 2, WEIGHTS, share), slow_process(2, share)
    assert CHANGES.tolist() == slow.CHANGES and CHANGES[CONSTANT] == 0
    for rate, change in ((3, 8), (20, 8), (12, 2), (23, 16)):
        series = process.simulate(rate, CHANGES[change], 4, np.random.default_rng(rate))
        drawn = expected.simulate(rate, change, 4, np.random.default_rng(rate))
        np.testing.assert_allclose(series, drawn, rtol=1e-9)


@pytest.mark.parametrize(
    ("truth", "seed", "converged"), [((14, 1), 2, True), ((24, 8), 3, False), ((0, 8), 3, False)]
)
def test_the_rate_its_bounds_and_its_tests_are_those_of_the_slow_reference(truth, seed, converged):
    """Of series whose rate falls, that come back at once, and that never do: not all of their bounds are closed."""
    expected = slow_process(2, 0.0)
    values = expected.simulate(*truth, 1, np.random.default_rng(seed))[0] * 3 + 5
    fitted = fit_site(SeasonalProcess(DAYS, STEP, 2), values, 39, np.random.default_rng(1))
    assert_same(fitted, slow.fit_site(expected, values, 39, np.random.default_rng(1)), 1e-6)
    assert fitted["converged"] == converged


def test_a_series_without_any_noise_has_a_likelihood():
    white = SeasonalProcess(DAYS, STEP, 0).constant[5]
    # 46 dates, a parabola taken off; 1e-300 for what is 0
    expected = -0.5 * (43 * np.log(1e-300) + white.logs)
    assert white.score(np.zeros((1, len(DAYS))))[0] == pytest.approx(expected, rel=1e-12)


def test_level_trend_and_season_change_nothing():
    process = SeasonalProcess(DAYS, STEP, 2)
    noise = ornstein_uhlenbeck(DAYS, 0.02, 4, np.random.default_rng(1))
    moved = 7 * noise + 100 - 0.03 * DAYS + 5 * np.cos(2 * np.pi * DAYS / 365.2425)
    np.testing.assert_allclose(process.fit(moved).peak[1], process.fit(noise).peak[1], atol=1e-6)
    np.testing.assert_allclose(process.fit_change(moved).root, process.fit_change(noise).root, atol=1e-5)


def test_a_rate_that_falls_is_found_and_one_that_does_not_is_none():
    """Over 200 dates the rate falls from 0.05 to 0.004 a day."""
    random = np.random.default_rng(2)
    days = np.arange(200) * STEP
    process = SeasonalProcess(days, STEP, 2)
    rates = np.exp(np.linspace(np.log(0.05), np.log(0.004), 199))
    falling = fit_site(process, ornstein_uhlenbeck(days, rates, 1, random)[0], 99, random)
    assert falling["p_trend"] <= 0.05
    assert falling["trend_low"] < np.log(0.004 / 0.05) / (days[-1] / 365.2425) < falling["trend_high"] < 0
    steady = fit_site(process, ornstein_uhlenbeck(days, 0.01, 1, random)[0], 99, random)
    assert steady["low"] < 0.01 < steady["high"]
    assert steady["p_trend"] > 0.05
    assert steady["converged"]


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
    process, expected = SeasonalProcess(DAYS, STEP, 2), slow_process(2, 0.0)
    drawn = expected.simulate(20, 8, 15, np.random.default_rng(5))
    bias = np.median(expected.fit(drawn)[0]) - 20
    estimate = bootstrap_median(process, 20, 15, np.random.default_rng(5))
    assert estimate == pytest.approx(bias, abs=1e-6)
    assert abs(bias) > 0.1


def test_the_noise_of_observations_is_seen():
    """As the share whose likelihood is greatest; with growing noise each of the five is."""
    random = np.random.default_rng(3)
    days, weights = np.arange(60) * STEP, np.tile([1.0, 7.0], 30)
    clean, noise = ornstein_uhlenbeck(days, 0.01, 1, random)[0], random.standard_normal(60)
    shares = [0.0, 0.1, 0.25, 0.5, 1.0]
    expected = []
    for variance in (0, 0.1, 0.2, 0.5, 0.8):
        values = clean + noise * clean.std() * np.sqrt(variance * 4 / weights)
        scores = [
            slow.top(slow.Process(days, STEP, 1, share * 4 / weights).scores(values[None])[:, 0])[0]
            for share in shares
        ]
        expected.append(shares[int(np.argmax(scores))])
        assert noise_share(days, STEP, 1, values, weights) == expected[-1]
    assert expected == shares
