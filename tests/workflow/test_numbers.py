"""Detail `numbers`: the dates of many sites in one job each, with the numbers that the files of each date have."""

import io
import json
import os
import shutil
import signal
import subprocess
import time
import zipfile

import pytest

from fabricate import ROOT, name_of
from runs import DAYS, SITE, SNAKEMAKE, SUMMARIES, break_product, write_run
from tigerbush.bundle import index_at

pytestmark = pytest.mark.workflow

THERE = ("there", SITE[1] + 0.0004, SITE[2], SITE[3])
FAR = ("far", SITE[1] - 0.0003, SITE[2] + 0.0002, SITE[3])
NUMBERS = {"run": {"detail": "numbers"}}
BATCH = "33n_4x50_0"
# of the periods of 2017-01 to 2017-03 with products
DATES = ("2017-01-16", "2017-02-15")
WEATHER = "date,rain,temperature\n" + "".join(
    f"2017-{month:02d},{40 + month},{20 + month}\n" for month in range(1, 4)
)


def with_weather(config):
    quantities = {"precipitation": {"column": "rain"}, "temperature": {"column": "temperature"}}
    return config | {"weather": {"path": "weather.csv", "date": "date"} | quantities}


def of_batch(run, day):
    return run.folder / "results" / "batches" / BATCH / f"{day}.zip"


@pytest.fixture(scope="session")
def numbered_once(tmp_path_factory):
    """Two sites in batches, finished to the summaries."""
    run = write_run(tmp_path_factory.mktemp("numbers"))
    run.write_sites(SITE, THERE)
    run.configure(run.config | NUMBERS)
    run.snakemake(SUMMARIES)
    return run


@pytest.fixture
def numbered(numbered_once, tmp_path):
    shutil.copytree(numbered_once.folder, tmp_path / "work")
    return type(numbered_once)(tmp_path / "work", numbered_once.config, sites=(SITE, THERE))


def contents(run, site):
    """The files of a site, with their bytes; without what depends on the images of all dates, and logs."""
    folder = run.folder / "results" / site
    names = ["results_summary.json", "missing.tsv"] + [
        path.relative_to(folder).as_posix() for path in folder.glob("analysis/**/*") if path.is_file()
    ]
    files = {name: (folder / name).read_bytes() for name in names}
    if pictures := files.pop("analysis/pictures.zip", None):
        with zipfile.ZipFile(io.BytesIO(pictures)) as archive:
            files |= {f"analysis/{name}": archive.read(name) for name in archive.namelist()}
    return {
        name: content
        for name, content in files.items()
        if not name.endswith(("report.html", "overview.png", "overview.svg"))
    }


def test_both_depths_write_the_same_bytes(tmp_path):
    runs = {}
    for detail in ("files", "numbers"):
        run = runs[detail] = write_run(tmp_path / detail)
        run.write_sites(SITE, THERE)
        (run.folder / "weather.csv").write_text(WEATHER)
        run.configure(with_weather(run.config) | {"run": {"detail": detail}})
        run.snakemake()
    for site in ("here", "there"):
        files, numbers = (contents(run, site) for run in runs.values())
        assert files == numbers
        assert len(files) == 38
        folder = runs["numbers"].folder / "results" / site
        assert sorted(path.name for path in folder.iterdir()) == [
            "analysis", "missing.tsv", "results_summary.json",
        ]  # fmt: skip
        assert "data:image/png" in (folder / "analysis" / "report.html").read_text()
    compared = [(run.folder / "results" / "analysis" / "sites.csv").read_bytes() for run in runs.values()]
    assert compared[0] == compared[1]
    assert runs["numbers"].planned() == {}


def test_a_site_that_is_added_is_measured_alone(numbered):
    before = {site: contents(numbered, site) for site in ("here", "there")}
    entries = {day: index_at(of_batch(numbered, day)) for day in DATES}
    numbered.write_sites(SITE, THERE, FAR)
    planned = numbered.planned(SUMMARIES)
    assert planned == {
        "resample_product": 3, "subset_product": 3, "measure_batch": 2, "check_products": 1,
        "summarise_batch": 1,
    }  # fmt: skip
    record = numbered.folder / "results" / "batches" / BATCH / "summarised.json"
    made = json.loads(record.read_text())
    # a file that is written again is another one
    inodes = {site: (numbered.folder / f"results/{site}/missing.tsv").stat().st_ino for site in before}
    numbered.snakemake(SUMMARIES)
    assert {site: contents(numbered, site) for site in before} == before
    for day in DATES:
        after = index_at(of_batch(numbered, day))
        assert {site: after[site] for site in before} == entries[day]
        assert after.keys() == {"far", "here", "there"}
    after = json.loads(record.read_text())
    assert {site: after.pop(site) for site in before} == made
    assert after.keys() == {"far"}
    for site, inode in inodes.items():
        assert (numbered.folder / f"results/{site}/missing.tsv").stat().st_ino == inode
    assert numbered.planned(SUMMARIES) == {}


def test_a_changed_setting_measures_all_again(numbered):
    numbered.configure(numbered.config | {"centrality": {"quantiles": 10}})
    assert numbered.planned(SUMMARIES) == {
        "measure_batch": 2, "summarise_batch": 1, "check_products": 1,
    }  # fmt: skip
    before = contents(numbered, "here")
    numbered.snakemake(SUMMARIES)
    assert contents(numbered, "here") != before
    assert numbered.planned(SUMMARIES) == {}


def test_a_new_product_measures_its_date_alone(numbered):
    january = of_batch(numbered, DATES[0]).read_bytes()
    shutil.rmtree(numbered.folder / "products" / f"{name_of(DAYS[2])}.SAFE")
    numbered.tigerbush("discover", "--configfile", "config.yaml")
    numbered.configure(numbered.config | {"on_gone": "keep"})
    assert numbered.planned(SUMMARIES).get("measure_batch", 0) == 0
    assert of_batch(numbered, DATES[0]).read_bytes() == january


@pytest.mark.input(
    "Changes", "`run.detail: numbers`, killed while dates are measured", "what was measured stays; the next run makes the rest"
)  # fmt: skip
def test_a_killed_run_goes_on(tmp_path, numbered):
    run = write_run(tmp_path / "killed")
    run.write_sites(SITE, THERE)
    run.configure(run.config | NUMBERS)
    process = subprocess.Popen(
        [*SNAKEMAKE, "--snakefile", ROOT / "workflow" / "Snakefile", "--configfile", "config.yaml",
         "--cores", "1", "--quiet", "all", "--", SUMMARIES],
        cwd=run.folder, env=run.environment, start_new_session=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 120
        while not list(run.folder.glob(f"results/batches/{BATCH}/fingerprints/*/measure_batch.json")):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    finished = {
        path: path.stat().st_mtime_ns
        for record in run.folder.glob(f"results/batches/{BATCH}/fingerprints/*/measure_batch.json")
        for path in [of_batch(run, record.parent.name)]
    }
    windows = {path: path.stat().st_mtime_ns for path in run.folder.glob("results/windows/*/[0-9].zip")}
    assert finished and windows
    run.snakemake("--unlock")
    run.snakemake(SUMMARIES, "--rerun-incomplete")
    assert {path: path.stat().st_mtime_ns for path in (*finished, *windows)} == finished | windows
    assert {site: contents(run, site) for site in ("here", "there")} == {
        site: contents(numbered, site) for site in ("here", "there")
    }


def test_measures_of_products_that_are_gone_stay(numbered, tmp_path):
    """As with files: the run ends before its first job, or leaves their dates as they are."""
    before = {day: of_batch(numbered, day).read_bytes() for day in DATES}
    shutil.move(numbered.folder / "products" / f"{name_of(DAYS[2])}.SAFE", tmp_path / "archive")
    numbered.configure(numbered.config | {"composite": {"mask_buffer": 1}})
    output = numbered.snakemake(SUMMARIES, status=1)
    assert f"{name_of(DAYS[2])} is no longer in products." in output
    assert {day: of_batch(numbered, day).read_bytes() for day in DATES} == before
    numbered.configure(numbered.config | {"on_gone": "keep"})
    output = numbered.snakemake(SUMMARIES)
    assert f"results/here/{DATES[1]} stays as an earlier run made it: {name_of(DAYS[2])}" in output
    assert of_batch(numbered, DATES[1]).read_bytes() == before[DATES[1]]
    # its masks are made again, without effect on scenes without clouds
    assert f"Measuring the batch {BATCH} at {DATES[0]}" in output
    assert f"Measuring the batch {BATCH} at {DATES[1]}" not in output
    assert numbered.summary()["COPERNICUS/S2"]["time-series-data"][DATES[1]] is None


def test_files_of_sub_images_need_files_of_dates(numbered):
    numbered.configure(numbered.config | {"subimages": {"size": 20, "write": True}})
    output = numbered.snakemake(SUMMARIES, status=1)
    assert (
        "subimages.write: true needs the files of each date; set run.detail: files, or subimages.write: false."
        in output
    )


def test_status_counts_the_jobs_of_batches(numbered):
    report = json.loads(numbered.tigerbush("status", "--json", SUMMARIES, "--configfile", "config.yaml"))
    assert report["rules"]["measure_batch"]["done"] == 2
    assert report["rules"]["summarise_batch"]["done"] == 1
    assert (report["failed_products"], report["left_over"]) == ([], [])
    estimate = json.loads(numbered.tigerbush("plan", "--json", SUMMARIES, "--configfile", "config.yaml"))
    assert (estimate["dates"], estimate["jobs"]) == (0, {})
    (numbered.folder / SUMMARIES).unlink()
    for folder in ("batches", "here", "there"):
        shutil.rmtree(numbered.folder / "results" / folder)
    estimate = json.loads(numbered.tigerbush("plan", "--json", SUMMARIES, "--configfile", "config.yaml"))
    assert (estimate["dates"], estimate["jobs"]["measure_batch"]) == (4, 2)
    assert estimate["cpu_hours"] > 0


def test_the_files_of_a_date_can_be_asked_for(numbered):
    targets = [f"results/here/{DATES[0]}/{name}" for name in ("ndvi.tif", "summary.json")]
    planned = numbered.planned(*targets)
    assert "measure_batch" not in planned and planned["composite_date"] == 1
    numbered.snakemake(*targets)
    summary = json.loads((numbered.folder / targets[1]).read_text())
    assert summary["vegetation"] == numbered.summary()["COPERNICUS/S2"]["time-series-data"][DATES[0]]


def test_a_product_that_failed_is_measured_once_it_is_repaired(tmp_path):
    run = write_run(tmp_path / "work")
    run.write_sites(SITE, THERE)
    run.configure(run.config | NUMBERS)
    [band] = (run.folder / "products" / f"{name_of(DAYS[2])}.SAFE").glob("GRANULE/*/IMG_DATA/*_B04.jp2")
    content = band.read_bytes()
    break_product(run, DAYS[2])
    run.snakemake(SUMMARIES, status=1)
    assert set(run.summary()["metadata"]["failed_products"]) == {name_of(DAYS[2])}
    january = of_batch(run, DATES[0]).read_bytes()
    band.write_bytes(content)
    run.retry()
    assert run.summary("there")["metadata"]["failed_products"] == {}
    assert of_batch(run, DATES[0]).read_bytes() == january
    assert run.planned(SUMMARIES) == {}
