"""Values that are possible, those that stand for none, and those that are refused, in every format."""

import json
from datetime import timedelta

import numpy as np
import pytest

from test_weather import approx, pyveg, read, table
from test_weather_grids import MONTHS, column, grid, times
from test_weather_grids import read as read_grid
from test_weather_grids import save as save
from tigerbush.errors import TigerbushError
from tigerbush.weather.plausible import is_fill_value, limits_of, possible_value

DAY = timedelta(days=1)
JANUARY = "2016-01-01", "2016-02-01"


def rain(unit="mm", kind="sum"):
    return {"unit": unit, "kind": kind}


@pytest.mark.parametrize(
    ("quantity", "days", "high"),
    [
        # 2 m a day, 10 m a month, in proportion for longer records
        (rain(), 1, 2000),
        (rain("m"), 1, 2),
        (rain(), 1 / 24, 2000),
        (rain(), 3, 6000),
        (rain(), 5, 10_000),
        (rain(), 31, 10_000),
        (rain(), 62, 20_000),
        (rain(kind="mean_rate"), 31, 2000),
        (rain(kind="accumulated"), 1 / 24, 2000),
    ],
)
def test_the_most_rain(quantity, days, high):
    limits = limits_of("precipitation", quantity, timedelta(days=days))
    assert (limits.low, limits.high) == (0, pytest.approx(high))
    assert possible_value(high * 0.9999, limits) == high * 0.9999
    with pytest.raises(ValueError, match="is not a possible rainfall"):
        possible_value(high * 1.0001, limits)


@pytest.mark.parametrize(("unit", "low", "high"), [("K", 180, 340), ("degC", -93.15, 66.85)])
def test_temperatures(unit, low, high):
    limits = limits_of("temperature", {"unit": unit}, DAY)
    assert [possible_value(value, limits) for value in (low, 0.5 * (low + high), high)] == [
        low,
        0.5 * (low + high),
        high,
    ]
    for value in (low - 0.01, high + 0.01):
        with pytest.raises(ValueError, match=f"^{value:g} {unit} is not a possible temperature"):
            possible_value(value, limits)


@pytest.mark.parametrize(("unit", "factor"), [("m", 1), ("mm", 1000)])
def test_noise_of_packed_rain(unit, factor):
    limits = limits_of("precipitation", rain(unit), DAY)
    assert [possible_value(value * factor, limits) for value in (-1e-6, -1e-9, 0.0, 1e-9)] == [
        0,
        0,
        0,
        1e-9 * factor,
    ]
    with pytest.raises(ValueError, match="is not a possible rainfall"):
        possible_value(-1.1e-6 * factor, limits)
    # half a step of coarsely packed numbers
    coarse = limits_of("precipitation", rain(unit), DAY, packing_step=1e-5 * factor)
    assert possible_value(-5e-6 * factor, coarse) == 0


@pytest.mark.parametrize("value", [-99, -99.9, -999, -999.9, -9999, -9999.9, -99999, 999.9, 9999, -32768, 1e9, -1e20, 9.96921e36, float("nan"), float("inf")])  # fmt: skip
def test_fill_values(value):
    assert is_fill_value(value)
    assert is_fill_value(float(np.float32(value)))


@pytest.mark.parametrize("value", [-1, -50, -98, -100, 99, 99.9, -273.15, 1000, 32766, -9998])
def test_numbers_that_are_no_fill_values(value):
    assert not is_fill_value(value)


def test_a_fill_value_that_is_possible_is_data():
    limits = limits_of("precipitation", rain(), 31 * DAY)
    assert [possible_value(value, limits) for value in (999, 9999, 99999)] == [999, 9999, None]


def refusal(read_it, *arguments, **options):
    with pytest.raises(TigerbushError) as error:
        read_it(*arguments, **options)
    return str(error.value)


@pytest.mark.input(
    "Weather",
    "rain below zero or above 2 m a day, temperatures below 180 K or above 340 K, in a table",
    "refused, with the line",
)
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("-0.5,20", "-0.5 mm is not a possible rainfall (from 0 to 10000 mm a record); correct it or weather.precipitation.unit"),
        ("10001,20", "10001 mm is not a possible rainfall (from 0 to 10000 mm a record); correct it or weather.precipitation.unit"),
        # kelvin taken for degrees Celsius, and a slip
        ("1,288.5", "288.5 degC is not a possible temperature (from -93.15 to 66.85 degC a record); correct it or weather.temperature.unit"),
        ("1,-200", "-200 degC is not a possible temperature (from -93.15 to 66.85 degC a record); correct it or weather.temperature.unit"),
    ],
)  # fmt: skip
def test_impossible_values_of_tables(tmp_path, row, reason):
    """Wherever they are in the file: a wrong unit would be wrong everywhere."""
    path = table(tmp_path, "2016-01,1,20", "2016-02,1,20", f"2016-03,{row}")
    assert refusal(read, path, *JANUARY) == f"{path}, line 4: {reason}, or leave it empty if it is missing."


def test_degrees_celsius_taken_for_kelvin(tmp_path):
    path = table(tmp_path, "2016-01,1,20")
    quantity = {"column": "warmth", "unit": "K"}
    assert refusal(read, path, *JANUARY, temperature=quantity) == (
        f"{path}, line 2: 20 K is not a possible temperature (from 180 to 340 K a record); correct it or "
        "weather.temperature.unit, or leave it empty if it is missing."
    )


def test_rain_of_a_period_beyond_what_is_possible(tmp_path):
    """Each hour by itself might be: drizzle in mm taken for metres."""
    rows = [f"2016-01-{day:02}T{hour:02}:00,{hour % 3 / 10},20" for day in (1, 2, 3) for hour in range(24)]
    path = table(tmp_path, *rows)
    quantity = {"column": "rain", "unit": "m", "kind": "sum"}
    assert refusal(read, path, "2016-01-01", "2016-01-03", precipitation=quantity) == (
        f"{path}: 4.8 m of rain from 2016-01-01 to 2016-01-03 is not possible; correct weather.precipitation.unit and kind."
    )


@pytest.mark.input(
    "Weather",
    "the same in NetCDF or GRIB",
    "refused, with the time",
)
@pytest.mark.parametrize(
    ("tp", "t2m", "reason"),
    [
        (-0.01, 280, "-0.01 m is not a possible rainfall (from 0 to 10 m a record); correct it or weather.precipitation.unit"),
        (11, 280, "11 m is not a possible rainfall (from 0 to 10 m a record); correct it or weather.precipitation.unit"),
        (0.01, 15, "15 K is not a possible temperature (from 180 to 340 K a record); correct it or weather.temperature.unit"),
        (0.01, 0, "0 K is not a possible temperature (from 180 to 340 K a record); correct it or weather.temperature.unit"),
    ],
)  # fmt: skip
def test_impossible_values_of_grids(save, tp, t2m, reason):
    path = save(grid(MONTHS, column([0.01, tp, 0.01]), column([280, t2m, 280])))
    assert refusal(read_grid, path, "2016-01-01", "2016-03-01") == (
        f"{path}, 2016-02-01 00:00: {reason}, or leave it empty if it is missing."
    )


@pytest.mark.input(
    "Weather",
    "a grid with -9999 or 1e20 that it does not declare as fill values",
    "these points are missing",
)
@pytest.mark.parametrize("fill", [-999, -9999, -32768, 9.96921e36, 1e20])
def test_undeclared_fill_values_of_grids(save, fill, caplog):
    """At a point it is left out, in all of them the record is missing; also where rates are converted."""
    data = grid(MONTHS, [[2e-8, fill]], 280, longitude=[9.9, 10.1], units=("kg m-2 s-1", "K"))
    assert read_grid(save(data), unit="mm", kind="mean_rate")["total_precipitation"] == pytest.approx(
        2e-8 * 86.4 * 31, rel=1e-6
    )
    path = save(grid(MONTHS, column([0.01, fill, 0.01]), 280))
    assert read_grid(path, "2016-01-01", "2016-03-01") is None
    assert caplog.messages == [
        f"{path} does not cover the period from 2016-01-01 to 2016-03-01: rainfall is first missing from 2016-02-01 00:00 "
        "to 2016-03-01 00:00 UTC (its record has no value, or a fill value); the weather is null"
    ]


@pytest.mark.input(
    "Weather",
    "tiny negative rain of packed numbers",
    "0",
)
def test_noise_of_packed_grids_is_no_rain(save):
    data = grid(times("2016-01-01", 48, 24), column([-4e-7, 0.01]), 280)
    assert read_grid(save(data), "2016-01-01", "2016-01-02")["total_precipitation"] == 0
    packing = {"dtype": "i2", "scale_factor": 1e-5, "add_offset": 0.099996, "_FillValue": -32767}
    path = save(data, encoding={"tp": packing})
    # the nearest packed number is -4e-6 m
    assert read_grid(path, "2016-01-01", "2016-01-02")["total_precipitation"] == 0


@pytest.mark.parametrize("value", [-999, -9999.0, 1e20, float("nan"), 10**400])
def test_fill_values_of_pyveg(tmp_path, value, caplog):
    record = {"total_precipitation": value, "mean_2m_air_temperature": 300}
    path = pyveg(tmp_path, json.dumps({"2017-01-16": record}))
    assert read(path, "2017-01-01", "2017-02-01") is None
    assert caplog.messages == [
        f"{path} does not cover the period from 2017-01-01 to 2017-02-01: it has no value for 2017-01-16; the weather is "
        "null"
    ]


def test_impossible_values_of_pyveg(tmp_path):
    record = {"total_precipitation": 0.1, "mean_2m_air_temperature": 26.85}
    path = pyveg(tmp_path, {"2017-01-16": record})
    assert refusal(read, path, "2017-01-01", "2017-02-01") == (
        f"{path}: mean_2m_air_temperature of 2017-01-16: 26.85 K is not a possible temperature (from 180 to 340 K a "
        "record); correct it or weather.temperature.unit, or leave it empty if it is missing."
    )
    path = pyveg(tmp_path, {"2017-01-16": record | {"mean_2m_air_temperature": 300}})
    assert read(path, "2017-01-01", "2017-02-01") == approx(0.1, 300)
