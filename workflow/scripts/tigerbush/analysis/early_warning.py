"""Early-warning indicators of a site's series: moving windows, Kendall's tau and its significance.

Everything is compared with a system without any change: surrogates at the same times pass through the
same detrending, gaps and windows (Dakos et al. 2012, PLoS ONE 7, e41010; Boettiger & Hastings 2012).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import (
    YEAR,
    gaussian_operator,
    harmonics_of,
    mean_columns,
    removing,
    stl_operator,
)
from tigerbush.analysis.indicators import INDICATORS, kendall, moving
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
    columns : (n, k) float64 array or None
        What moves the mean besides level, trend and season: steps, sensors.
    """

    values: Array
    days: Array
    positions: NDArray[np.int64]
    days_per_step: float
    weights: Array | None = None
    columns: Array | None = None


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
            operator = stl_operator(record.positions, max(round(YEAR / record.days_per_step), 2))
            return operator if record.columns is None else operator @ removing(record.columns)
        return gaussian_operator(record.days, self.treatment.bandwidth, self.harmonics, record.columns)

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
        residual = removing(mean_columns(record.days, self.harmonics, record.columns)) @ record.values
        place = record.positions - record.positions[0]
        filled = np.interp(np.arange(place[-1] + 1), place, residual)
        return phase_randomised(filled, size, random)[:, place]


def trends_of_indicators(
    record: Record,
    treatment: Treatment,
    surrogates: Array,
    random: np.random.Generator,
    names: Sequence[str] = tuple(INDICATORS),
    *,
    phase: bool = True,
) -> tuple[dict, dict[str, Array]]:
    """Compute the indicators of a record and the significance of their trends.

    Parameters
    ----------
    record : Record
        `LEAST_DATES` values or more.
    treatment : Treatment
    surrogates : (b, n) float64 array
        Of its null model.
    random : Generator
        For as many phase-randomised surrogates.
    names : sequence of str
    phase : bool
        Whether there are any.

    Returns
    -------
    indicators : dict
        Each: label, ends (numbers of periods), values, tau, direction, p against both kinds, surrogates.
    taus : dict of str to (b,) float64 array
        Of the surrogates.

    Notes
    -----
    p is one-sided in the direction of slowing down, two-sided for skewness and kurtosis.
    """
    windows = Windows(record, treatment)
    indicators = windows.indicators(record.values[None], names)
    observed = {name: float(kendall(indicators[name])[0]) for name in names}
    taus = windows.taus(surrogates, names)
    drawn = windows.taus(windows.phase_surrogates(len(surrogates), random), names) if phase else {}
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
                "ar1": p_value(observed[name], taus[name], direction) if usable else None,
                "phase": p_value(observed[name], drawn[name], direction) if usable and phase else None,
            },
            "surrogates": len(taus[name]),
        }
    return results, taus


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
        "series proves nothing either way."
    )
