"""Two runs of snakemake on the same results: the second ends with a sentence, and the first goes on."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from fabricate import ROOT
from runs import SNAKEMAKE, SUMMARIES, Run, keep_days

pytestmark = pytest.mark.workflow

OPTIONS = ("--snakefile", ROOT / "workflow" / "Snakefile", "--configfile", "config.yaml", "--cores", "1")


@contextmanager
def held(run, *targets):
    """A run that has begun its jobs, and is stopped; it goes on, or is killed, when the block ends."""
    keep_days(run, "20170110")
    with (run.folder / "run.log").open("wb") as log:
        process = subprocess.Popen(
            [*SNAKEMAKE, *OPTIONS, "--", *targets], cwd=run.folder, env=run.environment, start_new_session=True,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_until(lambda: list(run.folder.glob("results/windows/*/*")), process, run)
        os.killpg(process.pid, signal.SIGSTOP)
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


def wait_until(condition, process, run, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, (run.folder / "run.log").read_text()
        assert time.monotonic() < end
        time.sleep(0.05)


def sentence(output):
    """What a refused run says, without times."""
    [text] = re.findall(r"^WorkflowError:\n(.+)$", output, re.MULTILINE)
    return re.sub(
        r"started [-0-9]+ [:0-9]+ UTC, last heartbeat \d+ s ago", "started T, last heartbeat N s ago", text
    )


def mark_of(run):
    return json.loads((run.folder / "results" / ".run.json").read_text())


def files(run):
    return {
        path: path.stat().st_mtime_ns
        for path in (run.folder / "results").rglob("*")
        if path.is_file() and path.name != ".run.json"
    }


def status(run):
    return json.loads(run.tigerbush("status", "--json", "--configfile", "config.yaml"))["run"]


def test_a_second_run_is_refused_and_everything_else_works(run, tmp_path):
    with held(run, SUMMARIES) as process:
        host = mark_of(run)["host"]
        expected = (
            f"another run is using results (process {process.pid} on {host} in {run.folder}, started T, last "
            "heartbeat N s ago): wait until it ends, or interrupt it there."
        )
        before = files(run)
        for arguments in ((SUMMARIES,), ("--delete-all-output", SUMMARIES)):
            assert sentence(run.snakemake(*arguments, status=1)) == expected
        assert sentence(run.tigerbush("discover", "--configfile", "config.yaml", status=1)) == expected
        # another checkout, on the same results by a link
        other = Run(tmp_path / "other", run.config)
        for name in ("results", "products"):
            (other.folder / name).symlink_to(run.folder / name)
        assert sentence(other.snakemake(SUMMARIES, status=1)) == expected
        assert status(other) == "running"
        # looking is free
        assert run.planned(SUMMARIES)
        run.snakemake("--delete-all-output", "--dry-run", SUMMARIES)
        assert status(run) == "running"
        run.tigerbush("results", "list")
        output = run.snakemake("--unlock")
        assert expected in re.sub(
            r"started [-0-9]+ [:0-9]+ UTC, last heartbeat \d+ s ago",
            "started T, last heartbeat N s ago",
            output,
        )
        # unlocked, but no less alive
        assert sentence(run.snakemake(SUMMARIES, status=1)) == expected
        assert files(run) == before
        os.killpg(process.pid, signal.SIGCONT)
        assert process.wait(120) == 0
    assert not (run.folder / "results" / ".run.json").exists()
    assert run.summary()["metadata"]["failed_products"] in ([], {})


def test_a_killed_run_is_followed_by_the_next(run, tmp_path):
    with held(run, SUMMARIES) as process:
        host = mark_of(run)["host"]
    name = f"(process {process.pid} on {host} in {run.folder}, started T, last heartbeat N s ago)"
    assert sentence(run.snakemake(SUMMARIES, status=1)) == (
        f"a run on results has died {name}, and has no jobs left in SLURM or Batch: run snakemake with --unlock, "
        "then as usual; finished results are kept."
    )
    assert status(run) == "killed"
    # another checkout, whose folder is not locked, goes on at once
    other = Run(tmp_path / "other", run.config)
    for name in ("results", "products"):
        (other.folder / name).symlink_to(run.folder / name)
    other.snakemake("--rerun-incomplete", SUMMARIES)
    assert not (run.folder / "results" / ".run.json").exists()
    shutil.rmtree(run.folder / "results" / "here")
    run.snakemake("--unlock")
    run.snakemake("--rerun-incomplete", SUMMARIES)
    assert not (run.folder / "results" / ".run.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_run_leaves_no_mark(run, number):
    """While it plans: Snakemake's scheduler handles signals later."""
    keep_days(run, "20170110")
    process = subprocess.Popen(
        [*SNAKEMAKE, *OPTIONS, SUMMARIES], cwd=run.folder, env=run.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        mark = run.folder / "results" / ".run.json"
        while not (mark.exists() and mark.read_bytes()):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(60) != 0
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
    assert not (run.folder / "results" / ".run.json").exists()


def test_a_refused_plan_leaves_no_mark(run):
    run.snakemake("no_such_target", status=1)
    assert not (run.folder / "results").exists()
