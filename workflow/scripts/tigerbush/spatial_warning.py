"""Spatial early-warning indicators of one date, and what they would be without the structure that they measure.

Before a tipping point a system recovers more slowly, so neighbours become more alike: the variance of coarse squares,
Moran's I and the power of long waves rise, and bare ground joins (Kéfi et al. 2014, PLoS ONE 9, e92097). Definitions
follow the R package spatialwarnings (Génin et al. 2018, Methods in Ecology and Evolution 9, 2067).

Two nulls. `permuted`: the same pixels at random places, without any structure. `red`: random fields with the power
spectrum of the image, and as much vegetation: what the two-point correlation of the image alone gives, against which
the shape of the pattern is tested.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import special

from tigerbush.flow_length import flow_length
from tigerbush.spectrum import rings

Image = NDArray[np.floating]

# label and unit of each indicator
INDICATORS = {
    "coarse_variance": ("coarse-grained variance of NDVI", "1"),
    "coarse_skewness": ("coarse-grained skewness of NDVI", "1"),
    "morans_i": ("Moran's I of NDVI, neighbours at an edge", "1"),
    "spectral_ratio": ("power of long waves over that of short ones", "1"),
    "flow_length": ("flow length over bare ground", "m"),
    "patch_area": ("mean area of a patch", "m2"),
}
# nulls of each: fields of the same spectrum have the same variance, correlation and spectrum
NULLS = {
    "coarse_variance": ("permuted",),
    "coarse_skewness": ("permuted", "red"),
    "morans_i": ("permuted",),
    "spectral_ratio": ("permuted",),
    "flow_length": ("permuted", "red"),
    "patch_area": ("permuted", "red"),
}
# of each kind: enough for a mean and a standard deviation, from which p follows
SURROGATES = 19
# side of the squares whose means are compared ("coarse-grained"), pixels
SQUARE = 5
# pixels of all surrogates that are held at once
BATCH = 2_000_000
# share of the frequencies that are long waves, and that are short ones
RANGE = 0.2


@dataclass(frozen=True)
class Fields:
    """Images of one date, or surrogates of it, that are measured alike.

    Attributes
    ----------
    deviations : (b, h, w) float32 array
        NDVI minus its mean; 0 where masked.
    vegetation : (b, h, w) bool array
        False where masked.
    valid : (h, w) bool array
    resolution : float
        m
    """

    deviations: Image
    vegetation: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    resolution: float


def spatial_indicators(
    ndvi: Image, vegetation: NDArray[np.bool_], resolution: float, random: np.random.Generator
) -> dict[str, dict]:
    """Compute the indicators of one date and test them against both nulls.

    Parameters
    ----------
    ndvi : (h, w) float array
        NaN where masked; not constant.
    vegetation : (h, w) bool array
    resolution : float
        Side of a pixel, m.
    random : Generator

    Returns
    -------
    dict
        Per name of `INDICATORS`: value; and per name of its `NULLS`: z, the distance from the mean of the surrogates in
        their standard deviations, and p, two-sided: the indicators are sums over many places and nearly normal, so that
        z / sqrt(1 + 1 / n) of n surrogates follows Student's t with n - 1 degrees of freedom. None where undefined.
    """
    valid = np.isfinite(ndvi)
    deviations = np.where(valid, ndvi - np.nanmean(ndvi), 0).astype(np.float32)
    date = Fields(deviations[None], (vegetation & valid)[None], valid, resolution)
    values = measure(date)
    drawn = {null: _draw(date, null, random) for null in ("permuted", "red")}
    return {
        name: {"value": float(values[name][0])}
        | {null: _compare(float(values[name][0]), drawn[null][name]) for null in NULLS[name]}
        for name in INDICATORS
    }


def measure(fields: Fields, names: Sequence[str] = tuple(INDICATORS)) -> dict[str, NDArray[np.float64]]:
    """Compute indicators of images.

    Returns
    -------
    dict
        Per name (b,) float64. coarse_variance: n - 1, over squares of which half is valid. coarse_skewness: of the
        population. morans_i: see `tigerbush.spatial.morans_i`. spectral_ratio: mean power of the rings of the lowest
        fifth of frequencies over that of the highest. flow_length: on flat ground, mean of the two ways along the
        columns and the two along the rows, over valid pixels; paths end at masked ones. patch_area: mean, 0 where
        nothing grows.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: _MEASURES[name](fields) for name in names}


def permuted(date: Fields, number: int, random: np.random.Generator) -> Fields:
    """Draw images whose valid pixels have changed their places; NDVI and vegetation of a pixel stay together."""
    pixels = np.empty(int(date.valid.sum()), np.complex64)
    pixels.real, pixels.imag = date.deviations[0, date.valid], date.vegetation[0, date.valid]
    images = np.zeros((number, *date.valid.shape), np.complex64)
    for image in images:
        random.shuffle(pixels)
        image[date.valid] = pixels
    return Fields(np.ascontiguousarray(images.real), images.imag > 0, date.valid, date.resolution)


def red(date: Fields, number: int, random: np.random.Generator) -> Fields:
    """Draw random fields with the spectrum of the image; those of most NDVI are vegetation, as many as in the image.

    Notes
    -----
    Waves of normal amplitudes: the real and the imaginary part of their transform are two fields.
    """
    amplitude = np.abs(scipy.fft.fft2(date.deviations[0]))
    waves = random.standard_normal((-(-number // 2), *amplitude.shape, 2), dtype=np.float32).view(
        np.complex64
    )
    both = scipy.fft.ifft2(waves[..., 0] * amplitude, overwrite_x=True)
    fields = np.concatenate([both.real, both.imag])[:number] * date.valid
    vegetation = np.zeros(fields.shape, bool)
    covered = int(date.vegetation.sum())
    if covered:
        inside = fields[:, date.valid]
        rank = inside.shape[1] - covered
        threshold = np.partition(inside, rank, axis=1)[:, rank]
        vegetation = (fields >= threshold[:, None, None]) & date.valid
    return Fields(fields, vegetation, date.valid, date.resolution)


def _draw(date: Fields, null: str, random: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Measure the surrogates of a null, few at a time if they are large."""
    names = [name for name in INDICATORS if null in NULLS[name]]
    draw = {"permuted": permuted, "red": red}[null]
    most = max(BATCH // date.valid.size, 1)
    sizes = [min(most, SURROGATES - start) for start in range(0, SURROGATES, most)]
    parts = [measure(draw(date, size, random), names) for size in sizes]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _compare(value: float, surrogates: NDArray[np.float64]) -> dict[str, float | None]:
    number = len(surrogates)
    spread = float(surrogates.std(ddof=1))
    if not (np.isfinite(value) and spread > 0):
        return {"z": None, "p": None}
    z = float((value - surrogates.mean()) / spread)
    return {"z": z, "p": float(2 * special.stdtr(number - 1, -abs(z) / np.sqrt(1 + 1 / number)))}


def _squares(fields: Fields) -> NDArray[np.float64]:
    """Return the means of squares of which half is valid, (b, squares) float64; incomplete ones are left out."""
    height, width = (size // SQUARE * SQUARE for size in fields.valid.shape)
    shape = (height // SQUARE, SQUARE, width // SQUARE, SQUARE)
    count = fields.valid[:height, :width].reshape(shape).sum(axis=(1, 3))
    used = count >= SQUARE**2 / 2
    total = fields.deviations[:, :height, :width].reshape(-1, *shape).sum(axis=(2, 4), dtype=np.float64)
    return total[:, used] / count[used]


def _coarse_variance(fields: Fields) -> NDArray[np.float64]:
    return _squares(fields).var(axis=1, ddof=1)


def _coarse_skewness(fields: Fields) -> NDArray[np.float64]:
    squares = _squares(fields)
    centred = squares - squares.mean(axis=1, keepdims=True)
    return (centred**3).mean(axis=1) / (centred**2).mean(axis=1) ** 1.5


def _morans_i(fields: Fields) -> NDArray[np.float64]:
    valid, field = fields.valid, fields.deviations
    pairs = np.sum(valid[:, 1:] & valid[:, :-1]) + np.sum(valid[1:] & valid[:-1])
    total = np.einsum("bij,bij->b", field[:, :, 1:], field[:, :, :-1], dtype=np.float64)
    total += np.einsum("bij,bij->b", field[:, 1:], field[:, :-1], dtype=np.float64)
    square = np.einsum("bij,bij->b", field, field, dtype=np.float64)
    return total / max(pairs, 1) / (square / valid.sum())


def _spectral_ratio(fields: Fields) -> NDArray[np.float64]:
    shape = fields.valid.shape
    ring, number = rings(shape)
    last = max(round(RANGE * len(number)), 1)
    weights = np.zeros((2, len(number) + 1))
    weights[0, 1 : last + 1] = 1 / number[:last]
    weights[1, -last:] = 1 / number[-last:]
    # of a real image half of the waves are enough; those in between occur twice
    half = shape[1] // 2 + 1
    twice = np.full(half, 2.0)
    twice[0] = 1
    if shape[1] % 2 == 0:
        twice[-1] = 1
    table = (weights[:, ring[:, :half]] * twice).reshape(2, -1).astype(np.float32)
    waves = scipy.fft.rfft2(fields.deviations)
    power = waves.real**2 + waves.imag**2
    low, high = table @ power.reshape(len(power), -1).T
    return (low / high).astype(np.float64)


def _flow_length(fields: Fields) -> NDArray[np.float64]:
    ends = fields.vegetation | ~fields.valid
    ways = [flow_length(images, fields.resolution) for images in (ends, ends.swapaxes(1, 2))]
    return np.mean(ways, axis=0) / fields.valid.mean()


def _patch_area(fields: Fields) -> NDArray[np.float64]:
    counts = [
        cv2.connectedComponents(image.view(np.uint8), connectivity=4)[0] - 1 for image in fields.vegetation
    ]
    covered = fields.vegetation.sum(axis=(1, 2))
    return covered / np.maximum(counts, 1) * fields.resolution**2


_MEASURES: dict[str, Callable[[Fields], NDArray[np.float64]]] = {
    "coarse_variance": _coarse_variance,
    "coarse_skewness": _coarse_skewness,
    "morans_i": _morans_i,
    "spectral_ratio": _spectral_ratio,
    "flow_length": _flow_length,
    "patch_area": _patch_area,
}
