"""Spatial metrics of a pattern at one date: autocorrelation, variance, skewness, patches, wavelength and direction.

Definitions follow the R package spatialwarnings (Génin et al. 2018, Methods in Ecology and Evolution 9, 2067), those of
the spectrum Couteron & Lejeune 2001 (Journal of Ecology 89, 616). What a type of pattern says about the direction of
change is contested: these are measurements, not conclusions.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tigerbush.images import MASKED_GREY, VEGETATION

Array = NDArray[np.float64]

# label and unit of each metric
METRICS = {
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
# wavelengths above this share of the side are a trend and not a pattern
LONGEST = 0.25
# lower limits of the size classes of patches, pixels
CLASSES = 2 ** np.arange(0, 17)


def spatial_metrics(
    ndvi: Array, black_white: NDArray[np.uint8], resolution: float
) -> dict[str, float | None]:
    """Measure the pattern of one date.

    Parameters
    ----------
    ndvi : (h, w) float array
        NaN where masked.
    black_white : (h, w) uint8 array
        0 vegetation, 255 bare, 127 masked.
    resolution : float
        Side of a pixel, m.

    Returns
    -------
    dict
        The keys of `METRICS`; None where undefined.
    """
    valid = np.isfinite(ndvi)
    values = ndvi[valid].astype(np.float64)
    metrics: dict[str, float | None] = dict.fromkeys(METRICS)
    if len(values) < 9 or values.std() == 0:
        return metrics
    centred = values - values.mean()
    variance = (centred**2).mean()
    metrics["morans_i"] = morans_i(ndvi)
    metrics["spatial_variance"] = float(variance)
    metrics["spatial_skewness"] = float((centred**3).mean() / variance**1.5)
    ground = black_white != MASKED_GREY
    if ground.any():
        metrics["cover"] = float((black_white == VEGETATION).sum() / ground.sum())
    if valid.mean() < 1 - MAX_MISSING:
        return metrics
    areas = patch_areas(black_white == VEGETATION)
    metrics["patch_count"] = float(len(areas) / (ground.sum() * resolution**2) * 1e6)
    if len(areas):
        metrics["patch_mean_area"] = float(areas.mean() * resolution**2)
        metrics["patch_largest_area"] = float(areas.max() * resolution**2)
    return metrics | dominant_wave(ndvi, resolution)


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


def patch_areas(plants: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the area of each patch in pixels (four neighbours); those at the border are cut."""
    labels, number = ndimage.label(plants)
    return np.bincount(labels.ravel(), minlength=number + 1)[1:]


def patch_classes(black_white: NDArray[np.uint8]) -> list[int]:
    """Count patches by size class: 1, 2-3, 4-7, ... pixels (`CLASSES`)."""
    areas = patch_areas(black_white == VEGETATION)
    return np.histogram(areas, bins=[*CLASSES, np.iinfo(np.int64).max])[0].tolist()


def spectrum(values: Array) -> tuple[Array, Array, Array]:
    """Return the two-dimensional power spectrum and its frequencies.

    Parameters
    ----------
    values : (h, w) float array
        NaN where missing. A plane is removed, missing pixels count as 0 afterwards, and a Hann taper is applied.

    Returns
    -------
    power, along rows, along columns : (h, w) float64 arrays
        Frequencies in cycles per pixel, rows positive southward, columns eastward.
    """
    valid = np.isfinite(values)
    rows, columns = np.mgrid[: values.shape[0], : values.shape[1]].astype(float)
    plane = np.column_stack([np.ones(valid.sum()), rows[valid], columns[valid]])
    fitted, *_ = np.linalg.lstsq(plane, values[valid].astype(np.float64), rcond=None)
    residual = np.where(valid, values - (fitted[0] + fitted[1] * rows + fitted[2] * columns), 0)
    taper = np.outer(np.hanning(values.shape[0] + 2)[1:-1], np.hanning(values.shape[1] + 2)[1:-1])
    power = np.abs(np.fft.fft2(residual * taper)) ** 2
    south, east = np.meshgrid(*(np.fft.fftfreq(size) for size in values.shape), indexing="ij")
    return power, south, east


def r_spectrum(values: Array) -> tuple[Array, Array]:
    """Return the radial spectrum: mean power of the waves in each ring, relative to the mean of all waves.

    Returns
    -------
    frequency, power : (rings,) float64 arrays
        Cycles per pixel, in rings one cycle per shorter side wide, up to 0.5; white noise has a power of 1 everywhere.
    """
    power, south, east = spectrum(values)
    side = min(values.shape)
    ring = np.rint(np.hypot(south, east) * side).astype(int)
    inside = (ring > 0) & (ring <= side // 2)
    total = np.bincount(ring[inside], power[inside], minlength=side // 2 + 1)
    number = np.bincount(ring[inside], minlength=side // 2 + 1)
    mean = total[1:] / np.maximum(number[1:], 1)
    return np.arange(1, side // 2 + 1) / side, mean / power[inside].mean()


def dominant_wave(values: Array, resolution: float) -> dict[str, float | None]:
    """Return the dominant wavelength of a pattern, and its direction.

    Parameters
    ----------
    values : (h, w) float array
    resolution : float
        m

    Returns
    -------
    dict
        wavelength (m): at the mean frequency of the peak of the radial spectrum and its two neighbours, weighted by
        power; None when the power only decreases, or never exceeds twice that of white noise. direction: across the
        bands, degrees clockwise from north, from 0 to below 180; anisotropy: length of the mean of exp(2 i angle) over
        the ring, weighted by power.
    """
    undefined = {"wavelength": None, "direction": None, "anisotropy": None}
    frequency, power = r_spectrum(values)
    side = min(values.shape)
    first = int(np.ceil(1 / LONGEST))
    if len(power) < first + 2:
        return undefined
    peak = first - 1 + int(power[first - 1 :].argmax())
    if peak in (first - 1, len(power) - 1) or power[peak] < 2 or power[peak] < power[peak - 1]:
        return undefined
    near = slice(peak - 1, peak + 2)
    mean = float((frequency[near] * power[near]).sum() / power[near].sum())
    waves, south, east = spectrum(values)
    ring = np.abs(np.hypot(south, east) - frequency[peak]) <= 1.5 / side
    # clockwise from north, which is up
    angle = np.arctan2(east[ring], -south[ring])
    resultant = (waves[ring] * np.exp(2j * angle)).sum() / waves[ring].sum()
    return {
        "wavelength": resolution / mean,
        "direction": float(np.degrees(np.angle(resultant)) / 2 % 180),
        "anisotropy": float(abs(resultant)),
    }
