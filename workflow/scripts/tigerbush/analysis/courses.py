"""How rate, noise and season of a record have changed, with bounds."""

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import YEAR, design
from tigerbush.analysis.null_model import NullModel, single_seasons
from tigerbush.analysis.steps import BOUND

Array = NDArray[np.float64]

# ln of the rate at the end over the rate at the start
CHANGES = np.linspace(-4, 4, 9)
BOUNDS = (0.025, 0.975)
# single years whose amplitudes can be compared
LEAST_YEARS = 6


def rate_and_noise(null: NullModel) -> dict:
    """Return how the restoring rate and the noise have changed, if both changed exponentially.

    Parameters
    ----------
    null : NullModel

    Returns
    -------
    dict
        rate: first, last (1/day), change (ln of their ratio); noise: change (ln of the ratio of standard deviations),
        step (index of the first value after a change at once, and factor; or None), besides which it changes. Both with
        low and high, which hold 95 % of the posterior; of the rate None at a bound of the grid.
    """
    test = null.test
    values, shape = null.values[None], (len(CHANGES), len(test.rates), len(test.intensities))
    scores = np.array(
        [
            test.score(test.cell(rate * np.exp(change * (test.between - 0.5)), intensity), values)[0]
            for change in CHANGES
            for rate in test.rates
            for intensity in test.intensities
        ]
    ).reshape(shape)
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    low, change, high = _quantiles(CHANGES, shares.sum(axis=(1, 2)))
    middle = np.exp(shares.sum(axis=(0, 2)) @ np.log(test.rates)) / test.days_per_step
    noise = _quantiles(test.intensities, shares.sum(axis=(0, 1))) if len(test.intensities) > 1 else (0.0,) * 3
    return {
        "rate": {
            "first": float(middle * np.exp(-change / 2)),
            "last": float(middle * np.exp(change / 2)),
            "change": change,
            "low": None if low <= CHANGES[0] else low,
            "high": None if high >= CHANGES[-1] else high,
        },
        "noise": {
            "change": noise[1] / 2,
            "low": noise[0] / 2,
            "high": noise[2] / 2,
            "step": _noise_step(test.profile),
        },
    }


def _noise_step(profile: Array) -> dict | None:
    if np.ptp(profile) == 0:
        return None
    return {"index": int(np.diff(profile).nonzero()[0][0]) + 1, "factor": float(profile[-1] / profile[0])}


def _quantiles(grid: Array, shares: Array) -> tuple[float, float, float]:
    """Return the bounds and the median of a distribution on a grid, whose points stand for the space around them."""
    edges = np.concatenate([grid[:1], (grid[1:] + grid[:-1]) / 2, grid[-1:]])
    below = np.concatenate([[0], np.cumsum(shares)])
    low, median, high = np.interp([BOUNDS[0], 0.5, BOUNDS[1]], below / below[-1], edges)
    return float(low), float(median), float(high)


def sensors(null: NullModel, names: tuple[str, ...], shares: Array, others: Array) -> list[dict]:
    """Return how much higher or lower each sensor sees the site than the most frequent one.

    Parameters
    ----------
    null : NullModel
        With the sensors in its mean.
    names : tuple of str
        The most frequent sensor first.
    shares : (n, names - 1) float64 array
        Of the others in each date.
    others : (n, p) float64 array
        The other columns of the mean.

    Returns
    -------
    list of dict
        sensor, against, difference, low, high (95 %), in the unit of the series.
    """
    if not shares.size:
        return []
    sizes, covariance = null.effects(shares, others)
    return [
        {
            "sensor": name,
            "against": names[0],
            "difference": float(size),
            "low": float(size - BOUND * error),
            "high": float(size + BOUND * error),
        }
        for name, size, error in zip(names[1:], sizes, np.sqrt(np.diag(covariance)), strict=True)
    ]


def season(null: NullModel, harmonics: int, columns: Array) -> dict | None:
    """Return how the mean season has changed, tested by generalised least squares.

    Parameters
    ----------
    null : NullModel
    harmonics : int
    columns : (n, k) float64 array
        What moves the mean besides line and season.

    Returns
    -------
    dict or None
        first, last: amplitude (greatest minus smallest value of the season) and peak (day of the year since the first
        date's) at both ends; p of no change (F test, seasons that differ from year to year being noise). None without a
        season.
    """
    if not harmonics:
        return None
    sizes, covariance = _season_effects(null, harmonics, columns)
    drift = slice(2 * harmonics, None)
    return {
        "first": _end(sizes, -0.5),
        "last": _end(sizes, 0.5),
        "p": _p_of_effects(sizes[drift], covariance[drift, drift], null.test.freedom),
    }


def p_of_season(null: NullModel, harmonics: int, columns: Array) -> float:
    """Return the p of no season at all, steady or changing, (F test by generalised least squares)."""
    sizes, covariance = _season_effects(null, harmonics, columns)
    return _p_of_effects(sizes, covariance, null.test.freedom)


def _season_effects(null: NullModel, harmonics: int, columns: Array) -> tuple[Array, Array]:
    days = null.test.days
    own = design(days, harmonics, drift=True)[:, 2:]
    return null.effects(own, np.column_stack([design(days, 0), columns]))


def _p_of_effects(sizes: Array, covariance: Array, freedom: int) -> float:
    from scipy.stats import f as f_distribution

    statistic = sizes @ np.linalg.solve(covariance, sizes) / len(sizes)
    return float(f_distribution.sf(statistic, len(sizes), freedom))


def _end(sizes: Array, time: float) -> dict:
    own, drift = np.split(sizes, 2)
    grid = np.arange(365) * YEAR / 365
    curve = design(grid, len(own) // 2)[:, 2:] @ (own + time * drift)
    return {"amplitude": float(np.ptp(curve)), "peak": float(grid[curve.argmax()])}


def yearly_amplitudes(
    days: Array, values: Array, columns: Array, first_day: date, harmonics: int
) -> dict | None:
    """Return how strong the season of each year was, and after which year it changed most.

    Parameters
    ----------
    days, values : (n,) float64 arrays
    columns : (n, k) float64 array
        What moves the mean besides line and season.
    first_day : date
        Of day 0.
    harmonics : int

    Returns
    -------
    dict or None
        years (in which each season begins, at the lowest point of the mean season), amplitude (relative to the mean
        season), changed_after (year) and p of Pettitt's test (1979, Applied Statistics 28, 126). None without a season
        or with fewer than six whole years.
    """
    each = single_seasons(days, values, harmonics)
    if each is None:
        return None
    shapes = each[:, ::2]
    # a year with fewer values than half of the usual has no season of its own
    number = (shapes != 0).sum(axis=0)
    whole = number >= np.median(number) / 2
    if whole.sum() < LEAST_YEARS:
        return None
    base = np.hstack([design(days, 0), columns])
    mean, *_ = np.linalg.lstsq(np.column_stack([base, shapes.sum(axis=1)]), values, rcond=None)
    sizes, *_ = np.linalg.lstsq(np.hstack([base, shapes]), values, rcond=None)
    amplitude = sizes[base.shape[1] :][whole] / mean[-1]
    starts = [first_day + timedelta(days=float(days[shape != 0][0])) for shape in shapes.T[whole]]
    ranks = np.argsort(np.argsort(amplitude)) + 1.0
    n = len(amplitude)
    deviation = np.abs(2 * np.cumsum(ranks)[:-1] - np.arange(1, n) * (n + 1))
    p = min(1.0, 2 * float(np.exp(-6 * deviation.max() ** 2 / (n**3 + n**2))))
    return {
        "years": [start.year for start in starts],
        "amplitude": amplitude.tolist(),
        "changed_after": starts[int(deviation.argmax())].year,
        "p": p,
    }
