"""The resampling methods of ESA SNAP (ResamplingOp) on arrays.

Everything follows from map coordinates in exact integer arithmetic, never from array corners: a window that is
cropped before resampling holds the same bits as one that is cropped after, provided that the cropped band keeps
`halo` pixels around it. The rules were derived from recorded SNAP output, which the tests compare bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import ceil, floor, lcm

import numpy as np

from tigerbush.grid import Grid

_AGGREGATES = ("Min", "Max", "Mean", "Median")
_HALO = {"First": 0, "Nearest": 0, **dict.fromkeys(_AGGREGATES, 0), "Bilinear": 1, "Bicubic": 2}
_STRIP = 64  # target rows computed at once: limits memory, except for First and Nearest


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
    if method not in _HALO:
        raise ValueError(f"unknown resampling method {method!r}, expected one of {', '.join(_HALO)}")
    return _HALO[method]


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
        not declared used. Only Mean weights by the covered share; on integers it truncates each weighted
        value and the result. What a target pixel covers left of or above the band counts for the band's
        first pixel; what it covers beyond the other end is dropped.
    Bilinear, Bicubic
        At the target pixel's upper-left corner, not its centre; `nodata` surrounds the band. Unmasked
        integers use SNAP's 8-bit fixed-point weights. Floats, and integers with `valid`, are invalid wherever
        one of the 2x2 or 4x4 neighbours is, even at weight zero. Bicubic is Keys' kernel (a = -0.5) and
        clips overshoot: SNAP wraps masked integers round (-1 becomes 65535), which is not imitated.

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
    rows = _Axis.touching(y, ratio, source.height, target.height)
    columns = _Axis.touching(x, ratio, source.width, target.width)
    out = np.full((target.height, target.width), nodata, band.dtype)
    inside = out[rows.target, columns.target]
    valid = None if valid is None or aligned else valid.astype(bool)
    masked = _Band(band, valid, band.dtype.type(nodata), nodata_used)
    if aligned or method in ("First", "Nearest"):
        _copy(masked, rows, columns, inside)
    elif inside.size:
        operate = _aggregate if method in _AGGREGATES else _interpolate
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
    if method in _AGGREGATES and ratio <= 1 and not aligned:
        raise ValueError(f"{method} only downsamples: the target pixels must be larger than the band's")
    if method in ("Bilinear", "Bicubic") and ratio >= 1 and not aligned:
        raise ValueError(f"{method} only upsamples: the target pixels must be smaller than the band's")
    if band.dtype.kind in "iu" and not np.iinfo(band.dtype).min <= nodata <= np.iinfo(band.dtype).max:
        raise ValueError(f"the no-data value {nodata} does not fit {band.dtype}")


@dataclass(frozen=True)
class _Axis:
    """Rows or columns: target pixel d covers [start + d * step, start + (d + 1) * step) / unit source pixels.

    Positions are Python integers (in arrays of dtype object): exact, whatever the coordinates.
    """

    start: int
    step: int
    unit: int
    size: int  # source pixels
    target: slice  # the target pixels that touch the source; d counts from the first of them

    @classmethod
    def touching(cls, offset: Fraction, ratio: Fraction, size: int, target_size: int) -> "_Axis":
        first = min(max(floor(-offset / ratio), 0), target_size)
        stop = max(min(ceil((size - offset) / ratio), target_size), first)
        start = offset + first * ratio
        unit = lcm(start.denominator, ratio.denominator)
        return cls(int(start * unit), int(ratio * unit), unit, size, slice(first, stop))

    @property
    def begin(self) -> np.ndarray:
        return self.start + self.step * np.arange(self.target.stop - self.target.start).astype(object)

    def nearest(self) -> np.ndarray:
        """Return the pixel below each corner; SNAP clamps a corner that lies before the band."""
        return (np.maximum(self.begin, 0) // self.unit).astype(np.int64)

    def cover(self) -> tuple[np.ndarray, np.ndarray]:
        """Return index and weight (0: padding) of the covered pixels, each (pixels, target pixels)."""
        begin, end = self.begin, self.begin + self.step
        first, stop = np.maximum(begin, 0) // self.unit, -(-end // self.unit)
        index = first + np.arange(max(np.minimum(stop, self.size) - first))[:, None]
        weight = np.where(index == stop - 1, (end - index * self.unit) / self.unit, 1.0)
        # `begin` is not clamped as `first` is: so the band's first pixel may weigh more than 1
        weight[0] = ((first + 1) * self.unit - begin) / self.unit
        weight[(index >= stop) | (index >= self.size)] = 0
        return np.minimum(index, self.size - 1).astype(np.int64), weight.astype(np.float64)

    def between(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the pixel centre at or before each corner, and the distance from it: in 1/256 and as float32."""
        distance = 2 * self.begin - self.unit  # from the centre of the first pixel, in 1/(2 unit)
        steps = (256 * distance // (2 * self.unit)).astype(np.int64)
        return steps >> 8, steps & 255, (distance % (2 * self.unit) / (2 * self.unit)).astype(np.float32)


@dataclass(frozen=True)
class _Band:
    """A band, with the rules by which its pixels are invalid."""

    pixels: np.ndarray
    valid: np.ndarray | None
    nodata: float
    nodata_used: bool

    @property
    def is_float(self) -> bool:
        return self.pixels.dtype.kind == "f"

    def invalid(self, integer: float) -> float:
        """Return the value of an invalid result, `integer` for an integer band."""
        if not self.is_float:
            return integer
        return self.nodata if self.nodata_used else np.nan

    def rows(self, first: int, stop: int, dtype: type, margin: int, skip: bool) -> np.ndarray:
        """Return rows with a margin of no-data: NaN where not valid, and if `skip` where no-data."""
        height, width = self.pixels.shape
        out = np.full((stop - first, width + 2 * margin), self.nodata, dtype)
        inside = slice(max(first, 0), min(stop, height))
        inner = out[inside.start - first : inside.stop - first, margin : margin + width]
        inner[...] = self.pixels[inside]
        if self.valid is not None:
            inner[~self.valid[inside]] = np.nan
        if skip:
            out[out == dtype(self.nodata)] = np.nan
        return out

    def store(self, result: np.ndarray, integer: float, out: np.ndarray) -> None:
        """Write a result: NaN as `invalid(integer)`, integers clipped and truncated."""
        if not self.is_float:
            result = np.clip(result, np.iinfo(out.dtype).min, np.iinfo(out.dtype).max)
        out[...] = np.where(np.isnan(result), self.invalid(integer), result).astype(out.dtype)


def _pick(array: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return array[row][:, column], as a view where the indices are evenly spaced."""
    for axis, index in ((1, column), (0, row)):
        step = int(index[1] - index[0]) if len(index) > 1 else 1
        if len(index) == 0 or step == 0 or np.any(np.diff(index) != step):
            array = array.take(index, axis)
        else:
            strided = slice(int(index[0]), int(index[-1]) + 1, step)
            array = array[strided] if axis == 0 else array[:, strided]
    return array


def _strips(height: int) -> list[slice]:
    return [slice(first, min(first + _STRIP, height)) for first in range(0, height, _STRIP)]


def _copy(band: _Band, rows: _Axis, columns: _Axis, out: np.ndarray) -> None:
    """Write the pixel below each corner."""
    row, column = rows.nearest(), columns.nearest()
    out[...] = _pick(band.pixels, row, column)
    if band.valid is not None:
        out[~_pick(band.valid, row, column)] = band.invalid(0)


def _aggregate(band: _Band, rows: _Axis, columns: _Axis, method: str, out: np.ndarray) -> None:
    """Write Min, Max, Mean or Median of the covered pixels."""
    (row, row_weight), (column, column_weight) = rows.cover(), columns.cover()
    for strip in _strips(len(out)):
        first, stop = row[:, strip].min(), row[:, strip].max() + 1
        block = band.rows(first, stop, np.float64, 0, skip=band.nodata_used or not band.is_float)
        values, weights = [], []
        for i, height in zip(row[:, strip] - first, row_weight[:, strip], strict=True):
            for j, width in zip(column, column_weight, strict=True):
                weights.append(height[:, None] * width)
                values.append(np.where(weights[-1] > 0, _pick(block, i, j), np.nan))
        band.store(_REDUCE[method](values, weights, band.is_float), band.nodata, out[strip])


def _mean(values: list[np.ndarray], weights: list[np.ndarray], is_float: bool) -> np.ndarray:
    # added one by one: NumPy's order of summation depends on the shape of the window
    total, weight = np.zeros((2, *values[0].shape))
    for value, share in zip(values, weights, strict=True):
        term = value * share if is_float else np.trunc(value * share)
        total += np.where(np.isnan(value), 0, term)
        weight += np.where(np.isnan(value), 0, share)
    with np.errstate(invalid="ignore"):
        return total / weight


def _median(values: list[np.ndarray], *_) -> np.ndarray:
    ordered = np.sort(values, axis=0)  # NaN comes last
    count = np.sum(~np.isnan(ordered), axis=0, keepdims=True)
    below, above = (np.take_along_axis(ordered, k, 0)[0] for k in (np.maximum(count - 1, 0) // 2, count // 2))
    return (below + above) / 2


_REDUCE = {
    "Min": lambda values, *_: reduce(np.fmin, values),
    "Max": lambda values, *_: reduce(np.fmax, values),
    "Mean": _mean,
    "Median": _median,
}


def _interpolate(band: _Band, rows: _Axis, columns: _Axis, method: str, out: np.ndarray) -> None:
    """Write the bilinear or bicubic value at each corner: along the rows, then down the columns."""
    reach = halo(method)
    fixed = band.valid is None and not band.is_float
    single = method == "Bilinear" and band.pixels.dtype == np.float32  # SNAP's working precision
    dtype = np.int64 if fixed else np.float32 if single else np.float64
    row, *row_distance = rows.between()
    column, *column_distance = columns.between()
    for strip in _strips(len(out)):
        first, stop = row[strip].min() + 1 - reach, row[strip].max() + 1 + reach
        # a margin of one more than the reach, for target pixels that begin before the band
        block = band.rows(first, stop, dtype, reach + 1, skip=band.is_float and band.nodata_used)
        block = _blend([block.take(column + 2 + tap, 1) for tap in range(2 * reach)], *column_distance, fixed)
        down = (distance[strip, None] for distance in row_distance)
        taps = [block.take(row[strip] + 1 - reach - first + tap, 0) for tap in range(2 * reach)]
        result = _blend(taps, *down, fixed)
        # fixed-point bilinear is rounded once, after both directions
        band.store((result + (1 << 15)) >> 16 if fixed and method == "Bilinear" else result, 0, out[strip])


def _blend(taps: list[np.ndarray], steps: np.ndarray, fraction: np.ndarray, fixed: bool) -> np.ndarray:
    """Blend 2 (linear) or 4 (cubic) neighbours; the distance from the one before is `steps` (1/256) or `fraction`."""
    if len(taps) == 2:
        before, after = taps
        return before * (256 - steps) + after * steps if fixed else before + (after - before) * fraction
    f = steps / 256
    # Keys' kernel, a = -0.5
    weights = (
        ((1 - f / 2) * f - 0.5) * f,
        (1.5 * f - 2.5) * f**2 + 1,
        ((2 - 1.5 * f) * f + 0.5) * f,
        (f - 1) / 2 * f**2,
    )
    if fixed:
        weights = [np.rint(256 * weight).astype(np.int64) for weight in weights]
    total = sum(weight * tap for weight, tap in zip(weights, taps, strict=True))
    return (total + 128) >> 8 if fixed else total
