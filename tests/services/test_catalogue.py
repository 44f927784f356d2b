"""What a catalogue may contain: hostile items, missing assets, endless pages, errors."""

import copy
import logging
from datetime import date

import pytest

from catalogues import images_of, item_of, serve, write_cog
from fabricate import name_of, scene_of
from runs import SITE
from tigerbush.errors import TigerbushError
from tigerbush.sentinel2.writer import write_product
from tigerbush.site import Place
from tigerbush.sources.catalogue import list_catalogue
from tigerbush.sources.store import Store

NAME = name_of(level="L2A", baseline="0500")
PLACE = {"longitude": SITE[1], "latitude": SITE[2], "region_size": SITE[3]}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    safe = write_product(folder, NAME, scene_of(level="L2A", offset=-1000))
    write_cog(images_of(safe)["B2"], folder / "B02.tif")
    return folder


@pytest.fixture
def catalogue(files):
    with serve(files) as running:
        yield running


@pytest.fixture
def item(catalogue, files):
    safe = files / f"{NAME}.SAFE"
    href = catalogue.files(files / "B02.tif")
    return item_of(safe, "sentinel-2-l2a", dict.fromkeys(("B2", "B3", "B4", "B8"), href))


def listing(catalogue, *items, address=None, bucket="eodata", hosts=(), **options):
    catalogue.items = list(items)
    store = Store(bucket, endpoint_url="http://127.0.0.1:9", anonymous=True, tries=1, hosts=hosts)
    choice = {"level": "L2A", "sites": [PLACE], "tiles": {"33TVL"}} | options
    return list_catalogue(
        store, address or catalogue.url, start=date(2017, 1, 1), end=date(2017, 4, 1), **choice
    )


def listed_days(catalogue, address, hosts=(), **options):
    """Return the days that are found at an address in front of a catalogue."""
    rows, _ = listing(catalogue, *catalogue.items, address=address, hosts=hosts, bucket=None, **options)
    return [row["sensing_time"][:10] for row in rows]


def test_rows_of_an_item(catalogue, item, files):
    item["assets"]["green"]["file:size"] = 12345
    rows, table = listing(catalogue, item)
    [row] = rows
    assert (row["product"], row["level"], row["tile"], row["baseline"]) == (NAME, "L2A", "33TVL", "05.00")
    assert row["url"] == f"{catalogue.url}/collections/sentinel-2-l2a/items/{item['id']}"
    sizes = {entry["band"]: int(entry["size"]) for entry in table if entry["role"] == "band"}
    size = (files / "B02.tif").stat().st_size
    assert sizes == {"B2": size, "B3": 12345, "B4": size, "B8": size}
    assert {entry["key"] for entry in table if entry["role"] == "metadata"} == {row["url"]}
    # known products are not requested again
    repeated, _ = listing(catalogue, item, old=rows, old_files=table)
    assert repeated == rows


@pytest.mark.input(
    "Catalogues",
    "a tile seen after midnight, of a datatake that began before",
    "found; the name of the product decides to which day it belongs",
)
def test_a_tile_seen_after_midnight_belongs_to_the_day_in_the_name(catalogue, item):
    """A datatake may start before midnight, and an item has the time of its tile; the period ends on 31 March."""

    def seen(day, start, time):
        name = name_of(day, level="L2A", baseline="0500").replace("T100000_", f"T{start}_", 1)
        properties = item["properties"] | {"s2:product_uri": f"{name}.SAFE", "datetime": time}
        return copy.deepcopy(item) | {"id": f"S2A_{day}_{start}", "properties": properties}

    catalogue.items = [
        seen("20161231", "235730", "2017-01-01T00:00:12Z"),
        seen("20170101", "000005", "2017-01-01T00:02:00Z"),
        seen("20170331", "235730", "2017-04-01T00:00:12Z"),
        seen("20170401", "000005", "2017-04-01T00:02:00Z"),
    ]
    assert listed_days(catalogue, catalogue.url) == ["2017-01-01", "2017-03-31"]


@pytest.mark.parametrize(
    "href",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "../../etc/passwd.tif",
        "https://example.org/../B02.tif",
        "https://example.org/a\nb.tif",
        "https://user:password@example.org/B02.tif",
        "http://169.254.169.254/B02.tif",
        "s3://another-bucket/B02.tif",
        "ftp://example.org/B02.tif",
        "/vsicurl/https://example.org/B02.tif",
        "https://example.org/" + "a" * 2000 + ".tif",
        None,
        ["https://example.org/B02.tif"],
    ],
)
def test_an_address_that_leads_elsewhere_is_not_listed(catalogue, item, href, caplog):
    item["assets"]["blue"]["href"] = href
    with caplog.at_level(logging.WARNING):
        [row], table = listing(catalogue, item)
    # the product is kept, and fails because the band is missing
    assert row["product"] == NAME
    assert {entry["band"] for entry in table if entry["role"] == "band"} == {"B3", "B4", "B8"}
    assert all("passwd" not in entry["key"] and "another" not in entry["key"] for entry in table)


def test_a_missing_file_is_not_listed(catalogue, item, caplog):
    item["assets"]["blue"]["href"] = f"{catalogue.url}/files/absent.tif"
    with caplog.at_level(logging.WARNING):
        _, table = listing(catalogue, item)
    assert "B2" not in {entry["band"] for entry in table}
    assert "skipped asset blue" in caplog.text


def test_items_that_are_not_products_are_skipped(catalogue, item, caplog):
    invalid = []
    for change in (
        {"id": "../../etc", "properties": {}},
        {"id": "S2A_MSIL2A_lookalike"},
        {"id": "x" * 5000},
        {"id": "a/../../b"},
        {"assets": {"blue": {"href": f"s3://elsewhere/x/{NAME}.SAFE/MTD_MSIL2A.xml"}}},
    ):
        changed = copy.deepcopy(item)
        if "assets" not in change and "/" not in change["id"]:
            del changed["properties"]["s2:product_uri"]
        changed["properties"] |= {"datetime": "2017-01-16T10:00:00Z"}
        invalid.append(changed | {key: value for key, value in change.items() if key != "properties"})
    with caplog.at_level(logging.WARNING):
        rows, _ = listing(catalogue, *invalid, item)
    assert [row["product"] for row in rows] == [NAME]
    assert "skipped 5 item(s)" in caplog.text


def test_other_tiles_times_and_levels_are_left_out(catalogue, item):
    others = []
    for name in (
        name_of(level="L2A", tile="33TVM"),
        name_of("20160116", level="L2A"),
        name_of(level="L1C"),
    ):
        other = copy.deepcopy(item)
        other["properties"]["s2:product_uri"] = f"{name}.SAFE"
        others.append(other | {"id": name})
    # also an older baseline of the same datatake
    older = copy.deepcopy(item) | {"id": "older"}
    older["properties"]["s2:product_uri"] = f"{name_of(level='L2A', baseline='0214')}.SAFE"
    rows, _ = listing(catalogue, *others, older, item)
    assert [row["product"] for row in rows] == [NAME]


def test_nothing_found_is_an_error(catalogue, item):
    """Then the earlier table is kept; an empty one would plan nothing."""
    with pytest.raises(
        TigerbushError, match=r"has no L2A products of the sites' tiles .*\(0 item\(s\) skipped\)"
    ):
        listing(catalogue, item, tiles={"33TVM"})


def test_a_search_is_made_for_each_site(catalogue, item):
    far = {"longitude": 100.0, "latitude": -20.0, "region_size": 0.1}
    rows, _ = listing(catalogue, item, sites=[PLACE, far])
    assert len(rows) == 1
    assert [search["bbox"] for search in catalogue.searches] == [
        list(Place(**PLACE).bounding_box),
        pytest.approx(list(Place(**far).bounding_box)),
    ]


def test_the_bounding_box_contains_the_site():
    west, south, east, north = Place(10.0, 60.0, 0.1).bounding_box
    assert (south, north) == (59.95, 60.05)
    assert (west, east) == pytest.approx((9.9, 10.1))
    assert Place(179.99, 0.0, 0.1).bounding_box[2] == 180


def test_errors_of_the_catalogue_are_one_sentence(catalogue, item):
    catalogue.status = 400
    with pytest.raises(TigerbushError, match=r"refuses the search \(400\); check source\.catalogue"):
        listing(catalogue, item)
    catalogue.status, catalogue.loop = 200, True
    with pytest.raises(TigerbushError, match="returns the same page repeatedly"):
        listing(catalogue, item)
    with pytest.raises(TigerbushError, match=r"has none of the collections sentinel-2-l1c; name yours"):
        listing(catalogue, item, level="L1C")
    with pytest.raises(TigerbushError, match="does not respond"):
        listing(catalogue, item, address=f"{catalogue.url}/files/B02.tif")
    with pytest.raises(TigerbushError, match="does not respond like a STAC API"):
        listing(catalogue, item, address=f"{catalogue.url}/collections")


def test_a_catalogue_that_cannot_be_reached(item, monkeypatch):
    monkeypatch.setattr("tigerbush.sources.catalogue.RETRIES", 0)
    with serve(item["id"]) as stopped:
        pass
    for address in (stopped.url, stopped.odata):
        with pytest.raises(TigerbushError, match="does not respond"):
            listing(stopped, item, address=address)


def test_odata_pages(catalogue):
    names = [name_of(f"2017011{i}", level="L2A", baseline="0500") for i in range(5)]
    catalogue.entries = [
        {"Name": f"{name}.SAFE", "S3Path": path, "ContentDate": {"Start": "2017-01-16T10:00:00Z"}}
        for name, path in (
            *((name, f"/eodata/Sentinel-2/MSI/L2A/2017/01/16/{name}.SAFE") for name in names[:3]),
            (names[3], f"/elsewhere/{names[3]}.SAFE"),
            (names[4], f"/eodata/../{names[4]}.SAFE"),
        )
    ]
    # the store is not running, so that the first of the three valid products cannot be listed
    with pytest.raises(OSError, match=r"s3://eodata/Sentinel-2/MSI/L2A/2017/01/16/S2A_MSIL2A_20170110"):
        listing(catalogue, address=catalogue.odata)
    first = catalogue.searches[0]
    assert "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((" in first["filter"]
    assert len(catalogue.searches) == 3
    catalogue.status = 400
    with pytest.raises(TigerbushError, match=r"refuses the search \(400\)"):
        listing(catalogue, address=catalogue.odata)
