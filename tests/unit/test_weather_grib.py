"""Weather of a period from GRIB."""

from datetime import UTC, datetime, timedelta
from math import cos, nan, radians

import numpy as np
import pytest

from grib_files import message
from test_weather_grids import SITE, T2M, TP, approx, read
from tigerbush.errors import TigerbushError
from tigerbush.weather.grib import read_grib

ROWS = np.repeat([0, 10, 20], 3).reshape(3, 3)
COLUMNS = np.tile([0, 1, 2], (3, 1))
SQUARE = np.ones((3, 3))
JANUARY = datetime(2016, 1, 1, tzinfo=UTC), datetime(2016, 2, 1, tzinfo=UTC)


@pytest.fixture(params=[1, 2])
def edition(request):
    return request.param


@pytest.fixture
def save(tmp_path):
    def write(*messages, name="a.grib"):
        path = tmp_path / name
        path.write_bytes(b"".join(messages))
        return path

    return write


@pytest.fixture
def land(save, edition):
    """ERA5-Land as GRIB: temperature, and rainfall since 00 UTC, 1 and then 2 mm an hour."""
    messages = []
    for day, rate in (("2016-01-01", 0.001), ("2016-01-02", 0.002)):
        for hour in range(24):
            messages.append(message("2t", f"{day}T{hour:02}:00", 270 + hour + ROWS, edition=edition))
            messages.append(message("tp", day, rate * (hour + 1) * COLUMNS, hours=hour + 1, edition=edition))
    return save(*messages)


def test_grib_with_steps(land):
    place = SITE | {"region_size": 0.1}
    assert read(land, "2016-01-01", "2016-01-02", kind="accumulated", site=place) == approx(0.024, 291.5)
    assert read(land, "2016-01-01", "2016-01-03", kind="accumulated", site=place) == approx(0.072, 291.5)
    assert read(land, "2016-01-02", "2016-01-04", kind="accumulated") is None
    # 60.25, 60 and 59.75 N weigh a little differently
    north, south = cos(radians(60.25)), cos(radians(59.75))
    mean = 281.5 + (20 * south + 10 * 0.5) / (north + 0.5 + south)
    assert read(land, "2016-01-01", "2016-01-02", kind="accumulated") == approx(0.024, mean)
    # nothing is left beside it
    assert list(land.parent.iterdir()) == [land]


@pytest.mark.parametrize("names", [("tp", "t2m"), ("TP", "2t"), ("tp", "2T"), ("TP", "T2M")])
def test_names_of_the_variables(land, names):
    quantities = {"precipitation": TP | {"column": names[0]}, "temperature": T2M | {"column": names[1]}}
    period = datetime(2016, 1, 1, tzinfo=UTC), datetime(2016, 1, 2, tzinfo=UTC)
    series = read_grib(land, quantities, period, SITE | {"region_size": 0.1})
    rain, warmth = series["precipitation"], series["temperature"]
    # dated by the end of their steps
    assert (rain.samples[0].time.hour, warmth.samples[0].time.hour) == (1, 0)
    assert rain.samples[4].value == pytest.approx(0.005, rel=1e-6)
    assert warmth.samples[4].value == pytest.approx(284, rel=1e-9)
    assert {rain.step, warmth.step} == {timedelta(hours=1)}


def months(edition, **details):
    """Rain of 1, 2 and 3 mm a day and 271, 272 and 273 K."""
    return [
        message(name, f"2016-{month:02}-01", first + month * scale * SQUARE, edition=edition, **details)
        for month in (1, 2, 3)
        for name, first, scale in (("2t", 270, 1), ("tp", 0, 0.001))
    ]


@pytest.mark.input(
    "Weather",
    "GRIB 1 and 2 of ECMWF",
    "read by the GDAL of rasterio",
)
@pytest.mark.parametrize("suffix", [".grb", ".grib", ".grb2", ".GRIB2"])
def test_monthly_grib(save, edition, suffix):
    path = save(*months(edition), name=f"months{suffix}")
    assert read(path, "2016-02-01", "2016-03-01", kind="mean_rate") == approx(0.002 * 29, 272)


@pytest.mark.parametrize("south_first", [False, True])
def test_rows_from_north_to_south_whatever_their_order(save, edition, south_first):
    """Of points 1 degree apart the nearest is used."""
    tp, t2m = np.arange(9).reshape(3, 3) / 1000, 270 + np.arange(9).reshape(3, 3)
    details = {"edition": edition, "south_first": south_first, "north": 61.0, "west": 9.0, "step": 1.0}
    path = save(message("tp", "2016-01-01", tp, **details), message("2t", "2016-01-01", t2m, **details))
    for (latitude, longitude), point in {(60.9, 9.2): 0, (60.2, 10.9): 5, (59.1, 8.9): 6}.items():
        place = {"latitude": latitude, "longitude": longitude, "region_size": 0.1}
        assert read(path, "2016-01-01", "2016-01-02", site=place) == approx(point / 1000, 270 + point)


@pytest.mark.parametrize(("west", "longitude"), [(-1.0, 0.1), (359.0, 0.1), (359.0, -0.1), (179.0, -179.9)])
def test_longitudes_across_greenwich_and_the_date_line(save, edition, west, longitude):
    path = save(
        message("tp", "2016-01-01", [[0.001, 0.002, 0.003]], edition=edition, west=west, north=0.0, step=1.0),
        message("2t", "2016-01-01", [[271, 272, 273]], edition=edition, west=west, north=0.0, step=1.0),
    )
    place = {"latitude": 0.0, "longitude": longitude, "region_size": 0.1}
    assert read(path, "2016-01-01", "2016-01-02", site=place) == approx(0.002, 272)


def test_points_without_a_value_are_left_out(save, edition, caplog):
    """As the sea in ERA5-Land, by a bitmap."""
    gaps = np.array([[0.001, nan, 0.005], [nan, 0.003, nan], [nan, nan, nan]])
    warm = message("2t", "2016-01-01", 280 * SQUARE, edition=edition)
    path = save(message("tp", "2016-01-01", gaps, edition=edition), warm)
    north, middle = cos(radians(60.25)), cos(radians(60))
    mean = ((0.001 + 0.005) * north + 0.003 * middle) / (2 * north + middle)
    assert read(path, "2016-01-01", "2016-01-02") == approx(mean, 280)
    path = save(message("tp", "2016-01-01", np.full((3, 3), nan), edition=edition), warm)
    assert read(path, "2016-01-01", "2016-01-02") is None
    assert f"{path}: tp has no value at the site, as over the sea" in caplog.text


def test_grib2_that_declares_a_mean(save):
    path = save(message("tp", "2016-01-01", 0.001 * SQUARE, hours=24, edition=2, mean=True))
    quantity = {"precipitation": TP}
    with pytest.raises(TigerbushError) as error:
        read_grib(path, quantity, JANUARY, SITE)
    assert str(error.value) == (
        f"{path}: variable tp is in 'm' as a mean, but weather.precipitation.kind is sum; set it to mean_rate."
    )
    series = read_grib(path, {"precipitation": TP | {"kind": "mean_rate"}}, JANUARY, SITE)
    assert series["precipitation"].samples[0].value == pytest.approx(0.001, abs=4e-9)


def test_units_that_contradict_the_configuration(save, edition):
    path = save(*months(edition))
    with pytest.raises(TigerbushError) as error:
        read(path, unit="mm")
    assert str(error.value) == (
        f"{path}: variable tp is in 'm', but weather.precipitation.unit is mm; set it to m."
    )
    with pytest.raises(TigerbushError) as error:
        read_grib(path, {"temperature": T2M | {"unit": "degC"}}, JANUARY, SITE)
    assert str(error.value) == (
        f"{path}: variable t2m is in 'K', but weather.temperature.unit is degC; set it to K."
    )


def refusal(path, **changes):
    with pytest.raises(TigerbushError) as error:
        read(path, **changes)
    return str(error.value)


def test_variables_that_there_are_not(land):
    assert refusal(land, column="rain") == (
        f"{land} has no variable 'rain'; its variables are 't2m', 'tp': correct the names under weather in the "
        "configuration."
    )


def test_a_variable_on_two_levels(save):
    at_two = message("2t", "2016-01-01", 270 * SQUARE, edition=2)
    on_ground = message("2t", "2016-01-01", 280 * SQUARE, edition=2, level=False)
    rain = message("tp", "2016-01-01", 0 * SQUARE, edition=2)
    # the temperature of the ground is not that of the air
    assert read(save(at_two, on_ground, rain), "2016-01-01", "2016-01-02") == approx(0, 270)
    path = save(at_two, on_ground, rain)
    with pytest.raises(TigerbushError) as error:
        read_grib(path, {"temperature": T2M | {"column": "TMP"}}, JANUARY, SITE)
    assert str(error.value) == f"{path} has TMP at more than one level (0-SFC, 2-HTGL); keep one."


def test_two_fields_of_one_time(save, edition):
    path = save(*months(edition), *months(edition))
    assert refusal(path, kind="mean_rate") == (
        f"{path} has two records for one date (2016-01-01 00:00 and 2016-01-01 00:00 overlap); keep one of them, and "
        "convert local times to UTC."
    )


@pytest.mark.input(
    "Weather",
    "GRIB on a Gaussian or rotated grid",
    "refused, with the kind of grid",
)
@pytest.mark.parametrize(
    ("edition", "grid_type", "name"),
    [(1, 4, "Gaussian"), (1, 10, "rotated"), (1, 3, "of type 3"), (2, 40, "Gaussian"), (2, 1, "rotated"), (2, 30, "of type 30")],
)  # fmt: skip
def test_grids_that_are_not_regular(save, edition, grid_type, name):
    path = save(*months(edition, grid_type=grid_type))
    assert refusal(path) == f"{path} is not on a regular grid of latitude and longitude ({name}); regrid it."


def test_messages_on_several_grids(save, edition):
    """GDAL gives all of them the place of the first."""
    path = save(*months(edition), *months(edition, west=20.0))
    assert refusal(path) == f"{path} has messages on 2 different grids; keep those of one grid."


@pytest.mark.input(
    "Weather",
    "GRIB that was cut, or whose messages are damaged",
    "refused, with the place",
)
def test_cut_and_damaged_grib(save, edition):
    content = b"".join(months(edition))
    length = len(content) // 6
    for kept in (len(content) - 1, len(content) - 20, length + 20, length - 1):
        path = save(content[:kept])
        whole = -(-kept // length) * length
        assert refusal(path) == f"{path} is cut after {kept} of at least {whole} bytes; download it again."
    # the end of the first message and the beginning of the second
    path = save(content[: length - 10] + bytes(20) + content[length + 10 :])
    assert refusal(path) == (
        f"{path}: the GRIB message at byte 0 does not end where its length says; the file is damaged: compare it with "
        "the original."
    )
    # blanks between messages are allowed
    path = save(*(part + b"\0\0\n" for part in months(edition)))
    assert read(path, "2016-02-01", "2016-03-01", kind="mean_rate") == approx(0.002 * 29, 272)


def test_a_date_that_gdal_does_not_read(save):
    """Monthly means of old archives have day 0."""
    content = bytearray(message("2t", "2016-02-01", 280 * SQUARE))
    content[22] = 0
    path = save(bytes(content))
    assert refusal(path) == (
        f"{path} cannot be read as GRIB ({path} is a grib file, but no raster dataset was successfully identified); "
        "compare its size with that of the original, and if it is whole, convert it to CSV."
    )


def test_an_index_beside_the_file_is_not_used(save, edition):
    """One of wgrib2, of another file of this name."""
    path = save(*months(edition))
    path.with_name("a.grib.idx").write_text("1:0:d=2016010100:TMP:2 m above ground:anl:\n")
    assert read(path, "2016-03-01", "2016-04-01", kind="mean_rate") == approx(0.003 * 31, 273)


@pytest.mark.data
def test_a_field_of_era5(shared_data):
    """The temperature near Trieste at noon of 2017-01-01, as ecCodes decodes it; in K, although GDAL calls it C."""
    path = shared_data / "weather" / "era5_t2m_single_field.grib"
    period = datetime(2017, 1, 1, tzinfo=UTC), datetime(2017, 1, 2, tzinfo=UTC)
    place = {"longitude": 14.5, "latitude": 45.75, "region_size": 0.1}
    [sample] = read_grib(path, {"temperature": T2M}, period, place)["temperature"].samples
    assert sample.time == datetime(2017, 1, 1, 12, tzinfo=UTC)
    assert sample.value == pytest.approx(278.879150390625, rel=1e-8)
