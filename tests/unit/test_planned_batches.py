"""Which sites are measured together, and of which dates images are kept."""

import re

import pytest

from tigerbush.planning.batches import BATCH, batch_of, batches_of, keeps_images, made_of_date
from tigerbush.planning.periods import read_periods


def site(name, longitude, latitude):
    return {"site": name, "longitude": longitude, "latitude": latitude, "region_size": 0.02}


@pytest.mark.parametrize(
    ("longitude", "latitude", "batch"),
    [
        # on the central meridian the easting is 500 km, at the equator the northing is 0, in the south 10,000 km
        (3, 0.0001, "31n_5x0_0"),
        (3, -0.0001, "31s_5x99_0"),
        (2.9999, 0.0001, "31n_4x0_0"),
        # a degree of latitude is 110.57 km at the equator
        (3, 1, "31n_5x1_0"),
        (-177, 0.0001, "1n_5x0_0"),
    ],
)
def test_a_batch_is_a_square_of_100_km(longitude, latitude, batch):
    assert batch_of(site("a", longitude, latitude), 1) == batch
    assert re.fullmatch(BATCH, batch)


def test_a_square_is_divided_by_names():
    """CRC-32 of `here`, `there` and `far` modulo three is 2, 1 and 0."""
    here, there, far = (site(name, 3, 1) for name in ("here", "there", "far"))
    assert batches_of([there, here, far], 3) == {
        "31n_5x1_0": ["far"],
        "31n_5x1_1": ["there"],
        "31n_5x1_2": ["here"],
    }
    assert batches_of([there, here, far], 1) == {"31n_5x1_0": ["far", "here", "there"]}
    assert batches_of([], 2) == {}


@pytest.mark.parametrize(
    ("start", "step", "end", "every"),
    [
        ("2020-01-01", "1m", "2022-01-01", 6),
        ("2020-02-01", "1m", "2022-02-01", 6),
        ("2020-01-01", "10d", "2021-12-31", 18),
        ("2020-01-01", "2w", "2021-12-31", 13),
        ("2020-01-01", "1y", "2024-01-01", 1),
    ],
)
def test_images_are_kept_twice_a_year(start, step, end, every):
    dates = read_periods(start, end, step)
    kept = [day for day in dates if keeps_images(day, dates)]
    assert kept == list(dates)[::every]
    # the same ones of a longer record
    fewer = dict(list(dates.items())[: every + 1])
    assert [day for day in fewer if keeps_images(day, fewer)] == kept[:2]


def test_what_the_measures_of_a_date_are_made_of():
    one = made_of_date({"x": 1}, ["p", "q"], True, {"mask": "m"}, {"p": "1", "q": "2"})
    assert one == made_of_date({"x": 1}, ["p", "q"], True, {"mask": "m"}, {"q": "2", "p": "1"})
    others = [
        made_of_date({"x": 2}, ["p", "q"], True, {"mask": "m"}, {"p": "1", "q": "2"}),
        made_of_date({"x": 1}, ["p"], True, {"mask": "m"}, {"p": "1", "q": "2"}),
        made_of_date({"x": 1}, ["p", "q"], False, {"mask": "m"}, {"p": "1", "q": "2"}),
        made_of_date({"x": 1}, ["p", "q"], True, {"mask": "n"}, {"p": "1", "q": "2"}),
        made_of_date({"x": 1}, ["p", "q"], True, {"mask": "m"}, {"p": "1", "q": "3"}),
    ]
    assert not any(other.is_that_of(one.text) for other in others)
    # where windows are of no matter
    assert made_of_date({"x": 1}, ["p", "q"], True, {"mask": "m"}, None).is_that_of(one.text)
