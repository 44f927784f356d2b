"""Early-warning indicators of a site's series: moving windows, Kendall's tau and its significance.

Everything is compared with a system without any change: surrogates at the same times pass through the
same detrending, gaps and windows (Dakos et al. 2012, PLoS ONE 7, e41010; Boettiger & Hastings 2012).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import YEAR, design, gaussian_operator, harmonics_of, stl_operator
from tigerbush.analysis.indicators import INDICATORS, kendall, moving
from tigerbush.analysis.ornstein_uhlenbeck import SeasonalProcess, fit_site, noise_share
from tigerbush.analysis.surrogates import p_value, phase_randomised

Array = NDArray[np.float64]

CHUNK = 1000
# a tau beyond these shares of its surrogates is called clear
CLEAR = 0.05
# relative to their magnitude, variation of numbers that is no more than rounding
ROUNDING = 1e-9
# fewer values cannot be analysed at all
LEAST_DATES = 12
WINDOWS = (0.25, 0.375, 0.5, 0.625, 0.75)
BANDWIDTHS = (0.1, 0.2, 0.3, 0.5, 0.75)
# share of series whose AR(1) rises from 0.3 to 0.9 that the tau of AR(1) finds at 5 % (docs/evidence.md)
POWER = {36: 0.07, 60: 0.15, 120: 0.30, 240: 0.63}


@dataclass(frozen=True)
class Record:
    """A series as it is analysed: only values that are present.

    Attributes
    ----------
    values, days : (n,) float64 arrays
    positions : (n,) int array
        Numbers of their periods.
    days_per_step : float
    weights : (n,) float64 array or None
        Observations of each value, where the model includes their noise.
    """

    values: Array
    days: Array
    positions: NDArray[np.int64]
    days_per_step: float
    weights: Array | None = None


@dataclass(frozen=True)
class Treatment:
    """How a series is detrended and cut into windows.

    Attributes
    ----------
    window : float
        Length of a window, share of the record.
    bandwidth : float
        Of the kernel, share of the record.
    harmonics : int
        Of the year, at most.
    detrending : {"gaussian", "stl", "none"}
    """

    window: float = 0.5
    bandwidth: float = 0.3
    harmonics: int = 2
    detrending: str = "gaussian"


class Windows:
    """The treatment of a record, for its values and for surrogates of it."""

    def __init__(self, record: Record, treatment: Treatment) -> None:
        self.record = record
        steps = int(record.positions[-1] - record.positions[0]) + 1
        self.width = int(np.clip(round(treatment.window * steps), 3, steps))
        self.treatment = treatment

    @cached_property
    def harmonics(self) -> int:
        """Of the year, as many as the record supports."""
        if self.treatment.detrending == "none":
            return 0
        return harmonics_of(self.record.days, self.record.days_per_step, self.treatment.harmonics)

    @cached_property
    def operator(self) -> Array:
        """The matrix that detrends, (n, n) float64."""
        record, number = self.record, len(self.record.days)
        if self.treatment.detrending == "none":
            return np.eye(number) - 1 / number
        if self.treatment.detrending == "stl":
            return stl_operator(record.positions, max(round(YEAR / record.days_per_step), 2))
        return gaussian_operator(record.days, self.treatment.bandwidth, self.harmonics)

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Number of the period that ends each window."""
        first, last = self.record.positions[[0, -1]]
        return np.arange(first + self.width - 1, last + 1)

    def indicators(self, values: Array, names: Sequence[str]) -> dict[str, Array]:
        """Detrend series (b, n) and compute indicators, each (b, windows)."""
        record = self.record
        residuals = values @ self.operator.T
        return moving(residuals, record.positions, record.days, self.width, record.days_per_step, names)

    def taus(self, values: Array, names: Sequence[str]) -> dict[str, Array]:
        """Detrend series (b, n) and return Kendall's tau of each indicator, (b,) each."""
        parts = [
            {name: kendall(indicator) for name, indicator in self.indicators(chunk, names).items()}
            for chunk in np.array_split(values, max(len(values) // CHUNK, 1))
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def phase_surrogates(self, size: int, random: np.random.Generator) -> Array:
        """Draw phase-randomised series with the gaps of the record, (size, n) float64."""
        record = self.record
        basis, _ = np.linalg.qr(design(record.days, self.harmonics))
        residual = record.values - basis @ (basis.T @ record.values)
        place = record.positions - record.positions[0]
        filled = np.interp(np.arange(place[-1] + 1), place, residual)
        return phase_randomised(filled, size, random)[:, place]


def analyse_record(
    record: Record,
    treatment: Treatment,
    surrogates: int,
    random: np.random.Generator,
    names: Sequence[str] = tuple(INDICATORS),
    extra: Mapping[str, int] | None = None,
) -> tuple[dict, dict]:
    """Compute the indicators of a record, the significance of their trends, and its restoring rate.

    Parameters
    ----------
    record : Record
        `LEAST_DATES` values or more.
    treatment : Treatment
    surrogates : int
        Of each kind.
    random : Generator
    names : sequence of str
    extra : dict of str to int
        Indicators whose AR(1) surrogates are more.

    Returns
    -------
    indicators, rate : dict
        Per indicator: label, ends (numbers of periods), values, tau, direction, p of both kinds, surrogates. Of the
        rate: see `tigerbush.analysis.ornstein_uhlenbeck.fit_site`, and p_trend_phase, its test against phase
        surrogates (None: gaps).

    Notes
    -----
    The AR(1) surrogates are those of the constant-rate model fitted to the record (an AR(1) at equal steps), corrected
    for its bias.
    p is one-sided in the direction of slowing down, two-sided for skewness and kurtosis.
    """
    windows = Windows(record, treatment)
    times = record.days, record.days_per_step, windows.harmonics
    share = 0.0 if record.weights is None else noise_share(*times, record.values, record.weights)
    process = SeasonalProcess(*times, record.weights, share)
    rate = fit_site(process, record.values, surrogates, random) | {"noise_share": share}
    null, root = rate.pop("null"), rate.pop("root")
    values = record.values[None]
    indicators = windows.indicators(values, names)
    observed = {name: float(kendall(indicators[name])[0]) for name in names}
    ar1 = windows.taus(process.simulate(null, 0.0, surrogates, random), names)
    drawn = windows.phase_surrogates(surrogates, random)
    phase = windows.taus(drawn, names)
    # with gaps, which are filled for their spectrum, it alarms too often (docs/evidence.md)
    complete = len(record.values) == windows.ends[-1] - record.positions[0] + 1
    rate["p_trend_phase"] = p_value(root, process.fit_change(drawn).root, -1) if complete else None
    for name, number in (extra or {}).items():
        if number > surrogates:
            more = windows.taus(process.simulate(null, 0.0, number - surrogates, random), [name])
            ar1[name] = np.concatenate([ar1[name], more[name]])
    results = {}
    for name in names:
        label, direction = INDICATORS[name]
        usable = np.isfinite(observed[name])
        results[name] = {
            "label": label,
            "ends": windows.ends,
            "values": indicators[name][0],
            "tau": observed[name],
            "direction": direction,
            "p": {
                "ar1": p_value(observed[name], ar1[name], direction) if usable else None,
                "phase": p_value(observed[name], phase[name], direction) if usable else None,
            },
            "surrogates": len(ar1[name]),
        }
    return results, rate


def varies(record: Record, treatment: Treatment, scale: float) -> bool:
    """Tell whether a record varies once its season and trend are removed, beyond the rounding of its numbers.

    Parameters
    ----------
    record : Record
    treatment : Treatment
    scale : float
        Largest magnitude of the numbers that the record was made of.
    """
    return bool(np.std(Windows(record, treatment).operator @ record.values) > ROUNDING * scale)


def sensitivity(record: Record, treatment: Treatment, names: Sequence[str]) -> dict[str, dict]:
    """Compute tau for other windows and bandwidths.

    Returns
    -------
    dict of str to dict
        Per indicator: windows, bandwidths, tau (list of a list of all bandwidths for each window).
    """
    bandwidths = BANDWIDTHS if treatment.detrending == "gaussian" else (treatment.bandwidth,)
    table = {name: [] for name in names}
    operators = [
        Windows(record, Treatment(0.5, bandwidth, treatment.harmonics, treatment.detrending)).operator
        for bandwidth in bandwidths
    ]
    residuals = np.stack([operator @ record.values for operator in operators])
    for window in WINDOWS:
        width = Windows(record, Treatment(window)).width
        indicators = moving(residuals, record.positions, record.days, width, record.days_per_step, names)
        for name in names:
            table[name].append(kendall(indicators[name]).tolist())
    return {
        name: {"windows": list(WINDOWS), "bandwidths": list(bandwidths), "tau": taus}
        for name, taus in table.items()
    }


def spread_of_draws(draws: Iterator[Record], treatment: Treatment, names: Sequence[str]) -> dict[str, dict]:
    """Compute tau for several equal draws of the sub-images: lowest, median and highest of each indicator."""
    taus = [Windows(record, treatment).taus(record.values[None], names) for record in draws]
    stacked = {name: np.array([tau[name][0] for tau in taus]) for name in names}
    return {
        name: {"low": float(tau.min()), "median": float(np.median(tau)), "high": float(tau.max())}
        for name, tau in stacked.items()
    }


def verdicts(indicators: Mapping[str, Mapping]) -> dict:
    """Return which indicators point towards slowing down, which away from it, and which neither way.

    Skewness and kurtosis have no direction of their own and are left out. There is no score: where lists disagree,
    that is the finding.
    """
    groups: dict[str, list[str]] = {"slowing": [], "opposite": [], "unclear": []}
    for name, result in indicators.items():
        p = result["p"]["ar1"]
        if result["direction"] == 0 or p is None:
            continue
        kind = "slowing" if p <= CLEAR else "opposite" if p >= 1 - CLEAR else "unclear"
        groups[kind].append(name)
    return groups | {"contradictory": bool(groups["slowing"] and groups["opposite"])}


def refusal(number: int, minimum: int) -> str | None:
    """Return why a series is too short for early warning, or None."""
    if number > minimum:
        return None
    return (
        f"{number} dates have data, and early warning needs more than {minimum} (analysis.minimum_dates): so short a "
        f"series proves nothing either way; {power_sentence(number)}"
    )


def power_sentence(number: int) -> str:
    """State how often a clear change is detected in a series of so many dates."""
    sizes = sorted(POWER)
    near = max([size for size in sizes if size <= number], default=sizes[0])
    return (
        f"an autocorrelation that rises from 0.3 to 0.9 is found in some {100 * POWER[near]:.0f} % of series of "
        f"{near} dates."
    )
