"""Discovery in a bucket, of a site that tiles of two zones reach: all are listed at first, then those of its zone."""

import csv

import pytest

import discover_products
from fabricate import name_of
from stores_in_memory import Bucket, store_of

# 5 km west of the border of zones 32 and 33: reached by 32TQR (from 45.0 degrees north) and 33TTL
SITES = {"west": {"site": "west", "longitude": 11.935, "latitude": 45.5, "region_size": 0.02}}
PERIOD = ("2017-01-10", "2017-01-14")
SOURCE = {
    "kind": "s3", "level": "L1C", "bucket": "eodata", "prefixes": ["L/"], "collections": None, "path": None,
}  # fmt: skip


def objects_of(name, size=3):
    day = name.split("_")[2]
    folder = f"L/{day[:4]}/{day[4:6]}/{day[6:8]}/{name}.SAFE"
    return {
        f"{folder}/MTD_MSIL1C.xml": b"<a><Cloud_Coverage_Assessment>5</Cloud_Coverage_Assessment></a>",
        f"{folder}/GRANULE/g/IMG_DATA/T_B04.jp2": b"x" * size,
    }


@pytest.fixture
def discover(monkeypatch, tmp_path):
    """Run discovery in a bucket of these products; return the products and the last lines of the table."""

    def run(names, sites=SITES):
        bucket = Bucket(
            {key: content for name in names for key, content in objects_of(name).items()}, page=100
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(
            "tigerbush.sources.listing.open_store",
            lambda source, connections: store_of(monkeypatch, bucket, tries=1),
        )
        table, files = tmp_path / "products.tsv", tmp_path / "files.tsv"
        discover_products.main(
            table, files, source=SOURCE, sites=sites, period=PERIOD, connections=1, snap_masks=False
        )
        with files.open(newline="") as file:
            listed = {row["product"] for row in csv.DictReader(file, delimiter="\t")}
        lines = [line.split("\t") for line in table.read_text().splitlines()[1:]]
        products = [line[0] for line in lines if len(line) > 3]
        assert listed == set(products)
        return products, [line for line in lines if len(line) <= 3]

    return run


A32, B32, C32 = (name_of(f"2017011{day}", tile="32TQR") for day in (0, 1, 2))
A33, B33, C33 = (name_of(f"2017011{day}", tile="33TTL") for day in (0, 1, 2))


def test_both_zones_cover_the_site(discover):
    assert discover([A32, A33]) == ([A32], [["# zone", "west", "32N"]])
    assert discover([A32, A33, B33, B32]) == ([A32, B32], [["# zone", "west", "32N"]])


def test_the_other_zone_is_there_first(discover):
    """Later products of the zone of the centre do not change the decision."""
    assert discover([A33]) == ([A33], [["# zone", "west", "33N"]])
    assert discover([A33, B32, C33]) == ([A33, C33], [["# zone", "west", "33N"]])


def test_the_table_of_sites_decides(discover):
    sites = {"west": SITES["west"] | {"zone": 32633}}
    assert discover([A32, A33, B32, B33], sites) == ([A33, B33], [])


def test_a_site_that_is_added_needs_the_other_zone(discover):
    """A site 5 km east of the border: the products of its zone come with it, and the first site keeps its own."""
    assert discover([A32, A33, B33]) == ([A32], [["# zone", "west", "32N"]])
    sites = SITES | {"east": SITES["west"] | {"site": "east", "longitude": 12.065}}
    zones = [["# zone", "east", "33N"], ["# zone", "west", "32N"]]
    assert discover([A32, A33, B33], sites) == ([A32, A33, B33], zones)
