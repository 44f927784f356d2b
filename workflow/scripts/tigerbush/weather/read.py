"""Rainfall and temperature of a period from tables, grids and pyveg's own JSON."""

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
# an accumulation falls by less than this (m) where packed numbers are coarse
NOISE = 1e-4


class Sample(NamedTuple):
    """One record of a file as it is given."""

    time: datetime
    value: float
    month: bool = False  # given as YYYY-MM


class Record(NamedTuple):
    """A value and the time [begin, end) that it stands for."""

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

    The suffix of a file tells its format: NetCDF (.nc, .nc4), GRIB (.grib, .grib2, .grb, .grb2), pyveg's
    JSON (.json), and CSV for every other one.

    Each record stands for the time from its date to the next record's; a month (YYYY-MM, or a record of
    a file whose records are 28 days apart or more) for its calendar month. A record that only partly
    lies in the period counts by that part.

    Parameters
    ----------
    path : Path
        The file.
    start, end : str
        Period [start, end), YYYY-MM-DD.
    site : dict
        longitude, latitude and region_size in degrees; only grids need it.
    date : str
        CSV column of dates: YYYY-MM, YYYY-MM-DD or an ISO 8601 time (UTC).
    precipitation : dict
        `column` (of a CSV file, or variable of a grid), `unit` (mm or m) and `kind`: `sum` over the
        record's time, `mean_rate` per day, or `accumulated` from 00 UTC to the record's time, which
        for a record of 00 UTC is the whole day before (ERA5-Land). `path` when the file is another.
    temperature : dict
        `column` and `unit` (degC or K) of the mean over the record's time; `path` as above.
        pyveg's JSON names everything itself, so these keys do not apply to it.

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
        found = _read_file(file, quantities, period, date, site)
        if None in found.values():
            log.warning("%s does not cover the period from %s to %s; the weather is null", file, start, end)
        weather |= found
    if None in weather.values():
        return None
    return {NAMES[name]: value for name, value in weather.items()}


def _read_file(
    path: Path, quantities: Quantities, period: Period, date: str, site: Mapping
) -> dict[str, float | None]:
    """Return the quantities of a file over a period, in m and K; None where it is not covered."""
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
        name: _over(period, _records(path, *series[name], quantity), name, quantity["unit"])
        for name, quantity in quantities.items()
    }


def _over(period: Period, records: Sequence[Record], name: str, unit: str) -> float | None:
    """Return the sum of rainfall (m) or the mean temperature (K), None where the records leave gaps."""
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
    """Return what each sample stands for; `step` is the usual one of the whole file."""
    kind = quantity.get("kind")  # a temperature has none
    if kind == "accumulated":
        records = list(_differences(path, samples, NOISE / TO_METRES[quantity["unit"]]))
    else:
        following = [*(later.time for later in samples[1:]), None][: len(samples)]
        records = [
            Record(*_span(sample, step, after), sample.value)
            for sample, after in zip(samples, following, strict=True)
        ]
    if kind == "mean_rate":
        records = [Record(begin, end, value * ((end - begin) / DAY)) for begin, end, value in records]
    for earlier, later in pairwise(records):
        if later.begin < earlier.end or later.end == earlier.end:
            raise TigerbushError(
                f"{path} has two records of one date ({earlier.begin:%Y-%m-%d %H:%M} and "
                f"{later.begin:%Y-%m-%d %H:%M} overlap); keep one of them."
            )
    return records


def _span(sample: Sample, step: timedelta, after: datetime | None) -> Period:
    if not (sample.month or step >= MONTH):
        # until the next record: dekads have 8 to 11 days; but a gap is not bridged
        near = after is not None and sample.time < after <= sample.time + 1.5 * step
        return sample.time, after if near else sample.time + step
    # the month of the clock on the wall, where times have an offset from UTC
    first = datetime(sample.time.year, sample.time.month, 1, tzinfo=UTC)
    return first, (first + 31 * DAY).replace(day=1)


def _differences(path: Path, samples: Sequence[Sample], noise: float) -> Iterator[Record]:
    """Yield what fell since the record before, or since the 00 UTC at which accumulation began."""
    before = None
    for sample in samples:
        time = sample.time.astimezone(UTC)
        midnight = (time - timedelta.resolution).replace(hour=0, minute=0, second=0, microsecond=0)
        begin, fallen = midnight, sample.value
        if before and before.begin > midnight:
            begin, fallen = before.begin, sample.value - before.value
        if fallen < -noise:
            raise TigerbushError(
                f"{path}: rainfall falls from {begin:%Y-%m-%d %H:%M} to {time:%H:%M} UTC, so it is not accumulated "
                "over the day; set weather.precipitation.kind to what it is (sum, mean_rate)."
            )
        yield Record(begin, time, fallen)
        before = Record(time, time, sample.value)


def _read_table(path: Path, quantities: Quantities, date: str) -> dict[str, tuple[list[Sample], timedelta]]:
    """Return the samples of each quantity, in order of time, and the usual step."""
    columns = (date, *(quantity["column"] for quantity in quantities.values()))
    try:
        rows = _rows(path, columns)
    except (UnicodeDecodeError, csv.Error) as error:
        raise TigerbushError(
            f"{path} is not a CSV file in UTF-8 ({error}); convert it, or give it the suffix of its format "
            "(.nc, .grib, .json)."
        ) from None
    dated = sorted(((_time(path, line, text), line, text, *rest) for line, text, *rest in rows))
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

    A middle day may be one day off for periods of a month or longer, which are not always rounded alike.
    Records of periods of another length than this one do not cover it.
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
    """Return {date: record}, from weather alone or a whole results_summary.json."""
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
