"""A checkout runs its own library in a folder of any name, whatever version of tigerbush is installed."""

import json
import os
import subprocess

import pytest

from checkouts import copy_checkout, site_packages, with_environment, write_other_version
from fabricate import ROOT
from runs import Run, keep_days

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("elsewhere")]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """In a folder with a space and other characters, with an environment of its own, where another version is installed."""
    folder = tmp_path_factory.mktemp("elsewhere") / "my (own) projects' & co" / "tiger bush"
    copy_checkout(folder, "Makefile", "tigerbush", "workflow", "config", "profiles", "plugins")
    write_other_version(site_packages(with_environment(folder).parents[1]))
    return folder


class Elsewhere(Run):
    """A working directory whose jobs and commands are those of the checkout; PYTHONPATH has another version, too."""

    def __init__(self, folder, config, checkout):
        super().__init__(folder, config)
        self.checkout = checkout
        self.variables = {"PYTHONPATH": str(write_other_version(folder.parent / "other"))}

    def start(self, *arguments, status=0):
        python = self.checkout / ".venv" / "bin" / "python"
        snakefile = self.checkout / "workflow" / "Snakefile"
        options = ("--snakefile", snakefile, "--configfile", "config.yaml", "--cores", "2")
        return self.call([python, "-m", "snakemake", *options, *arguments], status)

    def command(self, *arguments, status=0):
        return self.call([self.checkout / "tigerbush", *arguments], status)


@pytest.fixture
def elsewhere(run, checkout):
    keep_days(run, "20170110")
    return Elsewhere(run.folder, run.config, checkout)


def test_the_other_version_would_be_imported(elsewhere):
    """By a program that does not ask for this one."""
    code = [elsewhere.checkout / ".venv" / "bin" / "python", "-c", "import tigerbush"]
    for environment in ({}, elsewhere.variables):
        done = subprocess.run(
            code,
            cwd=elsewhere.folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr.endswith("ImportError: another version of tigerbush is imported\n")


def test_jobs_import_the_library_of_their_checkout(elsewhere):
    """All rules of a site and that of scenes; the second run has nothing to do, by the checkout nor by this one."""
    elsewhere.start("all", "scenes")
    results = elsewhere.folder / "results"
    assert len(elsewhere.summary()["COPERNICUS/S2"]["time-series-data"]["2017-01-16"]) == 4
    assert (results / "here" / "analysis" / "report.html").exists()
    assert (results / "scenes_checked.txt").exists()
    assert "Nothing to be done" in elsewhere.start("all", "scenes")
    assert "Nothing to be done" in elsewhere.snakemake("all", "scenes")


def test_the_sample_is_simulated_by_the_library_of_its_checkout(elsewhere):
    target = "results/windows/S2A_MSIL1C_20200103T102021_N0300_R065_T31PDQ_20200103T120000/0.zip"
    elsewhere.start(
        target,
        "--directory",
        elsewhere.checkout,
        "--config",
        "source={kind: sample}",
        "--configfile",
        elsewhere.checkout / "config" / "config.yaml",
    )
    assert (elsewhere.checkout / target).exists()


def test_commands_import_the_library_of_their_checkout(elsewhere):
    """Those that start Snakemake, and those that compute."""
    version = elsewhere.command("--version").split()[-1]
    assert f'"{version}"' in (elsewhere.checkout / "workflow/scripts/tigerbush/version.py").read_text()
    elsewhere.command("discover", "--configfile", "config.yaml")
    assert (elsewhere.folder / "results" / "products.tsv").exists()
    status = elsewhere.command("status", "--json", "--configfile", "config.yaml", status=None)
    assert json.loads(status)["failed_products"] == []
    assert "products 1\n" in elsewhere.command("plan", "--configfile", "config.yaml")
    elsewhere.command("pattern", "--size", "20", "--steps", "10", "--output", "pattern")


def test_another_version_that_the_user_has_loaded(run, tmp_path):
    """A workflow whose own Python uses an installed version takes this one in as a module: each runs its own."""
    keep_days(run, "20170110")
    other = write_other_version(tmp_path / "other", "NAME = 'other'\n")
    (run.folder / "own.py").write_text(
        "from pathlib import Path\nfrom tigerbush import NAME\n\nPath(snakemake.output[0]).write_text(NAME)\n"
    )
    (run.folder / "Snakefile").write_text(
        'from tigerbush import NAME\n\nconfigfile: "config.yaml"\n\n\n'
        "module vegetation:\n"
        f'    snakefile: "{ROOT / "workflow" / "Snakefile"}"\n'
        "    config: config\n\n\n"
        "use rule * from vegetation\n\n\n"
        'rule own:\n    output: f"{NAME}.txt"\n    script: "own.py"\n'
    )
    run.variables = {"PYTHONPATH": str(other)}
    run.snakemake("results/here/2017-01-16/ndvi.json", "other.txt", snakefile=run.folder / "Snakefile")
    assert (run.folder / "other.txt").read_text() == "other"
    assert (run.folder / "results" / "here" / "2017-01-16" / "ndvi.json").exists()
