"""A new site in Blob storage: its own bundle moves, and nothing of the sites in the others."""

import re

import pytest

from azure_runs import CONTAINER, AzureRun, checkout
from fabricate import name_of, scene_of
from runs import DAYS, SITE, SUMMARIES
from test_azure_kept import LOCAL, modification_times
from tigerbush.sentinel2.writer import write_product

pytestmark = pytest.mark.workflow

# with three bundles for a product, `here` is in the first, `there` in another
CONFIG = LOCAL | {"run": {"batches": 3}}
THERE = ("there", SITE[1] + 0.0004, SITE[2], SITE[3])


def bundles_moved(requests, method):
    """The bundles of windows in some requests."""
    found = (re.search(rf"^{method} .*/windows/[^/]+/([0-9]\.zip)", request) for request in requests)
    return {match[1] for match in found if match}


def test_a_new_site_moves_its_own_bundle(azure, store, tmp_path):
    checkout(tmp_path / "work")
    run = AzureRun(tmp_path / "work", CONFIG, azure, store, "grown", sites=(SITE,))
    for seed, day in enumerate(DAYS):
        write_product(run.folder / "products", name_of(day), scene_of(seed, clouds=[]))
    storage = run.storage_options()
    run.run_here(SUMMARIES, *storage)
    before = modification_times(store, "grown")
    (of_here,) = bundles_of("here", store)
    run.write_sites(SITE, THERE)
    planned = run.planned_here(SUMMARIES, *storage)
    assert (planned["subset_product"], planned["composite_date"], planned["summarise_site"]) == (3, 2, 1)
    asked = len(store.requests())
    run.run_here(SUMMARIES, *storage)
    requests = store.requests()[asked:]
    (of_there,) = bundles_of("there", store)
    assert of_here != of_there
    assert bundles_moved(requests, "GET") == bundles_moved(requests, "PUT") == {of_there}
    after = modification_times(store, "grown")
    kept = [name for name in before if "/results/here/" in name or name.endswith(f"/{of_here}")]
    assert len(kept) > 20
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert "Nothing to be done" in run.run_here(SUMMARIES, *storage)


def bundles_of(site, store):
    """The bundles whose indexes name a site."""
    blobs = store.blobs(CONTAINER, f"grown/results/windows/{name_of(DAYS[0])}/")
    return [
        name.replace(".json", ".zip")
        for name, content in blobs.items()
        if f'"{site}"'.encode() in content and name.endswith(".json")
    ]
