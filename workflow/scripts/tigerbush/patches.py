"""Patches of vegetation: their areas, and distributions fitted to them.

Distributions and comparison follow Clauset et al. 2009 (SIAM Review 51, 661) and spatialwarnings (Génin et al. 2018):
discrete, by maximum likelihood, from an area of one pixel on.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from tigerbush.images import VEGETATION

Array = NDArray[np.float64]

# lower limits of the size classes of patches, pixels
CLASSES = 2 ** np.arange(0, 17)
# fewer patches do not tell distributions apart
LEAST_PATCHES = 50
# terms of a sum that are added one by one; the rest is integrated
_TERMS = np.arange(1.0, 201)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def patch_areas(plants: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the area of each patch in pixels (four neighbours); those at the border are cut."""
    labels, number = ndimage.label(plants)
    return np.bincount(labels.ravel(), minlength=number + 1)[1:]


def patch_classes(black_white: NDArray[np.uint8]) -> list[int]:
    """Count patches by size class: 1, 2-3, 4-7, ... pixels (`CLASSES`)."""
    areas = patch_areas(black_white == VEGETATION)
    return np.histogram(areas, bins=[*CLASSES, np.iinfo(np.int64).max])[0].tolist()


def fit_patches(areas: NDArray[np.int64]) -> dict | None:
    """Fit four distributions to the areas of patches, and compare them.

    Parameters
    ----------
    areas : (n,) int array
        Pixels, at least 1.

    Returns
    -------
    dict or None
        Per name of `DISTRIBUTIONS`: parameters, log_likelihood, aic, bic (2 k - 2 ln L, k ln n - 2 ln L); and `best`,
        the name of the least BIC. None with fewer than 50 patches, or when all areas are equal.
    """
    # only analyses fit; measures are taken by many short jobs
    from scipy import optimize

    areas = np.asarray(areas)
    if len(areas) < LEAST_PATCHES or areas.min() == areas.max():
        return None
    sizes, counts = np.unique(areas, return_counts=True)
    fits = {}
    for name, (parameters, log_mass, start, bounds) in DISTRIBUTIONS.items():

        def loss(values: Array, log_mass: Callable = log_mass) -> float:
            return -float(counts @ log_mass(sizes, *values)) / len(areas)

        best = optimize.minimize(loss, start(areas), method="L-BFGS-B", bounds=bounds)
        likelihood, number = -best.fun * len(areas), len(parameters)
        fits[name] = {
            "parameters": dict(zip(parameters, best.x.tolist(), strict=True)),
            "log_likelihood": likelihood,
            "aic": 2 * number - 2 * likelihood,
            "bic": number * math.log(len(areas)) - 2 * likelihood,
        }
    return fits | {"best": min(fits, key=lambda name: fits[name]["bic"])}


def power_law(sizes: Array, exponent: float) -> Array:
    """Return ln P(x) of P(x) = x^-exponent / zeta(exponent)."""
    return -exponent * np.log(sizes) - np.log(special.zeta(exponent))


def truncated_power_law(sizes: Array, exponent: float, rate: float) -> Array:
    """Return ln P(x) of P(x) proportional to x^-exponent exp(-rate x)."""
    return -exponent * np.log(sizes) - rate * sizes - math.log(_sum_of_truncated(exponent, rate))


def exponential(sizes: Array, rate: float) -> Array:
    """Return ln P(x) of P(x) = (1 - exp(-rate)) exp(-rate (x - 1))."""
    return np.log(-np.expm1(-rate)) - rate * (sizes - 1)


def lognormal(sizes: Array, mu: float, sigma: float) -> Array:
    """Return ln P(x) of a lognormal variable that is rounded to whole pixels and is at least 1."""
    log_survival = special.log_ndtr(-(np.log(np.append(sizes - 0.5, sizes + 0.5)) - mu) / sigma)
    above, beyond = log_survival[: len(sizes)], log_survival[len(sizes) :]
    # of the difference of two survival functions, in logs
    difference = above + np.log(-np.expm1(np.minimum(beyond - above, -1e-300)))
    return difference - special.log_ndtr(-(math.log(0.5) - mu) / sigma)


def _sum_of_truncated(exponent: float, rate: float) -> float:
    """Return the sum over x = 1, 2, ... of x^-exponent exp(-rate x), to about 1e-8 of itself; the rate is above 0."""
    total = float(np.sum(_TERMS**-exponent * np.exp(-rate * _TERMS)))
    start, end = _TERMS[-1] + 0.5, 40 / rate  # exp(-40) is nothing
    if end <= start:
        return total
    # the midpoint rule turns the rest of the sum into an integral, here over ln x
    low, high = math.log(start), math.log(end)
    x = np.exp(low + (high - low) * (_NODES + 1) / 2)
    return total + (high - low) / 2 * float(_WEIGHTS @ (x ** (1 - exponent) * np.exp(-rate * x)))


# parameters, ln P, where the search starts, bounds
DISTRIBUTIONS: dict[str, tuple] = {
    "power_law": (("exponent",), power_law, lambda areas: (1.8,), [(1.0001, 20)]),
    "truncated_power_law": (
        ("exponent", "rate"),
        truncated_power_law,
        lambda areas: (1.2, 0.1 / float(areas.mean())),
        [(-5, 20), (1e-7, 20)],
    ),
    "exponential": (
        ("rate",),
        exponential,
        # the maximum itself
        lambda areas: (-math.log1p(-1 / float(areas.mean())),),
        [(1e-9, 50)],
    ),
    "lognormal": (
        ("mu", "sigma"),
        lognormal,
        lambda areas: (float(np.log(areas).mean()), max(float(np.log(areas).std()), 0.1)),
        [(-50, 50), (0.05, 50)],
    ),
}
