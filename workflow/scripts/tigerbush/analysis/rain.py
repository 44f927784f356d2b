"""How vegetation responds to rain: lags, the decay of the mean annual cycle, recovery after dry spells."""

import warnings
from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import YEAR, design, harmonics_of
from tigerbush.analysis.series import runs

Array = NDArray[np.float64]

LAGS = range(7)
# pairs that a correlation needs
LEAST = 12
# an exponential fit below is not used (Smith et al. 2022)
LEAST_R2 = 0.2
# dry: the rain of three periods so many standard deviations below that of the season
DRY, SPAN = -1.0, 3


def anomalies(values: Array, days: Array, days_per_step: float, harmonics: int = 2) -> Array:
    """Remove mean, line and season from a series with gaps; (n,) float64, NaN where it is."""
    present = np.isfinite(values)
    if present.sum() < LEAST:
        return np.full(values.shape, np.nan)
    means = design(days[present], harmonics_of(days[present], days_per_step, harmonics))
    fitted, *_ = np.linalg.lstsq(means, values[present], rcond=None)
    deviations = np.full(values.shape, np.nan)
    deviations[present] = values[present] - means @ fitted
    return deviations


def lagged_correlation(vegetation: Array, rain: Array, positions: NDArray[np.int64]) -> dict[str, list]:
    """Correlate vegetation with the rain of the same period and of up to six before.

    Parameters
    ----------
    vegetation, rain : (n,) float64 arrays
        NaN where missing.
    positions : (n,) int array
        Numbers of their periods.

    Returns
    -------
    dict
        lags (periods), correlation (Pearson; None with fewer than 12 pairs), n (pairs).
    """
    of_period = dict(zip(positions.tolist(), rain.tolist(), strict=True))
    correlation, numbers = [], []
    for lag in LAGS:
        before = np.array([of_period.get(place - lag, np.nan) for place in positions.tolist()])
        both = np.isfinite(vegetation) & np.isfinite(before)
        numbers.append(int(both.sum()))
        usable = numbers[-1] >= LEAST and vegetation[both].std() > 0 and before[both].std() > 0
        correlation.append(float(np.corrcoef(vegetation[both], before[both])[0, 1]) if usable else None)
    return {"lags": list(LAGS), "correlation": correlation, "n": numbers}


def exponential_fit(times: Array, values: Array) -> tuple[float, float] | None:
    """Fit values = a exp(-rate t); return the rate and R2, or None when no fit is better than the mean of the values.

    Parameters
    ----------
    times, values : (n,) float64 arrays
        `times` from 0.
    """
    from scipy.optimize import OptimizeWarning, curve_fit

    if len(values) < 4 or values[0] == 0 or np.ptp(values) == 0:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            (start, rate), _ = curve_fit(
                lambda t, a, b: a * np.exp(-b * t), times, values, p0=(values[0], 1 / max(times[-1], 1e-9))
            )
    except (RuntimeError, ValueError):
        return None
    error = ((values - start * np.exp(-rate * times)) ** 2).sum()
    r2 = 1 - error / ((values - values.mean()) ** 2).sum()
    return (float(rate), float(r2)) if np.isfinite(rate) and r2 >= 0 and rate > 0 else None


def annual_cycle(values: Array, days: Array, dates: Sequence[str]) -> dict:
    """Fit the decay of the mean annual cycle from its highest month to its lowest (Buxton et al. 2021).

    Parameters
    ----------
    values, days : (n,) float64 arrays
        A line is removed first, or a trend would look like a season.
    dates : sequence of str

    Returns
    -------
    dict
        months (1 to 12, those with data), mean (of each), decay_rate (1/month, above the lowest month; None when R2 is
        under 0.2, fewer than 12 months have data or the fall is shorter than 4 months), r2.
    """
    months = np.array([date.fromisoformat(day).month for day in dates])
    present = np.isfinite(values)
    if present.sum() >= LEAST:
        line = np.polynomial.Polynomial.fit(days[present], values[present], 1)
        values = values - line(days) + values[present].mean()
    known = sorted({int(month) for month in months[present]})
    mean = np.array([values[present & (months == month)].mean() for month in known])
    result = {"months": known, "mean": mean.tolist(), "decay_rate": None, "r2": None}
    if len(known) < 12:
        return result
    top, bottom = int(mean.argmax()), int(mean.argmin())
    fall = np.roll(mean, -top)[: (bottom - top) % 12 + 1] - mean[bottom]
    fit = exponential_fit(np.arange(len(fall), dtype=float), fall)
    if fit:
        result |= {"r2": fit[1], "decay_rate": fit[0] if fit[1] >= LEAST_R2 else None}
    return result


def dry_spells(
    rain: Array, days: Array, positions: NDArray[np.int64], days_per_step: float
) -> list[tuple[int, int]]:
    """Find runs of dates whose rain of three periods is more than a standard deviation below that of the season.

    Returns
    -------
    list of (int, int)
        First and last index of each run.
    """
    deviations = anomalies(rain, days, days_per_step)
    if not np.isfinite(deviations).any():
        return []
    of_period = dict(zip(positions.tolist(), deviations.tolist(), strict=True))
    sums = np.array(
        [sum(of_period.get(place - back, np.nan) for back in range(SPAN)) for place in positions.tolist()]
    )
    if not np.isfinite(sums).any() or np.nanstd(sums) == 0:
        return []
    return runs(np.nan_to_num(sums / np.nanstd(sums)) < DRY)


def recoveries(vegetation: Array, days: Array, spells: Sequence[tuple[int, int]]) -> list[dict]:
    """Fit the return of the vegetation after each dry spell.

    Parameters
    ----------
    vegetation : (n,) float64 array
        Anomalies.
    days : (n,) float64 array
    spells : sequence of (int, int)
        From `dry_spells`.

    Returns
    -------
    list of dict
        index (of the lowest value: within the spell or two dates after), rate (1/day), r2, used (R2 of 0.2 or more).
        The return is followed for a year or until the next spell.
    """
    results = []
    following = [first for first, _ in spells[1:]] + [len(vegetation)]
    for (first, last), until in zip(spells, following, strict=False):
        reach = vegetation[first : last + 3]
        if not np.isfinite(reach).any() or np.nanmin(reach) >= 0:
            continue
        low = first + int(np.nanargmin(reach))
        end = min(until, int(np.searchsorted(days, days[low] + YEAR)))
        course = np.arange(low, max(end, low + 1))
        course = course[np.isfinite(vegetation[course])]
        fit = exponential_fit(days[course] - days[low], vegetation[course])
        results.append(
            {
                "index": low,
                "rate": fit[0] if fit else None,
                "r2": fit[1] if fit else None,
                "used": bool(fit and fit[1] >= LEAST_R2),
            }
        )
    return results
