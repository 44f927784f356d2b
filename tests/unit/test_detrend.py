"""Taking season and trend off, against least squares and kernel means written out, and STL of statsmodels."""

import math

import numpy as np
import pytest
from statsmodels.tsa.seasonal import STL

import slow
from tigerbush.analysis.detrend import (
    YEAR,
    design,
    gaussian_operator,
    harmonics_of,
    independent,
    mean_columns,
    removing,
    stl_operator,
    stl_windows,
)

MONTH = 365.2425 / 12
T = np.arange(60)
SERIES = np.sin(T * T * 0.37) + 0.5 * np.sin(T * 1.3) + T * 0.01 * np.cos(3 * T)
# irregular, not from 0 on, with gaps
DAYS = np.delete(T, [4, 5, 30]) * 30.44 + 100 + np.random.default_rng(4).uniform(0, 9, 57)


@pytest.mark.parametrize(
    ("dates", "step", "wanted", "harmonics"),
    [
        (23, MONTH, 2, 0),  # a step short of two years
        (24, MONTH, 2, 2),
        (24, MONTH, 1, 1),
        (24, MONTH, 0, 0),
        (60, MONTH, 9, 5),  # 12 dates in a year bear 5
        (29, MONTH, 9, 3),  # 6 dates each, besides 6
        (30, MONTH, 9, 4),
        (11, 5 * MONTH, 9, 0),
        (5, 9 * MONTH, 9, 0),
        (99, 365.2425 / 5.01, 9, 2),
        (99, 365.2425 / 4.99, 9, 1),
        (99, 365.2425 / 3.01, 9, 1),
        (99, 365.2425 / 2.99, 9, 0),
        (99, 365.2425, 9, 0),
    ],
)
def test_a_season_needs_two_years_and_dates_enough(dates, step, wanted, harmonics):
    # a thousandth of a day for what is lost in sums
    days = 700.0 + np.arange(dates) * step * (1 + 1e-9)
    assert harmonics_of(days, step, wanted) == harmonics


def test_two_years_less_a_step_are_enough():
    days = np.linspace(0, 700, 24)
    # 700 + 30.485 = 2 x 365.2425, exactly
    assert harmonics_of(days, 30.485, 2) == 2
    assert harmonics_of(days, 30.484, 2) == 0


def test_the_regressors_are_level_powers_of_time_and_waves_of_the_year():
    assert YEAR == 365.2425
    for harmonics, degree in ((0, 1), (1, 2), (3, 1)):
        expected = slow.regressors(DAYS.tolist(), harmonics, degree)
        np.testing.assert_allclose(design(DAYS, harmonics, degree), expected, rtol=1e-9, atol=1e-12)
        drifting = slow.regressors(DAYS.tolist(), harmonics, degree, drift=True)
        np.testing.assert_allclose(
            design(DAYS, harmonics, degree, drift=True), drifting, rtol=1e-9, atol=1e-12
        )
    # a line unless another degree is asked for
    np.testing.assert_array_equal(design(DAYS, 2), design(DAYS, 2, 1))
    assert design(np.array([5.0]), 1).tolist() == [
        [1, 0, math.cos(10 * math.pi / YEAR), math.sin(10 * math.pi / YEAR)]
    ]


@pytest.mark.parametrize(("bandwidth", "harmonics"), [(0.3, 2), (0.1, 0), (0.75, 1)])
def test_line_season_and_kernel_mean_are_taken_off(bandwidth, harmonics):
    """The kernel is that of R's ksmooth: its quartiles lie at a quarter of the bandwidth."""
    values = np.random.default_rng(0).standard_normal((3, len(DAYS)))
    residuals = values @ gaussian_operator(DAYS, bandwidth, harmonics).T
    np.testing.assert_allclose(residuals, slow.detrended(DAYS, values, bandwidth, harmonics), atol=1e-11)
    season = 3 * np.cos(2 * np.pi * DAYS / YEAR + 1) if harmonics else 0
    flat = gaussian_operator(DAYS, bandwidth, harmonics) @ (5 + 0.01 * DAYS + season)
    np.testing.assert_allclose(flat, 0, atol=1e-9)
    # a season that grows and comes later goes as well
    growing = (DAYS - DAYS[0]) * np.cos(2 * np.pi * DAYS / YEAR + 0.5) if harmonics else 0 * DAYS
    np.testing.assert_allclose(gaussian_operator(DAYS, bandwidth, harmonics) @ growing, 0, atol=1e-9)


def test_columns_that_depend_on_each_other_are_removed_once():
    """A step that is the sum of two sensors, and one of them twice."""
    first, second = (np.arange(57) % 3 == 0) * 1.0, (np.arange(57) % 3 == 1) * 1.0
    columns = np.column_stack([first, second, first + second, 4 * first])
    values = np.random.default_rng(0).standard_normal(57)
    expected = slow.rest_of(DAYS, values, 1, drift=True, columns=np.column_stack([first, second]))
    means = mean_columns(DAYS, 1, columns)
    assert means.shape == (57, 2 + 4 + 4) and independent(means).shape == (57, 2 + 4 + 2)
    np.testing.assert_allclose(removing(means) @ values, expected, atol=1e-11)
    np.testing.assert_allclose(gaussian_operator(DAYS, 0, 1, columns) @ values, expected, atol=1e-11)
    # none at all change nothing
    np.testing.assert_array_equal(removing(np.empty((57, 0))) @ values, values)
    still = slow.rest_of(DAYS, values, 1)
    np.testing.assert_allclose(removing(mean_columns(DAYS, 1, drift=False)) @ values, still, atol=1e-11)


def test_without_a_bandwidth_there_is_no_kernel_mean():
    values = np.random.default_rng(0).standard_normal(len(DAYS))
    residuals = gaussian_operator(DAYS, 0, 2) @ values
    np.testing.assert_allclose(residuals, slow.rest_of(DAYS, values, 2, drift=True), atol=1e-11)
    # a parabola stays
    bent = (DAYS - DAYS.mean()) ** 2 / 1e5
    assert np.ptp(gaussian_operator(DAYS, 0, 0) @ bent) > 5


def test_stl_as_a_matrix_is_stl():
    assert stl_windows(12) == {"period": 12, "trend": 23, "low_pass": 13}
    assert stl_windows(24) == {"period": 24, "trend": 47, "low_pass": 25}
    # the next odd number above the period
    assert stl_windows(7) == {"period": 7, "trend": 13, "low_pass": 9}
    assert stl_windows(10) == {"period": 10, "trend": 19, "low_pass": 11}
    assert stl_windows(5) == {"period": 5, "trend": 9, "low_pass": 7}
    series = SERIES + 0.05 * T + np.cos(2 * np.pi * T / 12)
    expected = STL(series, period=12, seasonal=601, seasonal_deg=0, trend=23, low_pass=13).fit().resid
    np.testing.assert_allclose(stl_operator(T, 12) @ series, expected, atol=1e-9)
    places = np.delete(T, [10, 11, 40])
    filled = np.interp(T, places, series[places])
    expected = STL(filled, period=12, seasonal=601, seasonal_deg=0, trend=23, low_pass=13).fit().resid
    # places count from the first one
    np.testing.assert_allclose(stl_operator(places + 3, 12) @ series[places], expected[places], atol=1e-9)
