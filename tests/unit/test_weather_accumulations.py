"""Rainfall accumulated over the day that is taken for sums, and sums that are not."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from grib_files import message
from test_weather import read, table
from test_weather_grids import column, grid, times
from test_weather_grids import read as read_grid
from test_weather_grids import save as save
from tigerbush.errors import TigerbushError

PERIOD = "2016-01-05", "2016-01-15"
RANDOM = np.random.default_rng(7)


def hourly(first="2016-01-01T01:00", days=20, wet=6):
    """Times, and rain of the hours that end then: storms of some hours on every `wet`th part of the days, in mm."""
    begin = datetime.fromisoformat(first)
    clock = [begin + timedelta(hours=hour) for hour in range(24 * days)]
    rain = np.zeros(len(clock))
    for day in range(0, days, max(1, 20 // wet)):
        start = 24 * day + 5 + day % 9
        rain[start : start + 6] = RANDOM.integers(1, 50, 6) / 10
    return clock, rain


def accumulated(clock, rain, reset=0):
    """Rain since an hour of the day."""
    total, result = 0.0, []
    for time, value in zip(clock, rain, strict=True):
        if time.hour == (reset + 1) % 24:
            total = 0.0
        total += value
        result.append(total)
    return np.array(result)


def rows(clock, values, keep=lambda time: True):
    pairs = zip(clock, values, strict=True)
    return [f"{time:%Y-%m-%dT%H:%M},{value:.4f},20" for time, value in pairs if keep(time)]


def refusal(path, kind="sum", unit="mm"):
    with pytest.raises(TigerbushError) as error:
        read(path, *PERIOD, precipitation={"column": "rain", "unit": unit, "kind": kind})
    return str(error.value)


def sentence(path, kind="sum"):
    return (
        f"{path}: rainfall never decreases but after 00:00 UTC, so it looks accumulated over the day, while "
        f"weather.precipitation.kind is {kind}; set weather.precipitation.kind: accumulated."
    )


@pytest.mark.input(
    "Weather",
    "hours of accumulated rain that the configuration takes for sums",
    "refused: set `weather.precipitation.kind: accumulated`",
)
@pytest.mark.parametrize("kind", ["sum", "mean_rate"])
@pytest.mark.parametrize("wet", [3, 6, 20])
def test_accumulated_hours_in_a_table(tmp_path, kind, wet):
    clock, rain = hourly(wet=wet)
    path = table(tmp_path, *rows(clock, accumulated(clock, rain)))
    assert refusal(path, kind) == sentence(path, kind)
    # as what it is, and as sums, it is the same rain
    inside = [datetime(2016, 1, 5) < time <= datetime(2016, 1, 15) for time in clock]
    whole = read(path, *PERIOD, precipitation={"column": "rain", "unit": "mm", "kind": "accumulated"})
    assert whole["total_precipitation"] * 1000 == pytest.approx(rain[inside].sum(), rel=1e-9)
    sums = table(tmp_path, *rows(clock, rain))
    assert read(sums, *PERIOD)["total_precipitation"] > 0


@pytest.mark.parametrize("step", [2, 3, 6])
def test_accumulated_rain_of_several_hours(tmp_path, step):
    clock, rain = hourly(wet=20)
    kept = rows(clock, accumulated(clock, rain), lambda time: time.hour % step == 0)
    path = table(tmp_path, *kept)
    assert refusal(path) == sentence(path)


def test_accumulated_rain_with_gaps(tmp_path):
    """More hours than not are missing, among them the one after each midnight."""
    clock, rain = hourly(wet=20)
    missing = RANDOM.random(len(clock)) < 0.3
    lost = {time for time, gone in zip(clock, missing, strict=True) if gone or time.hour == 1}
    path = table(tmp_path, *rows(clock, accumulated(clock, rain), lambda time: time not in lost))
    assert refusal(path) == sentence(path)


def test_rain_accumulated_since_another_hour(tmp_path):
    """Which only its maker can know; it cannot be read as accumulated either."""
    clock, rain = hourly(wet=20)
    path = table(tmp_path, *rows(clock, accumulated(clock, rain, reset=6)))
    assert refusal(path) == (
        f"{path}: rainfall never decreases but after 06:00 UTC, so it looks accumulated over the day, while "
        "weather.precipitation.kind is sum; take the differences, because only what is accumulated from 00 UTC (kind: "
        "accumulated) can be read."
    )


@pytest.mark.input(
    "Weather",
    "the same in ERA5-Land's NetCDF or GRIB",
    "refused",
)
def test_accumulated_hours_in_netcdf(save):
    clock = times("2016-01-01T01:00", 24 * 20)
    _, rain = hourly()
    tp = accumulated([time.astype("M8[s]").item() for time in clock], rain) / 1000
    path = save(grid(clock, column(tp), 280))
    with pytest.raises(TigerbushError) as error:
        read_grid(path, *PERIOD)
    assert str(error.value) == sentence(path)
    assert read_grid(path, *PERIOD, kind="accumulated")["total_precipitation"] > 0


@pytest.mark.parametrize("edition", [1, 2])
def test_accumulated_hours_in_grib(tmp_path, edition):
    clock, rain = hourly(days=16, wet=20)
    tp = accumulated(clock, rain) / 1000
    messages = []
    for time, value in zip(clock, tp, strict=True):
        hours = time.hour or 24
        start = (time - timedelta(hours=hours)).isoformat()
        messages.append(message("tp", start, [[value]], hours=hours, edition=edition, north=60.0, west=10.0))
        messages.append(message("2t", time.isoformat(), [[280]], edition=edition, north=60.0, west=10.0))
    path = tmp_path / "land.grib"
    path.write_bytes(b"".join(messages))
    with pytest.raises(TigerbushError) as error:
        read_grid(path, *PERIOD)
    assert str(error.value) == sentence(path)


@pytest.mark.parametrize(
    "values",
    [
        lambda clock, rain: rain,
        lambda clock, rain: rain * 0,
        # drizzle without an end
        lambda clock, rain: rain * 0 + 0.1,
        # more in every afternoon, as in the tropics
        lambda clock, rain: np.array([max(0, time.hour - 11) * RANDOM.random() for time in clock]),
        # a single storm until midnight
        lambda clock, rain: np.array([time.hour / 10 if time.day == 9 else 0 for time in clock]),
        # two of them, but short
        lambda clock, rain: np.array([max(0, time.hour - 20) / 10 * (time.day in (6, 9)) for time in clock]),
        # accumulated over two days
        lambda clock, rain: np.cumsum(rain.reshape(-1, 48), axis=1).ravel(),
    ],
    ids=["storms", "drought", "drizzle", "afternoons", "one storm", "two storms", "two days"],
)
def test_what_is_not_taken_for_accumulated(tmp_path, values):
    clock, rain = hourly(wet=20)
    path = table(tmp_path, *rows(clock, values(clock, rain)))
    assert read(path, *PERIOD) is not None


def test_records_of_twelve_hours_say_too_little(tmp_path):
    """More rain in the second half of each day is common."""
    clock, _ = hourly()
    values = [3.0 if time.hour == 0 else 1.0 for time in clock]
    path = table(tmp_path, *rows(clock, values, lambda time: time.hour % 12 == 0))
    assert read(path, *PERIOD)["total_precipitation"] == pytest.approx(0.040)
