"""The resampling methods of ESA SNAP (ResamplingOp) on arrays.

Everything follows from map coordinates in exact rational arithmetic, never from array corners, so a window
that is cropped before resampling holds the same bits as one that is cropped after, provided that the
cropped band keeps `halo` pixels around the target window. Every rule here was read off SNAP's own output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import ceil, floor, lcm

import numpy as np

_AGGREGATES = ("Min", "Max", "Mean", "Median")
_HALO = {"First": 0, "Nearest": 0, **dict.fromkeys(_AGGREGATES, 0), "Bilinear": 1, "Bicubic": 2}
_STRIP = 64  # target rows computed at once: bounds the memory of everything but First and Nearest


@dataclass(frozen=True)
class Grid:
    """A north-up raster grid: columns run east, rows run south.

    Attributes
    ----------
    x, y : float
        Easting and northing of the upper-left corner, in metres.
    resolution : float
        Side of a pixel, in metres.
    width, height : int
        Number of columns and rows.
    """

    x: float
    y: float
    resolution: float
    width: int
    height: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of an array on this grid: (height, width)."""
        return self.height, self.width

    @property
    def first_centre(self) -> tuple[float, float]:
        """Centre of the upper-left pixel, in metres."""
        return self.x + self.resolution / 2, self.y - self.resolution / 2


def target_grid(scene: Grid, bands: Sequence[Grid], resolution: float) -> Grid:
    """Grid of a whole product after SNAP's Resample (rule of SNAP ResamplingOp).

    Parameters
    ----------
    scene : Grid
        The product's scene grid (Sentinel-2: that of the 10 m bands).
    bands : sequence of Grid
        Grids of all bands of the product, not only of those that are resampled.
    resolution : float
        Target resolution in metres.

    Returns
    -------
    Grid
        Its size is that of the scene, rounded up to whole pixels. Bands with one common upper-left corner
        keep it. When also the centres of the upper-left pixels agree (a single resolution), the target is
        aligned to that centre: from 10 to 20 m the corner moves 5 m west and 5 m north.

    Raises
    ------
    ValueError
        `bands` is empty, the bands share neither corner nor centre, or `resolution` is not positive.
    """
    if not resolution > 0:
        raise ValueError(f"the target resolution must be positive, not {resolution}")
    corners = {(band.x, band.y) for band in bands}
    centres = {band.first_centre for band in bands}
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
    """Source pixels that a crop needs on each side, beyond those which the target window touches.

    Parameters
    ----------
    method : str
        A method of `resample`.

    Returns
    -------
    int
        0 for First, Nearest, Min, Max, Mean and Median; 1 for Bilinear; 2 for Bicubic.

    Raises
    ------
    ValueError
        `method` is unknown.
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

    A band whose pixels are those of the target is copied, cropped or extended, unmasked. Otherwise:

    First, Nearest
        The source pixel below the upper-left corner of the target pixel, in either direction.
    Min, Max, Mean, Median
        Of the valid source pixels that the target pixel touches. Integer bands skip `nodata` even when it
        is not declared used. Only Mean weights by the covered share; on integers it truncates each
        weighted value and the result. What a pixel covers left of or above the band counts for the band's
        first pixel; what it covers beyond the other end is dropped.
    Bilinear, Bicubic
        At the target pixel's upper-left corner, not its centre; the band is surrounded by `nodata`.
        Unmasked integers use SNAP's 8-bit fixed-point weights. Floats, and integers with `valid`, become
        invalid wherever an invalid pixel is among the 2x2 or 4x4 neighbours, even at weight zero. Bicubic
        has Keys' kernel, a = -0.5, and clips overshoot; there SNAP wraps masked integers round (-1 becomes
        65535), which is not imitated.

    When a product of a single resolution is upsampled, SNAP moves the georeferencing (see `target_grid`) but
    not the pixels. That is imitated if `target` is exactly that grid for `source`; crop such a product along
    source pixels and call `target_grid` for the crop.

    Parameters
    ----------
    band : (h, w) ndarray
        Integers of up to 32 bits, or floats.
    source, target : Grid
        Grid of `band`, and the wanted grid. Both may be windows; `source` should cover the target window and
        `halo(method)` pixels around it, as far as the band reaches.
    method : str
        First, Nearest, Min, Max, Mean, Median, Bilinear or Bicubic.
    nodata : float
        Value of target pixels that lie outside `source`, and of those without a valid source pixel.
    nodata_used : bool
        Whether `nodata` is declared for the band. It matters to floats only: then `nodata` is invalid, like
        NaN, and stands for an invalid result; undeclared, an invalid result is NaN.
    valid : (h, w) ndarray of bool, optional
        SNAP's valid-pixel expression, evaluated on `band`. Where it is false, First, Nearest, Bilinear and
        Bicubic give 0 (floats: NaN, or `nodata` if used), and the other methods skip the pixel.

    Returns
    -------
    (target.height, target.width) ndarray
        A new array with the dtype of `band`.

    Raises
    ------
    ValueError
        `method` is unknown or does not work in this direction (Min, Max, Mean and Median only downsample,
        Bilinear and Bicubic only upsample), `band` or `valid` is not on `source`, or `nodata` does not fit
        the dtype.
    """
    ratio = Fraction(target.resolution) / Fraction(source.resolution)
    x, y = _offset(source, target)
    aligned = ratio == 1 and x.denominator == y.denominator == 1
    _check(band, source, method, nodata, valid, ratio, aligned)
    rows = _Axis.touching(y, ratio, source.height, target.height)
    columns = _Axis.touching(x, ratio, source.width, target.width)

    out = np.full(target.shape, nodata, band.dtype)
    inside = out[rows.target, columns.target]
    if aligned:
        inside[...] = _pick(band, rows, columns)
    elif inside.size:
        valid = None if valid is None else np.asarray(valid, bool)
        _OPERATE[method](_Band(band, valid, nodata, nodata_used), rows, columns, method, inside)
    return out


def _offset(source: Grid, target: Grid) -> tuple[Fraction, Fraction]:
    """Return the target's upper-left corner in source pixels east and south of the source's own."""
    if target.resolution < source.resolution and target == target_grid(source, [source], target.resolution):
        return Fraction(0), Fraction(0)  # SNAP moves the georeferencing of this grid but not its pixels
    step = Fraction(source.resolution)
    return (Fraction(target.x) - Fraction(source.x)) / step, (Fraction(source.y) - Fraction(target.y)) / step


def _check(band, source, method, nodata, valid, ratio, aligned) -> None:
    """Raise the ValueErrors of `resample`."""
    halo(method)
    for name, array in (("band", band), ("valid", valid)):
        if array is not None and array.shape != source.shape:
            raise ValueError(f"{name} has shape {array.shape} but its grid has {source.shape}")
    if method in _AGGREGATES and not aligned and ratio <= 1:
        raise ValueError(f"{method} only downsamples: the target pixels must be larger than the band's")
    if method in ("Bilinear", "Bicubic") and not aligned and ratio >= 1:
        raise ValueError(f"{method} only upsamples: the target pixels must be smaller than the band's")
    if band.dtype.kind in "iu" and not np.iinfo(band.dtype).min <= nodata <= np.iinfo(band.dtype).max:
        raise ValueError(f"the no-data value {nodata} does not fit {band.dtype}")


@dataclass(frozen=True)
class _Axis:
    """Rows or columns of the target: pixel d covers [start, start + step) + d * step, in 1/unit source pixels.

    Positions are Python integers (arrays of dtype object): exact, whatever the coordinates.
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
        offset += first * ratio
        unit = lcm(offset.denominator, ratio.denominator)
        return cls(int(offset * unit), int(ratio * unit), unit, size, slice(first, stop))

    @property
    def begin(self) -> np.ndarray:
        return self.start + self.step * np.arange(self.target.stop - self.target.start).astype(object)

    def nearest(self) -> np.ndarray:
        """Return the index of the pixel below each corner; SNAP clamps corners left of the band."""
        return (np.maximum(self.begin, 0) // self.unit).astype(np.int64)

    def cover(self) -> tuple[np.ndarray, np.ndarray]:
        """Return indices of the covered pixels and their weights, 0 for padding: (pixels, targets) each."""
        begin, end = self.begin, self.begin + self.step
        first, stop = np.maximum(begin, 0) // self.unit, -(-end // self.unit)
        index = first + np.arange(max(np.minimum(stop, self.size) - first))[:, None]
        weight = np.where(index == stop - 1, (end - index * self.unit) / self.unit, 1.0)
        # not clamped like the index: this is how a first pixel comes to weigh more than 1
        weight[0] = ((first + 1) * self.unit - begin) / self.unit
        weight[(index >= stop) | (index >= self.size)] = 0
        return np.minimum(index, self.size - 1).astype(np.int64), weight.astype(np.float64)

    def between(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the pixel centre before each corner, and how far on it lies: in 1/256 and as float64."""
        corner = 2 * self.begin - self.unit  # in 1/(2 unit), from the first pixel's centre
        steps = (256 * corner // (2 * self.unit)).astype(np.int64)
        return steps >> 8, steps & 255, (corner % (2 * self.unit) / (2 * self.unit)).astype(np.float64)


def _pick(band: np.ndarray, rows: _Axis, columns: _Axis) -> np.ndarray:
    """Return the pixels at the corners, as a view where the indices are evenly spaced."""
    return band[_as_slice(rows.nearest())][:, _as_slice(columns.nearest())]


def _as_slice(index: np.ndarray) -> np.ndarray | slice:
    """Return an evenly rising index as a slice, which NumPy follows without a copy."""
    step = int(index[1] - index[0]) if len(index) > 1 else 1
    if len(index) == 0 or step == 0 or np.any(np.diff(index) != step):
        return index
    return slice(int(index[0]), int(index[-1]) + 1, step)


@dataclass(frozen=True)
class _Band:
    """A band to compute with."""

    pixels: np.ndarray
    valid: np.ndarray | None
    nodata: float
    nodata_used: bool

    @property
    def is_float(self) -> bool:
        return self.pixels.dtype.kind == "f"

    def rows(self, first: int, stop: int, dtype: type, margin: int = 0, skip: bool = False) -> np.ndarray:
        """Return rows as `dtype` with a margin of no-data; NaN if invalid, or if no-data and `skip`."""
        height, width = self.pixels.shape
        out = np.full((stop - first, width + 2 * margin), self.nodata, dtype)
        here = slice(max(first, 0), min(stop, height))
        inner = out[here.start - first : here.stop - first, margin : margin + width]
        inner[...] = self.pixels[here]
        if self.valid is not None:
            inner[~self.valid[here]] = np.nan
        if skip:
            out[out == self.nodata] = np.nan
        return out

    def invalid(self, integer: float) -> float:
        """Return what an invalid result becomes, in an integer band `integer`."""
        if not self.is_float:
            return integer
        return self.nodata if self.nodata_used else np.nan

    def store(self, result: np.ndarray, integer: float, out: np.ndarray) -> None:
        """Write a result with NaN as `invalid(integer)`, integers clipped and truncated."""
        if not self.is_float:
            limits = np.iinfo(out.dtype)
            result = np.clip(result, limits.min, limits.max)
        out[...] = np.where(np.isnan(result), self.invalid(integer), result).astype(out.dtype)


def _nearest(band: _Band, rows: _Axis, columns: _Axis, method: str, out: np.ndarray) -> None:
    """Write the pixel below the corner."""
    out[...] = _pick(band.pixels, rows, columns)
    if band.valid is not None:
        out[~_pick(band.valid, rows, columns)] = band.invalid(0)


def _strips(count: int) -> list[slice]:
    return [slice(first, min(first + _STRIP, count)) for first in range(0, count, _STRIP)]


def _aggregate(band: _Band, rows: _Axis, columns: _Axis, method: str, out: np.ndarray) -> None:
    """Write Min, Max, Mean or Median of the covered pixels."""
    (row, row_weight), (column, column_weight) = rows.cover(), columns.cover()
    skip = band.nodata_used or not band.is_float
    for strip in _strips(len(out)):
        first, stop = row[:, strip].min(), row[:, strip].max() + 1
        block = band.rows(first, stop, np.float64, skip=skip)
        values, weights = [], []
        for i, wi in zip(row[:, strip] - first, row_weight[:, strip], strict=True):
            for j, wj in zip(column, column_weight, strict=True):
                weights.append(wi[:, None] * wj)
                values.append(np.where(weights[-1] > 0, block[_as_slice(i)][:, _as_slice(j)], np.nan))
        band.store(_REDUCE[method](values, weights, not band.is_float), band.nodata, out[strip])


def _mean(values: list, weights: list, whole: bool) -> np.ndarray:
    # one after the other: NumPy's own order of summation depends on the shape of the window
    total, weight = np.zeros_like(values[0]), np.zeros_like(values[0])
    for v, w in zip(values, weights, strict=True):
        term = np.trunc(v * w) if whole else v * w
        total += np.where(np.isnan(v), 0, term)
        weight += np.where(np.isnan(v), 0, w)
    with np.errstate(invalid="ignore"):
        return total / weight


def _median(values: list, weights: list, whole: bool) -> np.ndarray:
    ordered = np.sort(values, axis=0)  # NaN comes last
    count = np.sum(~np.isnan(ordered), axis=0, keepdims=True)
    low, high = (np.take_along_axis(ordered, np.maximum(k, 0), 0)[0] for k in ((count - 1) // 2, count // 2))
    return (low + high) / 2


_REDUCE = {
    "Min": lambda values, weights, whole: reduce(np.fmin, values),
    "Max": lambda values, weights, whole: reduce(np.fmax, values),
    "Mean": _mean,
    "Median": _median,
}


def _interpolate(band: _Band, rows: _Axis, columns: _Axis, method: str, out: np.ndarray) -> None:
    """Write the bilinear or bicubic value at each corner: first along the rows, then down the columns."""
    reach = halo(method)
    fixed = band.valid is None and not band.is_float
    blend = {"Bilinear": (_linear, _linear_fixed), "Bicubic": (_cubic, _cubic_fixed)}[method][fixed]
    # SNAP's working types: only single-precision bilinear is computed in single precision
    single = method == "Bilinear" and band.pixels.dtype == np.float32
    dtype = np.int64 if fixed else np.float32 if single else np.float64
    row, row_steps, row_part = rows.between()
    column, column_steps, column_part = columns.between()
    taps = range(2 * reach)
    for strip in _strips(len(out)):
        first, stop = row[strip].min() - reach + 1, row[strip].max() + reach + 1
        block = band.rows(first, stop, dtype, margin=reach + 1, skip=band.is_float and band.nodata_used)
        across = blend([block[:, column + 2 + t] for t in taps], column_steps, column_part)
        at = row[strip] - row[strip].min()
        result = blend([across[at + t] for t in taps], row_steps[strip, None], row_part[strip, None])
        if blend is _linear_fixed:
            result = (result + (1 << 15)) >> 16
        band.store(result, 0, out[strip])


def _linear(taps: list, steps: np.ndarray, part: np.ndarray) -> np.ndarray:
    before, after = taps
    return before + (after - before) * part.astype(np.float32).astype(before.dtype)


def _linear_fixed(taps: list, steps: np.ndarray, part: np.ndarray) -> np.ndarray:
    before, after = taps
    return before * (256 - steps) + after * steps  # rounded once, after both directions


def _cubic(taps: list, steps: np.ndarray, part: np.ndarray) -> np.ndarray:
    return sum(weight * tap for weight, tap in zip(_keys(steps / 256), taps, strict=True))


def _cubic_fixed(taps: list, steps: np.ndarray, part: np.ndarray) -> np.ndarray:
    weights = (np.rint(256 * w).astype(np.int64) for w in _keys(steps / 256))
    return (sum(weight * tap for weight, tap in zip(weights, taps, strict=True)) + 128) >> 8


def _keys(f: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the weights of the four neighbours at `f` between the middle two: Keys' kernel, a = -0.5."""
    return (
        ((1 - f / 2) * f - 0.5) * f,
        (1.5 * f - 2.5) * f * f + 1,
        ((2 - 1.5 * f) * f + 0.5) * f,
        (f - 1) / 2 * f * f,
    )


_OPERATE = {
    "First": _nearest,
    "Nearest": _nearest,
    **dict.fromkeys(_AGGREGATES, _aggregate),
    "Bilinear": _interpolate,
    "Bicubic": _interpolate,
}
