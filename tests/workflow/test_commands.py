"""What commands print works, wherever they are started; runs that fail end with a sentence."""

import json
import shlex
import shutil
import subprocess
from datetime import date

import pytest

from checkouts import copy_checkout, with_environment
from fabricate import ROOT, name_of
from runs import SITE, SUMMARIES, break_product, keep_days

pytestmark = pytest.mark.workflow

LONGITUDE, LATITUDE = SITE[1:3]
TIGERBUSH = str(ROOT / "tigerbush")
ADVICE = "./tigerbush status, with the options of this run, lists what failed; the next run continues where this one ended."


def shell(command, folder, status=0):
    """Run a line as it was copied into a shell."""
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def recipe(output):
    """The commands that init prints."""
    return [line.strip() for line in output.splitlines() if line.startswith("  ")]


def init(program, site, *options):
    place = ["--longitude", str(LONGITUDE), "--latitude", str(LATITUDE), "--region-size", "0.01"]
    return shlex.join([program, "init", "--site", site, *place, *options])


def test_each_line_of_the_recipe_works_in_a_clean_checkout(run, tmp_path):
    """Two configurations beside each other, and a second site; the folder of the products has a space and a quote."""
    keep_days(run, "20170110")
    products = tmp_path / "farmer's products"
    shutil.move(run.folder / "products", products)
    checkout = tmp_path / "check out"
    copy_checkout(checkout, "Makefile", "tigerbush", "workflow", "config", "profiles", "plugins")
    snakemake = with_environment(checkout).with_name("snakemake")
    # as pip writes it
    snakemake.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m snakemake "$@"\n')
    snakemake.chmod(0o755)
    dates = ("--start", "2017-01-01", "--end", "2017-02-01", "--source", "local", "--path", str(products))
    for site in ("a", "b"):
        lines = recipe(shell(init("./tigerbush", site, *dates), checkout))
        assert [shlex.split(line)[:2] for line in lines] == [
            ["./tigerbush", "doctor"], ["./tigerbush", "discover"], ["./tigerbush", "plan"],
            [".venv/bin/snakemake", "--profile"],
        ]  # fmt: skip
        for line in lines[: None if site == "a" else 3]:
            shell(line, checkout)
    # each has its own table of products and results
    results = checkout / "runs" / "a" / "results"
    assert (results / "a" / "analysis" / "report.html").exists()
    assert (results / "analysis" / "report.html").exists()
    assert not (checkout / "results").exists()
    assert sorted(path.name for path in (checkout / "runs" / "b" / "results").iterdir()) == [
        "files.tsv",
        "fingerprints",
        "products.tsv",
    ]
    # an added site needs no other files, and the recipe is that of its configuration
    again = recipe(shell(init("./tigerbush", "c", "--add", "config/a.yaml"), checkout))
    assert again == [line.replace("config/b", "config/a").replace("runs/b", "runs/a") for line in lines]
    plan = json.loads(shell(f"{again[2]} --json", checkout))
    assert plan["dates"] == 1 and "composite_date" in plan["jobs"]
    assert "here" not in shell(f"{again[0].replace('doctor', 'status')} --json", checkout)


@pytest.mark.input(
    "Commands", "`./tigerbush` started by its path from the folder of the data",
    "it works; relative paths start there",
)  # fmt: skip
def test_every_command_works_in_the_folder_of_the_data(run):
    """Started by its path; relative paths are those of the folder."""
    keep_days(run, "20170110")
    summary = {
        date(2016 + i // 12, i % 12 + 1, 16).isoformat(): [
            {
                "latitude": 11.5,
                "longitude": 27.9,
                "offset50": float(i % 7),
                "ndvi": 120.0 + i % 5,
                "ndvi_veg": 110.0,
            }
        ]
        for i in range(24)
    }
    vegetation = {"COPERNICUS/S2": {"type": "vegetation", "time-series-data": summary}}
    (run.folder / "summary.json").write_text(json.dumps(vegetation))
    (run.folder / "matrix.csv").write_text("\n".join([",".join(["0,9,0,9"] * 4)] * 16) + "\n")
    options = "--configfile config.yaml"
    for command in (
        f"doctor {options} --profile profiles/local",
        f"discover {options}",
        f"plan {options}",
        f"status {options}",
        f"retry {options}",
        "analyse summary.json --output out",
        "centrality matrix.csv --output out",
        "pattern --steps 2 --size 8 --output out",
    ):
        shell(f"{shlex.quote(TIGERBUSH)} {command}", run.folder)
    assert (run.folder / "results" / "products.tsv").exists()
    assert {"analysis.json", "matrix_centrality.csv", "random_pattern.csv"} <= {
        path.name for path in (run.folder / "out").iterdir()
    }
    sentence = f"{run.folder} has no config/config.yaml; name your configuration with --configfile, or start in {ROOT}."
    for command in ("discover", "plan", "status", "retry"):
        output = shell(f"{shlex.quote(TIGERBUSH)} {command}", run.folder, status=1)
        assert output == f"tigerbush: {sentence}\n"
    assert f"failed  configuration   {sentence}\n" == shell(
        f"{shlex.quote(TIGERBUSH)} doctor", run.folder, status=1
    )


def last_line(output):
    return output.rstrip("\n").rpartition("\n")[2].strip()


def test_a_run_with_a_failed_product_ends_with_our_sentence(run):
    break_product(run, "20170210")
    for options in ((), ("--quiet", "rules"), ("--profile", str(ROOT / "profiles" / "local"))):
        output = run.snakemake(SUMMARIES, *options, status=1)
        assert last_line(output) == (
            "check_products failed: 1 product(s) failed, everything else is finished; fix them and run ./tigerbush "
            f"retry, or set on_failure: report. Its log is logs/check_products.log. {ADVICE}"
        )
    retried = run.tigerbush("retry", "--configfile", "config.yaml", "--until", "check_products", status=1)
    assert last_line(retried) == last_line(output)


@pytest.mark.input(
    "Commands", "a run that fails",
    "its last line says what failed first, its log, and what to do",
)  # fmt: skip
def test_a_run_with_failed_jobs_ends_with_the_first_of_them(run):
    """More bad than good: both dates fail, and nothing after them can run."""
    bundles = [f"results/windows/{name_of(day)}/0.zip" for day in ("20170120", "20170210")]
    run.snakemake(*bundles)
    for bundle in bundles:
        (run.folder / bundle).write_bytes(b"no image")
    sentence = last_line(run.snakemake(SUMMARIES, "--cores", "1", status=1))
    first = next(day for day in ("2017-01-16", "2017-02-15") if f"date {day}" in sentence)
    assert sentence.startswith(f"2 jobs failed, the first is composite_date (site here, date {first}): ")
    assert sentence.endswith(f" Its log is logs/composite_date/here/{first}.log. {ADVICE}")
    assert "0.zip" in sentence


def test_a_run_that_is_refused_ends_with_our_sentence(run):
    for arguments, sites, sentence in (
        (["--config", "nonsense=1"], [SITE], "the configuration: 'nonsense' is not a key, did you mean 'scene'? See config/README.md."),
        ([], [("nowhere", 45.8, 14.5, 0.01)], "site nowhere at 45.8, 14.5 lies outside every tile of results/products.tsv, and inside with longitude and latitude exchanged; correct them in sites.tsv."),
    ):  # fmt: skip
        run.write_sites(*sites)
        assert last_line(run.snakemake(SUMMARIES, *arguments, status=1)) == sentence


def test_a_run_that_snakemake_ends_says_where_to_look(run):
    """A typing error in a target; a run was killed before."""
    advice = (
        "The run ended with the error of Snakemake above. With the same options, ./tigerbush doctor checks what a run "
        "depends on, and ./tigerbush status says what to do after a run that was killed."
    )
    assert last_line(run.snakemake("results/here/sumary.json", status=1)) == advice
    locks = run.folder / ".snakemake" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text("results/products_checked.txt\n")
    output = run.snakemake(SUMMARIES, status=1)
    assert "--unlock" in output and last_line(output) == advice


@pytest.mark.input(
    "Commands", "`period.end` on the last day of a month, or products in an incomplete last period",
    "the run, `doctor` and `plan` name the dropped period and the end to set",
)  # fmt: skip
def test_the_last_period_and_a_stale_table(run):
    """The run warns of a dropped period, and plan names it; plan refuses the table of other settings."""
    keep_days(run, "20170110", "20170210")
    run.configure(run.config | {"period": {"start": "2017-01-01", "end": "2017-02-28", "step": "1m"}})
    head = "period.end 2017-02-28 is not the last day but the day after it: the last period (2017-02-01 to 2017-03-01) is incomplete and dropped"  # fmt: skip
    advice = "set period.end: 2017-03-01 to use it, or 2017-02-01 to leave it out."
    assert f"{head}; {advice}" in run.tigerbush("discover", "--configfile", "config.yaml").splitlines()
    warning = f"{head} with 1 product; {advice}"
    assert run.snakemake("--dry-run", SUMMARIES, "--quiet", "rules").splitlines().count(warning) == 1
    assert f"warning: {warning}" in run.tigerbush("plan", "--configfile", "config.yaml").splitlines()
    for change, difference in (
        ({"level": "L1C"}, 'source.level: null -> "L1C"'),
        ({"path": "."}, 'source.path: "products" -> "."'),
    ):
        run.configure(run.config | {"source": {"path": "products"} | change})
        assert run.tigerbush("plan", "--configfile", "config.yaml", status=1) == (
            f"tigerbush: results/products.tsv was made with other settings ({difference}); run ./tigerbush discover with "
            "the same options first.\n"
        )
