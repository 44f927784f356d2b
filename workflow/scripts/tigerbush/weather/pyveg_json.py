"""Rainfall and temperature from pyveg's own JSON."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise
from math import inf
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.weather.plausible import DAY, LARGEST, NAMES, limits_of, possible_value
from tigerbush.weather.records import MONTH, Period, log

# pyveg writes m and K, and sums
UNITS = {"precipitation": {"unit": "m", "kind": "sum"}, "temperature": {"unit": "K"}}


def read_pyveg(path: Path, quantities: Mapping, period: Period) -> dict[str, float | None]:
    """Return the record of pyveg's JSON whose date is the middle day of the period.

    For periods of a month or longer the middle day may be one day off, because it is not always rounded in the same
    way. Records for periods of a different length do not cover this one.

    Parameters
    ----------
    path : Path
        pyveg's weather alone, or in a `results_summary.json`.
    quantities : mapping
        `precipitation`, `temperature` or both, as keys.
    period : (datetime, datetime)
        [start, end), UTC.

    Returns
    -------
    dict of str to float or None
        m and K; None, with a warning, when there is no record of the period, or no value.

    Raises
    ------
    TigerbushError
        When the file is not pyveg's, or a value is impossible.
    """
    table = _table(path)
    days = {_day(path, text): text for text in table}
    length = period[1] - period[0]
    middle = (period[0] + length // 2).date()
    nearest = min(days, key=lambda day: abs(day - middle), default=None)
    step = min((later - earlier for earlier, later in pairwise(sorted(days))), default=length)
    if nearest is None or abs(nearest - middle) > DAY * (length >= MONTH) or abs(step - length) > length / 8:
        values = dict.fromkeys(quantities)
    else:
        values = {name: _value(path, days[nearest], table, name, length) for name in quantities}
    if None in values.values():
        log.warning(
            "%s does not cover the period from %s to %s: it has no value for %s; the weather is null",
            path,
            *(f"{day:%Y-%m-%d}" for day in (*period, middle)),
        )
    return values


def _table(path: Path) -> dict:
    """Return {date: record}, from a file of weather only or a complete results_summary.json."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise TigerbushError(f"{path} is not valid JSON ({error}); correct it.") from None
    parts = [part for part in data.values() if isinstance(part, dict)] if isinstance(data, dict) else []
    tables = [part.get("time-series-data") for part in parts if part.get("type") == "weather"]
    table = tables[0] if len(tables) == 1 else data
    if len(tables) > 1 or not isinstance(table, dict) or not table:
        raise TigerbushError(
            f"{path} is not pyveg's weather: expected dates with {' and '.join(NAMES.values())}, or a summary with one "
            "collection of type weather."
        )
    return table


def _day(path: Path, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise TigerbushError(
            f"{path} is not pyveg's weather: {text[:80]!r} is not a date such as 2017-01-16."
        ) from None


def _value(path: Path, day: str, table: Mapping, name: str, length: timedelta) -> float | None:
    if table[day] is None:
        return None
    value = table[day].get(NAMES[name]) if isinstance(table[day], dict) else None
    if type(value) not in (int, float):
        raise TigerbushError(
            f"{path}: {NAMES[name]} of {day} is not a number; correct it or set the date to null."
        )
    try:
        # whole numbers of JSON may be too long for a float
        number = float(value) if abs(value) < LARGEST else inf
        return possible_value(number, limits_of(name, UNITS[name], length))
    except ValueError as error:
        raise TigerbushError(f"{path}: {NAMES[name]} of {day}: {error}") from None
