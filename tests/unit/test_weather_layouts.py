"""Tables as spreadsheets and services write them: separators, decimal commas, blanks, titles, missing values."""

import pytest

from test_weather import approx, read
from tigerbush.errors import TigerbushError

JANUARY = "2016-01-01", "2016-02-01"
# 12.5 mm and 20.25 degrees in January
EXPECTED = approx(0.0125, 293.4)


def save(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "weather.csv"
    path.write_bytes(text.encode(encoding))
    return path


def refusal(path, period=JANUARY):
    with pytest.raises(TigerbushError) as error:
        read(path, *period)
    return str(error.value)


@pytest.mark.input(
    "Weather",
    "CSV with semicolons, tabs, blanks around names, decimal commas, titles above them, or in UTF-16",
    "read",
)
@pytest.mark.parametrize(
    "text",
    [
        "date,rain,warmth\n2016-01,12.5,20.25\n2016-02,1,2\n",
        "date;rain;warmth\n2016-01;12,5;20,25\n2016-02;1;2\n",
        "date;rain;warmth\n2016-01;12.5;20.25\n2016-02;1;2\n",
        "date\train\twarmth\n2016-01\t12.5\t20.25\n2016-02\t1\t2\n",
        "date\train\twarmth\n2016-01\t12,5\t20,25\n2016-02\t1\t2\n",
        "date|rain|warmth\n2016-01|12.5|20.25\n2016-02|1|2\n",
        "date  rain  warmth\n2016-01  12.5 20.25\n2016-02     1     2\n",
        "date, rain, warmth\n2016-01, 12.5, 20.25\n2016-02, 1, 2\n",
        " date ; rain ; warmth \n 2016-01 ; 12,5 ; 20,25 \n 2016-02 ; 1 ; 2 \n",
        '"date","rain","warmth"\n"2016-01","12.5","20.25"\n"2016-02","1","2"\n',
        'sep=;\r\ndate;rain;warmth\r\n"2016-01";"12,5";"20,25"\r\n2016-02;1;2\r\n',
        # other columns, an empty one at the end, empty rows
        "warmth,name,date,rain,\n20.25,a;b,2016-01,12.5,\n\n,,,,\n2,c,2016-02,1,\n",
        # a title and remarks, as of a service
        "Station 17, Niger\nlatitude,13.2,longitude,2.2\n\ndate,rain,warmth\n2016-01,12.5,20.25\n2016-02,1,2\n",
        "# exported 2020-01-01\n#\ndate;rain;warmth\n2016-01;12,5;20,25\n2016-02;1;2\n",
        # the other rows need not be in order
        "date,rain,warmth\r2016-02,1,2\r2016-01,12.5,20.25\r",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_layouts_of_tables(tmp_path, text, encoding):
    assert read(save(tmp_path, text, encoding), *JANUARY) == EXPECTED


@pytest.mark.input(
    "Weather",
    "decimal commas in a CSV whose columns are separated by commas, or a cut row",
    "refused, with the line",
)
@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            "2016-01,12,5,20,25",
            "line 2 has 5 values for 3 columns, separated by ','; correct the line (decimal commas need columns separated "
            "by ';' or tabs).",
        ),
        (
            "2016-01,1,2\n2016-02,1",
            "line 3 has 2 values for 3 columns, separated by ','; correct the line (decimal commas need columns separated "
            "by ';' or tabs).",
        ),
        ('2016-01,"12,5",2', "line 2: '12,5' is not a number; correct or remove the line."),
        (f"2016-01,{'x' * 500},2", f"line 2: {'x' * 80!r} is not a number; correct or remove the line."),
        ("01.02.2016,1,2", "line 2: '01.02.2016' is not a date such as 2017-01 or 2017-01-16."),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit(tmp_path, rows, sentence):
    path = save(tmp_path, f"date,rain,warmth\n{rows}\n")
    assert refusal(path) == f"{path}, {sentence}"


def test_commas_and_points_in_one_table(tmp_path):
    """1,234 may be a thousand or one and a bit."""
    path = save(tmp_path, "date;rain;warmth\n2016-01;12.5;20\n2016-02;1,234;2\n")
    assert refusal(path) == (
        f"{path} has numbers with a comma (line 3) and with a point (line 2); write all of them with a point, and "
        "without signs for thousands."
    )


@pytest.mark.parametrize(
    ("header", "column", "columns"),
    [
        ("day;rain;warmth", "date", "'day', 'rain', 'warmth'"),
        ("date\train", "warmth", "'date', 'rain'"),
        ("a,b", "date", "'a', 'b'"),
        ("\n", "date", "none"),
    ],
)
def test_columns_that_there_are_not(tmp_path, header, column, columns):
    path = save(tmp_path, f"{header}\n1;2;3\n")
    if header == "\n":
        path.write_text("\n \n")
    assert refusal(path) == (
        f"{path} has no column {column!r}; its columns are {columns}: correct the names under weather in the "
        "configuration."
    )


def test_a_column_that_there_is_twice(tmp_path):
    path = save(tmp_path, "date,rain,warmth,rain\n2016-01,1,2,3\n")
    assert refusal(path) == f"{path} has more than one column 'rain'; rename all but one of them."


@pytest.mark.input(
    "Weather",
    "-999, -9999, NA or nothing where a value is missing",
    "missing: dates that need it have no weather, and the log of their job names the line",
)
@pytest.mark.parametrize(
    "text", ["", " ", "NA", "nan", "NaN", "null", "None", "n/a", "--", "-999", "-9999", "-99.9", "-999.0", "-9999.90", "1e20", "-3.4e38", "99999", "-32768", "inf"]
)  # fmt: skip
def test_values_that_stand_for_none(tmp_path, caplog, text):
    """Only the dates that they belong to are without weather."""
    path = save(tmp_path, f"date,rain,warmth\n2016-01,12.5,20.25\n2016-02,{text},2\n2016-03,1,2\n")
    assert read(path, *JANUARY) == EXPECTED
    assert not caplog.records
    assert read(path, "2016-02-01", "2016-03-01") is None
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} does not cover the period from 2016-02-01 to 2016-03-01: rainfall is first missing from 2016-02-01 00:00 "
        "to 2016-03-01 00:00 UTC (line 3 has no value, or a fill value); times without a UTC offset are taken for UTC; "
        "the weather is null"
    ]


def test_more_gaps_than_values(tmp_path, caplog):
    """The first gap within the period is named, not those before it."""
    rows = [f"2016-01-{day:02},{1 if day in (10, 11, 14) else -999},5" for day in range(1, 32)]
    path = save(tmp_path, "\n".join(["date,rain,warmth", *rows]) + "\n")
    assert read(path, "2016-01-10", "2016-01-12") == approx(0.002, 278.15)
    assert read(path, "2016-01-11", "2016-01-15") is None
    [record] = caplog.records
    assert (
        "rainfall is first missing from 2016-01-12 00:00 to 2016-01-14 00:00 UTC (line 13 has"
        in record.getMessage()
    )
    assert "temperature" not in record.getMessage()


@pytest.mark.input(
    "Weather",
    "hours in local time, one of which is missing in spring and double in autumn",
    "the first missing record is named, the double one refused; times are taken for UTC",
)
def test_an_hour_that_local_time_does_not_have(tmp_path, caplog):
    hours = [f"2017-03-{day:02}T{hour:02}:00" for day in range(20, 32) for hour in range(24)]
    rows = [f"{hour},0.1,10" for hour in hours if hour != "2017-03-26T02:00"]
    path = save(tmp_path, "\n".join(["date,rain,warmth", *rows]) + "\n")
    assert read(path, "2017-03-27", "2017-03-29") == approx(0.0048, 283.15)
    assert read(path, "2017-03-25", "2017-03-29") is None
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} does not cover the period from 2017-03-25 to 2017-03-29: {name} is first missing from 2017-03-26 02:00 "
        "to 2017-03-26 03:00 UTC; times without a UTC offset are taken for UTC; the weather is null"
        for name in ("rainfall", "temperature")
    ]
    # and one that it has twice
    path = save(tmp_path, "\n".join(["date,rain,warmth", *rows, "2017-03-30T02:00,0.1,10"]) + "\n")
    assert refusal(path, ("2017-03-21", "2017-03-22")) == (
        f"{path} has two records for one date (2017-03-30 02:00 and 2017-03-30 02:00 overlap); keep one of them, and "
        "convert local times to UTC."
    )


def test_the_end_of_a_record_is_named_when_nothing_follows(tmp_path, caplog):
    path = save(tmp_path, "date,rain,warmth\n2016-01-01,1,2\n2016-01-02,1,2\n")
    assert read(path, "2016-01-01", "2016-01-09") is None
    assert "rainfall is first missing from 2016-01-03 00:00 to 2016-01-09 00:00 UTC;" in caplog.text
