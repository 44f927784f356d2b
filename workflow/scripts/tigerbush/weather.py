"""Rainfall and temperature of a period from a table of records."""

import calendar
import csv
import logging
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from tigerbush.errors import TigerbushError

log = logging.getLogger(__name__)

TO_METRES = {"m": 1.0, "mm": 0.001}
KELVIN_OFFSET = {"K": 0.0, "degC": 273.15}


def read_weather(
    path: Path, start: str, end: str, *, date: str, precipitation: dict, temperature: dict
) -> dict[str, float] | None:
    """Sum rainfall and average temperature over a period.

    Each record stands for the time from its date to the next record's (a month given as YYYY-MM
    stands for that month). A record that only partly lies in the period counts by that part.

    Parameters
    ----------
    path : Path
        CSV file with a header.
    start, end : str
        Period [start, end), YYYY-MM-DD.
    date : str
        Column of dates: YYYY-MM, YYYY-MM-DD or an ISO 8601 time (UTC).
    precipitation : dict
        `column` and `unit` (mm or m), the sum over the record's time.
    temperature : dict
        `column` and `unit` (degC or K), the mean over the record's time.

    Returns
    -------
    dict or None
        pyveg's `total_precipitation` (m) and `mean_2m_air_temperature` (K); None when the records do
        not cover the whole period.

    Raises
    ------
    TigerbushError
        When a column or value is missing or malformed.
    """
    low, high = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end))
    rain = warmth = covered = 0.0
    columns = (date, precipitation["column"], temperature["column"])
    for begin, stop, sums, means in _records(Path(path), columns):
        overlap = (min(stop, high) - max(begin, low)).total_seconds()
        if overlap > 0:
            rain += sums * overlap / (stop - begin).total_seconds()
            warmth += means * overlap
            covered += overlap
    if covered < (high - low).total_seconds():
        log.warning("%s does not cover the period from %s to %s; its weather is null", path, start, end)
        return None
    return {
        "total_precipitation": rain * TO_METRES[precipitation["unit"]],
        "mean_2m_air_temperature": warmth / covered + KELVIN_OFFSET[temperature["unit"]],
    }


def _records(path: Path, columns: tuple[str, ...]) -> list[tuple[datetime, datetime, float, float]]:
    """Return (begin, end, sum, mean) per record, in order of time."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        for column in columns:
            if column not in (reader.fieldnames or ()):
                raise TigerbushError(
                    f"{path} has no column {column!r}; its columns are {', '.join(reader.fieldnames or ())}: "
                    "correct the names under weather in the configuration."
                )
        rows = [(reader.line_num, *(row[column] for column in columns)) for row in reader]
    dated = sorted((_time(path, line, text), text, line, *rest) for line, text, *rest in rows)
    steps = [later[0] - earlier[0] for earlier, later in pairwise(dated)]
    if timedelta(0) in steps:
        raise TigerbushError(f"{path} has two records of one date; keep one of them.")
    # a gap in the table is not bridged: a record lasts as long as the table's shortest step
    shortest = min(steps, default=timedelta(days=1))
    monthly = shortest >= timedelta(days=28)
    return [
        (
            begin,
            _next_month(begin) if monthly or _is_month(text) else begin + shortest,
            *(_number(path, line, value) for value in values),
        )
        for begin, text, line, *values in dated
    ]


def _is_month(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d{2}", text or "") is not None


def _next_month(begin: datetime) -> datetime:
    year, month = divmod(begin.year * 12 + begin.month, 12)
    day = min(begin.day, calendar.monthrange(year, month + 1)[1])
    return begin.replace(year=year, month=month + 1, day=day)


def _time(path: Path, line: int, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(f"{text}-01" if _is_month(text) else text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise TigerbushError(
            f"{path}, line {line}: {text!r} is not a date such as 2017-01 or 2017-01-16."
        ) from None


def _number(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = float("nan")
    if not abs(value) < 1e9:
        raise TigerbushError(f"{path}, line {line}: {text!r} is not a number; correct or remove the line.")
    return value
