"""Rows that run the same jobs here and on a SLURM of two nodes on this machine: what submitting costs."""

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench.runs import ROOT, small_products, snakemake
from bench.table import Row, Usage, in_child

PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"
# the chains of products and dates, which are many, and not what is made once
SUMMARIES = "results/products_checked.txt"
# in place of the profile's: no file system to wait for, no more CPUs than a node has, no queue to be polite to
HERE = {"latency-wait": 5, "cores": 2, "slurm-batch-init-seconds-before-status-checks": 5}


def cluster(small: bool) -> Iterator[Row]:
    """Measure a run of small jobs on one machine, and on a cluster in three groupings; its time is mostly waiting."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "services")]
    from slurm import ACCOUNT, slurm_cluster

    months = 1 if small else 12
    with tempfile.TemporaryDirectory() as name:
        local = run(Path(name), months)
        steps = int(re.search(r"(\d+) of \1 steps", (Path(name) / "output.txt").read_text())[1])
    here = local.seconds + local.children
    yield Row(f"{steps} small jobs on one machine", here, f"{local.wall:.0f} s of time")
    profile = yaml.safe_load(PROFILE.read_text()) | HERE
    alone = {key: value for key, value in profile.items() if not key.startswith("group")}
    chains = profile | {"group-components": ["product=1", "date=1"]}
    ways = {"four chains a job, as profiles/slurm has it": profile}
    if not small:
        ways |= {"a chain a job": chains, "a step a job": alone}
    with slurm_cluster(nodes=2, cpus=2, accounting=True) as running:
        for title, settings in ways.items():
            settings["default-resources"] = [*settings["default-resources"], f"slurm_account={ACCOUNT}"]
            with tempfile.TemporaryDirectory() as name:
                profile_of(Path(name), settings)
                usage = run(Path(name), months, "--profile", "profile")
                jobs = cpu_of_jobs(running, Path(name))
            cpu = usage.seconds + usage.children + sum(jobs)
            remark = (
                f"{len(jobs)} jobs submitted, {(cpu - here) / len(jobs):.1f} s more CPU for each, "
                f"{cpu / here:.1f} x one machine; {usage.wall:.0f} s of time"
            )
            yield Row(f"  on SLURM, {title}", cpu, remark)


def run(folder: Path, months: int, *arguments: str) -> Usage:
    """Run on two cores of this machine, or where the arguments say."""
    small_products(folder, months)
    return in_child(snakemake, folder, SUMMARIES, *arguments)


def profile_of(folder: Path, settings: dict) -> None:
    """Write a profile of one's own."""
    (folder / "profile").mkdir()
    (folder / "profile" / "config.yaml").write_text(yaml.safe_dump(settings))


def cpu_of_jobs(running, folder: Path) -> list[float]:
    """Return the CPU time of each job of a run, from SLURM's accounting."""
    name = re.search(r"SLURM run ID: (\S+)", (folder / "output.txt").read_text())[1]
    # of the steps, too: without them the sum over a job is 0
    rows = running.run("sacct", "--noheader", "--parsable2", f"--name={name}", "--format=JobID,TotalCPU")
    jobs = dict(row.split("|") for row in rows.splitlines() if "." not in row.partition("|")[0])
    return [seconds(time) for time in jobs.values()]


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
