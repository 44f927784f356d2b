"""Results of an earlier run: which are today's, what is made again, and what nothing takes away."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from fabricate import ROOT, name_of
from runs import BASE, SITE, SNAKEMAKE, SUMMARIES

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("kept")]

JANUARY = "2017-01-16"
PRODUCTS = {"resample_product": 3, "subset_product": 3}
COMPOSITES = {"composite_date": 2, "render_date": 2}
MEASURES = {"compute_ndvi": 2, "compute_centrality": 2}
SUMMARY = {"summarise_date": 2, "summarise_site": 1, "check_products": 1}
SITE_SUMMARY = {"summarise_site": 1, "check_products": 1}
CHANGES = [
    ({"subimages": {"size": 10}}, PRODUCTS | COMPOSITES | MEASURES | SUMMARY),
    ({"composite": {"mask_buffer": 1}}, PRODUCTS | COMPOSITES | MEASURES | SUMMARY),
    ({"composite": {"mask": "required"}}, COMPOSITES | MEASURES | SUMMARY),
    ({"composite": {"max_takes": 1}}, {"composite_date": 1, "render_date": 1, "compute_ndvi": 1, "compute_centrality": 1, "summarise_date": 1} | SITE_SUMMARY),
    ({"composite": {"indices": ["ndvi", "msavi"]}}, {"compute_ndvi": 2} | SUMMARY),
    ({"composite": {"indices": ["ndvi"]}}, {}),
    ({"composite": {"max_negative_fraction": None}}, PRODUCTS | COMPOSITES | MEASURES | SUMMARY),
    ({"composite": {"max_negative_fraction": 0.05}}, {}),
    ({"subimages": {"max_masked_fraction": 0.5}}, MEASURES | SUMMARY),
    ({"centrality": {"quantiles": 10}}, {"compute_centrality": 2} | SUMMARY),
    ({"period": BASE["period"] | {"end": "2017-05-01"}}, SITE_SUMMARY),
    ({"on_failure": "report"}, SITE_SUMMARY),
    ({"on_gone": "keep"}, {}),
    ({"plan": {"currency": "EUR"}}, {}),
]  # fmt: skip


def changed(run, change):
    """The configuration of a run with some keys changed."""
    run.configure(
        {
            key: BASE.get(key, {}) | value if isinstance(value, dict) else value
            for key, value in (BASE | change).items()
        }
    )


def planned(run, *arguments):
    """The jobs per rule of the summaries."""
    return dict(run.planned(SUMMARIES, *arguments))


def contents(run, pattern="results/**/*"):
    """The checksum and the time of every file of a run."""
    files = [path for path in run.folder.glob(pattern) if path.is_file()]
    return {
        path.relative_to(run.folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in files
    }


def without_fingerprints(run):
    """Leave results as an earlier release did: only their summary says the configuration."""
    shutil.rmtree(run.folder / "results" / "fingerprints")
    shutil.rmtree(run.folder / "results" / "here" / "fingerprints")


def move_away(run, day):
    """Take the product of a day from the source; return what brings it back."""
    product = run.folder / "products" / f"{name_of(day)}.SAFE"
    shutil.move(product, run.folder / "archive")
    return lambda: shutil.move(run.folder / "archive", product)


def sentence(output):
    """The message of a run that ended before its first job."""
    return output.partition("WorkflowError")[2].partition(":\n")[2].splitlines()[0]


def test_a_new_clone_of_a_finished_run_has_nothing_to_do(finished):
    shutil.rmtree(finished.folder / ".snakemake")
    assert "Nothing to be done" in finished.snakemake(
        SUMMARIES, "--rerun-triggers", "mtime", "params", "input"
    )
    without_fingerprints(finished)
    assert "Nothing to be done" in finished.snakemake(
        SUMMARIES, "--rerun-triggers", "mtime", "params", "input"
    )


@pytest.mark.parametrize("fingerprints", [True, False], ids=["fingerprints", "summary"])
@pytest.mark.parametrize(("change", "expected"), CHANGES, ids=lambda value: str(value)[:40])
def test_a_change_makes_again_what_uses_it_whatever_the_triggers(finished, change, expected, fingerprints):
    shutil.rmtree(finished.folder / ".snakemake")
    if not fingerprints:
        without_fingerprints(finished)
        if "max_takes" in str(change):
            # which products were used before is in no configuration: both dates may have been made otherwise
            expected = COMPOSITES | MEASURES | SUMMARY
    changed(finished, change)
    assert planned(finished, "--rerun-triggers", "mtime") == expected


def test_null_is_recorded_and_not_taken_for_the_default(finished):
    assert "max_negative_fraction" not in finished.summary()["metadata"]["config"]["composite"]
    changed(finished, {"composite": {"max_negative_fraction": None}})
    finished.snakemake(SUMMARIES)
    assert finished.summary()["metadata"]["config"]["composite"]["max_negative_fraction"] is None
    shutil.rmtree(finished.folder / ".snakemake")
    assert planned(finished, "--rerun-triggers", "mtime") == {}
    for forget in (lambda run: None, without_fingerprints):
        forget(finished)
        finished.configure(BASE)
        expected = PRODUCTS | COMPOSITES | MEASURES | SUMMARY
        assert planned(finished, "--rerun-triggers", "mtime") == expected
        changed(finished, {"composite": {"max_negative_fraction": None}})
        assert planned(finished, "--rerun-triggers", "mtime") == {}


def test_a_new_site_is_made_and_the_old_one_stays(finished):
    shutil.rmtree(finished.folder / ".snakemake")
    finished.write_sites(SITE, ("there", SITE[1], SITE[2], 0.002))
    assert planned(finished, "--rerun-triggers", "mtime") == PRODUCTS | COMPOSITES | MEASURES | SUMMARY


def test_another_place_of_a_site_is_not_taken_for_it(finished):
    finished.write_sites((SITE[0], SITE[1], SITE[2] + 0.0005, SITE[3]))
    assert planned(finished, "--rerun-triggers", "mtime") == PRODUCTS | COMPOSITES | MEASURES | SUMMARY


def test_a_product_that_is_left_out_now_changes_its_date(finished):
    shutil.rmtree(finished.folder / ".snakemake")
    table = finished.folder / "results" / "products.tsv"
    lines = [line for line in table.read_text().splitlines(keepends=True) if name_of("20170120") not in line]
    table.write_text("".join(lines))
    january = dict.fromkeys(
        ("composite_date", "render_date", "compute_ndvi", "compute_centrality", "summarise_date"), 1
    )
    assert planned(finished, "--rerun-triggers", "mtime") == january | SITE_SUMMARY


def test_weather_beside_the_products_is_no_product(finished):
    for name in ("a", "b"):
        path = finished.folder / "products" / f"{name}.csv"
        path.write_text("date,precipitation,temperature\n2017-01,1,2\n2017-02,1,2\n2017-03,1,2\n")
        os.utime(path, (1e9, 1e9))
    changed(finished, {"weather": {"path": "products/a.csv"}})
    finished.snakemake(SUMMARIES)
    assert "Nothing to be done" in finished.snakemake(SUMMARIES)
    changed(finished, {"weather": {"path": "products/b.csv"}})
    assert planned(finished, "--rerun-triggers", "mtime") == {"read_weather": 3} | SUMMARY


def test_a_damaged_fingerprint_makes_its_result_again(finished):
    (finished.folder / "results" / "here" / "fingerprints" / JANUARY / "compute_centrality.json").write_bytes(
        b"\xff{"
    )
    assert planned(finished) == {"compute_centrality": 1, "summarise_date": 1} | SITE_SUMMARY


def test_what_nothing_tells_the_parameters_of_is_made_again(finished):
    """As a kill between a result and its fingerprint leaves it, before there is a summary."""
    (finished.folder / "results" / "here" / "results_summary.json").unlink()
    (finished.folder / "results" / "here" / "fingerprints" / "2017-02-15" / "composite_date.json").unlink()
    date = dict.fromkeys(
        ("composite_date", "render_date", "compute_ndvi", "compute_centrality", "summarise_date"), 1
    )
    assert planned(finished) == date | SITE_SUMMARY


def test_results_of_products_that_are_gone_stay(finished):
    before = contents(finished)
    bring_back = move_away(finished, "20170210")
    changed(finished, {"composite": {"mask_buffer": 1}})
    output = finished.snakemake(SUMMARIES, status=1)
    assert sentence(output) == (
        f"1 product(s) whose finished results this run would replace cannot be read: {name_of('20170210')} is no "
        "longer in products. No result was changed; the results are results/here/2017-02-15. Restore the products "
        "(after an intended change run ./tigerbush discover), or set on_gone: keep, which keeps these results as "
        "they are and leaves their dates out of the summary."
    )
    assert contents(finished) == before
    # the other month goes on, with what is there
    changed(finished, {"composite": {"mask_buffer": 1}, "on_gone": "keep"})
    finished.snakemake(SUMMARIES)
    after = contents(finished)
    february = [name for name in before if "2017-02-15" in name or "20170210" in name]
    assert len(february) > 15
    assert {name: after[name] for name in february} == {name: before[name] for name in february}
    assert after[f"results/here/{JANUARY}/composite.tif"] != before[f"results/here/{JANUARY}/composite.tif"]
    summary = finished.summary()
    assert summary["COPERNICUS/S2"]["time-series-data"]["2017-02-15"] is None
    assert summary["metadata"]["missing"] == {
        "2017-02-15": "the only product left out: the results of an earlier run are kept, because "
        f"{name_of('20170210')} is no longer in products",
        "2017-03-16": "no product in the period",
    }
    assert summary["metadata"]["failed_products"] == {}
    assert "Nothing to be done" in finished.snakemake(SUMMARIES)
    # and when it is back it is made again
    bring_back()
    february = dict.fromkeys(
        ("composite_date", "render_date", "compute_ndvi", "compute_centrality", "summarise_date"), 1
    )
    assert planned(finished) == {"resample_product": 1, "subset_product": 1} | february | SITE_SUMMARY


def test_a_product_cut_short_is_found_before_the_first_job(finished):
    before = contents(finished)
    band = next((finished.folder / "products" / f"{name_of('20170110')}.SAFE").rglob("*_B04.jp2"))
    size = band.stat().st_size
    os.truncate(band, 1000)
    changed(finished, {"composite": {"mask_buffer": 1}})
    name = band.relative_to(finished.folder / "products" / f"{name_of('20170110')}.SAFE").as_posix()
    assert sentence(finished.snakemake(SUMMARIES, status=1)).partition(". No result")[0] == (
        f"1 product(s) whose finished results this run would replace cannot be read: {name_of('20170110')} has 1000 "
        f"bytes of {name}, of which {size} were listed"
    )
    assert contents(finished) == before


def test_damage_that_no_listing_tells(finished):
    """The job refuses and records it; the next run leaves the date out, or reads the product again."""
    before = contents(finished)
    february = {name: it for name, it in before.items() if "2017-02-15" in name or "20170210" in name}
    band = next((finished.folder / "products" / f"{name_of('20170210')}.SAFE").rglob("*_B04.jp2"))
    content = band.read_bytes()
    middle = len(content) // 2
    band.write_bytes(content[:middle] + bytes(len(content) - middle))
    changed(finished, {"composite": {"mask_buffer": 1}})
    output = finished.snakemake(SUMMARIES, status=1)
    assert f"{name_of('20170210')} cannot be read again" in output
    # of the step whose output is temporary only the fingerprint is left
    own = f"results/fingerprints/{name_of('20170210')}/resample_product.json"
    february.pop(own)
    assert {name: it for name, it in contents(finished).items() if name in february} == february
    status = json.loads(finished.tigerbush("status", "--json", "--configfile", "config.yaml", status=1))
    assert list(status["kept_products"]) == [name_of("20170210")]
    assert (
        "_B04.jp2 is damaged: its checksum is not the one that the product states"
        in status["kept_products"][name_of("20170210")]
    )
    assert status["failed_products"] == []
    changed(finished, {"composite": {"mask_buffer": 1}, "on_gone": "keep"})
    finished.snakemake(SUMMARIES)
    assert {name: it for name, it in contents(finished).items() if name in february} == february
    missing = finished.summary()["metadata"]["missing"]["2017-02-15"]
    assert missing.startswith(
        f"the only product left out: the results of an earlier run are kept, because {name_of('20170210')} could not be read again ("
    )
    assert missing.endswith("; ./tigerbush retry tries again)")
    # once fixed, it is read again without a request
    band.write_bytes(content)
    changed(finished, {"composite": {"mask_buffer": 1}})
    finished.snakemake(SUMMARIES)
    after = contents(finished)
    assert after["results/here/2017-02-15/composite.tif"] != before["results/here/2017-02-15/composite.tif"]
    assert not [name for name in after if name.endswith(".unreadable.json")]
    assert "Nothing to be done" in finished.snakemake(SUMMARIES)


def test_a_source_that_is_not_mounted_is_no_products_fault(finished):
    before = contents(finished)
    shutil.move(finished.folder / "products", finished.folder / "unmounted")
    changed(finished, {"composite": {"mask_buffer": 1}, "on_gone": "keep"})
    assert sentence(finished.snakemake(SUMMARIES, status=1)) == (
        "the folder products, whose products have finished results that this run would replace, cannot be listed "
        "(No such file or directory); mount its disk, or correct source.path."
    )
    assert contents(finished) == before


@pytest.mark.parametrize(("mode", "restarts"), [("default", 2), ("remote", 0)])
def test_attempts_are_counted_by_the_process_that_submits(finished, mode, restarts):
    """A job on a cluster does not try its rule again by itself: that would be the same memory and time again."""
    for folder in ("products", "results/windows"):
        shutil.rmtree(finished.folder / folder)
    (finished.folder / "products").touch()
    output = finished.snakemake(
        "--mode",
        mode,
        "--force",
        "--config",
        "on_gone=keep",
        "--",
        f"results/windows/{name_of('20170110')}/resampled.zip",
        status=1,
    )
    assert output.count("Trying to restart job") == restarts, output


def test_a_job_that_fails_leaves_what_an_earlier_run_made(finished):
    window = finished.bundle(name_of("20170110"))
    whole = window.read_bytes()
    time.sleep(0.01)
    window.write_bytes(b"damaged")
    changed(finished, {"composite": {"mask": "required"}})
    before = contents(finished, f"results/here/{JANUARY}/*")
    finished.snakemake(SUMMARIES, status=1)
    assert contents(finished, f"results/here/{JANUARY}/*") == before
    assert not [path for path in (finished.folder / ".snakemake" / "kept").rglob("*") if path.is_file()]
    # what failed is still to be made, though its files are there
    january = dict.fromkeys(
        ("composite_date", "render_date", "compute_ndvi", "compute_centrality", "summarise_date"), 1
    )
    assert planned(finished) == january | SITE_SUMMARY
    window.write_bytes(whole)
    finished.snakemake(SUMMARIES)
    assert "Nothing to be done" in finished.snakemake(SUMMARIES)


def test_a_killed_run_leaves_what_an_earlier_run_made(finished):
    drawn = f"results/here/{JANUARY}/*.png"
    before = contents(finished, drawn)
    changed(finished, {"mode": "pyveg"})
    command = [
        *SNAKEMAKE,
        "--snakefile",
        str(ROOT / "workflow" / "Snakefile"),
        "--configfile",
        "config.yaml",
        "--cores",
        "1",
    ]
    rendered = f"results/here/{JANUARY}/ndvi.png"
    process = subprocess.Popen(
        [*command, rendered], cwd=finished.folder, env=finished.environment, start_new_session=True
    )
    second = finished.folder / ".snakemake" / "kept" / rendered
    end = time.monotonic() + 120
    while not second.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert contents(finished, drawn) == before
    # the composite is that of the new mode
    before = contents(finished, f"results/here/{JANUARY}/*")
    # one of its outputs may have been new already; they come back as one set, also when nothing runs
    (finished.folder / rendered).unlink()
    (finished.folder / rendered).write_bytes(b"new")
    move_away(finished, "20170110")
    changed(finished, {"mode": "pyveg", "composite": {"mask_buffer": 1}})
    finished.snakemake("--unlock")
    output = finished.snakemake(SUMMARIES, "--rerun-incomplete", status=1)
    assert "1 product(s) whose finished results" in sentence(output)
    assert contents(finished, f"results/here/{JANUARY}/*") == before


def test_scenes_of_products_that_are_gone_stay(run):
    config = BASE | {"scene": {"bands": ["B4"], "resolution": 60}}
    run.configure(config)
    run.snakemake("scenes")
    before = contents(run, "results/scenes/*")
    move_away(run, "20170110")
    run.configure(config | {"scene": {"bands": ["B4"], "resolution": 20}})
    assert f"the results are results/scenes/{name_of('20170110')}." in sentence(
        run.snakemake("scenes", status=1)
    )
    assert contents(run, "results/scenes/*") == before
    run.configure(config | {"scene": {"bands": ["B4"], "resolution": 20}, "on_gone": "keep"})
    run.snakemake("scenes")
    after = contents(run, "results/scenes/*")
    kept = f"results/scenes/{name_of('20170110')}.tif"
    assert [name for name in before if after[name] == before[name]] == [kept]
