"""Calibration of the early-warning tests: rejection rates on simulated series whose truth is known.

Null series are Ornstein-Uhlenbeck processes of constant rate (AR(1) at equal steps), complete and with the gaps of a
real series. A test at 5 % has to reject 5 % of them. Then simulated vegetation, under constant and declining rainfall.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from tigerbush.analysis.assessment import Assessment, Circumstances
from tigerbush.analysis.detrend import YEAR, mean_columns
from tigerbush.analysis.early_warning import Record, Treatment, Windows, trends_of_indicators
from tigerbush.analysis.indicators import INDICATORS, RATES
from tigerbush.analysis.ornstein_uhlenbeck import SeasonalProcess, bootstrap_median, corrected_rate
from tigerbush.analysis.surrogates import ornstein_uhlenbeck
from tigerbush.analysis.warning import p_of_rate
from tigerbush.pattern import Fields, evolve, random_pattern, start_states
from tigerbush.sample.simulate import COVER, PLANTS, RAIN, RAIN_CV, SPIN_UP, noise_free_ndvi

Array = NDArray[np.float64]

STEP = YEAR / 12
PHIS, SIZES = (0.3, 0.7, 0.9), (36, 60, 120, 240)
# months of a real series with a scene under 50 % cloud (tile 33TVL, July 2015 to March 2017)
USABLE = "111001110011011001110"
LEVEL = 0.05
SIDE = 32  # cells of the simulator


def positions_of(number: int, pattern: str) -> NDArray[np.int64]:
    """Return the positions of `number` values: consecutive, or with the gaps of the real series, repeated."""
    if pattern == "complete":
        return np.arange(number)
    usable = np.flatnonzero(np.array(list(USABLE * (number // 5 + 1))) == "1")
    return usable[:number]


@dataclass
class Cell:
    """Series of one length and pattern of gaps, with the null distributions of each rate.

    Attributes
    ----------
    number : int
    pattern : {"complete", "gaps"}
    surrogates : int
        Surrogates of each rate, shared by all series whose null model has that rate.
    names : tuple of str
        Names of indicators.
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
        self.process = SeasonalProcess(self.days, STEP, mean_columns(self.days, self.windows.harmonics))
        self.random = np.random.default_rng([1, self.number, len(self.pattern)])
        self._biases: dict[int, float] = {}
        self._nulls: dict[int, dict[str, Array]] = {}

    def record(self, values: Array) -> Record:
        """Return a series at the times of the cell."""
        return Record(values, self.days, self.positions, STEP)

    def simulate(self, phi: float | tuple[float, float], size: int, random: np.random.Generator) -> Array:
        """Simulate series of constant autocorrelation, or of one that changes linearly between two values."""
        course = np.linspace(*np.broadcast_to(phi, 2), self.number - 1)
        return ornstein_uhlenbeck(self.days, -np.log(course) / STEP, size, random)

    def null_rates(self, values: Array) -> list[int]:
        """Return the rate of the null model of each series, as `fit_site` estimates it."""
        peaks = self.process.fit(values).peak[1]
        for rate in {round(float(peak)) for peak in peaks} - self._biases.keys():
            self._biases[rate] = bootstrap_median(self.process, rate, self.surrogates, self.random)
        return [corrected_rate(peak, self._biases[round(float(peak))]) for peak in peaks]

    def null(self, rate: int) -> dict[str, Array]:
        """Return the statistics of the surrogates of a rate, sorted."""
        if rate not in self._nulls:
            drawn = self.process.simulate(rate, self.surrogates, self.random)
            statistics = self.windows.taus(drawn, self.names)
            self._nulls[rate] = {name: np.sort(values) for name, values in statistics.items()}
        return self._nulls[rate]

    def p_values(self, values: Array) -> dict[str, Array]:
        """Return the p-values of each test, (b,) each."""
        rates, observed = self.null_rates(values), self.windows.taus(values, self.names)
        p_values = {}
        for name, statistics in observed.items():
            p_values[name] = np.array(
                [
                    _p(statistic, self.null(rate)[name], INDICATORS[name][1])
                    for statistic, rate in zip(statistics, rates, strict=True)
                ]
            )
        return p_values

    def phase_p_values(self, values: Array, surrogates: int, names: tuple[str, ...]) -> dict[str, Array]:
        """Return the p-values of each test against phase surrogates of each series, (b,) each."""
        p_values: dict[str, list[float]] = {name: [] for name in names}
        observed = self.windows.taus(values, names)
        for i, series in enumerate(values):
            windows = Windows(self.record(series), self.windows.treatment)
            drawn = windows.taus(windows.phase_surrogates(surrogates, self.random), names)
            for name, values_of_test in p_values.items():
                values_of_test.append(_p(observed[name][i], np.sort(drawn[name]), INDICATORS[name][1]))
        return {name: np.array(values_of_test) for name, values_of_test in p_values.items()}

    @cached_property
    def bounds(self) -> dict[int, float]:
        """The 95 % quantile of the deviance at the true rate, by rate; filled on demand."""
        return {}

    def coverage(self, phi: float, size: int, random: np.random.Generator) -> tuple[float, float]:
        """Return the median estimate of an autocorrelation, and the coverage of its 95 % interval."""
        values = self.simulate(phi, size, random)
        fits = self.process.fit(values)
        rates = self.null_rates(values)
        truth = float(np.interp(np.log(-np.log(phi)), np.log(RATES), np.arange(len(RATES))))
        low = int(truth)
        share = truth - low
        score = (1 - share) * fits.scores[low] + share * fits.scores[low + 1]
        deviance = 2 * (fits.peak[0] - score)
        covered = 0
        for distance, rate in zip(deviance, rates, strict=True):
            if rate not in self.bounds:
                drawn = self.process.fit(self.process.simulate(rate, self.surrogates, self.random))
                self.bounds[rate] = float(np.quantile(drawn.deviance(rate), 0.95))
            covered += distance <= self.bounds[rate]
        corrected = [peak - self._biases[round(float(peak))] for peak in fits.peak[1]]
        middle = np.exp(np.interp(np.median(corrected), np.arange(len(RATES)), np.log(RATES)))
        return float(np.exp(-middle)), covered / size


def _p(observed: float, ordered: Array, direction: int) -> float:
    up = (1 + len(ordered) - np.searchsorted(ordered, observed, "left")) / (len(ordered) + 1)
    down = (1 + np.searchsorted(ordered, observed, "right")) / (len(ordered) + 1)
    if direction:
        return float(up if direction > 0 else down)
    return float(min(1.0, 2 * min(up, down)))


def simulate_vegetation(
    seed: int, months: int, side: int = SIDE, spin_up: int = SPIN_UP
) -> Iterator[tuple[str, Array]]:
    """Simulate vegetation with the parameters of the sample, without images, under constant and declining rainfall.

    Both start from the same state.

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
        fields, values = start, []
        for rain in course * _factors(random, months):
            fields = _month(fields, rain)
            cover = 1 - np.exp(-COVER * fields[0])
            values.append((noise_free_ndvi(cover).mean(), np.log(fields[0].mean() + 1e-9)))
        yield name, np.array(values)


def _factors(random: np.random.Generator, size: int) -> Array:
    return random.gamma(1 / RAIN_CV**2, RAIN_CV**2, size)


def _month(fields: Fields, rain: float) -> Fields:
    plants, soil, surface = fields
    return evolve(plants, rain, 30, parameters=PLANTS, soil_water=soil, surface_water=surface)


def p_values_of_series(values: Array, surrogates: int, seed: int) -> dict[str, float]:
    """Analyse a monthly series as the workflow does, and return the p-value of each test."""
    positions = np.arange(len(values))
    record = Record(values, positions * STEP, positions, STEP)
    names = ("ar1", "variance", "rate_ou")
    random = np.random.default_rng([seed, 8])
    harmonics = Windows(record, Treatment()).harmonics
    alone = Circumstances(np.empty((len(values), 0)))
    assessment = Assessment(record, harmonics, alone, lambda _: random, p_of_rate)
    drawn = assessment.null.simulate(surrogates, random)
    record = replace(record, columns=assessment.columns)
    indicators, _ = trends_of_indicators(record, Treatment(), drawn, random, names)
    p_values = {f"{name}, {kind}": indicators[name]["p"][kind] for name in names for kind in ("ar1", "phase")}
    phase = assessment.null.p_phase(positions, surrogates, random)
    return p_values | {"falling rate": assessment.null.p(surrogates, random).p, "falling rate, phase": phase}


def binomial_interval(size: int, share: float = LEVEL, level: float = 0.99) -> tuple[float, float]:
    """Return the central interval, of probability `level`, of the share of `size` tests that reject."""
    return tuple(float(bound) / size for bound in binom.interval(level, size, share))
