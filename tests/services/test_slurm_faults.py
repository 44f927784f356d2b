"""Nodes, jobs and the controller of SLURM fail: the run succeeds on its own, and no finished result is made twice.

A separate module, because it starts its own cluster, which cannot exist at the same time as that of test_slurm.py.
"""

import time

import pytest

from canaries import ENVIRONMENT, Search
from processes import wait_until
from runs import SUMMARIES
from slurm import slurm_cluster
from test_slurm import (
    PARTITIONS,
    UNGROUPED,
    checksums,
    continue_processes,
    fabricate_run,
    preempt,
    running_jobs,
    stop_all,
    stop_processes,
    without_analysis,
)
from test_slurm import local as local

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("slurm")]

FIGURE = "results/here/analysis/overview.png"


def lose_jobs(cluster):
    """Preempt a job, let one run out of time, lose a node with two, stop the controller for a while, cancel a date."""
    wait_until(lambda: len(running_jobs(cluster)) == 4, 90, "no four jobs run")
    # jobs that are not stopped may finish before they are lost
    wait_until(lambda: stop_all(cluster, cluster.nodes), 60, "not all jobs run")
    preempt(cluster, "n1", "--cpus-per-task=1")
    wait_until(lambda: cluster.jobs("PREEMPTED"), 30, "no job is preempted")
    [second] = (number for number, job in running_jobs(cluster).items() if job["node"] == "n1")
    cluster.run("scontrol", "update", f"JobId={second}", "TimeLimit=1")
    cluster.kill_node("n2")
    cluster.stop_controller()
    time.sleep(15)
    cluster.start_controller()
    # SlurmdTimeout is 10 s; the node returns after its jobs have been given up
    wait_until(lambda: "down" in cluster.run("sinfo", "-N", "-n", "n2", check=False), 90, "n2 is not down")
    cluster.start_node("n2")
    wait_until(lambda: running_jobs(cluster, "composite_date"), 200, "no date is made")
    wait_until(lambda: stop_processes(cluster, cluster.nodes), 30, "nothing runs")
    # in its first second SLURM calls a job CANCELLED, later CANCELLED by someone
    time.sleep(3)
    cluster.run("scancel", next(iter(running_jobs(cluster, "composite_date"))))
    continue_processes(cluster)


def test_jobs_are_lost_in_every_way_and_the_controller_is_away(local, tmp_path):
    """All in one run with accounting: it succeeds on its own, and no finished result is made twice."""
    run = fabricate_run(tmp_path / "work")
    run.profile = "slurm"
    run.variables = ENVIRONMENT
    with slurm_cluster(nodes=2, cpus=2, accounting=True, extra=PARTITIONS) as cluster:
        # Snakemake alone needs more memory than the first attempt requests
        run.more = ("--default-resources", "slurm_account=tests", "--set-resources", "plot_site:mem_mb=250")
        with run.started(SUMMARIES, FIGURE, *UNGROUPED) as process:
            lose_jobs(cluster)
            assert process.wait(400) == 0, run.printed()
        accounting = cluster.run(
            "sacct", "--noheader", "--allocations", "--parsable2", "--format=State,Timelimit,Comment"
        )
        submitted = cluster.run(
            "sacct", "--noheader", "--parsable2", "--format=SubmitLine,JobName,Comment,WorkDir"
        )
    assert without_analysis(checksums(run)) == local
    # neither accounting nor the logs of failed jobs contain a key
    search = Search(ENVIRONMENT)
    assert "--wrap=" in submitted
    assert search.secrets_in(submitted + run.printed()) == set()
    assert search.files(run.folder) == {}
    rows = [row.split("|") for row in accounting.splitlines()]
    products = [(state, limit) for state, limit, comment in rows if "subset_product" in comment]
    assert sorted(state for state, _ in products if state != "COMPLETED") == [
        "NODE_FAIL", "NODE_FAIL", "PREEMPTED", "TIMEOUT"
    ], accounting  # fmt: skip
    # all were retried, but only the one that ran out of time with a longer time limit
    limits = sorted(limit for state, limit in products if state == "COMPLETED")
    assert limits == ["00:40:00", "00:40:00", "00:40:00", "01:20:00"], accounting
    dates = [(state, limit) for state, limit, comment in rows if "composite_date" in comment]
    assert sorted(dates) == [("CANCELLED by 0", "00:35:00"), *[("COMPLETED", "00:35:00")] * 2], accounting
    figure = [state for state, _, comment in rows if "plot_site" in comment]
    assert len(figure) > 1 and figure[-1] == "COMPLETED" and figure[0] != "COMPLETED"
    [report] = run.folder.glob("efficiency_report_*.csv")
    assert "subset_product" in report.read_text()
