"""The evidence that the restoring rate of a site falls, against all that ordinary records do without slowing down.

    x(t+D) = m(t+D) + (x(t) - m(t)) exp(-rate D) + e,   Var e = s2(t) (1 - exp(-2 rate D)) / (2 rate)

The evidence is the logarithm of a ratio of average likelihoods: of rates that fall, and of constant ones (averages
detect more than maxima: Andrews & Ploberger 1994, Econometrica 62, 1383). A rate falls exponentially, or as the square
root of the distance to a fold, which it reaches at a tipping point (Boettiger & Hastings 2012, Journal of the Royal
Society Interface 9, 2527). Both averages run over the rate, over noise whose intensity s2 grows or falls exponentially,
a trend that curves, and a step at its most likely time. Whatever is in the columns of the mean, as level, trend and
season, is projected out (restricted likelihood), and the scale of s2 is profiled out: the evidence does not depend on
them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.cell import Cell, covariance
from tigerbush.analysis.detrend import independent
from tigerbush.analysis.indicators import BOUNDS

Array = NDArray[np.float64]

# log of the rate at the end over the rate at the start, where it falls
FALL = -3.0
# log of the noise's variance at the end over that at the start: bounds, and the standard deviation that is expected
INTENSITIES, INTENSITY_SPREAD = (-4.0, 4.0), 1.2
# height of the arc of the curvature and size of the step, in standard deviations of the process: those of normal
# distributions around 0, and the probability of each
CURVATURES = ((0.0, 0.5), (1.5, 0.3), (6.0, 0.2))
STEPS = ((0.0, 0.93), (2.0, 0.04), (7.0, 0.03))
# a curvature that a step has to beat
LIKELY_CURVATURE = 3.0
# values on either side of a step
EDGE = 4
# share of the squares of single seasons below which a direction is none
NEGLIGIBLE = 1e-12
# places of which pairs are tried
MOST_PLACES = 60


@dataclass(frozen=True)
class Evidence:
    """What series show, an entry for each.

    Attributes
    ----------
    slowing : (b,) float64 array
        Log of the ratio of average likelihoods; larger where the rate falls.
    rate : (b,) float64 array
        Expected ln(rate times step) if it is constant.
    intensity : (b,) float64 array
        Expected ln of the noise's variance at the end over that at the start, if the rate is constant.
    place : (b,) int array
        Index of the first value after the most likely step.
    step : (b,) float64 array
        Log of the ratio of likelihoods of that step, greatest of all places (Andrews 1993, Econometrica 61, 821).
    """

    slowing: Array
    rate: Array
    intensity: Array
    place: NDArray[np.int64]
    step: Array


class SlowingTest:
    """The evidence at given times.

    Parameters
    ----------
    days : (n,) float64 array
        Strictly increasing.
    days_per_step : float
        What the bounds of the rate refer to.
    means : (n, p) float64 array
        Columns of the mean: level, trend, season, whatever is known to move it.
    noise : (n,) float64 array, optional
        Variance of the noise of each observation, relative to that of the process.
    seasons : (n, q) float64 array, optional
        Columns of random size: what a single season may add. Their standard deviation, in those of the process, is
        `season_spread`.
    season_spread : float
    profile : (n,) float64 array, optional
        Relative standard deviation of the innovations, where it has changed at once; on top of it, it drifts.
    drifting_noise, steps : bool
        Whether noise whose intensity changes, and steps, are expected of any record.
    """

    def __init__(
        self,
        days: Array,
        days_per_step: float,
        means: Array,
        noise: Array | None = None,
        seasons: Array | None = None,
        season_spread: float = 0.0,
        profile: Array | None = None,
        *,
        drifting_noise: bool = True,
        steps: bool = True,
    ) -> None:
        self.days, self.days_per_step, self.noise = days, days_per_step, noise
        self.means = independent(means)
        self.seasons, self.season_spread = (seasons, season_spread) if season_spread else (None, 0.0)
        self.profile = np.ones(len(days)) if profile is None else profile
        self.rates, self.intensities = grids(len(days))
        if not drifting_noise:
            self.intensities = np.zeros(1)
        self.step_sizes = STEPS if steps else STEPS[:1]
        course = (days - days[0]) / (days[-1] - days[0])
        self.ahead, self.between = course - 0.5, (course[1:] + course[:-1]) / 2
        arc = 4 * self.ahead**2
        self.arc = arc - arc.mean()
        self.freedom = len(days) - self.means.shape[1]
        self.places = np.arange(EDGE, len(days) - EDGE + 1)
        self.heavisides = (np.arange(len(days)) >= self.places[:, None]).astype(float)

    @cached_property
    def constant(self) -> list[Cell]:
        """The cells of constant rates, the rate in the outer loop."""
        return self._cells(np.ones(len(self.between)))

    @property
    def steady(self) -> list[Cell]:
        """The cells of constant rates and steady noise."""
        count = len(self.intensities)
        return self.constant[count // 2 :: count]

    @cached_property
    def falling(self) -> list[Cell]:
        """The cells of rates that fall."""
        root = np.sqrt(1 - (1 - np.exp(2 * FALL)) * self.between)
        shapes = np.exp(FALL * (self.between - 0.5)), root / np.exp(np.log(root).mean())
        return [cell for shape in shapes for cell in self._cells(shape)]

    def _cells(self, shape: Array) -> list[Cell]:
        return [self.cell(rate * shape, intensity) for rate in self.rates for intensity in self.intensities]

    def courses(self, rates: Array, intensity: float) -> tuple[Array, Array, float]:
        """Return what is kept from date to date, the scale of the innovations, and the variance of the process."""
        rates = np.clip(rates, *BOUNDS) / self.days_per_step
        kept = np.exp(-rates * np.diff(self.days))
        spread = np.concatenate([[1], 1 - kept**2]) / (2 * np.concatenate([rates[:1], rates]))
        scale = self.profile * np.sqrt(spread * np.exp(intensity * self.ahead))
        return kept, scale, float(1 / (2 * rates.mean()))

    def cell(self, rates: Array, intensity: float) -> Cell:
        """Prepare a course: rates times step, (n - 1,) float64, and ln of the change of the noise's variance."""
        kept, scale, variance = self.courses(rates, intensity)
        transform, logs = None, 2 * np.log(scale).sum()
        if self.noise is not None:
            factor = np.linalg.cholesky(covariance(kept, scale) + np.diag(self.noise * variance))
            transform, logs = np.linalg.inv(factor), 2 * np.log(np.diag(factor)).sum()
        bare = Cell(
            transform, kept, scale, np.empty((len(scale), 0)), np.empty(0), np.empty(0), variance, logs
        )
        basis, triangle = np.linalg.qr(bare.whiten(self.means.T).T)
        logs += 2 * np.log(np.abs(np.diag(triangle))).sum() + (intensity / INTENSITY_SPREAD) ** 2
        cell = replace(bare, basis=basis, shrink=np.ones(basis.shape[1]), logs=logs)
        if self.seasons is not None:
            cell = self._with_seasons(cell)
        return replace(cell, curve=cell.rest(self.arc[None])[0])

    def _with_seasons(self, cell: Cell) -> Cell:
        """Add the random seasons to the mean: a ridge along their principal directions."""
        seasons = cell.rest(self.seasons.T).T
        # the squares of a singular value decomposition, in a third of its time
        squares, turns = np.linalg.eigh(seasons.T @ seasons)
        kept = squares > NEGLIGIBLE * squares[-1]
        directions = seasons @ (turns[:, kept] / np.sqrt(squares[kept]))
        prior = self.season_spread**2 * cell.variance * squares[kept]
        return replace(
            cell,
            basis=np.hstack([cell.basis, directions]),
            shrink=np.concatenate([cell.shrink, 1 - 1 / np.sqrt(1 + prior)]),
            logs=cell.logs + np.log1p(prior).sum(),
        )

    def evidence(self, values: Array) -> Evidence:
        """Weigh series, (b, n) float64."""
        place, step = self.likely_steps(values)
        constant = np.array([self.score(cell, values, place) for cell in self.constant])
        falling = np.array([self.score(cell, values, place) for cell in self.falling])
        average = np.logaddexp.reduce(constant, axis=0)
        shares = np.exp(constant - average)
        count = len(self.intensities)
        return Evidence(
            slowing=np.logaddexp.reduce(falling, axis=0) - average - np.log(len(falling) / len(constant)),
            rate=np.repeat(np.log(self.rates), count) @ shares,
            intensity=np.tile(self.intensities, len(self.rates)) @ shares,
            place=self.places[place],
            step=step,
        )

    def likelihood(self, values: Array) -> float:
        """Return the greatest log likelihood of one series, (n,) float64, at a constant rate and steady noise."""
        cells = (self.cell(np.full(len(self.between), rate), 0.0) for rate in self.rates)
        return float(max(self.score(cell, values[None])[0] for cell in cells))

    def score(self, cell: Cell, values: Array, place: NDArray[np.int64] | None = None) -> Array:
        """Return the log likelihood of series, averaged over curvatures and, at a place each, over steps."""
        white = cell.rest(values)
        squares = np.einsum("ij,ij->i", white, white)
        along, size = white @ cell.curve, cell.curve @ cell.curve
        curvatures, chances = np.array(CURVATURES).T[..., None]
        prior = curvatures**2 * cell.variance
        # of what the data and the prior know, the part that is the data's
        weight = prior / (1 + prior * size)
        rest, base = squares - weight * along**2, np.log(chances) - 0.5 * np.log1p(prior * size)
        if place is not None:
            step = cell.step_products(white)[np.arange(len(values)), self.places[place]]
            own, both = self.steps_of(cell)[:, place]
            sizes, chances = np.array(self.step_sizes).T[..., None, None]
            wide, width = sizes**2 * cell.variance, own - weight * both**2
            rest = rest - wide / (1 + wide * width) * (step - weight * both * along) ** 2
            base = base + np.log(chances) - 0.5 * np.log1p(wide * width)
        scores = base - 0.5 * self.freedom * np.log(np.maximum(rest, 1e-300))
        return np.logaddexp.reduce(scores.reshape(-1, len(values))) - 0.5 * cell.logs

    def steps_of(self, cell: Cell) -> Array:
        """Return products of the step at each place with itself and with the arc, (2, k) float64."""
        if cell.steps is None:
            steps = cell.rest(self.heavisides)
            cell.steps = np.array([np.einsum("ij,ij->i", steps, steps), steps @ cell.curve])
        return cell.steps

    def likely_steps(self, values: Array) -> tuple[NDArray[np.int64], Array]:
        """Return the most likely step of each series, (b, n) float64.

        Returns
        -------
        place, ratio : (b,) arrays
            Index among `places`, and log of the ratio of greatest likelihoods, with the step and without any.
        """
        return self._likeliest(values, self.step_gains)

    def likely_pairs(self, values: Array) -> tuple[NDArray[np.int64], Array]:
        """Return the most likely two steps of each series, (b, n) float64.

        A step down and one up again hide each other from a search for single steps.

        Returns
        -------
        pair, ratio : (b, 2), (b,) arrays
            Indices among `places`, and log of the ratio of greatest likelihoods, with both steps and without any.
        """
        tried = np.arange(0, len(self.places), -(-len(self.places) // MOST_PLACES))
        first, last = (tried[index] for index in np.triu_indices(len(tried), 1))
        apart = self.places[last] - self.places[first] >= EDGE
        first, last = first[apart], last[apart]
        if not len(first):
            return np.zeros((len(values), 2), int), np.zeros(len(values))

        def gains(cell: Cell, values: Array) -> tuple[Array, Array]:
            along, between, squares = self._step_products(cell, values)
            own, other, both = between[first, first], between[last, last], between[first, last]
            left, right = along[:, first], along[:, last]
            gain = left**2 * other - 2 * left * right * both + right**2 * own
            return gain / np.maximum(own * other - both**2, 1e-12), squares

        best, ratio = self._likeliest(values, gains)
        return np.column_stack([first[best], last[best]]), ratio

    def _likeliest(
        self, values: Array, gains: Callable[[Cell, Array], tuple[Array, Array]]
    ) -> tuple[NDArray[np.int64], Array]:
        """Return which steps are the likeliest at any constant rate, and the log of their ratio of likelihoods."""
        rows = np.arange(len(values))
        place, without, likeliest = np.zeros(len(values), int), -np.inf, np.full(len(values), -np.inf)
        for cell in self.steady:
            gain, squares = gains(cell, values)
            best = gain.argmax(axis=1)
            logs = cell.logs + np.log1p(LIKELY_CURVATURE**2 * cell.variance * (cell.curve @ cell.curve))
            left = np.maximum(squares - gain[rows, best], 1e-300)
            score = -0.5 * (logs + self.freedom * np.log(left))
            place, likeliest = np.where(score > likeliest, best, place), np.maximum(score, likeliest)
            without = np.maximum(without, -0.5 * (logs + self.freedom * np.log(squares)))
        return place, likeliest - without

    def step_gains(self, cell: Cell, values: Array) -> tuple[Array, Array]:
        """Return what a step at each place takes off the squares of series (b, n), (b, k), and these, (b,)."""
        along, between, squares = self._step_products(cell, values)
        return along**2 / np.maximum(np.diag(between), 1e-12), squares

    def _step_products(self, cell: Cell, values: Array) -> tuple[Array, Array, Array]:
        """Return products of series and steps, (b, k), of steps, (k, k), and of each series, all but mean and arc."""
        white, steps = cell.rest(values), cell.rest(self.heavisides)
        prior = LIKELY_CURVATURE**2 * cell.variance
        weight = prior / (1 + prior * (cell.curve @ cell.curve))
        along, both = white @ cell.curve, steps @ cell.curve
        return (
            white @ steps.T - weight * np.outer(along, both),
            steps @ steps.T - weight * np.outer(both, both),
            np.einsum("ij,ij->i", white, white) - weight * along**2,
        )

    def rest(self, values: Array, evidence: Evidence) -> Array:
        """Return what a constant rate leaves of one series, (n,) float64: white, without mean, curvature and step."""
        cell = self.cell(np.full(len(self.between), np.exp(evidence.rate[0])), float(evidence.intensity[0]))
        columns = cell.rest(
            np.vstack([self.arc, np.arange(len(self.days)) >= evidence.place[0]]).astype(float)
        ).T
        white = cell.rest(values[None])[0]
        weights = np.diag(
            [1 / (LIKELY_CURVATURE**2 * cell.variance), 1 / (STEPS[-1][0] ** 2 * cell.variance)]
        )
        return white - columns @ np.linalg.solve(columns.T @ columns + weights, columns.T @ white)

    def draw(self, rates: Array, intensity: float, innovations: Array, random: np.random.Generator) -> Array:
        """Make series, (size, n) float64, of rates times step from innovations of unit variance, (n, size)."""
        kept, scale, variance = self.courses(rates, intensity)
        if self.noise is None:
            series = innovations * scale[:, None]
            for i, share in enumerate(kept, 1):
                series[i] += share * series[i - 1]
        else:
            # the innovations are those of the process and of the observations together
            series = (
                np.linalg.cholesky(covariance(kept, scale) + np.diag(self.noise * variance)) @ innovations
            )
        if self.seasons is not None:
            spread = self.season_spread * np.sqrt(variance)
            series = series + spread * self.seasons @ random.standard_normal(
                (self.seasons.shape[1], series.shape[1])
            )
        return series.T


def grids(number: int) -> tuple[Array, Array]:
    """Return the rates times step and the intensities of a record of some dates: the longer, the denser.

    Neighbours are some three standard errors apart; a coarser grid misses what a long record tells.
    """
    rates = np.exp(np.linspace(*np.log(BOUNDS), max(round(0.73 * np.sqrt(number)), 6)))
    steps = max(int(np.ceil(np.ptp(INTENSITIES) / (6 * np.sqrt(24 / number)))), 3)
    return rates, np.linspace(*INTENSITIES, 2 * steps + 1)
