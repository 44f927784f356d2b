"""What the early-warning tests are worth: rates of rejection on series whose truth is known.

Nulls: Ornstein-Uhlenbeck series of constant rate (AR(1) at equal steps), complete and with the gaps of a real series. A
test of 5 % has to reject 5 % of them. Then vegetation of the simulator, under constant and falling rain.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from tigerbush.analysis.detrend import YEAR
from tigerbush.analysis.early_warning import Record, Treatment, Windows, analyse_record
from tigerbush.analysis.indicators import INDICATORS, RATES
from tigerbush.analysis.ornstein_uhlenbeck import SeasonalProcess, bootstrap_median, corrected_rate
from tigerbush.analysis.surrogates import ornstein_uhlenbeck
from tigerbush.pattern import Fields, evolve, random_pattern, start_states
from tigerbush.sample.simulate import COVER, PLANTS, RAIN, RAIN_CV, SPIN_UP, noise_free_ndvi

Array = NDArray[np.float64]

STEP = YEAR / 12
PHIS, SIZES = (0.3, 0.7, 0.9), (36, 60, 120, 240)
# months with a scene under 50 % cloud, of a real series (tile 33TVL, July 2015 to March 2017)
USABLE = "111001110011011001110"
LEVEL = 0.05
SIDE = 32  # cells of the simulator


def positions_of(number: int, pattern: str) -> NDArray[np.int64]:
    """Return the periods of so many values: all of them, or those of the real series, again and again."""
    if pattern == "complete":
        return np.arange(number)
    usable = np.flatnonzero(np.array(list(USABLE * (number // 5 + 1))) == "1")
    return usable[:number]


@dataclass
class Cell:
    """Series of one length and pattern of gaps, and what surrogates of each rate look like.

    Attributes
    ----------
    number : int
    pattern : {"complete", "gaps"}
    surrogates : int
        Of each rate; they are shared by all series whose null model has that rate.
    names : tuple of str
        Indicators.
    """

    number: int
    pattern: str
    surrogates: int
    names: tuple[str, ...] = tuple(INDICATORS)

    def __post_init__(self) -> None:
        """Prepare the treatment."""
        self.positions = positions_of(self.number, self.pattern)
        self.days = self.positions * STEP
        self.windows = Windows(self.record(self.days * 0), Treatment())
        self.process = SeasonalProcess(self.days, STEP, self.windows.harmonics)
        self.random = np.random.default_rng([1, self.number, len(self.pattern)])
        self._biases: dict[int, float] = {}
        self._nulls: dict[int, dict[str, Array]] = {}

    def record(self, values: Array) -> Record:
        """Return a series with the times of the cell."""
        return Record(values, self.days, self.positions, STEP)

    def simulate(self, phi: float | tuple[float, float], size: int, random: np.random.Generator) -> Array:
        """Draw series of an autocorrelation, or of one that rises from one value to another."""
        course = np.linspace(*np.broadcast_to(phi, 2), self.number - 1)
        return ornstein_uhlenbeck(self.days, -np.log(course) / STEP, size, random)

    def null_rates(self, values: Array) -> list[int]:
        """Return the rate of the null model of each series, as `fit_site` finds it."""
        where = self.process.fit(values).peak[1]
        for rate in {round(float(one)) for one in where} - self._biases.keys():
            self._biases[rate] = bootstrap_median(self.process, rate, self.surrogates, self.random)
        return [corrected_rate(one, self._biases[round(float(one))]) for one in where]

    def null(self, rate: int) -> dict[str, Array]:
        """Return the statistics of the surrogates of a rate, sorted."""
        if rate not in self._nulls:
            drawn = self.process.simulate(rate, 0.0, self.surrogates, self.random)
            self._nulls[rate] = {
                name: np.sort(one) for name, one in self.statistics(drawn, (*self.names, "trend")).items()
            }
        return self._nulls[rate]

    def statistics(self, values: Array, names: tuple[str, ...]) -> dict[str, Array]:
        """Return tau of indicators, and for "trend" the root of the likelihood ratio, (b,) each."""
        found = self.windows.taus(values, [name for name in names if name != "trend"])
        return found | {"trend": self.process.fit_change(values).root} if "trend" in names else found

    def p_values(self, values: Array) -> dict[str, Array]:
        """Return p of each test of each series, (b,)."""
        rates, observed = self.null_rates(values), self.statistics(values, (*self.names, "trend"))
        found = {}
        for name, ours in observed.items():
            found[name] = np.array(
                [
                    _p(one, self.null(rate)[name], _direction(name))
                    for one, rate in zip(ours, rates, strict=True)
                ]
            )
        return found

    def phase_p_values(self, values: Array, surrogates: int, names: tuple[str, ...]) -> dict[str, Array]:
        """Return p against phase surrogates of each series, (b,)."""
        found: dict[str, list[float]] = {name: [] for name in names}
        observed = self.statistics(values, names)
        for i, series in enumerate(values):
            windows = Windows(self.record(series), self.windows.treatment)
            drawn = self.statistics(windows.phase_surrogates(surrogates, self.random), names)
            for name, p in found.items():
                p.append(_p(observed[name][i], np.sort(drawn[name]), _direction(name)))
        return {name: np.array(one) for name, one in found.items()}

    @cached_property
    def bounds(self) -> dict[int, float]:
        """The 95 % quantile of the deviance at the truth, by rate, as it is asked for."""
        return {}

    def coverage(self, phi: float, size: int, random: np.random.Generator) -> tuple[float, float]:
        """Return the median estimate of an autocorrelation, and how often the 95 % interval holds the truth."""
        values = self.simulate(phi, size, random)
        fits = self.process.fit(values)
        rates = self.null_rates(values)
        true = float(np.interp(np.log(-np.log(phi)), np.log(RATES), np.arange(len(RATES))))
        low = int(true)
        share = true - low
        score = (1 - share) * fits.scores[low] + share * fits.scores[low + 1]
        deviance = 2 * (fits.peak[0] - score)
        inside = 0
        for one, rate in zip(deviance, rates, strict=True):
            if rate not in self.bounds:
                drawn = self.process.fit(self.process.simulate(rate, 0.0, self.surrogates, self.random))
                self.bounds[rate] = float(np.quantile(drawn.deviance(rate), 0.95))
            inside += one <= self.bounds[rate]
        corrected = [one - self._biases[round(float(one))] for one in fits.peak[1]]
        middle = np.exp(np.interp(np.median(corrected), np.arange(len(RATES)), np.log(RATES)))
        return float(np.exp(-middle)), inside / size


def _direction(name: str) -> int:
    return -1 if name == "trend" else INDICATORS[name][1]


def _p(observed: float, ordered: Array, direction: int) -> float:
    up = (1 + len(ordered) - np.searchsorted(ordered, observed, "left")) / (len(ordered) + 1)
    down = (1 + np.searchsorted(ordered, observed, "right")) / (len(ordered) + 1)
    if direction:
        return float(up if direction > 0 else down)
    return float(min(1.0, 2 * min(up, down)))


def grow(seed: int, months: int, side: int = SIDE, spin_up: int = SPIN_UP) -> Iterator[tuple[str, Array]]:
    """Grow vegetation without images, slow plants as in the sample; from one start under constant and falling rain.

    Yields
    ------
    str, (months, 2) float64 array
        "constant" (1.2 mm/day) or "falling" (to 0.45), times a gamma factor of CV 0.10 each month; at the end of each
        month the mean NDVI and the logarithm of the mean biomass.
    """
    random = np.random.default_rng([seed, 9])
    start = start_states(random_pattern((side, side), seed), RAIN[0], PLANTS)
    for rain in RAIN[0] * _factors(random, spin_up):
        start = _month(start, rain)
    for name, course in (("constant", np.full(months, RAIN[0])), ("falling", np.linspace(*RAIN, months))):
        fields, found = start, []
        for rain in course * _factors(random, months):
            fields = _month(fields, rain)
            cover = 1 - np.exp(-COVER * fields[0])
            found.append((noise_free_ndvi(cover).mean(), np.log(fields[0].mean() + 1e-9)))
        yield name, np.array(found)


def _factors(random: np.random.Generator, size: int) -> Array:
    return random.gamma(1 / RAIN_CV**2, RAIN_CV**2, size)


def _month(fields: Fields, rain: float) -> Fields:
    plants, soil, surface = fields
    return evolve(plants, rain, 30, parameters=PLANTS, soil_water=soil, surface_water=surface)


def warned(values: Array, surrogates: int, seed: int) -> dict[str, float]:
    """Analyse a monthly series as the workflow does; return p of each test."""
    places = np.arange(len(values))
    record = Record(values, places * STEP, places, STEP)
    names = ("ar1", "variance", "rate_ou")
    found, rate = analyse_record(record, Treatment(), surrogates, np.random.default_rng([seed, 8]), names)
    of_names = {f"{name}, {kind}": found[name]["p"][kind] for name in names for kind in ("ar1", "phase")}
    return of_names | {"trend": rate["p_trend"], "trend, phase": rate["p_trend_phase"]}


def binomial_interval(size: int, share: float = LEVEL, level: float = 0.99) -> tuple[float, float]:
    """Return the shares between which so many tests of a level reject with a probability."""
    return tuple(float(one) / size for one in binom.interval(level, size, share))
