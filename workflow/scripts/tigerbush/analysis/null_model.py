"""What a record would look like without slowing down: its null model, and tests against it.

The null model has the record's own rate, noise, gaps and season. What cannot be estimated with each surrogate anew is
estimated once: the share of the noise of observations, and how much seasons differ from year to year.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.cell import covariance
from tigerbush.analysis.detrend import YEAR, design
from tigerbush.analysis.slowing import FALL, INTENSITIES, Evidence, SlowingTest
from tigerbush.analysis.surrogates import p_value, phase_randomised
from tigerbush.analysis.tail import Significance, significance

Array = NDArray[np.float64]

# variance of the noise of an observation, and standard deviation of what a season adds, relative to the process
NOISE_SHARES = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
SEASON_SPREADS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
# surrogates that are drawn at once, and how many as extreme as the record are enough (Besag & Clifford 1991, Biometrika
# 78, 301): its p is then no small one
BATCH, ENOUGH = 199, 20
# a p-value up to it is called significant
LEVEL = 0.05
# innovations are similar within a season, days; so many are enough to draw from
SEASON, LEAST_SIMILAR = 91, 12
# by how much the log likelihood of noise that changed at once has to exceed that of noise that changes slowly, and the
# fewest values on either side
NOISE_STEP, LEAST_NOISY = 4.0, 12


@dataclass(frozen=True)
class NullModel:
    """A record's model of a constant rate.

    Attributes
    ----------
    test : SlowingTest
    values : (n,) float64 array
    noise_share, season_spread : float
    """

    test: SlowingTest
    values: Array
    noise_share: float
    season_spread: float

    @cached_property
    def evidence(self) -> Evidence:
        """What the record itself shows."""
        return self.test.evidence(self.values[None])

    def with_columns(self, columns: Array) -> "NullModel":
        """Return the model of the same shares with more columns of the mean, (n, k) float64."""
        test = self.test
        if not columns.size:
            return self
        means = np.column_stack([test.means, columns])
        same = (
            test.days,
            test.days_per_step,
            means,
            test.noise,
            test.seasons,
            test.season_spread,
            test.profile,
        )
        return replace(self, test=SlowingTest(*same))

    @property
    def covariance(self) -> Array:
        """Of the values, (n, n) float64, up to a factor: process, noise of observations and single seasons."""
        test = self.test
        rates = np.full(len(test.between), np.exp(self.evidence.rate[0]))
        kept, scale, variance = test.courses(rates, float(self.evidence.intensity[0]))
        matrix = covariance(kept, scale)
        if test.noise is not None:
            matrix += np.diag(test.noise * variance)
        if test.seasons is not None:
            matrix += test.season_spread**2 * variance * test.seasons @ test.seasons.T
        return matrix

    def effects(self, columns: Array, others: Array) -> tuple[Array, Array]:
        """Estimate the sizes of columns of the mean by generalised least squares.

        Parameters
        ----------
        columns, others : (n, k), (n, p) float64 arrays
            The mean is made of both.

        Returns
        -------
        sizes, covariance : (k,), (k, k) float64 arrays
        """
        everything = np.column_stack([self.values, columns, others])
        white = np.linalg.solve(np.linalg.cholesky(self.covariance), everything)
        values, white = white[:, 0], white[:, 1:]
        sizes, _, rank, _ = np.linalg.lstsq(white, values, rcond=None)
        rest = values - white @ sizes
        error = rest @ rest / (len(values) - rank) * np.linalg.pinv(white.T @ white)
        number = columns.shape[1]
        return sizes[:number], error[:number, :number]

    @cached_property
    def innovations(self) -> Array:
        """What drives the record in its null model, (n,) float64, of unit variance."""
        rest = self.test.rest(self.values, self.evidence)
        return (rest - rest.mean()) / rest.std()

    @property
    def steady_innovations(self) -> Array:
        """The innovations if the noise were steady, (n,) float64."""
        return self.test.rest(self.values, replace(self.evidence, intensity=np.zeros(1)))

    def _drawn(self, size: int, random: np.random.Generator) -> Array:
        """Draw innovations, (n, size) float64, from those of the record at the same time of the year.

        Their distribution may be any, and differ between seasons.
        """
        phase = self.test.days % YEAR
        distance = np.abs(phase[:, None] - phase)
        distance = np.minimum(distance, YEAR - distance)
        order = np.argsort(distance + random.random(distance.shape), axis=1)
        number = np.maximum((distance <= SEASON / 2).sum(axis=1), min(LEAST_SIMILAR, len(phase)))
        chosen = (random.random((len(phase), size)) * number[:, None]).astype(int)
        return self.innovations[np.take_along_axis(order, chosen, axis=1)]

    def simulate(self, size: int, random: np.random.Generator) -> Array:
        """Draw surrogates, (size, n) float64."""
        rates = np.full(len(self.test.between), np.exp(self.evidence.rate[0]))
        return self.test.draw(rates, float(self.evidence.intensity[0]), self._drawn(size, random), random)

    def p(self, surrogates: int, random: np.random.Generator) -> Significance:
        """Return the p of the record's evidence, of fewer surrogates where it is not small."""
        drawn = np.empty(0)
        while len(drawn) < surrogates:
            size = min(BATCH, surrogates - len(drawn))
            more = self.test.evidence(self.simulate(size, random)).slowing
            drawn = np.concatenate([drawn, more])
            if (drawn >= self.evidence.slowing[0]).sum() >= ENOUGH:
                break
        return significance(float(self.evidence.slowing[0]), drawn, 1)

    def p_phase(self, positions: NDArray[np.int64], size: int, random: np.random.Generator) -> float | None:
        """Return the p against series with the spectrum of the record, whatever its model; None where it has gaps.

        Spectra need regular series, and gaps that are filled have another one. The change of the noise's intensity is
        taken off before, and put back.
        """
        if positions[-1] - positions[0] + 1 != len(positions):
            return None
        growth = self.test.profile * np.exp(self.evidence.intensity[0] * self.test.ahead / 2)
        means = self.test.means
        rest = (self.values - means @ (means.T @ self.values)) / growth
        drawn = phase_randomised(rest, size, random) * growth
        return p_value(self.evidence.slowing[0], self.test.evidence(drawn).slowing, 1)

    def power(self, size: int, random: np.random.Generator) -> dict:
        """Simulate how often a rate that falls to a twentieth is found, in records like this one.

        Returns
        -------
        dict
            found (share of `series` whose evidence is above the 95 % quantile of as many without a fall), series,
            ar1_first, ar1_last (autocorrelation of successive dates at both ends), fall (rate at the end over that at
            the start).
        """
        rate, intensity = float(self.evidence.rate[0]), float(self.evidence.intensity[0])
        threshold = np.quantile(self.test.evidence(self.simulate(size, random)).slowing, 1 - LEVEL)
        course = np.exp(rate + FALL * (self.test.between - 0.5))
        falling = self.test.draw(course, intensity, self._drawn(size, random), random)
        first, last = (float(np.exp(-np.exp(rate + FALL * end))) for end in (-0.5, 0.5))
        return {
            "found": float((self.test.evidence(falling).slowing > threshold).mean()),
            "series": size,
            "ar1_first": first,
            "ar1_last": last,
            "fall": float(np.exp(FALL)),
        }


def fit_null(
    days: Array,
    days_per_step: float,
    values: Array,
    means: Array,
    *,
    weights: Array | None = None,
    seasons: Array | None = None,
    **options: bool,
) -> NullModel:
    """Fit the null model of a record.

    Parameters
    ----------
    days, values : (n,) float64 arrays
    days_per_step : float
    means : (n, p) float64 array
        Columns of the mean.
    weights : (n,) float64 array, optional
        Observations of each value: their noise has a variance proportional to 1 / weight.
    seasons : (n, q) float64 array, optional
        From `single_seasons`.
    **options
        Of `SlowingTest`: drifting_noise, steps.
    """

    def test_of(share: float, spread: float, profile: Array | None = None) -> SlowingTest:
        noise = share * np.mean(weights) / weights if share else None
        return SlowingTest(days, days_per_step, means, noise, seasons, spread, profile, **options)

    def best(tests: Mapping[float, SlowingTest]) -> float:
        return max(tests, key=lambda size: tests[size].likelihood(values))

    share = 0.0 if weights is None else best({size: test_of(size, 0.0) for size in NOISE_SHARES})
    spread = 0.0 if seasons is None else best({size: test_of(share, size) for size in SEASON_SPREADS})
    null = NullModel(test_of(share, spread), values, share, spread)
    profile = noise_step(null.steady_innovations) if options.get("drifting_noise", True) else None
    return null if profile is None else replace(null, test=test_of(share, spread, profile))


def noise_step(innovations: Array) -> Array | None:
    """Return the noise's profile if it changed at once, rather than slowly or not at all.

    Parameters
    ----------
    innovations : (n,) float64 array
        White, of any distribution.

    Returns
    -------
    (n,) float64 array or None
        Relative standard deviation, 1 on average of the logarithms.
    """
    squares, number = innovations**2, len(innovations)
    places = np.arange(LEAST_NOISY, number - LEAST_NOISY + 1)
    if not len(places):
        return None
    # Gaussian log likelihoods, the scale of each part profiled out
    sums = np.cumsum(squares)
    first = sums[places - 1] / places
    last = (sums[-1] - sums[places - 1]) / (number - places)
    steps = -(places * np.log(first) + (number - places) * np.log(last)) / 2
    ahead = np.linspace(-0.5, 0.5, number)
    drifts = [
        -number / 2 * np.log(np.mean(squares * np.exp(-change * ahead))) - change * ahead.sum() / 2
        for change in np.linspace(*INTENSITIES, 33)
    ]
    best = steps.argmax()
    profile = np.sqrt(np.where(np.arange(number) < places[best], first[best], last[best]))
    # tails heavier than normal make greater differences by chance
    spread = np.var(squares / profile**2) / 2
    if (steps[best] - max(drifts)) / max(spread, 1) < NOISE_STEP:
        return None
    return profile / np.exp(np.log(profile).mean())


def single_seasons(days: Array, values: Array, harmonics: int) -> Array | None:
    """Return what a single season may add to the mean: more or less of the mean season, earlier or later.

    Parameters
    ----------
    days, values : (n,) float64 arrays
    harmonics : int
        Of the mean season; None is returned for 0.

    Returns
    -------
    (n, 2 years) float64 array
        For each year, which begins at the lowest point of the mean season, that season above its lowest point and its
        slope, each with a standard deviation of 1 over a year.
    """
    if not harmonics:
        return None
    columns = design(days, harmonics)
    sizes, *_ = np.linalg.lstsq(columns, values, rcond=None)
    grid = np.arange(365) * YEAR / 365
    season = _season(grid, sizes[2:])
    start = grid[season.argmin()]
    season = np.roll(season, -season.argmin()) - season.min()
    shapes = np.array([season, np.gradient(season)])
    shapes /= np.maximum(shapes.std(axis=1, keepdims=True), 1e-12)
    year, phase = np.divmod(days - start, YEAR)
    each = np.array([np.interp(phase, grid, shape) for shape in shapes])
    return np.column_stack([each.T * (year == one)[:, None] for one in np.unique(year)])


def _season(days: Array, sizes: Array) -> Array:
    angles = 2 * np.pi * days[:, None] * np.arange(1, len(sizes) // 2 + 1) / YEAR
    return np.hstack([np.cos(angles), np.sin(angles)]) @ sizes
