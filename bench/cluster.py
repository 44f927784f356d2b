"""Rows that run the same jobs here and on a SLURM of two nodes on this machine: what submitting costs."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from bench.runs import ROOT, small_products
from bench.table import Row

PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"
# the chains of products and dates, which are many, and not what is made once
SUMMARIES = "results/products_checked.txt"
# in place of the profile's: no file system to wait for, and no more CPUs than a node has
HERE = {"latency-wait": 5, "cores": 2}


class Measured(NamedTuple):
    """A run: CPU seconds of all its processes, seconds of time, Snakemake's jobs and SLURM's."""

    cpu: float
    wall: float
    steps: int
    submitted: int


def cluster(small: bool) -> Iterator[Row]:
    """Measure a run of small jobs on one machine, and on a cluster in three groupings; its time is mostly waiting."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "services")]
    from slurm import ACCOUNT, slurm_cluster

    months = 1 if small else 12
    with tempfile.TemporaryDirectory() as name:
        local = run_locally(Path(name), months)
    yield Row(f"{local.steps} small jobs on one machine", local.cpu, f"{local.wall:.0f} s of time")
    profile = yaml.safe_load(PROFILE.read_text()) | HERE
    alone = {key: value for key, value in profile.items() if not key.startswith("group")}
    chains = profile | {"group-components": ["product=1", "date=1"]}
    ways = {"eight chains a job, as profiles/slurm has it": profile}
    if not small:
        ways |= {"a chain a job": chains, "a step a job": alone}
    with slurm_cluster(nodes=2, cpus=2, accounting=True) as running:
        for title, settings in ways.items():
            settings["default-resources"] = [*settings["default-resources"], f"slurm_account={ACCOUNT}"]
            with tempfile.TemporaryDirectory() as name:
                run = run_on(running, Path(name), months, settings)
            over = run.cpu - local.cpu
            remark = (
                f"{run.submitted} jobs submitted, {over / run.submitted:.1f} s more CPU for each, "
                f"{run.cpu / local.cpu:.1f} x one machine; {run.wall:.0f} s of time"
            )
            yield Row(f"  on SLURM, {title}", run.cpu, remark)


def run_locally(folder: Path, months: int) -> Measured:
    """Run on two cores of this machine."""
    small_products(folder, months)
    return snakemake(folder, ROOT / "profiles" / "default", "--cores", "2")


def run_on(running, folder: Path, months: int, profile: dict) -> Measured:
    """Run with a profile on a cluster; SLURM's accounting knows the CPU time of its jobs."""
    small_products(folder, months)
    (folder / "profile").mkdir()
    (folder / "profile" / "config.yaml").write_text(yaml.safe_dump(profile))
    main = snakemake(folder, folder / "profile")
    name = re.search(r"SLURM run ID: (\S+)", (folder / "output.txt").read_text())[1]
    # of the steps, too: without them the sum over a job is 0
    rows = running.run("sacct", "--noheader", "--parsable2", f"--name={name}", "--format=JobID,TotalCPU")
    jobs = dict(row.split("|") for row in rows.splitlines() if "." not in row.partition("|")[0])
    return main._replace(cpu=main.cpu + sum(map(seconds, jobs.values())), submitted=len(jobs))


def snakemake(folder: Path, profile: Path, *arguments: str) -> Measured:
    """Run Snakemake with a profile; count its own CPU time and that of its children."""
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow" / "Snakefile"),
        "--configfile", "config.yaml", "--profile", str(profile), *arguments, SUMMARIES,
    ]  # fmt: skip
    begin, before = time.perf_counter(), os.times()
    with (folder / "output.txt").open("w") as output:
        done = subprocess.run(command, cwd=folder, stdout=output, stderr=output, check=False)  # noqa: S603
    wall, after = time.perf_counter() - begin, os.times()
    printed = (folder / "output.txt").read_text()
    if done.returncode:
        raise RuntimeError(printed)
    steps = int(re.search(r"(\d+) of \1 steps", printed)[1])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(cpu, wall, steps, 0)


def seconds(text: str) -> float:
    """Read SLURM's [days-][hours:]minutes:seconds.

    >>> seconds("1-00:00:01"), seconds("01:02.5")
    (86401.0, 62.5)
    """
    days, _, clock = text.rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part)
    return total + 86400 * float(days or 0)
