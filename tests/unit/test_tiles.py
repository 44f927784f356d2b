"""The tiles of a site: worked out by hand, and the same as by the rule in tables.smk."""

import itertools

import pytest
import utm

from test_common import common, site  # noqa: F401 - a fixture
from tigerbush.sentinel2.tiles import site_tiles

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@pytest.mark.parametrize(
    ("longitude", "latitude", "tiles"),
    [
        # Ljubljana: 466 km east, 5080 km north, in the middle of the band T
        (14.5579, 45.8704, "33TVL"),
        # Sudan: 167 km east, 1281 km north of zone 35, near the border of N, P and Q at 8 and 16 degrees
        (27.94, 11.58, "35PPN"),
        # Manaus: 9657 km of 10000 km south of the equator
        (-60.02, -3.1, "20MRB"),
        # Canberra: 691 km east, less than 9.8 km after the border of 33 and 34 degrees south
        (149.1, -35.3, "55HFA"),
        # the equator belongs to the north, and is crossed by no name
        (27.0, 0.5, "35NNA"),
        (27.0, -0.5, "35MNV"),
        # Svalbard, in the last band, of 12 degrees
        (15.0, 78.0, "33XWG"),
        # zone 32 in the west of Norway
        (5.0, 60.5, "32VKN"),
    ],
)  # fmt: skip
def test_tiles_of_places(longitude, latitude, tiles):
    assert set(tiles.split()) <= site_tiles(longitude, latitude, 0.01)


# Centres in zone 33 at 46 degrees north, in metres, with a site of 0.02 degrees of 111320 m: 1113.2 m to each side.
# Tiles V are from 400 km (and at most 60 m before) for 109.8 km; W and U are 100 km away. Rows L end at 5100 km (at most
# 60 m after), and begin 109.8 km south of that; rows M end at 5200 km.
HALF = 1113.2


@pytest.mark.parametrize(
    ("easting", "northing", "tiles"),
    [
        (455_000, 5_050_000, "VL"),
        (405_000, 5_050_000, "UL VL"),
        (455_000, 5_095_000, "VL VM"),
        (505_000, 5_095_000, "VL VM WL WM"),
        # from where on V is reached, and up to where U and V are
        (399_940 - HALF - 0.4, 5_050_000, "UL"),
        (399_940 - HALF + 0.4, 5_050_000, "UL VL"),
        (409_860 + HALF - 0.4, 5_050_000, "UL VL"),
        (409_860 + HALF + 0.4, 5_050_000, "VL"),
        (509_860 + HALF - 0.4, 5_050_000, "VL WL"),
        (509_860 + HALF + 0.4, 5_050_000, "WL"),
        # from south to north: K, L and M
        (455_000, 4_990_140 - HALF - 0.4, "VK"),
        (455_000, 4_990_140 - HALF + 0.4, "VK VL"),
        (455_000, 5_000_060 + HALF - 0.4, "VK VL"),
        (455_000, 5_000_060 + HALF + 0.4, "VL"),
        (455_000, 5_100_060 + HALF - 0.4, "VL VM"),
        (455_000, 5_100_060 + HALF + 0.4, "VM"),
    ],
)
def test_sites_at_the_edge_of_a_tile(easting, northing, tiles):
    latitude, longitude = utm.to_latlon(easting, northing, 33, northern=True)
    found = site_tiles(float(longitude), float(latitude), 0.02)
    # north of 46 degrees the band U begins within 2 degrees
    bands = "TU" if latitude > 46 else "T"
    assert found == {f"33{band}{tile}" for band in bands for tile in tiles.split()}


def test_a_larger_site_reaches_more_tiles():
    """Of 20 km and 200 km around the middle of a tile."""
    latitude, longitude = utm.to_latlon(455_000, 5_045_000, 33, northern=True)
    place = float(longitude), float(latitude)
    assert site_tiles(*place, 20_000 / 111_320) == {"33TVL"}
    assert site_tiles(*place, 200_000 / 111_320) == {f"33T{column}{row}" for column in "UVW" for row in "KLM"}


@pytest.mark.parametrize(
    ("latitude", "bands"),
    [
        (-79.5, "C"), (-74.1, "C"), (-73.9, "CD"), (-70.1, "CD"), (-69.9, "D"), (-9.9, "LM"), (-6.1, "LM"), (-5.9, "M"), (-0.1, "M"),
        (0.0, "N"), (5.9, "N"), (6.1, "NP"), (9.9, "NP"), (10.1, "P"), (46.1, "TU"), (49.9, "TU"), (50.1, "U"), (70.1, "WX"), (73.9, "WX"),
        (74.1, "X"), (83.9, "X"),
    ],
)  # fmt: skip
def test_bands_of_latitude(latitude, bands):
    """Of 8 degrees from 80 degrees south, and 2 degrees over their borders; the last one is of 12."""
    assert {tile[2] for tile in site_tiles(3.0, latitude, 0.001)} == set(bands)


def test_letters_of_columns_and_rows():
    """Three sets of columns by zone; rows from A in odd zones and from F in even ones (MGRS)."""
    for zone in range(1, 61):
        columns = {1: "ABCDEFGH", 2: "JKLMNPQR", 0: "STUVWXYZ"}[zone % 3]
        rows = "ABCDEFGHJKLMNPQRSTUV" if zone % 2 else "FGHJKLMNPQRSTUVABCDE"
        # 450 km east, 2150 km north: the second row after 2000 km; and so many kilometres south
        for northing, northern, row in ((2_150_000, True, rows[1]), (8_350_000, False, rows[3])):
            latitude, longitude = utm.to_latlon(450_000, northing, zone, northern=northern)
            found = site_tiles(float(longitude), float(latitude), 0.001)
            assert {tile[3:] for tile in found} == {columns[3] + row}
            assert {tile[:2] for tile in found} == {f"{zone:02}"}


def near(found, position):
    """Letters of names up to two places from those of some tiles."""
    known = {2: LETTERS[2:-2], 3: LETTERS, 4: LETTERS[:-4]}[position]
    places = {known.index(tile[position]) + step for tile in found for step in (-2, -1, 0, 1, 2)}
    return {known[place % len(known)] for place in places}


@pytest.mark.parametrize(
    "place",
    [
        (15.05, 45.9, 0.01),
        (14.1, -16.01, 0.5),
        (-179.9, 71.9, 0.3),
        (8.99, 0.2, 0.5),
        (179.9, -33.0, 0.001),
        (-73.3, 83.9, 0.1),
    ],
)
def test_the_same_rule_as_at_parse_time(common, place):  # noqa: F811
    """The rules may not import the library."""
    place = site(*place)
    found = site_tiles(**place)
    zone = min(found)[:2]
    names = {
        zone + "".join(rest) for rest in itertools.product(*(near(found, position) for position in (2, 3, 4)))
    }
    assert found < names
    assert found == {name for name in names if common.touches(place, name)}
