"""Results of an earlier run in Blob storage: a new clone has nothing to do, and what fails takes nothing away."""

import json
import shutil

import pytest

import same_numbers
from azure_runs import CONTAINER, AzureRun, checkout
from checkouts import commit_all, move_modules
from fabricate import name_of, scene_of
from runs import BASE, DAYS, SITE, SUMMARIES
from tigerbush.sentinel2.writer import write_product

pytestmark = pytest.mark.workflow

# a checkout has the sample as its configuration
LOCAL = BASE | {"source": {"kind": "local", "path": "products"}}
TRIGGERS = ("--rerun-triggers", "mtime", "params", "input")


def written(store, name):
    """The blobs of a run below results/, and when they were last written."""
    blobs = store.service.get_container_client(CONTAINER).list_blobs(name_starts_with=f"{name}/results/")
    return {blob.name: blob.last_modified for blob in blobs}


def finished(azure, store, folder, name):
    """A run that is done, and the options that put its outputs into Blob storage."""
    checkout(folder)
    run = AzureRun(folder, LOCAL, azure, store, name, sites=(SITE,))
    for seed, day in enumerate(DAYS):
        write_product(run.folder / "products", name_of(day), scene_of(seed, clouds=[]))
    run.here(SUMMARIES, *run.stored())
    return run, run.stored()


def test_a_finished_run_goes_on_in_a_new_clone(azure, store, tmp_path):
    run, stored = finished(azure, store, tmp_path / "work", "kept")
    shutil.rmtree(run.folder / ".snakemake")
    before = len(store.requests())
    assert "Nothing to be done" in run.here(SUMMARIES, *TRIGGERS, *stored)
    # one listing tells what is there, since when, and with which fingerprints; without it it took 20 requests a file
    asked = store.requests()[before:]
    assert len(asked) < 40, "\n".join(asked)
    # another configuration is noticed without Snakemake's records, and with any trigger
    changed = LOCAL | {"centrality": {"quantiles": 10}}
    run.configure(changed)
    expected = {"compute_centrality": 2, "summarise_date": 2, "summarise_site": 1, "check_products": 1}
    assert dict(run.planned_here(SUMMARIES, "--rerun-triggers", "mtime", *stored)) == expected
    # a job that fails takes no blob away, and is still to be made
    whole = written(store, "kept")
    run.configure(LOCAL | {"composite": {"mask_buffer": 1}})
    shutil.move(run.folder / "products" / f"{name_of('20170210')}.SAFE", tmp_path / "archive")
    output = run.here(SUMMARIES, *stored, status=1)
    assert f"{name_of('20170210')} is no longer in products." in output, output[-3000:]
    assert written(store, "kept") == whole
    run.configure(LOCAL | {"composite": {"mask_buffer": 1}, "on_gone": "keep"})
    run.here(SUMMARIES, *stored)
    after = written(store, "kept")
    february = [name for name in whole if "2017-02-15" in name or "20170210" in name]
    assert len(february) > 15
    assert {name: after[name] for name in february} == {name: whole[name] for name in february}
    assert (
        after["kept/results/here/2017-01-16/composite.tif"]
        > whole["kept/results/here/2017-01-16/composite.tif"]
    )
    assert "Nothing to be done" in run.here(SUMMARIES, *stored)


def test_a_release_that_moves_code_takes_results_over(azure, store, tmp_path):
    """By the table that `make same-numbers` writes, with the products and without."""
    run, stored = finished(azure, store, tmp_path / "work", "moved")
    whole = written(store, "moved")
    commit_all(run.folder)
    move_modules(run.folder)
    assert run.planned_here(SUMMARIES, *TRIGGERS, *stored)["composite_date"] == 2
    same_numbers.main(["HEAD"], run.folder)
    assert "Nothing to be done" in run.here(SUMMARIES, *stored)
    shutil.move(run.folder / "products", tmp_path / "archive")
    assert "Nothing to be done" in run.here(SUMMARIES, *stored)
    shutil.rmtree(run.folder / ".snakemake")
    assert "Nothing to be done" in run.here(SUMMARIES, *TRIGGERS, *stored)
    assert written(store, "moved") == whole


def test_damage_that_no_listing_tells_is_recorded_in_the_storage(azure, store, tmp_path):
    run, stored = finished(azure, store, tmp_path / "work", "damaged")
    whole = written(store, "damaged")
    february = [
        name
        for name in whole
        if ("2017-02-15" in name or "20170210" in name) and not name.endswith("resample_product.json")
    ]
    band = next((run.folder / "products" / f"{name_of('20170210')}.SAFE").rglob("*_B04.jp2"))
    content = band.read_bytes()
    middle = len(content) // 2
    band.write_bytes(content[:middle] + bytes(len(content) - middle))
    again = LOCAL | {"composite": {"mask_buffer": 1}}
    run.configure(again)
    output = run.here(SUMMARIES, *stored, status=1)
    assert f"{name_of('20170210')} cannot be read again" in output, output[-3000:]
    after = written(store, "damaged")
    record = f"damaged/results/here/products/{name_of('20170210')}.unreadable.json"
    # and the windows, which wait for the job that failed
    assert {name for name in after.keys() - whole.keys() if ".window" not in name} == {record}
    assert {name: after[name] for name in february} == {name: whole[name] for name in february}
    # the next run knows it before its first job
    run.configure(again | {"on_gone": "keep"})
    output = run.here(SUMMARIES, *stored)
    assert f"results/here/2017-02-15 stays as an earlier run made it: {name_of('20170210')}" in output
    after = written(store, "damaged")
    assert {name: after[name] for name in february} == {name: whole[name] for name in february}
    summary = json.loads(run.results()["results/here/results_summary.json"])
    assert summary["COPERNICUS/S2"]["time-series-data"]["2017-02-15"] is None
    # mended and read again, the product counts, whatever its record says
    band.write_bytes(content)
    run.configure(again)
    run.here(SUMMARIES, *stored)
    after = written(store, "damaged")
    composite = "damaged/results/here/2017-02-15/composite.tif"
    assert after[composite] > whole[composite]
    run.configure(again | {"on_gone": "keep", "centrality": {"quantiles": 10}})
    assert "stays as an earlier run made it" not in run.here(SUMMARIES, *stored)
