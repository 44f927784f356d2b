"""Results of an earlier run in Blob storage: a new clone has nothing to do, and what fails takes nothing away."""

import shutil

import pytest

from azure_runs import CONTAINER, AzureRun, checkout
from fabricate import name_of, scene_of
from runs import BASE, DAYS, SITE, SUMMARIES
from tigerbush.safe_writer import write_product

pytestmark = pytest.mark.workflow

# a checkout has the sample as its configuration
LOCAL = BASE | {"source": {"kind": "local", "path": "products"}}
TRIGGERS = ("--rerun-triggers", "mtime", "params", "input")


def written(store, name):
    """The blobs of a run below results/, and when they were last written."""
    blobs = store.service.get_container_client(CONTAINER).list_blobs(name_starts_with=f"{name}/results/")
    return {blob.name: blob.last_modified for blob in blobs}


def test_a_finished_run_goes_on_in_a_new_clone(azure, store, tmp_path):
    checkout(tmp_path / "work")
    run = AzureRun(tmp_path / "work", LOCAL, azure, store, "kept", sites=(SITE,))
    for seed, day in enumerate(DAYS):
        write_product(run.folder / "products", name_of(day), scene_of(seed, clouds=[]))
    stored = run.stored()
    run.here(SUMMARIES, *stored)
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
    assert f"{name_of('20170210')} is no longer in products." in output
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
