"""The tiles of a site, against the same rule in tables.smk."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from test_common import common, site  # noqa: F401 - a fixture
from tigerbush.tiles import site_tiles

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@pytest.mark.parametrize(
    ("longitude", "latitude", "tile"),
    [(14.5579, 45.8704, "33TVL"), (27.94, 11.58, "35PPN"), (-60.02, -3.1, "20MRB"), (149.1, -35.3, "55HFA")],
)
def test_tiles_of_places(longitude, latitude, tile):
    """Ljubljana, Sudan, Manaus and Canberra."""
    assert tile in site_tiles(longitude, latitude, 0.01)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(-179.9, 179.9), st.floats(-79.9, 83.9), st.floats(0.001, 0.5))
def test_the_same_rule_as_at_parse_time(common, longitude, latitude, region_size):  # noqa: F811
    place = site(longitude, latitude, region_size)
    found = site_tiles(**place)
    assert found
    zone = next(iter(found))[:2]
    names = (zone + "".join(rest) for rest in itertools.product(LETTERS[2:-2], LETTERS, LETTERS[:-4]))
    assert found == {name for name in names if common.touches(place, name)}
