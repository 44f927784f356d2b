"""Restoring rate of a seasonal Ornstein-Uhlenbeck process on irregular times, by restricted maximum likelihood.

    x(t+D) = m(t+D) + (x(t) - m(t)) exp(-rate D) + e,   Var e = s2 (1 - exp(-2 rate D)) / (2 rate)

with m = level + trend + curvature + harmonics of the year. Without curvature a decline that is no straight line would
look like a process that never returns. The rate may change exponentially over the record: rate(t) = rate
exp(change (t - middle) / length). The mean and s2 are profiled out (restricted likelihood, which removes
most of the bias that they cause); what remains is a grid of rates and changes, so that thousands of bootstrap series
are fitted at once. Rates are bounded to 0.03 .. 4 per step, beyond which series do not tell them apart.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import design
from tigerbush.analysis.indicators import RATES, peak
from tigerbush.analysis.surrogates import ornstein_uhlenbeck, p_value

Array = NDArray[np.float64]

# log of the rate at the end over the rate at the start
CHANGES = np.linspace(-4, 4, 17)
CONSTANT = len(CHANGES) // 2
# variance of the noise of an observation, relative to that of the process
SHARES = np.array([0.0, 0.1, 0.25, 0.5, 1.0])
LEVEL = 0.95
# of the mean over time, besides the season
DEGREE = 2


class SeasonalProcess:
    """The restricted likelihood of all rates and changes at given times.

    Parameters
    ----------
    days : (n,) float64 array
        Strictly increasing.
    days_per_step : float
        What the bounds refer to.
    harmonics : int
        Of the year, in the mean.
    weights : (n,) float64 array, optional
        Observations per date: the noise of an observation has a variance proportional to 1 / weight. None: no noise.
    share : float
        Variance of that noise at the mean weight, relative to the stationary variance.
    """

    def __init__(
        self,
        days: Array,
        days_per_step: float,
        harmonics: int,
        weights: Array | None = None,
        share: float = 0.0,
    ) -> None:
        self.days = days
        self.days_per_step = days_per_step
        self.means = design(days, harmonics, DEGREE)
        noise = np.zeros(len(days)) if weights is None else share * np.mean(weights) / weights
        self.noise = noise if noise.any() else 0.0
        self.length = days[-1] - days[0]

    def rates(self, rate: int, change: float) -> Array:
        """Return the rate of each step, 1/day; (n - 1,) float64."""
        middle = (self.days[1:] + self.days[:-1]) / 2
        course = change * ((middle - self.days[0]) / self.length - 0.5)
        return np.clip(RATES[rate] * np.exp(course), RATES[0], RATES[-1]) / self.days_per_step

    @cached_property
    def constant(self) -> list["_Whitening"]:
        """The likelihoods of constant rates."""
        return [self._whitening(rate, 0.0) for rate in range(len(RATES))]

    @cached_property
    def changing(self) -> list[list["_Whitening"]]:
        """The likelihoods of changing rates: by change, then by rate."""
        return [
            self.constant if i == CONSTANT else [self._whitening(rate, change) for rate in range(len(RATES))]
            for i, change in enumerate(CHANGES)
        ]

    def _whitening(self, rate: int, change: float) -> "_Whitening":
        return _Whitening(self.days, self.rates(rate, change), self.means, self.noise)

    def simulate(self, rate: int, change: float, size: int, random: np.random.Generator) -> Array:
        """Draw series of a rate of the grid and a change, (size, n) float64; their mean is 0."""
        return ornstein_uhlenbeck(self.days, self.rates(rate, change), size, random, self.noise)

    def fit(self, values: Array) -> "Fits":
        """Fit series, (b, n) float64."""
        return Fits(np.stack([whitening.score(values) for whitening in self.constant]))

    def fit_change(self, values: Array) -> "ChangeFits":
        """Fit series, (b, n) float64, with a rate that may change."""
        profile, where = zip(
            *(
                peak(np.stack([whitening.score(values) for whitening in whitenings]))
                for whitenings in self.changing
            ),
            strict=True,
        )
        return ChangeFits(np.stack(profile), np.stack(where))


class _Whitening:
    """Turns series of given rates into white noise, with the mean removed."""

    def __init__(self, days: Array, rates: Array, means: Array, noise: Array | float) -> None:
        self.kept = np.exp(-rates * np.diff(days))
        spread = (1 - self.kept**2) / (2 * rates)
        self.scale = np.sqrt(np.concatenate([[1 / (2 * rates[0])], spread]))
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


@dataclass(frozen=True)
class ChangeFits:
    """Likelihoods of changes, the rate profiled out.

    Attributes
    ----------
    profile, where : (changes, b) float64 arrays
        Greatest likelihood of each change, and where on the grid of rates.
    """

    profile: Array
    where: Array

    @cached_property
    def peak(self) -> tuple[Array, Array]:
        """Greatest likelihood and where on the grid of changes."""
        return peak(self.profile)

    @property
    def change(self) -> Array:
        """The estimate, (b,) float64."""
        return np.interp(self.peak[1], np.arange(len(CHANGES)), CHANGES)

    @property
    def root(self) -> Array:
        """Signed root of the likelihood ratio against a constant rate, negative for a falling one; (b,) float64."""
        ratio = 2 * np.maximum(self.peak[0] - self.profile[CONSTANT], 0)
        return np.sign(self.change) * np.sqrt(ratio)


def bootstrap_median(process: SeasonalProcess, rate: int, size: int, random: np.random.Generator) -> float:
    """Return how far the median estimate of series of a rate lies from it, in points of the grid."""
    estimates = process.fit(process.simulate(rate, 0.0, size, random)).peak[1]
    return float(np.median(estimates)) - rate


def corrected_rate(where: float, bias: float) -> int:
    """Return the point of the grid nearest to an estimate without its bias."""
    return int(np.clip(round(where - bias), 0, len(RATES) - 1))


def fit_site(process: SeasonalProcess, values: Array, size: int, random: np.random.Generator) -> dict:
    """Estimate the restoring rate and its change, with bounds and a test by parametric bootstrap.

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
        trend, trend_low, trend_high (change of ln rate per year), p_trend (of a falling rate), p_trend_two_sided,
        bootstrap, converged (the estimate lies within the bounds), null_rate. For the caller's own tests: null (its
        point of the grid), root (of the likelihood ratio).

    Notes
    -----
    Bounds are all rates (changes) whose deviance stays under the 95 % quantile of the deviance at the truth of
    bootstrap series; the test compares signed roots of likelihood ratios.
    """
    series = values[None]
    fits, changes = process.fit(series), process.fit_change(series)
    where = float(fits.peak[1][0])
    bias = bootstrap_median(process, round(where), size, random)
    null = corrected_rate(where, bias)
    surrogates = process.simulate(null, 0.0, size, random)
    limit = np.quantile(process.fit(surrogates).deviance(null), LEVEL)
    roots = process.fit_change(surrogates).root
    root = float(changes.root[0])
    nearest = int(np.argmin(np.abs(CHANGES - changes.change[0])))
    changed = process.fit_change(process.simulate(null, CHANGES[nearest], size, random))
    change_limit = np.quantile(2 * (changed.peak[0] - changed.profile[nearest]), LEVEL)
    per_day = np.log(RATES) - np.log(process.days_per_step)
    low, high = interval(per_day, fits.scores[:, 0], fits.peak[0][0], limit)
    years = process.length / 365.2425
    trend_low, trend_high = interval(CHANGES / years, changes.profile[:, 0], changes.peak[0][0], change_limit)
    inside = np.clip(where - bias, 0, len(RATES) - 1)
    return {
        "rate": float(np.exp(np.interp(inside, np.arange(len(RATES)), per_day))),
        "low": None if low is None else float(np.exp(low)),
        "high": None if high is None else float(np.exp(high)),
        "unit": "1/day",
        "trend": float(changes.change[0] / years),
        "trend_low": trend_low,
        "trend_high": trend_high,
        "trend_unit": "change of ln(rate) per year",
        "p_trend": p_value(root, roots, -1),
        "p_trend_two_sided": p_value(abs(root), np.abs(roots), 1),
        "bootstrap": size,
        "converged": bool(0 < where < len(RATES) - 1),
        "null_rate": float(RATES[null] / process.days_per_step),
        "null": null,
        "root": root,
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


def noise_share(days: Array, days_per_step: float, harmonics: int, values: Array, weights: Array) -> float:
    """Estimate the variance of the observations' noise, relative to the process; the best of `SHARES`."""
    processes = [SeasonalProcess(days, days_per_step, harmonics, weights, share) for share in SHARES]
    # the scores are of one data set and one number of means, so that they compare
    return float(SHARES[int(np.argmax([process.fit(values[None]).peak[0][0] for process in processes]))])
