"""Spatial metrics of a pattern at one date: contrast, correlation, variance, skewness, patches, wavelength, direction.

Definitions follow the R package spatialwarnings (Génin et al. 2018, Methods in Ecology and Evolution 9, 2067), those of
the spectrum Couteron & Lejeune 2001 (Journal of Ecology 89, 616). What a type of pattern says about the direction of
change is contested: these are measurements, not conclusions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tigerbush.contrast import LEAST_CONTRAST, contrast, contrasts
from tigerbush.images import MASKED_GREY, VEGETATION
from tigerbush.patches import patch_areas
from tigerbush.pattern_class import pattern_class
from tigerbush.spectrum import dominant_wave, rises

Array = NDArray[np.float64]

# label and unit of each metric
METRICS = {
    "contrast": ("contrast of the pattern to the noise", "1"),
    "morans_i": ("Moran's I of NDVI, neighbours at an edge", "1"),
    "spatial_variance": ("spatial variance of NDVI", "1"),
    "spatial_skewness": ("spatial skewness of NDVI", "1"),
    "cover": ("share of pixels darker than their surroundings", "1"),
    "patch_count": ("patches of vegetation", "1/km2"),
    "patch_mean_area": ("mean area of a patch", "m2"),
    "patch_largest_area": ("largest patch", "m2"),
    "wavelength": ("wavelength of the pattern", "m"),
    "direction": ("direction across the bands, from north by east", "degree"),
    "anisotropy": ("strength of the direction, 0 none to 1", "1"),
}
# with a larger share of missing pixels neither patches nor wavelength are measured
MAX_MISSING = 0.25


@dataclass(frozen=True)
class Pattern:
    """The pattern of a date.

    Attributes
    ----------
    metrics : dict
        The keys of `METRICS`; None where undefined.
    reason : str or None
        Why there are no numbers but the contrast: `no_pixels` (fewer than 9), `constant`, or `contrast` (it is below
        `LEAST_CONTRAST`, and no wavelength shows a pattern that the noise hides).
    wavelength_reason : str or None
        Why there is no wavelength: the same, or `masked` (more than a quarter of the pixels), `no_peak` (no wave has
        significantly more power than longer ones).
    pattern_class : str or None
        One of `tigerbush.pattern_class.PATTERN_CLASSES`; None where too many pixels are masked to tell.
    """

    metrics: dict[str, float | None]
    reason: str | None
    wavelength_reason: str | None
    pattern_class: str | None


def measure_pattern(ndvi: Array, black_white: NDArray[np.uint8], resolution: float) -> Pattern:
    """Measure the pattern of one date.

    Parameters
    ----------
    ndvi : (h, w) float array
        NaN where masked.
    black_white : (h, w) uint8 array
        0 vegetation, 255 bare, 127 masked.
    resolution : float
        Side of a pixel, m.
    """
    valid = np.isfinite(ndvi)
    metrics: dict[str, float | None] = dict.fromkeys(METRICS)
    if valid.sum() < 9:
        return Pattern(metrics, "no_pixels", "no_pixels", None)
    if np.ptp(ndvi[valid]) == 0:
        return Pattern(metrics, "constant", "constant", "none")
    whole = valid.mean() >= 1 - MAX_MISSING
    wave = (
        dominant_wave(ndvi, resolution) if whole else dict.fromkeys(("wavelength", "direction", "anisotropy"))
    )
    metrics["contrast"] = contrast(ndvi)
    low = metrics["contrast"] is not None and metrics["contrast"] < LEAST_CONTRAST
    if low and wave["wavelength"] is None:
        return Pattern(metrics, "contrast", "contrast", "none" if whole else None)
    metrics |= _moments(ndvi[valid].astype(np.float64)) | {"morans_i": morans_i(ndvi)} | wave
    metrics |= _cover_and_patches(black_white, resolution, whole)
    if not whole:
        return Pattern(metrics, None, "masked", None)
    frequency = wave["wavelength"] and resolution / wave["wavelength"]
    found = pattern_class(ndvi, frequency, wave["anisotropy"])
    return Pattern(metrics, None, None if frequency else "no_peak", found)


def spatial_metrics(
    ndvi: Array, black_white: NDArray[np.uint8], resolution: float
) -> dict[str, float | None]:
    """Return the metrics of `measure_pattern`, the keys of `METRICS`; None where undefined."""
    return measure_pattern(ndvi, black_white, resolution).metrics


def without_contrast(ndvi: Array, parts: Sequence[tuple[slice, slice]]) -> list[bool]:
    """Tell in which parts of an image noise hides the pattern, so that black/white NDVI tells noise from noise.

    Parameters
    ----------
    ndvi : (h, w) float array
        NaN where masked.
    parts : sequence of (rows, columns)

    Returns
    -------
    list of bool
        The contrast is below `LEAST_CONTRAST`, and no wave of the part has more power than longer ones.
    """
    return [
        value is not None and value < LEAST_CONTRAST and not rises(ndvi[part]).any()
        for part, value in zip(parts, contrasts(ndvi, parts), strict=True)
    ]


def morans_i(values: Array) -> float:
    """Return Moran's I with four neighbours (rook); pairs with a missing pixel are left out.

    Parameters
    ----------
    values : (h, w) float array
        NaN where missing.
    """
    centred = values - np.nanmean(values)
    products = [centred[:, 1:] * centred[:, :-1], centred[1:] * centred[:-1]]
    pairs = sum(np.isfinite(product).sum() for product in products)
    total = sum(np.nansum(product) for product in products)
    return float(total / max(pairs, 1) / np.nanmean(centred**2))


def _moments(values: Array) -> dict[str, float]:
    centred = values - values.mean()
    variance = (centred**2).mean()
    return {
        "spatial_variance": float(variance),
        "spatial_skewness": float((centred**3).mean() / variance**1.5),
    }


def _cover_and_patches(
    black_white: NDArray[np.uint8], resolution: float, whole: bool
) -> dict[str, float | None]:
    """Measure vegetation; patches only where the image is whole enough."""
    ground, plants = black_white != MASKED_GREY, black_white == VEGETATION
    metrics: dict[str, float | None] = {"cover": float(plants.sum() / ground.sum()) if ground.any() else None}
    if not whole:
        return metrics
    areas = patch_areas(plants)
    metrics["patch_count"] = float(len(areas) / (ground.sum() * resolution**2) * 1e6)
    if len(areas):
        metrics["patch_mean_area"] = float(areas.mean() * resolution**2)
        metrics["patch_largest_area"] = float(areas.max() * resolution**2)
    return metrics
