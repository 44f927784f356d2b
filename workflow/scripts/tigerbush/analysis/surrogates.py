"""Surrogate series: a system without any change, at the same times."""

import zlib

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def generator(seed: int, *names: str) -> np.random.Generator:
    """Return a generator of the same numbers for the same seed and names, whatever else is analysed."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def ornstein_uhlenbeck(
    days: Array, rates: Array | float, size: int, random: np.random.Generator, share: Array | float = 0.0
) -> Array:
    """Draw Ornstein-Uhlenbeck series at given times, exactly; with equal steps they are AR(1).

    Parameters
    ----------
    days : (n,) float64 array
    rates : float or (n - 1,) float64 array
        Restoring rate, 1/day, of each step.
    size : int
        How many series.
    random : Generator
    share : float or (n,) float64 array
        Variance of the noise of each observation, relative to the stationary variance at the first rate.

    Returns
    -------
    (size, n) float64 array
        With noise of unit intensity: the variance is 1 / (2 rate).
    """
    rates = np.broadcast_to(np.asarray(rates, dtype=float), (len(days) - 1,))
    kept = np.exp(-rates * np.diff(days))
    spread = np.sqrt((1 - kept**2) / (2 * rates))
    noise = random.standard_normal((len(days), size))
    scale = 1 / np.sqrt(2 * rates[0])
    noise[0] *= scale
    for i in range(1, len(days)):
        noise[i] = noise[i - 1] * kept[i - 1] + noise[i] * spread[i - 1]
    series = noise.T
    if np.any(share):
        series = series + scale * np.sqrt(share) * random.standard_normal(series.shape)
    return series


def phase_randomised(values: Array, size: int, random: np.random.Generator) -> Array:
    """Draw series with the power spectrum of a regular series and random phases (Theiler et al. 1992).

    Parameters
    ----------
    values : (n,) float64 array
        Without gaps.
    size : int
    random : Generator

    Returns
    -------
    (size, n) float64 array
        Means and variances are those of `values`.
    """
    spectrum = np.fft.rfft(values)
    phases = np.exp(2j * np.pi * random.random((size, len(spectrum))))
    phases[:, 0] = 1
    if len(values) % 2 == 0:
        # the fastest wave has to stay real; its cosine keeps the expected power
        phases[:, -1] = np.sqrt(2) * phases[:, -1].real
    return np.fft.irfft(spectrum * phases, n=len(values), axis=1)


def p_value(observed: float, surrogates: Array, direction: int) -> float:
    """Return the share of surrogates, the series itself counted, that are as extreme in a direction.

    Parameters
    ----------
    observed : float
    surrogates : (b,) float64 array
    direction : int
        1 for rising, -1 for falling, 0 for either (twice the smaller share).

    Returns
    -------
    float
        (1 + number) / (b + 1), never 0 (Davison & Hinkley 1997).
    """
    up = (1 + np.count_nonzero(surrogates >= observed)) / (len(surrogates) + 1)
    down = (1 + np.count_nonzero(surrogates <= observed)) / (len(surrogates) + 1)
    if direction:
        return float(up if direction > 0 else down)
    return float(min(1.0, 2 * min(up, down)))
