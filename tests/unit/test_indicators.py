"""Indicators in moving windows, against statsmodels, scipy, pandas and values recorded from ewstools."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau
from statsmodels.tsa.ar_model import AutoReg

import slow
from tigerbush.analysis.indicators import INDICATORS, RATES, kendall, moving, peak

STEP = 30.0
T = np.arange(60)
SERIES = np.sin(T * T * 0.37) + 0.5 * np.sin(T * 1.3) + T * 0.01 * np.cos(3 * T)


def windows(series, width, positions=None):
    positions = np.arange(len(series)) if positions is None else positions
    values_of = moving(np.atleast_2d(series), positions, positions * STEP, width, STEP)
    return {name: values[0] for name, values in values_of.items()}


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
    indicators = windows(SERIES, 30)
    for name, values in recorded.items():
        assert len(indicators[name]) == 31
        np.testing.assert_allclose(indicators[name][[0, 10, -1]], values, rtol=1e-9)
        assert kendall(indicators[name][None])[0] == pytest.approx(taus[name], abs=1e-12)


def test_gaps_are_left_out_of_pairs():
    places = np.delete(np.arange(60), [7, 20, 21, 40])
    indicators = windows(SERIES[places], 25, places)
    whole = pd.Series(np.where(np.isin(T, places), SERIES, np.nan))
    for end in (24, 33, 59):
        part = whole[end - 24 : end + 1]
        assert indicators["ar1"][end - 24] == pytest.approx(part.autocorr(1), abs=1e-12)
        assert indicators["lag2"][end - 24] == pytest.approx(part.autocorr(2), abs=1e-12)
        assert indicators["variance"][end - 24] == pytest.approx(part.var(), abs=1e-12)
        assert indicators["skewness"][end - 24] == pytest.approx(part.skew(), abs=1e-10)
        assert indicators["kurtosis"][end - 24] == pytest.approx(part.kurt(), abs=1e-10)


def test_windows_with_too_few_values_have_no_number():
    places = np.array([0, 1, 2, 3, 20, 21, 22, 23, 24, 25, 26])
    indicators = windows(SERIES[places], 10, places)
    assert np.isnan(indicators["variance"][0])
    assert np.isfinite(indicators["variance"][-1])
    assert np.isnan(indicators["rate_ou"][0]) and np.isfinite(indicators["rate_ou"][-1])


def test_ar1_is_that_of_statsmodels():
    """The regression of AutoReg and the correlation of neighbours differ by the ratio of their deviations."""
    fitted = AutoReg(SERIES, 1).fit().params[1]
    ratio = SERIES[:-1].std() / SERIES[1:].std()
    assert windows(SERIES, 60)["ar1"][0] == pytest.approx(fitted * ratio, rel=1e-9)


def test_every_indicator_is_that_of_the_slow_reference():
    """Irregular times, gaps, a first period that is not 0, two series at once; an odd and an even window."""
    places = np.delete(np.arange(3, 43), [4, 5, 17, 30])
    days = places * STEP + np.random.default_rng(2).uniform(0, 8, len(places))
    series = np.random.default_rng(3).gamma(2, 1, (2, len(places)))
    series[0] += np.cumsum(series[1]) / 3
    series -= series.mean(axis=1)[:, None]
    for width in (13, 20):
        indicators = moving(series, places, days, width, STEP)
        expected = slow.indicators(series, places.tolist(), days, width, STEP)
        assert list(indicators) == list(INDICATORS) == list(slow.DIRECTIONS)
        for name, values in expected.items():
            np.testing.assert_allclose(indicators[name], values, rtol=1e-7, atol=1e-9, err_msg=name)
            assert values.shape == (2, 41 - width)
        for name in INDICATORS:
            # any one alone is the same
            (alone,) = moving(series, places, days, width, STEP, [name]).values()
            np.testing.assert_array_equal(alone, indicators[name])


def test_what_slowing_down_does_to_each():
    assert {name: direction for name, (_, direction) in INDICATORS.items()} == slow.DIRECTIONS
    np.testing.assert_allclose(RATES, slow.RATES, rtol=1e-12)


def test_rates_are_bounded_where_series_stop_telling_them_apart():
    """A line never comes back: 0.03 a step; what flips at each step comes back at once: 4."""
    line, flips = (
        np.linspace(-1, 1, 41),
        np.where(np.arange(41) % 2, 1.0, -1.0) + np.linspace(0, 0.1, 41) ** 2,
    )
    for series, rate in ((line, 0.03), (flips, 4.0)):
        indicators = windows(series, 20)
        for name in ("rate_from_ar1", "rate_ou"):
            np.testing.assert_allclose(indicators[name], rate / STEP, rtol=1e-9, err_msg=name)
    assert windows(line, 20)["ar1"].max() <= 1
    # a line has no innovations, and the quiet start of a series less variance than those of all of it
    np.testing.assert_allclose(windows(line, 20)["rate_from_variance"], 0.03 / STEP, rtol=1e-9)
    quiet = np.where(np.arange(41) < 30, 0.01, 1.0) * SERIES[:41]
    np.testing.assert_allclose(windows(quiet, 20)["rate_from_variance"][:11], 4 / STEP, rtol=1e-9)


def test_five_values_and_five_pairs_are_enough():
    """Windows of eight periods: of five values, of four; of six values with five pairs, with four."""
    for places, values, pairs, second in (
        ([0, 1, 2, 3, 4], True, False, False),
        ([0, 1, 2, 3], False, False, False),
        ([0, 1, 2, 3, 4, 5], True, True, False),
        ([0, 1, 2, 3, 5, 6], True, False, False),
        ([0, 1, 2, 3, 4, 5, 6], True, True, True),
    ):
        # more behind, so that the whole has numbers
        all_places = np.array(places + list(range(20, 40)))
        indicators = windows(SERIES[all_places], 8, all_places)
        known = {name: bool(np.isfinite(windows_of[0])) for name, windows_of in indicators.items()}
        assert known == {
            "ar1": pairs, "variance": values, "skewness": values, "kurtosis": values, "lag2": second,
            "rate_from_ar1": pairs, "rate_from_variance": values, "rate_ou": values,
        }  # fmt: skip


def test_kendall_is_that_of_scipy_also_with_ties():
    random = np.random.default_rng(1)
    values = np.vstack([random.standard_normal((5, 40)), random.integers(0, 6, (5, 40))])
    for tau, row in zip(kendall(values), values, strict=True):
        assert tau == pytest.approx(kendalltau(np.arange(40), row).statistic, abs=1e-12)


def test_kendall_leaves_columns_without_numbers_out():
    values = np.array([[1.0, np.nan, 2.0, 3.0], [3.0, np.nan, 2.0, 1.0], [1.0, np.nan, 1.0, 1.0]])
    assert kendall(values).tolist() == [1, -1, 0]
    assert np.isnan(kendall(np.full((1, 5), np.nan)))
    # of three columns there is a number, of two there is none
    assert kendall(np.array([[1.0, 3.0, 2.0]])).tolist() == [pytest.approx(1 / 3)]
    assert np.isnan(kendall(np.array([[1.0, 3.0], [2.0, 1.0]]))).tolist() == [True, True]
    # a number that only one row lacks is a tie with all others: of 6 pairs 3 are left
    assert kendall(np.array([[1.0, 2.0, 3.0, 4.0], [1.0, np.nan, 2.0, 3.0]])).tolist() == [
        1, pytest.approx(3 / np.sqrt(3 * 6)),
    ]  # fmt: skip


def test_the_peak_of_a_parabola_is_found_between_points():
    x = np.arange(10.0)
    greatest, where = peak(-((x[:, None] - [3.3, 6.8, 0.0]) ** 2) + 2)
    np.testing.assert_allclose(where, [3.3, 6.8, 0.0], atol=1e-12)
    np.testing.assert_allclose(greatest, 2, atol=1e-12)


def test_the_peak_of_what_is_no_parabola():
    columns = np.array([
        [9.0, 1.0, 2.0, 3.0, 2.0],  # at an end: no neighbours on both sides
        [1.0, 2.0, 3.0, 4.0, 9.0],
        [0.0, 1.0, 1.0, 0.0, 0.0],  # between two that are equal
        [0.0, 2.0, 1.0, 0.0, 0.0],
        [np.inf] * 5,
    ]).T  # fmt: skip
    greatest, where = peak(columns)
    # (0, 2, 1): 2 - 3/2 x^2 + x/2 has its top at 1/6
    np.testing.assert_allclose(where, [0, 4, 1.5, 1 + 1 / 6, 0], atol=1e-12)
    np.testing.assert_allclose(greatest, [9, 9, 1.125, 2 + 1 / 24, np.inf], atol=1e-12)
