"""Detail `numbers` in Blob storage: what a job fetches and writes grows with the sites of its batch alone."""

import re

import pytest

from azure_runs import AzureRun, checkout
from fabricate import name_of, scene_of
from runs import DAYS, SITE, SUMMARIES
from test_azure_kept import LOCAL
from tigerbush.sentinel2.writer import write_product

pytestmark = pytest.mark.workflow

NUMBERS = LOCAL | {"run": {"detail": "numbers"}, "centrality": {"quantiles": 4}}


def sites(number):
    return [(f"site{place:02}", SITE[1] + 0.0001 * place, SITE[2], SITE[3]) for place in range(number)]


def moved(store, requests):
    """The bytes of the blobs of windows and measures that some requests have fetched or written, by folder and method."""
    blobs = store.service.get_container_client("runs")
    sizes = {f"/{blob.container}/{blob.name}": blob.size for blob in blobs.list_blobs()}
    total = {}
    for request in requests:
        method, _, address = request.partition(" ")
        path = re.sub(r"^/[^/]+", "", address.partition("?")[0])
        if match := re.search(r"/results/(windows|batches)/.*\.zip$", path):
            key = match[1], method
            total[key] = total.get(key, 0) + sizes.get(path, 0)
    return total


def test_bytes_grow_with_the_sites(azure, store, tmp_path):
    checkout(tmp_path / "work")
    totals = {}
    for number in (2, 6):
        run = AzureRun(tmp_path / "work", NUMBERS, azure, store, f"of{number}", sites=sites(number))
        for seed, day in enumerate(DAYS):
            if not (run.folder / "products" / f"{name_of(day)}.SAFE").exists():
                write_product(run.folder / "products", name_of(day), scene_of(seed, clouds=[]))
        before = len(store.requests())
        run.run_here(SUMMARIES, *run.storage_options())
        totals[number] = moved(store, store.requests()[before:])
    assert totals[2].keys() == totals[6].keys() == {
        ("windows", "GET"), ("windows", "PUT"), ("batches", "GET"), ("batches", "PUT")
    }  # fmt: skip
    for key, size in totals[2].items():
        # the contents of sites differ a little
        assert 2.8 < totals[6][key] / size < 3.2, key
    # one of more sites makes its own windows and measures; the batch is written once for each date
    run.write_sites(*sites(7))
    planned = run.planned_here(SUMMARIES, *run.storage_options())
    assert (planned["subset_product"], planned["measure_batch"], planned["summarise_batch"]) == (3, 2, 1)
    run.run_here(SUMMARIES, *run.storage_options())
    assert "Nothing to be done" in run.run_here(SUMMARIES, *run.storage_options())
