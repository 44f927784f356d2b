"""One course of the restoring rate and of the noise: what `tigerbush.analysis.slowing` averages likelihoods over."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class Cell:
    """One course of the rate and of the noise, and what can be said of it without any series.

    Attributes
    ----------
    transform : (n, n) float64 array or None
        Whitens a series; None where `kept` and `scale` do, as without noise of observations.
    kept, scale : (n - 1,), (n,) float64 arrays
        What is left of a value at the next date; standard deviation of the innovations, of the first value first.
    basis, shrink : (n, p + q), (p + q,) float64 arrays
        Orthonormal directions of the whitened columns of the mean, and how much of a series along each is taken away:
        all where its size may be any, less where it is random.
    curve : (n,) float64 array
        The whitened arc, the mean taken away.
    variance : float
        Of the process, in units of its noise.
    logs : float
        What the likelihood has besides the squares.
    steps : (2, k) float64 array or None
        Kept by `SlowingTest.steps_of`.
    """

    transform: Array | None
    kept: Array
    scale: Array
    basis: Array
    shrink: Array
    curve: Array
    variance: float
    logs: float
    steps: Array | None = None

    def whiten(self, values: Array) -> Array:
        """Whiten series, (b, n) float64."""
        if self.transform is not None:
            return values @ self.transform.T
        white = values / self.scale
        white[:, 1:] -= values[:, :-1] * (self.kept / self.scale[1:])
        return white

    def rest(self, values: Array) -> Array:
        """Whiten series, (b, n) float64, and take the mean away."""
        return self._take_away(self.whiten(values))

    def _take_away(self, white: Array) -> Array:
        return white - (white @ self.basis * self.shrink) @ self.basis.T

    def step_products(self, white: Array) -> Array:
        """Return products of what `rest` left, (b, n) float64, with a step at each value treated alike, (b, n)."""
        # a step is a sum of ones: the transposed operations, and sums from the end
        back = self._take_away(white)
        if self.transform is not None:
            ones = back @ self.transform
        else:
            ones = back / self.scale
            ones[:, :-1] -= back[:, 1:] * (self.kept / self.scale[1:])
        return ones[:, ::-1].cumsum(axis=1)[:, ::-1]


def covariance(kept: Array, scale: Array) -> Array:
    """Return the covariance of values that keep a share from date to date and receive innovations of a scale."""
    variance = np.empty(len(scale))
    variance[0] = scale[0] ** 2
    for i, share in enumerate(kept, 1):
        variance[i] = share**2 * variance[i - 1] + scale[i] ** 2
    logs = np.concatenate([[0], np.cumsum(np.log(kept))])
    lower = np.tril(np.exp(np.minimum(logs[:, None] - logs, 0)) * variance)
    return lower + np.tril(lower, -1).T
