"""Valid weather files of each format, and their reading as the job does it."""

from pathlib import Path

import netCDF4
import numpy as np

from grib_files import message
from tigerbush.weather.read import read_weather

SITE = {"longitude": 10.0, "latitude": 60.0, "region_size": 0.5}
MONTHS = (1, 2, 3)
RAIN, WARMTH = 0.01, 280.0
TABLE = "date,tp,t2m\n" + "".join(f"2016-{month:02},{RAIN * month},{WARMTH}\n" for month in range(1, 13))
HOURS = [f"2016-01-{day:02} {hour:02}:00" for day in range(1, 4) for hour in range(24)]
HOURLY = "date;tp;t2m\n" + "".join(f"{hour};0,00{i % 4};{WARMTH:.0f}\n" for i, hour in enumerate(HOURS))
PYVEG = {"2016-01-16": {"total_precipitation": RAIN, "mean_2m_air_temperature": WARMTH}}


def netcdf(folder: Path, format: str) -> bytes:
    """Return a file of three months on 3 x 3 points, packed."""
    path = folder / "written.nc"
    with netCDF4.Dataset(path, "w", format=format) as file:
        axes = {
            "time": np.array([0.0, 31, 60]),
            "latitude": 60.25 - np.arange(3) / 4,
            "longitude": 9.75 + np.arange(3) / 4,
        }
        for name, values in axes.items():
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
        file["time"].units, file["time"].calendar = "days since 2016-01-01", "standard"
        for name, value, units in (("tp", RAIN, "m"), ("t2m", WARMTH, "K")):
            variable = file.createVariable(name, "i2", tuple(axes), fill_value=-32767)
            variable.units, variable.scale_factor, variable.add_offset = units, value / 1000, value
            variable[:] = np.full((3, 3, 3), value)
    return path.read_bytes()


def grib(edition: int) -> bytes:
    """Return three months on 3 x 3 points."""
    return b"".join(
        message(name, f"2016-{month:02}-01", np.full((3, 3), value), edition=edition)
        for month in MONTHS
        for name, value in (("tp", RAIN), ("2t", WARMTH))
    )


def read_january(path: Path) -> None:
    """Read rain and temperature of a month."""
    rain, warmth = {"column": "tp", "unit": "m", "kind": "sum"}, {"column": "t2m", "unit": "K"}
    read_weather(
        path, "2016-01-01", "2016-02-01", site=SITE, date="date", precipitation=rain, temperature=warmth
    )
