"""Weather grids at their limits: points at the edge of the square, distant sites, odd steps, spellings of units."""

from datetime import UTC, datetime, timedelta
from math import cos, radians

import numpy as np
import pytest

from test_weather_grids import MONTHS, SITE, T2M, TP, column, grid, times
from tigerbush.errors import TigerbushError
from tigerbush.weather.netcdf import read_netcdf
from tigerbush.weather.units import parse_units

JANUARY = datetime(2016, 1, 1, tzinfo=UTC), datetime(2016, 2, 1, tzinfo=UTC)


@pytest.fixture
def samples(tmp_path):
    """Rainfall records of a dataset, and its median step."""

    def read(dataset, site=SITE, period=JANUARY, **quantity):
        path = tmp_path / "a.nc"
        dataset.to_netcdf(path, engine="netcdf4")
        return read_netcdf(path, {"precipitation": TP | quantity}, period, site)["precipitation"]

    return read


def first(result):
    return result[0][0][1]


@pytest.mark.parametrize(("beyond", "inside"), [(-0.00009, True), (0.00009, True), (0.00011, False)])
def test_points_at_the_border_of_the_square(samples, beyond, inside):
    """Half a square of 0.5 degrees is 0.25 degrees of latitude, and twice that in longitude at 60 N."""
    north = 60.25 + beyond
    data = grid(MONTHS, [[1], [8]], 280, latitude=[north, 60.0])
    weights = cos(radians(north)), cos(radians(60))
    expected = (weights[0] + 8 * weights[1]) / sum(weights) if inside else 8
    assert first(samples(data)) == pytest.approx(expected, rel=1e-6)
    data = grid(MONTHS, [[8, 1]], 280, longitude=[10.0, 10 + 0.25 / cos(radians(60)) + beyond])
    assert first(samples(data)) == pytest.approx(4.5 if inside else 8, rel=1e-6)


@pytest.mark.parametrize(
    ("latitudes", "site", "reached"),
    [
        # a single point stands for a quarter of a degree
        ([60.25009], 60.0, True),
        ([60.25011], 60.0, False),
        # as far as one step away: the median of 0.5 and 1.5 degrees, and half a degree
        ([60.5, 61.0, 62.5], 59.5, True),
        ([60.5, 61.0, 61.5], 60.00001, True),
        ([60.5, 61.0, 61.5], 59.99991, True),
        ([60.5, 61.0, 61.5], 59.99989, False),
    ],
)
def test_how_far_a_site_may_lie_outside(samples, latitudes, site, reached):
    data = grid(MONTHS, np.arange(1.0, len(latitudes) + 1)[:, None], 280, latitude=latitudes)
    place = SITE | {"latitude": site, "region_size": 0.01}
    if reached:
        assert first(samples(data, place)) == pytest.approx(1)
        return
    with pytest.raises(TigerbushError) as error:
        samples(data, place)
    assert str(error.value).endswith(
        f"a.nc covers latitude {latitudes[0]} to {latitudes[-1]}, not the site at longitude 10, latitude "
        f"{site:g}; get a file that covers the site."
    )


def test_the_nearest_of_uneven_points(samples):
    values = np.arange(1.0, 10).reshape(3, 3)
    data = grid(MONTHS, values, 280, latitude=[60.9, 60.0, 59.0], longitude=[9.0, 10.2, 11.0])
    for latitude, longitude, expected in ((60.5, 10.65, 3), (60.4, 10.55, 5), (59.4, 9.5, 7), (59.6, 9.7, 5)):
        place = {"latitude": latitude, "longitude": longitude, "region_size": 0.01}
        assert first(samples(data, place)) == pytest.approx(expected)


def test_meridians_within_a_thousandth_of_a_degree_are_the_same(samples):
    data = grid(MONTHS, [[1, 2, 9]], 280, latitude=[0], longitude=[0, 0.25, 360.0004])
    place = {"longitude": 0.1, "latitude": 0.0, "region_size": 0.5}
    assert first(samples(data, place)) == pytest.approx(1.5)
    # a step apart they are two
    data = grid(MONTHS, [[1, 2, 9]], 280, latitude=[0], longitude=[0, 0.25, 360.002])
    assert first(samples(data, place)) == pytest.approx(4)


def test_fill_values_are_not_rain(samples):
    """Neither -999 nor numbers from 1e9 on are, whether or not the file declares them."""
    data = grid(MONTHS, [[1, 9.5], [-999, 1e9]], 280, latitude=[60.0, 59.9], longitude=[9.9, 10.1])
    assert first(samples(data)) == pytest.approx((1 + 9.5) / 2, rel=1e-6)


def test_times_are_rounded_to_seconds(samples):
    clock = np.array(
        ["2016-01-01T00:00:00.4", "2016-01-01T05:59:59.6", "2016-01-01T12:00:00.499"], "datetime64[ns]"
    )
    records, step = samples(grid(clock, column([0.1, 0.2, 0.3]), 280))
    assert [sample.time for sample in records] == [
        datetime(2016, 1, 1, hour, tzinfo=UTC) for hour in (0, 6, 12)
    ]
    assert step == timedelta(hours=6)


@pytest.mark.parametrize(
    ("hours", "step"),
    [
        ((0, 1, 4), 1),
        ((0, 3, 4, 9), 3),
        ((0, 3, 4, 9, 10), 1),
        ((0, 3, 4, 9, 10, 15), 3),
        ((0,), 24),
        ((5, 0, 2), 2),
    ],
)
def test_the_step_is_the_lower_median(samples, hours, step):
    clock = np.datetime64("2016-01-01", "ns") + np.array(hours) * np.timedelta64(1, "h")
    records, usual = samples(grid(clock, column(np.arange(len(hours)) / 8), 280))
    assert usual == timedelta(hours=step)
    # records in the order of their times
    assert [sample.value for sample in records] == [i / 8 for i in np.argsort(hours)]


@pytest.mark.parametrize(
    ("clock", "read"),
    [
        # a day before the period and a day after it, of records by the hour
        (times("2015-12-01", 24 * 100), ("2015-12-31T00", "2016-02-02T00")),
        (times("2015-12-01", 24 * 100, 36), ("2015-12-31T00", "2016-02-02T00")),
        # 31 days at most, of records by the quarter
        (times("2015-01-01", 24 * 800, 24 * 90), ("2015-12-01T00", "2016-03-03T00")),
    ],
)
def test_records_around_the_period(samples, clock, read):
    low, high = np.datetime64(read[0], "ns"), np.datetime64(read[1], "ns")
    step = (clock[1] - clock[0]) / np.timedelta64(1, "h")
    if step == 36:
        low, high = low - np.timedelta64(12, "h"), high + np.timedelta64(12, "h")
    expected = clock[(clock >= low) & (clock <= high)]
    records, _ = samples(grid(clock, column(np.ones(len(clock))), 280))
    assert [np.datetime64(sample.time.replace(tzinfo=None), "ns") for sample in records] == list(expected)
    assert 0 < len(expected) < len(clock)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("m of water equivalent", ("m", None)),
        ("Metres", ("metre", None)),
        ("millimeters per hour", ("millimeter", "hour")),
        ("kg m**-2 s**-1", ("kg m-2", "s")),
        ("kg/m^2/s", ("kg m-2", "s")),
        ("kg m-2 day-1", ("kg m-2", "day")),
        ("mm / day", ("mm", "day")),
        ("degrees_Celsius", ("celsius", None)),
        ("degree Celsius", ("celsius", None)),
        ("°C", ("c", None)),
        (" K ", ("k", None)),
        ("", ("", None)),
    ],
)
def test_spellings_of_units(text, unit):
    assert parse_units(text) == unit


@pytest.mark.parametrize(
    ("units", "factor"),
    [("mm s-1", 86_400), ("mm sec-1", 86_400), ("mm per second", 86_400), ("mm/h", 24), ("mm hr-1", 24), ("mm hour-1", 24), ("mm d-1", 1), ("mm/day", 1), ("millimeters/day", 1), ("kg m-2 d-1", 1)],
)  # fmt: skip
def test_rates_are_converted_to_daily_ones(samples, units, factor):
    result = samples(grid(MONTHS, 0.02, 280, units=(units, "K")), unit="mm", kind="mean_rate")
    assert first(result) == pytest.approx(0.02 * factor)


@pytest.mark.parametrize("units", ["m", "metre", "meter", "meters", "unknown"])
def test_metres(samples, units):
    assert first(samples(grid(MONTHS, 2.0, 280, units=(units, "K")))) == 2


@pytest.mark.parametrize(
    ("units", "sentence"),
    [
        ("K s-1", "not a known unit of temperature; convert it to K."),
        ("mm", "not a known unit of temperature; convert it to K."),
        ("celsius", "but weather.temperature.unit is K; set it to degC."),
    ],
)
def test_invalid_units_of_temperature(tmp_path, units, sentence):
    path = tmp_path / "a.nc"
    grid(MONTHS, 1.0, 280, units=("m", units)).to_netcdf(path, engine="netcdf4")
    with pytest.raises(TigerbushError) as error:
        read_netcdf(path, {"temperature": T2M}, JANUARY, SITE)
    assert str(error.value) == f"{path}: variable t2m is in {units!r}, {sentence}"


def test_unusable_dimensions_are_named(tmp_path):
    data = grid(MONTHS, 1.0, 280).expand_dims(number=[0, 1])
    path = tmp_path / "a.nc"
    data.to_netcdf(path, engine="netcdf4")
    with pytest.raises(TigerbushError) as error:
        read_netcdf(path, {"precipitation": TP}, JANUARY, SITE)
    assert str(error.value) == (
        f"{path}: variable tp needs dates (valid_time or time) and no dimensions other than these and the grid, but "
        "has number (2), valid_time (3), latitude (1), longitude (1); correct the file."
    )


def test_the_valid_time_takes_precedence_over_the_start_time(samples):
    data = grid(MONTHS, column([1, 2, 3]), 280).assign_coords(
        time=("valid_time", np.array(["2010-01-01", "2010-02-01", "2010-03-01"], "datetime64[ns]"))
    )
    assert samples(data)[0][0][0] == datetime(2016, 1, 1, tzinfo=UTC)
