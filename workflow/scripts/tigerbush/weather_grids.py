"""Rainfall and temperature at a site from grids: NetCDF and GRIB as ECMWF and the CDS deliver them."""

import math
import re
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, timedelta
from functools import reduce
from pathlib import Path

import numpy as np
import xarray as xr

from tigerbush.errors import TigerbushError
from tigerbush.weather import DAY, MONTH, Period, Quantities, Sample

LATITUDE, LONGITUDE, VERSION = "latitude", "longitude", "expver"
ALIASES = {"lat": LATITUDE, "lon": LONGITUDE}
# degrees: coordinates are often float32
CLOSE = 1e-4
# degrees between the points of a file that has only one: ERA5's
STEP = 0.25

AMOUNTS = {"m": "m", "metre": "m", "meter": "m", "mm": "mm", "millimetre": "mm", "millimeter": "mm", "kg m-2": "mm"}
PER_DAY = {"s": 86400, "h": 24, "hr": 24, "hour": 24, "d": 1, "day": 1}
TEMPERATURES = {"k": "K", "kelvin": "K", "c": "degC", "degc": "degC", "celsius": "degC", "degrees celsius": "degC"}


def read_grid(
    path: Path, quantities: Quantities, period: Period, site: Mapping
) -> dict[str, tuple[list[Sample], timedelta]]:
    """Average quantities over the square of a site, record by record.

    The mean of the grid points inside the square is weighted by cos(latitude); points without a value
    (the sea in ERA5-Land) are left out. When no point lies inside, the nearest one counts. Of ERA5 and
    its preliminary ERA5T (dimension `expver`), the first that has a value counts.

    Parameters
    ----------
    path : Path
        NetCDF (3 or 4) or GRIB (1 or 2) file on a regular grid of latitude and longitude.
    quantities : mapping of str to dict
        `column` (the variable, for example tp or t2m), `unit` and, for rainfall, `kind`, by
        `precipitation` and `temperature`.
    period : (datetime, datetime)
        Only the records of this time, and those around that matter to it, are read.
    site : mapping
        longitude, latitude (degrees), and region_size (side of the square in degrees of latitude).

    Returns
    -------
    dict of str to (list of Sample, timedelta)
        Per quantity the samples in order of time, in the configured unit (a `mean_rate` per day), and
        the shortest step of the whole file. Records without a value are not there.

    Raises
    ------
    TigerbushError
        When the file is damaged, has no such variable, no dates or no regular grid, does not reach the
        site, or states units that contradict the configuration.
    """
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, quantity in quantities.items():
            with _opened(path, quantity["column"], scratch) as variable:
                factor = _factor(path, name, quantity, variable.attrs)
                grid = _regular(path, variable)
                clock = _times(path, grid)
                step = _shortest(clock)
                margin = min(max(step, DAY), MONTH + 3 * DAY)
                part = _within(_near(path, grid, site), clock, period[0] - margin, period[1] + margin)
                with _decoding(path):
                    part = part.load()
            found[name] = _samples(part, clock.name, factor), step
    return found


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turn what the decoders raise into a sentence; trouble of the machine passes."""
    try:
        yield
    except (TigerbushError, MemoryError):
        raise
    except Exception as error:
        # NetCDF numbers its own errors below zero
        if isinstance(error, OSError) and (error.errno or 0) > 0:
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise TigerbushError(f"{path} cannot be read ({reason}); download it again.") from error


@contextmanager
def _opened(path: Path, column: str, scratch: str) -> Iterator[xr.DataArray]:
    """Yield a variable; only what is selected of it will be read."""
    with _decoding(path):
        if path.suffix.lower() in (".nc", ".nc4"):
            _check_length(path)
            dataset = xr.open_dataset(path, engine="netcdf4", decode_timedelta=False)
            names = list(dataset.data_vars)
        else:
            dataset, names = _open_grib(path, column, scratch)
    with dataset:
        if column not in dataset.data_vars:
            raise TigerbushError(
                f"{path} has no variable {column!r}; its variables are {', '.join(map(repr, names))[:200]}: correct "
                "the names under weather in the configuration."
            )
        yield dataset[column]


def _open_grib(path: Path, column: str, scratch: str) -> tuple[xr.Dataset, list[str]]:
    """Open the messages of one variable by the times they are valid at; list all variables.

    Variables of one file may differ in times, so each is opened by itself; the index is made once, in
    `scratch`.
    """
    options = {"indexpath": f"{scratch}/{{short_hash}}", "time_dims": ("valid_time",), "errors": "raise"}
