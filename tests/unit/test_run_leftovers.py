"""Jobs that a dead run has left, in SLURM or on this machine: the next run waits for them."""

import subprocess
import sys
from dataclasses import replace

import pytest

from test_run_mark import RUN_ID, UNLOCK, elsewhere, here, left, refused
from test_run_mark import ended as ended
from test_run_mark import results as results
from tigerbush.runs import guard as run_guard
from tigerbush.runs.lock_file import LockFile
from tigerbush.runs.takeover import Takeover


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A squeue that knows so many jobs of the run."""

    def install(jobs, status=0):
        program = tmp_path / "bin" / "squeue"
        program.parent.mkdir(exist_ok=True)
        lines = "".join(f"{i}|RUNNING|n1|rule_date\\n" for i in range(jobs))
        program.write_text(
            f'#!/bin/sh\ncase "$*" in *--name={RUN_ID}*) printf "{lines}";; esac\nexit {status}\n'
        )
        program.chmod(0o700)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return install


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_jobs_in_slurm_are_waited_for(results, ended, queue, place):
    since = "2026-11-29 12:00:00 UTC"
    dead = elsewhere(results.parent) if place == "elsewhere" else here(results.parent, pid=ended, since=since)
    dead = replace(dead, executor="slurm-batch", slurm=RUN_ID)
    left(results, dead, 25 * 60)
    name = (
        f"a run on results has died (process {dead.pid} on {dead.host} in {results.parent}, started {since}, last "
        "heartbeat 25 minutes ago)"
    )
    queue(2)
    sentence = (
        f"{name}, but 2 of its jobs are still in SLURM: wait until `squeue --name {RUN_ID}` is empty, or cancel them with "
        f"`scancel --name {RUN_ID}`, then start again."
    )
    assert refused(results) == sentence
    # not even --unlock: both would write the same results
    assert refused(results, unlocking=True) == sentence
    queue(0, status=1)
    assert refused(results) == (
        f"{name}, and it is unknown whether it has jobs left in SLURM: squeue failed (); try again later. If it has "
        f"none, {UNLOCK}."
    )
    queue(0)
    left(results, replace(dead, slurm=""), 25 * 60)
    assert refused(results) == (
        f"{name}, and it is unknown whether it has jobs left in SLURM: it died before it recorded their name. If it "
        f"has none, {UNLOCK}."
    )
    left(results, dead, 25 * 60)
    if place == "elsewhere":
        assert refused(results) == f"{name}, and has no jobs left in SLURM or Batch: {UNLOCK}."
    queue(0, status=1)
    run_guard.unlock(LockFile(results))
    assert not (results / ".run.json").exists()


def test_jobs_on_this_machine_are_waited_for(results, ended):
    """Those of a main process that was killed exclusive_run, as for its memory, go on."""
    results.parent.mkdir(exist_ok=True)
    script = results.parent / ".snakemake" / "scripts" / "tmp1.one.py"
    script.parent.mkdir(parents=True)
    script.write_text("import time\nprint(flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen([sys.executable, script], cwd=results.parent, stdout=subprocess.PIPE) as job:
        assert job.stdout.readline() == b"\n"
        dead = here(results.parent, pid=ended, since="2026-11-29 12:00:00 UTC")
        left(results, dead)
        assert refused(results) == (
            f"a run on results has died (process {ended} on {dead.host} in {results.parent}, started 2026-11-29 "
            "12:00:00 UTC, last heartbeat N s ago), but its jobs are still running here: wait until they end, or "
            f"kill them (processes {job.pid})."
        )
        job.kill()
    LockFile(results).acquire(here(results.parent), Takeover("results", results.parent))
