"""Rainfall and temperature of a site from a regular grid, whatever its file format."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

import numpy as np

from tigerbush.errors import TigerbushError
from tigerbush.weather.plausible import DAY, Limits, is_fill_value, limits_of, possible_value
from tigerbush.weather.records import Period, Sample, Series
from tigerbush.weather.units import conversion_factor

log = logging.getLogger(__name__)

TOLERANCE = 1e-4  # degrees; coordinates are often float32
SPACING = 0.25  # degrees, assumed for a file with a single grid point: that of ERA5


@dataclass(frozen=True)
class Grid:
    """A variable on a regular grid of latitude and longitude, whose values are not read yet.

    Attributes
    ----------
    name : str
        The variable.
    units : str
        As stated by the file; empty if it states none.
    is_mean : bool
        Whether the file says that values are means over time.
    packing_step : float
        The step of packed numbers, in these units; 0 for those that are not packed.
    latitudes, longitudes : np.ndarray
        (rows,) and (columns,) float64, degrees, in any order and range.
    times : np.ndarray
        (records,) datetime64[s], UTC, at which the values are valid, in any order; NaT where there is none.
    read : callable
        Returns the values of some records, rows and columns (index arrays, each sorted): an array (records, rows,
        columns) of float64, NaN where values are missing.
    """

    name: str
    units: str
    is_mean: bool
    packing_step: float
    latitudes: np.ndarray
    longitudes: np.ndarray
    times: np.ndarray
    read: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def site_series(
    path: Path, grid: Grid, name: str, quantity: Mapping[str, str], period: Period, site: Mapping
) -> Series:
    """Average a variable over the square of a site, record by record.

    The mean of the grid points inside is weighted by cos(latitude); points without a value (the sea in
    ERA5-Land) are left out. When no point lies inside, the nearest one is used.

    Parameters
    ----------
    path : Path
        The file, for sentences.
    grid : Grid
        The variable.
    name : str
        `precipitation` or `temperature`.
    quantity : mapping
        `column`, `unit`, and `kind` of precipitation.
    period : (datetime, datetime)
        Only the records of this period are read, and those around it that may overlap it.
    site : mapping
        longitude, latitude, and region_size (side of the square in degrees of latitude).

    Returns
    -------
    Series
        In the configured unit (a `mean_rate` per day); the step is the median of the whole file.

    Raises
    ------
    TigerbushError
        When the grid does not reach the site, its units contradict the configuration, or a value is impossible.
    """
    factor = conversion_factor(path, name, quantity, grid.units, is_mean=grid.is_mean)
    rows, columns = _points(path, grid, site)
    step = _median_step(grid.times)
    records = _records_around(grid.times, period, step)
    values = grid.read(records, rows, columns)
    limits = limits_of(name, quantity, step, grid.packing_step * factor)
    values = _possible_values(path, grid.times[records], values, factor, limits)
    means = _weighted_means(values, grid.latitudes[rows])
    if means.size and np.isnan(means).all():
        log.warning(
            "%s: %s has no value at the site, as over the sea (ERA5, unlike ERA5-Land, has)", path, grid.name
        )
    samples = [
        Sample(time.replace(tzinfo=UTC), None if math.isnan(value) else value)
        for time, value in zip(grid.times[records].tolist(), means.tolist(), strict=True)
    ]
    return Series(sorted(samples, key=lambda sample: sample.time), step)


def _points(path: Path, grid: Grid, site: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the grid points in the square of a site, or of the nearest one."""
    north = grid.latitudes - site["latitude"]
    # -180 and 180 are the same meridian, and so are 0 and 360
    east = (grid.longitudes - site["longitude"] + 180) % 360 - 180
    axes = (("latitude", grid.latitudes, north), ("longitude", grid.longitudes, east))
    for axis, degrees, distances in axes:
        steps = np.diff(np.unique(distances))
        spacing = np.median(steps) if steps.size else SPACING
        if not np.abs(distances).min(initial=np.inf) <= spacing + TOLERANCE:
            covered = (
                f"{axis} {degrees.min().round(5)} to {degrees.max().round(5)}"
                if degrees.size
                else "no grid points"
            )
            raise TigerbushError(
                f"{path} covers {covered}, not the site at longitude {site['longitude']:g}, latitude "
                f"{site['latitude']:g}; get a file that covers the site."
            )
    half = site["region_size"] / 2
    rows = np.flatnonzero(np.abs(north) <= half + TOLERANCE)
    columns = np.flatnonzero(np.abs(east) <= half / math.cos(math.radians(site["latitude"])) + TOLERANCE)
    # a meridian that appears twice is used once
    columns = columns[np.sort(np.unique(east[columns].round(3), return_index=True)[1])]
    if not rows.size or not columns.size:
        return np.array([np.abs(north).argmin()]), np.array([np.abs(east).argmin()])
    return rows, columns


def _median_step(times: np.ndarray) -> timedelta:
    """Return the lower median of the times between records; a day for a single one."""
    steps = np.diff(np.sort(times))
    # neither of NaT, whose comparison is false, nor of two versions of a record
    steps = np.sort(steps[steps > np.timedelta64(0)])
    return steps[(steps.size - 1) // 2].item() if steps.size else DAY


def _records_around(times: np.ndarray, period: Period, step: timedelta) -> np.ndarray:
    """Return the indices of the records of a period, and of those before and after that may overlap it."""
    margin = np.timedelta64(min(max(step, DAY), 31 * DAY))
    low, high = (np.datetime64(time.replace(tzinfo=None), "s") for time in period)
    # a comparison with NaT is false
    return np.flatnonzero((times >= low - margin) & (times <= high + margin))


def _possible_values(
    path: Path, times: np.ndarray, values: np.ndarray, factor: float, limits: Limits
) -> np.ndarray:
    """Return values in the configured unit: 0 for noise below it, NaN for undeclared fill values.

    Raises
    ------
    TigerbushError
        For an impossible value, with its time.
    """
    result = values * factor
    result[(result < limits.low) & (result >= limits.low - limits.noise)] = limits.low
    impossible = ~np.isnan(values) & ~((result >= limits.low) & (result <= limits.high))
    for place in map(tuple, np.argwhere(impossible)):
        if is_fill_value(values[place].item()):
            result[place] = np.nan
            continue
        try:
            possible_value(result[place].item(), limits)
        except ValueError as error:
            raise TigerbushError(f"{path}, {times[place[0]].item():%Y-%m-%d %H:%M}: {error}") from None
    return result


def _weighted_means(values: np.ndarray, latitudes: np.ndarray) -> np.ndarray:
    """Average the points that have values; NaN where none has."""
    weights = np.broadcast_to(np.cos(np.deg2rad(latitudes))[:, None], values.shape[1:])
    valid = ~np.isnan(values)
    total = np.where(valid, values, 0.0) * weights
    with np.errstate(invalid="ignore"):
        return total.sum(axis=(1, 2)) / (valid * weights).sum(axis=(1, 2))
