"""Weather of a period from tables."""

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.weather import read_weather

COLUMNS = {
    "date": "date",
    "precipitation": {"column": "rain", "unit": "mm"},
    "temperature": {"column": "warmth", "unit": "degC"},
}


def table(tmp_path, *rows, header="date,rain,warmth"):
    path = tmp_path / "weather.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def read(path, start, end, **columns):
    return read_weather(path, start, end, **COLUMNS | columns)


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
        "precipitation": {"column": "rain", "unit": "m"},
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
def test_a_period_that_is_not_covered_has_no_weather(tmp_path, rows, caplog):
    assert read(table(tmp_path, *rows), "2016-02-01", "2016-04-01") is None
    assert "does not cover the period from 2016-02-01 to 2016-04-01" in caplog.text


@pytest.mark.parametrize(
    ("rows", "header", "sentence"),
    [
        (["2016-01,1,1"], "date,rain,t", "has no column 'warmth'"),
        (["2016-13,1,1"], "date,rain,warmth", "line 2: '2016-13' is not a date"),
        (["2016-01,1,1", "2016-02,,1"], "date,rain,warmth", "line 3: '' is not a number"),
        (["2016-01,nan,1"], "date,rain,warmth", "line 2: 'nan' is not a number"),
        (["2016-01,1"], "date,rain,warmth", "line 2: None is not a number"),
        (["2016-01,1,1", "2016-01-01,1,1"], "date,rain,warmth", "two records of one date"),
        ([], "", "has no column 'date'"),
    ],
)
def test_bad_tables(tmp_path, rows, header, sentence):
    with pytest.raises(TigerbushError, match=sentence):
        read(table(tmp_path, *rows, header=header), "2016-01-01", "2016-02-01")


@pytest.mark.data
def test_seattle(shared_data):
    columns = {
        "date": "month",
        "precipitation": {"column": "total_precipitation_mm", "unit": "mm"},
        "temperature": {"column": "mean_air_temperature_C", "unit": "degC"},
    }
    path = shared_data / "weather" / "seattle_monthly_2012_2015.csv"
    # the same month in pyveg's own layout (rounded to 4 decimals)
    assert read_weather(path, "2012-01-01", "2012-02-01", **columns) == {
        "total_precipitation": pytest.approx(0.1733, abs=1e-9),
        "mean_2m_air_temperature": pytest.approx(277.4484, abs=1e-3),
    }
