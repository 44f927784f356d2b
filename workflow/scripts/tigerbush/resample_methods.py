"""The methods of `tigerbush.resample`: from a band and its positions to target pixels."""

from dataclasses import dataclass
from functools import reduce

import numpy as np

from tigerbush.resample_axis import Axis

AGGREGATES = ("Min", "Max", "Mean", "Median")
# source pixels that a target pixel needs on each side beyond those that it touches
HALO = {"First": 0, "Nearest": 0, **dict.fromkeys(AGGREGATES, 0), "Bilinear": 1, "Bicubic": 2}
_STRIP = 64  # target rows computed at once: limits memory, except for First and Nearest


@dataclass(frozen=True)
class Band:
    """A band, with the rules by which its pixels are invalid."""

    pixels: np.ndarray
    valid: np.ndarray | None
    nodata: float
    nodata_used: bool

    @property
    def is_float(self) -> bool:
        """Whether the pixels are floats."""
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


def copy(band: Band, rows: Axis, columns: Axis, out: np.ndarray) -> None:
    """Write the pixel below each corner."""
    row, column = rows.nearest(), columns.nearest()
    out[...] = _pick(band.pixels, row, column)
    if band.valid is not None:
        out[~_pick(band.valid, row, column)] = band.invalid(0)


def aggregate(band: Band, rows: Axis, columns: Axis, method: str, out: np.ndarray) -> None:
    """Write Min, Max, Mean or Median of the covered pixels."""
    (row, row_weight), (column, column_weight) = rows.cover(), columns.cover()
    in_integers = band.valid is None and not band.is_float
    for strip in _strips(len(out)):
        first, stop = row[:, strip].min(), row[:, strip].max() + 1
        block = band.rows(first, stop, np.float64, 0, skip=band.nodata_used or not band.is_float)
        values, weights = [], []
        for i, height in zip(row[:, strip] - first, row_weight[:, strip], strict=True):
            for j, width in zip(column, column_weight, strict=True):
                weights.append(height[:, None] * width)
                values.append(np.where(weights[-1] > 0, _pick(block, i, j), np.nan))
        band.store(_REDUCE[method](values, weights, in_integers), band.nodata, out[strip])


def _mean(values: list[np.ndarray], weights: list[np.ndarray], in_integers: bool) -> np.ndarray:
    # added one by one: NumPy's order of summation depends on the shape of the window
    total, weight = np.zeros((2, *values[0].shape))
    for value, share in zip(values, weights, strict=True):
        total += np.where(np.isnan(value), 0, value * share)
        weight += np.where(np.isnan(value), 0, share)
        if in_integers:
            np.trunc(total, out=total)
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


def interpolate(band: Band, rows: Axis, columns: Axis, method: str, out: np.ndarray) -> None:
    """Write the bilinear or bicubic value at each corner: along the rows, then down the columns."""
    reach = HALO[method]
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
    weights = _keys(steps.astype(np.float32) / np.float32(256))
    if fixed:
        weights = [np.rint(256 * weight).astype(np.int64) for weight in weights]
    total = sum(weight * tap for weight, tap in zip(weights, taps, strict=True))
    return (total + 128) >> 8 if fixed else total


def _keys(distance: np.ndarray) -> list[np.ndarray]:
    """Return the weights of 4 neighbours by Keys' kernel (a = -0.5): SNAP's, rounded to float32 in each operation."""
    weights = []
    for x in (distance + 1, distance, 1 - distance, 2 - distance):
        near = (np.float32(1.5) * x - np.float32(2.5)) * x * x + 1
        far = ((np.float32(-0.5) * x + np.float32(2.5)) * x - 4) * x + 2
        weights.append(np.where(x < 1, near, far).astype(np.float64))
    return weights
