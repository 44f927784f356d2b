"""Rows of products whose files are the assets of a STAC item; all in memory."""

import copy

import pytest

from catalogues_in_memory import URL, Stac, item, listed, page
from fabricate import name_of
from stores_in_memory import Bucket, Servers, refusal, store_of, without_waiting
from tigerbush.sources.changes import record_versions
from tigerbush.sources.web import Response

NAME = name_of("20170201", level="L2A", baseline="0500")
HOST = "https://data.example"
GRANULE = "GRANULE/L2A_T33TVL"
STAMP = "T33TVL_20170201T100000"


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return without_waiting(monkeypatch)


def asset(href, size=None, **more):
    return {"href": href, **({} if size is None else {"file:size": size}), **more}


def with_assets(assets, **changes):
    """An item of Earth Search, whose id is not a product name."""
    properties = {"s2:product_uri": f"{NAME}.SAFE", "eo:cloud_cover": 12.25} | changes.pop("properties", {})
    return item("S2A_33TVL", **properties) | {"assets": assets} | changes


class Files(Servers):
    """Web servers that return the size of their files."""

    def __init__(self, sizes):
        super().__init__({None: self._answer})
        self.sizes = sizes

    def _answer(self, method, url, **options):
        size = self.sizes.get(url)
        if isinstance(size, Exception | Response):
            return size
        if size is None:
            return Response(404, b"", {}, "h")
        return Response(206, b"x", {"Content-Range": f"bytes 0-0/{size}"}, "h")


def rows_of(monkeypatch, items, files=None, bucket=None, **options):
    store = store_of(monkeypatch, bucket or Bucket(), files or Files({}), tries=1, hosts=("known.example",))
    return listed(monkeypatch, Stac(page(items)), store=store, **options)


def test_rows_of_an_item(monkeypatch):
    """Bands by key or common name, at the resolution of transform, key or band; other assets are ignored."""
    grid = {"proj:transform": [20, 0, 0, 0, -20, 0]}
    assets = {
        "blue": asset(f"{HOST}/B02.tif"),
        "nir08": asset(f"{HOST}/B8A.tif", 777),
        "B12_60m": asset(f"{HOST}/B12.jp2?token=x", 5),
        "red": asset(f"{HOST}/B04_20m.tif", 11, **grid),
        "B11": asset("s3://eodata/B11.jp2"),
        "green": asset(f"{HOST}/B03.png", 13),
        "scl": asset(f"{HOST}/SCL.tif", 17),
        "visual": asset(f"{HOST}/TCI.tif", 19),
        "cirrus": "no mapping",
    }
    files = Files({f"{HOST}/B02.tif": 123_456})
    rows, table = rows_of(monkeypatch, [with_assets(assets)], files, Bucket({"B11.jp2": b"1234567"}))
    url = f"{URL}/collections/c/items/S2A_33TVL"
    assert rows[0].pop("content")
    assert rows == [
        {
            "product": NAME, "platform": "S2A", "level": "L2A", "sensing_time": "2017-02-01T10:00:00", "tile": "33TVL",
            "relative_orbit": "122", "baseline": "05.00", "cloud_percent": "12.25", "url": url,
            "granule": "L2A_T33TVL", "size_bytes": str(123_456 + 777 + 11 + 7 + 17),
        }
    ]  # fmt: skip
    assert [tuple(row.values()) for row in table] == [
        (NAME, "band", "B2", f"{GRANULE}/IMG_DATA/R10m/{STAMP}_B02_10m.tif", f"{HOST}/B02.tif", "123456", ""),
        (NAME, "band", "B4", f"{GRANULE}/IMG_DATA/R20m/{STAMP}_B04_20m.tif", f"{HOST}/B04_20m.tif", "11", ""),
        (NAME, "band", "B11", f"{GRANULE}/IMG_DATA/R20m/{STAMP}_B11_20m.jp2", "s3://eodata/B11.jp2", "7", ""),
        (NAME, "band", "B8A", f"{GRANULE}/IMG_DATA/R20m/{STAMP}_B8A_20m.tif", f"{HOST}/B8A.tif", "777", ""),
        (NAME, "mask", "", f"{GRANULE}/IMG_DATA/R20m/{STAMP}_SCL_20m.tif", f"{HOST}/SCL.tif", "17", ""),
        (NAME, "metadata", "", "stac.json", url, "0", ""),
    ]
    assert [url for _, url, _ in files.asked] == [f"{HOST}/B02.tif"]


def test_the_first_of_two_assets_of_a_band_is_used(monkeypatch):
    """In order of keys; an address with a query contains unexpected characters and is skipped."""
    assets = {
        "blue": asset(f"{HOST}/b.tif", 2),
        "B02": asset(f"{HOST}/a.tif", 1),
        "B02_10m": asset(f"{HOST}/c.tif", 3),
    }
    _, table = rows_of(monkeypatch, [with_assets(assets)])
    assert [(row["band"], row["key"]) for row in table if row["role"] == "band"] == [("B2", f"{HOST}/a.tif")]


@pytest.mark.parametrize(
    ("size", "known"),
    [
        (1, 1),
        (10**15 - 1, 10**15 - 1),
        (10**15, 50),
        (0, 50),
        (-1, 50),
        (True, 50),
        ("7", 50),
        (7.0, 50),
        (None, 50),
    ],
)
def test_a_size_is_taken_from_the_item_or_requested(monkeypatch, size, known):
    files = Files({f"{HOST}/b.tif": 50})
    [row], _ = rows_of(monkeypatch, [with_assets({"blue": asset(f"{HOST}/b.tif", size)})], files)
    assert (row["size_bytes"], len(files.asked)) == (str(known), known == 50)


def test_an_unresponsive_server_is_contacted_once(monkeypatch, caplog):
    """Products with files there fail later; a server that only lacks a file is contacted again."""
    silent = [f"https://silent.example/{band}.tif" for band in ("a", "b")]
    lacking = [f"{HOST}/{band}.tif" for band in ("c", "d")]
    files = Files({silent[0]: Response(503, b"", {}, "silent.example"), silent[1]: 9, lacking[1]: 4})
    assets = dict(zip(("blue", "green", "nir", "red"), map(asset, [*silent, *lacking]), strict=True))
    [row], table = rows_of(monkeypatch, [with_assets(assets)], files)
    assert {file["band"]: file["size"] for file in table} == {"B2": "0", "B3": "0", "B4": "4", "": "0"}
    assert row["size_bytes"] == "4"
    assert [url for _, url, _ in files.asked] == [silent[0], *lacking]
    assert caplog.messages == [
        f"{silent[0]}: silent.example is overloaded or down (503); products with files there will fail",
        f"{NAME}: skipped asset nir: {lacking[0]} does not exist (any more); run ./tigerbush discover, then ./tigerbush retry.",
    ]


def test_an_error_of_the_configured_store_is_raised(monkeypatch):
    bucket = Bucket({"b.jp2": b"12"})
    bucket.answers = [refusal(503)]
    with pytest.raises(OSError, match=r"^s3://eodata/b\.jp2: AWS is overloaded or down \(503 \)$"):
        rows_of(monkeypatch, [with_assets({"blue": asset("s3://eodata/b.jp2")})], bucket=bucket)


ADDRESS = (
    "its address {!r} is neither https://, nor http:// on a known host (source.hosts), nor in source.bucket, or it "
    "contains unexpected characters"
)


@pytest.mark.parametrize(
    ("href", "good"),
    [
        ("https://any.example/b.tif", True),
        ("http://known.example/b.tif", True),
        ("http://stac.example/b.tif", True),
        ("http://any.example/b.tif", False),
        ("s3://eodata/b.tif", True),
        ("s3://elsewhere/b.tif", False),
        ("ftp://known.example/b.tif", False),
        ("https://any.example/../b.tif", False),
        ("https://any.example/a%20b.tif", False),
        ("/b.tif", False),
        (f"https://any.example/{'a' * 1024}.tif", False),
    ],
)
def test_allowed_addresses_of_assets(monkeypatch, caplog, href, good):
    _, table = rows_of(monkeypatch, [with_assets({"blue": asset(href, 3)})])
    assert [row["key"] for row in table if row["role"] == "band"] == [href] * good
    expected = [] if good else [f"{NAME}: skipped asset blue: {ADDRESS.format(href[:120])}"]
    assert caplog.messages == expected


def spoilt(change):
    item = with_assets({"blue": asset(f"{HOST}/b.tif", 3)})
    change(item)
    return item


KIND = "its {} is missing or not of the type that STAC requires"
CLOUD = "its eo:cloud_cover is not a number from 0 to 100"
UNKNOWN = "neither s2:product_uri nor its id is the name of a Sentinel-2 product"
PLAIN = "its collection or id contains unexpected characters"
ELSEWHERE = "it is in a bucket other than source.bucket"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda item: item.pop("id"), KIND.format("id")),
        (lambda item: item.update(id=5), KIND.format("id")),
        (lambda item: item.pop("geometry"), KIND.format("geometry")),
        (lambda item: item.update(geometry=[]), KIND.format("geometry")),
        (lambda item: item.update(properties=None), KIND.format("properties")),
        (lambda item: item.update(assets=[]), KIND.format("assets")),
        (lambda item: item["properties"].update({"eo:cloud_cover": 100.01}), CLOUD),
        (lambda item: item["properties"].update({"eo:cloud_cover": "3"}), CLOUD),
        (lambda item: item["properties"].pop("s2:product_uri"), UNKNOWN),
        (lambda item: item.update(id="a/../b"), PLAIN),
        (lambda item: item.update(collection="a b"), PLAIN),
        (lambda item: item["assets"].update(red=asset(f"s3://elsewhere/{NAME}.SAFE/a.jp2")), ELSEWHERE),
        (lambda item: item["assets"].update(red=asset(f"s3://eodata-2/{NAME}.SAFE/a.jp2")), ELSEWHERE),
        (lambda item: item["assets"].update(red=asset(f"s3://eodata/a b/{NAME}.SAFE/a.jp2")), ELSEWHERE),
    ],
)
def test_items_that_are_skipped(monkeypatch, caplog, change, reason):
    good = name_of("20170202", level="L2A")
    other = with_assets({}, properties={"s2:product_uri": good})
    rows, _ = rows_of(monkeypatch, [spoilt(change), other])
    assert [row["product"] for row in rows] == [good]
    assert [
        message.partition(f"{URL}: skipped ")[2].partition(": ")[2] for message in caplog.messages[:-1]
    ] == [reason]
    assert caplog.messages[-1] == f"{URL}: skipped 1 item(s)"


def test_skipped_items_are_told_by_name_all_of_them(monkeypatch, caplog):
    """The log names twenty."""
    bad = [{"id": f"x{number}\n"} for number in range(22)] + ["a\tb"]
    skipped = []
    rows_of(monkeypatch, [*bad, with_assets({})], skipped=skipped)
    reason = KIND.format("geometry")
    assert skipped[:22] == [(repr(f"x{number}\n"), reason) for number in range(22)]
    assert skipped[22][0] == "'a\\tb'" and len(skipped) == 23
    assert caplog.messages == [
        *(f"{URL}: skipped {name}: {reason}" for name, reason in skipped[:20]), f"{URL}: skipped 23 item(s)",
    ]  # fmt: skip


@pytest.mark.parametrize(("cloud", "text"), [(0, "0"), (100, "100"), (3.14159265, "3.14159"), (None, "")])
def test_cloud_cover_of_an_item(monkeypatch, cloud, text):
    item = with_assets({}, properties={"eo:cloud_cover": cloud})
    [row], _ = rows_of(monkeypatch, [item | {"geometry": {"type": "Point"}}])
    assert row["cloud_percent"] == text


def test_which_assets_make_a_product_of_the_bucket(monkeypatch):
    """A folder of the product's name with something in it; by https it is a file like any other."""
    safe = f"{NAME}.SAFE"
    key = f"L/{safe}/GRANULE/g/IMG_DATA/R10m/T33TVL_x_B04_10m.jp2"
    bucket = Bucket({key: b"123"})
    for href, url in (
        (f"s3://eodata/{key}", f"s3://eodata/L/{safe}"),
        (f"s3://eodata/L/{safe}/x", f"s3://eodata/L/{safe}"),
        (f"s3://eodata/L/{safe}", f"{URL}/collections/c/items/S2A_33TVL"),
        (f"s3://eodata/L/{name_of('20170202', level='L2A')}.SAFE/x", f"{URL}/collections/c/items/S2A_33TVL"),
        (f"https://x.example/L/{safe}/x", f"{URL}/collections/c/items/S2A_33TVL"),
    ):
        [row], _ = rows_of(
            monkeypatch, [with_assets({"a": "text", "b": asset(None), "c": asset(href)})], bucket=bucket
        )
        assert row["url"] == url, href


def test_known_products_are_not_requested_again(monkeypatch):
    item = with_assets({"blue": asset(f"{HOST}/b.tif")})
    rows, table = rows_of(monkeypatch, [item], Files({f"{HOST}/b.tif": 50}))
    files = Files({f"{HOST}/b.tif": 51})
    recorded = [{key: text for key, text in rows[0].items() if key != "content"}]
    assert rows_of(monkeypatch, [item], files, old=recorded, old_files=table) == (rows, table)
    assert files.asked == []
    # another item of the same product is another place; of two in one answer the first counts
    moved = copy.deepcopy(item) | {"id": "other"}
    again, _ = rows_of(monkeypatch, [moved, item], files, old=rows, old_files=table)
    assert [(row["url"], row["size_bytes"]) for row in again] == [(f"{URL}/collections/c/items/other", "51")]
    # and rows without their files are no description
    again, _ = rows_of(monkeypatch, [item], files, old=rows)
    assert [row["size_bytes"] for row in again] == ["51"]


@pytest.mark.parametrize(
    ("before", "after", "size"),
    [
        # another size; another checksum; the same
        ({"file:size": 50}, {"file:size": 51}, "51"),
        ({"file:checksum": "1220aa"}, {"file:checksum": "1220bb"}, "60"),
        ({"file:size": 50, "file:checksum": "1220aa"}, {"file:size": 50, "file:checksum": "1220bb"}, "50"),
        ({"file:size": 50, "file:checksum": "1220aa"}, {"file:size": 50, "file:checksum": "1220aa"}, None),
        # a size that is stated from now on
        ({}, {"file:size": 60}, None),
        ({}, {}, None),
    ],
)
def test_an_item_whose_files_were_replaced(monkeypatch, before, after, size):
    """An item states sizes and checksums; without them no file is requested again."""
    href, files = f"{HOST}/b.tif", Files({f"{HOST}/b.tif": 60})
    old, old_files = rows_of(monkeypatch, [with_assets({"blue": asset(href, **before)})], files)
    old = record_versions(old, old_files, [], [])
    files.asked.clear()
    rows, table = rows_of(
        monkeypatch, [with_assets({"blue": asset(href, **after)})], files, old=old, old_files=old_files
    )
    rows = record_versions(rows, table, old, old_files)
    assert (rows[0]["etag"] == old[0]["etag"]) is (size is None)
    assert rows[0]["first_etag"] == old[0]["etag"]
    if size is None:
        assert (rows, table, files.asked) == (old, old_files, [])
    else:
        assert [row["size"] for row in table if row["role"] == "band"] == [size]


GRIDDED = {"proj:transform": [10, 0, 399960, 0, -10, 4900020], "proj:shape": [100, 100]}
OFFSET = {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]}


def listings_of(monkeypatch, *changes, properties=None):
    """The versions of a product whose item is changed, one listing after another, and the last row and files."""
    versions, rows, table = [], [], []
    files = Files({f"{HOST}/b.tif": 60, f"{HOST}/moved.tif": 60})
    base = {"proj:epsg": 32633, "updated": "2020-01-01T00:00:00Z"}
    for change in ({}, *changes):
        band = asset(change.get("href", f"{HOST}/b.tif")) | GRIDDED | OFFSET | change.get("asset", {})
        told = base | change.get("properties", {})
        item = with_assets({"blue": band} | change.get("assets", {}), properties=told)
        listed, table_now = rows_of(monkeypatch, [item], files, old=rows, old_files=table)
        rows, table = record_versions(listed, table_now, rows, table), table_now
        versions.append(rows[0]["etag"])
        assert rows[0]["first_etag"] == versions[0]
    return versions, rows[0], table


@pytest.mark.input(
    "Changes",
    "a catalogue item whose offset, grid or addresses change, with files of the same size",
    "the product is announced as replaced and made again",
)
@pytest.mark.parametrize(
    "change",
    [
        {"properties": {"earthsearch:boa_offset_applied": True}},
        {"properties": {"proj:epsg": 32733}},
        {"asset": {"proj:transform": [10, 0, 399960, 0, -10, 4900030]}},
        {"asset": {"raster:bands": [{"scale": 0.00005, "offset": -0.05}]}},
        {"asset": {"raster:bands": [{"scale": 0.0001, "offset": 0}]}},
        {"asset": {"file:checksum": "1220aa"}},
        {"href": f"{HOST}/moved.tif"},
        {"assets": {"scl": asset(f"{HOST}/scl.tif", 5)}},
    ],
)
def test_an_item_that_changes_what_pixels_are(monkeypatch, change):
    versions, _, table = listings_of(monkeypatch, change, change, {})
    assert versions[1] == versions[2] != versions[0] == versions[3]
    assert [entry["key"] for entry in table if entry["role"] == "band"] == [f"{HOST}/b.tif"]


def test_files_of_an_item_that_has_moved(monkeypatch):
    """New addresses are used from then on."""
    _, _, table = listings_of(monkeypatch, {"href": f"{HOST}/moved.tif"})
    assert [entry["key"] for entry in table if entry["role"] == "band"] == [f"{HOST}/moved.tif"]


@pytest.mark.parametrize(
    ("change", "cloud"),
    [
        ({"properties": {"updated": "2021-01-01T00:00:00Z", "processing:software": {"a": "1"}}}, "12.25"),
        # another cloud cover may choose other products, but changes no pixel
        ({"properties": {"eo:cloud_cover": 80}}, "80"),
        ({"asset": {"title": "blue"}, "assets": {"visual": asset(f"{HOST}/tci.tif", 5)}}, "12.25"),
    ],
)
def test_an_item_that_is_rewritten_for_the_same_data(monkeypatch, change, cloud):
    versions, row, _ = listings_of(monkeypatch, change, change)
    assert len(set(versions)) == 1
    assert row["cloud_percent"] == cloud


def test_an_item_that_is_repaired(monkeypatch):
    """One that cannot be read is a product that fails; the repaired item makes it another one."""
    versions, *_ = listings_of(
        monkeypatch, {"properties": {"proj:epsg": "x"}}, {"properties": {"proj:epsg": None}}, {}
    )
    assert len(set(versions)) == 3
    assert versions[0] == versions[3]
