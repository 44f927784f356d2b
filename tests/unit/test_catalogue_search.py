"""What is asked of a catalogue, how its pages are turned, and which products are taken from them; all in memory."""

import json
import logging
from datetime import date
from math import cos, radians

import pytest
import requests

from fabricate import name_of
from stores_in_memory import Bucket, Servers, md5, store_of, without_waiting
from tigerbush import catalogue, pages
from tigerbush.catalogue import bounding_box, list_catalogue
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.web import Answer, Hosts

URL = "https://stac.example/v1"
ODATA = "https://odata.example/odata/v1"
PLACE = {"longitude": 14.5, "latitude": 60.0, "region_size": 0.1}
# half a side of 0.05 degrees; twice as wide in degrees at 60 degrees north
BOX = [14.4, 59.95, 14.6, 60.05]
FEBRUARY = {"start": date(2017, 2, 1), "end": date(2017, 3, 1)}
AGAIN = "gives the same page again and again; try again later."


@pytest.fixture
def waits(monkeypatch):
    return without_waiting(monkeypatch)


def collection(name):
    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
    kind = {"type": "Collection", "id": name, "license": "other", "extent": extent, "links": []}
    return {"stac_version": "1.0.0", "description": "x"} | kind


def root(**more):
    links = [
        ("self", "", "GET"),
        ("root", "", "GET"),
        ("data", "/collections", "GET"),
        ("search", "/search", "POST"),
    ]
    return {
        "type": "Catalog", "id": "x", "stac_version": "1.0.0", "description": "x",
        "conformsTo": [f"https://api.stacspec.org/v1.0.0/{one}" for one in ("core", "collections", "item-search")],
        "links": [{"rel": rel, "href": URL + end, "method": method, "type": "application/json"} for rel, end, method in links],
    } | more  # fmt: skip


def encoded(document):
    return json.dumps(document).encode()


class Stac(Servers):
    """A STAC API whose searches give some pages, one after another."""

    def __init__(self, *found, collections=("sentinel-2-l1c", "sentinel-2-l2a")):
        names = {"collections": [collection(name) for name in collections], "links": []}
        answers = {URL: encoded(root()), f"{URL}/collections": encoded(names)}
        super().__init__(
            answers | {f"{URL}/search": [one if isinstance(one, Answer) else encoded(one) for one in found]}
        )

    @property
    def searches(self):
        return [options["json"] for method, url, options in self.asked if method == "POST"]


def item(name, **properties):
    """An item whose assets lie in SAFE layout in the bucket."""
    href = f"s3://eodata/L/{name}.SAFE/GRANULE/g/IMG_DATA/R10m/T33TVL_x_B04_10m.jp2"
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "c", "geometry": None,
        "properties": {"datetime": "2017-02-01T00:00:00Z"} | properties, "links": [], "assets": {"B04": {"href": href}},
    }  # fmt: skip


def page(items, **following):
    """A page, with where the next one is."""
    links = [{"rel": "next", "href": f"{URL}/search", "method": "POST"} | following] if following else []
    return {"type": "FeatureCollection", "features": items, "links": links}


def bucket_of(*names):
    """Products with one band and no metadata."""
    folders = [f"L/{name}.SAFE/GRANULE/g/IMG_DATA/R10m/T33TVL_x_B04_10m.jp2" for name in names]
    return Bucket({key: str(number).encode() * 7 for number, key in enumerate(folders)})


def listed(monkeypatch, servers, *names, address=URL, store=None, **options):
    monkeypatch.setattr(catalogue, "Web", servers)
    store = store or store_of(monkeypatch, bucket_of(*names), tries=1, hosts=("a.example",))
    choice = {"level": "L2A", "sites": [PLACE], "tiles": {"33TVL", "33TWL"}} | FEBRUARY | options
    return list_catalogue(store, address, **choice)


def products(rows):
    return [row["product"] for row in rows]


def test_a_box_holds_the_site():
    """As wide as it is high, in metres; clamped to the earth, and at the poles to ten times its height."""
    west, south, east, north = bounding_box(10.0, 45.0, 0.5)
    assert (south, north) == (44.75, 45.25)
    wide = 0.25 / cos(radians(45.0))
    assert (west, east) == pytest.approx((10 - wide, 10 + wide), abs=1e-12)
    assert bounding_box(-20.0, -60.0, 0.1) == pytest.approx((-20.1, -60.05, -19.9, -59.95), abs=1e-12)
    assert bounding_box(179.99, 0.0, 0.1) == pytest.approx((179.94, -0.05, 180, 0.05), abs=1e-12)
    assert bounding_box(-179.99, 0.0, 0.1) == pytest.approx((-180, -0.05, -179.94, 0.05), abs=1e-12)
    assert bounding_box(0.0, 89.99, 0.1) == pytest.approx((-0.5, 89.94, 0.5, 90), abs=1e-12)
    assert bounding_box(0.0, -89.99, 0.1) == pytest.approx((-0.5, -90, 0.5, -89.94), abs=1e-12)


def test_level_tile_period_and_baseline(monkeypatch, caplog):
    """The first day is in, the last one is not; of several baselines the newest, with all its parts."""
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
    servers = Stac(page([item(one) for one in name.values()]))
    rows, files = listed(monkeypatch, servers, *name.values())
    kept = sorted(name[one] for one in ("first", "last", "new", "part"))
    assert products(rows) == kept
    assert [row["url"] for row in rows] == [f"s3://eodata/L/{one}.SAFE" for one in kept]
    assert [(row["product"], row["key"]) for row in files] == [
        (one, f"L/{one}.SAFE/GRANULE/g/IMG_DATA/R10m/T33TVL_x_B04_10m.jp2") for one in kept
    ]
    assert "passed over" not in caplog.text


def test_what_is_asked_of_a_stac_api(monkeypatch):
    """Box by box, a hundred a page, by the collection of the level; answers of known hosts alone."""
    names = [name_of(f"2017020{i}", level="L2A") for i in range(1, 6)]
    found = [
        page([item(names[2]), item(names[0])], body={"token": "1", "merge": True}),
        page([item(names[1])]),
        # the same product again for the other site
        page([item(names[4]), item(names[0])]),
    ]
    servers = Stac(*found)
    south = {"longitude": -70.0, "latitude": -60.0, "region_size": 0.2}
    rows, _ = listed(monkeypatch, servers, *names, sites=[PLACE, south], address=f"{URL}/")
    assert products(rows) == [names[0], names[1], names[2], names[4]]
    [(hosts, options)] = [one for one in servers.opened if one[1] == {"public": False}]
    assert (hosts, options) == (Hosts(URL, ("a.example",)), {"public": False})
    assert [(method, url) for method, url, _ in servers.asked] == [
        ("GET", URL), ("GET", f"{URL}/collections"), *[("POST", f"{URL}/search")] * 3,
    ]  # fmt: skip
    assert {one[2]["most"] for one in servers.asked} == {200_000_000}
    first, second, other = servers.searches
    known = {
        "collections": ["sentinel-2-l2a"],
        "datetime": "2017-02-01T00:00:00Z/2017-02-28T23:59:59Z",
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


def test_nothing_found_is_an_error(monkeypatch, caplog):
    """The table of before stays, then; an empty one would plan nothing."""
    far = name_of("20170201", level="L2A", tile="33TVM")
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, Stac(page([item(far), item("x"), 5])))
    assert str(error.value) == (
        f"{URL} has no L2A products of the sites' tiles from 2017-02-01 to 2017-03-01 (2 items passed over); check period, "
        "source.level, source.bucket and source.collections."
    )
    assert (
        caplog.messages
        == [
            f"{URL}: 'x' passed over: neither s2:product_uri nor its id is the name of a Sentinel-2 product",
            f"{URL}: 5 passed over: its id is missing or of another kind than in STAC",
            f"{URL}: 2 items passed over",
        ]
        or "5 passed over" in caplog.text
    )


def test_twenty_of_what_is_passed_over_are_named(monkeypatch, caplog):
    name = name_of("20170201", level="L2A")
    listed(monkeypatch, Stac(page([item(f"x{i}" + "y" * 200) for i in range(22)] + [item(name)])), name)
    named = [one for one in caplog.messages if "neither" in one]
    assert [one.split("passed")[0] for one in named] == [
        f"{URL}: 'x{i}{'y' * (119 - len(f'x{i}'))} " for i in range(20)
    ]
    assert caplog.messages[-1] == f"{URL}: 22 items passed over"


def test_pages_of_a_stac_api_without_an_end(monkeypatch):
    one, two = (name_of(f"2017020{i}", level="L2A") for i in (1, 2))
    turned = [{"token": str(i)} for i in range(300)]
    for found, searches in (
        # the same request again; the same items by another request; nothing new among many
        ([page([item(one)], body=turned[0]), page([item(two)], body=turned[0])], 2),
        ([page([item(one), item(two)], body=turned[0]), page([item(two)], body=turned[1])], 2),
        ([page([], body=token) for token in turned], 101),
    ):
        servers = Stac(*found)
        with pytest.raises(TigerbushError) as error:
            listed(monkeypatch, servers)
        assert str(error.value) == f"{URL} {AGAIN}"
        assert len(servers.searches) == searches
    # a page that has one new item begins the count anew; what is no item may come again beside it
    found = [page([], body=turned[i]) for i in range(100)]
    found += [page([item(one)], body=turned[100])] + [page([], body=turned[i]) for i in range(101, 201)]
    found += [page([item(one), item(two)], body=turned[201]), page([5, 6], body=turned[202]), page([6, [7]])]
    rows, _ = listed(monkeypatch, Stac(*found), one, two)
    assert products(rows) == [one, two]


def test_a_catalogue_has_so_many_pages_at_most(monkeypatch):
    monkeypatch.setattr(pages, "MOST_PAGES", 3)
    found = [page([item(name_of(f"201702{i:02}", level="L2A"))], body={"token": str(i)}) for i in range(1, 9)]
    servers = Stac(*found)
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, servers, collections=["c"])
    assert (str(error.value), len(servers.searches)) == (f"{URL} {AGAIN}", 3)


def test_the_body_of_the_next_page(monkeypatch):
    """It stands for itself, or is merged into what was asked; a relative address is taken from the page before."""
    names = [name_of(f"2017020{i}", level="L2A") for i in range(1, 5)]
    found = [
        page([item(names[0])], body={"token": "1"}, merge=True, href="search"),
        page([item(names[1])], body={"token": "2"}, href="./search?a=b"),
        page([item(names[2])], method="GET", href="https://stac.example/other"),
        page([item(names[3])]),
    ]
    servers = Stac(*found[:2])
    servers.answers |= {
        f"{URL}/search?a=b": encoded(found[2]),
        "https://stac.example/other": encoded(found[3]),
    }
    rows, _ = listed(monkeypatch, servers, *names)
    assert products(rows) == names
    asked = [(method, url, options["json"]) for method, url, options in servers.asked[2:]]
    first = asked[0][2]
    assert asked == [
        ("POST", f"{URL}/search", first),
        ("POST", f"{URL}/search", first | {"token": "1"}),
        ("POST", f"{URL}/search?a=b", {"token": "2"}),
        ("GET", "https://stac.example/other", None),
    ]


BUSY = Answer(503, b"", {"retry-after": "7"}, "stac.example")


@pytest.mark.parametrize(
    ("found", "sentence", "waited"),
    [
        (Answer(400, b"", {}, "h"), f"{URL} refuses the search (400); check source.catalogue and source.collections, or try again later.", []),
        (Answer(300, b"", {}, "h"), f"{URL} refuses the search (300); check source.catalogue and source.collections, or try again later.", []),
        (Answer(199, b"", {}, "h"), f"{URL} refuses the search (199); check source.catalogue and source.collections, or try again later.", []),
        (BUSY, f"{URL} refuses the search (503); check source.catalogue, or try again later.", [7, 7, 7, 7]),
        (Answer(429, b"", {}, "h"), f"{URL} refuses the search (429); check source.catalogue, or try again later.", [0.5, 1.0, 2.0, 4.0]),
        ({"features": {}}, f"{URL} gives a page that is no list of products; try again later.", []),
        (page([], method="PUT"), f"{URL} leads on by 'PUT' with a dict; expected GET, or POST with a mapping.", []),
        (page([], body=[1]), f"{URL} leads on by 'POST' with a list; expected GET, or POST with a mapping.", []),
    ],
)  # fmt: skip
def test_pages_that_are_none(monkeypatch, waits, found, sentence, waited):
    servers = Stac(page([item(name_of("20170201", level="L2A"))], body={"a": 1}), found)
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, servers)
    assert (str(error.value), waits) == (sentence, waited)


@pytest.mark.parametrize("status", [200, 299])
def test_a_busy_catalogue_is_asked_again(monkeypatch, waits, status):
    name = name_of("20170201", level="L2A")
    servers = Stac(*[Answer(one, b"", {}, "h") for one in (500, 502, 504)], Answer(status, encoded(page([item(name)])), {}, "h"))  # fmt: skip
    rows, _ = listed(monkeypatch, servers, name)
    assert (products(rows), waits) == ([name], [0.5, 1.0, 2.0])


def test_a_page_may_be_so_long(monkeypatch, waits):
    name = name_of("20170201", level="L2A")
    long = encoded(page([item(name)]))
    monkeypatch.setattr(pages, "MOST_BYTES", len(long) + 1000)
    rows, _ = listed(monkeypatch, Stac(Answer(200, long + b" " * 1000, {}, "h")), name)
    assert products(rows) == [name]
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, Stac(Answer(200, long + b" " * 1001, {}, "h")))
    assert str(error.value) == f"{URL} gives a page of more than 0 MB."


def test_a_catalogue_that_does_not_answer(monkeypatch, waits):
    for trouble, sentence in (
        (requests.ConnectionError("x"), f"{URL} does not answer (ConnectionError); check source.catalogue, or try again later."),
        (requests.exceptions.SSLError("certificate verify failed: CERTIFICATE_VERIFY_FAILED"),
         f"source.catalogue: the certificate of {URL} is not trusted here; set REQUESTS_CA_BUNDLE to your authority's."),
        (RemoteError("as it is"), "as it is; check source.catalogue, or try again later."),
        (TigerbushError("as it is."), "as it is."),
    ):  # fmt: skip
        with pytest.raises(TigerbushError) as error:
            listed(monkeypatch, Servers({URL: trouble}))
        assert str(error.value) == sentence
    assert len(waits) == 2 * 4
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, Servers({URL: b"<html>"}))
    assert str(error.value) == (
        f"source.catalogue {URL} does not answer like a STAC API or an OData catalogue (JSONDecodeError: Expecting value: "
        "line 1 column 1 (char 0)); check the address."
    )


def entry(name, path=None):
    return {"Name": f"{name}.SAFE", "S3Path": path or f"/eodata/L/{name}.SAFE"}


def test_an_odata_catalogue(monkeypatch, caplog):
    """Of each site one question, and pages by the address of the next one."""
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

    servers = Servers()
    servers.request = answer
    caplog.set_level(logging.WARNING)
    south = {"longitude": -70.5, "latitude": 0.0, "region_size": 0.5}
    rows, _ = listed(monkeypatch, servers, *names, address=ODATA, sites=[PLACE | {"region_size": 0.5}, south])
    assert products(rows) == [names[0], names[1], names[2], names[5]]
    assert [row["url"] for row in rows][:2] == [f"s3://eodata/L/{name}.SAFE" for name in names[:2]]
    assert [url for _, url, _ in asked].index(following) == 1
    queries = [requests.utils.urlsplit(url).query for _, url, _ in (asked[0], asked[2])]
    found = [
        dict(requests.compat.unquote(part).split("=", 1) for part in query.replace("+", " ").split("&"))
        for query in queries
    ]
    for query, ring in zip(
        found,
        (
            "14.0 59.75,15.0 59.75,15.0 60.25,14.0 60.25,14.0 59.75",
            "-70.75 -0.25,-70.25 -0.25,-70.25 0.25,-70.75 0.25,-70.75 -0.25",
        ),
        strict=True,
    ):
        written = query["$filter"].partition("((")[2].partition("))")[0]
        corners = [[float(one) for one in corner.split()] for corner in written.split(",")]
        expected = [[float(one) for one in corner.split()] for corner in ring.split(",")]
        assert corners == [pytest.approx(corner, abs=1e-12) for corner in expected]
        assert query | {"$filter": query["$filter"].replace(written, "*")} == {
            "$filter": "Collection/Name eq 'SENTINEL-2' and contains(Name,'MSIL2A') and "
            "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((*))') and "
            "ContentDate/Start ge 2017-02-01T00:00:00.000Z and ContentDate/Start lt 2017-03-01T00:00:00.000Z",
            "$orderby": "ContentDate/Start",
            "$top": "100",
        }
    elsewhere = "its S3Path is not its folder in source.bucket"
    assert [one.partition("passed over: ")[2] for one in caplog.messages[:3]] == [elsewhere] * 3
    assert caplog.messages[-1] == f"{ODATA}: 6 items passed over"
