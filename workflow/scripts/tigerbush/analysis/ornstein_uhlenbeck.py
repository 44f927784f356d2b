"""Restoring rate of a seasonal Ornstein-Uhlenbeck process on irregular times, by restricted maximum likelihood.

    x(t+D) = m(t+D) + (x(t) - m(t)) exp(-rate D) + e,   Var e = s2 (1 - exp(-2 rate D)) / (2 rate)

with m = level + trend + curvature + season + what else is known to move it. Without curvature a decline that is no
straight line would look like a process that never returns. The mean and s2 are profiled out (restricted likelihood,
which removes most of the bias that they cause); what remains is a grid of rates, so that thousands of bootstrap series
are fitted at once. Rates are bounded to 0.03 .. 4 per step, beyond which series do not tell them apart. Whether the
rate falls is another question, of `tigerbush.analysis.slowing`.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import independent
from tigerbush.analysis.indicators import RATES, peak
from tigerbush.analysis.surrogates import ornstein_uhlenbeck

Array = NDArray[np.float64]

LEVEL = 0.95


class SeasonalProcess:
    """The restricted likelihood of all rates at given times.

    Parameters
    ----------
    days : (n,) float64 array
        Strictly increasing.
    days_per_step : float
        What the bounds refer to.
    means : (n, p) float64 array
        Columns of the mean; a curvature is added.
    noise : (n,) float64 array, optional
        Variance of the noise of each observation, relative to the stationary variance.
    """

    def __init__(self, days: Array, days_per_step: float, means: Array, noise: Array | None = None) -> None:
        self.days = days
        self.days_per_step = days_per_step
        centred = (days - days.mean()) / max(np.ptp(days), 1e-9)
        self.means = independent(np.column_stack([means, centred**2]))
        self.noise = 0.0 if noise is None else noise

    @cached_property
    def constant(self) -> list["_Whitening"]:
        """The likelihoods of the rates."""
        return [_Whitening(self.days, rate / self.days_per_step, self.means, self.noise) for rate in RATES]

    def simulate(self, rate: int, size: int, random: np.random.Generator) -> Array:
        """Draw series of a rate of the grid, (size, n) float64; their mean is 0."""
        return ornstein_uhlenbeck(self.days, RATES[rate] / self.days_per_step, size, random, self.noise)

    def fit(self, values: Array) -> "Fits":
        """Fit series, (b, n) float64."""
        return Fits(np.stack([whitening.score(values) for whitening in self.constant]))


class _Whitening:
    """Turns series of a rate into white noise, with the mean removed."""

    def __init__(self, days: Array, rate: float, means: Array, noise: Array | float) -> None:
        self.kept = np.exp(-rate * np.diff(days))
        self.scale = np.sqrt(np.concatenate([[1], 1 - self.kept**2]) / (2 * rate))
        self.inverse = None
        logs = 2 * np.log(self.scale).sum()
        if np.any(noise):
            factor = np.linalg.cholesky(self._covariance() + np.diag(noise * self.scale[0] ** 2))
            self.inverse = np.linalg.inv(factor)
            logs = 2 * np.log(np.diag(factor)).sum()
        self.basis, triangle = np.linalg.qr(self.whiten(means.T).T)
        self.freedom = means.shape[0] - means.shape[1]
        self.logs = logs + 2 * np.log(np.abs(np.diag(triangle))).sum()

    def _covariance(self) -> Array:
        variance = np.empty(len(self.scale))
        variance[0] = self.scale[0] ** 2
        for i, kept in enumerate(self.kept, 1):
            variance[i] = kept**2 * variance[i - 1] + self.scale[i] ** 2
        logs = np.concatenate([[0], np.cumsum(np.log(self.kept))])
        lower = np.tril(np.exp(np.minimum(logs[:, None] - logs, 0)) * variance)
        return lower + np.tril(lower, -1).T

    def whiten(self, values: Array) -> Array:
        """Whiten series, (b, n) float64."""
        if self.inverse is not None:
            return values @ self.inverse.T
        white = values / self.scale
        white[:, 1:] -= values[:, :-1] * (self.kept / self.scale[1:])
        return white

    def score(self, values: Array) -> Array:
        """Return the restricted log likelihood of series (b, n), up to a constant; (b,) float64."""
        white = self.whiten(values)
        mean = white @ self.basis
        squares = np.einsum("ij,ij->i", white, white) - np.einsum("ij,ij->i", mean, mean)
        return -0.5 * (self.freedom * np.log(np.maximum(squares, 1e-300)) + self.logs)


@dataclass(frozen=True)
class Fits:
    """Likelihoods of constant rates.

    Attributes
    ----------
    scores : (rates, b) float64 array
    """

    scores: Array

    @cached_property
    def peak(self) -> tuple[Array, Array]:
        """Greatest likelihood and where on the grid of rates."""
        return peak(self.scores)

    def deviance(self, rate: int) -> Array:
        """Return twice the log likelihood that a rate of the grid lacks, (b,) float64."""
        return 2 * (self.peak[0] - self.scores[rate])


def bootstrap_median(process: SeasonalProcess, rate: int, size: int, random: np.random.Generator) -> float:
    """Return how far the median estimate of series of a rate lies from it, in points of the grid."""
    estimates = process.fit(process.simulate(rate, size, random)).peak[1]
    return float(np.median(estimates)) - rate


def corrected_rate(where: float, bias: float) -> int:
    """Return the point of the grid nearest to an estimate without its bias."""
    return int(np.clip(round(where - bias), 0, len(RATES) - 1))


def fit_site(process: SeasonalProcess, values: Array, size: int, random: np.random.Generator) -> dict:
    """Estimate the restoring rate, with bounds by parametric bootstrap.

    Parameters
    ----------
    process : SeasonalProcess
    values : (n,) float64 array
    size : int
        Bootstrap series of each kind.
    random : Generator

    Returns
    -------
    dict
        rate (bias corrected), low, high (95 %; None where the interval reaches the bound of the grid, open), unit,
        bootstrap, converged (the estimate lies within the bounds).

    Notes
    -----
    Bounds are all rates whose deviance stays under the 95 % quantile of the deviance at the truth of bootstrap series.
    """
    fits = process.fit(values[None])
    where = float(fits.peak[1][0])
    bias = bootstrap_median(process, round(where), size, random)
    null = corrected_rate(where, bias)
    limit = np.quantile(process.fit(process.simulate(null, size, random)).deviance(null), LEVEL)
    per_day = np.log(RATES) - np.log(process.days_per_step)
    low, high = interval(per_day, fits.scores[:, 0], fits.peak[0][0], limit)
    inside = np.clip(where - bias, 0, len(RATES) - 1)
    return {
        "rate": float(np.exp(np.interp(inside, np.arange(len(RATES)), per_day))),
        "low": None if low is None else float(np.exp(low)),
        "high": None if high is None else float(np.exp(high)),
        "unit": "1/day",
        "bootstrap": size,
        "converged": bool(0 < where < len(RATES) - 1),
    }


def interval(grid: Array, scores: Array, greatest: float, limit: float) -> tuple[float | None, float | None]:
    """Return where the deviance crosses a limit on both sides of the peak; None where it never does."""
    deviance = 2 * (greatest - scores)
    best = int(scores.argmax())

    def crossing(order: range) -> float | None:
        for near, far in pairwise(order):
            if deviance[far] > limit:
                share = (limit - deviance[near]) / (deviance[far] - deviance[near])
                return float(grid[near] + np.clip(share, 0, 1) * (grid[far] - grid[near]))
        return None

    return crossing(range(best, -1, -1)), crossing(range(best, len(grid)))
