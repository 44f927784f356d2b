"""Answers to rain, on series that were made from known ones."""

import numpy as np
import pytest

from tigerbush.response import (
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


def test_the_lag_is_found():
    rain = np.random.default_rng(0).gamma(2, 20, 96)
    vegetation = np.concatenate([[np.nan, np.nan], 0.01 * rain[:-2]])
    found = lagged_correlation(vegetation, rain, PLACES)
    assert found["lags"] == list(range(7))
    assert int(np.argmax(found["correlation"])) == 2
    assert found["correlation"][2] == pytest.approx(1)
    assert found["n"] == [94, 94, 94, 93, 92, 91, 90]
    assert lagged_correlation(vegetation[:10], rain[:10], PLACES[:10])["correlation"] == [None] * 7
    # a lag counts periods, not rows
    keep = np.delete(PLACES, [20, 21])
    assert lagged_correlation(vegetation[keep], rain[keep], keep)["correlation"][2] == pytest.approx(1)


def test_season_and_line_are_no_anomalies():
    values = 3 + 0.01 * DAYS + np.cos(2 * np.pi * DAYS / 365.2425)
    values[5] = np.nan
    found = anomalies(values, DAYS, STEP)
    assert np.isnan(found[5])
    np.testing.assert_allclose(np.delete(found, 5), 0, atol=1e-9)
    assert np.isnan(anomalies(values[:6], DAYS[:6], STEP)).all()


def test_the_exponential_fit():
    times = np.arange(8.0)
    assert exponential_fit(times, -3 * np.exp(-0.4 * times)) == pytest.approx((0.4, 1))
    assert exponential_fit(times[:3], np.ones(3)) is None
    assert exponential_fit(times, np.exp(0.3 * times)) is None


def test_the_decay_of_the_mean_annual_cycle():
    """From a peak in August down to a floor of 0.2 in March, whatever the trend."""
    month = np.arange(96) % 12 + 1
    since = (month - 8) % 12
    values = 0.2 + 0.5 * np.where(since <= 7, np.exp(-0.6 * since), np.exp(-0.6 * 7) + (since - 7) / 5 * 0.9)
    found = annual_cycle(values - 0.001 * PLACES, DAYS, DATES)
    assert found["months"] == list(range(1, 13))
    assert found["decay_rate"] == pytest.approx(0.6, rel=0.1)
    assert found["r2"] > 0.98
    assert annual_cycle(values[:8], DAYS[:8], DATES[:8])["decay_rate"] is None


def test_recovery_after_a_dry_spell():
    rain = 50 + 30 * np.cos(2 * np.pi * DAYS / 365.2425) + np.random.default_rng(1).normal(0, 1, 96)
    rain[40:45] -= 40
    spells = dry_spells(rain, DAYS, PLACES, STEP)
    assert len(spells) == 1
    assert 40 <= spells[0][0] <= 42 and 44 <= spells[0][1] <= 46
    vegetation = np.zeros(96)
    vegetation[44:] = -0.3 * np.exp(-0.01 * (DAYS[44:] - DAYS[44]))
    (found,) = recoveries(vegetation, DAYS, spells)
    assert found["index"] == 44
    assert found["rate"] == pytest.approx(0.01, rel=0.05)
    assert found["used"]
    noise = recoveries(np.where(PLACES == 44, -0.3, 0.001 * (-1.0) ** PLACES), DAYS, spells)
    assert noise[0]["index"] == 44
    assert recoveries(np.abs(vegetation), DAYS, spells) == []


def test_no_rain_no_spells():
    assert dry_spells(np.full(96, np.nan), DAYS, PLACES, STEP) == []
    assert dry_spells(np.zeros(96), DAYS, PLACES, STEP) == []
