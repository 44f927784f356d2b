"""Trends of series that have a season and a memory: Kendall's tau, tested against series without a trend.

Neighbouring dates are alike, so that the tabulated significance of tau does not apply, and a season mimics a trend if
the dates are uneven. The season is removed (a line is fitted with it and kept), and tau is compared with that of AR(1)
series at the same times, treated alike. A short series tells little about its own memory: p is a mean over restoring
rates, weighted by how likely each makes the autocorrelation at lag 1 that the series has after line and season are
removed. This also removes the bias of the autocorrelation.
"""

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import design, harmonics_of
from tigerbush.analysis.indicators import kendall
from tigerbush.analysis.surrogates import ornstein_uhlenbeck

Array = NDArray[np.float64]

# fewer values are not tested
LEAST_DATES = 12
# restoring rate times step: memory from 100 steps down to none
RATES = np.exp(np.linspace(np.log(0.01), np.log(4), 15))
SURROGATES = 499
HARMONICS = 2


class TrendTest:
    """The test at given times, for all series that have them.

    Parameters
    ----------
    days : (n,) float64 array
        Strictly increasing.
    days_per_step : float
        Usual distance of dates.
    random : Generator
    """

    def __init__(self, days: Array, days_per_step: float, random: np.random.Generator) -> None:
        harmonics = harmonics_of(days, days_per_step, HARMONICS)
        means = design(days, harmonics)
        inverse = np.linalg.pinv(means)
        self._season = np.eye(len(days)) - means[:, 2:] @ inverse[2:]
        self._line_and_season = np.eye(len(days)) - means @ inverse
        drawn = [ornstein_uhlenbeck(days, rate / days_per_step, SURROGATES, random) for rate in RATES]
        memory = np.array([self._autocorrelation(series) for series in drawn])
        self._mean, self._spread = memory.mean(axis=1), memory.std(axis=1)
        self._taus = np.array([self._tau(series) for series in drawn])

    def __call__(self, values: Array) -> tuple[float, float]:
        """Return tau and its p.

        Parameters
        ----------
        values : (n,) float64 array
            Without gaps; not constant.

        Returns
        -------
        tau, p : float
            Two-sided: twice the smaller share of surrogates as extreme, the series itself counted.
        """
        series = values[None]
        distance = (self._autocorrelation(series)[0] - self._mean) / self._spread
        # of the likelihood of each rate, nearly normal
        weights = np.exp(-0.5 * (distance**2 - (distance**2).min())) / self._spread
        tau = self._tau(series)[0]
        smaller = np.minimum((self._taus >= tau).sum(axis=1), (self._taus <= tau).sum(axis=1))
        p = np.minimum(2 * (1 + smaller) / (SURROGATES + 1), 1)
        return float(tau), float(np.average(p, weights=weights))

    def _tau(self, series: Array) -> Array:
        return kendall(series @ self._season.T)

    def _autocorrelation(self, series: Array) -> Array:
        residual = series @ self._line_and_season.T
        products = (residual[:, 1:] * residual[:, :-1]).sum(axis=1)
        return products / np.maximum((residual**2).sum(axis=1), np.finfo(float).tiny)


def holm(p: list[float]) -> list[float]:
    """Adjust p-values of several tests so that all of them together keep the level (Holm 1979)."""
    order = np.argsort(p)
    scaled = np.array(p)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted.tolist()
