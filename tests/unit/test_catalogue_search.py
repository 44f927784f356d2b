"""Requests to a catalogue, and the products taken from its responses; all in memory."""

import logging
from math import cos, radians
from urllib.parse import unquote, urlsplit

import pytest

from catalogues_in_memory import (
    BOX,
    ODATA,
    PLACE,
    URL,
    Stac,
    encoded,
    entry,
    item,
    listed,
    page,
    products,
)
from fabricate import name_of
from stores_in_memory import Servers, without_waiting
from tigerbush.errors import TigerbushError
from tigerbush.site import Place
from tigerbush.sources.web import Hosts


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return without_waiting(monkeypatch)


def test_the_bounding_box_contains_the_site():
    """Square in metres; clamped to valid coordinates, and at the poles to ten times its height in degrees."""
    west, south, east, north = Place(10.0, 45.0, 0.5).bounding_box
    assert (south, north) == (44.75, 45.25)
    wide = 0.25 / cos(radians(45.0))
    assert (west, east) == pytest.approx((10 - wide, 10 + wide), abs=1e-12)
    assert Place(-20.0, -60.0, 0.1).bounding_box == pytest.approx((-20.1, -60.05, -19.9, -59.95), abs=1e-12)
    assert Place(179.99, 0.0, 0.1).bounding_box == pytest.approx((179.94, -0.05, 180, 0.05), abs=1e-12)
    assert Place(-179.99, 0.0, 0.1).bounding_box == pytest.approx((-180, -0.05, -179.94, 0.05), abs=1e-12)
    assert Place(0.0, 89.99, 0.1).bounding_box == pytest.approx((-0.5, 89.94, 0.5, 90), abs=1e-12)
    assert Place(0.0, -89.99, 0.1).bounding_box == pytest.approx((-0.5, -90, 0.5, -89.94), abs=1e-12)


def test_level_tile_period_and_baseline(monkeypatch, caplog):
    """The first day is included, the last is not; only the newest of several baselines, with all its parts."""
    name = {
        "first": name_of("20170201", level="L2A"),
        "last": name_of("20170228", level="L2A", tile="33TWL"),
        "old": name_of("20170215", level="L2A", baseline="0214"),
        "new": name_of("20170215", level="L2A", baseline="0500", made="20230101T000000"),
        "part": name_of("20170215", level="L2A", baseline="0500", made="20230102T000000"),
        "early": name_of("20170131", level="L2A"),
        "late": name_of("20170301", level="L2A"),
        "tile": name_of("20170210", level="L2A", tile="33TVM"),
        "level": name_of("20170210", level="L1C"),
    }
    servers = Stac(page([item(product) for product in name.values()]))
    rows, files = listed(monkeypatch, servers, *name.values())
    kept = sorted(name[key] for key in ("first", "last", "new", "part"))
    assert products(rows) == kept
    assert [row["url"] for row in rows] == [f"s3://eodata/L/{product}.SAFE" for product in kept]
    assert [(row["product"], row["key"]) for row in files] == [
        (product, f"L/{product}.SAFE/GRANULE/g/IMG_DATA/R10m/T33TVL_x_B04_10m.jp2") for product in kept
    ]
    assert "skipped" not in caplog.text


def test_requests_to_a_stac_api(monkeypatch):
    """One search for each bounding box, a hundred items per page, in the level's collection; only known hosts."""
    names = [name_of(f"2017020{i}", level="L2A") for i in range(1, 6)]
    answers = [
        page([item(names[2]), item(names[0])], body={"token": "1", "merge": True}),
        page([item(names[1])]),
        # the same product again for the other site
        page([item(names[4]), item(names[0])]),
    ]
    servers = Stac(*answers)
    south = {"longitude": -70.0, "latitude": -60.0, "region_size": 0.2}
    rows, _ = listed(monkeypatch, servers, *names, sites=[PLACE, south], address=f"{URL}/")
    assert products(rows) == [names[0], names[1], names[2], names[4]]
    [(hosts, options)] = [call for call in servers.opened if call[1] == {"public": False}]
    assert (hosts, options) == (Hosts(URL, ("a.example",)), {"public": False})
    assert [(method, url) for method, url, _ in servers.asked] == [
        ("GET", URL), ("GET", f"{URL}/collections"), *[("POST", f"{URL}/search")] * 3,
    ]  # fmt: skip
    assert {request[2]["max_bytes"] for request in servers.asked} == {200_000_000}
    first, second, other = servers.searches
    known = {
        "collections": ["sentinel-2-l2a"],
        "datetime": "2017-02-01T00:00:00Z/2017-03-01T23:59:59Z",
        "limit": 100,
    }
    assert first == known | {"bbox": pytest.approx(BOX, abs=1e-12)}
    assert second == {"token": "1", "merge": True}
    assert other == known | {"bbox": pytest.approx([-70.2, -60.1, -69.8, -59.9], abs=1e-12)}


@pytest.mark.parametrize(
    ("level", "there", "named", "asked"),
    [
        ("L2A", ("sentinel-2-l2a", "sentinel-2-c1-l2a"), None, ["sentinel-2-c1-l2a"]),
        ("L2A", ("sentinel-2-l1c", "sentinel-2-l2a"), None, ["sentinel-2-l2a"]),
        ("L1C", ("sentinel-2-l2a", "sentinel-2-l1c"), None, ["sentinel-2-l1c"]),
        ("L2A", (), ["mine", "yours"], ["mine", "yours"]),
    ],
)
def test_the_collection_of_a_level(monkeypatch, level, there, named, asked):
    name = name_of("20170201", level=level)
    servers = Stac(page([item(name)]), collections=there)
    rows, _ = listed(monkeypatch, servers, name, level=level, collections=named)
    assert products(rows) == [name]
    assert [search["collections"] for search in servers.searches] == [asked]


def test_a_catalogue_without_the_collection(monkeypatch):
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, Stac(page([]), collections=("sentinel-2-l1c",)))
    assert str(error.value) == (
        f"{URL} has none of the collections sentinel-2-c1-l2a, sentinel-2-l2a; name yours in source.collections."
    )


def test_an_empty_result_is_an_error(monkeypatch, caplog):
    """The previous table is kept, because nothing could be planned with an empty one."""
    far = name_of("20170201", level="L2A", tile="33TVM")
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, Stac(page([item(far), item("x"), 5])))
    assert str(error.value) == (
        f"{URL} has no L2A products of the sites' tiles from 2017-02-01 to 2017-03-01 (2 item(s) skipped); check period, "
        "source.level, source.bucket and source.collections."
    )
    assert caplog.messages == [
        f"{URL}: skipped 'x': neither s2:product_uri nor its id is the name of a Sentinel-2 product",
        f"{URL}: skipped 5: argument of type 'int' is not iterable",
        f"{URL}: skipped 2 item(s)",
    ]


def test_the_first_twenty_skipped_items_are_named(monkeypatch, caplog):
    name = name_of("20170201", level="L2A")
    listed(monkeypatch, Stac(page([item(f"x{i}" + "y" * 200) for i in range(22)] + [item(name)])), name)
    named = [message for message in caplog.messages if "neither" in message]
    assert [message.split(": neither")[0] for message in named] == [
        f"{URL}: skipped 'x{i}{'y' * (119 - len(f'x{i}'))}" for i in range(20)
    ]
    assert caplog.messages[-1] == f"{URL}: skipped 22 item(s)"


def assert_asked_for(address, ring):
    """Check the OData query for the products of a square, up to rounding."""
    query = urlsplit(address).query.replace("+", " ")
    query = dict(unquote(part).split("=", 1) for part in query.split("&"))
    written = query["$filter"].partition("((")[2].partition("))")[0]
    corners = [[float(number) for number in corner.split()] for corner in written.split(",")]
    expected = [[float(number) for number in corner.split()] for corner in ring.split(",")]
    assert corners == [pytest.approx(corner, abs=1e-12) for corner in expected]
    assert query | {"$filter": query["$filter"].replace(written, "*")} == {
        "$filter": "Collection/Name eq 'SENTINEL-2' and contains(Name,'MSIL2A') and "
        "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((*))') and "
        "ContentDate/Start ge 2017-02-01T00:00:00.000Z and ContentDate/Start lt 2017-03-02T00:00:00.000Z",
        "$orderby": "ContentDate/Start",
        "$top": "100",
    }


def test_an_odata_catalogue(monkeypatch, caplog):
    """One query for each site, and pages by the address of the next one."""
    names = [name_of(f"2017021{i}", level="L2A") for i in range(6)]
    bad = [
        entry(names[3], f"/elsewhere/L/{names[3]}.SAFE"), entry(names[3], f"/eodata/../{names[3]}.SAFE"),
        entry(names[3], f"/eodata/L/{names[4]}.SAFE"), entry("x"), {"Name": 5}, "text",
    ]  # fmt: skip
    following = f"{ODATA}/Products?page=2"
    asked = []

    def answer(method, url, **options):
        asked.append((method, url, options))
        if url == following:
            return encoded({"value": [entry(names[0]), *bad]})
        if len(asked) == 1:
            return encoded(
                {
                    "value": [entry(names[1]), entry(names[2], f"eodata/L/{names[2]}.SAFE")],
                    "@odata.nextLink": following,
                }
            )
        return encoded({"value": [entry(names[5]), entry(names[1])]})

    servers = Servers({None: answer})
    caplog.set_level(logging.WARNING)
    south = {"longitude": -70.5, "latitude": 0.0, "region_size": 0.5}
    rows, _ = listed(monkeypatch, servers, *names, address=ODATA, sites=[PLACE | {"region_size": 0.5}, south])
    assert products(rows) == [names[0], names[1], names[2], names[5]]
    assert [row["url"] for row in rows][:2] == [f"s3://eodata/L/{name}.SAFE" for name in names[:2]]
    assert [url for _, url, _ in asked].index(following) == 1
    assert_asked_for(asked[0][1], "14.0 59.75,15.0 59.75,15.0 60.25,14.0 60.25,14.0 59.75")
    assert_asked_for(asked[2][1], "-70.75 -0.25,-70.25 -0.25,-70.25 0.25,-70.75 0.25,-70.75 -0.25")
    names = [repr(f"{names[3]}.SAFE")] * 3 + ["'x.SAFE'", "5", "'text'"]
    skipped = [message.removeprefix(f"{ODATA}: skipped ").partition(": ") for message in caplog.messages[:-1]]
    assert [name for name, _, _ in skipped] == names
    assert [reason for _, _, reason in skipped][:3] == ["its S3Path is not its folder in source.bucket"] * 3
    assert caplog.messages[-1] == f"{ODATA}: skipped 6 item(s)"
