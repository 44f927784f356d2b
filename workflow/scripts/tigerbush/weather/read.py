"""Rainfall and temperature of a period from tables, grids and pyveg's own JSON format."""

import csv
import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

from tigerbush.errors import TigerbushError

log = logging.getLogger(__name__)

Period = tuple[datetime, datetime]
Quantities = Mapping[str, Mapping[str, str]]

NAMES = {"precipitation": "total_precipitation", "temperature": "mean_2m_air_temperature"}
TO_METRES = {"m": 1.0, "mm": 0.001}
KELVIN_OFFSET = {"K": 0.0, "degC": 273.15}
GRIDS = (".nc", ".nc4", ".grib", ".grib2", ".grb", ".grb2")
MONTH = timedelta(days=28)
DAY = timedelta(days=1)
# m; with coarsely packed numbers an accumulation may decrease by less than this
PACKING_ERROR = 1e-4


class Sample(NamedTuple):
    """One record as given in a file."""

    time: datetime
    value: float
    month: bool = False  # given as YYYY-MM


class Record(NamedTuple):
    """A value and the interval [begin, end) that it covers."""

    begin: datetime
    end: datetime
    value: float


def read_weather(
    path: Path,
    start: str,
    end: str,
    *,
    site: Mapping,
    date: str,
    precipitation: Mapping[str, str],
    temperature: Mapping[str, str],
) -> dict[str, float] | None:
    """Sum rainfall and average temperature over a period.

    The suffix of a file determines its format: NetCDF (.nc, .nc4), GRIB (.grib, .grib2, .grb, .grb2), pyveg's
    JSON (.json), and CSV otherwise.

    Each record covers the time from its date to that of the next record; a month (YYYY-MM, or a record in
    a file whose records are at least 28 days apart) covers its calendar month. A record that lies only partly
    in the period contributes in proportion.

    Parameters
    ----------
    path : Path
        The file.
    start, end : str
        Period [start, end), YYYY-MM-DD.
    site : dict
        longitude, latitude and region_size in degrees; only used for grids.
    date : str
        CSV column of dates: YYYY-MM, YYYY-MM-DD or an ISO 8601 time (UTC).
    precipitation : dict
        `column` (of a CSV file, or variable of a grid), `unit` (mm or m) and `kind`: `sum` over the time
        that the record covers, `mean_rate` per day, or `accumulated` from 00 UTC to the record's time, which
        for a record at 00 UTC is the whole previous day (ERA5-Land). `path` when it is in another file.
    temperature : dict
        `column` and `unit` (degC or K) of the mean over the time that the record covers; `path` as above.
        These keys do not apply to pyveg's JSON, whose names and units are fixed.

    Returns
    -------
    dict or None
        pyveg's `total_precipitation` (m) and `mean_2m_air_temperature` (K); None when the records do
        not cover the whole period.

    Raises
    ------
    TigerbushError
        When a file cannot be read, a column or value is missing or malformed, or the configuration
        contradicts what the file states.
    """
    period = tuple(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end))
    files: dict[Path, dict] = {}
    for name, quantity in (("precipitation", precipitation), ("temperature", temperature)):
        files.setdefault(Path(quantity.get("path") or path), {})[name] = quantity
    weather = {}
    for file, quantities in files.items():
        values = _read_file(file, quantities, period, date, site)
        if None in values.values():
            log.warning("%s does not cover the period from %s to %s; the weather is null", file, start, end)
        weather |= values
    if None in weather.values():
        return None
    return {NAMES[name]: value for name, value in weather.items()}


def _read_file(
    path: Path, quantities: Quantities, period: Period, date: str, site: Mapping
) -> dict[str, float | None]:
    """Return the quantities of a file over a period, in m and K; None for one that does not cover it."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _read_pyveg(path, quantities, period)
    if suffix in GRIDS:
        # imports xarray, which takes longer than reading a table
        from tigerbush.weather.grids import read_grid

        grids = read_grid(path, quantities, period, site)
        series = {name: ([Sample(*pair) for pair in pairs], step) for name, (pairs, step) in grids.items()}
    else:
        series = _read_table(path, quantities, date)
    return {
        name: _aggregate(period, _records(path, *series[name], quantity), name, quantity["unit"])
        for name, quantity in quantities.items()
    }


def _aggregate(period: Period, records: Sequence[Record], name: str, unit: str) -> float | None:
    """Return the sum of rainfall (m) or the mean temperature (K); None when the records leave gaps."""
    length = period[1] - period[0]
    shares = [
        (record, max(min(record.end, period[1]) - max(record.begin, period[0]), timedelta(0)))
        for record in records
    ]
    if sum((share for _, share in shares), timedelta(0)) < length:
        return None
    if name == "precipitation":
        total = sum(value * (share / (end - begin)) for (begin, end, value), share in shares)
        return total * TO_METRES[unit]
    return sum(record.value * (share / length) for record, share in shares) + KELVIN_OFFSET[unit]


def _records(
    path: Path, samples: Sequence[Sample], step: timedelta, quantity: Mapping[str, str]
) -> list[Record]:
    """Return each sample with the interval that it covers; `step` is the median step of the whole file."""
    kind = quantity.get("kind")  # temperature has none
    if kind == "accumulated":
        records = list(_differences(path, samples, PACKING_ERROR / TO_METRES[quantity["unit"]]))
    else:
        next_times = [*(later.time for later in samples[1:]), None][: len(samples)]
        records = [
            Record(*_interval(sample, step, next_time), sample.value)
            for sample, next_time in zip(samples, next_times, strict=True)
        ]
    if kind == "mean_rate":
        records = [Record(begin, end, value * ((end - begin) / DAY)) for begin, end, value in records]
    for earlier, later in pairwise(records):
        if later.begin < earlier.end or later.end == earlier.end:
            raise TigerbushError(
                f"{path} has two records for one date ({earlier.begin:%Y-%m-%d %H:%M} and "
                f"{later.begin:%Y-%m-%d %H:%M} overlap); keep one of them."
            )
    return records


def _interval(sample: Sample, step: timedelta, next_time: datetime | None) -> Period:
    if not (sample.month or step >= MONTH):
        # until the next record, because dekads have 8 to 11 days, but not across a gap
        near = next_time is not None and sample.time < next_time <= sample.time + 1.5 * step
        return sample.time, next_time if near else sample.time + step
    # the month of the local time, when times have a UTC offset
    first = datetime(sample.time.year, sample.time.month, 1, tzinfo=UTC)
    return first, (first + 31 * DAY).replace(day=1)


def _differences(path: Path, samples: Sequence[Sample], tolerance: float) -> Iterator[Record]:
    """Yield the rainfall since the previous record, or since accumulation started at 00 UTC."""
    previous = None
    for sample in samples:
        time = sample.time.astimezone(UTC)
        midnight = (time - timedelta.resolution).replace(hour=0, minute=0, second=0, microsecond=0)
        begin, rainfall = midnight, sample.value
        if previous and previous.begin > midnight:
            begin, rainfall = previous.begin, sample.value - previous.value
        if rainfall < -tolerance:
            raise TigerbushError(
                f"{path}: rainfall decreases from {begin:%Y-%m-%d %H:%M} to {time:%H:%M} UTC, so it is not accumulated "
                "over the day; set weather.precipitation.kind to what it is (sum, mean_rate)."
            )
        yield Record(begin, time, rainfall)
        previous = Record(time, time, sample.value)


def _read_table(path: Path, quantities: Quantities, date: str) -> dict[str, tuple[list[Sample], timedelta]]:
    """Return the samples of each quantity, in order of time, and the median step."""
    columns = (date, *(quantity["column"] for quantity in quantities.values()))
    try:
        rows = _rows(path, columns)
    except (UnicodeDecodeError, csv.Error) as error:
        raise TigerbushError(
            f"{path} is not a CSV file in UTF-8 ({error}); convert it, or give it the suffix of its format "
            "(.nc, .grib, .json)."
        ) from None
    dated = sorted(((_time(path, line, text), line, text, *values) for line, text, *values in rows))
    steps = [later[0] - earlier[0] for earlier, later in pairwise(dated)]
    step = median_low(steps) if steps else DAY
    rows = [
        [Sample(time, _number(path, line, value), _is_month(text)) for value in values]
        for time, line, text, *values in dated
    ]
    return {name: ([row[i] for row in rows], step) for i, name in enumerate(quantities)}


def _rows(path: Path, columns: Sequence[str]) -> list[tuple]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        for column in columns:
            if column not in (reader.fieldnames or ()):
                raise TigerbushError(
                    f"{path} has no column {column!r}; its columns are "
                    f"{', '.join(map(repr, reader.fieldnames or ()))[:200]}: correct the names under weather in the "
                    "configuration."
                )
        return [(reader.line_num, *(row[column] for column in columns)) for row in reader]


def _is_month(text: str) -> bool:
    return len(text or "") == 7 and re.fullmatch(r"\d{4}-\d{2}", text) is not None


def _time(path: Path, line: int, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(f"{text}-01" if _is_month(text) else text)
    except (TypeError, ValueError):
        time = datetime.min
    if not 1 < time.year < 9999:
        raise TigerbushError(f"{path}, line {line}: {text!r} is not a date such as 2017-01 or 2017-01-16.")
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _number(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = float("nan")
    if not abs(value) < 1e9:
        raise TigerbushError(f"{path}, line {line}: {text!r} is not a number; correct or remove the line.")
    return value


def _read_pyveg(path: Path, quantities: Quantities, period: Period) -> dict[str, float | None]:
    """Return the record of pyveg's JSON whose date is the middle day of the period.

    For periods of a month or longer the middle day may be one day off, because it is not always rounded in the same
    way. Records for periods of a different length do not cover this one.
    """
    table = _pyveg_table(path)
    days = {_day(path, text): text for text in table}
    length = period[1] - period[0]
    middle = (period[0] + length // 2).date()
    nearest = min(days, key=lambda day: abs(day - middle), default=None)
    step = min((later - earlier for earlier, later in pairwise(sorted(days))), default=length)
    if nearest is None or abs(nearest - middle) > DAY * (length >= MONTH) or abs(step - length) > length / 8:
        return dict.fromkeys(quantities)
    return {name: _pyveg_value(path, days[nearest], table, NAMES[name]) for name in quantities}


def _pyveg_table(path: Path) -> dict:
    """Return {date: record}, from a file of weather only or a complete results_summary.json."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise TigerbushError(f"{path} is not valid JSON ({error}); download it again.") from None
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


def _pyveg_value(path: Path, day: str, table: Mapping, name: str) -> float | None:
    if table[day] is None:
        return None
    value = table[day].get(name) if isinstance(table[day], dict) else None
    if type(value) not in (int, float) or not abs(value) < 1e9:
        raise TigerbushError(f"{path}: {name} of {day} is not a number; correct it or set the date to null.")
    return float(value)
