"""The class of a pattern: gaps, labyrinths, spots, bands or none (Buxton et al. 2021, Global Change Biology 28, 571).

Bands have a direction. Of patterns without one, gaps have vegetation that is connected in bare ground that is not; else
bare ground is, and plants stand in spots or in longer pieces of a labyrinth. Pieces are measured in squares of the
wavelength. The limits lie between the classes of the model of `tigerbush.pattern`, of which rain and slope are known
(docs/patterns.md has the confusion table). A class describes an image, and does not say where the vegetation is going.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tigerbush.contrast import local_deviations

PATTERN_CLASSES = ("gaps", "labyrinths", "spots", "bands", "none")
# least strength of the direction of bands
BANDS = 0.35
# greatest area of spots, squares of the wavelength
SPOTS = 0.5
# waves up to so many times the frequency of the pattern have its shape, shorter ones its noise
SHARPEST = 2.5


def pattern_class(ndvi: NDArray[np.floating], frequency: float | None, anisotropy: float | None) -> str:
    """Classify the pattern of an image.

    Parameters
    ----------
    ndvi : (h, w) float array
        NaN where masked.
    frequency : float or None
        Of the pattern, cycles per pixel (`tigerbush.spectrum.dominant_wave`); None without a wavelength.
    anisotropy : float or None
        Strength of its direction.

    Returns
    -------
    str
        One of `PATTERN_CLASSES`; none where the pattern has no wavelength.
    """
    if frequency is None or anisotropy is None:
        return "none"
    if anisotropy >= BANDS:
        return "bands"
    plants, bare = pieces(ndvi, frequency)
    if plants > bare:
        return "gaps"
    return "spots" if plants <= SPOTS else "labyrinths"


def pieces(ndvi: NDArray[np.floating], frequency: float) -> tuple[float, float]:
    """Return how large the patches of vegetation are, and those of bare ground.

    Parameters
    ----------
    ndvi : (h, w) float array
        NaN where masked.
    frequency : float
        Of the pattern, cycles per pixel.

    Returns
    -------
    plants, bare : float
        Mean area of the patch (four neighbours) of a pixel, in squares of the wavelength. Vegetation is NDVI above the
        threshold of Otsu 1979 (IEEE Transactions on Systems, Man and Cybernetics 9, 62), relative to its surroundings
        and without the shortest waves.
    """
    valid = np.isfinite(ndvi)
    deviations = np.where(valid, local_deviations(ndvi), 0)
    south, east = np.meshgrid(*map(np.fft.fftfreq, ndvi.shape), indexing="ij")
    waves = np.fft.fft2(deviations) * (np.hypot(south, east) <= SHARPEST * frequency)
    smooth = np.real(np.fft.ifft2(waves))
    plants = smooth > _otsu(smooth[valid])
    return _mean_piece(plants & valid) * frequency**2, _mean_piece(~plants & valid) * frequency**2


def _mean_piece(image: NDArray[np.bool_]) -> float:
    areas = np.bincount(ndimage.label(image)[0].ravel())[1:].astype(float)
    return float((areas**2).sum() / areas.sum()) if len(areas) else 0.0


def _otsu(values: NDArray[np.float64]) -> float:
    """Return the threshold that separates two classes of values best (of 256)."""
    number, edges = np.histogram(values, 256)
    middle = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(number)[:-1], np.cumsum(number * middle)
    total, whole = len(values), sums[-1]
    between = (whole * below / total - sums[:-1]) ** 2 / np.maximum(below * (total - below), 1)
    return float(edges[1:-1][between.argmax()])
