"""Rainfall and temperature of a site from gridded data: NetCDF and GRIB as delivered by ECMWF and the CDS."""

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
TOLERANCE = 1e-4  # degrees; coordinates are often float32
SPACING = 0.25  # degrees, assumed for a file with a single grid point: that of ERA5
# 1 kg of rain per square metre is 1 mm
AMOUNTS = {"m": "m", "metre": "m", "meter": "m", "mm": "mm", "millimeter": "mm", "kg m-2": "mm"}
PER_DAY = {"s": 86400, "sec": 86400, "second": 86400, "h": 24, "hr": 24, "hour": 24, "d": 1, "day": 1}
TEMPERATURES = {"k": "K", "kelvin": "K", "c": "degC", "degc": "degC", "celsius": "degC"}


def read_grid(
    path: Path, quantities: Mapping[str, Mapping[str, str]], period: Period, site: Mapping
) -> dict[str, tuple[Series, timedelta]]:
    """Average quantities over the square of a site, record by record.

    The mean of the grid points inside is weighted by cos(latitude); points without a value (the sea in
    ERA5-Land) are left out. When no point lies inside, the nearest one is used. Where a file has both ERA5 and
    the preliminary ERA5T (a dimension `expver`), the first with a value is used.

    Parameters
    ----------
    path : Path
        NetCDF (3 or 4) or GRIB (1 or 2) file on a regular grid of latitude and longitude.
    quantities : mapping of str to dict
        For `precipitation` and `temperature`: `column` (the variable, such as tp or t2m), `unit`, and `kind`.
    period : (datetime, datetime)
        Only the records of this period are read, and those around it that may overlap it.
    site : mapping
        longitude, latitude, and region_size (side of the square in degrees of latitude).

    Returns
    -------
    dict of str to (list of (datetime, float), timedelta)
        For each quantity the records in order of time, in the configured unit (a `mean_rate` per day), and
        the median time step of the whole file. Records without a value are left out.

    Raises
    ------
    TigerbushError
        When the file is damaged, lacks the variable, dates or a regular grid, does not reach the site, or
        states units that contradict the configuration.
    """
    records = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, quantity in quantities.items():
            with _open_variable(path, quantity["column"], scratch) as variable:
                factor = _factor(path, name, quantity, variable.attrs)
                grid = _select_points(path, _regular_grid(path, variable), site)
                with _decoding(path):
                    times = _valid_times(path, grid).load()
                    step = _median_step(times)
                    selected = _select_times(grid, times, period, step).load()
            series = _average(selected, times, factor)
            if selected.size and not series:
                log.warning("%s: %s has no value at the site, as over the sea", path, quantity["column"])
            records[name] = series, step
    return records


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn the decoders' exceptions into a sentence, except for faults of the machine."""
    try:
        yield
    except TigerbushError:
        raise
    except Exception as error:
        # the NetCDF library's own error numbers are negative
        if machine_fault(error, path) or (isinstance(error, OSError) and (error.errno or 0) > 0):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise TigerbushError(f"{path} cannot be read ({reason}); download it again.") from error


@contextmanager
def _open_variable(path: Path, column: str, scratch: str) -> Iterator[xr.DataArray]:
    """Yield a variable, which is read lazily."""
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
    # The NetCDF library reads the missing end of a truncated NetCDF-3 file as zeros. The engine is given as a
    # class, because a name makes xarray import all its backends.
    engine = xr.backends.ScipyBackendEntrypoint if classic else xr.backends.NetCDF4BackendEntrypoint
    dataset = xr.open_dataset(path, engine=engine, decode_timedelta=False)
    return dataset, list(dataset.data_vars)


def _open_grib(path: Path, column: str, scratch: str) -> tuple[xr.Dataset, list[str]]:
    """Open the messages of one variable by their valid time, whatever their step.

    Variables of a file may have different times, so each is opened separately; they share an index in
    `scratch`, because none may be written beside the file. Also returns the names of all variables.
    """
    # imported here because it needs the ecCodes library
    from cfgrib import DatasetBuildError, FileStream, compute_index_keys
    from cfgrib.dataset import open_fileindex
    from cfgrib.xarray_plugin import CfGribBackend

    logging.getLogger("cfgrib").setLevel(logging.CRITICAL)  # our own sentences report its errors
    times, index, wanted = ("valid_time",), f"{scratch}/{{short_hash}}", {"cfVarName": column}
    stream = FileStream(str(path), errors="raise")
    names = open_fileindex(stream, index, compute_index_keys(times, filter_by_keys=wanted))["cfVarName"]
    options = {"indexpath": index, "time_dims": times, "filter_by_keys": wanted, "errors": "raise"}
    try:
        return xr.open_dataset(path, engine=CfGribBackend, decode_timedelta=False, **options), names
    except DatasetBuildError as error:
        key = (*error.args[1:], "its keys")[0]
        raise TigerbushError(
            f"{path} has {column} more than once, with different values of {key}; keep one."
        ) from None


def _factor(path: Path, name: str, quantity: Mapping[str, str], attributes: Mapping) -> float:
    """Return the factor that converts the values of a variable to the configured unit (per day for a mean_rate).

    ECMWF's monthly means state m although they are per day, so metres do not contradict a mean_rate. When
    a file states no units, those of the configuration are assumed.
    """
    units = str(attributes.get("units", ""))
    subject = f"{path}: variable {quantity['column']} is in {units!r}"
    amount, per = _parse_units(units)
    if amount in ("", "unknown"):
        return 1.0
    is_rainfall = name == "precipitation"
    unit = (AMOUNTS if is_rainfall else TEMPERATURES).get(amount)
    if unit is None or (per and (not is_rainfall or per not in PER_DAY)):
        raise TigerbushError(f"{subject}, not a known unit of {name}; convert it to {quantity['unit']}.")
    if unit != quantity["unit"]:
        raise TigerbushError(f"{subject}, but weather.{name}.unit is {quantity['unit']}; set it to {unit}.")
    if not is_rainfall:
        return 1.0
    kind = quantity["kind"]
    conflict = f"but weather.precipitation.kind is {kind}; set it to"
    if kind != "mean_rate" and (per or str(attributes.get("GRIB_stepType")).startswith("avg")):
        raise TigerbushError(f"{subject} as a {'rate' if per else 'mean'}, {conflict} mean_rate.")
    if kind == "mean_rate" and not per and unit != "m":
        raise TigerbushError(f"{subject}, an amount, {conflict} sum or accumulated.")
    return float(PER_DAY[per]) if per else 1.0


def _parse_units(text: str) -> tuple[str, str | None]:
    """Split units into amount and time: `mm`, `day` for mm/day; `kg m-2`, `s` for kg m**-2 s**-1."""
    text = re.sub(r"of water equivalent|degrees?[ _]|(?<=met[er]{2})s|\*\*|\^|°", "", text.lower()).replace(
        " per ", "/"
    )
    text = re.sub(r"/ *([a-z]+)([0-9]?)", lambda part: f" {part[1]}-{part[2] or 1}", text.replace("_", " "))
    amount, per = re.fullmatch(r"(.*?)(?: ([a-z]+)-1)?", " ".join(text.split())).groups()
    return amount, per


def _regular_grid(path: Path, variable: xr.DataArray) -> xr.DataArray:
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


def _select_points(path: Path, grid: xr.DataArray, site: Mapping) -> xr.DataArray:
    """Select the grid points in the square of a site, or the nearest one."""
    north = grid[LATITUDE].values.astype(float) - site["latitude"]
    # -180 and 180 are the same meridian, and so are 0 and 360
    east = (grid[LONGITUDE].values.astype(float) - site["longitude"] + 180) % 360 - 180
    for axis, distances in ((LATITUDE, north), (LONGITUDE, east)):
        steps = np.diff(np.unique(distances))
        spacing = np.median(steps) if steps.size else SPACING
        if not np.abs(distances).min(initial=np.inf) <= spacing + TOLERANCE:
            values = np.sort(grid[axis].values)
            covered = f"{axis} {values[0]} to {values[-1]}" if values.size else "no grid points"
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
        rows, columns = [np.abs(north).argmin()], [np.abs(east).argmin()]
    return grid.isel({LATITUDE: rows, LONGITUDE: columns})


def _valid_times(path: Path, grid: xr.DataArray) -> xr.DataArray:
    """Return the coordinate of the times at which the values are valid."""
    for name in ("valid_time", "time"):
        times = grid.coords.get(name)
        axes = {LATITUDE, LONGITUDE, VERSION, *(() if times is None else times.dims)}
        if times is not None and times.dtype.kind == "M" and axes.issuperset(grid.dims):
            return times
    raise TigerbushError(
        f"{path}: variable {grid.name} needs dates (valid_time or time) and no dimensions other than these and the "
        f"grid, but has {', '.join(f'{axis} ({size})' for axis, size in grid.sizes.items())}; correct the file."
    )


def _to_seconds(times: xr.DataArray) -> np.ndarray:
    """Round times to the second, because hours stored as fractions of a day are not exact."""
    return (times.values + np.timedelta64(500, "ms")).astype("datetime64[s]")


def _median_step(times: xr.DataArray) -> timedelta:
    steps = np.diff(np.unique(_to_seconds(times)))
    steps = np.sort(steps[~np.isnat(steps)])
    return steps[(steps.size - 1) // 2].item() if steps.size else DAY


def _select_times(grid: xr.DataArray, times: xr.DataArray, period: Period, step: timedelta) -> xr.DataArray:
    """Select the records of a period, and those before and after that may overlap it."""
    margin = np.timedelta64(min(max(step, DAY), 31 * DAY))
    low, high = (np.datetime64(time.replace(tzinfo=None), "s") for time in period)
    inside = (_to_seconds(times) >= low - margin) & (_to_seconds(times) <= high + margin)
    for i, axis in enumerate(times.dims):
        kept = np.flatnonzero(inside.any(axis=tuple(j for j in range(inside.ndim) if j != i)))
        grid = grid.isel({axis: slice(kept[0], kept[-1] + 1) if kept.size else slice(0)})
    return grid


def _average(grid: xr.DataArray, times: xr.DataArray, factor: float) -> Series:
    """Average the grid points of each record."""
    if VERSION in grid.dims:
        order = np.argsort(grid[VERSION].values)
        grid = reduce(xr.DataArray.fillna, (grid.isel({VERSION: i}, drop=True) for i in order))
    # values as large as this are undeclared fill values
    grid = grid.astype(float).where(abs(grid) < 1e9)
    weights = np.cos(np.deg2rad(grid[LATITUDE].astype(float)))
    means = grid.weighted(weights).mean((LATITUDE, LONGITUDE)).transpose(*times.dims)
    seconds = _to_seconds(grid[times.name]).ravel()
    values = means.values.ravel() * factor
    valid = ~np.isnat(seconds) & np.isfinite(values)
    dated = sorted(zip(seconds[valid].tolist(), values[valid].tolist(), strict=True))
    return [(time.replace(tzinfo=UTC), value) for time, value in dated]
