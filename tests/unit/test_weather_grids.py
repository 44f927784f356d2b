"""Weather of a period from NetCDF."""

import re
from datetime import UTC, datetime
from math import cos, radians

import numpy as np
import pytest
import xarray as xr

from tigerbush.errors import TigerbushError
from tigerbush.weather.netcdf import read_netcdf
from tigerbush.weather.read import read_weather

SITE = {"site": "here", "longitude": 10.0, "latitude": 60.0, "region_size": 0.5}
TP = {"column": "tp", "unit": "m", "kind": "sum"}
T2M = {"column": "t2m", "unit": "K"}
MONTHS = np.array(["2016-01-01", "2016-02-01", "2016-03-01"], "datetime64[ns]")
TOLERANCE = {"rel": 1e-6}  # values are stored as float32


def times(start, hours, step=1):
    """Times every `step` hours, `hours` long."""
    return np.datetime64(start, "ns") + np.arange(0, hours, step) * np.timedelta64(1, "h")


def grid(
    clock,
    tp,
    t2m,
    *,
    latitude=(60.0,),
    longitude=(10.0,),
    time="valid_time",
    units=("m", "K"),
    names=("latitude", "longitude"),
):
    """A dataset as delivered by the CDS; `tp` and `t2m` are broadcast to (time, latitude, longitude)."""
    shape = (len(clock), len(latitude), len(longitude))
    variables = {}
    for name, values, unit in zip(("tp", "t2m"), (tp, t2m), units, strict=True):
        values = np.broadcast_to(np.asarray(values, "f4"), shape)
        variables[name] = ((time, *names), values, {"units": unit} if unit else {})
    return xr.Dataset(variables, {time: clock, names[0]: list(latitude), names[1]: list(longitude)})


def column(values):
    """One value per time."""
    return np.reshape(values, (-1, 1, 1))


@pytest.fixture
def save(tmp_path):
    def write(dataset, suffix=".nc", **options):
        path = tmp_path / f"era5{suffix}"
        dataset.to_netcdf(path, engine="netcdf4", **options)
        return path

    return write


def read(path, start="2016-01-01", end="2016-02-01", site=SITE, unit="m", kind="sum", **changes):
    rain = TP | {"unit": unit, "kind": kind} | changes
    return read_weather(path, start, end, site=site, date="unused", precipitation=rain, temperature=T2M)


def approx(metres, kelvin):
    return {
        "total_precipitation": pytest.approx(metres, **TOLERANCE),
        "mean_2m_air_temperature": pytest.approx(kelvin, **TOLERANCE),
    }


@pytest.mark.parametrize("unlimited", [[], ["valid_time"]])
@pytest.mark.parametrize(
    "format", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF3_64BIT_DATA", "NETCDF4", "NETCDF4_CLASSIC"]
)
def test_formats_of_netcdf(save, format, unlimited):
    data = grid(MONTHS, column([0.03, 0.01, 0.02]), column([270, 280, 290]))
    path = save(data, ".nc4", format=format, unlimited_dims=unlimited)
    assert read(path) == approx(0.03, 270)
    assert read(path, "2016-01-22", "2016-02-11") == approx(0.03 * 10 / 31 + 0.01 * 10 / 29, 275)
    assert read(path, "2016-03-01", "2016-04-01") == approx(0.02, 290)
    assert read(path, "2016-03-01", "2016-05-01") is None
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_packed_values(save):
    """The CDS packed numbers into 16 bits until 2024."""
    data = grid(times("2016-01-01", 240, 24), column(np.arange(10) / 100), 280.0, time="time")
    packing = {"dtype": "i2", "scale_factor": 1e-5, "add_offset": 0.1, "_FillValue": -32767}
    path = save(data, format="NETCDF3_64BIT", encoding={"tp": packing})
    assert read(path, "2016-01-03", "2016-01-06")["total_precipitation"] == pytest.approx(0.09, abs=3e-5)


def test_mean_of_the_points_in_the_square(save):
    """Weighted by cos(latitude); the square is as wide in metres as it is high."""
    latitude, longitude = [61.0, 60.25, 59.75, 59.0], [9.0, 9.5, 10.0, 10.5, 11.0]
    tp = np.full((3, 4, 5), 100.0)
    # half a degree of longitude is 0.25 degrees of latitude at 60 N
    tp[:, 1, 1:4], tp[:, 2, 1:4] = [1, 2, 3], [5, 6, 7]
    north, south = cos(radians(60.25)), cos(radians(59.75))
    expected = (2 * north + 6 * south) / (north + south)
    data = grid(MONTHS, tp, 280, latitude=latitude, longitude=longitude)
    assert read(save(data)) == approx(expected, 280)
    assert read(save(data.isel(latitude=slice(None, None, -1)))) == approx(expected, 280)
    assert read(save(data.isel(longitude=[4, 1, 0, 3, 2]))) == approx(expected, 280)
    renamed = grid(MONTHS, tp, 280, latitude=latitude, longitude=longitude, time="time", names=("lat", "lon"))
    assert read(save(renamed.transpose("lon", "time", "lat"))) == approx(expected, 280)


def test_the_nearest_point_when_none_is_inside(save):
    tp = np.arange(9.0).reshape(3, 3)
    data = grid(MONTHS, tp, 280, latitude=[61, 60, 59], longitude=[9, 10, 11])
    place = {"longitude": 10.4, "latitude": 59.6, "region_size": 0.08}
    assert read(save(data), site=place) == approx(4, 280)
    # not where the square holds points in one direction only
    assert read(save(data), site=place | {"latitude": 59.0}) == approx(7, 280)


@pytest.mark.input(
    "Weather",
    "longitudes from 0 to 360, across Greenwich and the date line",
    "read",
)
@pytest.mark.parametrize("first", [0, -180])
@pytest.mark.parametrize(
    ("longitude", "around"),
    [(0.1, (359.75, 0, 0.25)), (-0.1, (359.75, 0, 0.25)), (179.9, (179.75, 180)), (-179.9, (180, 180.25))],
)
def test_longitudes(save, first, longitude, around):
    """From 0 to 360 and from -180 to 180, across Greenwich and the date line."""
    degrees = np.arange(0, 360, 0.25)
    data = grid(
        MONTHS, degrees, 280, latitude=[0.25, 0, -0.25], longitude=np.sort((degrees - first) % 360 + first)
    )
    # a possible rainfall
    data["tp"] = data.tp.copy(data=np.broadcast_to(data.longitude.values % 360 / 36, data.tp.shape))
    place = {"longitude": longitude, "latitude": 0.0, "region_size": 0.72}
    half = np.abs((degrees - longitude + 180) % 360 - 180) < 0.36
    expected = degrees[half].mean() / 36
    assert set(around) <= set(degrees[half])
    data.tp.attrs["units"] = "m"
    assert read(save(data), site=place) == approx(expected, 280)


def test_a_duplicate_meridian_is_used_once(save):
    data = grid(MONTHS, [[9, 1, 2, 9, 9]], 280, latitude=[0], longitude=[-0.5, 0, 0.25, 0.5, 360])
    place = {"longitude": 0.1, "latitude": 0.0, "region_size": 0.5}
    assert read(save(data), site=place) == approx(1.5, 280)


def test_points_without_a_value_are_left_out(save, caplog):
    """ERA5-Land has none over the sea."""
    tp = np.array([[1, np.nan, np.nan], [3, np.nan, np.nan]])
    data = grid(MONTHS, tp, 280, latitude=[60.1, 59.9], longitude=[9.9, 10.0, 11.0])
    north, south = cos(radians(60.1)), cos(radians(59.9))
    assert read(save(data)) == approx((north + 3 * south) / (north + south), 280)
    caplog.clear()
    assert read(save(data), site=SITE | {"longitude": 11.0}) is None
    assert "tp has no value at the site, as over the sea" in caplog.text
    # as are undeclared fill values
    data = grid(MONTHS, [[1, 9.96921e36]], 280, longitude=[9.9, 10.1])
    assert read(save(data)) == approx(1, 280)


def test_a_record_without_a_value_is_a_gap(save):
    tp = np.ones((3, 1, 1))
    tp[1] = np.nan
    path = save(grid(MONTHS, tp, 280))
    assert read(path) == approx(1, 280)
    assert read(path, "2016-01-01", "2016-03-01") is None


@pytest.mark.input(
    "Weather",
    "ERA5 with the preliminary ERA5T, as a dimension `expver`",
    "read, ERA5 first",
)
@pytest.mark.parametrize("versions", [[1, 5], [5, 1], ["0001", "0005"]])
def test_era5_and_era5t_as_a_dimension(save, versions):
    """The first of the two with a value is used, ERA5 before ERA5T."""
    final, early = np.array([0.1, 0.2, np.nan]), np.array([np.nan, 0.5, 0.3])
    data = grid(MONTHS, 0, 280)
    tp = {1: final, "0001": final, 5: early, "0005": early}
    parts = [data.assign(tp=data.tp + tp[version][:, None, None]) for version in versions]
    data = xr.concat(parts, xr.Variable("expver", versions)).transpose("valid_time", "expver", ...)
    data.tp.attrs["units"], data.t2m.attrs["units"] = "m", "K"
    path = save(data)
    for (start, end), expected in {
        ("2016-01-01", "2016-02-01"): 0.1,
        ("2016-02-01", "2016-03-01"): 0.2,
        ("2016-03-01", "2016-04-01"): 0.3,
    }.items():
        assert read(path, start, end) == approx(expected, 280)


@pytest.mark.input(
    "Weather",
    "NetCDF of a single point",
    "read",
)
def test_irrelevant_coordinates_and_dimensions(save):
    """The CDS since 2024: number and surface as scalars, expver along time; or dimensions of length 1."""
    data = grid(MONTHS, column([1, 2, 3]), 280)
    data = data.assign_coords(number=0, surface=0.0, expver=("valid_time", ["0001", "0001", "0005"]))
    assert read(save(data), "2016-03-01", "2016-04-01") == approx(3, 280)
    assert read(save(data.drop_vars("expver").expand_dims({"number": 1, "step": 1}))) == approx(1, 280)
    point = data.drop_vars("expver").isel(latitude=0, longitude=0)
    assert read(save(point)) == approx(1, 280)


def test_forecasts_by_start_and_step(save):
    """Records on two axes, as cfgrib writes them."""
    start, step = times("2016-01-01", 48, 12), np.arange(12)
    valid = start[:, None] + step * np.timedelta64(1, "h")
    hours = np.arange(48.0).reshape(4, 12, 1, 1)
    data = xr.Dataset(
        {
            "tp": (("time", "step", "latitude", "longitude"), hours, {"units": "mm"}),
            "t2m": (("time", "step", "latitude", "longitude"), hours + 273, {"units": "K"}),
        },
        {
            "time": start,
            "valid_time": (("time", "step"), valid),
            "step": step,
            "latitude": [60.0],
            "longitude": [10.0],
        },
    )
    path = save(data)
    expected = approx(sum(range(24, 48)) / 1000, 273 + 35.5)
    assert read(path, "2016-01-02", "2016-01-03", unit="mm") == expected


def test_times_in_fractions_of_days(save):
    data = grid(times("2016-01-01", 48), column(np.full(48, 0.001)), 280)
    path = save(data, encoding={"valid_time": {"units": "days since 1900-01-01", "dtype": "f8"}})
    assert read(path, "2016-01-01", "2016-01-02") == approx(0.024, 280)


def test_months_dated_by_their_middle(save):
    clock = np.array(["2016-01-16T12", "2016-02-15T12", "2016-03-16T12"], "datetime64[ns]")
    path = save(grid(clock, column([1, 2, 3]), column([270, 280, 290])))
    assert read(path, "2016-01-01", "2016-03-01") == approx(3, (31 * 270 + 29 * 280) / 60)
    assert read(path, "2016-03-01", "2016-03-11") == approx(3 * 10 / 31, 290)


def test_only_the_records_of_the_period_are_read(save):
    path = save(grid(times("2016-01-01", 366 * 24), 0.001, 280))
    period = (datetime(2016, 6, 1, tzinfo=UTC), datetime(2016, 6, 11, tzinfo=UTC))
    samples, step = read_netcdf(path, {"precipitation": TP}, period, SITE)["precipitation"]
    assert (len(samples), step.total_seconds()) == (12 * 24 + 1, 3600)


def test_two_files(save, tmp_path):
    data = grid(MONTHS, column([1, 2, 3]), 280)
    path = save(data[["tp"]])
    save(data[["t2m"]], "_warm.nc")
    arguments = {"site": SITE, "date": "", "precipitation": TP}
    temperature = T2M | {"path": tmp_path / "era5_warm.nc"}
    assert read_weather(path, "2016-02-01", "2016-03-01", temperature=temperature, **arguments) == approx(
        2, 280
    )


@pytest.mark.parametrize(
    ("place", "axis"),
    [
        ({"latitude": 61.6}, "latitude 59.0 to 61.0"),
        ({"latitude": 58.4}, "latitude 59.0 to 61.0"),
        ({"longitude": 11.6}, "longitude 9.0 to 11.0"),
        ({"longitude": -170.0}, "longitude 9.0 to 11.0"),
    ],
)
def test_a_site_outside_the_grid(save, place, axis):
    path = save(grid(MONTHS, 1, 280, latitude=[61, 60.5, 60, 59.5, 59], longitude=[9, 9.5, 10, 10.5, 11]))
    with pytest.raises(TigerbushError, match=f"covers {re.escape(axis)}, not the site at longitude"):
        read(path, site=SITE | place)
    # up to one step outside, the nearest point counts
    assert read(path, site=SITE | {"latitude": 61.4, "longitude": 8.6}) == approx(1, 280)


def without_dates(data):
    return data.assign_coords(valid_time=[0, 1, 2])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without_dates, r"needs dates \(valid_time or time\)"),
        (lambda data: data.rename(tp="rain"), "has no variable 'tp'; its variables are 'rain', 't2m'"),
        (
            lambda data: data.rename(latitude="y"),
            "tp is not on a regular grid .* but on valid_time, y, longitude",
        ),
        (lambda data: data.drop_vars("longitude"), "tp is not on a regular grid"),
        (lambda data: data.expand_dims(number=[0, 1]), r"no dimensions other .* number \(2\)"),
        (lambda data: data.isel(valid_time=[0, 1, 1]), "two records for one date"),
    ],
)
def test_unusable_files(save, change, sentence):
    path = save(change(grid(MONTHS, 1, 280)))
    with pytest.raises(TigerbushError, match=sentence) as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.input(
    "Weather",
    "NetCDF that was cut while it was copied",
    "refused, with both sizes",
)
@pytest.mark.parametrize("format", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF3_64BIT_DATA", "NETCDF4"])
@pytest.mark.parametrize("unlimited", [[], ["valid_time"]])
def test_cut_netcdf(save, format, unlimited):
    """The library reads the missing end of a classic file as zeros."""
    data = grid(MONTHS, np.ones((3, 3, 3)), 280, latitude=[61, 60, 59], longitude=[9, 10, 11])
    path = save(data, format=format, unlimited_dims=unlimited)
    content = path.read_bytes()
    assert read(path) == approx(1, 280)
    for size in (len(content) - 200, len(content) - 12, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(TigerbushError) as error:
            read(path)
        assert str(error.value) == (
            f"{path} is cut after {size} of at least {len(content)} bytes; download it again."
        )
    # within the header
    for size in (100, 10):
        path.write_bytes(content[:size])
        with pytest.raises(
            TigerbushError, match=rf"is cut after {size} of at least \d+ bytes|cannot be read as NetCDF"
        ):
            read(path)
