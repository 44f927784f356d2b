"""Removing season and trend from a series with gaps, as one matrix.

A linear operator, the same for the data and for each surrogate, so that their comparison is fair.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
YEAR = 365.2425
# R's ksmooth and ewstools: the quartiles of the kernel lie a quarter of the bandwidth away
_QUARTILE = 0.25 / 0.6744897501960817


def harmonics_of(days: Array, days_per_step: float, wanted: int) -> int:
    """Return how many harmonics of the year a series supports: none under two years, and no faster than its steps."""
    if days[-1] - days[0] < 2 * YEAR - days_per_step:
        return 0
    return max(min(wanted, int((YEAR / days_per_step - 1) // 2), (len(days) - 6) // 6), 0)


def design(days: Array, harmonics: int, degree: int = 1, *, drift: bool = False) -> Array:
    """Return the regressors level, powers of time up to a degree, and sine and cosine of the year.

    Parameters
    ----------
    days : (n,) float64 array
    harmonics, degree : int
    drift : bool
        Whether the amplitude and the phase of the season change linearly.

    Returns
    -------
    (n, 1 + degree + 2 harmonics) float64 array
        With drift 2 harmonics more: sine and cosine times time.
    """
    angle = 2 * np.pi * days[:, None] * np.arange(1, harmonics + 1) / YEAR
    centred = ((days - days.mean()) / max(np.ptp(days), 1e-9))[:, None]
    season = np.hstack([np.cos(angle), np.sin(angle)])
    columns = [centred ** np.arange(degree + 1), season]
    return np.hstack([*columns, centred * season] if drift else columns)


def gaussian_operator(days: Array, bandwidth: float, harmonics: int, columns: Array | None = None) -> Array:
    """Build the matrix that removes season, line and a Gaussian kernel mean, without filling gaps.

    Parameters
    ----------
    days : (n,) float64 array
        Times of the values present.
    bandwidth : float
        Share of the length of the series, in the convention of R's ksmooth; 0 leaves the kernel mean out.
    harmonics : int
        Of the year, see `harmonics_of`.
    columns : (n, k) float64 array, optional
        What else the mean is made of: steps, sensors.

    Returns
    -------
    (n, n) float64 array
        (I - S)(I - H): H the least-squares fit of `design` with a season that drifts, and of the columns, S the kernel
        mean with weights that sum to 1 in each row.
    """
    residual = removing(mean_columns(days, harmonics, columns))
    if not bandwidth:
        return residual
    width = _QUARTILE * bandwidth * (days[-1] - days[0])
    weights = np.exp(-0.5 * ((days[:, None] - days) / width) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return residual - weights @ residual


def mean_columns(days: Array, harmonics: int, columns: Array | None = None, *, drift: bool = True) -> Array:
    """Return the columns of the mean: level, line, season, and others, (n, p) float64."""
    own = design(days, harmonics, drift=drift)
    return own if columns is None else np.column_stack([own, columns])


def independent(columns: Array) -> Array:
    """Return an orthonormal basis of columns, (n, p) float64, which may depend on each other or be none."""
    directions, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return directions[:, sizes > 1e-10 * sizes.max(initial=0)]


def removing(columns: Array) -> Array:
    """Return the matrix that removes the least-squares fit of columns, (n, n) float64."""
    basis = independent(columns)
    return np.eye(len(columns)) - basis @ basis.T


def stl_windows(period: int) -> dict[str, int]:
    """Return the windows of STL for a period: 23 and 13 for 12 dates a year, 47 and 25 for 24, as published."""
    return {"period": period, "trend": 2 * period - 1, "low_pass": period + 1 + period % 2}


def stl_operator(positions: NDArray[np.int64], period: int) -> Array:
    """Build the matrix that removes the season and trend of STL (Cleveland et al. 1990; statsmodels).

    Parameters
    ----------
    positions : (n,) int array
        Numbers of the periods with a value. Gaps are filled linearly for STL, and left out again.
    period : int
        Dates in a year.

    Returns
    -------
    (n, n) float64 array
        STL without robust weights is linear, so that its answers to unit impulses are its matrix. The season is
        periodic (seasonal window of 10 n + 1).
    """
    from statsmodels.tsa.seasonal import STL

    windows = stl_windows(period)
    place = positions - positions[0]
    steps = np.arange(place[-1] + 1)
    columns = []
    for impulse in np.eye(len(place)):
        filled = np.interp(steps, place, impulse)
        result = STL(
            filled,
            period=period,
            seasonal=10 * len(steps) + 1,
            seasonal_deg=0,
            trend=windows["trend"],
            low_pass=windows["low_pass"],
        ).fit()
        columns.append(np.asarray(result.resid)[place])
    return np.column_stack(columns)
