"""Weather files with random damage: read, or refused in one sentence; never another exception."""

import json

import numpy as np
import pytest

from grib_files import message
from test_weather_grids import MONTHS, column, grid
from tigerbush.errors import TigerbushError
from tigerbush.weather.read import read_weather

SITE = {"longitude": 10.0, "latitude": 60.0, "region_size": 0.5}
DAMAGES = 60


def table():
    rows = [f"2016-{month:02},{month},{5.5 * month}" for month in range(1, 13)]
    return "\n".join(["date,tp,t2m", *rows]).encode()


def netcdf(tmp_path, format):
    path = tmp_path / "written.nc"
    grid(MONTHS, column([0.01, 0.02, 0.03]), 280).to_netcdf(path, format=format, engine="netcdf4")
    return path.read_bytes()


def grib(edition):
    return b"".join(
        message(name, f"2016-{month:02}-01", np.full((3, 3), value), edition=edition)
        for month in (1, 2, 3)
        for name, value in (("tp", 0.01), ("2t", 280))
    )


def damaged(content, random):
    """Some bytes are changed, lost or added."""
    content = bytearray(content)
    for _ in range(random.integers(1, 5)):
        place = int(random.integers(len(content))) if content else 0
        match random.integers(4):
            case 0:
                content[place : place + 1] = random.bytes(1)
            case 1:
                del content[place : place + int(random.integers(1, 200))]
            case 2:
                content[place:place] = random.bytes(int(random.integers(1, 50)))
            case 3:
                content[place : place + 8] = b"\xff" * 8
    return bytes(content)


@pytest.mark.parametrize(
    ("suffix", "write", "units"),
    [
        (".csv", lambda _: table(), ("mm", "degC")),
        (".json", lambda _: json.dumps({"2016-01-16": {"total_precipitation": 1, "mean_2m_air_temperature": 300}}).encode(), ("m", "K")),
        *((".nc", lambda folder, format=format: netcdf(folder, format), ("m", "K")) for format in ("NETCDF3_64BIT", "NETCDF3_64BIT_DATA", "NETCDF4")),
        *((".grib", lambda _, edition=edition: grib(edition), ("m", "K")) for edition in (1, 2)),
    ],
    ids=["table", "json", "classic", "cdf5", "netcdf4", "grib1", "grib2"],
)  # fmt: skip
def test_damaged_files(tmp_path, suffix, write, units):
    random = np.random.default_rng(22)
    content, path, refused = write(tmp_path), tmp_path / f"weather{suffix}", 0
    quantities = {
        "precipitation": {"column": "tp", "unit": units[0], "kind": "sum"},
        "temperature": {"column": "t2m", "unit": units[1]},
    }
    for _ in range(DAMAGES):
        path.write_bytes(damaged(content, random))
        try:
            read_weather(path, "2016-01-01", "2016-02-01", site=SITE, date="date", **quantities)
        except TigerbushError as error:
            refused += 1
            assert str(error).startswith(str(path))
            assert len(str(error)) < 600
            assert str(error).isprintable()
    assert refused > DAMAGES / 2
    path.write_bytes(content)
    assert read_weather(path, "2016-01-01", "2016-02-01", site=SITE, date="date", **quantities) is not None
