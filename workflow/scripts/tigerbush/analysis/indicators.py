"""Early-warning indicators in moving windows, of many series at once, gaps left as gaps.

Definitions as in ewstools (Bury 2023, Journal of Open Source Software 8, 5038): correlation of neighbours, variance
with n - 1, skewness and kurtosis corrected for bias. A pair counts only when both of its dates are present.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# indicator to label, and the direction that slowing down takes: 1 rises, -1 falls, 0 either
INDICATORS = {
    "ar1": ("autocorrelation at lag 1", 1),
    "variance": ("variance", 1),
    "skewness": ("skewness", 0),
    "kurtosis": ("excess kurtosis", 0),
    "lag2": ("autocorrelation at lag 2", 1),
    "rate_from_ar1": ("restoring rate from AR(1), 1/day", -1),
    "rate_from_variance": ("restoring rate from variance, 1/day", -1),
    "rate_ou": ("restoring rate by maximum likelihood, 1/day", -1),
}
# restoring rate times step: beyond these no series tells rates apart
BOUNDS = (0.03, 4.0)
RATES = np.exp(np.linspace(*np.log(BOUNDS), 25))
LEAST = 5  # values, or pairs, in a window


def moving(
    values: Array,
    positions: NDArray[np.int64],
    days: Array,
    width: int,
    days_per_step: float,
    names: Sequence[str] = tuple(INDICATORS),
) -> dict[str, Array]:
    """Compute indicators in moving windows.

    Parameters
    ----------
    values : (b, n) float64 array
        Detrended series, all with the same times.
    positions : (n,) int array
        Numbers of their periods; what lies between is a gap.
    days : (n,) float64 array
        Their times.
    width : int
        Length of a window, periods.
    days_per_step : float
    names : sequence of str
        Which of `INDICATORS`.

    Returns
    -------
    dict of str to (b, windows) float64 array
        Windows end at periods `width - 1`, `width`, ... from the first; NaN where one holds too few values. Restoring
        rates are 1/day: AR(1) = exp(-rate step); variance = s2 / (1 - exp(-2 rate step)) with the innovation variance
        s2 of the whole series (Smith et al. 2022); or the Ornstein-Uhlenbeck likelihood of the window.
    """
    place = positions - positions[0]
    steps = place[-1] + 1
    present = np.zeros(steps, bool)
    present[place] = True
    grid = np.zeros((len(values), steps))
    grid[:, place] = values
    indicators = {}
    if {"ar1", "lag2", "rate_from_ar1"} & set(names):
        indicators["ar1"] = _correlation(grid, present, width, 1)
        indicators["lag2"] = _correlation(grid, present, width, 2)
        indicators["rate_from_ar1"] = _rate(indicators["ar1"]) / days_per_step
    if {"variance", "skewness", "kurtosis", "rate_from_variance"} & set(names):
        indicators |= _moments(grid, present, width)
        indicators["rate_from_variance"] = (
            _rate_from_variance(grid, present, indicators["variance"]) / days_per_step
        )
    if "rate_ou" in names:
        indicators["rate_ou"] = _rate_ou(values, place, days, width, days_per_step)
    return {name: indicators[name] for name in names}


def _sums(values: Array, width: int) -> Array:
    total = np.cumsum(values, axis=-1)
    total[..., width:] -= total[..., :-width].copy()
    return total[..., width - 1 :]


def _correlation(grid: Array, present: NDArray[np.bool_], width: int, lag: int) -> Array:
    both = (present[:-lag] & present[lag:]).astype(float)
    first, second = grid[:, :-lag] * both, grid[:, lag:] * both
    window = width - lag
    number = _sums(both, window)
    number = np.where(number >= LEAST, number, np.nan)
    mean, later = _sums(first, window) / number, _sums(second, window) / number
    covariance = _sums(first * second, window) / number - mean * later
    squares = (_sums(first**2, window) / number - mean**2) * (_sums(second**2, window) / number - later**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(covariance / np.sqrt(squares), -1, 1)


def _moments(grid: Array, present: NDArray[np.bool_], width: int) -> dict[str, Array]:
    number = _sums(present.astype(float), width)
    n = np.where(number >= LEAST, number, np.nan)
    raw = [_sums(grid**power, width) / n for power in (1, 2, 3, 4)]
    mean = raw[0]
    m2 = np.maximum(raw[1] - mean**2, 0)
    m3 = raw[2] - 3 * mean * raw[1] + 2 * mean**3
    m4 = raw[3] - 4 * mean * raw[2] + 6 * mean**2 * raw[1] - 3 * mean**4
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = m3 / m2**1.5 * np.sqrt(n * (n - 1)) / (n - 2)
        kurtosis = ((n + 1) * (m4 / m2**2 - 3) + 6) * (n - 1) / ((n - 2) * (n - 3))
    return {"variance": m2 * n / (n - 1), "skewness": skewness, "kurtosis": kurtosis}


def _rate(ar1: Array) -> Array:
    """Restoring rate times step, within the bounds."""
    low, high = np.exp(-BOUNDS[1]), np.exp(-BOUNDS[0])
    return -np.log(np.clip(ar1, low, high))


def _rate_from_variance(grid: Array, present: NDArray[np.bool_], variance: Array) -> Array:
    whole = _correlation(grid, present, len(present), 1)
    number = present.sum()
    spread = (grid**2).sum(axis=1, keepdims=True) / number - (grid.sum(axis=1, keepdims=True) / number) ** 2
    innovation = spread * (1 - whole**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        # variance = innovation / (1 - exp(-2 rate))
        kept = np.clip(1 - innovation / variance, np.exp(-2 * BOUNDS[1]), np.exp(-2 * BOUNDS[0]))
    return -0.5 * np.log(kept)


def _rate_ou(values: Array, place: NDArray[np.int64], days: Array, width: int, days_per_step: float) -> Array:
    """Rate of the stationary Ornstein-Uhlenbeck likelihood of each window, by a grid and a parabola."""
    starts = np.arange(place[-1] + 2 - width)
    first = np.searchsorted(place, starts)
    last = np.searchsorted(place, starts + width)
    number = (last - first).astype(float)
    enough = number >= LEAST
    # a hole may leave a window without values
    first, last = np.minimum(first, len(place) - 1), np.maximum(last, 1)
    delta = np.diff(days) / days_per_step
    scores = np.empty((len(RATES), len(values), len(starts)))
    start = values[:, first] ** 2
    for score, rate in zip(scores, RATES, strict=True):
        kept = np.exp(-rate * delta)
        spread = 1 - kept**2
        error = (values[:, 1:] - values[:, :-1] * kept) ** 2 / spread
        total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(error, axis=1)], axis=1)
        logs = np.concatenate([[0], np.cumsum(np.log(spread))])
        squares = total[:, last - 1] - total[:, first] + start
        with np.errstate(divide="ignore", invalid="ignore"):
            score[:] = -0.5 * (number * np.log(squares) + logs[last - 1] - logs[first])
    _, where = peak(scores)
    step = np.log(RATES[1] / RATES[0])
    return np.where(enough, RATES[0] * np.exp(where * step), np.nan) / days_per_step


def peak(scores: Array) -> tuple[Array, Array]:
    """Find the greatest value along the first axis and where it is, between the points by a parabola.

    Parameters
    ----------
    scores : (points, ...) float64 array

    Returns
    -------
    greatest, where : (...) float64 arrays
        `where` counts points from 0.
    """
    best = scores.argmax(axis=0)
    inner = np.clip(best, 1, len(scores) - 2)
    left, middle, right = (
        np.take_along_axis(scores, (inner + shift)[None], axis=0)[0] for shift in (-1, 0, 1)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = 0.5 * (left - right) / (left - 2 * middle + right)
    usable = (best == inner) & np.isfinite(shift)
    shift = np.where(usable, np.clip(shift, -0.5, 0.5), 0)
    greatest = np.where(
        usable, middle - 0.25 * (left - right) * shift, np.take_along_axis(scores, best[None], axis=0)[0]
    )
    return greatest, best + shift


def kendall(values: Array) -> Array:
    """Return Kendall's tau-b of each row against its order.

    Parameters
    ----------
    values : (b, m) float64 array
        Columns of NaN are left out; NaN elsewhere counts as a tie.

    Returns
    -------
    (b,) float64 array
        NaN with fewer than 3 columns, 0 for a constant row.
    """
    values = values[:, ~np.isnan(values).all(axis=0)]
    number = values.shape[1]
    if number < 3:
        return np.full(len(values), np.nan)
    concordant = np.zeros(len(values))
    untied = np.zeros(len(values))
    with np.errstate(invalid="ignore"):
        for i in range(number - 1):
            later, now = values[:, i + 1 :], values[:, i : i + 1]
            up, down = (later > now).sum(axis=1), (later < now).sum(axis=1)
            concordant += up - down
            untied += up + down
    pairs = number * (number - 1) / 2
    return concordant / np.sqrt(np.maximum(untied, 1) * pairs)
