"""A new site, or a changed one, makes its own windows and dates, and nothing of the others."""

import csv
import hashlib
import json
import shutil
import zipfile

import pytest

from fabricate import name_of
from runs import DAYS, SITE, SUMMARIES, count_jobs
from tigerbush.bundle import index_at
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
    "Changes", "a site that is added to a finished run", "its windows, dates and summary are made; of the others nothing is made again"
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


def test_sites_in_several_bundles(grown):
    """CRC-32 of the names modulo three: `here` is in 2, `there` in 1."""
    grown.snakemake(SUMMARIES)
    one = {
        path.relative_to(grown.folder): path.read_bytes()
        for path in grown.folder.glob("results/*/*/composite.tif")
    }
    assert len(one) == 4
    grown.configure(grown.config | {"run": {"batches": 3}})
    shutil.rmtree(grown.folder / "results" / "windows")
    shutil.rmtree(grown.folder / "results" / "here")
    shutil.rmtree(grown.folder / "results" / "there")
    grown.snakemake(SUMMARIES)
    for day in DAYS:
        folder = grown.folder / "results" / "windows" / name_of(day)
        assert [list(index_at(folder / f"{part}.zip")) for part in range(3)] == [[], ["there"], ["here"]]
    assert {path: (grown.folder / path).read_bytes() for path in one} == one
    assert grown.planned(SUMMARIES) == {}


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


def as_before_bundles(run, product):
    """Put the window of a product back into the files of its own that it had before there were bundles."""
    folder = run.folder / "results" / "windows" / product
    site = run.folder / "results" / "here"
    fingerprints = site / "fingerprints" / product
    fingerprints.mkdir(parents=True)
    (site / "products").mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "0.zip") as archive:
        for name, ending in (("image.tif", ".tif"), ("mask.tif", "_mask.tif")):
            (site / "products" / f"{product}{ending}").write_bytes(archive.read(f"here/{name}"))
    shutil.rmtree(folder)
    window = {
        "site": {
            "longitude": 14.5593,
            "latitude": 45.8694,
            "region_size": 0.0037,
            "size": 20,
            "resolution": 10,
        }
    }
    resampled = window | {
        "mask_options": {"cirrus": True, "snow": False, "buffer": 0}, "max_negative_fraction": 0.05,
        "versions": {product: run.etags[product]},
    }  # fmt: skip
    names = [f"results/here/products/{product}.window{ending}" for ending in (".tif", "_mask.tif")]
    for rule, parameters, inputs in (("resample_product", resampled, []), ("subset_product", window, names)):
        digest = hashlib.sha256("\n".join(sorted(inputs)).encode()).hexdigest()[:16]
        text = json.dumps(parameters | {"inputs": digest}, sort_keys=True, indent=1) + "\n"
        (fingerprints / f"{rule}.json").write_text(text)


def test_windows_of_an_earlier_release_are_taken_over(finished):
    """But not one of other settings, nor one that is damaged."""
    with (finished.folder / "results" / "products.tsv").open(newline="") as file:
        finished.etags = {row["product"]: row["etag"] for row in csv.DictReader(file, delimiter="\t")}
    kept, other, damaged = (name_of(day) for day in DAYS)
    before = {name: index(finished, name)["here"] for name in (kept, other, damaged)}
    for name in before:
        as_before_bundles(finished, name)
    site = finished.folder / "results" / "here"
    record = site / "fingerprints" / other / "resample_product.json"
    record.write_text(record.read_text().replace('"snow": false', '"snow": true'))
    image = site / "products" / f"{damaged}.tif"
    image.write_bytes(image.read_bytes()[:-100])
    output = finished.snakemake(SUMMARIES)
    assert "1 window(s) of an earlier release were put into results/windows and results/downloads." in output
    assert count_jobs(output)["subset_product"] == 2
    assert {name: index(finished, name)["here"] for name in before} == before
    left = sorted(path.name for path in (site / "products").iterdir())
    assert left == sorted(f"{name}{ending}" for name in (other, damaged) for ending in (".tif", "_mask.tif"))
    assert finished.planned(SUMMARIES) == {}
