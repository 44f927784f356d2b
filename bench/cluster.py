"""Rows for the overhead of submission: the same jobs on one machine, and on a SLURM cluster that runs on it."""

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench.runs import ROOT, small_products, snakemake
from bench.table import Row, Usage, in_child

PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"
# the many chains of products and dates, without the jobs that run once
SUMMARIES = "results/products_checked.txt"
# in place of the profile's: no shared file system to wait for, no more CPUs than a node has, no other users
HERE = {"latency-wait": 5, "cores": 2, "slurm-batch-init-seconds-before-status-checks": 5}


def cluster(small: bool) -> Iterator[Row]:
    """Measure a run of small jobs on one machine, and on a cluster with three groupings; most wall time is waiting."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "services")]
    from slurm import ACCOUNT, slurm_cluster

    months = 1 if small else 12
    with tempfile.TemporaryDirectory() as name:
        local = run(Path(name), months)
        steps = int(re.search(r"(\d+) of \1 steps", (Path(name) / "output.txt").read_text())[1])
    here = local.seconds + local.children
    yield Row(f"{steps} small jobs on one machine", here, f"{local.wall:.0f} s of wall time")
    profile = yaml.safe_load(PROFILE.read_text()) | HERE
    ungrouped = {key: value for key, value in profile.items() if not key.startswith("group")}
    chains = profile | {"group-components": ["product=1", "date=1"]}
    profiles = {"four chains per job, as in profiles/slurm": profile}
    if not small:
        profiles |= {"one chain per job": chains, "one step per job": ungrouped}
    with slurm_cluster(nodes=2, cpus=2, accounting=True) as running:
        for title, settings in profiles.items():
            settings["default-resources"] = [*settings["default-resources"], f"slurm_account={ACCOUNT}"]
            with tempfile.TemporaryDirectory() as name:
                write_profile(Path(name), settings)
                usage = run(Path(name), months, "--profile", "profile")
                jobs = cpu_of_jobs(running, Path(name))
            cpu = usage.seconds + usage.children + sum(jobs)
            remark = (
                f"{len(jobs)} jobs submitted, {(cpu - here) / len(jobs):.1f} s more CPU per job, "
                f"{cpu / here:.1f} x one machine; {usage.wall:.0f} s of wall time"
            )
            yield Row(f"  on SLURM, {title}", cpu, remark)


def run(folder: Path, months: int, *arguments: str) -> Usage:
    """Run on two cores of this machine, or as the arguments say."""
    small_products(folder, months)
    return in_child(snakemake, folder, SUMMARIES, *arguments)


def write_profile(folder: Path, settings: dict) -> None:
    """Write a Snakemake profile into a folder."""
    (folder / "profile").mkdir()
    (folder / "profile" / "config.yaml").write_text(yaml.safe_dump(settings))


def cpu_of_jobs(running, folder: Path) -> list[float]:
    """Return the CPU time of each job of a run, from SLURM's accounting."""
    name = re.search(r"SLURM run ID: (\S+)", (folder / "output.txt").read_text())[1]
    # with the steps, without which SLURM reports 0 for the job
    rows = running.run("sacct", "--noheader", "--parsable2", f"--name={name}", "--format=JobID,TotalCPU")
    jobs = dict(row.split("|") for row in rows.splitlines() if "." not in row.partition("|")[0])
    return [seconds(time) for time in jobs.values()]


def seconds(text: str) -> float:
    """Convert SLURM's [days-][hours:]minutes:seconds.

    >>> seconds("1-00:00:01"), seconds("01:02.5")
    (86401.0, 62.5)
    """
    days, _, clock = text.rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part)
    return total + 86400 * float(days or 0)
