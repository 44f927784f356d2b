"""Rain as a driver of the vegetation: its memory makes the vegetation slower without any loss of resilience."""

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.assessment import FEW, Assessment
from tigerbush.analysis.detrend import harmonics_of, mean_columns, removing
from tigerbush.analysis.early_warning import Record, Treatment, trends_of_indicators
from tigerbush.analysis.null_model import fit_null, single_seasons
from tigerbush.analysis.rain import anomalies
from tigerbush.analysis.red_noise import red_noise_rate
from tigerbush.analysis.series import SiteSeries
from tigerbush.variables import PRECIPITATION

Array = NDArray[np.float64]

# how long vegetation remembers rain, days: the same date, about one month, about three
MEMORIES = (0.0, 30.0, 90.0)
# share of the dates whose rain has to be known
LEAST_KNOWN = 0.8


def rain_columns(
    rain: Array, days: Array, positions: NDArray[np.int64], days_per_step: float
) -> Array | None:
    """Return the rain that vegetation may remember at each date.

    Parameters
    ----------
    rain : (n,) float64 array
        Of each date, NaN where unknown.
    days : (n,) float64 array
    positions : (n,) int array
        Numbers of the periods.
    days_per_step : float

    Returns
    -------
    (n, 3) float64 array or None
        Anomalies of rain, in standard deviations, summed up with weights that decay over `MEMORIES`; unknown rain is
        that of the season. None where the rain of fewer than 80 % of the dates is known, or it never varies.
    """
    deviations = anomalies(rain, days, days_per_step)
    if np.isfinite(deviations).mean() < LEAST_KNOWN or np.nanstd(deviations) == 0:
        return None
    place = positions - positions[0]
    regular = np.zeros(place[-1] + 1)
    regular[place] = np.nan_to_num(deviations / np.nanstd(deviations))
    columns = [
        _remembered(regular, np.exp(-days_per_step / memory) if memory else 0.0) for memory in MEMORIES
    ]
    return np.column_stack(columns)[place]


def _remembered(regular: Array, kept: float) -> Array:
    sums = regular.copy()
    for i in range(1, len(sums)):
        sums[i] += kept * sums[i - 1]
    return sums


def rain_as_driver(assessment: Assessment, series: SiteSeries, random: np.random.Generator) -> dict:
    """Return what rain tells of a sign of slowing down.

    Parameters
    ----------
    assessment : Assessment
        Of the primary variable, with rain among its circumstances.
    series : SiteSeries
    random : Generator

    Returns
    -------
    dict
        explained (share of the deseasonalised variance of the vegetation that remembered rain explains); of rain itself
        (square roots): falling_rate (evidence and p: its memory grows) and indicators (tau and p of autocorrelation and
        variance); rate_under_red_noise (see `red_noise_rate`).
    """
    record, columns = assessment.record, assessment.circumstances.rain
    base = mean_columns(record.days, assessment.harmonics, assessment.columns)
    rest = removing(base) @ record.values
    left = removing(np.column_stack([base, columns])) @ record.values
    rain = np.sqrt(np.maximum(series.weather[PRECIPITATION], 0))
    known = np.isfinite(rain)
    days = series.days[known]
    harmonics = harmonics_of(days, series.days_per_step, 2)
    null = fit_null(
        days,
        series.days_per_step,
        rain[known],
        mean_columns(days, harmonics),
        seasons=single_seasons(days, rain[known], harmonics),
    )
    own = Record(rain[known], days, series.positions[known], series.days_per_step)
    indicators, _ = trends_of_indicators(
        own, Treatment(), null.simulate(FEW, random), random, ("ar1", "variance"), phase=False
    )
    memory = float(np.exp(null.evidence.rate[0])) / series.days_per_step
    return {
        "explained": float(1 - (left @ left) / (rest @ rest)),
        "falling_rate": {
            "evidence": float(null.evidence.slowing[0]),
            "p": null.p(FEW, random).p,
        },
        "indicators": {
            name: {"tau": each["tau"], "p": each["p"]["ar1"]} for name, each in indicators.items()
        },
        "rate_under_red_noise": red_noise_rate(
            record.days, record.days_per_step, record.values, base, memory
        ),
    }
