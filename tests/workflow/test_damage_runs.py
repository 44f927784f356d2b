"""Results that were damaged after they were finished: doctor says what helps, and retry does exactly that."""

import json
import os
import re
import shutil

import pytest
from test_kept import contents, move_away

from fabricate import name_of, scene_of
from runs import BASE, DAYS, SITE, Run, count_jobs
from tigerbush.placeholder import window_record
from tigerbush.sentinel2.writer import write_product

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("kept")]

OPTIONS = ("--configfile", "config.yaml")
JANUARY, FEBRUARY = "2017-01-16", "2017-02-15"
PRODUCT = name_of(DAYS[2])
AGAIN = "./tigerbush retry makes it again"
DISCOVER = "./tigerbush discover writes it again"
LEFT_OVER = "this configuration does not make it: it is of another one, or left over"
# all that is made of the summary of a site
REPORTS = dict.fromkeys(
    ("analyse_site", "compare_sites", "check_products", "plot_site", "map_site", "report_site", "report_sites", "all"), 1
)  # fmt: skip
SUMMARY = {"summarise_date": 1, "summarise_site": 1, **REPORTS}
MEASURES = {"compute_ndvi": 1, "compute_centrality": 1, **SUMMARY}
DATE = {"composite_date": 1, "render_date": 1, **MEASURES}
SCENE = {"resample_scene": 1, "check_scenes": 1, "scenes": 1}
OF_PRODUCT = {"resample_product": 1, "subset_product": 1, **DATE}
KINDS = [
    # of what copies are made for cannot be told: both targets are made
    (f"downloads/{PRODUCT}.zip", "changed", {"download_product": 1, **OF_PRODUCT, **SCENE}),
    (f"downloads/{PRODUCT}.zip", "empty", {"download_product": 1, **OF_PRODUCT, **SCENE}),
    (f"windows/{PRODUCT}/0.zip", "cut", OF_PRODUCT),
    (f"here/fingerprints/{FEBRUARY}/render_date.json", "empty", {"render_date": 1, **MEASURES}),
    (f"here/{FEBRUARY}/centrality.json", "cut", {"compute_centrality": 1, **SUMMARY}),
    (f"here/{FEBRUARY}/composite.tif", "cut", DATE),
    (f"here/{FEBRUARY}/rgb.png", "cut", {"render_date": 1, **MEASURES}),
    ("here/analysis/series.parquet", "cut", {key: 1 for key in REPORTS if key not in ("check_products", "map_site")}),
    ("here/missing.tsv", "empty", {"summarise_site": 1, **REPORTS}),
    ("analysis/report.html", "cut", {"report_sites": 1, "all": 1}),
    (f"scenes/{PRODUCT}.tif", "cut", SCENE),
    (f"fingerprints/{PRODUCT}/resample_scene.json", "empty", SCENE),
]  # fmt: skip


@pytest.fixture(scope="module")
def whole_once(tmp_path_factory):
    """Sites and scenes of copies of a folder, with analysis and reports."""
    folder = tmp_path_factory.mktemp("whole") / "work"
    for seed, day in enumerate(DAYS):
        write_product(folder / "products", name_of(day), scene_of(seed, clouds=[]))
    source, scene = {"path": "products", "access": "storage"}, {"bands": ["B4"], "resolution": 60}
    run = Run(folder, BASE | {"source": source, "scene": scene})
    run.snakemake("all", "scenes")
    return run


@pytest.fixture
def whole(whole_once, tmp_path):
    shutil.copytree(whole_once.folder, tmp_path / "work")
    return Run(tmp_path / "work", whole_once.config)


def damage(path, kind):
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]
    path.write_bytes({"empty": b"", "cut": content[:middle], "changed": flipped}[kind])


def advice(run, *options, status=1):
    """What doctor says to do about each damaged result, below `results`."""
    output = run.tigerbush("doctor", "--results", *(options or OPTIONS), status=status)
    lines = re.findall(r"^failed  results +results/(\S+): .+; (.+)$", output, re.MULTILINE)
    assert len(lines) == output.count("\n") or not status
    return dict(lines)


@pytest.mark.input(
    "Damage",
    "a copy of a product of which a checksum fails, a fingerprint that was emptied, a GeoTIFF, JSON, PNG, Parquet, table or page that was cut",
    "`./tigerbush doctor --results` names each, `./tigerbush retry` makes it and what depends on it again, and nothing else",
)  # fmt: skip
@pytest.mark.parametrize(("name", "kind", "jobs"), KINDS, ids=lambda value: str(value)[:30])
def test_retry_makes_again_what_depends_on_a_damaged_result(whole, name, kind, jobs):
    damage(whole.folder / "results" / name, kind)
    assert advice(whole) == {name: AGAIN}
    assert count_jobs(whole.tigerbush("retry", *OPTIONS, "--cores", "2", "--dry-run")) == jobs


def test_all_damage_is_repaired_at_once(whole):
    results = whole.folder / "results"
    before = contents(whole)
    # of the copies one is cut, too; January is damaged in its fingerprint alone
    damaged = dict.fromkeys([name for name, _, _ in KINDS if FEBRUARY not in name], "cut")
    damaged |= {
        f"downloads/{PRODUCT}.zip": "changed",
        f"downloads/{name_of(DAYS[0])}.zip": "cut",
        f"here/fingerprints/{JANUARY}/summarise_date.json": "empty",
    }
    for name, kind in damaged.items():
        damage(results / name, kind)
    assert advice(whole) == dict.fromkeys(damaged, AGAIN)
    whole.tigerbush("retry", *OPTIONS, "--cores", "2")
    assert advice(whole, status=0) == {}
    after = contents(whole)
    assert after.keys() == before.keys()
    for name in damaged:
        if not name.endswith((".html", ".zip")):
            assert after[f"results/{name}"][0] == before[f"results/{name}"][0], name
    # the third product and its scene
    same = [name for name, state in before.items() if after[name] == state]
    assert {name for name in before if name_of(DAYS[1]) in name} <= set(same)
    assert "Nothing to be done" in whole.snakemake("all", "scenes")


def test_what_no_configuration_makes_is_left_over(whole):
    """Of a site and a date that are gone, and copies of a folder that is read in place now; `retry` passes over it."""
    whole.write_sites(("there", *SITE[1:]))
    source = {"path": "products", "access": "stream"}
    whole.configure(
        whole.config | {"source": source, "scene": {"bands": ["B4"], "resolution": 60, "limit": 1}}
    )
    names = [f"downloads/{PRODUCT}.zip", f"here/{JANUARY}/rgb.png", "here/2016-12-16/lost.tif"]
    (whole.folder / "results/here/2016-12-16").mkdir()
    names += [f"scenes/{PRODUCT}.tif", "here/analysis/figures/map.png"]
    for name in names:
        (whole.folder / "results" / name).write_bytes(b"")
    assert advice(whole) == dict.fromkeys(names, LEFT_OVER)
    output = whole.tigerbush("retry", *OPTIONS)
    assert output.startswith(f"{len(names)} result(s) that this configuration does not want, passed over:\n")
    assert output.endswith("\nNo product of results/products.tsv failed.\n")


@pytest.mark.parametrize("name", ["files.tsv", "fingerprints/discover_products.json", "products.tsv"])
def test_discovery_writes_its_files_again(whole, name):
    """Before that, what the run makes is not known."""
    damage(whole.folder / "results" / name, "empty")
    assert advice(whole) == {name: DISCOVER}
    other = whole.folder / "results" / "here" / JANUARY / "centrality.json"
    damage(other, "cut")
    sentence = f"results/{name} is damaged; run ./tigerbush discover with the same options first."
    output = whole.tigerbush("doctor", "--results", *OPTIONS, status=1)
    assert output.splitlines()[-1] == (
        f"failed  results         2 damaged; what makes them again is not known: {sentence}"
    )
    assert whole.tigerbush("retry", *OPTIONS, status=1) == f"tigerbush: {sentence}\n"
    whole.tigerbush("discover", *OPTIONS)
    assert advice(whole) == {f"here/{JANUARY}/centrality.json": AGAIN}


def test_damaged_records_of_a_product(whole):
    """One that says which files were compared is deleted; one of a kept result is written by the next attempt."""
    results = whole.folder / "results"
    (results / "downloads" / f"{PRODUCT}.checked.json").write_text("{")
    kept, gone = (results / "downloads" / f"{name_of(day)}.unreadable.json" for day in (DAYS[0], "20160110"))
    kept.write_text("{")
    gone.write_text("{")
    compare = "delete it, and the files of its product are compared with their checksums again"
    assert advice(whole) == {
        f"downloads/{PRODUCT}.checked.json": compare,
        f"downloads/{kept.name}": AGAIN,
        f"downloads/{gone.name}": LEFT_OVER,
    }
    whole.tigerbush("retry", *OPTIONS, "--cores", "2")
    assert not kept.exists()
    gone.unlink()
    assert list(advice(whole)) == [f"downloads/{PRODUCT}.checked.json"]


def test_damage_of_a_product_that_is_gone(whole):
    """Nothing makes it again until the product is back; other results are made again meanwhile."""
    results = whole.folder / "results"
    bring_back = move_away(whole, DAYS[2])
    whole.tigerbush("discover", *OPTIONS)
    names = [f"downloads/{PRODUCT}.zip", f"here/{JANUARY}/rgb.png"]
    for name in names:
        # as a failing disk does it
        time = (results / name).stat().st_mtime_ns
        damage(results / name, "empty")
        os.utime(results / name, ns=(time, time))
    restore = "its product is gone from the source: restore it, and run ./tigerbush discover and retry"
    assert advice(whole) == {names[0]: restore, names[1]: AGAIN}
    output = whole.tigerbush("retry", *OPTIONS, "--cores", "2")
    assert output.startswith(
        "1 result(s) whose product is gone from the source; restore it, and run ./tigerbush discover:\n"
    )
    assert advice(whole) == {names[0]: restore}
    # nothing is said to be well
    assert whole.tigerbush("retry", *OPTIONS) == output.partition("1 damaged")[0]
    bring_back()
    whole.tigerbush("discover", *OPTIONS)
    whole.tigerbush("retry", *OPTIONS, "--cores", "2")
    assert advice(whole, status=0) == {}


def test_records_of_a_retry_that_was_killed(finished):
    """The next one gives them their names back."""
    bring_back = move_away(finished, DAYS[0])
    record = window_record(finished.bundle(name_of(DAYS[0])), "here")
    record.write_text(json.dumps({"product": name_of(DAYS[0]), "reason": "it is gone."}))
    record.rename(record.with_name(f".{record.name}.aside"))
    assert "1 kept result(s) of products that could not be read again:" in finished.retry("--dry-run")
    assert record.exists() and not list(record.parent.glob(".*"))
    # written again meanwhile
    shutil.copy(record, record.with_name(f".{record.name}.aside"))
    bring_back()
    finished.retry()
    assert not record.exists() and not list(record.parent.glob(".*"))


def test_a_dry_run_of_retry_changes_nothing(finished):
    """The product of January is gone; its result was kept."""
    bring_back = move_away(finished, DAYS[0])
    record = window_record(finished.bundle(name_of(DAYS[0])), "here")
    record.write_text(json.dumps({"product": name_of(DAYS[0]), "reason": "it is gone."}))
    before = contents(finished)
    output = finished.retry("--dry-run")
    assert "1 kept result(s) of products that could not be read again:" in output
    assert count_jobs(output)["resample_product"] == 1
    assert contents(finished) == before
    bring_back()
    finished.retry()
    assert not record.exists()


@pytest.mark.input(
    "Commands", "`retry` where the table of products is of other settings, or incomplete",
    "one sentence: run `./tigerbush discover` first",
)  # fmt: skip
def test_retry_while_the_products_have_to_be_listed(failed):
    """What failed of the new selection is not known yet."""
    first = "run ./tigerbush discover with the same options first.\n"
    (failed.folder / "results" / "files.tsv").unlink()
    out_of_date = "results/products.tsv is out of date: the next run lists the products of the source again"
    assert failed.tigerbush("retry", *OPTIONS, status=1) == f"tigerbush: {out_of_date}; {first}"
    failed.configure(failed.config | {"source": {"path": "products", "level": "L1C"}})
    settings = 'results/products.tsv was made with other settings (source.level: null -> "L1C")'
    assert failed.tigerbush("retry", *OPTIONS, status=1) == f"tigerbush: {settings}; {first}"
    status = failed.tigerbush("status", *OPTIONS, status=None)
    assert "The products have not been listed with these settings; " in status
    failed.tigerbush("discover", *OPTIONS)
    assert "1 placeholder(s) of failed products:" in failed.retry("--dry-run")


def test_retry_before_any_run(run):
    output = run.tigerbush("retry", "--configfile", "config.yaml", status=1)
    assert output == (
        "tigerbush: results/products.tsv does not exist; run the workflow first, with the same options.\n"
    )
