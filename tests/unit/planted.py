"""Summaries of a site with planted answers: what is planted stands here, and what follows from it in the tests.

The long record has 58 months from July 2015 on, of which the first two, two in the middle and the last two are empty, and
one has no key at all. Five sub-images, of which some dates lack one or two, and one date all but one. NDVI follows the
rain of two months before, the rain fails for five months, and three dates are outliers, not all
in the same way.
"""

import copy
from datetime import date

import numpy as np
import pytest

from tigerbush.summary.results import VEGETATION_COLLECTION, WEATHER_COLLECTION

MONTHS = 58
EMPTY = (0, 1, 24, 25, 56, 57)
HOLE = 40
POOR = 30
HIGH, LOW = 13, 45
# a date of no observation and a value that tells nothing
UNSEEN = 50
LAG = 2
DRY = range(31, 36)
PLACES = ((11.5, 27.9), (11.5, 27.95), (11.55, 27.9), (11.6, 27.85), (11.6, 27.95))
TIMES = (("10", "084700"), ("21", "093130"))


def month(i, first=6):
    """The date of a period, counted from July 2015 (or another month of 2015)."""
    return f"{2015 + (first + i) // 12}-{(first + i) % 12 + 1:02}-16"


def summary_of(vegetation, weather, name="planted", products=None):
    """A results_summary.json of records by date, with the products of dates."""
    return {
        WEATHER_COLLECTION: {"type": "weather", "time-series-data": weather},
        VEGETATION_COLLECTION: {"type": "vegetation", "time-series-data": vegetation},
        "metadata": {
            "coords_id": name,
            "longitude": 27.9,
            "products": {day: {"products": names} for day, names in (products or {}).items()},
        },
    }


def rain_of(months):
    """Rain in mm, with a season and five dry months."""
    random = np.random.default_rng(20)
    rain = 40 + 25 * np.cos(2 * np.pi * (np.arange(months) - 1) / 12) + random.gamma(2, 6, months)
    rain[DRY] *= 0.15
    return rain


def ndvi_of(rain, random):
    """NDVI of a site that follows the rain of two months before, with a memory that grows."""
    state, ndvi = 0.0, np.empty(len(rain))
    for i in range(len(rain)):
        state = (0.2 + 0.6 * i / len(rain)) * state + random.normal(0, 0.012)
        ndvi[i] = 0.2 + 0.003 * rain[max(i - LAG, 0)] - 0.0008 * i + state
    return ndvi


def present(i):
    """Which sub-images a date has."""
    if i in EMPTY:
        return ()
    if i == POOR:
        return (3,)
    return [k for k in range(5) if not (i % 4 == 3 and k == i % 5) and not (i % 7 == 2 and k == 1)]


def long_summary():
    """The long record: gaps at its start, middle and end, and a month without a key."""
    random = np.random.default_rng(8)
    rain = rain_of(MONTHS)
    ndvi = ndvi_of(rain, random)
    ndvi[HIGH] += 0.25
    ndvi[LOW] -= 0.2
    ndvi[UNSEEN] += 0.4
    vegetation, weather, products = {}, {}, {}
    for i in range(MONTHS):
        noise = random.normal(0, 0.006, (2, 5)) + random.normal(0, 0.02 / (1 + i // 9))
        if i == HOLE:
            continue
        day = month(i)
        parts = [
            {
                "latitude": PLACES[k][0],
                "longitude": PLACES[k][1],
                "date": day,
                "ndvi": round((ndvi[i] + 1) * 127.5, 4),
                "ndvi_mean": float(ndvi[i] + 0.01 * k + noise[0, k]),
                "offset50": float(-500 + 30 * k + 900 * ndvi[i] + 700 * noise[1, k]),
                "n_obs": 0.0 if i == UNSEEN else 1.0 + i // 9 + k / 8,
            }
            for k in present(i)
        ]
        vegetation[day] = parts or None
        weather[day] = {
            "total_precipitation": float(rain[i] / 1000),
            "mean_2m_air_temperature": 273.15 + 20 + i / 4,
        }
        if parts:
            stamps = [f"{day[:4]}{day[5:7]}{number}T{time}" for number, time in TIMES]
            products[day] = [f"S2A_MSIL1C_{stamp}_N0204_R122_T33TVL_{stamp}" for stamp in stamps[: 1 + i % 2]]
    return summary_of(vegetation, weather, products=products)


def complete_summary(months=47):
    """An odd number of months without gaps: one sub-image, no products named, observations that never change."""
    random = np.random.default_rng(9)
    rain = rain_of(months)
    ndvi = ndvi_of(rain, random)
    vegetation, weather = {}, {}
    for i in range(months):
        day = month(i, 0)
        grey = float((ndvi[i] + 1) * 127.5)
        vegetation[day] = [{"latitude": 11.5, "longitude": 27.9, "date": day, "ndvi": grey, "n_obs": 3.0}]
        weather[day] = {"total_precipitation": float(rain[i] / 1000)}
    return summary_of(vegetation, weather, name="complete")


def indices(months=MONTHS, without=(HOLE,)):
    """The periods that have a key."""
    return [i for i in range(months) if i not in without]


def ordinal(day):
    """The number of a date, in days."""
    return date.fromisoformat(day).toordinal()


def days_of(i):
    """Mean acquisition time of a period of the long record, in days since its first date; the date without any.

    Even months have a product of the 10th at 8:47:00, odd ones that and one of the 21st at 9:31:30.
    """
    nominal = ordinal(month(i)) - ordinal(month(0))
    tenth, later = nominal - 6 + (8 + 47 / 60) / 24, nominal + 5 + (9 + 31.5 / 60) / 24
    return float(nominal) if i in EMPTY else tenth if i % 2 == 0 else (tenth + later) / 2


# July 2015 to April 2020
STEP = 1736 / 57
# of equally many sub-images: three, which all dates have but the poor one
DRAWN = [i for i in range(MONTHS) if i not in (*EMPTY, HOLE, POOR)]
# of 54 periods from 2 to 55 the windows are 27 long; the one that ends in the month without a key bears the month before
WINDOWS = [month(i) for i in (*range(28, 40), 39, *range(41, 56))]


def table_of(summary, key, convert=float):
    """The values of a field as lists of dates by sub-images, read the slow way; NaN where there is none."""
    series = summary[VEGETATION_COLLECTION]["time-series-data"]
    places = sorted(
        {(part["latitude"], part["longitude"]) for parts in series.values() for part in parts or ()}
    )
    table = np.full((len(series), len(places)), np.nan)
    for row, parts in zip(table, series.values(), strict=True):
        for part in parts or ():
            if key in part:
                row[places.index((part["latitude"], part["longitude"]))] = convert(part[key])
    return table


def changed(summary, change):
    """A copy of a summary after `change(records of the vegetation by date)`."""
    other = copy.deepcopy(summary)
    change(other[VEGETATION_COLLECTION]["time-series-data"])
    return other


def assert_same(actual, expected, rel=1e-9, at=""):
    """Two JSON values are the same, floats to a relative tolerance."""
    if isinstance(expected, dict):
        assert list(actual) == list(expected), at
        for key in expected:
            assert_same(actual[key], expected[key], rel, f"{at}.{key}")
    elif isinstance(expected, list | tuple | np.ndarray):
        assert len(actual) == len(expected), at
        for i, (item, other) in enumerate(zip(actual, expected, strict=True)):
            assert_same(item, other, rel, f"{at}[{i}]")
    elif isinstance(expected, float) and np.isfinite(expected):
        assert actual == pytest.approx(expected, rel=rel, abs=1e-12), at
    else:
        assert actual == (None if isinstance(expected, float) else expected), at
        assert type(actual) is type(expected) or isinstance(expected, float), at
