"""Rain as a driver: what vegetation remembers of it, and a restoring rate under noise that has a memory."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

import slow
from tigerbush.analysis.rain_driver import rain_columns
from tigerbush.analysis.red_noise import autocorrelation, red_noise_rate

STEP, YEAR = 365.2425 / 12, 365.2425
# two months have no key
PLACES = np.delete(np.arange(3, 65), [10, 11])
DAYS = PLACES * STEP + np.random.default_rng(3).uniform(0, 6, 60)


def rain_with_gaps(unknown):
    rain = np.random.default_rng(1).gamma(2, 20, 60) + 30 * np.cos(2 * np.pi * DAYS / YEAR)
    rain[list(unknown)] = np.nan
    return rain


def test_vegetation_remembers_rain_of_all_dates_before():
    """Anomalies in standard deviations, weighted with exp(-age / 30 days) and exp(-age / 90 days); unknown ones are 0."""
    rain = rain_with_gaps([5, 17, 18])
    odd = slow.rest_with_gaps(DAYS, rain, 2)
    odd = np.nan_to_num(odd / np.nanstd(odd))
    expected = []
    for i, place in enumerate(PLACES):
        ages = [(place - PLACES[j]) * STEP for j in range(i + 1)]
        expected.append([
            odd[i],
            *(
                sum(odd[j] * math.exp(-age / memory) for j, age in enumerate(ages))
                for memory in (30, 90)
            ),
        ])  # fmt: skip
    np.testing.assert_allclose(rain_columns(rain, DAYS, PLACES, STEP), expected, atol=1e-9)


def test_the_rain_of_four_fifths_of_the_dates_is_enough():
    assert rain_columns(rain_with_gaps(range(20, 32)), DAYS, PLACES, STEP).shape == (60, 3)
    assert rain_columns(rain_with_gaps(range(20, 33)), DAYS, PLACES, STEP) is None
    assert rain_columns(np.full(60, np.nan), DAYS, PLACES, STEP) is None


def test_a_site_without_any_rain_has_none_to_remember():
    assert rain_columns(np.zeros(60), DAYS, PLACES, STEP) is None


@pytest.mark.parametrize(("rate", "memory"), [(0.02, 0.1), (0.1, 0.02), (0.05, 0.05), (0.05, 0.0500001)])
def test_the_autocorrelation_is_that_of_the_spectrum(rate, memory):
    """Of 1 / ((w^2 + rate^2) (w^2 + memory^2)), integrated numerically; both rates may be the same."""

    def power(frequency):
        return 1 / ((frequency**2 + rate**2) * (frequency**2 + memory**2))

    variance = quad(power, 0, np.inf)[0]
    distances = np.array([0.0, 5, 30, 90])
    expected = [1.0] + [
        quad(power, 0, np.inf, weight="cos", wvar=distance)[0] / variance for distance in distances[1:]
    ]
    np.testing.assert_allclose(autocorrelation(distances, rate, memory), expected, rtol=1e-4, atol=1e-5)


def driven(days, rate, memory, seed):
    """A process driven by another one, simulated in steps of a quarter of a day."""
    random, fine = np.random.default_rng(seed), 0.25
    number = int((days[-1] + 1000) / fine)
    noise, state, states = 0.0, 0.0, np.empty(number)
    kicks = random.standard_normal(number) * math.sqrt(fine)
    for i in range(number):
        noise += -memory * noise * fine + kicks[i]
        state += (-rate * state + noise) * fine
        states[i] = state
    return states[((days + 999) / fine).astype(int)]


def test_the_rate_is_found_where_the_memory_of_the_noise_is_known():
    """Of 250 dates; white noise would make it a third and less."""
    days = np.arange(250) * 15.0
    values = driven(days, 0.03, 0.05, 1)
    found = red_noise_rate(days, 15.0, values, np.ones((250, 1)), 0.05)
    assert list(found) == ["memory", "whole", "first", "last"] and found["memory"] == 0.05
    assert found["whole"]["low"] < 0.03 < found["whole"]["high"]
    assert 0.02 < found["whole"]["rate"] < 0.045
    for half in (found["first"], found["last"]):
        assert half["low"] < found["whole"]["rate"] < half["high"]
        assert half["high"] - half["low"] > found["whole"]["high"] - found["whole"]["low"]


def test_the_rate_is_that_of_the_greatest_restricted_likelihood():
    """Of 25 rates, the parabola through the best; bounds are where twice the likelihood has fallen by 3.84."""
    values = np.random.default_rng(4).standard_normal(60).cumsum() * 0.3 + np.sin(DAYS)
    means, memory = slow.regressors(DAYS.tolist(), 1, 1), 0.08
    scores = []
    for rate in slow.RATES:
        per_day = rate / STEP
        matrix = np.array([
            [
                (memory * math.exp(-per_day * abs(a - b)) - per_day * math.exp(-memory * abs(a - b)))
                / (memory - per_day)
                for a in DAYS
            ]
            for b in DAYS
        ]) + 1e-6 * np.eye(60)  # fmt: skip
        inverse = np.linalg.inv(matrix)
        precision = means.T @ inverse @ means
        rest = values - means @ np.linalg.solve(precision, means.T @ inverse @ values)
        logs = np.linalg.slogdet(matrix)[1] + np.linalg.slogdet(precision)[1]
        scores.append(-0.5 * (56 * math.log(rest @ inverse @ rest) + logs))
    greatest, where = slow.top(scores)
    likely = [k for k in range(25) if scores[k] >= greatest - 1.92]
    found = red_noise_rate(DAYS, STEP, values, means, memory)["whole"]
    assert found["rate"] == pytest.approx(0.03 * (4 / 0.03) ** (where / 24) / STEP, rel=1e-4)
    assert found["low"] == (pytest.approx(slow.RATES[likely[0]] / STEP) if likely[0] > 0 else None)
    assert found["high"] == (pytest.approx(slow.RATES[likely[-1]] / STEP) if likely[-1] < 24 else None)
