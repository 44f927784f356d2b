"""From an object store to the summary: the same results as from a local folder."""

import re
import zipfile
from datetime import timedelta
from pathlib import PurePosixPath

import numpy as np
import pytest
import utm

from fabricate import name_of
from runs import BASE, SITE, SUMMARIES, Run
from seaweedfs import KEYED, KEYS, PUBLIC
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.tiles import site_tiles
from tigerbush.site import Site
from tigerbush.sites.product import resample_site
from tigerbush.sites.stream import stream_product
from tigerbush.sources.bucket import list_store
from tigerbush.sources.query import Query
from tigerbush.sources.store import Store

# a single worker, so that the local run is made once
pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("s3")]


def configure_run(folder, server, bucket, root, sites=(SITE,), base=BASE, **source):
    """Prepare a run on the products below the prefix `root` of a bucket."""
    keys = {"kind": "s3", "level": "L1C", "endpoint_url": server.url, "bucket": bucket, "prefixes": [root]}
    return Run(folder, base | {"source": keys | {"anonymous": bucket == PUBLIC} | source}, sites)


def assert_same_summary(run, other, site="here"):
    """Compare summaries, except for the configuration."""

    def comparable(run):
        summary = run.summary(site)
        metadata = {key: value for key, value in summary["metadata"].items() if not key.startswith("config")}
        # whether the packets of an image could be checked depends on its format
        for lineage in metadata["products"].values():
            lineage.pop("codestream", None)
        return summary | {"metadata": metadata}

    assert comparable(run) == comparable(other)


def scenes_of(run):
    return {path.name: path.read_bytes() for path in (run.folder / "results" / "scenes").iterdir()}


@pytest.fixture(scope="module")
def local(three_products, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("local"), BASE | {"source": {"path": str(three_products)}})
    run.snakemake(SUMMARIES, "scenes")
    return run


@pytest.mark.parametrize(("access", "bucket"), [("stream", PUBLIC), ("storage", KEYED)])
def test_results_equal_those_from_a_local_folder(
    local, seaweedfs, keys, three_products, tmp_path, access, bucket
):
    for safe in three_products.iterdir():
        seaweedfs.put_product(bucket, safe, f"{access}/")
    run = configure_run(tmp_path / "s3", seaweedfs, bucket, f"{access}/", access=access)
    run.snakemake(SUMMARIES, "scenes")
    assert_same_summary(run, local)
    assert scenes_of(run) == scenes_of(local)
    assert len(scenes_of(run)) == 3
    assert len(list((run.folder / "results" / "downloads").glob("*/0.zip"))) == 3 * (access == "stream")
    assert "Nothing to be done" in run.snakemake(SUMMARIES, "scenes")
    text = "".join(path.read_text() for path in run.folder.rglob("logs/**/*.log"))
    assert "reads-only" not in text


@pytest.fixture
def faulty(proxy, seaweedfs, three_products, tmp_path):
    """`faulty(access)` returns a run on the three products through the proxy."""

    def configure(access):
        for safe in three_products.iterdir():
            seaweedfs.put_product(PUBLIC, safe, "faulty/")
        return configure_run(tmp_path / access, proxy, PUBLIC, "faulty/", access=access)

    return configure


DISCOVER = ("discover", "--configfile", "config.yaml")
ONE, TWO, THREE = ("20170110", "20170120", "20170210")


def test_streaming_through_transient_faults(faulty, proxy, local):
    for kind, path in (
        ("503", f"^/public/.*{ONE}T.*_B04"), ("429", f"^/public/.*{ONE}T.*_B08"), ("reset", f"^/public/.*{TWO}T.*_B02"), ("truncate", f"^/public/.*{TWO}T.*_B03"),
        ("corrupt", f"^/public/.*{THREE}T.*_B04"), ("503", f"^/public/.*{THREE}T.*MTD_TL"),
    ):  # fmt: skip
        proxy.fault(kind, path, times=2)
    run = faulty("stream")
    run.snakemake(SUMMARIES, "--resources", "connections=2")
    assert_same_summary(run, local)
    assert proxy.max_concurrent == 2
    assert all(fault.times == 0 for fault in proxy.faults)


def test_streaming_through_lasting_faults(faulty, proxy, local):
    """The other products finish, the user reads which failed and why, and retry completes them."""
    proxy.fault("503", f"^/public/.*{TWO}T.*_B04")
    proxy.fault("corrupt", f"^/public/.*{THREE}T.*_B08")
    run = faulty("stream")
    output = run.snakemake(SUMMARIES, status=1)
    assert "2 product(s) failed, everything else is finished; fix them and run ./tigerbush retry" in output
    failed = run.summary()["metadata"]["failed_products"]
    assert failed.keys() == {name_of(TWO), name_of(THREE)}
    assert "_B04.jp2: http://127.0.0.1" in failed[name_of(TWO)]
    assert "is overloaded or down (503" in failed[name_of(TWO)]
    assert "_B08.jp2: the data received do not match the store's checksum" in failed[name_of(THREE)]
    assert len(run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4
    proxy.clear_faults()
    proxy.requests.clear()
    run.retry()
    assert_same_summary(run, local)
    # only the missing files of the failed products were fetched
    assert sorted(path[-7:-4] for method, path, _ in proxy.requests if method == "GET") == ["B04", "B08"]
    assert not list(run.folder.glob("results/downloads/*/.*"))


def test_storage_through_transient_faults(faulty, proxy, local):
    """Except 429, which the storage plugin does not retry."""
    for kind, path in (
        ("503", f"^/public/.*{ONE}T.*_B04"),
        ("reset", f"^/public/.*{TWO}T.*_B02"),
        ("truncate", f"^/public/.*{TWO}T.*_B03"),
    ):
        proxy.fault(kind, path, times=2)
    run = faulty("storage")
    run.snakemake(SUMMARIES)
    assert_same_summary(run, local)
    assert all(fault.times == 0 for fault in proxy.faults)


def test_storage_through_lasting_faults(faulty, proxy, local):
    """A failed retrieval ends the run at once; the next run continues. Wrong bytes fail only their own product."""
    proxy.fault("503", f"^/public/.*{TWO}T.*_B04")
    proxy.fault("corrupt", f"^/public/.*{THREE}T.*_B08")
    run = faulty("storage")
    output = run.snakemake(SUMMARIES, status=1)
    assert re.search(rf"Failed to retrieve .*\s+.*{TWO}T\S*_B04\.jp2", output)
    assert not (run.folder / "results" / "downloads" / f"{name_of(TWO)}.zip").exists()
    assert not list(run.folder.rglob(f"*{TWO}T*_B04.jp2"))
    del proxy.faults[0]
    # an option of the profiles: the first run may have ended in the middle of another copy
    run.snakemake(SUMMARIES, "--rerun-incomplete", status=1)
    failed = run.summary()["metadata"]["failed_products"]
    assert failed.keys() == {name_of(THREE)}
    assert "_B08.jp2: the data received do not match the store's checksum" in failed[name_of(THREE)]
    proxy.clear_faults()
    run.retry()
    assert_same_summary(run, local)


def test_storage_is_refused(proxy, seaweedfs, keys, three_products, tmp_path, monkeypatch):
    """The messages of the plugin for too many requests and a missing file; a wrong key is reported before."""
    for safe in three_products.iterdir():
        folder = seaweedfs.put_product(KEYED, safe, "refused/")
    run = configure_run(tmp_path / "s3", proxy, KEYED, "refused/", access="storage")
    run.tigerbush("discover", "--configfile", "config.yaml")
    proxy.fault("429", "^/keyed/.*_B04")
    output = run.snakemake(SUMMARIES, status=1)
    assert re.search(
        r"Failed to retrieve storage object from s3://keyed/refused/\S*_B04\.jp2\s+.*TooManyRequests", output
    )
    proxy.clear_faults()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")
    output = run.snakemake(SUMMARIES, status=1)
    assert f"{proxy.url} rejects the credentials (SignatureDoesNotMatch); renew the keys in the" in output
    assert "guessed" not in output and "botocore" not in output
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["AWS_SECRET_ACCESS_KEY"])
    object_keys = [
        entry["Key"] for entry in seaweedfs.admin.list_objects_v2(Bucket=KEYED, Prefix=folder)["Contents"]
    ]
    [band] = [key for key in object_keys if key.endswith("_B04.jp2") and "/IMG_DATA/" in key]
    seaweedfs.admin.delete_object(Bucket=KEYED, Key=band)
    output = run.snakemake(SUMMARIES, status=1)
    assert "Missing input files for rule download_product" in output
    assert band in output


def test_storage_is_first_tried_by_the_library(faulty, proxy, monkeypatch):
    """Once the tables exist, nothing else would reach the store before Snakemake's plugin."""
    run = faulty("storage")
    run.tigerbush("discover", "--configfile", "config.yaml")
    proxy.fault("307", "^/public/")
    proxy.requests.clear()
    output = run.snakemake(SUMMARIES, "--dry-run", status=1)
    assert (
        f"{proxy.url} redirects elsewhere (307), which is not followed; check source.endpoint_url and"
        in output
    )
    assert "botocore" not in output
    assert len(proxy.requests) <= 2
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    output = run.snakemake(SUMMARIES, "--dry-run", status=1)
    assert (
        f"{proxy.url} cannot be accessed with the settings of the environment (The config profile (nobody) "
        in output
    )
    assert "botocore" not in output


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        ({"bucket": KEYED}, ["no credentials for http://127.0.0.1", "set AWS_ACCESS_KEY_ID"]),
        (
            {"prefixes": ["nothing/"]},
            ["s3://public/ has no L1C products of the sites' tiles", "source.prefixes"],
        ),
        (
            {"endpoint_url": "http://127.0.0.1:9"},
            ["http://127.0.0.1:9 did not respond", "EndpointConnectionError"],
        ),
    ],
)
def test_a_discovery_that_fails_keeps_the_table(seaweedfs, three_products, tmp_path, change, sentences):
    for safe in three_products.iterdir():
        seaweedfs.put_product(PUBLIC, safe, "table/")
    run = configure_run(tmp_path / "s3", seaweedfs, PUBLIC, "table/")
    run.tigerbush("discover", "--configfile", "config.yaml")
    tables = [(run.folder / "results" / name).read_bytes() for name in ("products.tsv", "files.tsv")]
    run.configure(
        run.config | {"source": run.config["source"] | {"anonymous": "bucket" not in change} | change}
    )
    output = run.tigerbush("discover", "--configfile", "config.yaml", status=1)
    assert all(sentence in output for sentence in sentences)
    assert "Traceback" not in output
    assert tables == [(run.folder / "results" / name).read_bytes() for name in ("products.tsv", "files.tsv")]


@pytest.mark.input(
    "Changes",
    "a product replaced under its name in a bucket, with the same size",
    "noticed by the ETag: `discover` names it, and the next run recomputes what it touches",
)
@pytest.mark.parametrize("access", ["stream", "storage"])
def test_a_product_that_is_replaced_in_the_bucket(seaweedfs, three_products, tmp_path, access):
    """Another image under the same name has another ETag: what depends on it is made again, and nothing else."""
    root = f"replaced-{access}/"
    for safe in three_products.iterdir():
        seaweedfs.put_product(PUBLIC, safe, root)
    run = configure_run(tmp_path / "s3", seaweedfs, PUBLIC, root, access=access)
    run.snakemake(SUMMARIES)
    assert "Products: 0 new, 0 replaced, 0 gone, 3 unchanged." in run.tigerbush(*DISCOVER)
    assert run.planned(SUMMARIES) == {}
    # of the same size
    folder = f"{root}{THREE[:4]}/{THREE[4:6]}/{THREE[6:]}"
    old = next(three_products.glob(f"*{THREE}T*/GRANULE/*/IMG_DATA/*_B04.jp2"))
    name = old.relative_to(three_products).as_posix()
    changed = bytearray(old.read_bytes())
    changed[-20:-10] = bytes(10)
    seaweedfs.put(PUBLIC, f"{folder}/{name}", bytes(changed))
    output = run.tigerbush(*DISCOVER)
    file = name.partition("/")[2]
    assert f"replaced: {name_of(THREE)} ({file} has another content)" in output
    assert "Products: 0 new, 1 replaced, 0 gone, 2 unchanged." in output
    fetched = "stream_product" if access == "stream" else "download_product"
    jobs = (fetched, "resample_product", "subset_product", "composite_date", "render_date", "compute_ndvi")
    jobs += ("compute_centrality", "summarise_date", "summarise_site", "check_products")
    assert run.planned(SUMMARIES) == dict.fromkeys(jobs, 1)


REAL = ("ljubljana", 14.5579, 45.8704, 0.009)


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "start", "end", "access"),
    [
        ("l1c_series", "2015-12-01", "2016-02-01", "stream"),
        ("l1c_5dates_offset", "2015-07-01", "2015-10-01", "storage"),
    ],
)
def test_real_products(seaweedfs, keys, shared_data, tmp_path, folder, start, end, access):
    """Two months of the series as windows and five dates as whole files, from the keyed bucket and from their folders."""
    base = BASE | {
        "period": {"start": start, "end": end, "step": "1m"},
        "composite": {"max_cloud_percent": 100},
        "subimages": {"size": 50},
    }
    path = shared_data / "sentinel2" / folder
    local = Run(tmp_path / "local", base | {"source": {"path": str(path)}}, [REAL])
    local.snakemake(SUMMARIES)
    for safe in path.glob("*.SAFE"):
        seaweedfs.put_product(KEYED, safe, f"{folder}/")
    run = configure_run(tmp_path / "s3", seaweedfs, KEYED, f"{folder}/", [REAL], base, access=access)
    run.snakemake(SUMMARIES)
    assert_same_summary(run, local, "ljubljana")
    assert (
        len([*run.folder.glob("results/downloads/*.zip"), *run.folder.glob("results/downloads/*/0.zip")]) >= 5
    )


@pytest.mark.data
def test_a_real_product_of_level_2a(seaweedfs, shared_data, tmp_path):
    """Windows of bands and of the scene classification have the same pixels as in the folder."""
    [safe] = (shared_data / "sentinel2" / "l2a_cropped").glob("*.SAFE")
    product = open_product(safe)
    grid = product.grids[10]
    latitude, longitude = utm.to_latlon(
        grid.x + grid.width * 5, grid.y - grid.height * 5, product.epsg % 100, northern=True
    )
    site = Site(float(longitude), float(latitude), 0.01, size=50, resolution=10)
    seaweedfs.put_product(PUBLIC, safe, "level2a/")
    store = Store(PUBLIC, endpoint_url=seaweedfs.url, anonymous=True)
    day = product.name.sensing_time.date()
    tiles = site_tiles(site.longitude, site.latitude, site.region_size)
    [product_row], files = list_store(store, Query("L2A", tiles, day, day + timedelta(days=1)), ["level2a/"])
    files = [row for row in files if row["role"] != "band" or "_10m" in row["name"]]
    target = tmp_path / f"{product_row['product']}.zip"
    stream_product(store, product_row["product"], files, target, site=site)
    for streamed, local in zip(resample_site(target, site), resample_site(safe, site), strict=True):
        assert streamed.grid == local.grid
        np.testing.assert_array_equal(streamed.data, local.data)
    with zipfile.ZipFile(target) as archive:
        assert {PurePosixPath(name).suffix for name in archive.namelist()} == {".tif", ".xml"}
