"""Restoring rate of a system whose driving noise has a memory of its own, as rain has.

Red noise raises autocorrelation and variance like a low restoring rate does (Morr & Boers 2024, Physical Review X 14,
021037). If x is driven by noise of rate `memory`, its autocorrelation is

    (memory exp(-rate D) - rate exp(-memory D)) / (memory - rate)

It is symmetric in both, so that the rate is known only where the memory is.
"""

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import independent
from tigerbush.analysis.indicators import RATES, peak

Array = NDArray[np.float64]

# half the 95 % quantile of chi-square with one degree of freedom
DEVIANCE = 1.92


def red_noise_rate(days: Array, days_per_step: float, values: Array, means: Array, memory: float) -> dict:
    """Estimate the restoring rate by restricted maximum likelihood, of the record and of its halves.

    Parameters
    ----------
    days, values : (n,) float64 arrays
    days_per_step : float
    means : (n, p) float64 array
        Columns of the mean.
    memory : float
        Rate at which the noise forgets, 1/day.

    Returns
    -------
    dict
        memory; whole, first, last (half of the record): each rate, low, high, 1/day. Bounds are those of the profile
        likelihood, 95 %, None where it does not fall off within 0.03 .. 4 per step.
    """
    half = len(days) // 2
    parts = {"whole": slice(None), "first": slice(None, half), "last": slice(half, None)}
    return {"memory": memory} | {
        name: _estimate(days[part], days_per_step, values[part], independent(means[part]), memory)
        for name, part in parts.items()
    }


def autocorrelation(distance: Array, rate: float, memory: float) -> Array:
    """Return the autocorrelation at distances in time, of the same shape."""
    if abs(memory / rate - 1) < 1e-6:
        return (1 + rate * distance) * np.exp(-rate * distance)
    return (memory * np.exp(-rate * distance) - rate * np.exp(-memory * distance)) / (memory - rate)


def _estimate(days: Array, days_per_step: float, values: Array, means: Array, memory: float) -> dict:
    distance = np.abs(days[:, None] - days)
    scores = np.array(
        [_score(autocorrelation(distance, rate / days_per_step, memory), values, means) for rate in RATES]
    )
    greatest, where = peak(scores[:, None])
    grid = np.log(RATES / days_per_step)
    likely = np.flatnonzero(scores >= greatest[0] - DEVIANCE)
    low, high = likely.min(), likely.max()
    return {
        "rate": float(np.exp(np.interp(where[0], np.arange(len(RATES)), grid))),
        "low": float(np.exp(grid[low])) if low > 0 else None,
        "high": float(np.exp(grid[high])) if high < len(RATES) - 1 else None,
    }


def _score(correlation: Array, values: Array, means: Array) -> float:
    """Return the restricted log likelihood of values, their variance profiled out."""
    # a whisper of white noise, without which slow processes have no inverse
    factor = np.linalg.cholesky(correlation + 1e-6 * np.eye(len(values)))
    white = np.linalg.solve(factor, np.column_stack([values, means]))
    basis, triangle = np.linalg.qr(white[:, 1:])
    rest = white[:, 0] - basis @ (basis.T @ white[:, 0])
    logs = 2 * (np.log(np.diag(factor)).sum() + np.log(np.abs(np.diag(triangle))).sum())
    return float(-0.5 * ((len(values) - means.shape[1]) * np.log(max(rest @ rest, 1e-300)) + logs))
