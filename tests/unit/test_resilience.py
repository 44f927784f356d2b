"""The restoring rate: against a dense restricted likelihood, simulated processes, and the calibration in small."""

import argparse

import numpy as np
import pytest

from tigerbush.cli import calibrate
from tigerbush.cli.calibration import Cell, binomial_interval, grow, positions_of, warned
from tigerbush.detrend import design
from tigerbush.early_warning import POWER, Record, Treatment, Windows, analyse_record, power_sentence, refusal
from tigerbush.indicators import RATES
from tigerbush.resilience import CHANGES, CONSTANT, DEGREE, SeasonalProcess, fit_site, interval, noise_share
from tigerbush.surrogates import ornstein_uhlenbeck, p_value, phase_randomised

STEP = 30.4
DAYS = np.delete(np.arange(50), [3, 4, 20, 33]) * STEP + np.random.default_rng(7).uniform(0, 9, 46)


def dense(values, days, covariance, harmonics):
    """The restricted log likelihood by its textbook formula, s2 profiled out."""
    means = design(days, harmonics, DEGREE)
    inverse = np.linalg.inv(covariance)
    inner = means.T @ inverse @ means
    rest = values - means @ np.linalg.solve(inner, means.T @ inverse @ values)
    freedom = len(days) - means.shape[1]
    logs = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(inner)[1]
    return -0.5 * (freedom * np.log(rest @ inverse @ rest) + logs)


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_the_likelihood_is_the_textbook_one(share):
    weights = np.linspace(1, 4, len(DAYS))
    process = SeasonalProcess(DAYS, STEP, 2, weights, share)
    values = np.random.default_rng(0).standard_normal((2, len(DAYS)))
    scores = process.fit(values).scores
    for rate in (2, 12, 20):
        per_day = RATES[rate] / STEP
        covariance = np.exp(-per_day * np.abs(DAYS[:, None] - DAYS)) / (2 * per_day)
        covariance += np.diag(share * weights.mean() / weights / (2 * per_day))
        for i in range(2):
            assert scores[rate, i] == pytest.approx(dense(values[i], DAYS, covariance, 2), abs=1e-8)


def test_a_constant_rate_is_the_middle_of_the_changes():
    process = SeasonalProcess(DAYS, STEP, 2)
    values = np.random.default_rng(0).standard_normal((3, len(DAYS)))
    changes = process.fit_change(values)
    np.testing.assert_allclose(changes.profile[CONSTANT], process.fit(values).peak[0], atol=1e-12)
    assert CHANGES[CONSTANT] == 0


def test_level_trend_and_season_change_nothing():
    process = SeasonalProcess(DAYS, STEP, 2)
    noise = ornstein_uhlenbeck(DAYS, 0.02, 4, np.random.default_rng(1))
    moved = 7 * noise + 100 - 0.03 * DAYS + 5 * np.cos(2 * np.pi * DAYS / 365.2425)
    np.testing.assert_allclose(process.fit(moved).peak[1], process.fit(noise).peak[1], atol=1e-6)
    np.testing.assert_allclose(process.fit_change(moved).root, process.fit_change(noise).root, atol=1e-5)


def test_simulated_processes_have_the_variance_and_the_memory_of_their_rate():
    drawn = ornstein_uhlenbeck(np.array([0.0, 10, 40]), 0.05, 200_000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.var(axis=0), 1 / (2 * 0.05), rtol=0.02)
    expected = [np.exp(-0.5), np.exp(-1.5)]
    found = [np.corrcoef(drawn[:, i], drawn[:, i + 1])[0, 1] for i in (0, 1)]
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("phi", [0.3, 0.7, 0.9])
def test_bias_and_coverage_over_seeds(phi):
    """400 series of 60 dates: the median estimate is near the truth, and 95 % bounds hold it in 90 to 99 %."""
    cell = Cell(60, "gaps", 499)
    estimate, coverage = cell.coverage(phi, 400, np.random.default_rng(4))
    assert estimate == pytest.approx(phi, abs=0.06)
    assert 0.90 <= coverage <= 0.99


def test_a_rate_with_bounds_and_a_trend():
    random = np.random.default_rng(2)
    days = np.arange(400) * STEP
    rates = np.exp(np.linspace(np.log(0.05), np.log(0.004), 399))
    falling = fit_site(
        SeasonalProcess(days, STEP, 2), ornstein_uhlenbeck(days, rates, 1, random)[0], 199, random
    )
    assert falling["p_trend"] == 1 / 200
    assert falling["trend_high"] < 0
    truth = np.log(0.004 / 0.05) / (days[-1] / 365.2425)
    assert falling["trend"] == pytest.approx(truth, rel=0.5)
    steady = fit_site(
        SeasonalProcess(days, STEP, 2), ornstein_uhlenbeck(days, 0.01, 1, random)[0], 199, random
    )
    assert steady["low"] < 0.01 < steady["high"]
    assert steady["p_trend"] > 0.05
    assert steady["converged"]


def test_bounds_that_the_data_do_not_close_are_open():
    grid = np.arange(5.0)
    scores = np.array([0.0, 1.0, 1.5, 1.4, 1.3])
    low, high = interval(grid, scores, 1.5, 2.0)
    assert low == pytest.approx(0.5)
    assert high is None
    rate = fit_site(
        SeasonalProcess(DAYS[:14], STEP, 0),
        np.sin(np.arange(14.0)) + np.arange(14),
        99,
        np.random.default_rng(0),
    )
    assert rate["low"] is None or rate["high"] is None


def test_the_noise_of_observations_is_seen():
    random = np.random.default_rng(5)
    days, weights = np.arange(300) * STEP, np.tile([1.0, 4.0], 150)
    clean = ornstein_uhlenbeck(days, 0.01, 1, random)[0]
    noisy = clean + random.standard_normal(300) * clean.std() * np.sqrt(0.8 * 2.5 / weights)
    assert noise_share(days, STEP, 0, clean, weights) <= 0.1
    assert noise_share(days, STEP, 0, noisy, weights) >= 0.5


def test_phase_surrogates_keep_spectrum_and_mean():
    values = np.random.default_rng(0).standard_normal(61).cumsum()
    drawn = phase_randomised(values, 50, np.random.default_rng(1))
    np.testing.assert_allclose(
        np.abs(np.fft.rfft(drawn)), np.abs(np.fft.rfft(values))[None].repeat(50, 0), rtol=1e-8
    )
    assert np.abs(drawn - values).max() > 1


def test_p_values_are_never_zero():
    drawn = np.arange(99.0)
    assert p_value(1000, drawn, 1) == 0.01
    assert p_value(-1, drawn, -1) == 0.01
    assert p_value(1000, drawn, 0) == 0.02
    assert p_value(49, drawn, 0) == 1.0


def test_the_calibration_in_small():
    """600 null series of 36 dates with real gaps: shares under 5 % inside the binomial 99.9 % interval."""
    cell = Cell(36, "gaps", 999, ("ar1", "variance", "rate_ou"))
    low, high = binomial_interval(600, level=0.999)
    for phi in (0.3, 0.7, 0.9):
        found = cell.p_values(cell.simulate(phi, 600, np.random.default_rng([6, int(10 * phi)])))
        for name, p in found.items():
            assert low <= (p <= 0.05).mean() <= high, (phi, name)


def test_phase_surrogates_in_small():
    cell = Cell(60, "complete", 99, ("ar1",))
    values = cell.simulate(0.7, 300, np.random.default_rng(8))
    low, high = binomial_interval(300, level=0.999)
    for name, p in cell.phase_p_values(values, 99, ("ar1", "trend")).items():
        assert low <= (p <= 0.05).mean() <= high, name


def test_rising_autocorrelation_is_found_more_often_than_it_is_not():
    cell = Cell(240, "complete", 299, ("ar1",))
    found = cell.p_values(cell.simulate((0.3, 0.9), 100, np.random.default_rng(1)))
    assert (found["ar1"] <= 0.05).mean() > 0.5
    assert (found["trend"] <= 0.05).mean() > 0.5


def test_the_gaps_are_those_of_the_real_series():
    places = positions_of(36, "gaps")
    assert len(places) == 36 and (np.diff(places) > 0).all()
    assert 36 / (places[-1] + 1) == pytest.approx(13 / 21, abs=0.03)


def test_the_simulator_without_images():
    runs = dict(grow(1, 24, side=16, spin_up=5))
    assert set(runs) == {"constant", "falling"}
    ndvi = runs["falling"][:, 0]
    assert runs["falling"].shape == (24, 2)
    assert ndvi[-3:].mean() < runs["constant"][-3:, 0].mean()
    assert set(warned(runs["constant"][:, 0], 99, 1)) == {
        "ar1, ar1", "ar1, phase", "variance, ar1", "variance, phase", "rate_ou, ar1", "rate_ou, phase", "trend",
        "trend, phase",
    }  # fmt: skip


def test_calibrate_writes_what_it_prints(tmp_path, capsys):
    options = argparse.Namespace(
        series=50, phase_series=5, seeds=1, small=True, output=tmp_path / "evidence.md"
    )
    assert calibrate.run(options, []) == 0
    assert (tmp_path / "evidence.md").read_text() == capsys.readouterr().out
    assert calibrate.run(options, ["--no"]) == 2


def test_the_same_seed_gives_the_same_numbers():
    places = np.arange(48)
    record = Record(np.sin(places**1.5), places * STEP, places, STEP)
    one, other = (
        analyse_record(record, Treatment(), 99, np.random.default_rng(3), extra={"ar1": 250})
        for _ in range(2)
    )
    assert one[1] == other[1]
    for name in one[0]:
        assert one[0][name]["p"] == other[0][name]["p"]
    assert one[0]["ar1"]["surrogates"] == 250
    assert one[0]["variance"]["surrogates"] == 99


def test_a_record_with_gaps_has_no_test_of_the_trend_against_phases():
    places = np.arange(48)
    for positions in (places, np.delete(places, 20)):
        record = Record(np.sin(positions**1.5), positions * STEP, positions, STEP)
        _, rate = analyse_record(record, Treatment(), 99, np.random.default_rng(3), ("ar1",))
        assert (rate["p_trend_phase"] is None) == (len(positions) < 48)
        assert 0 < rate["p_trend"] <= 1


def test_surrogates_have_the_gaps_of_the_series():
    places = np.delete(np.arange(48), [5, 6, 30])
    windows = Windows(Record(np.sin(places**1.5), places * STEP, places, STEP), Treatment())
    assert windows.phase_surrogates(7, np.random.default_rng(0)).shape == (7, 45)
    assert windows.width == 24
    assert windows.ends[0] == 23 and windows.ends[-1] == 47


def test_short_series_are_refused_with_the_number_and_the_power():
    assert refusal(37, 36) is None
    text = refusal(36, 36)
    assert text.startswith("36 dates have data, and early warning needs more than 36")
    assert f"{100 * POWER[36]:.0f} % of series of 36 dates" in text
    assert "series of 120 dates" in power_sentence(200)
    assert "series of 36 dates" in power_sentence(5)
