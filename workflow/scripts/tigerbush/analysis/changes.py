"""How much a measure has changed: the first and the last years compared in equal calendar months, and a trend test.

Months that only one end of the record has are left out of the comparison, or the season would pass for a change.
"""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import YEAR

Array = NDArray[np.float64]

MONTHS = 12
# years at each end: a third of the record, but no more
MOST_YEARS = 5
# with fewer, even a trend without exception has a p-value above 0.05
LEAST_YEARS_OF_TREND = 4
# pairs of successive seasons that an estimate of the memory needs
LEAST_PAIRS = 12
MOST_MEMORY = 0.97
# standard deviations of a normal distribution, 95 % within them
SIGMAS = 1.959963984540054
CONFIDENCE = 0.95
# angles modulo 180 degrees have no such means
CIRCULAR = ("direction",)
NUMBERS = ("first", "last", "difference", "low", "high", "relative", "p", "slope", "slope_low", "slope_high")


@dataclass(frozen=True)
class Calendar:
    """A series as a table of years and seasons, which are calendar months or equal parts of them.

    Attributes
    ----------
    values : (years, seasons) float64 array
        Mean of the values of each season, NaN without any. Years begin with the season of the first value; the last
        one may be incomplete.
    length : int
        Seasons from the first value to the last, both included.
    start : int
        Season of the first value, counted from the year 0.
    parts : int
        Seasons in a month.
    """

    values: Array
    length: int
    start: int
    parts: int

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which seasons have a value, (years, seasons) bool."""
        return np.isfinite(self.values)

    def months(self, seasons: NDArray[np.bool_]) -> list[int]:
        """Return the calendar months, 1 to 12, of some seasons of the year."""
        places = (self.start + np.flatnonzero(seasons)) // self.parts
        return sorted({int(place) % MONTHS + 1 for place in places})

    def span(self, first: int, last: int) -> list[str]:
        """Return the months (YYYY-MM) of two seasons, counted from the first value."""
        places = [divmod((self.start + season) // self.parts, MONTHS) for season in (first, last)]
        return [f"{year:04}-{month + 1:02}" for year, month in places]


def changes_of(measures: Mapping[str, Mapping], days_per_step: float) -> dict[str, dict]:
    """Return the change of each measure that has a value, see `change`.

    Parameters
    ----------
    measures : dict of name to dict
        unit, dates, and mean or values, as in the sections `series` and `spatial` of analysis.json.
    days_per_step : float
        Mean length of a period.
    """
    changes = {}
    for name, measure in measures.items():
        values = measure["mean"] if "mean" in measure else measure["values"]
        if name not in CIRCULAR and any(_is_number(value) for value in values):
            changes[name] = {"unit": measure["unit"], **change(measure["dates"], values, days_per_step)}
    return changes


def change(dates: Sequence[str], values: Sequence[float | None], days_per_step: float) -> dict:
    """Compare the first and the last years of a series in the calendar months that both have, and test its trend.

    Parameters
    ----------
    dates : sequence of str
        ISO 8601, in order.
    values : sequence of float or None
        At least one is a number.
    days_per_step : float
        Mean length of a period. If several fall into a month, equal parts of a month are compared.

    Returns
    -------
    dict
        first, last, difference: means over the compared months, and last minus first. low, high: 95 % interval of the
        difference (`half_interval`). relative: size of last by that of first, minus 1; None where the signs differ.
        p: of the seasonal Mann-Kendall test (`mann_kendall`). slope, slope_low, slope_high: seasonal Theil-Sen slope
        per year, and its 95 % interval (`theil_sen`). Intervals and p allow for memory from year to year (`memory`).
        months: the compared calendar months, 1 to 12. years: how many are compared at each end. first_period,
        last_period: first and last month (YYYY-MM) of each end. n: values. why: codes of what is None. `too_short`:
        under two years, nothing is compared or tested. `months_do_not_match`: no month at both ends, nothing is
        compared. `too_short_for_interval`: fewer than three years have half of the compared months.
        `too_short_for_trend`: under four years, no p. `constant`: nothing varies, no interval, no trend.
    """
    table = tabulate(dates, values, days_per_step)
    result = dict.fromkeys(NUMBERS) | {
        "months": [], "years": None, "first_period": None, "last_period": None, "n": sum(map(_is_number, values)),
        "why": [],
    }  # fmt: skip
    if table.length < 2 * table.values.shape[1]:
        return result | {"why": ["too_short"]}
    if np.ptp(table.values[table.present]) == 0:
        result["why"].append("constant")
    else:
        result |= _trend(table.values, result["why"])
    _compare_ends(table, result)
    return result


def _trend(values: Array, why: list[str]) -> dict[str, float | None]:
    time = np.where(np.isfinite(values), np.arange(len(values), dtype=float)[:, None], np.nan)
    factor = inflation(np.nan_to_num(_from_seasons(time)), memory(values))
    if len(values) < LEAST_YEARS_OF_TREND:
        why.append("too_short_for_trend")
        return theil_sen(values, factor)
    return theil_sen(values, factor) | {"p": mann_kendall(values, factor)}


def tabulate(dates: Sequence[str], values: Sequence[float | None], days_per_step: float) -> Calendar:
    """Arrange a series by years and seasons (`Calendar`)."""
    parts = max(round(YEAR / MONTHS / days_per_step), 1)
    known = [(day, value) for day, value in zip(dates, values, strict=True) if _is_number(value)]
    places = np.array([_season(date.fromisoformat(day), parts) for day, _ in known])
    start = int(places[0])
    places -= start
    years, width = int(places[-1]) // (MONTHS * parts) + 1, MONTHS * parts
    total = np.bincount(places, [value for _, value in known], minlength=years * width)
    number = np.bincount(places, minlength=years * width)
    means = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return Calendar(means.reshape(years, width), int(places[-1]) + 1, start, parts)


def memory(values: Array) -> float:
    """Estimate the autocorrelation of successive seasons, from the residuals from season and line.

    Parameters
    ----------
    values : (years, seasons) float64 array
        NaN where missing.

    Returns
    -------
    float
        Between 0 and 0.97, corrected for the bias that removing a line causes (Shaman & Stine 1988, Journal of the
        American Statistical Association 83, 842); 0 for fewer than 12 pairs.
    """
    residual = _residuals(values).ravel()
    number = np.isfinite(residual).sum()
    # a scale of 1, or the squares of huge numbers would be infinite
    residual /= np.nanmax(np.abs(residual)) or 1.0
    products = residual[1:] * residual[:-1]
    variance = np.nanmean(residual**2)
    if np.isfinite(products).sum() < LEAST_PAIRS or not variance:
        return 0.0
    estimate = np.nanmean(products) / variance
    return float(np.clip(estimate + (2 + 4 * estimate) / number, 0, MOST_MEMORY))


def inflation(weights: Array, memory: float) -> float:
    """Return by how much memory from year to year raises the variance of a weighted sum, at least 1.

    Parameters
    ----------
    weights : (years, seasons) float64 array
    memory : float
        Autocorrelation of successive seasons, of an AR(1) process.

    Returns
    -------
    float
        The variance of the sum by that with independent years; 1 where no weight differs from 0.
    """
    from scipy.signal import lfilter

    def variance(weights: Array) -> float:
        before = lfilter([0, memory], [1, -memory], weights)
        return float((weights**2 + 2 * weights * before).sum())

    within = variance(weights)
    return max(variance(weights.ravel()) / within, 1.0) if within else 1.0


def mann_kendall(values: Array, inflation: float = 1.0) -> float | None:
    """Test a table for a monotonic trend by the seasonal Mann-Kendall test with serially dependent seasons.

    Parameters
    ----------
    values : (years, seasons) float64 array
        NaN where missing.
    inflation : float
        Factor of the variance, since that of the test holds for independent years.

    Returns
    -------
    float or None
        Two-sided p-value, with a correction for continuity (Hirsch, Slack & Smith 1982, Water Resources Research 18,
        107); the variance has the covariances of seasons (Hirsch & Slack 1984, Water Resources Research 20, 727), by
        which values of a year may depend on each other. None where no pair of years can be compared.
    """
    from scipy.stats import norm

    score, variance = _score(values)
    variance *= inflation
    return float(2 * norm.sf(max(abs(score) - 1, 0) / np.sqrt(variance))) if variance > 0 else None


def _score(values: Array) -> tuple[float, float]:
    """Return the score S of the seasonal Mann-Kendall test, and its variance with the covariances of seasons."""
    years = len(values)
    earlier, later = np.triu_indices(years, 1)
    signs = np.nan_to_num(np.sign(values[later] - values[earlier]))
    number = np.isfinite(values).sum(axis=0)
    above = np.nan_to_num(np.sign(values[:, None] - values[None])).sum(axis=1)
    # a missing value has the mean rank, in whose formula nothing is above or below it
    ranks = (number + 1 + above) / 2
    covariance = (signs.T @ signs + 4 * ranks.T @ ranks - years * np.outer(number + 1, number + 1)) / 3
    # of few years the covariances may be estimated as negative on the whole
    return float(signs.sum()), float(max(covariance.sum(), np.trace(covariance)))


def theil_sen(values: Array, inflation: float = 1.0) -> dict[str, float | None]:
    """Estimate the slope per year: the median over all pairs of years of the same season.

    Parameters
    ----------
    values : (years, seasons) float64 array
        NaN where missing.
    inflation : float
        Factor of the variance.

    Returns
    -------
    dict
        slope (Hirsch, Slack & Smith 1982); slope_low, slope_high: its 95 % interval, slopes of the ranks that Sen 1968
        (Journal of the American Statistical Association 63, 1379) gives, with the variance of the test. None without a
        pair of years, or where the interval is open.
    """
    earlier, later = np.triu_indices(len(values), 1)
    slopes = (values[later] - values[earlier]) / (later - earlier)[:, None]
    slopes = np.sort(slopes[np.isfinite(slopes)])
    if not len(slopes):
        return dict.fromkeys(("slope", "slope_low", "slope_high"))
    reach = SIGMAS * np.sqrt(_score(values)[1] * inflation)
    low, high = int(np.floor((len(slopes) - reach) / 2)) - 1, int(np.ceil((len(slopes) + reach) / 2))
    return {
        "slope": float(np.median(slopes)),
        "slope_low": float(slopes[low]) if low >= 0 else None,
        "slope_high": float(slopes[high]) if high < len(slopes) else None,
    }


def half_interval(values: Array, years: int) -> float | None:
    """Return half of the 95 % interval of the difference between the means of the last and the first years.

    The unit of replication is the year: dates within a year depend on each other, and rain or fire may raise or lower
    a whole year.

    Parameters
    ----------
    values : (years, seasons) float64 array
        Of the compared seasons, NaN where missing.
    years : int
        How many are compared at each end.

    Returns
    -------
    float or None
        Student's t times sqrt(2 / years) times the standard deviation of the yearly anomalies: means over a year of the
        residuals from season and line, of years with at least half of the seasons. None for fewer than three.
    """
    from scipy.stats import t

    present = np.isfinite(values)
    used = present.sum(axis=1) >= values.shape[1] / 2
    freedom = int(used.sum()) - 2
    if freedom < 1:
        return None
    anomalies = np.nanmean(_residuals(values)[used], axis=1)
    deviation = np.sqrt((anomalies**2).sum() / freedom)
    return float(t.ppf((1 + CONFIDENCE) / 2, freedom) * deviation * np.sqrt(2 / years))


def _residuals(values: Array) -> Array:
    """Remove seasons and a line, by least squares."""
    time = np.where(np.isfinite(values), np.arange(len(values), dtype=float)[:, None], np.nan)
    # without the means of seasons, the line is that of a regression on seasons and time
    deviations, time = _from_seasons(values), _from_seasons(time)
    square = np.nansum(time**2)
    return deviations - (np.nansum(deviations * time) / square if square else 0.0) * time


def _from_seasons(values: Array) -> Array:
    """Subtract the mean of each season."""
    number = np.isfinite(values).sum(axis=0)
    return values - np.nansum(values, axis=0) / np.maximum(number, 1)


def _compare_ends(table: Calendar, result: dict) -> None:
    """Add the comparison of the first and the last years to a result of `change`."""
    width = table.values.shape[1]
    years = min(max(table.length // width // 3, 1), MOST_YEARS)
    number = np.arange(table.values.size).reshape(table.values.shape)
    ends = (number < years * width, (number >= table.length - years * width) & (number < table.length))
    counts = [(table.present & end).sum(axis=0) for end in ends]
    common = (counts[0] > 0) & (counts[1] > 0)
    result |= {
        "years": years,
        "first_period": table.span(0, years * width - 1),
        "last_period": table.span(table.length - years * width, table.length - 1),
        "months": table.months(common),
    }
    if not common.any():
        result["why"].append("months_do_not_match")
        return
    first, last = (
        float((np.nansum(np.where(end, table.values, 0), axis=0)[common] / count[common]).mean())
        for end, count in zip(ends, counts, strict=True)
    )
    result |= {"first": first, "last": last, "difference": last - first}
    if np.sign(first) == np.sign(last) != 0:
        result["relative"] = abs(last) / abs(first) - 1
    if "constant" in result["why"]:
        return
    half = half_interval(table.values[:, common], years)
    if half is None:
        result["why"].append("too_short_for_interval")
        return
    shares = [
        (table.present & end & common) / np.maximum(count, 1) for end, count in zip(ends, counts, strict=True)
    ]
    half *= np.sqrt(inflation(shares[1] - shares[0], memory(table.values)))
    result |= {"low": last - first - float(half), "high": last - first + float(half)}


def _season(day: date, parts: int) -> int:
    """Return the number of the part of a month that a day is in, counted from the year 0."""
    length = calendar.monthrange(day.year, day.month)[1]
    return (day.year * MONTHS + day.month - 1) * parts + (day.day - 1) * parts // length


def _is_number(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))
