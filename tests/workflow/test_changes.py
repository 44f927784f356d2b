"""Products that change in a folder: discovery names them, and the next run makes again exactly what they touch."""

import csv
import json
import os
import re
import shutil
from datetime import UTC, datetime

import numpy as np
import pytest

from fabricate import name_of, scene_of
from runs import BASE, SITE, SUMMARIES, keep_days
from tigerbush.bundle import index_of
from tigerbush.raster import LINEAGE, STATUS, read_raster, read_tags
from tigerbush.sentinel2.writer import write_product

pytestmark = pytest.mark.workflow

JANUARY = name_of("20170110")
FEBRUARY = name_of("20170210")
# the jobs of a date and of a site without analysis and reports
OF_A_DATE = ("composite_date", "render_date", "compute_ndvi", "compute_centrality", "summarise_date")
OF_A_SITE = ("summarise_site", "check_products")
OF_A_PRODUCT = ("resample_product", "subset_product")


def discover(run, **options):
    """Run discovery, and return the lines by which it tells changes."""
    output = run.tigerbush("discover", "--configfile", "config.yaml", **options)
    lines = [line.removeprefix("INFO: ") for line in output.splitlines() if line.startswith("INFO: ")]
    assert lines, output
    return lines


def replace_product(run, product, seed=7, folder="products", **options):
    shutil.rmtree(run.folder / folder / f"{product}.SAFE")
    return write_product(run.folder / folder, product, scene_of(seed, clouds=[]), **options)


def rows_of(run):
    with (run.folder / "results" / "products.tsv").open(newline="") as file:
        return {row["product"]: row for row in csv.DictReader(file, delimiter="\t") if row["etag"]}


def states(run):
    """Return the times of all results."""
    paths = (run.folder / "results").rglob("*")
    return {str(path.relative_to(run.folder)): path.stat().st_mtime_ns for path in paths if path.is_file()}


@pytest.mark.input(
    "Changes",
    "a product replaced under its name in a folder",
    "`discover` names it and the file that differs; the next run recomputes its windows, dates and sites, nothing else",
)
def test_a_replaced_product_is_made_again_with_all_that_follows_and_nothing_else(finished):
    assert discover(finished) == ["Products: 0 new, 0 replaced, 0 gone, 3 unchanged."]
    assert finished.planned(SUMMARIES) == {}
    before = states(finished)
    replace_product(finished, FEBRUARY)
    changed, count = discover(finished)
    assert changed.startswith(f"replaced: {FEBRUARY} (")
    assert count == "Products: 0 new, 1 replaced, 0 gone, 2 unchanged."
    assert finished.planned(SUMMARIES) == dict.fromkeys((*OF_A_PRODUCT, *OF_A_DATE, *OF_A_SITE), 1)
    old = finished.summary()["COPERNICUS/S2"]["time-series-data"]
    finished.snakemake(SUMMARIES)
    new = finished.summary()["COPERNICUS/S2"]["time-series-data"]
    assert (new["2017-01-16"] == old["2017-01-16"], new["2017-02-15"] == old["2017-02-15"]) == (True, False)
    after = states(finished)
    again = {name for name in before if after[name] != before[name]}
    assert not {name for name in again if "2017-01-16" in name or JANUARY in name}
    assert f"results/windows/{FEBRUARY}/0.zip" in again
    assert discover(finished) == ["Products: 0 new, 0 replaced, 0 gone, 3 unchanged."]
    assert "Nothing to be done" in finished.snakemake(SUMMARIES)


@pytest.mark.input(
    "Changes",
    "a folder that has changed, and no `discover`",
    "the run warns in one line and uses the table",
)
def test_without_discovery_a_run_warns_that_the_folder_differs(finished):
    quiet = finished.snakemake(SUMMARIES)
    assert "differs from the table" not in quiet
    replace_product(finished, FEBRUARY)
    write_product(finished.folder / "products", name_of("20170220"), scene_of(9))
    shutil.rmtree(finished.folder / "products" / f"{JANUARY}.SAFE")
    warning = (
        "The folder products differs from the table of products: 1 new, 1 with other sizes or times, 1 gone; the run "
        "uses the table as it is: ./tigerbush discover brings it up to date."
    )
    for arguments in ((), ("--dry-run",)):
        output = finished.snakemake(SUMMARIES, *arguments)
        assert "Nothing to be done" in output
        assert [line for line in output.splitlines() if "differs" in line] == [warning]
    discover(finished)
    assert "differs from the table" not in finished.snakemake(SUMMARIES)


THERE = ("there", 14.5585, 45.8690, 0.0019)


@pytest.mark.input(
    "Changes",
    "results of a site that was deleted from the site table, or of dates outside the period",
    "kept, and named as left over; `retry` passes over them",
)
def test_results_of_a_site_and_of_dates_that_are_not_wanted_any_more(finished):
    """They are named as left over; `retry` passes over failed products of the site, and processes the others."""
    finished.write_sites(SITE, THERE)
    finished.snakemake(SUMMARIES)
    assert "left over" not in finished.snakemake(SUMMARIES)
    finished.write_sites(SITE)
    finished.configure(BASE | {"period": BASE["period"] | {"start": "2017-02-01"}})
    sentence = (
        "2 result(s) are left over from sites or dates that this configuration does not want: "
        "results/here/2017-01-16, results/there; they are kept as they are, delete what nobody needs."
    )
    assert [line for line in finished.snakemake(SUMMARIES).splitlines() if "left over" in line] == [sentence]
    assert sentence in finished.tigerbush("status", "--configfile", "config.yaml").splitlines()
    fail_product(finished, "there", JANUARY)
    # of the site that is gone, and of a date outside the period
    fail_product(finished, "here", JANUARY)
    passed_over = (
        "2 result(s) that this configuration does not want, passed over:\n"
        f"  results/windows/{JANUARY}/here\n  results/windows/{JANUARY}/there\n"
    )
    assert finished.retry() == passed_over + "No product of results/products.tsv failed.\n"
    fail_product(finished, "here", FEBRUARY)
    output = finished.retry()
    assert f"{passed_over}1 placeholder(s) of failed products:\n  results/windows/{FEBRUARY}/here\n" in output
    assert finished.window(FEBRUARY)[0].tags[STATUS] == "ok"
    assert {site: entry.status for site, entry in finished.entries(JANUARY).items()} == {
        "here": "failed", "there": "failed"
    }  # fmt: skip


def fail_product(run, site, product):
    """Have the window of a product be a placeholder by its index, with the time that this had."""
    path = index_of(run.bundle(product))
    time = path.stat().st_mtime_ns
    entries = json.loads(path.read_text())
    entries[site] |= {"status": "failed", "reason": "it is gone."}
    path.write_text(json.dumps(entries))
    os.utime(path, ns=(time, time))


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (
            "results/there/results_summary.json",
            "sites.tsv has no site there; add it, or name another target.",
        ),
        (
            f"results/scenes/{name_of('20180110')}.tif",
            f"results/products.tsv has no product {name_of('20180110')}; run ./tigerbush discover, or name another target.",
        ),
    ],
)
def test_a_target_that_the_configuration_does_not_want(finished, target, sentence):
    output = finished.snakemake(target, status=1)
    assert sentence in [line.strip() for line in output.splitlines()]
    assert "KeyError" not in output


def test_retry_of_a_target(failed):
    """The failed products are processed, and the target instead of everything."""
    write_product(failed.folder / "products", FEBRUARY, scene_of(5, clouds=[]))
    target = "results/here/2017-02-15/composite.tif"
    failed.tigerbush("retry", "--configfile", "config.yaml", "--cores", "2", target)
    assert failed.window(FEBRUARY)[0].tags[STATUS] == "ok"
    assert json.loads(read_tags(failed.folder / target)[LINEAGE])["products"] == [FEBRUARY]
    assert failed.summary()["metadata"]["failed_products"].keys() == {FEBRUARY}


@pytest.mark.input(
    "Changes",
    "a product table of a folder, and a configuration of a bucket or catalogue",
    "refused: the table, its source, and `./tigerbush discover`",
)
@pytest.mark.parametrize(
    ("source", "there"),
    [
        (
            {"kind": "s3", "level": "L1C", "bucket": "bucket", "endpoint_url": "http://127.0.0.1:9"},
            "s3://bucket",
        ),
        ({"kind": "stac", "level": "L1C", "catalogue": "http://127.0.0.1:9/v1/"}, "http://127.0.0.1:9/v1"),
        ({"kind": "local", "path": "elsewhere"}, "elsewhere"),
    ],
)
def test_a_table_of_another_source_is_refused(run, source, there):
    run.tigerbush("discover", "--configfile", "config.yaml")
    # nothing is known of the table but its content, as if it had been copied from elsewhere
    shutil.rmtree(run.folder / ".snakemake")
    shutil.rmtree(run.folder / "results" / "fingerprints")
    run.configure(BASE | {"source": source})
    sentence = (
        f"results/products.tsv was made of another source: its products are in products, and the source is {there}; "
        "run ./tigerbush discover to list that, or set products to another table."
    )
    output = run.snakemake(SUMMARIES, status=1)
    assert sentence in [line.strip() for line in output.splitlines()]
    assert "s3://None" not in output
    assert run.tigerbush("plan", "--configfile", "config.yaml", status=1) == f"tigerbush: {sentence}\n"
    if source["kind"] == "local":
        shutil.copytree(run.folder / "products", run.folder / "elsewhere")
        assert discover(run) == ["Products: 0 new, 0 replaced, 0 gone, 3 unchanged."]
        assert run.planned(SUMMARIES)["resample_product"] == 3


@pytest.mark.input(
    "Changes",
    "a folder that was copied, so that all times are new",
    "nothing is recomputed",
)
def test_times_alone_change_nothing(finished):
    """A copy of the folder has other times: the run says so, and discovery finds the same products."""
    for path in (finished.folder / "products").rglob("*"):
        os.utime(path, (1, 1))
    differs = (
        "The folder products differs from the table of products: 0 new, 3 with other sizes or times, 0 gone; "
    )
    assert differs in finished.snakemake(SUMMARIES)
    assert discover(finished) == ["Products: 0 new, 0 replaced, 0 gone, 3 unchanged."]
    output = finished.snakemake(SUMMARIES)
    assert "Nothing to be done" in output
    assert "differs" not in output


@pytest.mark.input(
    "Changes",
    "a product deleted from the folder after it was processed",
    "its row is marked, its results are kept; `discover` and `status` say so",
)
def test_a_product_that_is_gone_and_comes_back(finished):
    """Its row and its results stay; when it is back, it is made again only if it is another one."""
    path = finished.folder / "products" / f"{FEBRUARY}.SAFE"
    path.rename(finished.folder / path.name)
    gone = f"gone: {FEBRUARY} (no longer at products/{FEBRUARY}.SAFE; kept: results/windows/{FEBRUARY}/here)"
    assert discover(finished) == [gone, "Products: 0 new, 0 replaced, 1 gone, 2 unchanged."]
    assert rows_of(finished)[FEBRUARY]["gone"] == datetime.now(UTC).date().isoformat()
    assert discover(finished) == ["Products: 0 new, 0 replaced, 0 gone, 3 unchanged."]
    output = finished.snakemake(SUMMARIES)
    assert "Nothing to be done" in output
    assert "differs" not in output
    status = finished.tigerbush("status", "--configfile", "config.yaml")
    assert (
        f"1 product(s) are gone from the source, the first is {FEBRUARY}; what was made of them is kept."
        in status
    )
    (finished.folder / path.name).rename(path)
    assert "1 new, 0 with other sizes or times, 0 gone" in finished.snakemake(SUMMARIES)
    assert discover(finished) == [
        f"back: {FEBRUARY}",
        "Products: 0 new, 0 replaced, 0 gone, 1 back, 2 unchanged.",
    ]
    assert finished.planned(SUMMARIES) == {}
    shutil.rmtree(path)
    discover(finished)
    write_product(finished.folder / "products", FEBRUARY, scene_of(7, clouds=[]))
    changed, _ = discover(finished)
    assert changed.startswith(f"replaced: {FEBRUARY} (")
    assert finished.planned(SUMMARIES) == dict.fromkeys((*OF_A_PRODUCT, *OF_A_DATE, *OF_A_SITE), 1)


def test_a_job_with_another_home_folder_takes_the_table_as_it_is(run):
    """As on a node without the disk of this machine; the process that the user starts compares table and source."""
    homes = [run.folder / name for name in ("home", "other")]
    for home in homes:
        home.mkdir()
    (run.folder / "products").rename(homes[0] / "archive")
    run.configure(BASE | {"source": {"path": "~/archive"}})
    run.variables = {"HOME": str(homes[0])}
    target = "results/here/2017-02-15/rgb.png"
    run.snakemake(target)
    (run.folder / target).unlink()
    run.variables = {"HOME": str(homes[1])}
    # as an executor starts it, without the records of the main process
    shutil.rmtree(run.folder / ".snakemake")
    job = ("--target-jobs", "render_date:site=here,date=2017-02-15", "--allowed-rules", "render_date")
    run.snakemake("--mode", "remote", "--force", "--nolock", *job)
    assert (run.folder / target).exists()
    shutil.rmtree(run.folder / ".snakemake")
    shutil.rmtree(run.folder / "results" / "fingerprints")
    sentence = (
        f"results/products.tsv was made of another source: its products are in {homes[0]}/archive, and the source is "
        f"{homes[1]}/archive; run ./tigerbush discover to list that, or set products to another table."
    )
    assert sentence in [line.strip() for line in run.snakemake(target, status=1).splitlines()]


@pytest.mark.input(
    "Changes",
    "a product deleted from the folder before anything was made of it, or after it failed",
    "it is left out, and the summary says since when it is no longer in the source",
)
def test_products_that_are_gone_before_they_were_made(failed):
    """One failed, one was never processed; neither is planned again."""
    never = name_of("20170222")
    write_product(failed.folder / "products", never, scene_of(9))
    discover(failed)
    for name in (FEBRUARY, never):
        shutil.rmtree(failed.folder / "products" / f"{name}.SAFE")
    nothing = "nothing was made of it, and it is left out"
    assert discover(failed) == [
        *(f"gone: {name} (no longer at products/{name}.SAFE; {nothing})" for name in (FEBRUARY, never)),
        "Products: 0 new, 0 replaced, 2 gone, 2 unchanged.",
    ]
    failed.snakemake(SUMMARIES)
    metadata = failed.summary()["metadata"]
    reason = f"no longer in the source since {datetime.now(UTC).date()}, and nothing was made of it before"
    assert metadata["missing"]["2017-02-15"] == f"all 2 products left out: {reason}"
    assert metadata["failed_products"] == {}
    assert "Nothing to be done" in failed.snakemake(SUMMARIES)


@pytest.mark.input(
    "Changes",
    "tables and results of an earlier release",
    "nothing is recomputed; products are watched from the next `discover` on",
)
def test_tables_of_the_last_release_stay_valid(finished):
    """They have no versions; neither they nor their next refresh make anything again, but a product of other sizes."""
    forget_versions(finished)
    text = (finished.folder / "results" / "products.tsv").read_text()
    output = finished.snakemake(SUMMARIES)
    assert "Nothing to be done" in output
    assert "differs" not in output
    assert (finished.folder / "results" / "products.tsv").read_text() == text
    assert discover(finished) == ["Products: 0 new, 0 replaced, 0 gone, 3 unchanged."]
    assert finished.planned(SUMMARIES) == {}
    # replaced after its version was recorded, but its results have none
    replace_product(finished, FEBRUARY)
    discover(finished)
    planned = dict.fromkeys((*OF_A_PRODUCT, *OF_A_DATE, *OF_A_SITE), 1)
    assert finished.planned(SUMMARIES) == planned
    finished.snakemake(SUMMARIES)
    # replaced before the first refresh
    forget_versions(finished)
    replace_product(finished, JANUARY)
    changed, _ = discover(finished)
    assert changed.startswith(f"replaced: {JANUARY} (")
    assert finished.planned(SUMMARIES) == planned


@pytest.mark.parametrize("column", ["time", "etag", "first_etag", "gone"])
def test_a_table_that_lacks_one_of_these_columns(finished, column):
    """As after an edit in a spreadsheet: what is known is used."""
    table = finished.folder / "results" / "products.tsv"
    lines = [line.split("\t") for line in table.read_text().splitlines()]
    place = lines[0].index(column)
    rows = (line[:place] + line[place + 1 :] if len(line) > place else line for line in lines)
    table.write_text("".join("\t".join(row) + "\n" for row in rows))
    assert finished.planned(SUMMARIES) == {}
    assert discover(finished) == ["Products: 0 new, 0 replaced, 0 gone, 3 unchanged."]
    assert table.read_text().splitlines()[0].split("\t") == lines[0]
    assert finished.planned(SUMMARIES) == {}


def forget_versions(run):
    """Make tables and fingerprints those of a release that recorded no versions."""
    results = run.folder / "results"
    table = results / "products.tsv"
    lines = [
        line.split("\t")[:11] for line in table.read_text().splitlines() if not line.startswith("# zone")
    ]
    table.write_text("".join("\t".join(line) + "\n" for line in lines))
    files = results / "files.tsv"
    lines = [line.rpartition("\t")[0] for line in files.read_text().splitlines()[1:]]
    files.write_text("\n".join([files.read_text().splitlines()[0], *(f"{line}\t" for line in lines)]) + "\n")
    for path in results.glob("windows/*/0.json"):
        path.write_text(re.sub(r'("made": "[0-9a-f]+) [^"]+"', r'\1"', path.read_text()))


def test_copies_and_scenes_of_a_replaced_product_are_made_again(run):
    keep_days(run, "20170110", "20170210")
    options = ("--config", "source={access: storage, path: products}")
    targets = (SUMMARIES, "results/scenes_checked.txt")
    run.snakemake(*targets, *options)
    replace_product(run, FEBRUARY)
    run.tigerbush("discover", "--configfile", "config.yaml", *options)
    jobs = ("download_product", "resample_scene", "check_scenes", *OF_A_PRODUCT, *OF_A_DATE, *OF_A_SITE)
    assert run.planned(*targets, *options) == dict.fromkeys(jobs, 1)
    run.snakemake(*targets, *options)
    scene = read_raster(run.folder / "results" / "scenes" / f"{FEBRUARY}.tif")
    np.testing.assert_array_equal(scene.data[2], scene_of(7).bands["B4"][::2, ::2])
