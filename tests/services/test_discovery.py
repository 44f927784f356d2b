"""What discovery finds in a store: layouts, baselines, new products, and malicious names."""

import json
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from xml.sax.saxutils import escape

import pytest

from fabricate import name_of, scene_of
from seaweedfs import PUBLIC
from tigerbush.errors import RemoteError
from tigerbush.sentinel2.archive import ARCHIVE
from tigerbush.sentinel2.names import parse_name
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.writer import write_product
from tigerbush.sources import retries
from tigerbush.sources.bucket import list_store
from tigerbush.sources.download import fetch_product
from tigerbush.sources.query import Query
from tigerbush.sources.store import Store

PERIOD = {"start": date(2017, 1, 1), "end": date(2017, 3, 1)}


def discover(server, *prefixes, level="L1C", **options):
    store = Store(PUBLIC, endpoint_url=server.url, anonymous=True, timeout=5)
    return list_store(store, Query(level, {"33TVL"}, **PERIOD | options), prefixes or None)


def test_eodata_by_level_tile_period_and_baseline(proxy, seaweedfs, tmp_path, monkeypatch):
    old, new, part = (
        name_of("20170116"),
        name_of("20170116", baseline="0500", made="20230101T000000"),
        name_of("20170116", baseline="0500", made="20230102T000000"),
    )
    other_tile, too_late = name_of("20170117", tile="33TWL"), name_of("20170301")
    level_2 = name_of("20170118", level="L2A", baseline="0400")
    for name, prefix in (
        (old, "L1C/"), (other_tile, "L1C/"), (too_late, "L1C/"), (new, "L1C_N0500/"), (part, "L1C_N0500/"),
        (level_2, "L2A/"),
    ):  # fmt: skip
        scene = scene_of(
            level=parse_name(name).level, offset=-1000 * ("N05" in name or "L2A" in name), cloud_percent=12.5
        )
        seaweedfs.put_product(PUBLIC, write_product(tmp_path, name, scene), f"eodata/Sentinel-2/MSI/{prefix}")
    level = ARCHIVE.levels["L1C"]
    prefixes = tuple(f"eodata/{prefix}" for prefix in level.prefixes)
    monkeypatch.setitem(ARCHIVE.levels, "L1C", replace(level, prefixes=prefixes))
    rows, files = discover(proxy)
    assert [row["product"] for row in rows] == [new, part]
    local = open_product(tmp_path / f"{new}.SAFE")
    assert rows[0] | {"url": "", "granule": ""} == rows[0] | {
        "url": "",
        "granule": "",
        "cloud_percent": "12.5",
        "size_bytes": str(sum(local.files.values())),
    }
    assert rows[0]["url"] == f"s3://{PUBLIC}/eodata/Sentinel-2/MSI/L1C_N0500/2017/01/16/{new}.SAFE"
    assert rows[0]["granule"] == local.granule
    new_files = {row["name"]: row for row in files if row["product"] == new}
    assert {name: int(row["size"]) for name, row in new_files.items()} == {
        name: size for name, size in local.files.items() if name in new_files
    }
    assert all(len(row["etag"]) == 32 for row in files)
    assert {row["role"] for row in files} == {"band", "metadata"}
    # no request concerns the other products
    paths = [path for _, path, _ in proxy.requests]
    assert not any(name in path for name in (old, other_tile, too_late, level_2) for path in paths)
    assert [row["product"] for row in discover(proxy, "eodata/Sentinel-2/MSI/L2A/", level="L2A")[0]] == [
        level_2
    ]


def test_only_new_products_are_read(proxy, seaweedfs, three_products, tmp_path, caplog):
    for safe in three_products.iterdir():
        seaweedfs.put_product(PUBLIC, safe, "again/")
    rows, files = discover(proxy, "again/")
    seaweedfs.put_product(PUBLIC, write_product(tmp_path, name_of("20170111"), scene_of(8)), "again/")
    proxy.requests.clear()
    caplog.set_level("INFO")
    more, more_files = discover(proxy, "again/", old=rows, old_files=files)
    assert [row["product"] for row in more] == sorted(
        [*(row["product"] for row in rows), name_of("20170111")]
    )
    assert [row for row in more if row["product"] != name_of("20170111")] == rows
    assert len(more_files) == len(files) + 15
    # a listing for each day and each product, and the main metadata of the new one
    assert len(proxy.requests) == 59 + 4 + 1
    assert "59 of 59 days of again/" in caplog.text
    assert "4 products, 1 of them new" in caplog.text


def test_a_long_listing_has_pages(seaweedfs, three_products, monkeypatch):
    store = Store(PUBLIC, endpoint_url=seaweedfs.url, anonymous=True)
    prefix = seaweedfs.put_product(PUBLIC, three_products / f"{name_of('20170110')}.SAFE", "pages/")
    everything = store.objects(prefix)
    list_page = store._client.list_objects_v2
    monkeypatch.setattr(store._client, "list_objects_v2", lambda **options: list_page(**options, MaxKeys=4))
    assert store.objects(prefix) == everything
    assert len(everything) > 12


def test_a_listing_that_breaks_off_is_an_error(proxy, seaweedfs, three_products, monkeypatch):
    monkeypatch.setattr(retries, "WAIT_SECONDS", 0.01)
    seaweedfs.put_product(PUBLIC, three_products / f"{name_of('20170110')}.SAFE", "breaks/")
    proxy.fault("503", "2017%2F01%2F20")
    with pytest.raises(RemoteError, match=r"s3://public/breaks/2017/01/20/: .* is overloaded or down \(503"):
        discover(proxy, "breaks/")


def put_tile(seaweedfs, safe, level="L1C"):
    """Upload a product in the layout of AWS: the files of its tile, without the name of the product."""
    product = open_product(safe)
    name = product.name
    stamp = name.sensing_time
    folder = f"{level}/tiles/33/T/VL/{stamp.year}/{stamp.month}/{stamp.day}/0/"
    path = f"products/{stamp.year}/{stamp.month}/{stamp.day}/{name.product}"
    info = {"productName": name.product, "productPath": path, "timestamp": stamp.isoformat()}
    seaweedfs.put(PUBLIC, folder + "tileInfo.json", json.dumps(info).encode())
    seaweedfs.put(PUBLIC, f"{level}/{path}/metadata.xml", (safe / f"MTD_MSI{level}.xml").read_bytes())
    for file in product.files:
        content = (safe / file).read_bytes()
        base = file.rpartition("/")[2]
        if base == "MTD_TL.xml":
            seaweedfs.put(PUBLIC, folder + "metadata.xml", content)
        elif "/IMG_DATA/" in file and base.endswith(".jp2"):
            stem = base.removesuffix(".jp2").split("_")[2:]
            seaweedfs.put(
                PUBLIC, folder + ("R" + stem[1] + "/" if stem[1:] else "") + stem[0] + ".jp2", content
            )
        elif "/QI_DATA/" in file:
            seaweedfs.put(PUBLIC, folder + "qi/" + base, content)
    return folder


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_the_layout_of_aws(seaweedfs, product, tmp_path, level):
    import numpy as np

    options = {"scl": np.full((63, 63), 4)} if level == "L2A" else {"clouds": []}
    safe = product(
        "20170116",
        level=level,
        baseline="0400",
        scene=scene_of(level=level, offset=-1000, cloud_percent=7, **options),
    )
    folder = put_tile(seaweedfs, safe, level)
    for number, content in enumerate(
        (
            b"[]",
            b"{",
            json.dumps({"productName": name_of(), "productPath": "../../x"}).encode(),
            b'{"productName": "../x", "productPath": "x"}',
        )
    ):
        seaweedfs.put(PUBLIC, f"{level}/tiles/33/T/VL/2017/2/1/{number}/tileInfo.json", content)
    [row], files = discover(seaweedfs, f"{level}/tiles/", level=level)
    assert (row["product"], row["cloud_percent"]) == (safe.name.removesuffix(".SAFE"), "7")
    assert row["url"] == f"s3://{PUBLIC}/{folder.removesuffix('/')}"
    target = tmp_path / f"{row['product']}.zip"
    fetch_product(
        row["product"], files, target, store=Store(PUBLIC, endpoint_url=seaweedfs.url, anonymous=True)
    )
    copied, original = open_product(target), open_product(safe)
    for band in ("B2", "B8A", "B12"):
        np.testing.assert_array_equal(
            copied.read_band(band, copied.grids[10]), original.read_band(band, original.grids[10])
        )
    assert copied.offsets == original.offsets
    assert [row["role"] for row in files].count("mask") == 1


GOOD = name_of("20170116")
HOSTILE_FOLDERS = [
    f"x/2017/01/16/../{GOOD}.SAFE/",
    f"/x/2017/01/16/{GOOD}.SAFE/",
    f"../../x/2017/01/16/{GOOD}.SAFE/",
    f"x/2017/01/16/{GOOD}\n.SAFE/",
    f"x/2017/01/16/{GOOD};touch evil.SAFE/",
    f"x/2017/01/16/$(touch evil){GOOD}.SAFE/",
    f"x/2017/01/16/{GOOD.replace('S2A', 'S2А')}.SAFE/",  # a Cyrillic A
    f"x/2017/01/16/{GOOD.replace('2017', '２０１７')}.SAFE/",  # full-width digits
    f"x/2017/01/16/{GOOD.lower()}.safe/",
    f"x/2017/01/16/{GOOD.replace('MSI', 'msi')}.SAFE/",
    f"x/2017/01/16/{GOOD}{'x' * 5000}.SAFE/",
    f"x/2017/01/16/{GOOD}.SAFE/.SAFE/",
    f"x/2017/01/16/{GOOD.replace('20170116T100000', '20171316T100000')}.SAFE/",
    "x/2017/01/16/.SAFE/",
    "x/2017/01/16/../",
    "",
]  # fmt: skip
HOSTILE_KEYS = [
    "GRANULE/../IMG_DATA/T33TVL_B04.jp2",
    "GRANULE/G/IMG_DATA/../../../../../T33TVL_B04.jp2",
    "GRANULE/G\n/IMG_DATA/T33TVL_B04.jp2",
    "GRANULE/G\t/IMG_DATA/T33TVL_B04.jp2",
    "GRANULE/G/IMG_DATA/T33TVL_$(evil)_B04.jp2",
    "GRANULE/G/IMG_DATA/Т33TVL_B04.jp2",
    f"GRANULE/G/IMG_DATA/{'x' * 5000}_B04.jp2",
    "GRANULE/G/img_data/T33TVL_B04.JP2",
    "/GRANULE/G/IMG_DATA/T33TVL_B04.jp2",
    "",
]


class _HostileStore(BaseHTTPRequestHandler):
    """Lists hostile names at every address."""

    def log_message(self, *_):
        """Log nothing."""

    def do_GET(self):
        if "delimiter=%2F" in self.path:
            folders = [f"x/2017/01/16/{GOOD}.SAFE/", *HOSTILE_FOLDERS]
            inner = "".join(
                f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in folders
            )
        else:
            keys = [f"x/2017/01/16/{GOOD}.SAFE/{key}" for key in HOSTILE_KEYS] + ["elsewhere/MTD_MSIL1C.xml"]
            good = f"x/2017/01/16/{GOOD}.SAFE/GRANULE/G/IMG_DATA/T33TVL_B04.jp2"
            inner = "".join(
                f'<Contents><Key>{escape(key)}</Key><Size>7</Size><ETag>"a b"</ETag></Contents>'
                for key in [good, *keys]
            )
        content = f"<ListBucketResult><IsTruncated>false</IsTruncated>{inner}</ListBucketResult>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def test_a_hostile_listing(caplog):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _HostileStore)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        store = Store(PUBLIC, endpoint_url=f"http://127.0.0.1:{server.server_port}", anonymous=True)
        rows, files = list_store(store, Query("L1C", {"33TVL"}, **PERIOD), ["x/"])
    finally:
        server.shutdown()
        server.server_close()
    assert [(row["product"], row["url"]) for row in rows] == [
        (GOOD, f"s3://{PUBLIC}/x/2017/01/16/{GOOD}.SAFE")
    ]
    assert [(row["name"], row["etag"]) for row in files] == [("GRANULE/G/IMG_DATA/T33TVL_B04.jp2", "")]
    assert "name(s) that are not product names" in caplog.text
    assert "unusable name(s)" in caplog.text
