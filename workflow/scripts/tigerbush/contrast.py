"""Contrast of a pattern: how far it stands out of the noise of its pixels.

    contrast = sqrt(max(V - N, 0) / N)

V is the variance of what deviates from the mean of the surrounding 51 x 51 pixels, the window in which
`tigerbush.images.black_white` compares a pixel. N is the variance of the noise: white noise is in waves of all
frequencies alike, so the least power of any of them is its upper bound. A pattern of few pixels, whose waves fill the
whole spectrum, therefore gets a contrast that is too low, and noise that neighbours share, as after resampling, one
that is too high.
"""

from collections.abc import Iterable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from tigerbush.spectrum import power_of_waves

Array = NDArray[np.float64]

# below it noise has more than half of the variance, and black/white NDVI tells noise from noise
LEAST_CONTRAST = 1.0
WINDOW = 51  # pixels
# one step of a reflectance of Sentinel-2: no NDVI is known better
LEAST_NOISE = 1e-4
# waves of a group, each of which occurs twice, and the ratio of its highest to its lowest frequency
_WAVES, _RATIO = 200, 1.25


def contrast(values: Array) -> float | None:
    """Return the contrast of an image of NDVI.

    Parameters
    ----------
    values : (h, w) float array
        NaN where masked.

    Returns
    -------
    float or None
        White noise alone reaches 0.7; None where no pixel is valid, or too few are for a spectrum (200).
    """
    return contrasts(values, [np.s_[:, :]])[0]


def contrasts(values: Array, parts: Iterable[tuple[slice, slice]]) -> list[float | None]:
    """Return the contrast of parts of an image, each against its own noise.

    Parameters
    ----------
    values : (h, w) float array
        NaN where masked. Surroundings reach beyond a part.
    parts : iterable of (rows, columns)

    Returns
    -------
    list of float or None
        See `contrast`.
    """
    deviations = local_deviations(values)
    return [_contrast(values[part], deviations[part]) for part in parts]


def noise(values: Array) -> float | None:
    """Bound the standard deviation of the noise of each pixel from above.

    Parameters
    ----------
    values : (h, w) float array
        NaN where masked.

    Returns
    -------
    float or None
        At least 1e-4. From the least median power of groups of 200 or more waves of similar frequency; the power of
        white noise is exponential, with a median of ln 2 times its mean. None with fewer valid pixels than that.
    """
    valid = np.isfinite(values)
    if valid.sum() < _WAVES:
        return None
    power = power_of_waves(values, taper=False).ravel() / valid.sum()
    least = min(np.median(power[group]) for group in _groups(values.shape)) / np.log(2)
    return max(float(np.sqrt(least)), LEAST_NOISE)


def local_deviations(values: Array) -> Array:
    """Subtract from each pixel the mean of the valid pixels in the square of 51 x 51 around it.

    Parameters
    ----------
    values : (h, w) float array
        NaN where masked.

    Returns
    -------
    (h, w) float64 array
        Images are mirrored at their borders; NaN where masked.
    """
    valid = np.isfinite(values)
    share = cv2.blur(valid.astype(np.float64), (WINDOW, WINDOW))
    mean = cv2.blur(np.where(valid, values, 0).astype(np.float64), (WINDOW, WINDOW))
    return np.where(valid, values - mean / np.maximum(share, 1 / WINDOW**2), np.nan)


def _contrast(values: Array, deviations: Array) -> float | None:
    grain = noise(values)
    if grain is None:
        return None
    return float(np.sqrt(max(np.nanvar(deviations) / grain**2 - 1, 0)))


@lru_cache(maxsize=8)
def _groups(shape: tuple[int, int]) -> list[NDArray[np.int64]]:
    """Divide all waves but the mean into groups by frequency; indices of the flat spectrum."""
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij")).ravel()
    order = np.argsort(frequency, kind="stable")[1:]
    groups, start = [], 0
    while start < len(order):
        beyond = int(np.searchsorted(frequency[order], frequency[order[start]] * _RATIO))
        end = max(start + _WAVES, beyond)
        # what is left is too little for a group of its own
        end = len(order) if len(order) - end < _WAVES else end
        groups.append(order[start:end])
        start = end
    return groups
