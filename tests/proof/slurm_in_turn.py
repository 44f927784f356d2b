"""A run of the sample on SLURM, in which a job is cancelled, one is preempted, a node is lost, a job runs out of memory, one
out of time, and the controller is away, one after the other. It ends by itself, with the results of one machine."""

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
    EACH,
    PARTITIONS,
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
    """Run it in a temporary folder and print what became of all jobs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        slurm_cluster(accounting=True, cpus=2, extra=PARTITIONS) as cluster,
    ):
        one, local = (prepared(Path(folder) / name) for name in ("cluster", "local"))
        local.snakemake(SUMMARIES, FIGURE)
        shutil.copytree(local.folder / "data", one.folder / "data")
        one.profile = "slurm"
        one.more = (
            "--default-resources",
            "slurm_account=tests",
            "--set-resources",
            "analyse_site:mem_mb=250",
        )
        start = time.monotonic()
        with one.started(SUMMARIES, FIGURE, *EACH) as process:
            for happen in (cancel, take_away, lose_node, let_time_run_out, silence):
                number, node = held(cluster)
                happen(cluster, number, node)
                continue_processes(cluster)
                print(f"{time.monotonic() - start:5.0f} s  {happen.__name__.replace('_', ' ')}", flush=True)
            assert process.wait(3600) == 0, one.printed()
        print(f"{time.monotonic() - start:5.0f} s  the run has ended by itself")
        rows = cluster.run(
            "sacct", "--noheader", "--allocations", "--parsable2", "--format=State,Comment"
        ).splitlines()
        print_states([row.split("|") for row in rows])
        found, expected = checksums(one), checksums(local)
        assert found.keys() == expected.keys()
        assert {name for name in found if found[name] != expected[name]} == set()
        print(f"all {len(found)} results are those of one machine")
        real_series(Path(folder))


def real_series(folder: Path) -> None:
    """Make a month of real products on the cluster and on this machine, and compare."""
    config = {
        "sites": "sites.tsv",
        "period": {"start": "2015-12-01", "end": "2016-01-01", "step": "1m"},
        "source": {"path": str(ROOT.parent / "shared" / "data" / "sentinel2" / "l1c_series")},
        "composite": {"max_cloud_percent": 100},
    }
    one, local = (
        SlurmRun(folder / name, config, [("ljubljana", 14.5579, 45.8704, 0.009)])
        for name in ("real", "real_local")
    )
    one.profile, one.more = "slurm", ("--default-resources", "slurm_account=tests")
    one.on_cluster(SUMMARIES)
    local.snakemake(SUMMARIES)
    assert one.summary("ljubljana")["COPERNICUS/S2"]["time-series-data"]
    assert checksums(one) == checksums(local)
    print(f"so are the {len(checksums(one))} results of a month of real products")


def prepared(folder: Path) -> SlurmRun:
    """A working directory of the sample."""
    shutil.copytree(ROOT / "config", folder / "config")
    return SlurmRun(folder, PERIOD, sites=())


def held(cluster) -> tuple[str, str]:
    """Wait for a job that runs, stop its processes so that it stays for some seconds, and return its number and node."""
    wait_until(lambda: running_jobs(cluster, ""), 300, "no job runs")
    wait_until(lambda: stop_processes(cluster, cluster.nodes), 60, "nothing runs")
    time.sleep(3)
    number, job = next(iter(running_jobs(cluster, "").items()))
    return number, job["node"]


def cancel(cluster, number, node) -> None:
    """As a user or an administrator."""
    cluster.run("scancel", number)


def take_away(cluster, number, node) -> None:
    """Preempt the node's jobs."""
    preempt(cluster, node, "--exclusive", "--mem=0")
    wait_until(lambda: cluster.jobs("PREEMPTED"), 60, "no job is preempted")


def lose_node(cluster, number, node) -> None:
    """Cut the power of a node, and bring it back when SLURM has given up its jobs."""
    cluster.kill_node(node)
    wait_until(
        lambda: "down" in cluster.run("sinfo", "-N", "-n", node, check=False), 120, f"{node} is not down"
    )
    cluster.start_node(node)


def let_time_run_out(cluster, number, node) -> None:
    """Give a stopped job a minute in all."""
    cluster.run("scontrol", "update", f"JobId={number}", "TimeLimit=1")
    wait_until(lambda: cluster.jobs("TIMEOUT"), 180, "no job runs out of time")


def silence(cluster, number, node) -> None:
    """Stop the controller for a minute."""
    cluster.stop_controller()
    time.sleep(60)
    cluster.start_controller()


def print_states(rows: list[list[str]]) -> None:
    """Print how many jobs came to which end."""
    states = [state.split()[0] for state, comment in rows if comment]
    for state in sorted(set(states)):
        print(f"{states.count(state):5} {state}")


os.environ.setdefault("CI", "true")  # what is absent is a failure
