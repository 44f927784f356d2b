"""Rows for the weather of a date, from long files."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import netCDF4
import numpy as np

from bench.runs import start_python
from bench.table import Row, cpu_seconds
from tigerbush.weather.read import read_weather

SITE = {"longitude": 2.24, "latitude": 13.17, "region_size": 0.1}
PERIOD = "2017-01-01", "2017-02-01"
RAIN = {"column": "tp", "unit": "m", "kind": "sum"}
WARMTH = {"column": "t2m", "unit": "K"}


def series(hours: int) -> tuple[list[datetime], np.ndarray, np.ndarray]:
    """Return hours from 2016-01-01 on, showers in metres and temperatures in kelvin."""
    random = np.random.default_rng(0)
    clock = [datetime(2016, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(hours)]
    return clock, np.maximum(random.normal(-5e-4, 1e-3, hours), 0), random.normal(300, 4, hours)


def write_table(path: Path, hours: int) -> None:
    """Write a CSV file with the layout of the CDS's time series."""
    rows = zip(*series(hours), strict=True)
    lines = (f"{time:%Y-%m-%d %H:%M:%S},{rain:.6e},{warmth:.3f}\n" for time, rain, warmth in rows)
    path.write_text("valid_time,tp,t2m\n" + "".join(lines))


def write_netcdf(path: Path, hours: int) -> None:
    """Write a NetCDF file of 5 x 5 points."""
    _, rain, warmth = series(hours)
    with netCDF4.Dataset(path, "w") as file:
        axes = {
            "valid_time": np.arange(hours),
            "latitude": 13.37 - np.arange(5) / 10,
            "longitude": 2 + np.arange(5) / 10,
        }
        for name, values in axes.items():
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", name)[:] = values
        file["valid_time"].units = "hours since 2016-01-01"
        for name, values, units in (("tp", rain, "m"), ("t2m", warmth, "K")):
            variable = file.createVariable(name, "f4", tuple(axes))
            variable[:], variable.units = np.broadcast_to(values[:, None, None], (hours, 5, 5)), units


def read(path: Path) -> dict[str, float]:
    """Read a month."""
    return read_weather(path, *PERIOD, site=SITE, date="valid_time", precipitation=RAIN, temperature=WARMTH)


def by_pandas(path: Path) -> tuple[float, float]:
    """Read the same month from a table, without any check."""
    import pandas as pd

    table = pd.read_csv(path, parse_dates=["valid_time"], index_col="valid_time")
    month = table[PERIOD[0] : datetime.fromisoformat(PERIOD[1]) - timedelta(hours=1)]
    return month.tp.sum(), month.t2m.mean()


def by_xarray(path: Path) -> tuple[float, float]:
    """Read the same month from NetCDF, without any check."""
    import xarray as xr

    with xr.open_dataset(path, engine="netcdf4") as dataset:
        points = dataset.sel(valid_time=slice(PERIOD[0], "2017-01-31T23"), latitude=slice(13.23, 13.11))
        means = points.sel(longitude=slice(2.18, 2.3)).mean(("latitude", "longitude"))
        return float(means.tp.sum()), float(means.t2m.mean())


def weather(small: bool) -> Iterator[Row]:
    """Measure a month of 5 years by the hour, from a table and from NetCDF."""
    hours, repeats = (24 * 400, 1) if small else (24 * 1827, 5)
    with tempfile.TemporaryDirectory() as name:
        for kind, write, reference in (
            ("CSV", write_table, by_pandas),
            ("NetCDF", write_netcdf, by_xarray),
        ):
            path = Path(name) / f"hours.{'nc' if kind == 'NetCDF' else 'csv'}"
            write(path, hours)
            own, other = cpu_seconds(partial(read, path), partial(reference, path), repeats=repeats)
            library = reference.__name__.removeprefix("by_")
            # each job reads one month
            loading = start_python(f"import {library}", repeats)[0] - start_python("", repeats)[0]
            remark = f"{library}, unchecked: {other * 1000:.1f} ms, and {loading * 1000:.0f} ms to import it"
            yield Row(f"weather of a month, of {hours:,} hours of {kind}", own, remark)
