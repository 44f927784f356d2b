"""Weather of a period from GRIB, and from files that are neither GRIB nor NetCDF."""

from datetime import UTC, datetime
from math import cos, radians

import eccodes
import numpy as np
import pytest
import rasterio
import xarray as xr

from test_weather_grids import SITE, T2M, approx, read
from tigerbush.errors import TigerbushError
from tigerbush.weather.grids import read_grid


def message(name, date, hour, value, steps=0, **keys):
    """A GRIB message on 3 x 3 points, of an analysis or accumulated over `steps` hours since `hour`."""
    handle = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{keys.pop('edition', 1)}")
    fields = {
        "centre": "ecmf",
        "Ni": 3,
        "Nj": 3,
        "latitudeOfFirstGridPointInDegrees": 60.25,
        "latitudeOfLastGridPointInDegrees": 59.75,
        "longitudeOfFirstGridPointInDegrees": 9.75,
        "longitudeOfLastGridPointInDegrees": 10.25,
        "iDirectionIncrementInDegrees": 0.25,
        "jDirectionIncrementInDegrees": 0.25,
        "dataDate": date,
        "dataTime": 100 * hour,
    }
    if steps:
        fields |= {"stepType": "accum", "startStep": 0, "endStep": steps}
    for key, setting in (fields | keys | {"shortName": name}).items():
        eccodes.codes_set(handle, key, setting)
    eccodes.codes_set_values(handle, np.broadcast_to(np.asarray(value, float), 9))
    content = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return content


@pytest.fixture
def land(tmp_path):
    """ERA5-Land as GRIB: temperature, and rainfall since 00 UTC, 1 and then 2 mm an hour."""
    path = tmp_path / "land.grib"
    parts = []
    for day, rate in ((20160101, 0.001), (20160102, 0.002)):
        for hour in range(24):
            parts.append(message("2t", day, hour, 270 + hour + np.repeat([0, 10, 20], 3)))
            parts.append(message("tp", day, 0, rate * (hour + 1) * np.tile([0, 1, 2], 3), hour + 1))
    path.write_bytes(b"".join(parts))
    return path


def test_grib_with_steps(land):
    place = SITE | {"region_size": 0.1}
    assert read(land, "2016-01-01", "2016-01-02", kind="accumulated", site=place) == approx(0.024, 291.5)
    assert read(land, "2016-01-01", "2016-01-03", kind="accumulated", site=place) == approx(0.072, 291.5)
    assert read(land, "2016-01-02", "2016-01-04", kind="accumulated") is None
    # 60.25, 60 and 59.75 N weigh a little differently
    north, south = cos(radians(60.25)), cos(radians(59.75))
    mean = 281.5 + (20 * south + 10 * 0.5) / (north + 0.5 + south)
    assert read(land, "2016-01-01", "2016-01-02", kind="accumulated") == approx(0.024, mean)
    # no index is left beside it
    assert list(land.parent.iterdir()) == [land]


def test_monthly_grib(tmp_path):
    path = tmp_path / "months.grb"
    parts = [message("2t", 20160001 + 100 * month, 0, 270 + month, edition=2) for month in (1, 2, 3)]
    parts += [message("tp", 20160001 + 100 * month, 0, month / 1000, edition=2) for month in (1, 2, 3)]
    path.write_bytes(b"".join(parts))
    assert read(path, "2016-02-01", "2016-03-01", kind="mean_rate") == approx(0.002 * 29, 272)


def test_unusable_grib(land, tmp_path):
    with pytest.raises(
        TigerbushError, match=r"has no variable 'rain'; its variables are '(t2m|tp)', '(tp|t2m)'"
    ):
        read(land, column="rain")
    content = land.read_bytes()
    for damaged in (content[:-20], content[:300] + bytes(200) + content[500:]):
        land.write_bytes(damaged)
        with pytest.raises(TigerbushError, match="cannot be read"):
            read(land)
    levels = [
        message("2t", 20160101, 0, 270),
        message("2t", 20160102, 0, 270, typeOfLevel="heightAboveGround", level=2),
    ]
    land.write_bytes(message("tp", 20160101, 0, 0) + b"".join(levels))
    with pytest.raises(TigerbushError, match="has t2m more than once, with different values of typeOfLevel"):
        read(land, "2016-01-01", "2016-01-02")


@pytest.mark.data
def test_a_field_of_era5(shared_data):
    """The same pixel as GDAL reads; the field is in K, although GDAL calls it C."""
    path = shared_data / "weather" / "era5_t2m_single_field.grib"
    with xr.open_dataset(path, engine="cfgrib", indexpath="", decode_timedelta=False) as dataset:
        assert dataset.t2m.attrs["units"] == "K"
        day = dataset.valid_time.values.astype("datetime64[D]").item()
    period = tuple(datetime(day.year, day.month, day.day + days, tzinfo=UTC) for days in (0, 1))
    place = {"longitude": 14.5, "latitude": 45.75, "region_size": 0.1}
    samples, _ = read_grid(path, {"temperature": T2M}, period, place)["temperature"]
    with rasterio.open(path) as source:
        pixel = float(next(source.sample([(14.5, 45.75)]))[0])
    assert [value for _, value in samples] == [pytest.approx(pixel, abs=1e-6)]
    assert pixel == pytest.approx(278.879, abs=1e-3)


@pytest.mark.parametrize("suffix", [".nc", ".grib"])
@pytest.mark.parametrize("content", [b"", b"hello" * 100, b"date,rain\n2016-01,1\n", b"GRIB\x00\x00\x10\x01"])
def test_garbage(tmp_path, suffix, content):
    path = tmp_path / f"era5{suffix}"
    path.write_bytes(content)
    with pytest.raises(TigerbushError, match="cannot be read") as error:
        read(path)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [path]
