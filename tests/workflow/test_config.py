"""Bad configuration, sites and tables end in one sentence before anything runs."""

import os
import re

import pytest

from fabricate import ROOT, name_of
from runs import BASE, SUMMARIES, Run, keep_days

pytestmark = pytest.mark.workflow

HEADER = "product\tplatform\tlevel\tsensing_time\ttile\trelative_orbit\tbaseline\tcloud_percent\turl\tgranule\tsize_bytes\n"
ROW = f"{name_of()}\tS2A\tL1C\t2017-01-16T10:00:00\t33TVL\t122\t02.04\t0\tproducts/x.SAFE\tg\t1\n"


def refused(run, *sentences):
    output = run.snakemake("--dry-run", status=1)
    # the sentence is one line; the others say where in the workflow
    lines = output.partition("WorkflowError")[2].splitlines()
    assert any(all(sentence in line for sentence in sentences) for line in lines), output
    assert "Traceback (most recent call last)" not in output
    assert not (run.folder / "results" / "here").exists()


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        ({"sitez": "x"}, ["the configuration: 'sitez' is not a key, did you mean 'sites'?"]),
        ({"composite": {"max_clouds": 5}}, ["composite: 'max_clouds' is not a key, did you mean 'max_cloud_percent'?"]),
        ({"composite": {"indices": ["ndvi", "evi"]}}, ["composite.indices: 'evi' is not one of ['ndvi', 'msavi']"]),
        ({"composite": {"indices": ["ndvi", "ndvi"]}}, ["composite.indices: ['ndvi', 'ndvi'] has non-unique elements"]),
        ({"composite": {"resolution": 15}}, ["composite.resolution: 15 is not one of [10, 20, 60]"]),
        ({"period": {"start": "2017-01-01", "end": "2017-04-01", "step": "1q"}}, ["period.step: '1q' does not match"]),
        ({"period": {"start": "2017-04-01", "end": "2017-01-01", "step": "1m"}}, ["period.end 2017-01-01 must be after period.start 2017-04-01"]),
        ({"period": {"start": "2017-02-30", "end": "2017-04-01", "step": "1m"}}, ["period.start '2017-02-30'", "must be days"]),
        ({"period": {"start": "2017-01-01", "end": "2017-01-20", "step": "1m"}}, ["period.step 1m cuts 2017-01-01 to 2017-01-20 into 0 dates"]),
        ({"period": {"start": "0001-01-01", "end": "9999-12-31", "step": "1d"}}, ["period.step 1d cuts 0001-01-01 to 9999-12-31 into more than 5,000 dates; choose a narrower period"]),
        ({"source": {"kind": "s3", "level": "L1C"}}, ["source.bucket is not set, but source.kind s3 requires it"]),
        ({"source": {"kind": "s3", "bucket": "eodata"}}, ["source.level is not set, but source.kind s3 requires it"]),
        ({"source": {"kind": "stac", "level": "L2A"}}, ["source.catalogue is not set, but source.kind stac requires it"]),
        ({"source": {"catalogue": "file:///etc"}}, ["source.catalogue: 'file:///etc' does not match"]),
        ({"source": {"bucket": "../up"}}, ["source.bucket: '../up' does not match"]),
        ({"source": {"endpoint_url": "ftp://host"}}, ["source.endpoint_url: ", "does not match"]),
        ({"source": {"prefixes": ["../up/"]}}, ["source.prefixes.0: '../up/' does not match"]),
        ({"source": {"kind": "s3", "level": "L1C", "bucket": "b12", "access": "storage", "requester_pays": True}}, ["source.requester_pays does not work with source.access storage"]),
        ({"source": {"kind": "local"}}, ["source.path is null", "set it to the folder"]),
        ({"run": {"name": "../up"}}, ["run.name: '../up' does not match"]),
        ({1: "x"}, ["the configuration: '1' is not a key"]),
        ({"sites": "missing.tsv"}, ["sites: missing.tsv does not exist"]),
    ],
)  # fmt: skip
def test_bad_configuration(run, change, sentences):
    run.configure(run.config | change)
    refused(run, *sentences)


def same_sentence(run, command=("doctor",)):
    """Return the sentence with which a dry run of snakemake and ./tigerbush refuse the same."""
    output = run.snakemake("--dry-run", status=1)
    text = re.search(r"^WorkflowError[^\n]*:\n(.+)$", output, re.MULTILINE)[1]
    printed = run.tigerbush(*command, "--configfile", "config.yaml", status=1)
    # the doctor's lines begin with the name of the check
    assert text in [re.sub(r"^(tigerbush: |failed +\w+ +)", "", line) for line in printed.splitlines()], (
        printed
    )
    assert "Traceback" not in output + printed
    return text


@pytest.mark.parametrize(
    ("change", "command", "start"),
    [
        ({"subimages": {"size": 20, "max_masked_fraction": float("nan")}}, ["doctor"], "subimages.max_masked_fraction: nan is not a finite number."),
        ({"scene": {"geo_region": "POLYGON((0 0, 1 0, 1 1, 0 0)"}}, ["plan"], "scene.geo_region 'POLYGON((0 0, 1 0, 1 1, 0 0)' is not POLYGON"),
        ({"analysis": {"primary": {"variable": "msavi"}}}, ["plan"], "analysis.primary.variable: msavi is not computed; add it to composite.indices."),
        ({"plan": {"vm_size": "big"}}, ["status"], "plan.vm_size 'big' has no price in plan.prices"),
        ({"plan": {"prices_of": "2026-01-01"}}, ["plan"], "plan.prices_of is now plan.price_date; rename the key (docs/migrating.md)."),
        ({"analysis": {"seed": 1e308}}, ["retry"], "analysis.seed: 1e+308 is greater than the maximum"),
        ({"period": {"start": "2000-01-01", "end": "2017-04-01", "step": "1d"}}, ["discover"], "period.step 1d cuts"),
        ({"weather": {"path": "era5.grib"}}, ["doctor"], "weather.precipitation.kind is not set, but GRIB does not always say"),
        ({"sites": "/dev/zero"}, ["doctor"], "sites: /dev/zero is a device, not a file;"),
        ({"sitez": "sites.tsv"}, ["analyse", "summary.json"], "the configuration: 'sitez' is not a key, did you mean 'sites'?"),
    ],
)  # fmt: skip
def test_both_refuse_the_same_in_the_same_words(run, change, command, start):
    run.configure(run.config | change)
    assert same_sentence(run, command).startswith(start)


@pytest.mark.parametrize(
    ("key", "change"), [("products", {}), ("weather.path", {"weather": {"path": "{site}.csv"}})]
)
def test_a_pipe_does_not_block(run, key, change):
    (run.folder / "results").mkdir()
    os.mkfifo(run.folder / ("results/files.tsv" if key == "products" else "here.csv"))
    run.configure(run.config | change)
    assert same_sentence(run).startswith(f"{key}: ")


def test_the_yaml_error_of_a_command_names_the_file(run):
    (run.folder / "config.yaml").write_text("sites: [")
    for command in (["doctor"], ["plan"], ["status"], ["retry"], ["discover"], ["analyse", "summary.json"]):
        printed = run.tigerbush(*command, "--configfile", "config.yaml", status=1)
        assert "config.yaml cannot be read as YAML: while parsing a flow node" in printed, command


def test_a_folder_in_which_submitted_jobs_would_not_start(tmp_path):
    """The dry run reports it, with the SLURM profile; local jobs do start there."""
    run = Run(tmp_path / "a$b", BASE)
    (run.folder / "products").mkdir()
    text = f"the working folder '{run.folder}' has '$' in its path, with which a submitted job cannot start; rename or move it."
    profile = ("--profile", str(ROOT / "profiles" / "slurm"))
    assert text in lines(run.snakemake("--dry-run", *profile, status=1))
    assert text in run.tigerbush("doctor", "--configfile", "config.yaml", *profile, status=1)
    # other executors are known when the run starts
    assert text in lines(
        run.snakemake("results/products.tsv", "--executor", "slurm-batch", "--jobs", "1", status=1)
    )
    assert not (run.folder / "results").exists()
    run.snakemake("--dry-run")


def test_memory_per_cpu_is_refused_where_jobs_are_groups(run):
    options = ("--executor", "slurm-batch", "--jobs", "1")
    for given in (
        ("--default-resources", "mem_mb_per_cpu=2000"),
        ("--set-resources", "plot_site:mem_mb_per_cpu=1"),
    ):
        output = run.snakemake("results/products.tsv", *options, *given, status=1)
        assert "the resource mem_mb_per_cpu would be multiplied for a group of jobs; use mem_mb." in lines(
            output
        )


def lines(output):
    return [line.strip() for line in output.splitlines()]


@pytest.mark.parametrize(
    ("site", "sentence"),
    [
        (("a/b", 14.5, 45.8, 0.01), "site name 'a/b' is reserved, used twice or not made of letters"),
        (("scenes", 14.5, 45.8, 0.01), "site name 'scenes' is reserved"),
        (("a", 200, 45.8, 0.01), "longitude '200' of site a is not a number from -180 to 180"),
        (("a", 14.5, "north", 0.01), "latitude 'north' of site a is not a number from -80 to 84"),
        (("a", 14.5, 45.8, 0.001), "site a of 0.001 degrees is smaller than one sub-image of 200 m"),
        (("a", 14.5, 45.8, 0), "region_size '0' of site a is not a number"),
        (("a", 14.5, 45.8), "sites.tsv, line 2: expected 4 fields separated by tabs"),
    ],
)
def test_bad_sites(run, site, sentence):
    run.write_sites(site)
    refused(run, sentence)


def test_a_site_that_occurs_twice(run):
    run.write_sites(("a", 14.5, 45.8, 0.01), ("a", 14.5, 45.8, 0.01))
    refused(run, "line 3: site name 'a' is reserved, used twice")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (HEADER.replace("\ttile", "") + ROW, "products.tsv has no column 'tile'"),
        (HEADER + ROW + ROW, f"line 3: product {name_of()} is listed twice"),
        (HEADER + ROW.replace("S2A_", "../S2A_"), "line 2: '../S2A_MSIL1C_20170116T100000"),
        (HEADER + ROW.replace("S2A_", "S2A_ ; rm -rf ~"), "is not a Sentinel-2 product name"),
        (HEADER + ROW.replace("33TVL", "33TVX"), "is not a Sentinel-2 product name"),
        (
            HEADER + ROW.replace("2017-01", "2017-13").replace("201701", "201713"),
            "sensing_time 2017-13-16T10:00:00 is not a date",
        ),
        (HEADER + ROW.replace("\t33TVL", "\t33TWL"), "tile is '33TWL' but the product name says '33TVL'"),
        (HEADER + ROW.replace("2017-01-16T10", "2017-01-16T11"), "sensing_time is '2017-01-16T11:00:00' but"),
        (
            HEADER + ROW.replace("\t02.04\t0", "\t02.04\tmany"),
            "cloud_percent 'many' is not a number from 0 to 100",
        ),
        (HEADER + "\t".join(ROW.split("\t")[:5]) + "\n", "line 2: expected 11 fields separated by tabs"),
    ],
)
def test_bad_table_of_products(run, table, sentence):
    (run.folder / "results").mkdir()
    (run.folder / "results" / "products.tsv").write_text(table)
    (run.folder / "results" / "files.tsv").write_text("")
    refused(run, sentence)


def test_a_refused_table_can_be_rewritten(run):
    (run.folder / "results").mkdir()
    (run.folder / "results" / "products.tsv").write_text("nonsense")
    (run.folder / "results" / "files.tsv").write_text("")
    refused(run, "has no column 'product'")
    run.tigerbush("discover", "--configfile", "config.yaml")
    assert run.planned()["composite_date"] == 2


def test_periods_are_those_of_pyveg(run):
    """Chained from one end to the next start; the middle day names the period."""
    period = {"start": "2016-01-31", "end": "2016-05-27", "step": "1m"}
    run.configure(run.config | {"period": period})
    run.snakemake(SUMMARIES)
    # 31 Jan, 29 Feb, 29 Mar, 29 Apr; the next would end on 29 May
    days = list(run.summary()["COPERNICUS/S2"]["time-series-data"])
    assert days == ["2016-02-14", "2016-03-14", "2016-04-13"]


@pytest.mark.parametrize(("step", "days"), [("2w", ["2017-01-08", "2017-01-22"]), ("10d", ["2017-01-06", "2017-01-16", "2017-01-26"])])  # fmt: skip
def test_weeks_and_days(run, step, days):
    keep_days(run, "20170110")
    run.configure(run.config | {"period": {"start": "2017-01-01", "end": "2017-02-01", "step": step}})
    run.snakemake(SUMMARIES)
    assert list(run.summary()["COPERNICUS/S2"]["time-series-data"]) == days
