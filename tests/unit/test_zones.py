"""UTM zones of sites, and the parts of sites that no tile covers: rectangles and tiles worked out by hand."""

import pytest

from fabricate import name_of
from tigerbush.errors import TigerbushError
from tigerbush.planning.tables import (
    CHANGE_COLUMNS,
    COLUMNS,
    read_products,
    read_sites,
    table_row,
    write_table,
)
from tigerbush.planning.zones import (
    choose_zone,
    count_uncovered,
    covered_fraction,
    read_zones,
    rejected_tiles,
    sites_in_zones,
    tiles_of,
    zone_name,
    zone_notes,
    zones_in_reach,
    zones_of,
)
from tigerbush.sensors import parse_name
from tigerbush.sentinel2.tiles import tile_square
from tigerbush.site import Place, Site

# 36.8 degrees east: tiles 37MBV and 37NBA lie on both sides of the equator
SOUTH, NORTH = "37MBV", "37NBA"
# 400 m south and north of the equator
BELOW, ABOVE = Place(36.8, -0.004, 0.02), Place(36.8, 0.004, 0.02)


def tiles(*names):
    return tiles_of({"product": name_of(tile=name), "tile": name} for name in names)


@pytest.mark.parametrize(
    ("square", "fraction"),
    [
        ([(0, 0, 10, 10)], 1),
        ([(-5, -5, 20, 20)], 1),
        ([], 0),
        ([(10, 0, 20, 10)], 0),
        ([(0, 0, 5, 10)], 0.5),
        ([(0, 0, 5, 10), (5, 0, 10, 10)], 1),
        # an overlap counts once
        ([(0, 0, 6, 10), (4, 0, 10, 5)], 0.8),
        ([(0, 0, 2, 2), (8, 8, 20, 20), (1, 1, 3, 3)], (4 + 4 + 3) / 100),
    ],
)
def test_covered_fraction(square, fraction):
    assert covered_fraction((0, 0, 10, 10), square) == pytest.approx(fraction, abs=1e-12)


# west and north edges of real tiles, read off products; 109.8 km a side
@pytest.mark.parametrize(
    ("tile", "west", "north"),
    [
        ("33TVL", 399960, 5100000),
        ("31UFU", 600000, 5900040),
        ("29UNU", 499980, 5900040),
        ("20MQB", 699960, 9700000),
        ("36NXF", 600000, 100020),
        ("55HFA", 600000, 6100000),
        (SOUTH, 199980, 10000000),
        (NORTH, 199980, 100020),
    ],
)
def test_squares_of_tiles(tile, west, north):
    assert tile_square(tile) == (west, north - 109_800, west + 109_800, north)


@pytest.mark.parametrize(
    ("longitude", "latitude", "zones"),
    [
        # in the middle of a zone
        (15.0, 46.0, [32633]),
        # 0.4 degrees (31 km) from the border at 12 degrees
        (12.4, 46.0, [32633, 32632]),
        (11.6, 46.0, [32632, 32633]),
        # the date line
        (179.9, 10.0, [32660, 32601]),
        (-179.9, -10.0, [32701, 32760]),
        # the equator, in the middle of a zone and at a border
        (39.0, 0.0, [32637, 32737]),
        (39.0, -0.5, [32737, 32637]),
        (39.0, -2.0, [32737]),
        (36.2, -0.1, [32737, 32636, 32637, 32736]),
        # Norway: zone 32 begins at 3 degrees east; Svalbard has 31, 33, 35 and 37 only
        (3.2, 60.0, [32632, 32631]),
        (9.5, 78.0, [32633, 32631]),
        (15.0, 78.0, [32633]),
    ],
)
def test_zones_in_reach(longitude, latitude, zones):
    assert zones_in_reach(Place(longitude, latitude, 0.02)) == zones


@pytest.mark.parametrize(
    ("place", "names", "zone"),
    [
        # tiles of the south end at the equator, those of the north 9.8 km beyond
        (BELOW, [SOUTH, NORTH], 32637),
        (BELOW, [NORTH], 32637),
        (BELOW, [SOUTH], 32737),
        (ABOVE, [SOUTH, NORTH], 32637),
        # too far in the north for any tile of the south
        (Place(36.8, 0.02, 0.02), [SOUTH], None),
        # a little beyond the equator
        (ABOVE, [SOUTH], 32737),
        (Place(36.8, -0.2, 0.02), [SOUTH, NORTH], 32737),
        # both cover all of it: the zone of the centre
        (Place(36.8, -0.05, 0.02), [SOUTH, NORTH], 32737),
        (Place(36.8, -0.05, 0.02), [NORTH], 32637),
        (Place(36.8, -0.05, 0.02), [], None),
    ],
)
def test_zone_at_the_equator(place, names, zone):
    assert choose_zone(place, tiles(*names)) == zone


# 5 km west and east of the border of zones 32 and 33 at 12 degrees east, 46 degrees north: 727.4 and 737.1 km east in zone
# 32 (tiles 32TQR and 32TQS begin at 700 km), 262.9 and 272.6 km east in zone 33 (33TUL begins at 300 km, 33TTL at 200 km)
WEST, EAST = Place(11.935, 45.5, 0.02), Place(12.065, 45.5, 0.02)


@pytest.mark.input(
    "Zones",
    "a site near the border of two UTM zones",
    "the zone of its centre, unless tiles of the other cover more of it",
)
@pytest.mark.parametrize(
    ("place", "names", "zone"),
    [
        (WEST, ["32TQR", "33TTL"], 32632),
        (EAST, ["32TQR", "33TTL"], 32633),
        # a folder with tiles of the other zone alone
        (WEST, ["33TTL"], 32633),
        (EAST, ["32TQR"], 32632),
        # others do not reach it
        (WEST, ["33TUL", "32TPR"], None),
    ],
)
def test_zone_at_a_border(place, names, zone):
    assert choose_zone(place, tiles(*names)) == zone


def test_later_products_do_not_change_a_zone(tmp_path):
    """The table records the zone of each site; the site may leave the table of sites and come back."""
    sites = {"below": site(BELOW), "west": site(WEST)}
    first = zones_of(sites, {}, tiles(SOUTH, "33TTL"))
    assert first == {"below": 32737, "west": 32633}
    table = tmp_path / "products.tsv"
    write_table(table, [], (*COLUMNS, *CHANGE_COLUMNS), zone_notes(first))
    assert table.read_text().splitlines()[1:] == ["# zone\tbelow\t37S", "# zone\twest\t33N"]
    assert read_zones(table) == first
    everything = tiles(SOUTH, NORTH, "33TTL", "32TQR")
    assert zones_of(sites, read_zones(table), everything) == first
    # without the record it would be another
    assert zones_of(sites, {}, everything) == {"below": 32637, "west": 32632}
    # a site that was moved elsewhere under its name
    moved = {"below": site(EAST)}
    assert zones_of(moved, first, everything) == {"below": 32633}


def test_the_zone_of_the_table_of_sites_goes_first():
    sites = {"below": site(BELOW) | {"zone": 32737}}
    assert zones_of(sites, {"below": 32637}, tiles(SOUTH, NORTH)) == {"below": 32737}
    # also where its tiles are missing
    assert zones_of(sites, {}, tiles(NORTH)) == {"below": 32737}


def test_tables_of_the_last_release_have_the_zones_of_the_centres(tmp_path):
    table = tmp_path / "products.tsv"
    names = [name_of(tile=tile) for tile in (SOUTH, NORTH, "33TTL")]
    rows = [
        table_row(parse_name(name), url=f"x/{name}", granule="", size_bytes=1, cloud_percent=0)
        for name in names
    ]
    write_table(table, rows, COLUMNS)
    sites = {"below": site(BELOW), "west": site(WEST)}
    assert read_zones(table) is None
    # no tile of zone 32 reaches the site in the west, which could not be measured then
    assert zones_of(sites, None, tiles_of(rows)) == {"below": 32737, "west": 32633}
    assert read_zones(tmp_path / "none.tsv") == {}
    (tmp_path / "bad.tsv").write_bytes(b"\xff")
    assert read_zones(tmp_path / "bad.tsv") is None


def test_a_table_with_zones_is_read(tmp_path):
    table = tmp_path / "products.tsv"
    name = name_of(tile=SOUTH)
    row = table_row(parse_name(name), url=f"x/{name}", granule="", size_bytes=1, cloud_percent=0)
    write_table(table, [row], (*COLUMNS, *CHANGE_COLUMNS), zone_notes({"here": 32737}))
    assert read_products(table).keys() == {name}


def test_sites_are_searched_in_every_zone_until_it_is_decided():
    sites = {"below": site(BELOW), "west": site(WEST)}
    square = {"longitude": 36.8, "latitude": -0.004, "region_size": 0.02}
    assert sites_in_zones({"below": sites["below"]}, {}) == [
        square,
        square | {"zone": 32636},
        square | {"zone": 32637},
        square | {"zone": 32736},
    ]
    assert sites_in_zones({"below": sites["below"]}, {"below": 32637}) == [square | {"zone": 32637}]
    assert sites_in_zones({"below": sites["below"]}, {"below": 32737}) == [square]
    assert sites_in_zones({"below": sites["below"] | {"zone": 32637}}, {}) == [square | {"zone": 32637}]
    everything = tiles(SOUTH, NORTH, "33TTL", "32TQR", "33TUL")
    rejected = rejected_tiles(everything, sites, {"below": 32637, "west": 32632})
    # 33TUL reaches no site: it is wanted for another reason
    assert {tile for _, tile in rejected} == {SOUTH, "33TTL"}
    # another site is measured in it
    sites["south"] = site(Place(36.8, -0.3, 0.02))
    rejected = rejected_tiles(everything, sites, {"below": 32637, "west": 32632, "south": 32737})
    assert {tile for _, tile in rejected} == {"33TTL"}


def site(place):
    return {"longitude": place.longitude, "latitude": place.latitude, "region_size": place.region_size}


@pytest.mark.parametrize(
    ("names", "limit", "count"),
    [
        # 2226 m: 11 x 11 sub-images of 200 m from 1542 m south to 658 m north of the equator, whose rows of 200 m begin
        # there; the southern tile ends at the equator: 3 rows of 11 and 58 m of a fourth are without it
        ([SOUTH], 0.05, 44),
        ([SOUTH], 0.3, 33),
        ([NORTH], 0.05, 121),
        ([SOUTH, NORTH], 0.05, 44),
        ([], 0.05, 121),
    ],
)
def test_sub_images_without_a_tile(names, limit, count):
    assert count_uncovered(Site(36.8, -0.004, 0.02, 20, 10), tiles(*names), limit) == count


def test_a_site_in_the_zone_of_the_north_is_covered():
    assert count_uncovered(Site(36.8, -0.004, 0.02, 20, 10, zone=32637), tiles(NORTH), 0.05) == 0


HEADER = "site\tlongitude\tlatitude\tregion_size\tzone\n"


def test_the_column_zone_of_the_sites(tmp_path):
    path = tmp_path / "sites.tsv"
    path.write_text(HEADER + "a\t36.8\t-0.004\t0.02\t37N\nb\t36.8\t-0.004\t0.02\t\nc\t12.1\t46\t0.02\t32N\n")
    zones = {name: row.get("zone") for name, row in read_sites(path, 200).items()}
    assert zones == {"a": 32637, "b": None, "c": 32632}
    assert {zone_name(zone) for zone in zones.values() if zone} == {"37N", "32N"}


@pytest.mark.input(
    "Zones",
    "a zone in the site table whose tiles cannot reach the site",
    "refused: the line, the site, and the zones that can",
)
@pytest.mark.parametrize(
    "text",
    [
        "36N",
        "37M",
        "37",
        "N",
        "037N",
        "37n",
        "32637",
        "61N",
        "0S",
        "37N ",
        "99999999999N",
        "１N",
        "35S",
        "x" * 90,
    ],
)
def test_zones_that_are_refused(tmp_path, text):
    path = tmp_path / "sites.tsv"
    # in the middle of zone 37, 55 km north of the equator
    path.write_text(HEADER + f"a\t39.0\t0.5\t0.02\t{text}\n")
    with pytest.raises(TigerbushError) as error:
        read_sites(path, 200)
    assert str(error.value) == (
        f"{path}, line 2: site a: zone {text[:40]!r} is not a UTM zone whose tiles can reach the site; expected 37N or "
        "37S (number and hemisphere, N or S), or leave the field empty."
    )


def test_a_place_in_another_zone():
    """The same point in both hemispheres: 10 000 km apart; 0.004 degrees are 442 m on the ellipsoid."""
    south, north = BELOW.easting_northing, Place(36.8, -0.004, 0.02, zone=32637).easting_northing
    assert south[0] == north[0]
    assert north[1] == pytest.approx(-442, abs=1)
    assert south[1] - north[1] == pytest.approx(10_000_000, abs=1e-6)
