"""Tasks that end while no process of the run is watching: what they have finished counts, and nothing else."""

import os
import signal
import time
from types import SimpleNamespace

import pytest

from azure_runs import NAMES
from azure_small_runs import OPTIONS, SNAKEFILE, small_run
from batch_resources import Node, Pool
from snakemake_executor_plugin_azure import takeover
from snakemake_executor_plugin_azure.account import make_clients

pytestmark = pytest.mark.workflow

OPTIONS = (*OPTIONS[:-1], "sleep=0", "--azure-pool-node-count", "3")


@pytest.fixture
def gated_run(azure, store, tmp_path, request):
    """Prepare a run of some tasks, each of which ends when its gate is opened."""
    gates = tmp_path.with_name(f"{tmp_path.name}-gates")
    gates.mkdir()

    def prepare(names):
        rules = [f'rule all:\n    input: expand("results/{{name}}.txt", name={list(names)})\n']
        for name in names:
            wait = f"touch {gates}/at-{name}; while [ ! -e {gates}/{name} ]; do sleep 0.1; done"
            shell = f"{wait}; echo {name} > {{output}}"
            rules.append(f'rule {name}:\n    output: "results/{name}.txt"\n    shell: "{shell}"\n')
        head = SNAKEFILE.partition("rule all:")[0]
        name = request.node.name.removeprefix("test_").replace("_", "-")[:30]
        run = small_run(azure, store, tmp_path, name, head + "".join(rules))
        run.gates, run.names = gates, names
        return run

    return prepare


def start(run, *options):
    """Start a run, and wait until all tasks are at their gates."""
    process = run.start(*OPTIONS, *options)
    wait_until(lambda: len(list(run.gates.glob("at-*"))) == len(run.names), process)
    return process


def open_gates(run, names):
    """Let some tasks end."""
    for name in names:
        (run.gates / name).touch()


def succeeded(run):
    return [task.body["displayName"] for task in run.azure.account.finished if task.exit_code == 0]


def wait_until(condition, process=None, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_main_process_is_killed(gated_run):
    """Tasks that have ended meanwhile count, running ones are waited for, lost ones run again."""
    run = gated_run("abc")
    account = run.azure.account
    process = start(run, "--seconds-between-status-checks", "3600")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    [left] = account.jobs
    lost = next(task for task in account.tasks[left].values() if task.body["displayName"] == "b")
    account.handle_batch("POST", f"/jobs/{left}/tasks/{lost.body['id']}/terminate", None)
    open_gates(run, "ab")
    wait_until(lambda: succeeded(run) == ["a"])
    run.forked([run.configured, "--unlock", "--snakefile", "two.smk"])
    process = run.start(*OPTIONS, "--rerun-incomplete")
    wait_until(lambda: account.jobs[left].get("state") == "disabled", process)
    open_gates(run, "c")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert (
        "1 task(s) of an earlier run are still running; waiting for their results, for up to 30 minutes (to stop them: az "
        f"batch job delete --job-id {left}).\n"
    ) in output
    assert succeeded(run) == ["a", "c", "b"]
    for name in "ac":
        assert f"Taken over from an earlier run: az://runs/{run.name}/results/{name}.txt\n" in output
        assert f"rule {name}:" not in output
    assert {run.results()[f"results/{name}.txt"] for name in "abc"} == {b"a\n", b"b\n", b"c\n"}
    assert f"Using the existing pool tigerbush-{run.name}." in output
    run.check_clean(killed=1)


def test_batch_does_not_answer(gated_run):
    """The run ends, and the next one has nothing to do; it deletes the pool, although it needs none."""
    run = gated_run("ab")
    process = start(run, "--azure-poll-failures", "5")
    run.azure.fault("GET", "^/(pools|jobs)", 403, "PermissionDenied")
    run.azure.fault("DELETE", "^/pools", 403, "PermissionDenied")
    open_gates(run, "ab")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    [job] = run.azure.account.jobs
    assert (
        f"The job {job} is left in place, which costs nothing: Batch does not report which of its tasks have finished. The "
        "next run of this name takes over their results and deletes it.\n"
    ) in output
    wait_until(lambda: len(succeeded(run)) == 2)
    run.azure.faults.clear()
    output = run.finish("--rerun-incomplete")
    assert "Nothing to be done" in output
    assert output.count("Taken over from an earlier run: ") == 2
    assert sorted(succeeded(run)) == ["a", "b"]


def test_an_interrupted_run_keeps_what_has_ended_since_the_last_poll(gated_run):
    run = gated_run("ab")
    process = start(run, "--seconds-between-status-checks", "15")
    open_gates(run, "a")
    wait_until(lambda: succeeded(run) == ["a"], process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    run.check_clean()
    output = run.finish("--dry-run")
    assert "rule b:" in output and "rule a:" not in output


def test_a_task_that_does_not_end_is_waited_for_no_longer_than_stated(azure, monkeypatch):
    """And no further task of the dead run starts."""
    for name, value in azure.caller_environment().items():
        monkeypatch.setenv(name, value)
    url = f"https://{NAMES['batch_account']}.{NAMES['region']}.batch.azure.com"
    batch, _ = make_clients(SimpleNamespace(account_url=url, subscription_id="s"))
    standin = azure.account
    standin.pools["tigerbush-x"] = Pool({"properties": {}}, [Node("tvm-0", 1)])
    standin.handle_batch("POST", "/jobs", {"id": "x", "poolInfo": {"poolId": "tigerbush-x"}})
    for name in ("one", "two"):
        standin.handle_batch("POST", "/jobs/x/tasks", {"id": name, "commandLine": "sleep 300"})
    warnings = []
    monkeypatch.setattr(takeover, "WAIT_MINUTES", 1 / 60)
    begin = time.monotonic()
    takeover._drain(batch, "x", 0.1, warnings.append)
    assert 1 < time.monotonic() - begin < 20
    assert len(warnings) == 1
    assert {name: task.state for name, task in standin.tasks["x"].items()} == {
        "one": "running",
        "two": "active",
    }
    assert takeover.succeeded_tasks(batch, "x") == set()
