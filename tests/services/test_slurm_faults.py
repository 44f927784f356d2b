"""Nodes, jobs and the controller of SLURM die: the run ends well by itself, and no finished result is made twice.

A module of its own: each test starts the cluster that it needs, while that of test_slurm.py does not run. So does the
benchmark.
"""

import json
import re
import signal
import time

import pytest

from runs import SUMMARIES, bench
from slurm import slurm_cluster, wait_until
from test_slurm import EACH, contents, fabricated, running, signalled, summaries
from test_slurm import local as local

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("slurm")]

FIGURE = "results/here/analysis/overview.png"


def test_a_lost_node_a_cancelled_job_too_little_memory_and_no_controller(local, tmp_path):
    """All in one run with accounting: it ends well by itself, and no finished result is made twice."""
    run = fabricated(tmp_path / "work")
    run.profile = "slurm"
    with slurm_cluster(nodes=2, cpus=2, accounting=True) as cluster:
        run.more = (
            "--default-resources", "slurm_account=tests",
            # Snakemake alone takes more than the first attempt has
            "--set-resources", "plot_site:mem_mb=150*attempt+150*(attempt-1)*attempt",
        )  # fmt: skip
        with run.started(SUMMARIES, FIGURE, *EACH) as process:
            wait_until(lambda: len(running(cluster)) == 4, 90, "no four jobs run")
            jobs = running(cluster)
            first = next(number for number, job in jobs.items() if job["node"] == "n1")
            cluster.run("scancel", first)
            assert signalled(cluster, signal.SIGSTOP, ["n2"])
            cluster.kill_node("n2")
            cluster.stop_controller()
            time.sleep(15)
            cluster.start_controller()
            # SlurmdTimeout is 10 s; the node comes back when its jobs have been given up
            wait_until(
                lambda: "down" in cluster.run("sinfo", "-N", "-n", "n2", check=False), 90, "n2 is not down"
            )
            cluster.start_node("n2")
            assert process.wait(400) == 0, run.printed()
        states = cluster.run(
            "sacct", "--noheader", "--allocations", "--parsable2", "--format=JobID,State,Comment"
        )
    assert summaries(contents(run)) == local
    assert "CANCELLED" in states and "NODE_FAIL" in states, states
    figure = [row.split("|")[1] for row in states.splitlines() if "plot_site" in row]
    assert len(figure) > 1 and figure[-1] == "COMPLETED" and figure[0] != "COMPLETED"
    assert list(run.folder.glob("efficiency_report_*.csv"))


def test_a_job_over_its_time_limit_gets_more(local, tmp_path):
    run = fabricated(tmp_path / "work")
    with slurm_cluster(nodes=1, cpus=2) as cluster, run.started(SUMMARIES) as process:
        wait_until(lambda: running(cluster), 90, "no job runs")
        number = next(iter(running(cluster)))
        asked = cluster.run("squeue", "--noheader", "--format=%l", f"--jobs={number}")
        wait_until(lambda: signalled(cluster, signal.SIGSTOP), 30, "nothing to pause")
        cluster.run("scontrol", "update", f"JobId={number}", "TimeLimit=1")
        wait_until(
            lambda: cluster.jobs()[number]["state"] == "TIMEOUT", 200, "the time limit does not end it"
        )
        # polls come 10 s later each time while nothing happens
        wait_until(lambda: running(cluster), 240, "it is not tried again")
        again = cluster.run("squeue", "--noheader", "--format=%l", f"--jobs={next(iter(running(cluster)))}")
        assert process.wait(300) == 0, run.printed()
    assert (asked.strip(), again.strip()) == ("1:20:00", "2:40:00")
    assert contents(run) == local
    assert json.loads((run.folder / "results" / "here" / "results_summary.json").read_text())


def test_the_benchmark_counts_jobs_and_what_they_cost():
    rows = bench("--small", "--rows", "cluster").splitlines()[-2:]
    assert re.match(r"\d+ small jobs on one machine +\d+\.\d+ s", rows[0])
    # the chain of the product and that of the date
    assert int(re.search(r"(\d+) jobs submitted", rows[1])[1]) == 2
