"""Results of an earlier run in Blob storage: a new clone has nothing to do, and failures delete nothing."""

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

# the configuration of a checkout is that of the sample
LOCAL = BASE | {"source": {"kind": "local", "path": "products"}}
TRIGGERS = ("--rerun-triggers", "mtime", "params", "input")


def modification_times(store, name):
    """Return when each blob of a run below results/ was last written."""
    blobs = store.service.get_container_client(CONTAINER).list_blobs(name_starts_with=f"{name}/results/")
    return {blob.name: blob.last_modified for blob in blobs}


def finish_run(azure, store, folder, name):
    """Finish a run; return it and the options that put its outputs into Blob storage."""
    checkout(folder)
    run = AzureRun(folder, LOCAL, azure, store, name, sites=(SITE,))
    for seed, day in enumerate(DAYS):
        write_product(run.folder / "products", name_of(day), scene_of(seed, clouds=[]))
    run.run_here(SUMMARIES, *run.storage_options())
    return run, run.storage_options()


def test_a_finished_run_goes_on_in_a_new_clone(azure, store, tmp_path):
    run, storage = finish_run(azure, store, tmp_path / "work", "kept")
    shutil.rmtree(run.folder / ".snakemake")
    before = len(store.requests())
    assert "Nothing to be done" in run.run_here(SUMMARIES, *TRIGGERS, *storage)
    # a single listing returns names, times and fingerprints; without it each file takes 20 requests
    requests = store.requests()[before:]
    assert len(requests) < 40, "\n".join(requests)
    # another configuration is noticed even without Snakemake's records, and with any trigger
    changed = LOCAL | {"centrality": {"quantiles": 10}}
    run.configure(changed)
    expected = {"compute_centrality": 2, "summarise_date": 2, "summarise_site": 1, "check_products": 1}
    assert dict(run.planned_here(SUMMARIES, "--rerun-triggers", "mtime", *storage)) == expected
    # a job that fails deletes no blob, and still has to run
    original = modification_times(store, "kept")
    run.configure(LOCAL | {"composite": {"mask_buffer": 1}})
    shutil.move(run.folder / "products" / f"{name_of('20170210')}.SAFE", tmp_path / "archive")
    output = run.run_here(SUMMARIES, *storage, status=1)
    assert f"{name_of('20170210')} is no longer in products." in output, output[-3000:]
    assert modification_times(store, "kept") == original
    run.configure(LOCAL | {"composite": {"mask_buffer": 1}, "on_gone": "keep"})
    run.run_here(SUMMARIES, *storage)
    after = modification_times(store, "kept")
    february = [name for name in original if "2017-02-15" in name or "20170210" in name]
    assert len(february) > 15
    assert {name: after[name] for name in february} == {name: original[name] for name in february}
    assert (
        after["kept/results/here/2017-01-16/composite.tif"]
        > original["kept/results/here/2017-01-16/composite.tif"]
    )
    assert "Nothing to be done" in run.run_here(SUMMARIES, *storage)


def test_a_release_that_moves_code_takes_results_over(azure, store, tmp_path):
    """By the table that `make same-numbers` writes, with and without the products."""
    run, storage = finish_run(azure, store, tmp_path / "work", "moved")
    original = modification_times(store, "moved")
    commit_all(run.folder)
    move_modules(run.folder)
    assert run.planned_here(SUMMARIES, *TRIGGERS, *storage)["composite_date"] == 2
    same_numbers.main(["HEAD"], run.folder)
    assert "Nothing to be done" in run.run_here(SUMMARIES, *storage)
    shutil.move(run.folder / "products", tmp_path / "archive")
    assert "Nothing to be done" in run.run_here(SUMMARIES, *storage)
    shutil.rmtree(run.folder / ".snakemake")
    assert "Nothing to be done" in run.run_here(SUMMARIES, *TRIGGERS, *storage)
    assert modification_times(store, "moved") == original


def test_damage_that_no_listing_shows_is_recorded_in_the_storage(azure, store, tmp_path):
    run, storage = finish_run(azure, store, tmp_path / "work", "damaged")
    original = modification_times(store, "damaged")
    february = [
        name
        for name in original
        if ("2017-02-15" in name or "20170210" in name) and not name.endswith("resample_product.json")
    ]
    band = next((run.folder / "products" / f"{name_of('20170210')}.SAFE").rglob("*_B04.jp2"))
    content = band.read_bytes()
    middle = len(content) // 2
    band.write_bytes(content[:middle] + bytes(len(content) - middle))
    changed = LOCAL | {"composite": {"mask_buffer": 1}}
    run.configure(changed)
    output = run.run_here(SUMMARIES, *storage, status=1)
    assert f"{name_of('20170210')} cannot be read again" in output, output[-3000:]
    after = modification_times(store, "damaged")
    record = f"damaged/results/windows/{name_of('20170210')}/here.unreadable.json"
    # except for the windows, which the failed job still needs
    assert {name for name in after.keys() - original.keys() if "/resampled." not in name} == {record}
    assert {name: after[name] for name in february} == {name: original[name] for name in february}
    # the next run knows about it before its first job
    run.configure(changed | {"on_gone": "keep"})
    output = run.run_here(SUMMARIES, *storage)
    assert f"results/here/2017-02-15 stays as an earlier run made it: {name_of('20170210')}" in output
    after = modification_times(store, "damaged")
    assert {name: after[name] for name in february} == {name: original[name] for name in february}
    summary = json.loads(run.results()["results/here/results_summary.json"])
    assert summary["COPERNICUS/S2"]["time-series-data"]["2017-02-15"] is None
    # once repaired and read again, the product counts, whatever its record says
    band.write_bytes(content)
    run.configure(changed)
    run.run_here(SUMMARIES, *storage)
    after = modification_times(store, "damaged")
    composite = "damaged/results/here/2017-02-15/composite.tif"
    assert after[composite] > original[composite]
    run.configure(changed | {"on_gone": "keep", "centrality": {"quantiles": 10}})
    assert "stays as an earlier run made it" not in run.run_here(SUMMARIES, *storage)
