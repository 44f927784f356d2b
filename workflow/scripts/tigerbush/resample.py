"""The resampling methods of ESA SNAP (ResamplingOp) on arrays.

Everything follows from map coordinates in exact integer arithmetic, never from array corners: a window that is
cropped before resampling holds the same bits as one that is cropped after, provided that the cropped band keeps
`halo` pixels around it. The rules were derived from recorded SNAP output, which the tests compare bit for bit.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import numpy as np

from tigerbush.grid import Grid
from tigerbush.resample_axis import Axis
from tigerbush.resample_methods import AGGREGATES, HALO, Band, aggregate, copy, interpolate

__all__ = ["Grid", "halo", "resample", "target_grid"]


def target_grid(scene: Grid, bands: Sequence[Grid], resolution: float) -> Grid:
    """Return the grid of a whole product after SNAP's Resample (rule of SNAP ResamplingOp).

    Its size is that of the scene, rounded up to whole pixels. Bands of several resolutions keep their common
    upper-left corner. If all have one upper-left pixel centre (a single resolution), the target keeps that
    centre instead: from 10 to 20 m the corner moves 5 m west and 5 m north.

    Parameters
    ----------
    scene : Grid
        The product's scene grid (Sentinel-2: that of the 10 m bands).
    bands : sequence of Grid
        Grids of all bands of the product, not only of those that are resampled.
    resolution : float
        Target resolution in metres.

    Raises
    ------
    ValueError
        When the bands share neither corner nor centre, or `resolution` is not positive.
    """
    if not resolution > 0:
        raise ValueError(f"the target resolution must be positive, not {resolution}")
    corners = {(band.x, band.y) for band in bands}
    centres = {(band.x + band.resolution / 2, band.y - band.resolution / 2) for band in bands}
    if len(centres) == 1:
        ((x, y),) = centres
        x, y = x - resolution / 2, y + resolution / 2
    elif len(corners) == 1:
        ((x, y),) = corners
    else:
        raise ValueError("the product's bands have no common upper-left corner or pixel centre")
    ratio = Fraction(scene.resolution) / Fraction(resolution)
    return Grid(x, y, resolution, ceil(scene.width * ratio), ceil(scene.height * ratio))


def halo(method: str) -> int:
    """Return how many source pixels a crop needs on each side beyond those that the target window touches.

    0 for First, Nearest, Min, Max, Mean and Median, 1 for Bilinear, 2 for Bicubic.

    Raises
    ------
    ValueError
        When the method is unknown.
    """
    if method not in HALO:
        raise ValueError(f"unknown resampling method {method!r}, expected one of {', '.join(HALO)}")
    return HALO[method]


def resample(
    band: np.ndarray,
    source: Grid,
    target: Grid,
    method: str,
    nodata: float = 0,
    nodata_used: bool = False,
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """Resample a band as SNAP ResamplingOp does.

    A band whose pixels are those of the target is copied, unmasked (cropped, if the target is a window).
    Otherwise:

    First, Nearest
        The source pixel below the upper-left corner of the target pixel, in either direction.
    Min, Max, Mean, Median
        Of the valid source pixels that a target pixel overlaps. Integer bands skip `nodata` even when it is
        not declared used. Only Mean weights by the covered share; on integers it truncates the result, and without
        `valid` also the sum, after each pixel. What a target pixel covers left of or above the band counts for the
        band's first pixel; what it covers beyond the other end is dropped.
    Bilinear, Bicubic
        At the target pixel's upper-left corner, not its centre; `nodata` surrounds the band. Unmasked
        integers use SNAP's 8-bit fixed-point weights. Floats, and integers with `valid`, are invalid wherever
        one of the 2x2 or 4x4 neighbours is, even at weight zero. Bicubic is Keys' kernel (a = -0.5), with weights in
        steps of 1/256 pixel, and clips overshoot: SNAP wraps it round (-1 becomes 65535), which is not imitated.

    The shares of Mean have SNAP's rounding errors, which matter because it truncates. At ratios that binary floats
    cannot hold (100 m from 60 m) these depend on the distance from the corner of the whole image, which a window
    does not know; there the results differ from SNAP's by 1 at most.

    SNAP upsamples a product of a single resolution without moving its pixels although it moves their
    coordinates (see `target_grid`). That is imitated if `target` is exactly that grid for `source`: cut windows
    of such a product along source pixels and call `target_grid` for each.

    Parameters
    ----------
    band : (h, w) array
        Integers of up to 32 bits, or floats.
    source, target : Grid
        Grid of `band`, and the wanted one. Both may be windows; `source` should hold what the target window
        touches and `halo(method)` pixels around it, as far as the band reaches.
    method : str
        First, Nearest, Min, Max, Mean, Median, Bilinear or Bicubic.
    nodata : float
        Value of target pixels outside `source`, and of those without valid pixels for Min, Max, Mean and Median.
    nodata_used : bool
        Whether the band declares `nodata`. Affects floats only: `nodata` is then invalid, like NaN, and is the
        value of invalid results, which are NaN otherwise.
    valid : (h, w) bool array, optional
        SNAP's valid-pixel expression, evaluated on `band`. Invalid results of First, Nearest, Bilinear and
        Bicubic are 0 in integer bands; the other methods skip invalid pixels.

    Returns
    -------
    (target.height, target.width) array
        A new array of the dtype of `band`.

    Raises
    ------
    ValueError
        When `method` is unknown or not defined in this direction (Min, Max, Mean, Median only downsample,
        Bilinear and Bicubic only upsample), `band` or `valid` is not on `source`, or `nodata` does not fit
        the dtype.
    """
    ratio = Fraction(target.resolution) / Fraction(source.resolution)
    x, y = _offset(source, target)
    aligned = ratio == 1 and x.denominator == y.denominator == 1
    _check(band, source, method, nodata, valid, ratio, aligned)
    scale = float(target.resolution) * (1 / float(source.resolution))
    rows = Axis.touching(y, ratio, scale, source.height, target.height)
    columns = Axis.touching(x, ratio, scale, source.width, target.width)
    out = np.full((target.height, target.width), nodata, band.dtype)
    inside = out[rows.target, columns.target]
    valid = None if valid is None or aligned else np.asarray(valid, bool)
    masked = Band(band, valid, band.dtype.type(nodata), nodata_used)
    if aligned or method in ("First", "Nearest"):
        copy(masked, rows, columns, inside)
    elif inside.size:
        operate = aggregate if method in AGGREGATES else interpolate
        operate(masked, rows, columns, method, inside)
    return out


def _offset(source: Grid, target: Grid) -> tuple[Fraction, Fraction]:
    """Return the target's upper-left corner in source pixels east and south of the source's own."""
    if target.resolution < source.resolution and target == target_grid(source, [source], target.resolution):
        return Fraction(0), Fraction(0)  # SNAP moves the coordinates of this grid but not its pixels
    step = Fraction(source.resolution)
    return (Fraction(target.x) - Fraction(source.x)) / step, (Fraction(source.y) - Fraction(target.y)) / step


def _check(band, source, method, nodata, valid, ratio, aligned) -> None:
    """Raise the ValueErrors of `resample`."""
    halo(method)
    for name, array in (("band", band), ("valid", valid)):
        if array is not None and array.shape != (source.height, source.width):
            raise ValueError(f"{name} has shape {array.shape}, its grid {(source.height, source.width)}")
    if method in AGGREGATES and ratio <= 1 and not aligned:
        raise ValueError(f"{method} only downsamples: the target pixels must be larger than the band's")
    if method in ("Bilinear", "Bicubic") and ratio >= 1 and not aligned:
        raise ValueError(f"{method} only upsamples: the target pixels must be smaller than the band's")
    if band.dtype.kind in "iu" and not np.iinfo(band.dtype).min <= nodata <= np.iinfo(band.dtype).max:
        raise ValueError(f"the no-data value {nodata} does not fit {band.dtype}")
