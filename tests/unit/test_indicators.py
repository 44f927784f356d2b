"""Indicators in moving windows, against statsmodels, scipy, pandas and values recorded from ewstools."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.seasonal import STL

from tigerbush.detrend import design, gaussian_operator, harmonics_of, stl_operator, stl_windows
from tigerbush.indicators import INDICATORS, kendall, moving, peak

STEP = 30.0
T = np.arange(60)
SERIES = np.sin(T * T * 0.37) + 0.5 * np.sin(T * 1.3) + T * 0.01 * np.cos(3 * T)


def windows(series, width, positions=None):
    positions = np.arange(len(series)) if positions is None else positions
    found = moving(np.atleast_2d(series), positions, positions * STEP, width, STEP)
    return {name: values[0] for name, values in found.items()}


def test_values_recorded_from_ewstools():
    """ewstools 2.1.3 (numpy 2.4.6, pandas 3.1.1), rolling_window=0.5 without detrending: windows 1, 11 and 31."""
    recorded = {
        "variance": (0.598368122133584, 0.47065263989360095, 0.6921550214750983),
        "ar1": (0.19879664051793075, 0.009542971606390328, -0.05773358149346878),
        "lag2": (-0.3176789832700318, -0.021799737785431334, -0.13145678343170605),
        "skewness": (0.197545121146795, 0.12919313714387157, -0.164253104231716),
        "kurtosis": (-0.7485849646024009, -0.66237828459086, -0.44999077019356737),
    }
    taus = {
        "variance": 0.535483870967742,
        "ar1": -0.3935483870967742,
        "lag2": 0.09677419354838711,
        "skewness": -0.03655913978494624,
        "kurtosis": 0.2817204301075269,
    }
    found = windows(SERIES, 30)
    for name, values in recorded.items():
        assert len(found[name]) == 31
        np.testing.assert_allclose(found[name][[0, 10, -1]], values, rtol=1e-9)
        assert kendall(found[name][None])[0] == pytest.approx(taus[name], abs=1e-12)


def test_gaps_are_left_out_of_pairs():
    places = np.delete(np.arange(60), [7, 20, 21, 40])
    found = windows(SERIES[places], 25, places)
    whole = pd.Series(np.where(np.isin(T, places), SERIES, np.nan))
    for end in (24, 33, 59):
        part = whole[end - 24 : end + 1]
        assert found["ar1"][end - 24] == pytest.approx(part.autocorr(1), abs=1e-12)
        assert found["lag2"][end - 24] == pytest.approx(part.autocorr(2), abs=1e-12)
        assert found["variance"][end - 24] == pytest.approx(part.var(), abs=1e-12)
        assert found["skewness"][end - 24] == pytest.approx(part.skew(), abs=1e-10)
        assert found["kurtosis"][end - 24] == pytest.approx(part.kurt(), abs=1e-10)


def test_windows_with_too_few_values_have_no_number():
    places = np.array([0, 1, 2, 3, 20, 21, 22, 23, 24, 25, 26])
    found = windows(SERIES[places], 10, places)
    assert np.isnan(found["variance"][0])
    assert np.isfinite(found["variance"][-1])
    assert np.isnan(found["rate_ou"][0]) and np.isfinite(found["rate_ou"][-1])


def test_ar1_is_that_of_statsmodels():
    """The regression of AutoReg and the correlation of neighbours differ by the ratio of their deviations."""
    fitted = AutoReg(SERIES, 1).fit().params[1]
    ratio = SERIES[:-1].std() / SERIES[1:].std()
    assert windows(SERIES, 60)["ar1"][0] == pytest.approx(fitted * ratio, rel=1e-9)


def test_rates_of_known_autocorrelation():
    random = np.random.default_rng(3)
    noise = random.standard_normal(20_000)
    series = np.empty_like(noise)
    series[0] = noise[0] / np.sqrt(1 - 0.6**2)
    for i in range(1, len(noise)):
        series[i] = 0.6 * series[i - 1] + noise[i]
    found = windows(series, len(series))
    for name in ("rate_from_ar1", "rate_from_variance", "rate_ou"):
        # standard error of AR(1): 0.0057
        assert np.exp(-found[name][0] * STEP) == pytest.approx(0.6, abs=0.02), name


def test_kendall_is_that_of_scipy_also_with_ties():
    random = np.random.default_rng(1)
    values = np.vstack([random.standard_normal((5, 40)), random.integers(0, 6, (5, 40))])
    for ours, row in zip(kendall(values), values, strict=True):
        assert ours == pytest.approx(kendalltau(np.arange(40), row).statistic, abs=1e-12)


def test_kendall_leaves_columns_without_numbers_out():
    values = np.array([[1.0, np.nan, 2.0, 3.0], [3.0, np.nan, 2.0, 1.0], [1.0, np.nan, 1.0, 1.0]])
    assert kendall(values).tolist() == [1, -1, 0]
    assert np.isnan(kendall(np.full((1, 5), np.nan)))


def test_the_peak_of_a_parabola_is_found_between_points():
    x = np.arange(10.0)
    greatest, where = peak(-((x[:, None] - [3.3, 6.8, 0.0]) ** 2) + 2)
    np.testing.assert_allclose(where, [3.3, 6.8, 0.0], atol=1e-12)
    np.testing.assert_allclose(greatest, 2, atol=1e-12)


def test_detrending_takes_off_line_and_season_and_nothing_is_filled():
    days = np.delete(np.arange(72), [4, 5, 30]) * 30.44
    season = 3 * np.cos(2 * np.pi * days / 365.2425 + 1) + np.sin(4 * np.pi * days / 365.2425)
    operator = gaussian_operator(days, 0.3, 2)
    np.testing.assert_allclose(operator @ (5 + 0.01 * days + season), 0, atol=1e-9)
    noise = np.random.default_rng(0).standard_normal(len(days))
    assert np.std(operator @ noise) > 0.8


def test_the_kernel_is_that_of_ksmooth():
    """R's ksmooth: quartiles of the kernel at a quarter of the bandwidth."""
    days = np.arange(50.0)
    line = design(days, 0)
    noise = np.random.default_rng(0).standard_normal(50)
    rest = noise - line @ np.linalg.lstsq(line, noise, rcond=None)[0]
    width = 0.2 * 49 * 0.25 / 0.6744897501960817
    weights = np.exp(-0.5 * ((days - 20) / width) ** 2)
    expected = rest[20] - (weights * rest).sum() / weights.sum()
    assert (gaussian_operator(days, 0.2, 0) @ noise)[20] == pytest.approx(expected, abs=1e-12)


def test_stl_as_a_matrix_is_stl():
    assert stl_windows(12) == {"period": 12, "trend": 23, "low_pass": 13}
    assert stl_windows(24) == {"period": 24, "trend": 47, "low_pass": 25}
    series = SERIES + 0.05 * T + np.cos(2 * np.pi * T / 12)
    expected = STL(series, period=12, seasonal=601, seasonal_deg=0, trend=23, low_pass=13).fit().resid
    np.testing.assert_allclose(stl_operator(T, 12) @ series, expected, atol=1e-9)
    places = np.delete(T, [10, 11, 40])
    filled = np.interp(T, places, series[places])
    expected = STL(filled, period=12, seasonal=601, seasonal_deg=0, trend=23, low_pass=13).fit().resid
    np.testing.assert_allclose(stl_operator(places, 12) @ series[places], expected[places], atol=1e-9)


def test_short_series_bear_no_season():
    assert harmonics_of(np.arange(12) * 30.44, 30.44, 2) == 0
    assert harmonics_of(np.arange(36) * 30.44, 30.44, 2) == 2
    assert harmonics_of(np.arange(12) * 365.25, 365.25, 2) == 0


def test_every_indicator_has_a_label_and_a_direction():
    assert {direction for _, direction in INDICATORS.values()} == {-1, 0, 1}
    assert set(windows(SERIES, 30)) == set(INDICATORS)
