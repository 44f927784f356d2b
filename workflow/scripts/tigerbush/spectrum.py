"""Spectra of an image, and the wavelength of its pattern where there is one.

Definitions follow Couteron & Lejeune 2001 (Journal of Ecology 89, 616): the radial spectrum is the mean power of the
waves of each frequency, whatever their direction.

A wavelength needs a peak that no spectrum explains that only falls with frequency, whatever its shape: white or red
noise, smooth and fractal fields, gradients. So the power of each ring of frequencies is compared with the mean power
of waves that are longer. The waves of an image without a taper are independent, hence the mean power of n waves has n
degrees of freedom (each wave occurs twice), and the ratio is an F statistic. Among all spectra that do not rise the
flat one gives the largest ratios: bounds from it hold for all of them.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# share of images without a pattern for which some wavelength may be found
LEVEL = 0.05
# a peak has at least so many times the power of longer waves
LEAST_RATIO = 2.0
# the rings around a ring that are compared with longer waves: from 1 / 1.2 of its frequency to 1.2 times
AROUND = 1.2
# frequencies of the longer waves, relative to that of the ring: shares that bound them
LONGER = ((1 / 2, 1 / 1.4), (1 / 4, 1 / 2), (0, 1 / 4))
# fewest rings of frequencies, so that one lies between the longest and the shortest waves
LEAST_RINGS = 6
_DRAWS = 4000


def spectrum(values: Array, taper: bool = True) -> tuple[Array, Array, Array]:
    """Return the two-dimensional power spectrum and its frequencies.

    Parameters
    ----------
    values : (h, w) float array
        NaN where missing. A plane is removed, missing pixels count as 0 afterwards.
    taper : bool
        Apply a Hann taper: waves that do not fit into the image leak less, but neighbouring frequencies depend on each
        other.

    Returns
    -------
    power, along rows, along columns : (h, w) float64 arrays
        Frequencies in cycles per pixel, rows positive southward, columns eastward.
    """
    south, east = np.meshgrid(*map(np.fft.fftfreq, values.shape), indexing="ij")
    return power_of_waves(values, taper), south, east


def power_of_waves(values: Array, taper: bool = True) -> Array:
    """Return the power of `spectrum` alone, (h, w) float64."""
    valid = np.isfinite(values)
    rows, columns = (np.arange(size) - (size - 1) / 2 for size in values.shape)
    grids = np.broadcast_arrays(1.0, rows[:, None], columns)
    plane = np.stack([grid[valid] for grid in grids])
    # pixels of a single row or column leave a slope open
    inverse = np.linalg.pinv(plane @ plane.T, hermitian=True)
    level, down, right = inverse @ (plane @ values[valid].astype(np.float64))
    residual = np.where(valid, values - (level + down * rows[:, None] + right * columns), 0)
    if taper:
        residual *= np.outer(*(np.hanning(size + 2)[1:-1] for size in values.shape))
    return np.abs(np.fft.fft2(residual)) ** 2


def r_spectrum(values: Array) -> tuple[Array, Array]:
    """Return the radial spectrum: mean power of the waves in each ring, relative to the mean of all waves.

    Returns
    -------
    frequency, power : (rings,) float64 arrays
        Cycles per pixel, in rings one cycle per shorter side wide, up to 0.5; white noise has a power of 1 everywhere.
    """
    return _radial(power_of_waves(values))


@lru_cache(maxsize=8)
def rings(shape: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ring of each wave: the cycles that fit into the shorter side of the image, rounded.

    Parameters
    ----------
    shape : (h, w)

    Returns
    -------
    ring : (h, w) int array
        As `spectrum`; 0 for waves of no ring: the mean, and those beyond half a cycle per pixel.
    number : (rings,) int array
        Waves of ring 1, 2, ...
    """
    side = min(shape)
    distance = np.hypot(*np.meshgrid(*(np.fft.fftfreq(size) for size in shape), indexing="ij"))
    ring = np.rint(distance * side).astype(int)
    ring[ring > side // 2] = 0
    return ring, np.bincount(ring.ravel(), minlength=side // 2 + 1)[1:]


def rises(values: Array) -> NDArray[np.bool_]:
    """Tell which rings have significantly more power than longer waves.

    Parameters
    ----------
    values : (h, w) float array
        NaN where missing.

    Returns
    -------
    (rings,) bool array
        False for the first ring and the last, and for all if they are fewer than 6. Of images whose spectrum does not
        rise at most 5 % have any such ring: the bound is of the largest statistic in each octave of frequencies, and
        octaves share the 5 % equally.
    """
    ring, number = rings(values.shape)
    if len(number) < LEAST_RINGS:
        return np.zeros(len(number), bool)
    power = power_of_waves(values, taper=False)
    mean = np.bincount(ring.ravel(), power.ravel(), minlength=len(number) + 1)[1:] / number
    ratio, statistic = _compare((mean / _kept_by_plane(values.shape))[None], number)
    best = statistic[0].argmax(axis=0)
    chosen = best, np.arange(len(number))
    risen = (statistic[0][chosen] > _bounds(tuple(number))) & (ratio[0][chosen] >= LEAST_RATIO)
    risen[[0, -1]] = False
    return risen


def dominant_wave(values: Array, resolution: float) -> dict[str, float | None]:
    """Return the dominant wavelength of a pattern, and its direction.

    Parameters
    ----------
    values : (h, w) float array
        NaN where missing.
    resolution : float
        m

    Returns
    -------
    dict
        wavelength (m): at the mean frequency of the peak of the radial spectrum and its two neighbours, weighted by
        power; the peak is the ring of most power among those of `rises`, from two cycles per side on; None if there is
        no such ring. direction: across the bands, degrees clockwise from north, from 0 to below 180; anisotropy:
        length of the mean of exp(2 i angle) over the ring, weighted by power.
    """
    undefined = {"wavelength": None, "direction": None, "anisotropy": None}
    side = min(values.shape)
    risen = np.flatnonzero(rises(values))
    if not len(risen):
        return undefined
    waves, south, east = spectrum(values)
    frequency, power = _radial(waves)
    peak = int(risen[power[risen].argmax()])
    near = slice(peak - 1, peak + 2)
    mean = float((frequency[near] * power[near]).sum() / power[near].sum())
    ring = np.abs(np.hypot(south, east) - frequency[peak]) <= 1.5 / side
    # clockwise from north, which is up
    angle = np.arctan2(east[ring], -south[ring])
    resultant = (waves[ring] * np.exp(2j * angle)).sum() / waves[ring].sum()
    return {
        "wavelength": resolution / mean,
        "direction": float(np.degrees(np.angle(resultant)) / 2 % 180),
        "anisotropy": float(abs(resultant)),
    }


def _radial(power: Array) -> tuple[Array, Array]:
    """Return frequency and power of `r_spectrum`."""
    ring, number = rings(power.shape)
    total = np.bincount(ring.ravel(), power.ravel(), minlength=len(number) + 1)[1:]
    frequency = np.arange(1, len(number) + 1) / min(power.shape)
    return frequency, total / np.maximum(number, 1) / power[ring > 0].mean()


@lru_cache(maxsize=8)
def _kept_by_plane(shape: tuple[int, int]) -> Array:
    """Return the share of the power of white noise that each ring keeps when a plane is removed, (rings,) float64."""
    ring, number = rings(shape)
    kept = np.ones(shape)
    for axis, size in enumerate(shape):
        ramp = np.arange(size) - (size - 1) / 2
        lost = np.abs(np.fft.fft(ramp / np.linalg.norm(ramp))) ** 2 / size
        # waves along one axis only
        kept[(slice(None), 0) if axis == 0 else (0, slice(None))] -= lost
    return np.bincount(ring.ravel(), kept.ravel(), minlength=len(number) + 1)[1:] / number


def _compare(mean: Array, number: NDArray[np.int64]) -> tuple[Array, Array]:
    """Compare the power of rings with that of longer waves.

    Parameters
    ----------
    mean : (b, rings) float64 array
        Mean power of the waves of each ring.
    number : (rings,) int array
        How many they are.

    Returns
    -------
    ratio, statistic : (b, bands of `LONGER`, rings) float64 arrays
        The statistic is approximately standard normal for equal power (Paulson 1942, Annals of Mathematical Statistics
        13, 233); -inf where no ring is longer.
    """
    cycles = np.arange(1, len(number) + 1)
    waves = np.concatenate([[0], np.cumsum(number)])
    power = np.concatenate([np.zeros((len(mean), 1)), np.cumsum(mean * number, axis=1)], axis=1)
    start = np.ceil(cycles / AROUND).astype(int) - 1
    # without the last ring, in which whatever is shorter is folded back
    end = np.maximum(np.minimum(cycles * AROUND, len(number) - 1).astype(int), start + 1)
    here, around = waves[end] - waves[start], (power[:, end] - power[:, start]) / (waves[end] - waves[start])
    ratio = np.zeros((len(mean), len(LONGER), len(cycles)))
    statistic = np.full_like(ratio, -np.inf)
    for band, (low, high) in enumerate(LONGER):
        first, last = np.maximum(np.ceil(cycles * low), 1).astype(int), np.floor(cycles * high).astype(int)
        usable = np.flatnonzero(last >= first)
        start, end = first[usable] - 1, last[usable]
        longer = waves[end] - waves[start]
        f = around[:, usable] * longer / np.maximum(power[:, end] - power[:, start], np.finfo(float).tiny)
        ratio[:, band, usable] = f
        root, a, b = np.cbrt(f), 2 / (9 * here[usable]), 2 / (9 * longer)
        statistic[:, band, usable] = ((1 - b) * root - (1 - a)) / np.sqrt(b * root**2 + a)
    return ratio, statistic


@lru_cache(maxsize=8)
def _bounds(number: tuple[int, ...]) -> Array:
    """Return the bound of the statistic of each ring, (rings,) float64, from simulated flat spectra."""
    waves = np.array(number)
    mean = np.random.default_rng(0).gamma(waves / 2, 2 / waves, (_DRAWS, len(waves)))
    statistic = _compare(mean, waves)[1].max(axis=1)
    octave = np.log2(np.arange(1, len(waves) + 1)).astype(int)
    octave[0], octave[-1] = 0, 0  # the first ring and the last are not tested
    bounds = np.full(len(waves), np.inf)
    tested = range(1, octave.max() + 1)
    for i in tested:
        bounds[octave == i] = np.quantile(statistic[:, octave == i].max(axis=1), 1 - LEVEL / len(tested))
    return bounds
