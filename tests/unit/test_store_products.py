"""Discovery in a bucket: two layouts, malicious names, baselines and new products; all in memory."""

import json
import re
from dataclasses import replace
from datetime import date

import pytest

from fabricate import name_of
from stores_in_memory import Bucket, md5, refusal, store_of, without_waiting
from tigerbush.errors import RemoteError
from tigerbush.sentinel2 import archive
from tigerbush.sources.bucket import list_store
from tigerbush.sources.query import Query

TILES = {"33TVL", "33TWL"}
# seven days over the end of a month
PERIOD = {"start": date(2017, 1, 29), "end": date(2017, 2, 5)}
DAYS = ["2017/01/29", "2017/01/30", "2017/01/31", "2017/02/01", "2017/02/02", "2017/02/03", "2017/02/04"]
XML = b"<a><Cloud_Coverage_Assessment>%s</Cloud_Coverage_Assessment></a>"


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return without_waiting(monkeypatch)


def objects_of(name, prefix="L/", day=None, cloud=b"12.5"):
    """A product in SAFE layout; some files sort before GRANULE."""
    stamp = re.search(r"_(\d{4})(\d\d)(\d\d)T", name)
    folder = f"{prefix}{day or '/'.join(stamp.groups())}/{name}.SAFE"
    level = name[7:10]
    return {
        f"{folder}/AUX_DATA/a.xml": b"12",
        f"{folder}/DATASTRIP/d/MTD_DS.xml": b"123",
        f"{folder}/GRANULE/g1/IMG_DATA/T33TVL_x_B04.jp2": name[11:19].encode(),
        f"{folder}/GRANULE/g1/MTD_TL.xml": b"1",
        f"{folder}/GRANULE/g1/QI_DATA/MSK_CLASSI_B00.jp2": b"12345",
        f"{folder}/GRANULE/g1/QI_DATA/MSK_DETFOO_B04.jp2": b"1234567",
        f"{folder}/MTD_MSI{level}.xml": XML % cloud,
        f"{folder}/manifest.safe": b"1",
    }


def listed(monkeypatch, bucket, *prefixes, tries=1, connections=1, **options):
    store = store_of(monkeypatch, bucket, tries=tries, connections=connections)
    query = Query(**{"level": "L1C", "tiles": TILES} | PERIOD | options)
    return list_store(store, query, prefixes or None)


def take_metadata_of(monkeypatch, size):
    """Metadata files that are larger are not read."""
    monkeypatch.setattr(archive, "ARCHIVE", replace(archive.ARCHIVE, metadata_bytes=size))


def products(rows):
    return [row["product"] for row in rows]


def test_rows_of_a_product(monkeypatch):
    """Roles by name; a folder that sorts before GRANULE is not the granule."""
    name = name_of("20170201", baseline="0400")
    bucket = Bucket(objects_of(name), page=100)
    rows, files = listed(monkeypatch, bucket, "L/")
    folder = f"L/2017/02/01/{name}.SAFE"
    xml = XML % b"12.5"
    assert rows == [
        {
            "product": name, "platform": "S2A", "level": "L1C", "sensing_time": "2017-02-01T10:00:00", "tile": "33TVL",
            "relative_orbit": "122", "baseline": "04.00", "cloud_percent": "12.5", "url": f"s3://eodata/{folder}",
            "granule": "g1", "size_bytes": str(2 + 3 + 8 + 1 + 5 + 7 + len(xml) + 1),
        }
    ]  # fmt: skip
    assert [tuple(row.values()) for row in files] == [
        (name, role, band, end, f"{folder}/{end}", str(len(content)), md5(content))
        for role, band, end, content in (
            ("band", "B4", "GRANULE/g1/IMG_DATA/T33TVL_x_B04.jp2", b"20170201"),
            ("metadata", "", "GRANULE/g1/MTD_TL.xml", b"1"),
            ("mask", "", "GRANULE/g1/QI_DATA/MSK_CLASSI_B00.jp2", b"12345"),
            ("metadata", "", "MTD_MSIL1C.xml", xml),
        )
    ]
    assert [(request["Prefix"], request["Delimiter"]) for request in bucket.listed] == [
        *((f"L/{day}/", "/") for day in DAYS),
        (f"{folder}/", ""),
    ]
    assert [(request["Key"], request["IfMatch"]) for request in bucket.read] == [
        (f"{folder}/MTD_MSIL1C.xml", f'"{md5(xml)}"')
    ]


def test_level_tile_period_and_baseline(monkeypatch):
    """Nothing is requested of other products; without prefixes those of EODATA are listed."""
    first, last = name_of("20170129", tile="33TWL"), name_of("20170204")
    old, new = name_of("20170201"), name_of("20170201", baseline="0500", made="20230101T000000")
    part = name_of("20170201", baseline="0500", made="20230102T000000")
    objects = {}
    for name in (first, last, old, name_of("20170202", tile="33TVM"), name_of("20170202", level="L2A")):
        objects |= objects_of(name, "Sentinel-2/MSI/L1C/")
    # as a take that begins before midnight
    for name in (name_of("20170128"), name_of("20170205")):
        objects |= objects_of(name, "Sentinel-2/MSI/L1C/", day="2017/01/30")
    for name in (new, part):
        objects |= objects_of(name, "Sentinel-2/MSI/L1C_N0500/")
    bucket = Bucket(objects, page=100)
    rows, files = listed(monkeypatch, bucket)
    kept = sorted([first, last, new, part])
    assert products(rows) == kept
    assert [row["product"] for row in files] == [name for name in kept for _ in range(4)]
    assert [request["Prefix"] for request in bucket.listed[:14]] == [
        f"Sentinel-2/MSI/{folder}/{day}/" for folder in ("L1C", "L1C_N0500") for day in DAYS
    ]
    assert len(bucket.listed) == 14 + 4
    assert [row["url"].split("/")[5] for row in rows] == [
        "L1C" if name in (first, last) else "L1C_N0500" for name in kept
    ]
    # of the same product below two prefixes the first counts
    both = objects_of(first, "A/") | objects_of(first, "B/")
    [row], _ = listed(monkeypatch, Bucket(both, page=100), "B/", "A/")
    assert row["url"] == f"s3://eodata/B/2017/01/29/{first}.SAFE"


def test_only_new_products_are_read(monkeypatch, caplog):
    """The files of known ones are listed, because they may have been replaced."""
    names = [name_of(f"2017020{i}") for i in (1, 2, 3, 4)]
    bucket = Bucket(
        {key: content for name in names[:3] for key, content in objects_of(name).items()}, page=100
    )
    rows, files = listed(monkeypatch, bucket, "L/")
    bucket.objects |= objects_of(names[3])
    bucket.listed.clear(), bucket.read.clear()
    caplog.set_level("INFO")
    # one that has moved is described again, and so is one whose files are not known
    old = [rows[0], rows[1] | {"url": "s3://eodata/x", "granule": "wrong"}, rows[2] | {"granule": "wrong"}]
    known = [row for row in files if row["product"] != names[2]]
    gone = name_of("20170201", baseline="0203")
    known.insert(0, files[0] | {"product": gone})
    more, more_files = listed(monkeypatch, bucket, "L/", old=old, old_files=known)
    assert products(more) == names
    assert more[:3] == rows
    assert more_files[:12] == files
    assert [(row["product"], row["name"]) for row in more_files] == sorted(
        (row["product"], row["name"]) for row in more_files
    )
    assert [row["product"] for row in more_files[12:]] == [names[3]] * 4
    assert [request["Prefix"][13:-6] for request in bucket.listed[7:]] == names
    assert {request["Key"].split("/")[4].removesuffix(".SAFE") for request in bucket.read} == set(names[1:])
    assert caplog.messages == ["7 of 7 days of L/", "4 products, 3 of them new", "4 of 4 products"]
    # rows of an earlier listing are reused
    kept, _ = listed(monkeypatch, bucket, "L/", old=[rows[0] | {"granule": "as before"}], old_files=files)
    assert [row["granule"] for row in kept] == ["as before", "g1", "g1", "g1"]


def test_progress_is_logged(monkeypatch, caplog):
    caplog.set_level("INFO")
    listed(monkeypatch, Bucket(), "L/", start=date(2016, 1, 1), end=date(2016, 7, 20))
    assert caplog.messages == [
        *(f"{number} of 201 days of L/" for number in (100, 200, 201)),
        "0 products, 0 of them new",
    ]


def test_an_interrupted_listing_is_an_error(monkeypatch):
    """Work that has not started is cancelled."""
    bucket = Bucket(objects_of(name_of("20170201")), page=100)
    bucket.answers = [None, refusal(503)]
    with pytest.raises(RemoteError, match=r"^s3://eodata/L/2017/01/30/: AWS is overloaded or down \(503 \)$"):
        listed(monkeypatch, bucket, "L/")


GOOD = name_of("20170201")


@pytest.mark.parametrize(
    "folder",
    [
        f"L/2017/02/01/../{GOOD}.SAFE/", f"/L/2017/02/01/{GOOD}.SAFE/", f"x/2017/02/01/{GOOD}.SAFE/", f"L/a b/{GOOD}.SAFE/",
        f"L/2017/02/01/{GOOD}/", f"L/2017/02/01/{GOOD}.zip/", f"L/2017/02/01/{GOOD.replace('T33', 'T99I')}.SAFE/",
        "L/2017/02/01/.SAFE/", "L/2017/02/01/x.SAFE/", "",
    ],
)  # fmt: skip
def test_folders_that_are_not_products(monkeypatch, caplog, folder):
    good = f"L/2017/02/01/{GOOD}.SAFE/"
    bucket = Bucket(objects_of(GOOD), page=100)
    bucket.answers = [None, {"CommonPrefixes": [{"Prefix": folder}, {"Prefix": good}, {"Prefix": folder}]}]
    rows, _ = listed(monkeypatch, bucket, "L/")
    assert products(rows) == [GOOD]
    assert caplog.messages == ["L/: skipped 2 name(s) that are not product names"]


def test_unusable_names_in_a_product(monkeypatch, caplog):
    objects = objects_of(GOOD)
    folder = f"L/2017/02/01/{GOOD}.SAFE"
    for bad in ("GRANULE/../IMG_DATA/T_B04.jp2", "GRANULE/g/IMG_DATA/T x_B03.jp2", ""):
        objects[f"{folder}/{bad}"] = b"123456789"
    rows, files = listed(monkeypatch, Bucket(objects, page=100), "L/")
    assert [row["name"] for row in files] == [
        "GRANULE/g1/IMG_DATA/T33TVL_x_B04.jp2",
        "GRANULE/g1/MTD_TL.xml",
        "GRANULE/g1/QI_DATA/MSK_CLASSI_B00.jp2",
        "MTD_MSIL1C.xml",
    ]
    assert rows[0]["size_bytes"] == str(27 + len(XML % b"12.5"))
    assert caplog.messages == [f"s3://eodata/{folder}: skipped 3 unusable name(s)"]


def test_a_listing_with_unrequested_names(monkeypatch, caplog):
    folder = f"L/2017/02/01/{GOOD}.SAFE"
    names = [
        f"{folder}/GRANULE/g/IMG_DATA/T_x_B04.jp2",
        f"{folder}-2/GRANULE/g/IMG_DATA/T_x_B03.jp2",
        "GRANULE/g/IMG_DATA/T_x_B02.jp2",
    ]
    bucket = Bucket(objects_of(GOOD), page=100)
    bucket.answers = [*[{}] * 7, {"Contents": [{"Key": name, "Size": 5} for name in names]}]
    [row], files = listed(monkeypatch, bucket, "L/")
    assert (row["size_bytes"], [file["band"] for file in files]) == ("5", ["B4"])
    assert caplog.messages == [f"s3://eodata/{folder}: skipped 2 unusable name(s)"]


@pytest.mark.parametrize("size", [0, 5])
def test_metadata_must_have_the_listed_size(monkeypatch, size):
    key = f"L/2017/02/01/{GOOD}.SAFE/MTD_MSIL1C.xml"
    bucket = Bucket(objects_of(GOOD), page=100)
    bucket.answers = [*[{}] * 7, {"Contents": [{"Key": key, "Size": size}]}]
    with pytest.raises(RemoteError, match=rf"^s3://eodata/{key}: received \d+ bytes, expected {size}$"):
        listed(monkeypatch, bucket, "L/")


@pytest.mark.parametrize(
    ("xml", "cloud", "messages"),
    [
        (XML % b"7", "7", []),
        (XML % b"101", "", []),
        (b"<x", "", ["MTD_MSIL1C.xml is not well-formed XML"]),
        (None, "", []),
    ],
)
def test_a_product_without_cloud_cover_is_kept(monkeypatch, caplog, xml, cloud, messages):
    objects = objects_of(GOOD)
    key = f"L/2017/02/01/{GOOD}.SAFE/MTD_MSIL1C.xml"
    if xml is None:
        del objects[key]
    else:
        objects[key] = xml
    [row], files = listed(monkeypatch, Bucket(objects, page=100), "L/")
    assert row["cloud_percent"] == cloud
    assert [file["size"] for file in files if file["name"] == "MTD_MSIL1C.xml"] == (
        [] if xml is None else [str(len(xml))]
    )
    assert [message.partition(" (")[0].rpartition("/")[2] for message in caplog.messages] == messages


def test_metadata_files_that_are_too_large_are_not_read(monkeypatch, caplog):
    objects, key = objects_of(GOOD), f"L/2017/02/01/{GOOD}.SAFE/MTD_MSIL1C.xml"
    size = len(objects[key])
    take_metadata_of(monkeypatch, size)
    assert listed(monkeypatch, Bucket(objects, page=100), "L/")[0][0]["cloud_percent"] == "12.5"
    take_metadata_of(monkeypatch, size - 1)
    bucket = Bucket(objects, page=100)
    [row], files = listed(monkeypatch, bucket, "L/")
    assert (row["cloud_percent"], files[-1]["size"], bucket.read) == ("", str(size), [])
    assert caplog.messages == [f"{key} has {size} bytes, more than any Sentinel-2 metadata file."]


def tile_of(name, folder="L2A/tiles/33/T/VL/2017/2/1/0", cloud=b"3", **info):
    """A product in the layout of AWS's buckets: files by tile, and the product's metadata elsewhere."""
    path = f"products/2017/2/1/{name}"
    info = {"productName": name, "productPath": path} | info
    return {
        f"{folder}/B01.jp2": b"1",
        f"{folder}/R10m/B02.jp2": b"12",
        f"{folder}/R20m/B8A.jp2": b"123",
        f"{folder}/R20m/B8A.jp": b"1",
        f"{folder}/R20m/B8Axjp2": b"1",
        f"{folder}/R20m/SCL.jp2": b"1234",
        f"{folder}/R60m/TCI.jp2": b"12345",
        f"{folder}/metadata.xml": b"123456",
        f"{folder}/preview.jpg": b"1234567",
        f"{folder}/qi/CLOUDS_B00.": b"1",
        f"{folder}/qi/CLOUDS_B00.gml": b"12345678",
        f"{folder}/qi/MSK_CLASSI_B00.jp2": b"123456789",
        f"{folder}/qi/MSK_DETFOO_B04.jp2": b"1",
        f"{folder}/tileInfo.json": json.dumps(info).encode(),
        f"L2A/{path}/metadata.xml": XML % cloud,
    }


L2A = name_of("20170201", level="L2A", baseline="0400")


def test_the_layout_of_aws(monkeypatch):
    """Files have names in SAFE layout; the size of the product's metadata is known once they are read."""
    bucket = Bucket(tile_of(L2A), page=100)
    # a larger tileInfo.json is not read
    take_metadata_of(
        monkeypatch, max(len(content) for key, content in bucket.objects.items() if "tileInfo" in key)
    )
    rows, files = listed(monkeypatch, bucket, "L2A/tiles/", level="L2A")
    folder, granule, stem = "L2A/tiles/33/T/VL/2017/2/1/0", "GRANULE/L2A_T33TVL", "T33TVL_20170201T100000"
    xml = XML % b"3"
    # files without a name in SAFE layout are ignored
    size = 1 + 2 + 3 + 4 + 6 + 8 + 9
    assert rows == [
        {
            "product": L2A, "platform": "S2A", "level": "L2A", "sensing_time": "2017-02-01T10:00:00", "tile": "33TVL",
            "relative_orbit": "122", "baseline": "04.00", "cloud_percent": "3", "url": f"s3://eodata/{folder}",
            "granule": "L2A_T33TVL", "size_bytes": str(size),
        }
    ]  # fmt: skip
    assert [tuple(row.values()) for row in files] == [
        (L2A, role, band, name, key, str(length), md5(content) if content else "")
        for role, band, name, key, length, content in (
            ("band", "B2", f"{granule}/IMG_DATA/R10m/{stem}_B02_10m.jp2", f"{folder}/R10m/B02.jp2", 2, b"12"),
            ("band", "B8A", f"{granule}/IMG_DATA/R20m/{stem}_B8A_20m.jp2", f"{folder}/R20m/B8A.jp2", 3, b"123"),
            ("mask", "", f"{granule}/IMG_DATA/R20m/{stem}_SCL_20m.jp2", f"{folder}/R20m/SCL.jp2", 4, b"1234"),
            ("band", "B1", f"{granule}/IMG_DATA/{stem}_B01.jp2", f"{folder}/B01.jp2", 1, b"1"),
            ("metadata", "", f"{granule}/MTD_TL.xml", f"{folder}/metadata.xml", 6, b"123456"),
            ("mask", "", f"{granule}/QI_DATA/MSK_CLASSI_B00.jp2", f"{folder}/qi/MSK_CLASSI_B00.jp2", 9, b"123456789"),
            ("mask", "", f"{granule}/QI_DATA/MSK_CLOUDS_B00.gml", f"{folder}/qi/CLOUDS_B00.gml", 8, b"12345678"),
            ("metadata", "", "MTD_MSIL2A.xml", f"L2A/products/2017/2/1/{L2A}/metadata.xml", len(xml), None),
        )
    ]  # fmt: skip
    assert [request["Prefix"] for request in bucket.listed] == [
        "L2A/tiles/33/T/VL/2017/",
        "L2A/tiles/33/T/WL/2017/",
    ]
    assert [(request["Key"][-13:], "IfMatch" in request) for request in bucket.read] == [("tileInfo.json", True), ("/metadata.xml", False)]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [name_of("20170201", level="L2A", tile="33TVM"), name_of("20170201"), name_of("20170206", level="L2A")],
)
def test_a_folder_of_another_tile(monkeypatch, name):
    bucket = Bucket(tile_of(name) | tile_of(L2A, "L2A/tiles/33/T/VL/2017/2/1/1"), page=100)
    assert products(listed(monkeypatch, bucket, "L2A/tiles/", level="L2A")[0]) == [L2A]


def test_a_tile_without_the_metadata_of_its_product(monkeypatch, caplog):
    """It is kept, so that it shows up as failed."""
    objects = tile_of(L2A)
    key = f"L2A/products/2017/2/1/{L2A}/metadata.xml"
    del objects[key]
    [row], files = listed(monkeypatch, Bucket(objects, page=100), "L2A/tiles/", level="L2A")
    assert (row["cloud_percent"], row["size_bytes"]) == ("", "33")
    assert [(file["key"], file["size"], file["etag"]) for file in files[-1:]] == [(key, "0", "")]
    assert [message.partition(" does not exist")[0] for message in caplog.messages] == [f"s3://eodata/{key}"]


@pytest.mark.parametrize(
    ("start", "end", "years"),
    [
        (date(2016, 12, 30), date(2016, 12, 31), [2016]),
        (date(2016, 12, 31), date(2017, 1, 1), [2016, 2017]),
        (date(2017, 1, 1), date(2017, 12, 31), [2017]),
    ],
)
def test_tiles_are_listed_year_by_year(monkeypatch, start, end, years):
    bucket = Bucket()
    listed(monkeypatch, bucket, "tiles/", tiles=["33TVL", "05HFA"], start=start, end=end)
    assert [request["Prefix"] for request in bucket.listed] == [
        f"tiles/{tile}/{year}/" for tile in ("5/H/FA", "33/T/VL") for year in years
    ]


@pytest.mark.parametrize(
    ("day", "there"), [("2017/1/28/0", False), ("2017/1/29/0", True), ("2017/2/4/12", True), ("2017/2/5/0", True), ("2017/2/6/0", False), ("2017/2/30/0", False), ("2017/02/04/0", True), ("2017/2/4/1000", False), ("2017/2/4", False)]
)  # fmt: skip
def test_days_of_the_layout_of_aws(monkeypatch, day, there):
    """The day of the folder, which may be the one after that of the product, so that nothing else is read."""
    bucket = Bucket(tile_of(L2A, f"L2A/tiles/33/T/VL/{day}"), page=100)
    rows, _ = listed(monkeypatch, bucket, "L2A/tiles/", level="L2A")
    assert products(rows) == [L2A] * there
    assert len(bucket.read) == 2 * there


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        (b"[]", "skipped {}: list indices must be integers or slices, not str"),
        (b"{", "skipped {}: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b'{"productName": "x"}', "skipped {}: 'x' is not a Sentinel-2 product name; expected the form S2A_MSIL1C_<time>_N<baseline>_R<orbit>_T<tile>_<time>."),
        (json.dumps({"productName": L2A}).encode(), "skipped {}: 'productPath'"),
        (json.dumps({"productName": L2A, "productPath": "../x"}).encode(), f"skipped {{}}: its productPath '../x' is not that of {L2A}"),
        (json.dumps({"productName": L2A, "productPath": f"../{L2A}"}).encode(), f"skipped {{}}: its productPath '../{L2A}' is not that of {L2A}"),
        (json.dumps({"productName": L2A, "productPath": "x" * 121}).encode(), f"skipped {{}}: its productPath {'x' * 120!r} is not that of {L2A}"),
        (None, "skipped L2A/tiles/33/T/VL/2017/2/2/0/: it has no tileInfo.json"),
        (b" " * 300, "skipped L2A/tiles/33/T/VL/2017/2/2/0/: it has no tileInfo.json"),
    ],
)  # fmt: skip
def test_tiles_that_are_skipped(monkeypatch, caplog, info, sentence):
    take_metadata_of(monkeypatch, 299)
    folder = "L2A/tiles/33/T/VL/2017/2/2/0"
    objects = tile_of(L2A) | tile_of("x", folder) | {f"{folder}/tileInfo.json": info}
    objects = {key: content for key, content in objects.items() if content is not None}
    rows, _ = listed(monkeypatch, Bucket(objects, page=100), "L2A/tiles/", level="L2A")
    assert products(rows) == [L2A]
    assert caplog.messages == [sentence.format(f"{folder}/tileInfo.json")]
