"""Weather of a period from tables and pyveg's JSON format."""

import csv
import json
from itertools import pairwise

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.weather.read import read_weather

COLUMNS = {
    "site": {"site": "here", "longitude": 0.0, "latitude": 0.0, "region_size": 0.1},
    "date": "date",
    "precipitation": {"column": "rain", "unit": "mm", "kind": "sum"},
    "temperature": {"column": "warmth", "unit": "degC"},
}


def table(tmp_path, *rows, header="date,rain,warmth"):
    path = tmp_path / "weather.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def read(path, start, end, **columns):
    return read_weather(path, start, end, **COLUMNS | columns)


def rain(path, start, end, **changes):
    """The rainfall of a period in mm; the temperature comes from another file."""
    warm = path.with_name("warm.csv")
    warm.write_text("date,warmth\n2015-12,1\n2016-01,1\n2016-02,1\n")
    quantities = {
        "precipitation": COLUMNS["precipitation"] | changes,
        "temperature": COLUMNS["temperature"] | {"path": warm},
    }
    weather = read(path, start, end, **quantities)
    return weather and 1000 * weather["total_precipitation"]


def approx(metres, kelvin):
    return {
        "total_precipitation": pytest.approx(metres, rel=1e-12),
        "mean_2m_air_temperature": pytest.approx(kelvin, rel=1e-12),
    }


@pytest.mark.parametrize("day", ["", "-01"])
def test_monthly_records(tmp_path, day):
    path = table(tmp_path, f"2016-01{day},30,1", f"2016-02{day},10,3", f"2016-03{day},20,5")
    assert read(path, "2016-02-01", "2016-03-01") == approx(0.010, 276.15)
    # 31 and 29 days
    assert read(path, "2016-01-01", "2016-03-01") == approx(0.040, 273.15 + (31 * 1 + 29 * 3) / 60)


def test_daily_and_hourly_records(tmp_path):
    path = table(tmp_path, *(f"2016-01-{day:02},{day},{day}" for day in range(1, 11)))
    assert read(path, "2016-01-03", "2016-01-06") == approx(0.012, 277.15)
    path = table(tmp_path, *(f"2016-01-01T{hour:02}:00Z,1,{hour}" for hour in range(24)))
    assert read(path, "2016-01-01", "2016-01-02") == approx(0.024, 273.15 + 11.5)


def test_a_record_counts_by_its_part_of_the_period(tmp_path):
    path = table(tmp_path, "2016-01,31,2", "2016-02,29,4")
    assert read(path, "2016-01-22", "2016-02-11") == approx(0.020, 276.15)


def test_units(tmp_path):
    path = table(tmp_path, "2016-01,0.5,300")
    columns = {
        "precipitation": {"column": "rain", "unit": "m", "kind": "sum"},
        "temperature": {"column": "warmth", "unit": "K"},
    }
    assert read(path, "2016-01-01", "2016-02-01", **columns) == approx(0.5, 300)


@pytest.mark.parametrize(
    "rows",
    [
        ["2016-01,30,1", "2016-03,20,5"],
        ["2016-01-01,30,1", "2016-02-01,30,1", "2016-04-01,20,5"],
        ["2016-03-01,1,1", "2016-03-02,1,1"],
    ],
)
def test_a_period_without_full_coverage_has_no_weather(tmp_path, rows, caplog):
    assert read(table(tmp_path, *rows), "2016-02-01", "2016-04-01") is None
    assert "does not cover the period from 2016-02-01 to 2016-04-01" in caplog.text


@pytest.mark.parametrize(
    ("rows", "header", "sentence"),
    [
        (["2016-01,1,1"], "date,rain,t", "has no column 'warmth'"),
        (["2016-13,1,1"], "date,rain,warmth", "line 2: '2016-13' is not a date"),
        (["2016-01,1,1", "2016-02,dry,1"], "date,rain,warmth", "line 3: 'dry' is not a number"),
        (["2016-01,1"], "date,rain,warmth", "line 2 has 2 values for 3 columns"),
        (["2016-01,1,1", "2016-01-01,1,1"], "date,rain,warmth", "two records for one date"),
        (
            ["2016-01,1,1", "2016-01-20,1,1"],
            "date,rain,warmth",
            "2016-01-01 00:00 and 2016-01-20 00:00 overlap",
        ),
        (["2016-01-01,1,1", "2016-01-29,1,1"], "date,rain,warmth", "two records for one date"),
        (["0000-01,1,1"], "date,rain,warmth", "line 2: '0000-01' is not a date"),
        (["9999-12-31T23:00-12:00,1,1"], "date,rain,warmth", "line 2: .* is not a date"),
        ([], "", "has no column 'date'"),
    ],
)
def test_bad_tables(tmp_path, rows, header, sentence):
    with pytest.raises(TigerbushError, match=sentence):
        read(table(tmp_path, *rows, header=header), "2016-01-01", "2016-02-01")


@pytest.mark.parametrize("content", ["date,rain,wärmth\n".encode("latin-1"), b"date,rain\x80,warmth\n"])
def test_a_table_that_is_not_in_utf8(tmp_path, content):
    (tmp_path / "weather.csv").write_bytes(content)
    with pytest.raises(
        TigerbushError, match=r"is not a CSV file in UTF-8 \(.*\); save it as CSV in UTF-8\.$"
    ):
        read(tmp_path / "weather.csv", "2016-01-01", "2016-02-01")


def test_months_are_calendar_months_whatever_their_day(tmp_path):
    rows = ["2016-01-16T12:00,31,2", "2016-02-15T12:00,29,4", "2016-03-31,31,6"]
    assert read(table(tmp_path, *rows), "2016-01-22", "2016-02-11") == approx(0.020, 276.15)
    # the first of the month by the clock on the wall, not in UTC
    rows = ["2016-01-01T00:00+02:00,31,2", "2016-02-01T00:00+02:00,29,4"]
    assert read(table(tmp_path, *rows), "2016-02-01", "2016-03-01") == approx(0.029, 277.15)


def test_mean_rate(tmp_path):
    path = table(tmp_path, "2016-01,2,1", "2016-02,3,1")
    assert rain(path, "2016-01-01", "2016-03-01", kind="mean_rate") == pytest.approx(
        2 * 31 + 3 * 29, rel=1e-12
    )
    path = table(tmp_path, "2016-01-01T00:00,24,1", "2016-01-01T12:00,48,1")
    assert rain(path, "2016-01-01", "2016-01-02", kind="mean_rate") == pytest.approx(36, rel=1e-12)


def test_accumulated(tmp_path):
    """The record at 00 UTC covers the whole previous day; within a day, rainfall is the difference of records."""
    hours = [(day, hour) for day in (1, 2, 3) for hour in range(24)]
    # 1 mm an hour on the first, 2 on the second, 3 on the third
    rows = [
        f"2016-01-{day:02}T{hour:02}:00,{day * hour if hour else 24 * (day - 1)},0" for day, hour in hours
    ]
    path = table(tmp_path, *rows)
    assert rain(path, "2016-01-01", "2016-01-03", kind="accumulated") == pytest.approx(24 + 48, rel=1e-12)
    assert rain(path, "2016-01-02", "2016-01-03", kind="accumulated") == pytest.approx(48, rel=1e-12)
    # the rainfall of the last hour of the third is only in the record of the fourth
    assert rain(path, "2016-01-03", "2016-01-04", kind="accumulated") is None
    # a missing record is bridged: the next one contains its rainfall
    path = table(tmp_path, *(row for row in rows if "2016-01-02T05" not in row))
    assert rain(path, "2016-01-02", "2016-01-03", kind="accumulated") == pytest.approx(48, rel=1e-12)


def test_accumulated_of_whole_days(tmp_path):
    path = table(tmp_path, *(f"2016-01-{day:02}T00:00Z,{day},0" for day in range(1, 5)))
    assert rain(path, "2016-01-01", "2016-01-03", kind="accumulated") == pytest.approx(2 + 3, rel=1e-12)


def test_sums_are_not_taken_for_accumulations(tmp_path):
    path = table(tmp_path, *(f"2016-01-01T{hour:02}:00,{1 + hour % 2},1" for hour in range(24)))
    with pytest.raises(
        TigerbushError, match=r"decreases from 2016-01-01 .* set weather\.precipitation\.kind"
    ):
        rain(path, "2016-01-01", "2016-01-02", kind="accumulated")
    # packed numbers may fall by a hair
    path = table(tmp_path, "2016-01-01T12:00,5,1", "2016-01-01T18:00,4.99999,1", "2016-01-02T00:00,6,1")
    assert rain(path, "2016-01-01", "2016-01-02", kind="accumulated") == pytest.approx(6, rel=1e-12)


@pytest.mark.parametrize("kind", [None, "total"])
def test_a_kind_that_there_is_not(tmp_path, kind):
    path = table(tmp_path, "2016-01,30,1")
    with pytest.raises(TigerbushError) as error:
        rain(path, "2016-01-01", "2016-02-01", kind=kind)
    assert str(error.value) == (
        f"weather.precipitation.kind is {kind!r}; set it to sum, mean_rate, accumulated: what the file has."
    )


def test_two_files(tmp_path):
    path = table(tmp_path, "2016-01,30,1")
    (tmp_path / "warm.csv").write_text("date,t\n2016-01,280\n")
    temperature = {"column": "t", "unit": "K", "path": str(tmp_path / "warm.csv")}
    assert read(path, "2016-01-01", "2016-02-01", temperature=temperature) == approx(0.030, 280)
    own = {"column": "warmth", "unit": "degC", "path": None}
    assert read(path, "2016-01-01", "2016-02-01", temperature=own) == approx(0.030, 274.15)


def pyveg(tmp_path, data):
    path = tmp_path / "weather.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


RECORD = {"total_precipitation": 0.25, "mean_2m_air_temperature": 300}
MONTHS = {"2017-01-16": RECORD, "2017-02-15": None, "2017-03-16": RECORD}


@pytest.mark.parametrize(
    "data", [MONTHS, {"E": {"type": "weather", "time-series-data": MONTHS}, "metadata": {}}]
)
def test_pyveg_json(tmp_path, data, caplog):
    path = pyveg(tmp_path, data)
    assert read(path, "2017-01-01", "2017-02-01") == RECORD
    assert read(path, "2017-02-01", "2017-03-01") is None
    assert "does not cover the period from 2017-02-01 to 2017-03-01" in caplog.text
    assert read(path, "2017-04-01", "2017-05-01") is None


def test_a_record_of_pyveg_belongs_to_one_period(tmp_path):
    """Neither a part of a month nor a quarter with the same middle day is a month."""
    path = pyveg(tmp_path, MONTHS)
    assert read(path, "2017-01-16", "2017-01-17") is None
    assert read(path, "2017-01-11", "2017-01-21") is None
    path = pyveg(tmp_path, {"2017-02-15": RECORD, "2017-05-16": RECORD})
    assert read(path, "2017-01-01", "2017-04-01") == RECORD
    assert read(path, "2017-02-01", "2017-03-01") is None
    # months are rounded to their 15th or 16th day, days are not rounded
    assert read(pyveg(tmp_path, {"2017-01-15": RECORD}), "2017-01-01", "2017-02-01") == RECORD
    assert read(pyveg(tmp_path, {"2017-01-14": RECORD}), "2017-01-01", "2017-02-01") is None
    assert read(pyveg(tmp_path, {"2017-01-15": RECORD}), "2017-01-16", "2017-01-17") is None


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("{", "weather.json is not valid JSON"),
        ("[" * 100_000, "weather.json is not valid JSON"),
        ("[]", "is not pyveg's weather: expected dates with total_precipitation and mean_2m_air_temperature"),
        ("{}", "is not pyveg's weather"),
        ({"type": "FeatureCollection"}, "is not pyveg's weather: 'type' is not a date"),
        ({"E": {"type": "weather"}}, "is not pyveg's weather"),
        ({"E": {"type": "weather"}, "F": {"type": "weather"}}, "one collection of type weather"),
        ({"2017-01-16": {"total_precipitation": 1}}, "mean_2m_air_temperature of 2017-01-16 is not a number"),
        ({"2017-01-16": 5}, "of 2017-01-16 is not a number"),
    ],
)
def test_bad_pyveg_json(tmp_path, data, sentence):
    with pytest.raises(TigerbushError, match=sentence):
        read(pyveg(tmp_path, data), "2017-01-01", "2017-02-01")


SEATTLE = COLUMNS | {
    "date": "month",
    "precipitation": {"column": "total_precipitation_mm", "unit": "mm", "kind": "sum"},
    "temperature": {"column": "mean_air_temperature_C", "unit": "degC"},
}


@pytest.mark.data
def test_seattle(shared_data):
    """The table of every month is the same as in pyveg's own layout (rounded to 4 decimals)."""
    months = [f"{year}-{month:02}-01" for year in range(2012, 2016) for month in range(1, 13)]
    months.append("2016-01-01")
    for start, end in pairwise(months):
        mine = read_weather(shared_data / "weather" / "seattle_monthly_2012_2015.csv", start, end, **SEATTLE)
        theirs = read_weather(
            shared_data / "weather" / "seattle_monthly_pyveg_layout.json", start, end, **SEATTLE
        )
        assert mine == {
            "total_precipitation": pytest.approx(theirs["total_precipitation"], abs=1e-9),
            "mean_2m_air_temperature": pytest.approx(theirs["mean_2m_air_temperature"], abs=6e-4),
        }
    assert theirs == {"total_precipitation": 0.2845, "mean_2m_air_temperature": 279.2532}


@pytest.mark.data
def test_hourly_temperature_of_era5(shared_data, tmp_path):
    path = shared_data / "weather" / "era5_t2m_hourly_2019-03_51.5N_0.5W.csv"
    with path.open() as file:
        hours = [float(row["t2m_K"]) for row in csv.DictReader(file)]
    assert len(hours) == 31 * 24
    columns = {
        "date": "time_utc",
        "precipitation": {"path": tmp_path / "rain.csv", "column": "rain", "unit": "mm", "kind": "sum"},
        "temperature": {"column": "t2m_K", "unit": "K"},
    }
    (tmp_path / "rain.csv").write_text("time_utc,rain\n2019-03,41.5\n")
    assert read(path, "2019-03-01", "2019-04-01", **columns) == approx(0.0415, sum(hours) / len(hours))
    ten = sum(hours[9 * 24 : 19 * 24]) / 240
    assert read(path, "2019-03-10", "2019-03-20", **columns) == approx(0.0415 * 10 / 31, ten)
    assert read(path, "2019-03-20", "2019-04-02", **columns) is None


def test_dekads(tmp_path):
    """Ten-day records as CHIRPS has them: the third of a month has 8 to 11 days."""
    days = [f"2016-{month:02}-{day:02}" for month in range(1, 6) for day in (1, 11, 21)]
    path = table(tmp_path, *(f"{day},10,{i}" for i, day in enumerate(days)))
    for month, first in ((1, 0), (2, 3), (3, 6), (4, 9)):
        weather = read(path, f"2016-{month:02}-01", f"2016-{month + 1:02}-01")
        assert weather["total_precipitation"] == pytest.approx(0.030, rel=1e-12)
        last = {1: 11, 2: 9, 3: 11, 4: 10}[month]
        mean = (10 * first + 10 * (first + 1) + last * (first + 2)) / (20 + last)
        assert weather["mean_2m_air_temperature"] == pytest.approx(273.15 + mean, rel=1e-12)
    gap = table(tmp_path, *(f"{day},10,1" for day in days if day != "2016-02-11"))
    assert read(gap, "2016-02-01", "2016-03-01") is None
    assert read(gap, "2016-03-01", "2016-04-01") is not None
