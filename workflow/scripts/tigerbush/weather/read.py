"""Rainfall and temperature of a period from tables, grids and pyveg's own JSON format."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.weather.accumulations import refuse_accumulations
from tigerbush.weather.formats import format_of
from tigerbush.weather.plausible import NAMES
from tigerbush.weather.pyveg_json import read_pyveg
from tigerbush.weather.records import Period, Series, total_or_mean
from tigerbush.weather.table import read_table
from tigerbush.weather_suffixes import GRIB, JSON, NETCDF

Quantities = Mapping[str, Mapping[str, str]]

KINDS = ("sum", "mean_rate", "accumulated")


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
    JSON (.json), and CSV otherwise. A file whose first bytes say that it is something else is refused.

    Values that are missing (empty, declared or undeclared fill values such as -999) leave a gap. Rainfall below zero or
    above 2 m a day and temperatures below 180 K or above 340 K are refused, except that -1e-6 to 0 m, the rounding
    of packed numbers, is 0 (`tigerbush.weather.plausible`).

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
        CSV column of dates: YYYY-MM, YYYY-MM-DD or an ISO 8601 time (UTC, if it has no offset).
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
        not cover the whole period, of which a warning names the first that is missing.

    Raises
    ------
    TigerbushError
        When a file cannot be read, a column is missing, a value is malformed or impossible, or the configuration
        contradicts what the file states or what its values show (accumulated rainfall taken for sums).
    """
    if precipitation["kind"] not in KINDS:
        raise TigerbushError(
            f"weather.precipitation.kind is {precipitation['kind']!r}; set it to {', '.join(KINDS)}: what the file has."
        )
    period = tuple(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (start, end))
    files: dict[Path, dict] = {}
    for name, quantity in (("precipitation", precipitation), ("temperature", temperature)):
        files.setdefault(Path(quantity.get("path") or path), {})[name] = quantity
    weather = {}
    for file, quantities in files.items():
        weather |= _read_file(file, quantities, period, date, site)
    if None in weather.values():
        return None
    return {NAMES[name]: value for name, value in weather.items()}


def _read_file(
    path: Path, quantities: Quantities, period: Period, date: str, site: Mapping
) -> dict[str, float | None]:
    """Return the quantities of a file over a period, in m and K; None for one that does not cover it."""
    if (name := format_of(path)) == JSON:
        return read_pyveg(path, quantities, period)
    series = _series(path, name, quantities, period, date, site)
    rain = quantities.get("precipitation", {"kind": "accumulated"})
    if rain["kind"] != "accumulated":
        refuse_accumulations(path, *series["precipitation"], rain["unit"], rain["kind"])
    return {
        name: total_or_mean(path, series[name], name, quantity, period)
        for name, quantity in quantities.items()
    }


def _series(
    path: Path, format: str, quantities: Quantities, period: Period, date: str, site: Mapping
) -> dict[str, Series]:
    """Return the records of each quantity around a period."""
    # imported here because numpy and the decoders take longer than reading a table
    if format == NETCDF:
        from tigerbush.weather.netcdf import read_netcdf

        return read_netcdf(path, quantities, period, site)
    if format == GRIB:
        from tigerbush.weather.grib import read_grib

        return read_grib(path, quantities, period, site)
    return read_table(path, quantities, date, period)
