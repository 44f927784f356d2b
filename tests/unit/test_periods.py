"""The periods of a run, as pyveg counts them; tests/unit/test_configuration.py has what is refused."""

import pytest

from tigerbush.planning.periods import read_periods


@pytest.mark.parametrize(
    ("start", "end", "step", "expected"),
    [
        ("2017-01-01", "2017-02-01", "1m", {"2017-01-16": ("2017-01-01", "2017-02-01")}),
        ("2016-01-31", "2016-04-01", "1m", {"2016-02-14": ("2016-01-31", "2016-02-29"), "2016-03-14": ("2016-02-29", "2016-03-29")}),
        ("2016-02-29", "2018-03-01", "1y", {"2016-08-29": ("2016-02-29", "2017-02-28"), "2017-08-29": ("2017-02-28", "2018-02-28")}),
        ("2017-01-01", "2017-01-29", "2w", {"2017-01-08": ("2017-01-01", "2017-01-15"), "2017-01-22": ("2017-01-15", "2017-01-29")}),
    ],
)  # fmt: skip
def test_read_periods(start, end, step, expected):
    assert read_periods(start, end, step) == expected


def test_periods_at_the_end_of_time():
    assert list(read_periods("9999-11-01", "9999-12-31", "1m")) == ["9999-11-16"]
