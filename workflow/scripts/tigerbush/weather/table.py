"""Rainfall and temperature from tables: CSV, with any usual separator."""

import csv
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

from tigerbush.errors import TigerbushError
from tigerbush.weather.plausible import DAY, Limits, limits_of, possible_value
from tigerbush.weather.records import MONTH, Period, Sample, Series, overlap

SEPARATORS = {"\t": "tabs", ";": "';'", ",": "','", "|": "'|'", " ": "blanks"}
# rows in which the names of columns may stand, after titles and remarks
HEADER_ROWS = 100
# how makers say that there is no value; numbers such as -999 are plausible.FILL_VALUES
NO_VALUE = {"", "na", "n/a", "nan", "null", "none", "-", "--"}


class Row(NamedTuple):
    """A line of a table with its date and the texts of its values."""

    time: datetime
    line: int
    month: bool
    values: tuple[str, ...]


class Layout(NamedTuple):
    """Where the columns of a table are: in which fields, how many there are, and what separates them."""

    separator: str
    fields: tuple[int, ...]
    width: int


def read_table(
    path: Path, quantities: Mapping[str, Mapping[str, str]], date: str, period: Period
) -> dict[str, Series]:
    """Read quantities from a CSV file.

    Columns are separated by commas, semicolons, tabs or blanks; blanks around names and values do not count. Numbers
    may have decimal commas where columns are not separated by commas. Text is UTF-8, or UTF-16 with a byte order mark.
    Titles and remarks above the names of the columns are passed over. Empty values, words such as NA, and fill
    values such as -999 are missing.

    Parameters
    ----------
    path : Path
        The file.
    quantities : mapping of str to mapping
        For `precipitation` and `temperature`: `column`, `unit`, and `kind`.
    date : str
        The column of dates.
    period : (datetime, datetime)
        Of records by the day or hour, only those around it are returned; all are checked.

    Returns
    -------
    dict of str to Series
        In the configured units.

    Raises
    ------
    TigerbushError
        When a column, a date or a number cannot be read, or a value is impossible; with its line.
    """
    columns = [name.strip() for name in (date, *(quantity["column"] for quantity in quantities.values()))]
    try:
        rows, separator = _rows(path, columns)
    except (UnicodeError, csv.Error) as error:
        raise TigerbushError(
            f"{path} is not a CSV file in UTF-8 ({error}); save it as CSV in UTF-8."
        ) from None
    rows.sort(key=lambda row: row.time)
    steps = [later.time - earlier.time for earlier, later in pairwise(rows)]
    step = median_low(steps) if steps else DAY
    months = step >= MONTH or any(row.month for row in rows)
    length = 31 * DAY if months else step
    decimal = "." if separator == "," else _decimal_sign(path, rows)
    part = slice(None) if months else _around(rows, steps, path, period, step)
    series = {}
    for i, (name, quantity) in enumerate(quantities.items()):
        limits = limits_of(name, quantity, length)
        values = [_value(path, row.line, row.values[i], decimal, limits) for row in rows]
        samples = [
            Sample(row.time, value, row.month, row.line)
            for row, value in zip(rows[part], values[part], strict=True)
        ]
        series[name] = Series(samples, step)
    return series


def _around(
    rows: Sequence[Row], steps: Sequence[timedelta], path: Path, period: Period, step: timedelta
) -> slice:
    """Return which rows may cover a part of the period; refuse two rows of the same time."""
    if timedelta(0) in steps:
        i = steps.index(timedelta(0))
        raise overlap(path, rows[i].time, rows[i + 1].time)
    margin = max(2 * step, 2 * DAY)
    first = bisect_left(rows, period[0] - margin, key=lambda row: row.time)
    return slice(first, bisect_right(rows, period[1] + margin, key=lambda row: row.time))


def _rows(path: Path, columns: Sequence[str]) -> tuple[list[Row], str]:
    """Return the rows with a date, and the separator."""
    with path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with path.open(newline="", encoding=encoding) as file:
        header, lines = _header(path, file, columns)
        reader = csv.reader(file, delimiter=header.separator, skipinitialspace=True)
        rows = []
        for fields in reader:
            if not any(map(str.strip, fields)):
                continue
            line = lines + reader.line_num
            if len(fields) != header.width:
                _check_width(path, line, fields, header)
            text, *values = [fields[i] for i in header.fields]
            month, time = _time(path, line, text)
            rows.append(Row(time, line, month, tuple(values)))
    return rows, header.separator


def _header(path: Path, file: Iterable[str], columns: Sequence[str]) -> tuple[Layout, int]:
    """Find the row with the names of the columns; return the layout and the number of lines up to it."""
    wanted, nearest = set(columns), []
    for number, line in zip(range(1, HEADER_ROWS + 1), file, strict=False):
        rows = {separator: _names(line, separator) for separator in SEPARATORS}
        for separator, names in rows.items():
            if wanted <= set(names):
                return _layout(path, names, columns, separator), number
        names = max(rows.values(), key=lambda names: (len(wanted & set(names)), len(names)))
        if not nearest or len(wanted & set(names)) > len(wanted & set(nearest)):
            nearest = names
    missing = next(column for column in columns if column not in nearest)
    listed = ", ".join(repr(name) for name in nearest if name)[:200] or "none"
    raise TigerbushError(
        f"{path} has no column {missing!r}; its columns are {listed}: correct the names under weather in the "
        "configuration."
    )


def _names(line: str, separator: str) -> list[str]:
    fields = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    return [field.strip() for field in fields]


def _layout(path: Path, names: Sequence[str], columns: Sequence[str], separator: str) -> Layout:
    for column in columns:
        if names.count(column) > 1:
            raise TigerbushError(f"{path} has more than one column {column!r}; rename all but one of them.")
    return Layout(separator, tuple(names.index(column) for column in columns), len(names))


def _check_width(path: Path, line: int, fields: Sequence[str], layout: Layout) -> None:
    """Refuse a row that has more or fewer values than there are columns; blanks at its end do not count."""
    if len(fields) < layout.width or any(map(str.strip, fields[layout.width :])):
        raise TigerbushError(
            f"{path}, line {line} has {len(fields)} values for {layout.width} columns, separated by "
            f"{SEPARATORS[layout.separator]}; correct the line (decimal commas need columns separated by ';' or tabs)."
        )


def _time(path: Path, line: int, text: str) -> tuple[bool, datetime]:
    """Return whether a date is a month (YYYY-MM), and its time."""
    text = text.strip()
    month = len(text) == 7 and re.fullmatch(r"\d{4}-\d{2}", text) is not None
    try:
        time = datetime.fromisoformat(f"{text}-01" if month else text)
    except ValueError:
        time = datetime.min
    if not 1 < time.year < 9999:
        raise TigerbushError(
            f"{path}, line {line}: {text[:80]!r} is not a date such as 2017-01 or 2017-01-16."
        )
    return month, time if time.tzinfo else time.replace(tzinfo=UTC)


def _decimal_sign(path: Path, rows: Sequence[Row]) -> str:
    """Return the decimal sign of a table whose columns are not separated by commas; refuse it if it has both."""
    signs = {
        sign: next((row.line for row in rows for text in row.values if sign in text), None) for sign in ",."
    }
    if None not in signs.values():
        raise TigerbushError(
            f"{path} has numbers with a comma (line {signs[',']}) and with a point (line {signs['.']}); write all of "
            "them with a point, and without signs for thousands."
        )
    return "," if signs[","] else "."


def _value(path: Path, line: int, text: str, decimal: str, limits: Limits) -> float | None:
    try:
        value = float(text if decimal == "." else text.replace(",", "."))
    except ValueError:
        if text.strip().lower() in NO_VALUE:
            return None
        raise TigerbushError(
            f"{path}, line {line}: {text[:80]!r} is not a number; correct or remove the line."
        ) from None
    try:
        return possible_value(value, limits)
    except ValueError as error:
        raise TigerbushError(f"{path}, line {line}: {error}") from None
