"""Where target pixels lie along the rows or columns of a band."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm

import numpy as np


@dataclass(frozen=True)
class Axis:
    """Rows or columns: target pixel d covers [start + d * step, start + (d + 1) * step) / unit source pixels.

    Positions are Python integers (in arrays of dtype object): exact, whatever the coordinates.

    Attributes
    ----------
    start, step, unit : int
    scale : float
        Source pixels per target pixel, as SNAP computes it.
    size : int
        Number of source pixels.
    target : slice
        The target pixels that touch the source; d counts from the first of them.
    """

    start: int
    step: int
    unit: int
    scale: float
    size: int
    target: slice

    @classmethod
    def touching(cls, offset: Fraction, ratio: Fraction, scale: float, size: int, target_size: int) -> "Axis":
        """Return the target pixels that touch a band whose first pixel lies `offset` source pixels before theirs."""
        first = min(max(floor(-offset / ratio), 0), target_size)
        stop = max(min(ceil((size - offset) / ratio), target_size), first)
        start = offset + first * ratio
        unit = lcm(start.denominator, ratio.denominator)
        return cls(int(start * unit), int(ratio * unit), unit, scale, size, slice(first, stop))

    @property
    def begin(self) -> np.ndarray:
        """Where each target pixel begins, in 1/unit source pixels."""
        return self.start + self.step * np.arange(self.target.stop - self.target.start).astype(object)

    def nearest(self) -> np.ndarray:
        """Return the pixel below each corner; SNAP clamps a corner that lies before the band."""
        return (np.maximum(self.begin, 0) // self.unit).astype(np.int64)

    def cover(self) -> tuple[np.ndarray, np.ndarray]:
        """Return index and weight (0: padding) of the covered pixels, each (pixels, target pixels)."""
        begin, end = self.begin, self.begin + self.step
        first, stop = np.maximum(begin, 0) // self.unit, -(-end // self.unit)
        index = first + np.arange(max(np.minimum(stop, self.size) - first))[:, None]
        head, tail = self._ends()
        weight = np.where(index == stop - 1, tail, 1.0)
        # `begin` is not clamped as `first` is: so the band's first pixel may weigh more than 1
        weight[0] = np.where(begin < 0, 1 - begin / self.unit, head)
        weight[(index >= stop) | (index >= self.size)] = 0
        return np.minimum(index, self.size - 1).astype(np.int64), weight.astype(np.float64)

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Return which share of the first and of the last pixel each target pixel covers.

        In binary floats, with the errors that SNAP makes where it counts from the corner of the whole image, because
        Mean truncates: 3 times a third may be 0. Here the count begins where corners of source and target pixels meet,
        every few pixels, so that the shares are the same in any window.
        """
        begin, common = self.begin, gcd(self.step, self.unit)
        period = self.unit // common
        phase = begin % self.unit
        count = phase // common * pow(self.step // common, -1, period) % period
        meets = phase % common == 0  # else the grids never meet
        position = np.where(meets, self.scale * count, phase / self.unit).astype(np.float64)
        passed = np.where(meets, count * self.step - phase, 0) // self.unit
        last = (passed * self.unit + phase + self.step) // self.unit
        ends_on_corner = (begin + self.step) % self.unit == 0
        return 1 - (position - passed), np.where(ends_on_corner, 1.0, position + self.scale - last)

    def between(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the pixel centre at or before each corner, and the distance from it: in 1/256 and as float32."""
        distance = 2 * self.begin - self.unit  # from the centre of the first pixel, in 1/(2 unit)
        steps = (256 * distance // (2 * self.unit)).astype(np.int64)
        return steps >> 8, steps & 255, (distance % (2 * self.unit) / (2 * self.unit)).astype(np.float32)
