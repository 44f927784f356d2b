"""Cover and patches by one threshold of NDVI for a site, beside those by local contrast (`tigerbush.spatial`).

The threshold is Otsu's, for all dates together: cover can be compared between dates. Where one threshold does not
separate two classes of ground, as in a closed forest or on bare soil, there is none, and no cover.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tigerbush.spatial import MAX_MISSING, patch_areas

Array = NDArray[np.float64]

# label and unit of each metric
COVER_METRICS = {
    "cover_ndvi": ("share of pixels with NDVI above the site's threshold", "1"),
    "patch_count_ndvi": ("patches of pixels above the threshold", "1/km2"),
    "patch_mean_area_ndvi": ("mean area of a patch above the threshold", "m2"),
}
EDGES = np.linspace(-1, 1, 401)
MASKED_CLASS = 65535
# of two equally frequent normal classes 2.4 standard deviations apart; one normal class has 2 / pi = 0.64, and even a
# uniform distribution no more than 0.75
LEAST_SEPARABILITY = 0.7


def ndvi_histogram(ndvi: Array) -> NDArray[np.int64]:
    """Count the pixels of an image, NaN where masked, by NDVI in classes of 0.005; (400,) int."""
    return np.histogram(ndvi[np.isfinite(ndvi)], EDGES)[0]


def classes_of_ndvi(ndvi: Array) -> NDArray[np.uint16]:
    """Return the class of each pixel, from which `ndvi_of_classes` makes NDVI of the same cover and histogram.

    Parameters
    ----------
    ndvi : (h, w) float32 array
        NaN where masked.

    Returns
    -------
    (h, w) uint16 array
        `MASKED_CLASS` where masked. Else the number of edges below the value, as float32, in which `cover_metrics`
        compares them, and of those up to it, as float64, in which `ndvi_histogram` does: they differ by no more than
        one, so that their sum tells both.
    """
    masked = np.isnan(ndvi)
    values = np.where(masked, np.float32(0), ndvi)
    below = np.searchsorted(EDGES.astype(np.float32), values, "left")
    classes = below + np.searchsorted(EDGES, values, "right")
    return np.where(masked, MASKED_CLASS, classes).astype(np.uint16)


def ndvi_of_classes(classes: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return NDVI of the given classes, (h, w) float32: an edge itself, or what is in the middle between two."""
    edges = EDGES.astype(np.float32)
    middle = (EDGES[1:] + EDGES[:-1]) / 2
    values = np.empty(2 * len(EDGES) + 1, np.float32)
    values[1::2] = edges
    values[2:-1:2] = middle
    values[0], values[-1] = -2, 2
    masked = classes == MASKED_CLASS
    return np.where(masked, np.float32(np.nan), values[np.where(masked, 0, classes)])


def ndvi_threshold(histograms: Sequence[NDArray[np.int64]]) -> dict:
    """Find the threshold that separates two classes of ground within the dates of a site.

    Parameters
    ----------
    histograms : sequence of (400,) int arrays
        From `ndvi_histogram`, of each date.

    Returns
    -------
    dict
        value: the NDVI at which the variance between the classes is greatest (Otsu 1979, IEEE Transactions on Systems,
        Man, and Cybernetics 9, 62), summed over dates, so that the season, which is between dates, does not count.
        separability: that variance by the variance within dates, Otsu's criterion, 0 to 1. why: codes of a value of
        None. `no_data`; `one_class`: the separability is below `least`, so that dense and sparse ground are not
        told apart.
    """
    result = {"value": None, "separability": None, "least": LEAST_SEPARABILITY, "why": []}
    counts = np.array([counts for counts in histograms if counts.any()], dtype=float).reshape(
        -1, len(EDGES) - 1
    )
    middle = (EDGES[1:] + EDGES[:-1]) / 2
    number = counts.sum(axis=1, keepdims=True)
    mean = counts @ middle[:, None] / np.maximum(number, 1)
    total = (counts * (middle - mean) ** 2).sum()
    if not total:
        return result | {"why": ["one_class" if len(counts) else "no_data"]}
    below = counts.cumsum(axis=1)
    above = number - below
    moment = (counts * (middle - mean)).cumsum(axis=1)
    both = np.maximum(below * above, 1)
    between = (moment**2 * number / both).sum(axis=0) / total
    best = int(between.argmax())
    result["separability"] = float(between[best])
    if between[best] < LEAST_SEPARABILITY:
        return result | {"why": ["one_class"]}
    return result | {"value": float(EDGES[best + 1])}


def cover_metrics(ndvi: Array, threshold: float | None, resolution: float) -> dict[str, float | None]:
    """Measure cover and patches of one date.

    Parameters
    ----------
    ndvi : (h, w) float array
        NaN where masked.
    threshold : float or None
        From `ndvi_threshold`.
    resolution : float
        Side of a pixel, m.

    Returns
    -------
    dict
        The keys of `COVER_METRICS`; None without a threshold or a pixel, and without patches. Patches are not counted
        where more than a quarter of the pixels is masked.
    """
    metrics: dict[str, float | None] = dict.fromkeys(COVER_METRICS)
    valid = np.isfinite(ndvi)
    if threshold is None or not valid.any():
        return metrics
    plants = valid & (ndvi > threshold)
    metrics["cover_ndvi"] = float(plants.sum() / valid.sum())
    if valid.mean() < 1 - MAX_MISSING:
        return metrics
    areas = patch_areas(plants)
    metrics["patch_count_ndvi"] = float(len(areas) / (valid.sum() * resolution**2) * 1e6)
    if len(areas):
        metrics["patch_mean_area_ndvi"] = float(areas.mean() * resolution**2)
    return metrics
