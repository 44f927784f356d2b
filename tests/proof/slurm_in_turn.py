"""A run of the sample on SLURM with one fault after the other: a job is cancelled, one is preempted, a node is lost, a job runs
out of memory, one out of time, and the controller is down. It succeeds on its own, with the same results as on one machine."""

import os
import shutil
import tempfile
import time
from pathlib import Path

from fabricate import ROOT
from processes import wait_until
from runs import SUMMARIES
from slurm import slurm_cluster
from test_slurm import (
    PARTITIONS,
    UNGROUPED,
    SlurmRun,
    checksums,
    continue_processes,
    preempt,
    running_jobs,
    stop_processes,
)

PERIOD = {"period": {"start": "2020-01-01", "end": "2021-01-01"}}
FIGURE = "results/niger/analysis/overview.png"


def run() -> None:
    """Run it in a temporary folder and print how all jobs ended."""
    with (
        tempfile.TemporaryDirectory() as folder,
        slurm_cluster(accounting=True, cpus=2, extra=PARTITIONS) as cluster,
    ):
        cluster_run, local = (prepare_sample(Path(folder) / name) for name in ("cluster", "local"))
        local.snakemake(SUMMARIES, FIGURE)
        shutil.copytree(local.folder / "data", cluster_run.folder / "data")
        cluster_run.profile = "slurm"
        cluster_run.more = (
            "--default-resources",
            "slurm_account=tests",
            "--set-resources",
            "analyse_site:mem_mb=250",
        )
        start = time.monotonic()
        with cluster_run.started(SUMMARIES, FIGURE, *UNGROUPED) as process:
            for fault in (cancel, preempt_node, lose_node, let_time_run_out, silence):
                job_id, node = stop_a_job(cluster)
                fault(cluster, job_id, node)
                continue_processes(cluster)
                print(f"{time.monotonic() - start:5.0f} s  {fault.__name__.replace('_', ' ')}", flush=True)
            assert process.wait(3600) == 0, cluster_run.printed()
        print(f"{time.monotonic() - start:5.0f} s  the run has succeeded on its own")
        rows = cluster.run(
            "sacct", "--noheader", "--allocations", "--parsable2", "--format=State,Comment"
        ).splitlines()
        print_states([row.split("|") for row in rows])
        results, expected = checksums(cluster_run), checksums(local)
        assert results.keys() == expected.keys()
        assert {name for name in results if results[name] != expected[name]} == set()
        print(f"all {len(results)} results are the same as on one machine")
        real_series(Path(folder))


def real_series(folder: Path) -> None:
    """Process a month of real products on the cluster and on this machine, and compare."""
    config = {
        "sites": "sites.tsv",
        "period": {"start": "2015-12-01", "end": "2016-01-01", "step": "1m"},
        "source": {"path": str(ROOT.parent / "shared" / "data" / "sentinel2" / "l1c_series")},
        "composite": {"max_cloud_percent": 100},
    }
    cluster_run, local = (
        SlurmRun(folder / name, config, [("ljubljana", 14.5579, 45.8704, 0.009)])
        for name in ("real", "real_local")
    )
    cluster_run.profile, cluster_run.more = "slurm", ("--default-resources", "slurm_account=tests")
    cluster_run.on_cluster(SUMMARIES)
    local.snakemake(SUMMARIES)
    assert cluster_run.summary("ljubljana")["COPERNICUS/S2"]["time-series-data"]
    assert checksums(cluster_run) == checksums(local)
    print(f"so are the {len(checksums(cluster_run))} results of a month of real products")


def prepare_sample(folder: Path) -> SlurmRun:
    """A working directory of the sample."""
    shutil.copytree(ROOT / "config", folder / "config")
    return SlurmRun(folder, PERIOD, sites=())


def stop_a_job(cluster) -> tuple[str, str]:
    """Wait for a running job, stop its processes for some seconds, and return its ID and node."""
    wait_until(lambda: running_jobs(cluster, ""), 300, "no job runs")
    wait_until(lambda: stop_processes(cluster, cluster.nodes), 60, "nothing runs")
    time.sleep(3)
    job_id, job = next(iter(running_jobs(cluster, "").items()))
    return job_id, job["node"]


def cancel(cluster, job_id, node) -> None:
    """Cancel the job, as a user or an administrator does."""
    cluster.run("scancel", job_id)


def preempt_node(cluster, job_id, node) -> None:
    """Preempt the jobs of the node."""
    preempt(cluster, node, "--exclusive", "--mem=0")
    wait_until(lambda: cluster.jobs("PREEMPTED"), 60, "no job is preempted")


def lose_node(cluster, job_id, node) -> None:
    """Power off a node, and start it again once SLURM has given up its jobs."""
    cluster.kill_node(node)
    wait_until(
        lambda: "down" in cluster.run("sinfo", "-N", "-n", node, check=False), 120, f"{node} is not down"
    )
    cluster.start_node(node)


def let_time_run_out(cluster, job_id, node) -> None:
    """Limit the time of a stopped job to one minute."""
    cluster.run("scontrol", "update", f"JobId={job_id}", "TimeLimit=1")
    wait_until(lambda: cluster.jobs("TIMEOUT"), 180, "no job runs out of time")


def silence(cluster, job_id, node) -> None:
    """Stop the controller for a minute."""
    cluster.stop_controller()
    time.sleep(60)
    cluster.start_controller()


def print_states(rows: list[list[str]]) -> None:
    """Print how many jobs ended in which state."""
    states = [state.split()[0] for state, comment in rows if comment]
    for state in sorted(set(states)):
        print(f"{states.count(state):5} {state}")


os.environ.setdefault("CI", "true")  # a missing program is a failure
