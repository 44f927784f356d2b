"""Times of NetCDF: units, reference dates and calendars."""

import numpy as np
import pytest
import xarray as xr

from test_weather_grids import MONTHS, approx, column, grid, read
from test_weather_grids import save as save
from tigerbush.errors import TigerbushError


@pytest.mark.input(
    "Weather",
    "NetCDF with a calendar such as `noleap`, `360_day` or `julian`, or in months",
    "refused, with the name of the calendar or the unit",
)
@pytest.mark.parametrize(
    ("units", "calendar", "sentence"),
    [
        *(
            (
                "days since 2016-01-01",
                calendar,
                f"its times are in the calendar {calendar!r}, in which days are not those of satellite images; convert the "
                "file to the standard calendar.",
            )
            for calendar in ("noleap", "365_day", "360_day", "julian", "all_leap")
        ),
        *(
            (
                units,
                "standard",
                f"its times are in {units!r}; expected days, hours, minutes or seconds since a date: convert them.",
            )
            for units in ("months since 2016-01-01", "years since 2000-01-01", "fortnights since 2016-01-01")
        ),
    ],
)
def test_times_that_are_not_those_of_a_clock(save, units, calendar, sentence):
    clock = xr.Variable("valid_time", [0, 1, 2], {"units": units, "calendar": calendar})
    path = save(grid(MONTHS, 1, 280).assign_coords(valid_time=clock))
    with pytest.raises(TigerbushError) as error:
        read(path)
    assert str(error.value) == f"{path}: {sentence}"


@pytest.mark.parametrize("calendar", ["standard", "gregorian", "proleptic_gregorian", "Standard", None])
@pytest.mark.parametrize(
    ("units", "values"),
    [
        ("days since 2016-01-01", [0, 31, 60]),
        ("hours since 1900-01-01 00:00:00.0", [1016832, 1016832 + 744, 1016832 + 1440]),
        ("seconds since 1970-01-01", [1451606400, 1454284800, 1456790400]),
        ("minutes since 2016-01-01T00:00:00", [0, 44640, 86400]),
        # midnight at +06:00 is 18:00 UTC of the day before
        ("hours since 2016-01-01 06:00 +6:00", [0, 744, 1440]),
    ],
)
def test_times_by_their_units(save, calendar, units, values):
    attributes = {"units": units} | ({"calendar": calendar} if calendar else {})
    data = grid(MONTHS, column([1, 2, 3]), 280)
    path = save(data.assign_coords(valid_time=xr.Variable("valid_time", values, attributes)))
    assert read(path, "2016-02-01", "2016-03-01") == approx(2, 280)


def test_a_reference_date_before_the_gregorian_calendar(save):
    """2016-01-01 is 735965 days after 0001-01-01 by the calendar that was then in force, two fewer by today's."""
    for calendar, days in (("standard", 735965), ("proleptic_gregorian", 735963)):
        attributes = {"units": "days since 0001-01-01", "calendar": calendar}
        clock = xr.Variable("valid_time", np.array([0, 31, 60]) + days, attributes)
        path = save(grid(MONTHS, column([1, 2, 3]), 280).assign_coords(valid_time=clock))
        assert read(path) == approx(1, 280)


def test_undecodable_times(save):
    clock = xr.Variable("valid_time", [0, 1, 2], {"units": "days since the flood"})
    path = save(grid(MONTHS, 1, 280).assign_coords(valid_time=clock))
    with pytest.raises(
        TigerbushError, match=r"cannot be read as NetCDF \(.*\); compare its size with that of the original"
    ):
        read(path)
