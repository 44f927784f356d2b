"""The periods of a run, as pyveg counts them."""

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.planning.periods import dropped_period, period_warning, read_periods


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


@pytest.mark.parametrize(
    ("start", "end", "step", "expected"),
    [
        # the last one ends with the period; a day less, and it is dropped
        ("2017-01-01", "2017-03-01", "1m", {"2017-01-16": ("2017-01-01", "2017-02-01"), "2017-02-15": ("2017-02-01", "2017-03-01")}),
        ("2017-01-01", "2017-02-28", "1m", {"2017-01-16": ("2017-01-01", "2017-02-01")}),
        ("2017-01-01", "2017-01-06", "5d", {"2017-01-03": ("2017-01-01", "2017-01-06")}),
        ("2017-01-01", "2017-01-03", "1d", {"2017-01-01": ("2017-01-01", "2017-01-02"), "2017-01-02": ("2017-01-02", "2017-01-03")}),
        # a month that lacks the day shortens those after it
        ("2017-01-31", "2017-04-30", "1m", {"2017-02-14": ("2017-01-31", "2017-02-28"), "2017-03-14": ("2017-02-28", "2017-03-28"), "2017-04-12": ("2017-03-28", "2017-04-28")}),
    ],
)  # fmt: skip
def test_periods_and_their_last_one(start, end, step, expected):
    assert read_periods(start, end, step) == expected


@pytest.mark.parametrize(
    ("start", "end", "step", "sentence"),
    [
        ("2017-01-01", "2017-01-01", "1d", "period.end 2017-01-01 must be after period.start 2017-01-01."),
        ("2017-01-02", "2017-01-01", "1d", "period.end 2017-01-01 must be after period.start 2017-01-02."),
        ("2017-13-01", "x", "1d", "period.start '2017-13-01' and period.end 'x' must be days: month must be in 1..12."),
        ("2017-01-01", "2017-01-31", "1m", "period.step 1m cuts 2017-01-01 to 2017-01-31 into 0 dates; choose a wider period (period.end is the day after its last day) or a shorter step."),
        ("9999-12-01", "9999-12-31", "9y", "period.step 9y cuts 9999-12-01 to 9999-12-31 into 0 dates; choose a wider period (period.end is the day after its last day) or a shorter step."),
    ],
)  # fmt: skip
def test_periods_that_are_none(start, end, step, sentence):
    with pytest.raises(TigerbushError) as error:
        read_periods(start, end, step)
    assert str(error.value) == sentence


def test_periods_at_the_end_of_time():
    assert list(read_periods("9999-11-01", "9999-12-31", "1m")) == ["9999-11-16"]


@pytest.mark.parametrize(
    ("start", "end", "step", "dropped"),
    [
        ("2017-01-01", "2017-03-01", "1m", None),
        ("2017-01-01", "2017-02-28", "1m", ("2017-02-01", "2017-03-01")),
        ("2016-01-31", "2016-04-01", "1m", ("2016-03-29", "2016-04-29")),
        ("2016-01-01", "2019-12-31", "1y", ("2019-01-01", "2020-01-01")),
        ("2017-01-01", "2017-12-31", "2w", None),
        ("2017-01-01", "2018-01-01", "2w", ("2017-12-31", "2018-01-14")),
        ("2017-01-01", "2017-02-28", "1d", None),
        # the calendar ends first
        ("9999-11-01", "9999-12-31", "1m", None),
    ],
)
def test_an_incomplete_last_period(start, end, step, dropped):
    assert dropped_period(start, end, step) == dropped


@pytest.mark.parametrize(
    ("start", "end", "step", "first", "following"),
    [
        ("2017-01-01", "2017-02-28", "1m", "2017-02-01", "2017-03-01"),
        ("2016-01-01", "2016-02-29", "1m", "2016-02-01", "2016-03-01"),
        ("2016-01-01", "2019-12-31", "1y", "2019-01-01", "2020-01-01"),
        ("2016-01-01", "2019-12-31", "3m", "2019-10-01", "2020-01-01"),
        # the last day of a month, and of no period
        ("2016-01-01", "2019-11-30", "3m", "2019-10-01", "2020-01-01"),
        ("2016-01-15", "2016-03-31", "1m", "2016-03-15", "2016-04-15"),
        # the last day of a period, and of no month
        ("2016-01-15", "2016-03-14", "1m", "2016-02-15", "2016-03-15"),
        ("2017-01-01", "2017-01-20", "10d", "2017-01-11", "2017-01-21"),
        ("2017-01-01", "2017-01-28", "2w", "2017-01-15", "2017-01-29"),
    ],
)
def test_an_end_that_looks_like_the_last_day(start, end, step, first, following):
    assert period_warning(start, end, step) == (
        f"period.end {end} is not the last day but the day after it: the last period ({first} to {following}) is "
        f"incomplete and dropped; set period.end: {following} to use it, or {first} to leave it out."
    )
    # either end that it names is right
    assert period_warning(start, first, step) is None
    assert period_warning(start, following, step) is None


@pytest.mark.parametrize(
    ("days", "products"),
    [
        # only days in the dropped period and before the end count
        (["2017-01-10", "2017-02-10"], " with 1 product"),
        (["2017-02-01", "2017-02-13", "2017-02-14", "2017-02-20", "2017-01-31"], " with 2 products"),
        (["2017-01-10", "2017-02-14", "2017-03-01"], None),
        ([], None),
    ],
)
def test_products_in_the_dropped_period(days, products):
    """An end in the middle of a month may be meant, unless there are products."""
    assert period_warning("2017-01-01", "2017-02-14", "1m", days) == (
        products
        and "period.end 2017-02-14 is not the last day but the day after it: the last period (2017-02-01 to 2017-03-01) "
        f"is incomplete and dropped{products}; set period.end: 2017-03-01 to use it, or 2017-02-01 to leave it out."
    )
