"""From a catalogue to the summary: the same results as from a local folder with the same pixels."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import utm

from catalogues import images_of, item_of, serve, write_cog
from fabricate import name_of, scene_of
from runs import BASE, SITE, SUMMARIES, Run
from seaweedfs import PUBLIC
from test_s3 import assert_same_summary
from tigerbush.raster import CODESTREAM, read_raster
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.writer import write_product
from web_servers import files_below, serving

# a single worker, so that the local run is made once
pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("stac")]

C1 = "sentinel-2-c1-l2a"


@pytest.fixture(scope="module")
def l2a(tmp_path_factory):
    """Three L2A products with offsets and clouds, the second of an older baseline."""
    folder = tmp_path_factory.mktemp("l2a")
    for seed, day in enumerate(("20170110", "20170120", "20170210")):
        scl = np.full((63, 63), 4, np.uint8)
        scl[:40, : 10 * seed] = 9
        old = seed == 1
        scene = scene_of(seed, level="L2A", offset=0 if old else -1000, scl=scl)
        write_product(folder, name_of(day, level="L2A", baseline="0214" if old else "0500"), scene)
    return folder


@pytest.fixture(scope="module")
def local(l2a, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("local"), BASE | {"source": {"path": str(l2a)}})
    run.snakemake(SUMMARIES, "scenes")
    return run


@pytest.fixture
def catalogue(tmp_path):
    with serve(tmp_path / "files") as running:
        yield running


def add_cogs(catalogue, folder, collection=C1, **properties):
    for safe in sorted(folder.glob("*.SAFE")):
        hrefs = {
            band: catalogue.files(write_cog(image, catalogue.folder / safe.stem / f"{band}.tif"))
            for band, image in images_of(safe).items()
        }
        catalogue.items.append(item_of(safe, collection, hrefs, **properties))


def configure_run(folder, server, level="L2A", sites=(SITE,), base=BASE, **source):
    keys = {"kind": "stac", "level": level, "catalogue": server.url, "anonymous": True}
    return Run(folder, base | {"source": keys | source}, sites)


def assert_same_scene(scene, other):
    """Compare scenes, except for whether packets could be checked, which depends on the format of the image."""
    pair = [read_raster(path) for path in (scene, other)]
    np.testing.assert_array_equal(pair[0].data, pair[1].data)
    tags = [{name: text for name, text in raster.tags.items() if name != CODESTREAM} for raster in pair]
    assert tags[0] == tags[1]
    assert replace(pair[0], data=None, tags={}) == replace(pair[1], data=None, tags={})


@pytest.mark.parametrize("access", ["stream", "storage"])
def test_cogs_give_the_same_results_as_a_local_folder(local, l2a, catalogue, tmp_path, access):
    add_cogs(catalogue, l2a)
    run = configure_run(tmp_path / "stac", catalogue, access=access)
    targets = [SUMMARIES, "scenes"] if access == "storage" else [SUMMARIES]
    run.snakemake(*targets)
    assert_same_summary(run, local)
    if access == "storage":
        scenes, others = (sorted((either.folder / "results" / "scenes").iterdir()) for either in (run, local))
        assert [path.name for path in scenes] == [path.name for path in others]
        assert len(scenes) == 3
        for pair in zip(scenes, others, strict=True):
            assert_same_scene(*pair)
    search = catalogue.searches[0]
    assert (search["collections"], search["datetime"]) == ([C1], "2017-01-01T00:00:00Z/2017-04-01T23:59:59Z")
    assert len(catalogue.searches) == 2  # two items per page
    if access == "storage":
        return
    # another discovery needs the catalogue only, and changes nothing
    table = (run.folder / "results" / "products.tsv").read_bytes()
    shutil.rmtree(catalogue.folder)
    run.tigerbush("discover", "--configfile", "config.yaml")
    assert (run.folder / "results" / "products.tsv").read_bytes() == table
    assert "Nothing to be done" in run.snakemake(*targets)


def test_an_item_that_is_corrected(l2a, catalogue, tmp_path):
    """Results of the first listing have the versions of their items as well; an item that is only rewritten changes nothing."""
    add_cogs(catalogue, l2a)
    run = configure_run(tmp_path / "stac", catalogue)
    run.snakemake(SUMMARIES)
    before = run.summary()["COPERNICUS/S2"]["time-series-data"]
    name = name_of("20170210", level="L2A", baseline="0500")
    [item] = [item for item in catalogue.items if name in json.dumps(item)]
    item["properties"]["updated"] = "2026-01-01T00:00:00Z"
    assert "0 replaced, 0 gone, 3 unchanged" in run.tigerbush("discover", "--configfile", "config.yaml")
    assert run.planned(SUMMARIES) == {}
    item["properties"]["earthsearch:boa_offset_applied"] = True
    output = run.tigerbush("discover", "--configfile", "config.yaml")
    assert f"replaced: {name} (what the catalogue says of it, or its content, is another)" in output
    of_the_product = ("stream_product", "resample_product", "subset_product")
    of_the_date = ("composite_date", "render_date", "compute_ndvi", "compute_centrality", "summarise_date")
    jobs = (*of_the_product, *of_the_date, "summarise_site", "check_products")
    assert run.planned(SUMMARIES) == dict.fromkeys(jobs, 1)
    run.snakemake(SUMMARIES)
    after = run.summary()["COPERNICUS/S2"]["time-series-data"]
    assert (after["2017-01-16"] == before["2017-01-16"], after["2017-02-15"] == before["2017-02-15"]) == (
        True,
        False,
    )
    assert "Nothing to be done" in run.snakemake(SUMMARIES)


def test_scenes_without_sites(local, l2a, catalogue, tmp_path):
    """Chosen by tile and number; the same scenes as of a folder, with the clouds of the scene classification beside."""
    add_cogs(catalogue, l2a)
    base = {"period": BASE["period"], "scene": {"tiles": ["33TVL"], "limit": 2}}
    run = configure_run(tmp_path / "stac", catalogue, base=base)
    (run.folder / "sites.tsv").unlink()
    run.snakemake("scenes")
    scenes = run.folder / "results" / "scenes"
    names = sorted(safe.stem for safe in l2a.iterdir())[:2]
    assert sorted(path.name for path in scenes.iterdir()) == sorted(
        f"{name}{end}.tif" for name in names for end in ("", "_mask")
    )
    for name, clouds in zip(names, (0, 10), strict=True):
        assert_same_scene(scenes / f"{name}.tif", local.folder / "results" / "scenes" / f"{name}.tif")
        expected = np.zeros((63, 63), np.uint8)
        expected[:40, :clouds] = 1
        np.testing.assert_array_equal(read_raster(scenes / f"{name}_mask.tif").data[0], expected)
    # around the tile
    assert catalogue.searches[0]["bbox"] == pytest.approx([13.71, 45.06, 15.13, 46.05], abs=0.01)


def test_products_in_the_store_are_found_by_the_catalogue(local, l2a, seaweedfs, catalogue, tmp_path):
    """As in CDSE: assets in SAFE layout, everything else from the store. OData gives the same tables."""
    for safe in sorted(l2a.iterdir()):
        key = seaweedfs.put_product(PUBLIC, safe, "Sentinel-2/MSI/L2A/").removesuffix("/")
        hrefs = {"SCL": f"s3://{PUBLIC}/{key}/GRANULE/x/IMG_DATA/R20m/x_SCL_20m.jp2"}
        item = item_of(safe, "sentinel-2-l2a", hrefs)
        item["id"] = safe.stem
        catalogue.items.append(item)
        start = item["properties"]["datetime"]
        catalogue.entries.append(
            {"Name": safe.name, "S3Path": f"/{PUBLIC}/{key}", "ContentDate": {"Start": start}}
        )
    store = {"endpoint_url": seaweedfs.url, "bucket": PUBLIC}
    run = configure_run(tmp_path / "stac", catalogue, **store)
    run.snakemake(SUMMARIES)
    assert_same_summary(run, local)
    other = configure_run(tmp_path / "odata", catalogue, **store, catalogue=catalogue.odata)
    other.tigerbush("discover", "--configfile", "config.yaml")
    for table in ("products.tsv", "files.tsv"):
        assert (run.folder / "results" / table).read_bytes() == (
            other.folder / "results" / table
        ).read_bytes()


def test_data_on_another_host(l2a, catalogue, certificates, tmp_path):
    """A host that is not public fails its product until source.hosts allows it; results do not depend on source.hosts."""
    add_cogs(catalogue, l2a)
    del catalogue.items[1:]
    with serving(files_below(catalogue.folder), certificates) as other:
        for asset in catalogue.items[0]["assets"].values():
            asset["href"] = asset["href"].replace(f"{catalogue.url}/files", other.url)
        run = configure_run(tmp_path / "stac", catalogue)
        run.variables = {"REQUESTS_CA_BUNDLE": str(certificates / "ca.pem")}
        run.snakemake(SUMMARIES, status=1)
        product = name_of("20170110", level="L2A", baseline="0500")
        assert run.summary()["metadata"]["failed_products"] == {
            product: "localhost has the address 127.0.0.1, which is not public, so it is not contacted; to permit it, "
            "set source.hosts: ['localhost']."
        }
        assert other.requests == []
        run.configure(run.config | {"source": run.config["source"] | {"hosts": [other.authority]}})
        run.retry()
        assert run.summary()["metadata"]["failed_products"] == {}
        assert len(run.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4
        assert "hosts" not in run.summary()["metadata"]["config"]["source"]
    run.configure(run.config | {"source": run.config["source"] | {"hosts": ["another.example"]}})
    assert "Nothing to be done" in run.snakemake(SUMMARIES)


def run_on_both(tmp_path, folder, catalogue, level, site, start, end):
    """Compare runs on the real products of a folder, read there and found in the catalogue; return the summary."""
    base = {
        "sites": "sites.tsv",
        "period": {"start": start, "end": end, "step": "1m"},
        "composite": {"max_cloud_percent": 100},
    }
    local = Run(tmp_path / "local", base | {"source": {"path": str(folder)}}, [site])
    run = configure_run(tmp_path / "stac", catalogue, level, [site], base)
    for either in (local, run):
        either.snakemake(SUMMARIES)
    assert_same_summary(run, local)
    return run.summary()


@pytest.mark.data
def test_real_l1c_as_jpeg_2000(shared_data, catalogue, tmp_path):
    folder = shared_data / "sentinel2" / "l1c_5dates_offset"
    catalogue.folder = folder
    for safe in sorted(folder.glob("*_201508*.SAFE")):
        hrefs = {band: catalogue.files(image) for band, image in images_of(safe).items()}
        catalogue.items.append(item_of(safe, "sentinel-2-l1c", hrefs))
    site = ("here", 14.5579, 45.8704, 0.009)
    summary = run_on_both(tmp_path, folder, catalogue, "L1C", site, "2015-08-01", "2015-09-01")
    assert [len(point) for point in summary["COPERNICUS/S2"]["time-series-data"].values()] == [4]


@pytest.mark.data
def test_real_l2a_as_cogs(shared_data, catalogue, tmp_path):
    folder = shared_data / "sentinel2" / "l2a_cropped"
    add_cogs(catalogue, folder)
    [safe] = folder.glob("*.SAFE")
    product = open_product(safe)
    grid = product.grids[10]
    centre = grid.x + grid.width * 5, grid.y - grid.height * 5
    latitude, longitude = utm.to_latlon(*centre, product.epsg % 100, northern=product.epsg < 32700)
    site = ("here", round(float(longitude), 4), round(float(latitude), 4), 0.009)
    catalogue.items[0]["bbox"] = [longitude - 1, latitude - 1, longitude + 1, latitude + 1]
    start = product.name.sensing_time.replace(day=1)
    end = (start + timedelta(days=31)).replace(day=1)
    summary = run_on_both(tmp_path, folder, catalogue, "L2A", site, f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}")
    [lineage] = summary["metadata"]["products"].values()
    assert lineage["products"] == [product.name.product]
    assert lineage["unmasked"] == []
