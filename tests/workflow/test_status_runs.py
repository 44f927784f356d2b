"""./tigerbush status before, during and after real runs."""

import json
import os
import signal
import subprocess
import time

import pytest

from fabricate import ROOT, name_of
from runs import SNAKEMAKE, SUMMARIES, keep_days

pytestmark = pytest.mark.workflow


def status(run, code=0):
    return json.loads(run.tigerbush("status", "--json", "--configfile", "config.yaml", status=code))


def test_before_and_after_a_run(run):
    shown = status(run)
    assert (shown["run"], shown["discovered"]) == ("never", False)
    run.tigerbush("discover", "--configfile", "config.yaml")
    shown = status(run)
    assert shown["discovered"]
    assert shown["rules"]["resample_product"] == {"waiting": 3}
    run.snakemake()
    shown = status(run)
    assert shown["run"] == "ended"
    # one site, the check of products, and the table
    assert {state for counts in shown["sites"].values() for state in counts} == {"done"}
    assert set(shown["sites"]) == {"here", "all"}
    assert shown["rules"]["composite_date"] == {"done": 2}


def test_a_hard_failure_blocks_its_date_only(run):
    """No disk space, a missing library: failures that no placeholder covers."""
    bundle = f"results/windows/{name_of('20170210')}/0.zip"
    run.tigerbush("discover", "--configfile", "config.yaml")
    run.snakemake(bundle)
    broken = run.folder / bundle
    broken.write_bytes(b"no image")
    run.snakemake(status=1)
    state = status(run, 1)
    assert [job["rule"] for job in state["failed"]] == ["composite_date"]
    assert state["failed"][0]["log"] == "logs/composite_date/here/2017-02-15.log"
    assert broken.name in state["failed"][0]["error"]
    assert state["rules"]["composite_date"] == {"done": 1, "failed": 1}
    assert state["rules"]["render_date"] == {"done": 1, "cannot run": 1}
    assert state["rules"]["summarise_site"] == {"cannot run": 1}
    text = run.tigerbush("status", "--configfile", "config.yaml", status=1)
    assert "failed: composite_date: ERROR" in text and "cannot run" in text


def test_a_run_in_progress_and_one_that_was_killed(run):
    keep_days(run, "20170110", "20170210")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    process = subprocess.Popen(
        [*SNAKEMAKE, "--snakefile", ROOT / "workflow" / "Snakefile",
         "--configfile", "config.yaml", "--cores", "1", "--quiet", "all", "--", SUMMARIES],
        cwd=run.folder, env=environment, start_new_session=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not list(run.folder.glob("results/windows/*/0.json")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        # paused, so that it does not end while status reads its state
        os.killpg(process.pid, signal.SIGSTOP)
        state = status(run)
        assert state["run"] == "running" and state["advice"] is None
        assert sum(counts.get("running", 0) for counts in state["rules"].values()) <= 1
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    state = status(run)
    assert state["run"] == "killed" and "--unlock" in state["advice"]
    run.snakemake("--unlock")
    run.snakemake(SUMMARIES, "--rerun-incomplete")
    assert status(run)["run"] == "ended"
