"""Trends of series with season and memory: false alarms, power, and what does not count as a trend."""

import numpy as np
import pytest
from scipy import stats

from tigerbush.analysis.surrogates import ornstein_uhlenbeck
from tigerbush.analysis.trend import TrendTest, holm

STEP = 365.2425 / 12


def times(number, gaps=False):
    positions = np.arange(number)
    if gaps:
        positions = np.flatnonzero(np.random.default_rng(1).random(2 * number) < 0.7)[:number]
    return positions * STEP


def series_of(days, memory, number, seed=2):
    series = ornstein_uhlenbeck(days, -np.log(memory) / STEP, number, np.random.default_rng(seed))
    return series / series.std()


@pytest.mark.parametrize("memory", [0.1, 0.5, 0.85])
@pytest.mark.parametrize(("number", "gaps"), [(40, False), (61, True)])
def test_series_without_a_trend_alarm_at_their_level(number, gaps, memory):
    """At 5 %: of 300, with a season, more than 27 would be a matter of one in a hundred at 6.5 %; none, of as many."""
    days = times(number, gaps)
    test = TrendTest(days, STEP, np.random.default_rng(4))
    season = 2 * np.cos(2 * np.pi * (days - 70) / 365.2425)
    alarms = sum(test(values + season)[1] <= 0.05 for values in series_of(days, memory, 300))
    assert 1 <= alarms <= stats.binom.ppf(0.99, 300, 0.065)


def test_a_trend_is_found():
    days = times(60)
    test = TrendTest(days, STEP, np.random.default_rng(4))
    rising = np.linspace(0, 3, 60)
    found = [test(values + rising) for values in series_of(days, 0.3, 100)]
    assert sum(p <= 0.05 for _, p in found) >= 80
    assert min(tau for tau, _ in found) > 0
    fallen = [test(values - rising)[0] for values in series_of(days, 0.3, 20)]
    assert max(fallen) < 0


def test_tau_is_kendalls_of_the_series_without_its_season():
    days = times(48)
    test = TrendTest(days, STEP, np.random.default_rng(4))
    angle = 2 * np.pi * days[:, None] * [1, 2] / 365.2425
    season = np.column_stack([np.cos(angle), np.sin(angle)])
    values = np.random.default_rng(5).standard_normal(48) + days / 900
    everything = np.column_stack([np.ones(48), days, season])
    fitted = np.linalg.lstsq(everything, values, rcond=None)[0]
    expected = stats.kendalltau(days, values - season @ fitted[2:])[0]
    assert test(values)[0] == pytest.approx(expected, abs=1e-12)
    assert test(values + season @ [3, -1, 2, 5]) == pytest.approx(test(values), abs=1e-9)


def test_holm_adjusts_by_hand():
    # 4 x 0.01, 3 x 0.02, then the greatest so far, at most 1
    assert holm([0.02, 0.6, 0.01, 0.019]) == pytest.approx([0.057, 0.6, 0.04, 0.057])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]) == []
