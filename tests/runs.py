"""Real snakemake runs on small configurations."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml

from fabricate import ROOT, name_of, scene_of
from tigerbush.bundle import index_at
from tigerbush.sentinel2.writer import write_product
from tigerbush.sites.bundles import read_window
from warm import VARIABLE, warm_python

# in the middle of the synthetic products: 2 x 2 sub-images of 20 pixels
SITE = ("here", 14.5593, 45.8694, 0.0037)
BASE = {
    "sites": "sites.tsv",
    "period": {"start": "2017-01-01", "end": "2017-04-01", "step": "1m"},
    "source": {"path": "products"},
    "subimages": {"size": 20},
}
# the command by which a user starts it
SNAKEMAKE = (sys.executable, "-m", "snakemake")
# days of the products of the fixture `run`
DAYS = ("20170110", "20170120", "20170210")
# a target without analysis and reports, for tests of earlier stages
SUMMARIES = "results/products_checked.txt"


class Run:
    """A working directory with a configuration in which to run snakemake; `variables` are added to the environment."""

    variables: Mapping[str, str] = MappingProxyType({})

    def __init__(self, folder: Path, config: dict, sites=(SITE,)):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.configure(config)
        self.write_sites(*sites)

    def configure(self, config):
        self.config = config
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config))

    def write_sites(self, *sites):
        rows = [("site", "longitude", "latitude", "region_size"), *sites]
        (self.folder / "sites.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))

    def snakemake(self, *arguments, status=0, snakefile=ROOT / "workflow" / "Snakefile"):
        """Run snakemake and return its output."""
        command = [
            "--snakefile", str(snakefile), "--configfile", "config.yaml", "--cores", "2", "--keep-going", *arguments
        ]  # fmt: skip
        return self.forked(command, status)

    def forked(self, arguments, status=0, warm_scripts=True):
        """Run `python -m snakemake` as a fork with warm imports, and return its output.

        The scripts of its jobs are forked, too, if they run on this machine.
        """
        variables = {VARIABLE: warm_python()} if warm_scripts else {}
        return self.call([warm_python(), "-m", "snakemake", *arguments], status, variables)

    def tigerbush(self, *arguments, status=0):
        """Run the command line as ./tigerbush does, and return its output."""
        paths = f"{ROOT}/workflow/scripts:{ROOT}/plugins"
        variables = {VARIABLE: warm_python(), "PYTHONPATH": paths}
        return self.call([warm_python(), "-P", "-m", "tigerbush.cli", *arguments], status, variables)

    def retry(self, *arguments):
        """Retry what failed, without analysis and reports."""
        return self.tigerbush("retry", "--configfile", "config.yaml", "--until", "check_products", *arguments)

    @property
    def environment(self):
        return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | self.variables

    def call(self, command, status=0, variables=MappingProxyType({})):
        """Run a command with additional environment variables, and return its output."""
        completed = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        output = completed.stdout + completed.stderr
        assert status is None or completed.returncode == status, output
        return output

    def planned(self, *arguments):
        """Return the number of jobs per rule in a dry run."""
        return count_jobs(self.snakemake("--dry-run", *arguments))

    def bundle(self, product, folder="windows"):
        return self.folder / "results" / folder / product / "0.zip"

    def window(self, product, site="here"):
        """Return image and mask of the window of a product."""
        return read_window(self.bundle(product), site)

    def entries(self, product, folder="windows"):
        """Return what is recorded of each site in a bundle."""
        return index_at(self.bundle(product, folder))

    def summary(self, site="here"):
        return json.loads((self.folder / "results" / site / "results_summary.json").read_text())


def write_run(folder):
    """Return a run of three products, two in January and one in February."""
    for seed, day in enumerate(DAYS):
        write_product(folder / "products", name_of(day), scene_of(seed, clouds=[]))
    return Run(folder, BASE)


def count_jobs(output):
    """Return the number of jobs per rule in the output of a dry run."""
    table = re.findall(r"^([a-z]\w+) +([0-9]+)$", output.partition("Reasons:")[0], re.MULTILINE)
    counts = Counter()
    for rule, count in dict(table).items():
        # those of batches are named after their script and their batch
        counts[rule.partition("_of_")[0]] += int(count)
    del counts["total"]
    return counts


def break_product(run, day):
    """Delete the file of a band from the product of a day."""
    next((run.folder / "products").glob(f"*{day}T*.SAFE/GRANULE/*/IMG_DATA/*_B04.jp2")).unlink()


def keep_days(run, *days):
    """Delete all products but those of the given days."""
    for day in set(DAYS) - set(days):
        shutil.rmtree(run.folder / "products" / f"{name_of(day)}.SAFE")


def bench(*arguments, status=0):
    """Run the benchmark and return its table."""
    completed = subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": "workflow/scripts"}, capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert completed.returncode == status, completed.stdout + completed.stderr
    return completed.stdout + completed.stderr
