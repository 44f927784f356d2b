"""Times of weather records: minutes, time zones, missing days, unequal steps; every limit from both sides."""

import json
from datetime import date, datetime, timedelta

import pytest

from test_weather import COLUMNS, pyveg, read, table
from tigerbush.errors import TigerbushError

EXACT = {"rel": 1e-12}


def of(path, start, end, **precipitation):
    """Rainfall in mm and temperature in degrees Celsius; None when the period is not covered."""
    rain = COLUMNS["precipitation"] | precipitation
    weather = read(path, start, end, precipitation=rain)
    if weather is None:
        return None
    assert list(weather) == ["total_precipitation", "mean_2m_air_temperature"]
    return weather["total_precipitation"] * 1000, weather["mean_2m_air_temperature"] - 273.15


def approx(rain, warmth):
    return pytest.approx(rain, **EXACT), pytest.approx(warmth, rel=1e-10)  # of kelvin


def half_hours(first, number, zone=""):
    start = datetime.fromisoformat(first)
    return [
        f"{start + timedelta(minutes=30 * i):%Y-%m-%dT%H:%M}{zone},{i % 5},{i % 7}" for i in range(number)
    ]


def test_records_of_half_hours(tmp_path):
    path = table(tmp_path, *half_hours("2016-01-01T00:00", 96))
    second = range(48, 96)
    expected = sum(i % 5 for i in second), sum(i % 7 for i in second) / 48
    assert of(path, "2016-01-02", "2016-01-03") == approx(*expected)
    # the first is missing, and with it the time that it covers; the last covers the time until midnight
    assert of(table(tmp_path, *half_hours("2016-01-01T00:30", 95)), "2016-01-01", "2016-01-02") is None
    assert of(table(tmp_path, *half_hours("2016-01-01T00:00", 95)), "2016-01-02", "2016-01-03") is None


def test_records_at_a_quarter_past(tmp_path):
    """The record at 23:15 covers 45 minutes of one day and 15 of the next."""
    # rain that grows until noon: accumulated rain would grow until midnight
    grown = [min(hour, 23 - hour) for hour in range(24)]
    rows = [
        f"2016-01-0{day}T{hour:02}:15,{4 * grown[hour] + day},{hour * day / 2}"
        for day in (1, 2, 3)
        for hour in range(24)
    ]
    path = table(tmp_path, *rows)
    rain = (0 + 1) * 0.25 + sum(4 * grown[hour] + 2 for hour in range(23)) + (0 + 2) * 0.75
    warmth = (11.5 * 0.25 + sum(range(23)) + 23 * 0.75) / 24
    assert of(path, "2016-01-02", "2016-01-03") == approx(rain, warmth)


def test_zones_of_half_an_hour(tmp_path):
    """Midnight at +05:30 is 18:30 UTC of the day before."""
    path = table(tmp_path, *half_hours("2016-01-01T05:30", 48, "+05:30"))
    assert of(path, "2016-01-01", "2016-01-02") == approx(
        sum(i % 5 for i in range(48)), sum(i % 7 for i in range(48)) / 48
    )
    assert (
        of(table(tmp_path, *half_hours("2016-01-01T00:00", 48, "+05:30")), "2016-01-01", "2016-01-02") is None
    )
    rows = [f"2016-01-{day:02}T00:00-06:00,{day},{10 * day}" for day in range(1, 5)]
    path = table(tmp_path, *rows)
    # a quarter of the day before, three of its own
    assert of(path, "2016-01-02", "2016-01-04") == approx(0.25 * 1 + 2 + 0.75 * 3, (2.5 + 20 + 22.5) / 2)


def test_accumulation_starts_at_midnight_utc(tmp_path):
    """At 05:30 local time; a record one minute later covers that minute."""
    rows = [
        "2016-01-01T05:30+05:30,9,0",
        "2016-01-01T05:31+05:30,0.5,0",
        "2016-01-01T17:30+05:30,3,0",
        "2016-01-02T05:30+05:30,7,0",
        "2016-01-02T11:30+05:30,1,0",
    ]
    rain = {"kind": "accumulated", "column": "rain", "unit": "mm"}
    (tmp_path / "warm.csv").write_text("date,warmth\n2015-12-31,0\n2016-01-01,0\n2016-01-02,0\n")
    path = table(tmp_path, *rows)
    warm = COLUMNS["temperature"] | {"path": tmp_path / "warm.csv"}
    records = [
        read(path, f"2016-01-0{day}" if day else "2015-12-31", f"2016-01-0{day + 1}", precipitation=rain, temperature=warm)
        for day in (0, 1, 2)
    ]  # fmt: skip
    assert [record and record["total_precipitation"] for record in records] == [
        pytest.approx(0.009, **EXACT),
        pytest.approx(0.007, **EXACT),
        None,
    ]


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("m", 0.001)])
@pytest.mark.parametrize(("fallen", "refused"), [(0.09, False), (0.11, True)])
def test_a_decrease_of_a_tenth_of_a_millimetre_is_tolerated(tmp_path, unit, factor, fallen, refused):
    values = [("1T06", 4), ("1T12", 5), ("1T18", 5 - fallen), ("2T00", 6)]
    path = table(tmp_path, *(f"2016-01-0{time}:00,{value * factor},0" for time, value in values))
    (tmp_path / "warm.csv").write_text("date,warmth\n2016-01,0\n")
    rain = {"kind": "accumulated", "column": "rain", "unit": unit}
    warm = COLUMNS["temperature"] | {"path": tmp_path / "warm.csv"}
    if not refused:
        record = read(path, "2016-01-01", "2016-01-02", precipitation=rain, temperature=warm)
        assert record["total_precipitation"] == pytest.approx(0.006, **EXACT)
        return
    with pytest.raises(TigerbushError) as error:
        read(path, "2016-01-01", "2016-01-02", precipitation=rain, temperature=warm)
    assert str(error.value) == (
        f"{path}: rainfall decreases from 2016-01-01 12:00 to 18:00 UTC, so it is not accumulated over the day; set "
        "weather.precipitation.kind to what it is (sum, mean_rate)."
    )


@pytest.mark.parametrize(
    ("days", "covered"), [((1, 3, 5, 7, 10, 12, 14), True), ((1, 3, 5, 7, 11, 13, 15), False)]
)
def test_gaps_up_to_half_a_step_are_bridged(tmp_path, days, covered):
    """Records every second day, and one after 3 or 4 days."""
    path = table(tmp_path, *(f"2016-01-{day:02},{day},{day}" for day in days))
    record = of(path, "2016-01-05", "2016-01-12")
    # 5 and 7 stand for 2 and 3 days, 10 for 2
    assert record == (approx(5 + 7 + 10, (5 * 2 + 7 * 3 + 10 * 2) / 7) if covered else None)
    # the last stands for the usual step
    last = days[-1]
    assert of(path, f"2016-01-{last}", f"2016-01-{last + 2}") == approx(last, last)
    assert of(path, f"2016-01-{last}", f"2016-01-{last + 3}") is None


def test_the_step_is_the_lower_median(tmp_path):
    """With as many steps of 1 day as of 3 days, it is 1 day."""
    path = table(tmp_path, "2016-01-01,1,1", "2016-01-02,2,2", "2016-01-05,3,3")
    assert of(path, "2016-01-05", "2016-01-06") == approx(3, 3)
    assert of(path, "2016-01-05", "2016-01-07") is None
    # and of a single record a day
    path = table(tmp_path, "2016-01-05,3,4")
    assert of(path, "2016-01-05", "2016-01-06") == approx(3, 4)
    assert of(path, "2016-01-05", "2016-01-07") is None


@pytest.mark.parametrize(("step", "months"), [(27, False), (28, True)])
def test_records_of_28_days_are_months(tmp_path, step, months):
    first = date(2016, 1, 5)
    path = table(tmp_path, *(f"{first + timedelta(days=step * i)},31,{i}" for i in range(2)))
    # of January the calendar month, else from the 5th on
    assert of(path, "2016-01-01", "2016-01-11") == (approx(10, 0) if months else None)
    assert of(path, "2016-01-05", "2016-01-15") == approx(310 / (31 if months else step), 0)


def test_december_ends_with_the_year(tmp_path):
    path = table(tmp_path, "2015-12,31,1", "2016-01,62,3", "2016-02,29,5")
    assert of(path, "2015-12-22", "2016-01-11") == approx(10 + 20, 2)


def test_a_missing_day_is_missing(tmp_path, caplog):
    # the rain of the sixth is in its place, but empty
    rows = [f"2016-01-{day:02},{'' if day == 6 else 1},1" for day in range(1, 11)]
    path = table(tmp_path, *rows)
    assert of(path, "2016-01-01", "2016-01-06") == approx(5, 1)
    assert of(path, "2016-01-07", "2016-01-11") == approx(4, 1)
    assert not caplog.records
    assert of(path, "2016-01-05", "2016-01-08") is None
    sentence = (
        f"{path} does not cover the period from 2016-01-05 to 2016-01-08: rainfall is first missing from 2016-01-06 00:00 "
        "to 2016-01-07 00:00 UTC (line 7 has no value, or a fill value); times without a UTC offset are taken for UTC; "
        "the weather is null"
    )
    assert [record.getMessage() for record in caplog.records] == [sentence]


def test_rows_may_be_unsorted_and_start_with_a_byte_order_mark(tmp_path):
    path = table(tmp_path, "2016-01-03,3,30", "2016-01-01,1,10", "2016-01-02,2,20")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert of(path, "2016-01-01", "2016-01-03") == approx(3, 15)


@pytest.mark.parametrize("kind", ["sum", "mean_rate"])
def test_records_that_overlap(tmp_path, kind):
    for rows in (
        ["2016-01-05,1,1", "2016-01-05T00:00,2,2"],
        ["2016-01-05T12:00,1,1", "2016-01-05T12:00Z,1,1"],
    ):
        path = table(tmp_path, *rows)
        with pytest.raises(TigerbushError) as error:
            of(path, "2016-01-05", "2016-01-06", kind=kind)
        when = "12:00" if "T12" in rows[0] else "00:00"
        assert str(error.value) == (
            f"{path} has two records for one date (2016-01-05 {when} and 2016-01-05 {when} overlap); keep one of them, "
            "and convert local times to UTC."
        )


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("2016-01,1;5,1", "line 2: '1;5' is not a number; correct or remove the line."),
        ("2016-01,1,cold", "line 2: 'cold' is not a number; correct or remove the line."),
        ("0001-01,1,1", "line 2: '0001-01' is not a date such as 2017-01 or 2017-01-16."),
        ("9999-01,1,1", "line 2: '9999-01' is not a date such as 2017-01 or 2017-01-16."),
        ("2016/01,1,1", "line 2: '2016/01' is not a date such as 2017-01 or 2017-01-16."),
        (",1,1", "line 2: '' is not a date such as 2017-01 or 2017-01-16."),
    ],
)
def test_impossible_values(tmp_path, row, sentence):
    path = table(tmp_path, row)
    with pytest.raises(TigerbushError) as error:
        of(path, "2016-01-01", "2016-02-01")
    assert str(error.value) == f"{path}, {sentence}"


def test_values_at_the_limits(tmp_path):
    path = table(tmp_path, "0002-01,0,1", "2016-01,10000,-93.15", "9998-12,1,66.85")
    assert of(path, "2016-01-01", "2016-02-01") == approx(10000, -93.15)


def test_missing_columns_are_named(tmp_path):
    path = table(tmp_path, "1,2", header="day,rain fall")
    with pytest.raises(TigerbushError) as error:
        of(path, "2016-01-01", "2016-02-01")
    assert str(error.value) == (
        f"{path} has no column 'date'; its columns are 'day', 'rain fall': correct the names under weather in the "
        "configuration."
    )


# pyveg's JSON

RECORD = {"total_precipitation": 0.25, "mean_2m_air_temperature": 300.5}


def days(first, step, number=3):
    start = date.fromisoformat(first)
    return {
        str(start + timedelta(days=step * i)): RECORD | {"total_precipitation": i / 4} for i in range(number)
    }


@pytest.mark.parametrize(
    ("length", "middle", "covered"),
    [
        # the middle day of a period from the 1st of March on; a month or more may be a day off
        (10, 6, True),
        (10, 7, False),
        (10, 5, False),
        (27, 14, True),
        (27, 15, False),
        (28, 14, True),
        (28, 15, True),
        (28, 16, True),
        (28, 17, False),
        (28, 13, False),
    ],
)
def test_the_middle_day_of_a_period(tmp_path, length, middle, covered):
    path = pyveg(tmp_path, days(f"2017-03-{middle:02}", length))
    end = date(2017, 3, 1) + timedelta(days=length)
    assert read(path, "2017-03-01", str(end)) == (RECORD | {"total_precipitation": 0.0} if covered else None)


@pytest.mark.parametrize(("step", "covered"), [(34, False), (35, True), (40, True), (45, True), (46, False)])
def test_records_of_another_length_do_not_cover_the_period(tmp_path, step, covered):
    """A length of 40 days may differ by an eighth."""
    path = pyveg(tmp_path, days("2017-01-21", step))
    expected = RECORD | {"total_precipitation": 0.0} if covered else None
    assert read(path, "2017-01-01", "2017-02-10") == expected


def test_the_nearest_record_is_used_and_null_stays_null(tmp_path):
    table_of_days = {
        "2017-01-16": RECORD,
        "2017-02-14": None,
        "2017-03-16": RECORD | {"total_precipitation": 1},
    }
    path = pyveg(tmp_path, table_of_days)
    assert read(path, "2017-03-01", "2017-04-01")["total_precipitation"] == 1
    assert read(path, "2017-02-01", "2017-03-01") is None
    single = pyveg(tmp_path, {"2017-01-16": RECORD})
    assert read(single, "2017-01-01", "2017-02-01") == RECORD
    # one quantity from here, the other one from a table
    (tmp_path / "rain.csv").write_text("date,rain,warmth\n2017-01,62,1\n")
    mixed = read(
        single,
        "2017-01-01",
        "2017-02-01",
        precipitation=COLUMNS["precipitation"] | {"path": tmp_path / "rain.csv"},
    )
    assert mixed == {"total_precipitation": pytest.approx(0.062, **EXACT), "mean_2m_air_temperature": 300.5}


@pytest.mark.parametrize("value", [None, "1", True, [280]])
def test_invalid_numbers_of_pyveg(tmp_path, value):
    path = tmp_path / "weather.json"
    path.write_text(json.dumps({"2017-01-16": RECORD | {"mean_2m_air_temperature": value}}))
    with pytest.raises(TigerbushError) as error:
        read(path, "2017-01-01", "2017-02-01")
    assert str(error.value) == (
        f"{path}: mean_2m_air_temperature of 2017-01-16 is not a number; correct it or set the date to null."
    )
