"""Rainfall and temperature at a site from grids: NetCDF and GRIB as ECMWF and the CDS deliver them."""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import xarray as xr

from tigerbush.errors import TigerbushError
from tigerbush.weather import DAY, Period, Quantities, Sample

log = logging.getLogger(__name__)

LATITUDE, LONGITUDE, VERSION = "latitude", "longitude", "expver"
ALIASES = {"lat": LATITUDE, "lon": LONGITUDE}
# degrees: coordinates are often float32
CLOSE = 1e-4
# degrees between the points of a file that has only one: ERA5's
STEP = 0.25
# a kilogram of rain on a square metre is 1 mm
AMOUNTS = {
    "m": "m",
    "metre": "m",
    "meter": "m",
    "mm": "mm",
    "millimetre": "mm",
    "millimeter": "mm",
    "kg m-2": "mm",
}
PER_DAY = {"s": 86400, "sec": 86400, "second": 86400, "h": 24, "hr": 24, "hour": 24, "d": 1, "day": 1}
TEMPERATURES = {
    "k": "K",
    "kelvin": "K",
    "c": "degC",
    "degc": "degC",
    "celsius": "degC",
    "degree celsius": "degC",
}
# bytes of the types of NetCDF-3
SIZES = (0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8)


def read_grid(
    path: Path, quantities: Quantities, period: Period, site: Mapping
) -> dict[str, tuple[list[Sample], timedelta]]:
    """Average quantities over the square of a site, record by record.

    The mean of the grid points inside the square is weighted by cos(latitude); points without a value
    (the sea in ERA5-Land) are left out. When no point lies inside, the nearest one counts. Of ERA5 and
    the preliminary ERA5T (a dimension `expver`) the first that has a value counts.

    Parameters
    ----------
    path : Path
        NetCDF (3 or 4) or GRIB (1 or 2) file on a regular grid of latitude and longitude.
    quantities : mapping of str to dict
        `column` (the variable, for example tp or t2m), `unit` and, for rainfall, `kind`, by
        `precipitation` and `temperature`.
    period : (datetime, datetime)
        Only the records of this time are read, and those around it that may matter.
    site : mapping
        longitude, latitude, and region_size (side of the square in degrees of latitude).

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
                grid = _near(path, _regular(path, variable), site)
                clock = _clock(path, grid)
                times = _seconds(clock)
                step = np.diff(np.unique(times[~np.isnat(times)])).min(initial=np.timedelta64(DAY, "s"))
                with _decoding(path):
                    part = _within(grid, clock, period, step).load()
            samples = _samples(part, clock, factor)
            if part.size and not samples:
                log.warning("%s: %s has no value at the site, as over the sea", path, quantity["column"])
            found[name] = samples, step.item()
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
            dataset = _open_netcdf(path)
        else:
            dataset = _open_grib(path, column, scratch)
    with dataset:
        if column not in dataset.data_vars:
            names = dataset.attrs.get(VARIABLES) or dataset.data_vars
            raise TigerbushError(
                f"{path} has no variable {column!r}; its variables are {', '.join(map(repr, names))[:200]}: correct "
                "the names under weather in the configuration."
            )
        yield dataset[column]
