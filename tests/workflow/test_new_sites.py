"""A new site, or a changed one, makes its own windows and dates, and nothing of the others."""

import json
import shutil

import pytest

from fabricate import name_of
from runs import DAYS, SITE, SUMMARIES
from tigerbush.sites.bundles import read_window

pytestmark = pytest.mark.workflow

THERE = ("there", SITE[1] + 0.0004, SITE[2], SITE[3])
OF_A_DATE = ("composite_date", "render_date", "compute_ndvi", "compute_centrality", "summarise_date")


def contents(folder):
    """The files of a site without its logs, with their bytes and times."""
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def index(run, product, folder="windows"):
    return json.loads((run.folder / "results" / folder / product / "0.json").read_text())


@pytest.fixture
def grown(finished):
    """A run that has finished with one site, and gets another one that overlaps it."""
    finished.write_sites(SITE, THERE)
    return finished


@pytest.mark.input(
    "Sites", "a site that is added to a finished run", "its windows, dates and summary are made; of the others nothing is made again"
)  # fmt: skip
def test_a_new_site_leaves_the_others_alone(grown):
    here = grown.folder / "results" / "here"
    before, windows = contents(here), [index(grown, name_of(day))["here"] for day in DAYS]
    planned = {
        **dict.fromkeys(("resample_product", "subset_product"), 3),
        **dict.fromkeys(OF_A_DATE, 2),
        "summarise_site": 1,
        "check_products": 1,
    }
    assert grown.planned(SUMMARIES) == planned
    grown.snakemake(SUMMARIES)
    assert contents(here) == before
    assert [index(grown, name_of(day))["here"] for day in DAYS] == windows
    assert grown.planned(SUMMARIES) == {}
    # as if both had been there from the beginning
    shutil.rmtree(grown.folder / "results" / "windows")
    shutil.move(grown.folder / "results" / "there", grown.folder / "there")
    shutil.rmtree(here)
    grown.snakemake(SUMMARIES)
    for path in (grown.folder / "there").glob("*/composite.tif"):
        assert path.read_bytes() == (grown.folder / "results" / path.relative_to(grown.folder)).read_bytes()


def test_a_changed_site_makes_its_own_windows(grown):
    grown.snakemake(SUMMARIES)
    there = contents(grown.folder / "results" / "there")
    grown.write_sites((*SITE[:3], SITE[3] * 1.6), THERE)
    planned = grown.planned(SUMMARIES)
    assert (planned["subset_product"], planned["composite_date"], planned["summarise_site"]) == (3, 2, 1)
    grown.snakemake(SUMMARIES)
    assert contents(grown.folder / "results" / "there") == there
    image, _ = read_window(grown.folder / "results" / "windows" / name_of(DAYS[0]) / "0.zip", "here")
    assert (
        image.grid.width
        > read_window(grown.folder / "results" / "windows" / name_of(DAYS[0]) / "0.zip", "there")[
            0
        ].grid.width
    )
    assert grown.planned(SUMMARIES) == {}


def test_a_site_that_is_left_out_changes_nothing(grown):
    grown.snakemake(SUMMARIES)
    grown.write_sites(SITE)
    assert grown.planned(SUMMARIES) == {"check_products": 1}
    grown.snakemake(SUMMARIES)
    # its windows are kept for when it comes back
    grown.write_sites(SITE, THERE)
    assert grown.planned(SUMMARIES) == {"check_products": 1}


def test_a_window_that_was_lost_is_made_again_for_its_site_alone(grown):
    grown.snakemake(SUMMARIES)
    before = contents(grown.folder / "results" / "here")
    path = grown.folder / "results" / "windows" / name_of(DAYS[0]) / "0.json"
    entries = json.loads(path.read_text())
    there = entries.pop("there")
    path.write_text(json.dumps(entries))
    assert grown.planned(SUMMARIES)["composite_date"] == 1
    grown.snakemake(SUMMARIES)
    assert contents(grown.folder / "results" / "here") == before
    assert json.loads(path.read_text())["there"] == there


@pytest.mark.parametrize("name", ["resample_product", "subset_product"])
def test_forced_windows_are_made_for_all_sites(grown, name):
    grown.snakemake(SUMMARIES)
    planned = grown.planned(SUMMARIES, "--forcerun", name)
    assert (planned["subset_product"], planned["composite_date"], planned["summarise_site"]) == (3, 4, 2)
    bundle = grown.folder / "results" / "windows" / name_of(DAYS[0]) / "0.zip"
    before = bundle.stat().st_mtime_ns
    grown.snakemake(SUMMARIES, "--forcerun", name)
    assert bundle.stat().st_mtime_ns > before
    assert grown.planned(SUMMARIES) == {}
