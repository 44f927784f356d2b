"""Surrogates: the same draws put together the slow way, their moments, and the shares that are called p."""

import numpy as np
import pytest

import slow
from tigerbush.analysis.surrogates import ornstein_uhlenbeck, p_value, phase_randomised

DAYS = np.array([3.0, 13, 43, 50, 81])
RATES = np.array([0.05, 0.02, 0.2, 0.01])
# skewed, not around 0, of distinct values
VALUES = np.array([4.0, 1.0, 2.5, 9.0, 3.0, 3.5, 8.0, 2.0, 6.0])


def test_each_step_is_the_memory_of_the_one_before_and_noise():
    for rates in (RATES, 0.04):
        drawn = ornstein_uhlenbeck(DAYS, rates, 3, np.random.default_rng(1))
        draws, each = np.random.default_rng(1).standard_normal((5, 3)), np.broadcast_to(rates, 4)
        expected = [draws[0] / np.sqrt(2 * each[0])]
        for i in range(4):
            kept = np.exp(-each[i] * (DAYS[i + 1] - DAYS[i]))
            expected.append(kept * expected[-1] + draws[i + 1] * np.sqrt((1 - kept**2) / (2 * each[i])))
        np.testing.assert_allclose(drawn, np.transpose(expected), rtol=1e-12)


def test_the_noise_of_observations_comes_on_top():
    share = np.array([0.5, 0.0, 2.0, 1.0, 0.1])
    for shares in (share, 0.3):
        random = np.random.default_rng(1)
        clean = ornstein_uhlenbeck(DAYS, RATES, 3, random)
        # its variance is relative to the stationary one at the first rate
        noise = np.sqrt(shares / (2 * 0.05)) * random.standard_normal((3, 5))
        noisy = ornstein_uhlenbeck(DAYS, RATES, 3, np.random.default_rng(1), shares)
        np.testing.assert_allclose(noisy, clean + noise, rtol=1e-12)
    without, with_zero = np.random.default_rng(1), np.random.default_rng(1)
    ornstein_uhlenbeck(DAYS, RATES, 3, without)
    ornstein_uhlenbeck(DAYS, RATES, 3, with_zero, np.zeros(5))
    # without any noise nothing more is drawn
    assert without.random() == with_zero.random()


def test_processes_have_the_variance_and_the_memory_of_their_rate():
    drawn = ornstein_uhlenbeck(np.array([0.0, 10, 40]), 0.05, 100_000, np.random.default_rng(0))
    # standard errors: 0.0045 of a variance, 0.003 of a correlation
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.04)
    np.testing.assert_allclose(drawn.var(axis=0), 10, rtol=0.02)
    correlations = [np.corrcoef(drawn[:, i], drawn[:, i + 1])[0, 1] for i in (0, 1)]
    np.testing.assert_allclose(correlations, [np.exp(-0.5), np.exp(-1.5)], atol=0.012)


@pytest.mark.parametrize("values", [VALUES, VALUES[:8]], ids=["odd", "even"])
def test_random_phases_move_the_waves_of_a_series(values):
    surrogates = phase_randomised(values, 4, np.random.default_rng(2))
    draws = np.random.default_rng(2).random((4, len(values) // 2 + 1))
    expected = [slow.waves(values, phases) for phases in draws]
    np.testing.assert_allclose(surrogates, expected, atol=1e-12)
    assert np.abs(surrogates - values).max() > 1


def test_surrogates_of_odd_length_have_the_mean_the_variance_and_the_spectrum_of_the_series():
    surrogates = phase_randomised(VALUES, 50, np.random.default_rng(1))
    np.testing.assert_allclose(surrogates.mean(axis=1), VALUES.mean(), rtol=1e-12)
    np.testing.assert_allclose(surrogates.var(axis=1), VALUES.var(), rtol=1e-12)
    spectra = np.abs(np.fft.rfft(surrogates))
    np.testing.assert_allclose(spectra, np.tile(np.abs(np.fft.rfft(VALUES)), (50, 1)), rtol=1e-9)
    # and so its autocorrelation around the circle
    centred, own = surrogates - VALUES.mean(), VALUES - VALUES.mean()
    for lag in (1, 2, 4):
        around = (centred * np.roll(centred, lag, axis=1)).sum(axis=1)
        np.testing.assert_allclose(around, (own * np.roll(own, lag)).sum(), atol=1e-9)


def test_surrogates_of_even_length_have_the_power_of_the_fastest_wave_on_average():
    even = VALUES[:8]
    surrogates = phase_randomised(even, 40_000, np.random.default_rng(1))
    power, own = np.abs(np.fft.rfft(surrogates)) ** 2, np.abs(np.fft.rfft(even)) ** 2
    np.testing.assert_allclose(power[:, :-1], np.tile(own[:-1], (40_000, 1)), rtol=1e-9, atol=1e-9)
    # 2 cos^2 of a random angle: mean 1, greatest 2, standard error 0.0035
    assert power[:, -1].mean() == pytest.approx(own[-1], rel=0.015)
    assert power[:, -1].max() == pytest.approx(2 * own[-1], rel=1e-3)
    np.testing.assert_allclose(surrogates.mean(axis=1), even.mean(), rtol=1e-9)
    assert surrogates.var(axis=1).mean() == pytest.approx(even.var(), rel=0.005)


@pytest.mark.parametrize(
    ("observed", "up", "down", "either"),
    [
        # of nineteen surrogates: 1 ... 9, 10 twice, 11 ... 18
        (1000, 1 / 20, 1.0, 2 / 20),
        (18, 2 / 20, 1.0, 4 / 20),
        (17.5, 2 / 20, 19 / 20, 4 / 20),
        (10, 11 / 20, 12 / 20, 1.0),
        (3, 18 / 20, 4 / 20, 8 / 20),
        (-1, 1.0, 1 / 20, 2 / 20),
    ],
)
def test_p_is_the_share_of_surrogates_that_go_as_far(observed, up, down, either):
    drawn = np.random.default_rng(0).permutation([*range(1, 19), 10])
    assert [p_value(observed, drawn, direction) for direction in (1, -1, 0)] == [up, down, either]
    for direction in (1, -1, 0):
        assert p_value(observed, drawn, direction) == pytest.approx(
            slow.share_as_far(observed, drawn, direction)
        )
