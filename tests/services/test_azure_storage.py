"""Outputs in Blob storage: the same results as on a disk, under the same paths; and a killed run can be continued."""

import os
import signal
import time

import pytest

from azure_runs import CONTAINER, AzureRun, checkout, comparable, results_of
from runs import SUMMARIES

pytestmark = pytest.mark.workflow

SITE = ("ljubljana", 14.5579, 45.8704, 0.009)


@pytest.mark.data
def test_the_real_series_killed_and_continued(azure, store, tmp_path, shared_data):
    config = {
        "sites": "sites.tsv",
        "period": {"start": "2015-07-01", "end": "2015-08-01", "step": "1m"},
        "source": {"kind": "local", "path": str(shared_data / "sentinel2" / "l1c_series")},
        "composite": {"max_cloud_percent": 100},
    }
    checkout(tmp_path / "disk")
    disk = AzureRun(tmp_path / "disk", config, azure, store, "disk", sites=[SITE])
    disk.run_here(SUMMARIES)
    checkout(tmp_path / "work")
    run = AzureRun(tmp_path / "work", config, azure, store, "series", sites=[SITE])
    process = run.start(SUMMARIES, "--cores", "2", *run.storage_options())
    # an image of a composite exists, so the composite is finished
    images = wait_for(lambda: modification_times(store, "rgb.png"), process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = modification_times(store, "")
    run.run_here("--unlock", *run.storage_options())
    output = run.run_here(SUMMARIES, "--rerun-incomplete", *run.storage_options())
    assert comparable(run.results()) == comparable(results_of(disk.folder))
    assert len(comparable(run.results())) > 15
    # but for the records of files that have been verified
    left = [path for path in (run.folder / "results").rglob("*") if path.is_file()]
    assert not [path for path in left if not path.name.endswith(".checked.json")]
    # finished results were not made again
    composite = next(iter(images)).replace("rgb.png", "composite.tif")
    assert modification_times(store, "composite.tif")[composite] == before[composite]
    assert "Finished jobid: 0 (Rule: check_products)" in output


def modification_times(store, suffix):
    """Return when each blob of the series with a suffix was last written."""
    blobs = store.service.get_container_client(CONTAINER).list_blobs(name_starts_with="series/results/")
    return {blob.name: blob.last_modified for blob in blobs if blob.name.endswith(suffix)}


def wait_for(query, process, seconds=120):
    end = time.monotonic() + seconds
    while not (result := query()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.1)
    return result
