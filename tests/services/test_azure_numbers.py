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


def moved(store, run):
    """The bytes of the blobs of windows and measures that a run has fetched or written, by folder and method.

    What was fetched has the size of before the run, what was written that of after it.
    """
    asked, sizes = len(store.requests()), {"GET": blob_sizes(store)}
    run()
    sizes["PUT"] = blob_sizes(store)
    total = {}
    for request in store.requests()[asked:]:
        method, _, address = request.partition(" ")
        path = address[address.index("/runs") :].partition("?")[0]
        match = re.search(r"/results/(windows|batches)/.*\.zip$", path)
        if match and method in sizes:
            key = match[1], method
            total[key] = total.get(key, 0) + sizes[method].get(path, 0)
    return total


def blob_sizes(store):
    blobs = store.service.get_container_client("runs")
    return {f"/{blob.container}/{blob.name}": blob.size for blob in blobs.list_blobs()}


def test_bytes_grow_with_the_sites(azure, store, tmp_path):
    checkout(tmp_path / "work")
    made, added = {}, {}
    for number in (2, 6):
        run = AzureRun(tmp_path / "work", NUMBERS, azure, store, f"of{number}", sites=sites(number))
        if number == 2:
            for seed, day in enumerate(DAYS):
                write_product(run.folder / "products", name_of(day), scene_of(seed, clouds=[]))
        options = run.storage_options()
        made[number] = moved(store, lambda run=run, options=options: run.run_here(SUMMARIES, *options))
        # one of more sites makes its own windows and measures, in the files of its batch
        run.write_sites(*sites(number + 1))
        planned = run.planned_here(SUMMARIES, *options)
        assert (planned["subset_product"], planned["measure_batch"], planned["summarise_batch"]) == (3, 2, 1)
        added[number] = moved(store, lambda run=run, options=options: run.run_here(SUMMARIES, *options))
        assert "Nothing to be done" in run.run_here(SUMMARIES, *options)
    written = {("windows", "PUT"), ("batches", "PUT")}
    fetched = {("windows", "GET"), ("batches", "GET")}
    for totals, ratio in ((made, 3), (added, 7 / 3)):
        assert totals[2].keys() >= written
        for key in written:
            # the contents of sites differ a little
            assert totals[6][key] / totals[2][key] == pytest.approx(ratio, rel=0.1), key
    assert added[2].keys() >= fetched
    for key in fetched:
        assert added[6][key] / added[2][key] == pytest.approx(3, rel=0.1), key
