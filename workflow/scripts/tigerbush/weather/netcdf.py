"""Rainfall and temperature of a site from NetCDF, as delivered by the CDS and many others."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import netCDF4
import numpy as np

from tigerbush.errors import TigerbushError
from tigerbush.weather.formats import decoding, refuse_cut_file
from tigerbush.weather.grids import Grid, site_series
from tigerbush.weather.netcdf_size import needed_size
from tigerbush.weather.records import Period, Series
from tigerbush.weather_suffixes import NETCDF

LATITUDES, LONGITUDES = ("latitude", "lat"), ("longitude", "lon")
TIMES = ("valid_time", "time")
# ERA5 and the preliminary ERA5T
VERSION = "expver"
# in the others, days are not those of the records of satellites
CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
# 3,000 years
MAX_SECONDS = 1e11
SECONDS = {
    "day": 86400, "d": 86400, "hour": 3600, "hr": 3600, "h": 3600, "minute": 60, "min": 60, "second": 1, "sec": 1,
    "s": 1, "millisecond": 1e-3, "msec": 1e-3, "ms": 1e-3, "microsecond": 1e-6,
}  # fmt: skip


class _Axes(NamedTuple):
    """The coordinates of a variable."""

    times: netCDF4.Variable
    latitudes: netCDF4.Variable
    longitudes: netCDF4.Variable


def read_netcdf(
    path: Path, quantities: Mapping[str, Mapping[str, str]], period: Period, site: Mapping
) -> dict[str, Series]:
    """Average quantities over the square of a site, record by record.

    Where a file has both ERA5 and the preliminary ERA5T (a dimension `expver`), the first with a value is used.

    Parameters
    ----------
    path : Path
        NetCDF (classic or 4) file on a regular grid of latitude and longitude, or of one point.
    quantities : mapping of str to mapping
        For `precipitation` and `temperature`: `column` (the variable, such as tp or t2m), `unit`, and `kind`.
    period : (datetime, datetime)
        Only the records of this period are read, and those around it that may overlap it.
    site : mapping
        longitude, latitude, and region_size (side of the square in degrees of latitude).

    Returns
    -------
    dict of str to Series
        As of `tigerbush.weather.grids.site_series`.

    Raises
    ------
    TigerbushError
        When the file is cut or damaged, lacks the variable, dates or a regular grid, has another calendar, does not
        reach the site, states units that contradict the configuration, or has an impossible value.
    """
    series = {}
    with decoding(path, NETCDF):
        refuse_cut_file(path, needed_size(path))
        with netCDF4.Dataset(path) as dataset:
            for name, quantity in quantities.items():
                grid = _grid(path, dataset, quantity["column"])
                series[name] = site_series(path, grid, name, quantity, period, site)
    return series


def _grid(path: Path, dataset: netCDF4.Dataset, column: str) -> Grid:
    coordinates = {*LATITUDES, *LONGITUDES, *TIMES, *dataset.dimensions}
    if column not in dataset.variables:
        names = ", ".join(repr(name) for name in dataset.variables if name not in coordinates)[:200]
        raise TigerbushError(
            f"{path} has no variable {column!r}; its variables are {names or 'none'}: correct the names under weather "
            "in the configuration."
        )
    variable = dataset.variables[column]
    latitudes, longitudes = (_axis(path, dataset, variable, names) for names in (LATITUDES, LONGITUDES))
    times = _time_variable(path, dataset, variable, {*latitudes.dimensions, *longitudes.dimensions})
    return Grid(
        name=column,
        units=str(getattr(variable, "units", "")),
        is_mean=str(getattr(variable, "GRIB_stepType", "")).startswith("avg"),
        packing_step=abs(float(getattr(variable, "scale_factor", 0.0))),
        latitudes=_numbers(latitudes).ravel(),
        longitudes=_numbers(longitudes).ravel(),
        times=_decoded_times(path, times),
        read=partial(_read, variable, _Axes(times, latitudes, longitudes)),
    )


def _long_dimensions(variable: netCDF4.Variable) -> list[str]:
    """Return the dimensions of a variable that are longer than 1."""
    return [name for name, length in zip(variable.dimensions, variable.shape, strict=True) if length != 1]


def _axis(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable, names: tuple[str, ...]
) -> netCDF4.Variable:
    """Return the coordinate variable of latitude or longitude: along its own dimension, or of a single point."""
    for name in names:
        axis = dataset.variables.get(name)
        if axis is not None and (
            axis.size == 1 or (axis.dimensions == (name,) and name in variable.dimensions)
        ):
            return axis
    raise TigerbushError(
        f"{path}: variable {variable.name} is not on a regular grid of latitude and longitude but on "
        f"{', '.join(variable.dimensions)}; regrid it."
    )


def _time_variable(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable, axes: set[str]
) -> netCDF4.Variable:
    """Return the variable of the times at which the values are valid."""
    for name in TIMES:
        times = dataset.variables.get(name)
        if times is None or " since " not in str(getattr(times, "units", "")):
            continue
        of_times = set(_long_dimensions(times))
        if of_times <= set(variable.dimensions) and set(_long_dimensions(variable)) <= {
            *axes,
            VERSION,
            *of_times,
        }:
            return times
    sizes = zip(variable.dimensions, variable.shape, strict=True)
    raise TigerbushError(
        f"{path}: variable {variable.name} needs dates (valid_time or time) and no dimensions other than these and the "
        f"grid, but has {', '.join(f'{axis} ({size})' for axis, size in sizes)}; correct the file."
    )


def _numbers(variable: netCDF4.Variable) -> np.ndarray:
    """Return all values of a variable as float64, NaN where they are missing."""
    return np.ma.filled(np.ma.asarray(variable[...]).astype(float), np.nan)


def _decoded_times(path: Path, variable: netCDF4.Variable) -> np.ndarray:
    """Return times as datetime64[s], rounded, because hours stored as fractions of a day are not exact."""
    calendar = str(getattr(variable, "calendar", "standard")).lower()
    unit, _, reference = str(variable.units).partition(" since ")
    seconds = SECONDS.get(re.sub("(?<=..)s$", "", unit.strip().lower()))
    if calendar not in CALENDARS:
        raise TigerbushError(
            f"{path}: its times are in the calendar {calendar[:40]!r}, in which days are not those of satellite "
            "images; convert the file to the standard calendar."
        )
    if seconds is None:
        raise TigerbushError(
            f"{path}: its times are in {variable.units[:80]!r}; expected days, hours, minutes or seconds since a date: "
            "convert them."
        )
    values = _numbers(variable).ravel()
    result = np.full(values.shape, np.datetime64("NaT"), "M8[s]")
    valid = np.isfinite(values)
    if not valid.any():
        return result
    # counted from the first time, because days before 1582 in a reference date depend on the calendar
    first = values[valid][0]
    anchor = netCDF4.num2date(first, f"{unit} since {reference}", calendar)
    origin = np.datetime64(f"{anchor.year:04}-{anchor.month:02}-{anchor.day:02}", "s")
    since_midnight = anchor.hour * 3600 + anchor.minute * 60 + anchor.second + anchor.microsecond / 1e6
    rounded = np.floor((values - first) * seconds + since_midnight + 0.5)
    # beyond these there are no dates; a comparison with NaN is false
    valid = np.abs(rounded) < MAX_SECONDS
    result[valid] = origin + rounded[valid].astype(int)
    return result


def _read(
    variable: netCDF4.Variable, axes: _Axes, records: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Read some records, rows and columns; of several versions the first that has a value."""
    if not records.size:
        return np.zeros((0, rows.size, columns.size))
    places = zip(axes.times.dimensions, np.unravel_index(records, axes.times.shape or (1,)), strict=False)
    of_times = {axis: indices for axis, indices in places if axis in variable.dimensions}
    selected = {axis: slice(indices.min(), indices.max() + 1) for axis, indices in of_times.items()}
    selected |= dict.fromkeys(_long_dimensions(axes.latitudes), rows)
    selected |= dict.fromkeys(_long_dimensions(axes.longitudes), columns)
    key = tuple(selected.get(axis, slice(None)) for axis in variable.dimensions)
    values = np.ma.filled(np.ma.asarray(variable[key]).astype(float), np.nan)

    versions = variable.group().dimensions.get(VERSION) if VERSION in variable.dimensions else None
    order = [*of_times, *([VERSION] if versions else []), *_long_dimensions(axes.latitudes)]
    order += [*_long_dimensions(axes.longitudes)]
    order += [axis for axis in variable.dimensions if axis not in order]
    values = values.transpose([variable.dimensions.index(axis) for axis in order])
    lengths = [part.stop - part.start for part in (selected[axis] for axis in of_times)]
    values = values.reshape(*lengths, len(versions) if versions else 1, rows.size, columns.size)
    values = values[tuple(indices - indices.min() for indices in of_times.values())]
    return _merged(values.reshape(records.size, -1, rows.size, columns.size), variable)


def _merged(values: np.ndarray, variable: netCDF4.Variable) -> np.ndarray:
    """Return the first version that has a value, in the order of their numbers; (records, versions, rows, columns)."""
    versions = variable.group().variables.get(VERSION)
    order = np.arange(values.shape[1])
    if versions is not None and values.shape[1] > 1:
        numbers = versions[...]
        order = np.argsort(netCDF4.chartostring(numbers) if numbers.ndim > 1 else numbers)
    result = values[:, order[0]]
    for i in order[1:]:
        result = np.where(np.isnan(result), values[:, i], result)
    return result
