"""The calibration of the early-warning tests, on a small scale (`make calibrate`)."""

import numpy as np
import pytest

from bench import calibrate
from bench.calibration import Cell, binomial_interval, p_values_of_series, positions_of, simulate_vegetation


@pytest.mark.parametrize("phi", [0.3, 0.7, 0.9])
def test_bias_and_coverage_over_seeds(phi):
    """400 series of 60 dates: the median estimate is near the truth, and 95 % bounds cover it in 90 to 99 %."""
    cell = Cell(60, "gaps", 499)
    estimate, coverage = cell.coverage(phi, 400, np.random.default_rng(4))
    assert estimate == pytest.approx(phi, abs=0.06)
    assert 0.90 <= coverage <= 0.99


def test_a_small_calibration():
    """600 null series of 36 dates with real gaps: shares under 5 % inside the binomial 99.9 % interval."""
    cell = Cell(36, "gaps", 999, ("ar1", "variance", "rate_ou"))
    low, high = binomial_interval(600, level=0.999)
    for phi in (0.3, 0.7, 0.9):
        p_values = cell.p_values(cell.simulate(phi, 600, np.random.default_rng([6, int(10 * phi)])))
        for name, p in p_values.items():
            assert low <= (p <= 0.05).mean() <= high, (phi, name)


def test_a_small_calibration_of_phase_surrogates():
    cell = Cell(60, "complete", 99, ("ar1",))
    values = cell.simulate(0.7, 300, np.random.default_rng(8))
    low, high = binomial_interval(300, level=0.999)
    assert low <= (cell.phase_p_values(values, 99, ("ar1",))["ar1"] <= 0.05).mean() <= high


def test_rising_autocorrelation_is_detected_more_often_than_not():
    cell = Cell(240, "complete", 299, ("ar1",))
    p_values = cell.p_values(cell.simulate((0.3, 0.9), 100, np.random.default_rng(1)))
    assert (p_values["ar1"] <= 0.05).mean() > 0.5


def test_the_gaps_are_those_of_the_real_series():
    positions = positions_of(36, "gaps")
    assert len(positions) == 36 and (np.diff(positions) > 0).all()
    assert 36 / (positions[-1] + 1) == pytest.approx(13 / 21, abs=0.03)


def test_the_simulator_without_images():
    runs = dict(simulate_vegetation(1, 24, side=16, spin_up=5))
    assert set(runs) == {"constant", "falling"}
    ndvi = runs["falling"][:, 0]
    assert runs["falling"].shape == (24, 2)
    assert ndvi[-3:].mean() < runs["constant"][-3:, 0].mean()
    assert set(p_values_of_series(runs["constant"][:, 0], 99, 1)) == {
        "ar1, ar1", "ar1, phase", "variance, ar1", "variance, phase", "rate_ou, ar1", "rate_ou, phase",
        "falling rate", "falling rate, phase",
    }  # fmt: skip


def test_it_writes_what_it_prints(tmp_path, capsys):
    calibrate.main(["--small", "--output", str(tmp_path / "evidence.md")])
    assert (tmp_path / "evidence.md").read_text() == capsys.readouterr().out
