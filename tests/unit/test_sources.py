"""All kinds of sources behind one function, and whole files of remote ones as a zip; all in memory."""

import zipfile

import pytest

from catalogues_in_memory import ODATA, encoded, entry
from fabricate import name_of
from stores_in_memory import Bucket, Servers, md5, store_of, without_waiting
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.planning.source import STORE_KEYS
from tigerbush.planning.tables import file_row
from tigerbush.sources import catalogue
from tigerbush.sources import store as remote
from tigerbush.sources.download import fetch_product, fetch_whole_product, open_store
from tigerbush.sources.listing import list_products
from tigerbush.sources.web import Hosts

# 33TVL and, by its overhang, 33TWL; half a degree east 33TWL alone
EDGE = {"longitude": 15.05, "latitude": 45.9, "region_size": 0.01}
EAST = EDGE | {"longitude": 15.6}
PERIOD = ("2017-02-01", "2017-03-01")
SOURCE = {
    "kind": "s3", "level": "L1C", "bucket": "eodata", "endpoint_url": "https://s3.example", "region": "here",
    "anonymous": True, "requester_pays": False, "prefixes": ["L/"], "hosts": ["one.example"], "catalogue": None,
    "collections": None, "path": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return without_waiting(monkeypatch)


@pytest.fixture
def bucket(monkeypatch):
    """The bucket from which every opened store reads."""
    made = Bucket(page=100)
    made.opened = []
    monkeypatch.setattr(remote, "_client", lambda **options: made.opened.append(options) or made)
    return made


def put(bucket, name):
    key = f"L/{name[11:15]}/{name[15:17]}/{name[17:19]}/{name}.SAFE/GRANULE/g/IMG_DATA/T_x_B04.jp2"
    bucket.objects[key] = name.encode()
    return f"s3://eodata/{key.partition('.SAFE')[0]}.SAFE"


def products(rows):
    return [row["product"] for row in rows]


WEST = name_of("20170203")
OVERHANG = name_of("20170203", tile="33TWL")
ELSEWHERE = name_of("20170203", tile="33TVM")


def test_a_bucket_is_searched_for_the_tiles_of_all_sites(bucket):
    for name in (WEST, OVERHANG, ELSEWHERE):
        put(bucket, name)
    rows, files = list_products(SOURCE, [EAST], PERIOD, [], [], connections=3)
    assert products(rows) == products(files) == [OVERHANG]
    rows, _ = list_products(SOURCE, [EAST, EDGE], PERIOD, [], [])
    assert products(rows) == [WEST, OVERHANG]
    assert [
        {name: settings[name] for name in ("endpoint_url", "region", "anonymous", "connections")}
        for settings in bucket.opened
    ] == [
        {"endpoint_url": "https://s3.example", "region": "here", "anonymous": True, "connections": number}
        for number in (3, 4)
    ]
    days = [request["Prefix"] for request in bucket.listed if request["Delimiter"]]
    assert sorted(days) == [f"L/2017/02/{day:02}/" for day in range(1, 29) for _ in range(2)]


def test_products_removed_from_a_source_are_kept(bucket, caplog):
    """As long as it belongs to the source and the configuration, or has results; with its files."""
    put(bucket, WEST)
    rows, files = list_products(SOURCE, [EDGE], PERIOD, [], [])
    gone = [name_of(day) for day in ("20170201", "20170228", "20170131", "20170301")]
    old = [*rows]
    for name in gone:
        old.append(
            rows[0] | {"product": name, "sensing_time": f"{name[11:15]}-{name[15:17]}-{name[17:19]}T10:00:00"}
        )
    spoilt = {
        "tile": {"tile": "33TVM"}, "level": {"level": "L2A"}, "bucket": {"url": "s3://eodata-2/L"}, "finished": {"tile": "33TVM"},
    }  # fmt: skip
    for number, (name, change) in enumerate(spoilt.items()):
        old.append(old[1] | {"product": name, "sensing_time": f"2017-02-1{number}T10:00:00"} | change)
    old_files = [file_row(row["product"], ("band", "B4"), "n", "k", 1) for row in old[1:]]
    # of the newest baseline of a take alone, here as well
    old.append(rows[0] | {"product": "older", "baseline": "02.03"})
    again, table = list_products(
        SOURCE,
        [EDGE],
        PERIOD,
        old,
        files + old_files,
        results_of=lambda name: ["x"] if name == "finished" else [],
    )
    kept = sorted([WEST, *gone[:2], "finished"])
    assert products(again) == kept
    assert products(table) == [
        WEST,
        *(row["product"] for row in old_files if row["product"] in kept and row["product"] != WEST),
    ]
    assert caplog.messages == [
        "1 products of the table are no longer in s3://eodata/; their rows stay. To remove "
        "one, delete its line from the table: finished"
    ]


def test_an_empty_bucket_is_an_error(bucket):
    with pytest.raises(TigerbushError) as error:
        list_products(SOURCE, [EDGE], PERIOD, [], [])
    assert str(error.value) == (
        "s3://eodata/ has no L1C products of the sites' tiles in the period; check source.prefixes, source.level, period and "
        "the table of sites."
    )


def test_a_catalogue_is_searched(bucket, monkeypatch):
    """Rows of an earlier listing also belong to it by the address of their items."""
    put(bucket, WEST)
    path = f"/eodata/L/2017/02/03/{WEST}.SAFE"
    servers = Servers({None: encoded({"value": [entry(WEST, path)]})})
    monkeypatch.setattr(catalogue, "Web", servers)
    source = SOURCE | {"kind": "stac", "catalogue": ODATA, "prefixes": None}
    rows, _ = list_products(source, [EDGE], PERIOD, [], [])
    assert products(rows) == [WEST]
    assert rows[0]["url"] == f"s3:/{path}"
    assert len(servers.asked) == 1
    urls = {
        "20170204": f"{ODATA}/collections/c/items/x",
        "20170205": "https://other.example/items/x",
        "20170206": "s3://eodata/x",
    }
    old = [
        rows[0] | {"product": name_of(day), "sensing_time": f"2017-02-{day[-2:]}T10:00:00", "url": url}
        for day, url in urls.items()
    ]
    again, _ = list_products(source, [EDGE], PERIOD, old, [])
    assert products(again) == [WEST, name_of("20170204"), name_of("20170206")]


def test_a_local_folder_is_listed(product, tmp_path):
    """Without sites and period, with its sub-folders; rows of another folder or level do not belong to it."""
    folder = product("20160116", tile="33TVM").parent
    source = SOURCE | {"kind": "local", "path": str(folder), "level": None}
    rows, files = list_products(source, [], ("", ""), [], [])
    assert products(rows) == [name_of("20160116", tile="33TVM")]
    assert {row["product"] for row in files} == set(products(rows))
    urls = {
        "20160201": folder / "a.SAFE",
        "20160202": tmp_path / "a.SAFE",
        "20160203": folder / "below" / "a.SAFE",
    }
    old = [
        rows[0]
        | {"product": name_of(day), "sensing_time": f"{day}T10:00:00", "url": str(url), "level": "L2A"}
        for day, url in urls.items()
    ]
    kept = [name_of("20160201"), name_of("20160203")]
    assert products(list_products(source, [], ("", ""), old, [])[0]) == [*products(rows), *kept]
    for level, expected in (("L1C", []), (None, kept)):
        again, _ = list_products(source | {"kind": "sample", "level": level}, [], ("", ""), old, [])
        assert products(again) == [*products(rows), *expected]
    again, table = list_products(
        source,
        [],
        ("", ""),
        old,
        [*files[:1], files[0] | {"product": name_of("20160201")}],
        results_of=lambda name: ["x"] if "0202" in name else [],
    )
    assert products(again) == [*products(rows), *map(name_of, ("20160201", "20160202", "20160203"))]
    assert [row["product"] for row in table[len(files) :]] == [name_of("20160201")]


def test_a_store_of_the_configuration(bucket):
    store = open_store(SOURCE | {"catalogue": "https://c.example"}, connections=7)
    assert (store.bucket, store.endpoint, store.connections) == ("eodata", "https://s3.example", 7)
    assert store.hosts == Hosts("https://c.example", ("one.example",))
    assert open_store({key: SOURCE[key] for key in STORE_KEYS}).hosts == Hosts(None, ())
    assert [settings["connections"] for settings in bucket.opened] == [7, 1]
    put(bucket, WEST)
    [key] = bucket.objects
    open_store(SOURCE | {"requester_pays": True}).read(key)
    assert bucket.read[-1]["RequestPayer"] == "requester"


FILES = {
    "MTD_MSIL1C.xml": b"<a/>",
    "GRANULE/g/MTD_TL.xml": b"<b/>",
    "GRANULE/g/IMG_DATA/T_x_B04.jp2": b"pixels",
}


def rows_of(prefix="", etags=True):
    kinds = [("metadata", ""), ("metadata", ""), ("band", "B4")]
    return [
        file_row(WEST, kind, name, f"{prefix}{name}", len(content), md5(content) if etags else "")
        for kind, (name, content) in zip(kinds, FILES.items(), strict=True)
    ]


def members(path):
    with zipfile.ZipFile(path) as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        return {name: archive.read(name) for name in archive.namelist()}


STORED = {f"{WEST}.SAFE/{name}": content for name, content in FILES.items()}


def test_whole_files_are_put_into_a_zip(monkeypatch, tmp_path):
    bucket = Bucket({f"L/{name}": content for name, content in FILES.items()})
    store, target = store_of(monkeypatch, bucket), tmp_path / f"{WEST}.zip"
    fetch_product(WEST, rows_of("L/"), target, store=store, bands=("B4",))
    assert members(target) == STORED
    assert list(members(target)) == list(STORED)
    assert [request["Key"] for request in bucket.read] == [f"L/{name}" for name in FILES]
    assert all("IfMatch" in request for request in bucket.read)


def test_files_fetched_before_are_checked(monkeypatch, tmp_path):
    """For example by Snakemake's storage plugin; a size of 0 means that it is not known."""
    paths = [tmp_path / str(number) for number in range(3)]
    for path, content in zip(paths, FILES.values(), strict=True):
        path.write_bytes(content)
    bucket, target = Bucket(), tmp_path / "out" / f"{WEST}.zip"
    store = store_of(monkeypatch, bucket)
    rows = rows_of()
    fetch_product(WEST, [rows[0] | {"size": "0"}, *rows[1:]], target, store=store, fetched=paths)
    assert (members(target), bucket.read) == (STORED, [])
    for change, sentence in (
        ({"size": "5"}, "s3://eodata/GRANULE/g/IMG_DATA/T_x_B04.jp2: received 6 bytes, expected 5"),
        ({"etag": "0" * 32}, "s3://eodata/GRANULE/g/IMG_DATA/T_x_B04.jp2: the data received do not match the store's checksum"),
        ({"etag": "x-2"}, "s3://eodata/GRANULE/g/IMG_DATA/T_x_B04.jp2: the data received cannot be decoded ("),
    ):  # fmt: skip
        target.unlink(missing_ok=True)
        with pytest.raises(RemoteError) as error:
            fetch_product(WEST, [*rows[:2], rows[2] | change], target, store=store, fetched=paths)
        assert str(error.value).startswith(sentence)
        assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(("bands", "refused"), [(("B4", "B8"), True), (None, True), (("B8",), False)])
def test_a_copy_is_not_replaced_by_a_smaller_one(monkeypatch, tmp_path, bands, refused):
    target = tmp_path / f"{WEST}.zip"
    store = store_of(monkeypatch, Bucket({f"L/{name}": content for name, content in FILES.items()}))
    fetch_product(WEST, rows_of("L/"), target, store=store)
    if not refused:
        fetch_product(WEST, rows_of("L/")[:2], target, store=store, bands=bands)
        assert list(members(target)) == list(STORED)[:2]
        return
    with pytest.raises(TigerbushError) as error:
        fetch_product(WEST, rows_of("L/")[:2], target, store=store, bands=bands)
    assert str(error.value) == (
        f"{WEST}: the file of band B4 is missing; restore the product, then run ./tigerbush retry."
    )
    assert members(target) == STORED


def test_a_whole_product_for_snap(monkeypatch, tmp_path):
    """All files in its folder, whatever the table lists, except for names that lead elsewhere."""
    folder = f"L/{WEST}.SAFE"
    more = {"AUX_DATA/a.xml": b"aux", "manifest.safe": b"m"}
    bucket = Bucket({f"{folder}/{name}": content for name, content in (FILES | more).items()}, page=2)
    bucket.objects |= {f"{folder}/": b"", f"{folder}/../x": b"no", f"{folder}-2/a": b"no"}
    store, target = store_of(monkeypatch, bucket), tmp_path / f"{WEST}.zip"
    # the folder is that of the first file in it
    web = file_row(WEST, ("metadata", ""), "stac.json", f"https://x/{WEST}.SAFE/stac.json", 0)
    fetch_whole_product(WEST, [web, *rows_of(f"{folder}/")[:1]], target, store=store)
    assert members(target) == STORED | {f"{WEST}.SAFE/{name}": content for name, content in more.items()}
    del bucket.objects[f"{folder}/GRANULE/g/IMG_DATA/T_x_B04.jp2"]
    with pytest.raises(TigerbushError, match="the file of band B4 is missing"):
        fetch_whole_product(WEST, rows_of(f"{folder}/"), target, store=store)


@pytest.mark.parametrize(
    "rows",
    [[], rows_of("tiles/33/T/VL/"), rows_of(f"https://x/{WEST}.SAFE/"), rows_of(f"L/{OVERHANG}.SAFE/")],
)
def test_a_product_that_snap_cannot_read(rows, tmp_path, monkeypatch):
    with pytest.raises(TigerbushError) as error:
        fetch_whole_product(WEST, rows, tmp_path / f"{WEST}.zip", store=store_of(monkeypatch, Bucket()))
    assert str(error.value) == (
        f"{WEST} is not stored as a .SAFE folder in the bucket, and SNAP cannot read it otherwise; set scene.engine: rasterio."
    )
