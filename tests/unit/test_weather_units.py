"""Units of weather in NetCDF, and those that contradict the configuration."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest
import xarray as xr

from test_weather_grids import MONTHS, SITE, TOLERANCE, TP, approx, column, grid, read, times
from test_weather_grids import save as save
from tigerbush.errors import TigerbushError
from tigerbush.weather.netcdf import read_netcdf
from tigerbush.weather.read import read_weather


def test_mean_rate(save):
    """The CDS's monthly means state m although they are m per day."""
    data = grid(MONTHS, column([0.002, 0.003, 0.004]), 280)
    assert read(save(data), "2016-01-01", "2016-03-01", kind="mean_rate") == approx(
        0.002 * 31 + 0.003 * 29, 280
    )
    data.tp.attrs["GRIB_stepType"] = "avgad"
    assert read(save(data), kind="mean_rate") == approx(0.062, 280)


def test_accumulated(save):
    """ERA5-Land: 0.5 mm an hour on the first day and 1 mm on the second, counted from 00 UTC."""
    hour = np.arange(49)
    tp = np.where(hour <= 24, hour * 0.5, (hour - 24) * 1.0) / 1000
    data = grid(times("2016-01-01", 49), column(tp), column(273 + hour), longitude=[10.0, 10.2])
    data["tp"] = data.tp * xr.DataArray([1, 3], dims="longitude")
    data.tp.attrs["units"] = "m"
    path = save(data)
    assert read(path, "2016-01-01", "2016-01-02", kind="accumulated") == approx(0.024, 273 + 11.5)
    assert read(path, "2016-01-02", "2016-01-03", kind="accumulated") == approx(0.048, 273 + 35.5)
    assert read(path, "2016-01-01", "2016-01-03", kind="accumulated") == approx(0.072, 273 + 23.5)
    # the first records are those of the days before
    assert (
        read(save(data.isel(valid_time=slice(0, 48))), "2016-01-02", "2016-01-03", kind="accumulated") is None
    )


@pytest.mark.parametrize(
    ("units", "unit", "kind", "metres"),
    [
        ("m", "m", "sum", 2),
        ("m of water equivalent", "m", "accumulated", 2),
        ("metres", "m", "sum", 2),
        ("mm", "mm", "sum", 0.002),
        ("kg m**-2", "mm", "sum", 0.002),
        ("kg m-2", "mm", "sum", 0.002),
        ("kg/m^2", "mm", "sum", 0.002),
        ("", "mm", "sum", 0.002),
        ("", "m", "mean_rate", 2),
        ("m day-1", "m", "mean_rate", 2),
        ("m of water equivalent per day", "m", "mean_rate", 2),
        ("mm/day", "mm", "mean_rate", 0.002),
        ("mm h-1", "mm", "mean_rate", 0.048),
        ("kg m-2 s-1", "mm", "mean_rate", 172.8),
        ("kg m**-2 s**-1", "mm", "mean_rate", 172.8),
        ("kg/m2/s", "mm", "mean_rate", 172.8),
        ("m s**-1", "m", "mean_rate", 172_800),
    ],
)
def test_units_of_rainfall(save, units, unit, kind, metres):
    """A day whose (mean) rainfall is stored as 2; of a rate per second as 2 in a million."""
    stored = 2e-6 if re.search(r"/s|s\*?\*?-1", units) else 2.0
    clock = times("2016-01-02", 48, 24) if kind == "accumulated" else times("2016-01-01", 48, 24)
    path = save(grid(clock, stored, 280, units=(units, "K")))
    quantity = {"precipitation": TP | {"unit": unit, "kind": kind}}
    period = (datetime(2016, 1, 1, tzinfo=UTC), datetime(2016, 1, 2, tzinfo=UTC))
    samples, _ = read_netcdf(path, quantity, period, SITE)["precipitation"]
    assert samples[0].value * {"m": 1, "mm": 0.001}[unit] == pytest.approx(metres * stored / 2, **TOLERANCE)


@pytest.mark.parametrize(
    ("units", "unit", "kind", "expected"),
    [
        ("m", "mm", "sum", "weather.precipitation.unit is mm; set it to m."),
        ("mm", "m", "sum", "weather.precipitation.unit is m; set it to mm."),
        ("kg m**-2 s**-1", "m", "mean_rate", "weather.precipitation.unit is m; set it to mm."),
        ("m day-1", "m", "sum", "as a rate, but weather.precipitation.kind is sum; set it to mean_rate."),
        (
            "kg m-2 s-1",
            "mm",
            "accumulated",
            "as a rate, but weather.precipitation.kind is accumulated; set it to mean_rate.",
        ),
        (
            "mm",
            "mm",
            "mean_rate",
            "an amount, but weather.precipitation.kind is mean_rate; set it to sum or accumulated.",
        ),
        ("inches", "mm", "sum", "not a known unit of precipitation; convert it to mm."),
        ("mm/fortnight", "mm", "mean_rate", "not a known unit of precipitation; convert it to mm."),
        ("K", "mm", "sum", "not a known unit of precipitation; convert it to mm."),
    ],
)
def test_units_that_contradict_the_configuration(save, units, unit, kind, expected):
    path = save(grid(MONTHS, 2.0, 280, units=(units, "K")))
    with pytest.raises(TigerbushError) as error:
        read(path, unit=unit, kind=kind)
    sentence = str(error.value)
    assert sentence.startswith(f"{path}: variable tp is in {units!r}")
    assert sentence.endswith(expected)


def test_a_mean_is_not_a_sum(save):
    data = grid(MONTHS, 0.002, 280)
    data.tp.attrs["GRIB_stepType"] = "avgad"
    with pytest.raises(TigerbushError, match=r"is in 'm' as a mean, but .*kind is sum; set it to mean_rate"):
        read(save(data))


@pytest.mark.parametrize(
    ("units", "kelvin"), [("K", 280), ("kelvin", 280), ("", 280), ("degC", None), ("1", None)]
)
def test_units_of_temperature(save, units, kelvin):
    path = save(grid(MONTHS, 1, 280, units=("m", units)))
    if kelvin:
        assert read(path) == approx(1, kelvin)
        return
    with pytest.raises(TigerbushError, match=re.escape(f"variable t2m is in {units!r}")):
        read(path)


@pytest.mark.parametrize(
    "units", ["degC", "Celsius", "celsius", "C", "degrees_Celsius", "degree Celsius", "°C"]
)
def test_degrees_celsius(save, units):
    path = save(grid(MONTHS, 1, 7, units=("m", units)))
    weather = read_weather(
        path,
        "2016-01-01",
        "2016-02-01",
        site=SITE,
        date="",
        precipitation=TP,
        temperature={"column": "t2m", "unit": "degC"},
    )
    assert weather == approx(1, 280.15)
    with pytest.raises(TigerbushError, match=r"but weather\.temperature\.unit is K; set it to degC"):
        read(path)
