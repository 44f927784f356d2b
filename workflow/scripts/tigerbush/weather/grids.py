"""Rainfall and temperature at a site from grids: NetCDF and GRIB as ECMWF and the CDS deliver them."""

import logging
import math
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

import numpy as np
import xarray as xr

from tigerbush.errors import TigerbushError, machine_fault

log = logging.getLogger(__name__)

Period = tuple[datetime, datetime]
Series = list[tuple[datetime, float]]
DAY = timedelta(days=1)
LATITUDE, LONGITUDE, VERSION = "latitude", "longitude", "expver"
ALIASES = {"lat": LATITUDE, "lon": LONGITUDE}
CLOSE = 1e-4  # degrees; coordinates are often float32
STEP = 0.25  # degrees between the points of a file that has only one: ERA5's
# a kilogram of rain on a square metre is 1 mm
AMOUNTS = {"m": "m", "metre": "m", "meter": "m", "mm": "mm", "millimeter": "mm", "kg m-2": "mm"}
PER_DAY = {"s": 86400, "sec": 86400, "second": 86400, "h": 24, "hr": 24, "hour": 24, "d": 1, "day": 1}
TEMPERATURES = {"k": "K", "kelvin": "K", "c": "degC", "degc": "degC", "celsius": "degC"}


def read_grid(
    path: Path, quantities: Mapping[str, Mapping[str, str]], period: Period, site: Mapping
) -> dict[str, tuple[Series, timedelta]]:
    """Average quantities over the square of a site, record by record.

    The mean of the grid points inside is weighted by cos(latitude); points without a value (the sea in
    ERA5-Land) are left out. When no point lies inside, the nearest one counts. Of ERA5 and the
    preliminary ERA5T (a dimension `expver`) the first that has a value counts.

    Parameters
    ----------
    path : Path
        NetCDF (3 or 4) or GRIB (1 or 2) file on a regular grid of latitude and longitude.
    quantities : mapping of str to dict
        By `precipitation` and `temperature`: `column` (the variable, as tp, t2m), `unit`, and `kind`.
    period : (datetime, datetime)
        Only the records of this time are read, and those around it that may matter.
    site : mapping
        longitude, latitude, and region_size (side of the square in degrees of latitude).

    Returns
    -------
    dict of str to (list of (datetime, float), timedelta)
        Per quantity the records in order of time, in the configured unit (a `mean_rate` per day), and
        the usual step of the whole file. Records without a value are not there.

    Raises
    ------
    TigerbushError
        When the file is damaged, lacks variable, dates or a regular grid, does not reach the site, or
        states units that contradict the configuration.
    """
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, quantity in quantities.items():
            with _opened(path, quantity["column"], scratch) as variable:
                factor = _factor(path, name, quantity, variable.attrs)
                grid = _near(path, _regular(path, variable), site)
                with _decoding(path):
                    clock = _clock(path, grid).load()
                    step = _usual(clock)
                    part = _within(grid, clock, period, step).load()
            series = _average(part, clock, factor)
            if part.size and not series:
                log.warning("%s: %s has no value at the site, as over the sea", path, quantity["column"])
            found[name] = series, step
    return found


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn what the decoders raise into a sentence; trouble of the machine passes."""
    try:
        yield
    except TigerbushError:
        raise
    except Exception as error:
        # NetCDF numbers its own errors below zero
        if machine_fault(error, path) or (isinstance(error, OSError) and (error.errno or 0) > 0):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise TigerbushError(f"{path} cannot be read ({reason}); download it again.") from error


@contextmanager
def _opened(path: Path, column: str, scratch: str) -> Iterator[xr.DataArray]:
    """Yield a variable; only what is selected of it will be read."""
    with _decoding(path):
        netcdf = path.suffix.lower() in (".nc", ".nc4")
        dataset, names = _open_netcdf(path) if netcdf else _open_grib(path, column, scratch)
    with dataset:
        if column not in dataset.data_vars:
            raise TigerbushError(
                f"{path} has no variable {column!r}; its variables are {', '.join(map(repr, names))[:200]}: correct "
                "the names under weather in the configuration."
            )
        yield dataset[column]


def _open_netcdf(path: Path) -> tuple[xr.Dataset, list[str]]:
    with path.open("rb") as file:
        classic = file.read(4) in (b"CDF\x01", b"CDF\x02")
    # NetCDF's own library reads what a file of NetCDF-3 lacks at its end as zeros; both are given as
    # classes, because a name makes xarray import every reader there is
    engine = xr.backends.ScipyBackendEntrypoint if classic else xr.backends.NetCDF4BackendEntrypoint
    dataset = xr.open_dataset(path, engine=engine, decode_timedelta=False)
    return dataset, list(dataset.data_vars)


def _open_grib(path: Path, column: str, scratch: str) -> tuple[xr.Dataset, list[str]]:
    """Open the messages of one variable by the time that they are valid at, whatever their step.

    The variables of a file may differ in times, so each is opened by itself; they share an index in
    `scratch`, because none may appear beside the file. Also returns the names of all variables.
    """
    # only here, because it needs the library ecCodes
    from cfgrib import DatasetBuildError, FileStream, compute_index_keys
    from cfgrib.dataset import open_fileindex
    from cfgrib.xarray_plugin import CfGribBackend

    logging.getLogger("cfgrib").setLevel(logging.CRITICAL)  # its complaints become sentences of ours
    times, index, wanted = ("valid_time",), f"{scratch}/{{short_hash}}", {"cfVarName": column}
    stream = FileStream(str(path), errors="raise")
    names = open_fileindex(stream, index, compute_index_keys(times, filter_by_keys=wanted))["cfVarName"]
    options = {"indexpath": index, "time_dims": times, "filter_by_keys": wanted, "errors": "raise"}
    try:
        return xr.open_dataset(path, engine=CfGribBackend, decode_timedelta=False, **options), names
    except DatasetBuildError as error:
        what = (*error.args[1:], "keys")[0]
        raise TigerbushError(f"{path} holds {column} twice, with another {what}; keep one of them.") from None


def _factor(path: Path, name: str, quantity: Mapping[str, str], attributes: Mapping) -> float:
    """Return what turns the values of a variable into the configured unit (a mean_rate: per day).

    ECMWF's monthly means state m although they are per day: metres do not contradict a mean_rate. Where
    a file states no units, the configuration alone counts.
    """
    stated = str(attributes.get("units", ""))
    subject = f"{path}: variable {quantity['column']} is in {stated!r}"
    amount, per = _unit(stated)
    if amount in ("", "unknown"):
        return 1.0
    rainfall = name == "precipitation"
    known = (AMOUNTS if rainfall else TEMPERATURES).get(amount)
    if known is None or (per and (not rainfall or per not in PER_DAY)):
        raise TigerbushError(f"{subject}, not a known unit of {name}; convert it to {quantity['unit']}.")
    if known != quantity["unit"]:
        raise TigerbushError(f"{subject}, but weather.{name}.unit is {quantity['unit']}; set it to {known}.")
    if not rainfall:
        return 1.0
    kind = quantity["kind"]
    conflict = f"but weather.precipitation.kind is {kind}; set it to"
    if kind != "mean_rate" and (per or str(attributes.get("GRIB_stepType")).startswith("avg")):
        raise TigerbushError(f"{subject} as a {'rate' if per else 'mean'}, {conflict} mean_rate.")
    if kind == "mean_rate" and not per and known != "m":
        raise TigerbushError(f"{subject}, an amount, {conflict} sum or accumulated.")
    return float(PER_DAY[per]) if per else 1.0


def _unit(text: str) -> tuple[str, str | None]:
    """Return the unit and what it is per: `mm`, `day` for mm/day; `kg m-2`, `s` for kg m**-2 s**-1."""
    text = re.sub(r"of water equivalent|degrees?[ _]|(?<=met[er]{2})s|\*\*|\^|°", "", text.lower()).replace(
        " per ", "/"
    )
    text = re.sub(r"/ *([a-z]+)([0-9]?)", lambda part: f" {part[1]}-{part[2] or 1}", text.replace("_", " "))
    amount, per = re.fullmatch(r"(.*?)(?: ([a-z]+)-1)?", " ".join(text.split())).groups()
    return amount, per


def _regular(path: Path, variable: xr.DataArray) -> xr.DataArray:
    """Return a variable on latitude and longitude, without other dimensions of length 1."""
    names = {*variable.dims, *variable.coords}
    grid = variable.rename({old: new for old, new in ALIASES.items() if old in names and new not in names})
    for axis in (LATITUDE, LONGITUDE):
        if axis in grid.coords and not grid[axis].dims:
            grid = grid.expand_dims(axis)
        if axis not in grid.dims or axis not in grid.coords:
            raise TigerbushError(
                f"{path}: variable {variable.name} is not on a regular grid of {LATITUDE} and {LONGITUDE} but on "
                f"{', '.join(map(str, variable.dims))}; regrid it."
            )
    return grid.squeeze([axis for axis in {*grid.dims} - {LATITUDE, LONGITUDE} if grid.sizes[axis] == 1])


def _near(path: Path, grid: xr.DataArray, site: Mapping) -> xr.DataArray:
    """Select the grid points in the square of a site, or the nearest one."""
    north = grid[LATITUDE].values.astype(float) - site["latitude"]
    # -180 and 180 are one meridian, 0 and 360 too
    east = (grid[LONGITUDE].values.astype(float) - site["longitude"] + 180) % 360 - 180
    for axis, away in ((LATITUDE, north), (LONGITUDE, east)):
        steps = np.diff(np.unique(away))
        if not np.abs(away).min(initial=np.inf) <= (np.median(steps) if steps.size else STEP) + CLOSE:
            reach = np.sort(grid[axis].values)[[0, -1]] if away.size else ("nothing", "nothing")
            raise TigerbushError(
                f"{path} reaches from {axis} {reach[0]} to {reach[1]}, not to the site at longitude "
                f"{site['longitude']:g}, latitude {site['latitude']:g}; get a file that covers the site."
            )
    half = site["region_size"] / 2
    rows = np.flatnonzero(np.abs(north) <= half + CLOSE)
    columns = np.flatnonzero(np.abs(east) <= half / math.cos(math.radians(site["latitude"])) + CLOSE)
    # a meridian that is there twice counts once
    columns = columns[np.sort(np.unique(east[columns].round(3), return_index=True)[1])]
    if not rows.size or not columns.size:
        rows, columns = [np.abs(north).argmin()], [np.abs(east).argmin()]
    return grid.isel({LATITUDE: rows, LONGITUDE: columns})


def _clock(path: Path, grid: xr.DataArray) -> xr.DataArray:
    """Return the coordinate of the times that the values are valid at."""
    for name in ("valid_time", "time"):
        clock = grid.coords.get(name)
        axes = {LATITUDE, LONGITUDE, VERSION, *(() if clock is None else clock.dims)}
        if clock is not None and clock.dtype.kind == "M" and axes.issuperset(grid.dims):
            return clock
    raise TigerbushError(
        f"{path}: variable {grid.name} needs dates (valid_time or time) and no other dimensions than these and the "
        f"grid, but has {', '.join(f'{axis} ({size})' for axis, size in grid.sizes.items())}; correct the file."
    )


def _seconds(clock: xr.DataArray) -> np.ndarray:
    """Return times to the second: hours counted in fractions of a day are not exact."""
    return (clock.values + np.timedelta64(500, "ms")).astype("datetime64[s]")


def _usual(clock: xr.DataArray) -> timedelta:
    steps = np.diff(np.unique(_seconds(clock)))
    steps = np.sort(steps[~np.isnat(steps)])
    return steps[(steps.size - 1) // 2].item() if steps.size else DAY


def _within(grid: xr.DataArray, clock: xr.DataArray, period: Period, step: timedelta) -> xr.DataArray:
    """Select the records of a period, and those before and after it that may matter to it."""
    margin = np.timedelta64(min(max(step, DAY), 31 * DAY))
    low, high = (np.datetime64(time.replace(tzinfo=None), "s") for time in period)
    inside = (_seconds(clock) >= low - margin) & (_seconds(clock) <= high + margin)
    for i, axis in enumerate(clock.dims):
        kept = np.flatnonzero(inside.any(axis=tuple(j for j in range(inside.ndim) if j != i)))
        grid = grid.isel({axis: slice(kept[0], kept[-1] + 1) if kept.size else slice(0)})
    return grid


def _average(part: xr.DataArray, clock: xr.DataArray, factor: float) -> Series:
    """Average the grid points of each record."""
    if VERSION in part.dims:
        order = np.argsort(part[VERSION].values)
        part = reduce(xr.DataArray.fillna, (part.isel({VERSION: i}, drop=True) for i in order))
    # fill values that the file does not declare are no weather either
    part = part.astype(float).where(abs(part) < 1e9)
    weights = np.cos(np.deg2rad(part[LATITUDE].astype(float)))
    means = part.weighted(weights).mean((LATITUDE, LONGITUDE)).transpose(*clock.dims)
    times = _seconds(part[clock.name]).ravel()
    values = means.values.ravel() * factor
    kept = ~np.isnat(times) & np.isfinite(values)
    dated = sorted(zip(times[kept].tolist(), values[kept].tolist(), strict=True))
    return [(time.replace(tzinfo=UTC), value) for time, value in dated]
