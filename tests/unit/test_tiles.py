"""The tiles of a site: worked out by hand, and compared with a rule that reads the names of tiles."""

import itertools

import pytest
import utm

from tigerbush.sentinel2.tiles import reaches, site_tiles
from tigerbush.site import Place

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
    touched = site_tiles(float(longitude), float(latitude), 0.02)
    # north of 46 degrees the band U begins within 2 degrees
    bands = "TU" if latitude > 46 else "T"
    assert touched == {f"33{band}{tile}" for band in bands for tile in tiles.split()}


def test_a_larger_site_reaches_more_tiles():
    """20 km and 200 km around the middle of a tile."""
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
    """8 degrees each from 80 degrees south, and 2 degrees beyond their borders; the last has 12."""
    assert {tile[2] for tile in site_tiles(3.0, latitude, 0.001)} == set(bands)


def test_letters_of_columns_and_rows():
    """Three sets of columns by zone; rows from A in odd zones and from F in even ones (MGRS)."""
    for zone in range(1, 61):
        columns = {1: "ABCDEFGH", 2: "JKLMNPQR", 0: "STUVWXYZ"}[zone % 3]
        rows = "ABCDEFGHJKLMNPQRSTUV" if zone % 2 else "FGHJKLMNPQRSTUVABCDE"
        # 450 km east, 2150 km north: the second row after 2000 km; and so many kilometres south
        for northing, northern, row in ((2_150_000, True, rows[1]), (8_350_000, False, rows[3])):
            latitude, longitude = utm.to_latlon(450_000, northing, zone, northern=northern)
            touched = site_tiles(float(longitude), float(latitude), 0.001)
            assert {tile[3:] for tile in touched} == {columns[3] + row}
            assert {tile[:2] for tile in touched} == {f"{zone:02}"}


def near(tiles, position):
    """Letters up to two places from those of some tiles."""
    known = {2: LETTERS[2:-2], 3: LETTERS, 4: LETTERS[:-4]}[position]
    places = {known.index(tile[position]) + step for tile in tiles for step in (-2, -1, 0, 1, 2)}
    return {known[place % len(known)] for place in places}


# upper-left corners of real tiles, read off products; 109.8 km a side
TILES = {
    "33TVL": (33, True, 399960, 5100000),
    "31UFU": (31, True, 600000, 5900040),
    "29UNU": (29, True, 499980, 5900040),
    "20MQB": (20, False, 699960, 9700000),
    "36NXF": (36, True, 600000, 100020),
    "55HFA": (55, False, 600000, 6100000),
}


@pytest.mark.parametrize("tile", TILES)
def test_a_tile_touches_what_lies_in_it(tile):
    zone, north, x, y = TILES[tile]
    inside = [(100, 100), (109_700, 100), (100, 109_700), (109_700, 109_700), (54_900, 54_900)]
    outside = [(-1000, 54_900), (110_800, 54_900), (54_900, -1000), (54_900, 110_800)]
    for places, expected in ((inside, True), (outside, False)):
        for east, south in places:
            latitude, longitude = utm.to_latlon(x + east, y - south, zone, northern=north, strict=False)
            place = Place(float(longitude), float(latitude), 0.001)
            # near its edges a tile reaches into the next zone or over the equator
            if utm.latlon_to_zone_number(latitude, longitude) == zone and (latitude >= 0) == north:
                assert reaches(place, tile) is expected, (east, south)


@pytest.mark.parametrize("tile", ["33RVL", "33NVL", "33XVL", "33UVL", "32TVL", "33TWL", "33TVK"])
def test_rows_with_the_same_letter_elsewhere_are_not_touched(tile):
    assert reaches(Place(14.56, 45.87, 0.01), "33TVL")
    assert not reaches(Place(14.56, 45.87, 0.01), tile)


def test_only_tiles_of_the_sites_own_zone_are_used():
    # 12 degrees east is the border of zones 32 and 33
    assert reaches(Place(12.01, 45.5, 0.01), "33TTL") or reaches(Place(12.01, 45.5, 0.01), "33TUL")
    assert not any(reaches(Place(11.99, 45.5, 0.01), tile) for tile in ("33TTL", "33TUL"))


def test_a_site_at_the_edge_touches_two_tiles():
    # 33TVL overhangs 33TWL by 9.8 km from 500 km on
    assert reaches(Place(15.05, 45.9, 0.01), "33TVL")
    assert reaches(Place(15.05, 45.9, 0.01), "33TWL")


def touches(place, tile):
    """Tell whether the square of a tile reaches a place, from the letters of its name to metres and not vice versa."""
    zone, band, column, row = int(tile[:2]), tile[2], tile[3], tile[4]
    x, y, zone_of_place, _ = utm.from_latlon(place.latitude, place.longitude)
    letters = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")[zone % 3]
    if zone != zone_of_place or (band >= "N") != (place.latitude >= 0) or column not in letters:
        return False
    # rows repeat every 2000 km, so the latitude band (8 degrees, the last one 12) must be near
    bottom = -80 + 8 * "CDEFGHJKLMNPQRSTUVWX".index(band)
    if not bottom - 2 < place.latitude < bottom + (12 if band == "X" else 8) + 2:
        return False
    west = 100_000 * (letters.index(column) + 1)
    south = 100_000 * (("ABCDEFGHJKLMNPQRSTUV".index(row) - (0 if zone % 2 else 5)) % 20)
    south += 2_000_000 * round((y - south) / 2_000_000)
    half = place.region_size * 111_320 / 2
    return west - 60 - half < x < west + 109_860 + half and south - 9_860 - half < y < south + 100_060 + half


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
def test_the_same_from_the_names(place):
    touched = site_tiles(*place)
    place = Place(*place)
    zone = min(touched)[:2]
    names = {
        zone + "".join(rest)
        for rest in itertools.product(*(near(touched, position) for position in (2, 3, 4)))
    }
    assert touched < names
    assert touched == {name for name in names if touches(place, name)}
    assert touched == {name for name in names if reaches(place, name)}
