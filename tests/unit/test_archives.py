"""Archives of two sensors, and a sensor without one: requests, products found and names skipped; all in memory."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from catalogues_in_memory import ODATA, URL, Stac, encoded, entry, item, listed, page
from fabricate import name_of
from stores_in_memory import Bucket, Servers, md5, store_of, without_waiting
from tigerbush.archives import Archive, Level, archive_of, archives, archives_of
from tigerbush.errors import TigerbushError
from tigerbush.sensors import sensor_of
from tigerbush.sentinel2 import archive as sentinel2
from tigerbush.sources import store as remote
from tigerbush.sources.listing import list_products
from toy import sensor as toy

FIRST = name_of("20170201", level="L2A")
# its products are of the same level, so that they are found together
SENSOR = replace(toy.SENSOR, parse=lambda name: replace(toy.parse_name(name), level="L2A"))
TOY = "TOY1_20170202_A"
ARCHIVE = Archive(
    sensor=SENSOR,
    levels={"L2A": Level(("Toy/",), ("new-toys", "toys"), ("Collection/Name eq 'TOY'",))},
    tiles=None,
    metadata=lambda name: "about.json",
    cloud_percent=lambda label, content: float(content),
    metadata_bytes=100,
    granule_of=lambda file: "",
    granule=lambda name: "",
    item_field="toy:name",
    product_of=lambda item: SENSOR.parse(item["id"]) if item["id"].startswith("TOY") else None,
    item_content=lambda name, item: "",
    asset_name=lambda name, key, asset: {"nir": "infrared.tif", "red": "red.tif"}.get(key),
)
SOURCE = {
    "kind": "s3", "level": "L2A", "bucket": "eodata", "endpoint_url": "https://s3.example", "region": "here",
    "anonymous": True, "requester_pays": False, "prefixes": None, "hosts": [], "catalogue": None, "collections": None,
    "path": None,
}  # fmt: skip
SITE = {"longitude": 14.5593, "latitude": 45.8694, "region_size": 0.0037}
PERIOD = ("2017-02-01", "2017-02-03")


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return without_waiting(monkeypatch)


@pytest.fixture
def known(monkeypatch):
    """Two sensors; returns a function that registers the archives of both."""
    monkeypatch.setattr("tigerbush.sensors.sensors", lambda: (sentinel2.SENSOR, SENSOR))
    sensor_of.cache_clear()

    def of_both():
        both = (sentinel2, SimpleNamespace(ARCHIVE=ARCHIVE))
        monkeypatch.setattr("tigerbush.archives._modules", lambda: both)

    yield of_both
    sensor_of.cache_clear()


BAND = f"Sentinel-2/MSI/L2A/2017/02/01/{FIRST}.SAFE/GRANULE/g/IMG_DATA/R10m/T33TVL_x_B04_10m.jp2"
OBJECTS = {
    BAND: b"1",
    f"Toy/2017/02/02/{TOY}.toy/red.tif": b"12",
    f"Toy/2017/02/02/{TOY}.toy/about.json": b"7.5",
    f"Toy/2017/02/02/{TOY}.toy/other": b"1234",
}


def found_in_bucket(monkeypatch, **changes):
    bucket = Bucket(OBJECTS, page=100)
    monkeypatch.setattr(remote, "_client", lambda **options: bucket)
    return bucket, *list_products(SOURCE | changes, [SITE], PERIOD, [], [], connections=1)


def test_archives():
    assert [archive.sensor.title for archive in archives()] == ["Sentinel-2"]
    assert archive_of(f"{FIRST}.SAFE") is archive_of(FIRST) is sentinel2.ARCHIVE
    assert [len(archives_of(level)) for level in ("L1C", "L2A", "SR")] == [1, 1, 0]


def test_a_bucket_with_products_of_two_sensors(monkeypatch, known):
    """Prefixes and tiles of both sensors, each with its own names."""
    known()
    bucket, rows, files = found_in_bucket(monkeypatch)
    assert [
        (row["product"], row["tile"], row["granule"], row["cloud_percent"], row["size_bytes"]) for row in rows
    ] == [
        (FIRST, "33TVL", "g", "", "1"),
        (TOY, "A", "", "7.5", "9"),
    ]
    folder = f"Toy/2017/02/02/{TOY}.toy"
    assert [tuple(row.values()) for row in files] == [
        (FIRST, "band", "B4", BAND.partition(".SAFE/")[2], BAND, "1", md5(b"1")),
        (TOY, "metadata", "", "about.json", f"{folder}/about.json", "3", md5(b"7.5")),
        (TOY, "band", "red", "red.tif", f"{folder}/red.tif", "2", md5(b"12")),
    ]
    assert [request["Prefix"] for request in bucket.listed if request["Delimiter"]] == [
        f"{prefix}2017/02/0{day}/"
        for prefix in ("Sentinel-2/MSI/L2A/", "Sentinel-2/MSI/L2A_N0500/", "Toy/")
        for day in (1, 2)
    ]


def test_a_sensor_without_an_archive(monkeypatch, known, caplog):
    """Its products are only read from folders."""
    with pytest.raises(TigerbushError) as error:
        archive_of(TOY)
    assert str(error.value) == f"{TOY!r} is a toy product, and these are only read from local folders."
    _, rows, _ = found_in_bucket(monkeypatch, prefixes=["Toy/", "Sentinel-2/MSI/L2A/"])
    assert [row["product"] for row in rows] == [FIRST]
    assert caplog.messages == ["Toy/: skipped 1 name(s) that are not product names"]


def toy_item(**properties):
    assets = {
        "nir": {"href": "https://a.example/n.tif", "file:size": 3},
        "blue": {"href": "https://a.example/b.tif"},
    }
    return item(TOY, **properties) | {"assets": assets}


def test_a_catalogue_with_products_of_two_sensors(monkeypatch, known, caplog):
    """The first available collection of each; an item belongs to the sensor that recognises its name."""
    known()
    servers = Stac(
        page([item(FIRST), toy_item(**{"eo:cloud_cover": 4}), item("x")]),
        collections=("toys", "sentinel-2-l2a", "new-toys"),
    )
    store = store_of(monkeypatch, Bucket({f"L/{BAND.partition('01/')[2]}": b"1"}), tries=1)
    rows, files = listed(monkeypatch, servers, store=store, tiles={"33TVL", "A"})
    assert [(row["product"], row["url"], row["granule"], row["cloud_percent"]) for row in rows] == [
        (FIRST, f"s3://eodata/L/{FIRST}.SAFE", "g", ""),
        (TOY, f"{URL}/collections/c/items/{TOY}", "", "4"),
    ]
    assert [(row["product"], row["band"], row["name"]) for row in files] == [
        (FIRST, "B4", BAND.partition(".SAFE/")[2]),
        (TOY, "infrared", "infrared.tif"),
        (TOY, "", "stac.json"),
    ]
    assert [search["collections"] for search in servers.searches] == [["sentinel-2-l2a", "new-toys"]]
    assert caplog.messages == [
        f"{URL}: skipped 'x': neither s2:product_uri nor toy:name nor its id is the name of a Sentinel-2 or toy product",
        f"{URL}: skipped 1 item(s)",
    ]


def test_a_catalogue_without_known_collections(monkeypatch, known):
    known()
    with pytest.raises(TigerbushError) as error:
        listed(monkeypatch, Stac(page([]), collections=("sentinel-2-l1c",)))
    assert str(error.value) == (
        f"{URL} has none of the collections sentinel-2-c1-l2a, sentinel-2-l2a, new-toys, toys; name yours in "
        "source.collections."
    )


def test_an_odata_catalogue_is_searched_for_each_sensor(monkeypatch, known):
    known()
    toys = encoded({"value": [entry(TOY) | {"Name": f"{TOY}.toy", "S3Path": f"/eodata/Toy/{TOY}.toy"}]})

    def answer(method, url, **options):
        return toys if "TOY" in url else encoded({"value": [entry(FIRST, f"/eodata/L/{FIRST}.SAFE")]})

    servers = Servers({None: answer})
    objects = {f"L/{BAND.partition('01/')[2]}": b"1", f"Toy/{TOY}.toy/red.tif": b"12"}
    store = store_of(monkeypatch, Bucket(objects, page=100), tries=1)
    rows, _ = listed(monkeypatch, servers, address=ODATA, store=store, tiles={"33TVL", "A"})
    assert [row["url"] for row in rows] == [f"s3://eodata/L/{FIRST}.SAFE", f"s3://eodata/Toy/{TOY}.toy"]
    assert [url.partition("%24filter=")[2].partition("+and+OData")[0] for _, url, _ in servers.asked] == [
        "Collection%2FName+eq+%27SENTINEL-2%27+and+contains%28Name%2C%27MSIL2A%27%29",
        "Collection%2FName+eq+%27TOY%27",
    ]
