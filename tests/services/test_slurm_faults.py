"""Nodes, jobs and the controller of SLURM die: the run ends well by itself, and no finished result is made twice.

A module of its own: it starts the cluster that it needs, while that of test_slurm.py does not run.
"""

import time

import pytest

from canaries import ENVIRONMENT, Search
from processes import wait_until
from runs import SUMMARIES
from slurm import slurm_cluster
from test_slurm import (
    EACH,
    PARTITIONS,
    all_stopped,
    contents,
    continued,
    fabricated,
    preempt,
    running,
    stopped,
    summaries,
)
from test_slurm import local as local

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("slurm")]

FIGURE = "results/here/analysis/overview.png"


def lose_jobs(cluster):
    """Preempt a job, give one too little time, lose a node with two and the controller for a while, cancel a date."""
    wait_until(lambda: len(running(cluster)) == 4, 90, "no four jobs run")
    # what is not stopped may be done before it is lost
    wait_until(lambda: all_stopped(cluster, cluster.nodes), 60, "not all jobs run")
    preempt(cluster, "n1", "--cpus-per-task=1")
    wait_until(lambda: cluster.jobs("PREEMPTED"), 30, "no job is preempted")
    [second] = (number for number, job in running(cluster).items() if job["node"] == "n1")
    cluster.run("scontrol", "update", f"JobId={second}", "TimeLimit=1")
    cluster.kill_node("n2")
    cluster.stop_controller()
    time.sleep(15)
    cluster.start_controller()
    # SlurmdTimeout is 10 s; the node comes back when its jobs have been given up
    wait_until(lambda: "down" in cluster.run("sinfo", "-N", "-n", "n2", check=False), 90, "n2 is not down")
    cluster.start_node("n2")
    wait_until(lambda: running(cluster, "composite_date"), 200, "no date is made")
    wait_until(lambda: stopped(cluster, cluster.nodes), 30, "nothing runs")
    # in its first second SLURM calls a job CANCELLED, later CANCELLED by someone
    time.sleep(3)
    cluster.run("scancel", next(iter(running(cluster, "composite_date"))))
    continued(cluster)


def test_jobs_are_lost_in_every_way_and_the_controller_is_away(local, tmp_path):
    """All in one run with accounting: it ends well by itself, and no finished result is made twice."""
    run = fabricated(tmp_path / "work")
    run.profile = "slurm"
    run.variables = ENVIRONMENT
    with slurm_cluster(nodes=2, cpus=2, accounting=True, extra=PARTITIONS) as cluster:
        # Snakemake alone takes more than the first attempt has
        run.more = ("--default-resources", "slurm_account=tests", "--set-resources", "plot_site:mem_mb=250")
        with run.started(SUMMARIES, FIGURE, *EACH) as process:
            lose_jobs(cluster)
            assert process.wait(400) == 0, run.printed()
        told = cluster.run(
            "sacct", "--noheader", "--allocations", "--parsable2", "--format=State,Timelimit,Comment"
        )
        submitted = cluster.run(
            "sacct", "--noheader", "--parsable2", "--format=SubmitLine,JobName,Comment,WorkDir"
        )
    assert summaries(contents(run)) == local
    # accounting, and the logs of whatever died, show no key
    search = Search(ENVIRONMENT)
    assert "--wrap=" in submitted
    assert search.secrets_in(submitted + run.printed()) == set()
    assert search.files(run.folder) == {}
    rows = [row.split("|") for row in told.splitlines()]
    products = [(state, limit) for state, limit, comment in rows if "subset_product" in comment]
    assert sorted(state for state, _ in products if state != "COMPLETED") == [
        "NODE_FAIL", "NODE_FAIL", "PREEMPTED", "TIMEOUT"
    ], told  # fmt: skip
    # each of them was tried again, but only the one that had too little time with more
    limits = sorted(limit for state, limit in products if state == "COMPLETED")
    assert limits == ["00:40:00", "00:40:00", "00:40:00", "01:20:00"], told
    dates = [(state, limit) for state, limit, comment in rows if "composite_date" in comment]
    assert sorted(dates) == [("CANCELLED by 0", "00:35:00"), *[("COMPLETED", "00:35:00")] * 2], told
    figure = [state for state, _, comment in rows if "plot_site" in comment]
    assert len(figure) > 1 and figure[-1] == "COMPLETED" and figure[0] != "COMPLETED"
    [report] = run.folder.glob("efficiency_report_*.csv")
    assert "subset_product" in report.read_text()
