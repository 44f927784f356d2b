"""The helpers of the rules: tiles, periods and tables, without a run of snakemake."""

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snakemake.exceptions import WorkflowError

from fabricate import name_of
from rules import functions
from tigerbush.planning.tables import COLUMNS, table_row, write_table
from tigerbush.sentinel2.names import parse_name


@pytest.fixture(scope="module")
def common():
    return SimpleNamespace(**functions({}))


def site(longitude, latitude, region_size=0.01):
    return {"longitude": longitude, "latitude": latitude, "region_size": region_size}


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
def test_a_tile_touches_what_lies_in_it(common, tile):
    import utm

    zone, north, x, y = TILES[tile]
    inside = [(100, 100), (109_700, 100), (100, 109_700), (109_700, 109_700), (54_900, 54_900)]
    outside = [(-1000, 54_900), (110_800, 54_900), (54_900, -1000), (54_900, 110_800)]
    for places, expected in ((inside, True), (outside, False)):
        for east, south in places:
            latitude, longitude = utm.to_latlon(x + east, y - south, zone, northern=north, strict=False)
            place = site(float(longitude), float(latitude), 0.001)
            # near its edges a tile reaches into the next zone or over the equator
            if utm.latlon_to_zone_number(latitude, longitude) == zone and (latitude >= 0) == north:
                assert common.touches(place, tile) is expected, (east, south)


@pytest.mark.parametrize("tile", ["33RVL", "33NVL", "33XVL", "33UVL", "32TVL", "33TWL", "33TVK"])
def test_rows_that_come_again_elsewhere_are_not_touched(common, tile):
    assert common.touches(site(14.56, 45.87), "33TVL")
    assert not common.touches(site(14.56, 45.87), tile)


def test_only_tiles_of_the_sites_own_zone_are_used(common):
    # 12 degrees east is the border of zones 32 and 33
    assert common.touches(site(12.01, 45.5), "33TTL") or common.touches(site(12.01, 45.5), "33TUL")
    assert not any(common.touches(site(11.99, 45.5), tile) for tile in ("33TTL", "33TUL"))


def test_a_site_at_the_edge_touches_two_tiles(common):
    # 33TVL overhangs 33TWL by 9.8 km from 500 km on
    assert common.touches(site(15.05, 45.9), "33TVL")
    assert common.touches(site(15.05, 45.9), "33TWL")


@pytest.mark.parametrize(
    ("start", "end", "step", "expected"),
    [
        ("2017-01-01", "2017-02-01", "1m", {"2017-01-16": ("2017-01-01", "2017-02-01")}),
        ("2016-01-31", "2016-04-01", "1m", {"2016-02-14": ("2016-01-31", "2016-02-29"), "2016-03-14": ("2016-02-29", "2016-03-29")}),
        ("2016-02-29", "2018-03-01", "1y", {"2016-08-29": ("2016-02-29", "2017-02-28"), "2017-08-29": ("2017-02-28", "2018-02-28")}),
        ("2017-01-01", "2017-01-29", "2w", {"2017-01-08": ("2017-01-01", "2017-01-15"), "2017-01-22": ("2017-01-15", "2017-01-29")}),
    ],
)  # fmt: skip
def test_read_periods(common, start, end, step, expected):
    assert common.read_periods(start, end, step) == expected


def test_periods_at_the_end_of_time(common):
    assert list(common.read_periods("9999-11-01", "9999-12-31", "1m")) == ["9999-11-16"]


def rows_of(*names):
    return [
        table_row(parse_name(name), url="x", granule="g", size_bytes=1, cloud_percent=5) for name in names
    ]


def test_what_discovery_writes_the_workflow_reads(common, tmp_path):
    write_table(tmp_path / "products.tsv", rows_of(name_of(), name_of("20170120", orbit="007")), COLUMNS)
    read = common.read_products(tmp_path / "products.tsv")
    assert list(read) == [name_of(), name_of("20170120", orbit="007")]
    assert read[name_of()]["cloud_percent"] == 5


def test_a_table_of_100_000_rows(common, tmp_path):
    names = [
        name_of(f"2017{month:02}{day:02}", orbit=f"{orbit:03}", tile=f"{zone:02}TVL")
        for month in range(1, 13)
        for day in range(1, 29)
        for zone in range(1, 61)
        for orbit in range(1, 6)
    ]
    assert len(names) > 100_000
    write_table(tmp_path / "products.tsv", rows_of(*names), COLUMNS)
    assert len(common.read_products(tmp_path / "products.tsv")) == len(names)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_table_is_refused_or_read(common, tmp_path, data):
    """Whatever is changed in a table: a sentence, or rows that are in order."""
    path = tmp_path / "products.tsv"
    write_table(path, rows_of(name_of(), name_of("20170120")), COLUMNS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position : position + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    path.write_bytes(content)
    try:
        products = common.read_products(path)
    except WorkflowError as error:
        assert str(path) in str(error)
    else:
        for name, row in products.items():
            assert parse_name(name).tile == row["tile"]
            assert 0 <= row["cloud_percent"] <= 100
