"""Tasks that end while nobody looks: what they have finished counts, and nothing else does."""

import os
import signal
import time
from types import SimpleNamespace

import pytest

from azure_runs import NAMES
from azure_small import OPTIONS, SNAKEFILE, small_run
from batch_things import Node, Pool
from snakemake_executor_plugin_azure import account, takeover

pytestmark = pytest.mark.workflow

OPTIONS = (*OPTIONS[:-1], "sleep=0", "--azure-pool-node-count", "3")


@pytest.fixture
def parted(azure, store, tmp_path, request):
    """Make a run of some tasks, each of which ends when its gate is opened."""
    gates = tmp_path.with_name(f"{tmp_path.name}-gates")
    gates.mkdir()

    def made(names):
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

    return made


def started(run, *options):
    """Start, and wait until all tasks are at their gates."""
    process = run.start(*OPTIONS, *options)
    until(lambda: len(list(run.gates.glob("at-*"))) == len(run.names), process)
    return process


def open_gates(run, names):
    """Let some tasks end."""
    for name in names:
        (run.gates / name).touch()


def ended(run):
    return [task.body["displayName"] for task in run.azure.account.finished if task.exit_code == 0]


def until(true, process=None, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert process is None or process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_main_process_is_killed(parted):
    """What has ended meanwhile is kept, what still runs is waited for, what was lost is made again."""
    parted = parted("abc")
    account = parted.azure.account
    process = started(parted, "--seconds-between-status-checks", "3600")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    [left] = account.jobs
    lost = next(task for task in account.tasks[left].values() if task.body["displayName"] == "b")
    account.data("POST", f"/jobs/{left}/tasks/{lost.body['id']}/terminate", None)
    open_gates(parted, "ab")
    until(lambda: ended(parted) == ["a"])
    parted.forked([parted.configured, "--unlock", "--snakefile", "two.smk"])
    process = parted.start(*OPTIONS, "--rerun-incomplete")
    until(lambda: account.jobs[left].get("state") == "disabled", process)
    open_gates(parted, "c")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert (
        "1 tasks of an earlier run still run; waiting for their results, for up to 30 minutes (to end them: az batch job "
        f"delete --job-id {left}).\n"
    ) in output
    assert ended(parted) == ["a", "c", "b"]
    for name in "ac":
        assert f"Taken over from an earlier run: az://runs/{parted.name}/results/{name}.txt\n" in output
        assert f"rule {name}:" not in output
    assert {parted.results()[f"results/{name}.txt"] for name in "abc"} == {b"a\n", b"b\n", b"c\n"}
    assert f"Using the pool tigerbush-{parted.name} that is there." in output
    parted.check_clean(killed=1)


def test_batch_does_not_answer(parted):
    """The run ends, and the next one has nothing to make again; it deletes the pool, although it needs none."""
    parted = parted("ab")
    process = started(parted, "--azure-poll-failures", "5")
    parted.azure.fault("GET", "^/(pools|jobs)", 403, "PermissionDenied")
    parted.azure.fault("DELETE", "^/pools", 403, "PermissionDenied")
    open_gates(parted, "ab")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    [job] = parted.azure.account.jobs
    assert (
        f"The job {job} stays, which costs nothing: Batch does not tell which of its tasks have finished. The next run of "
        "the name takes their results over, and deletes it.\n"
    ) in output
    until(lambda: len(ended(parted)) == 2)
    parted.azure.faults.clear()
    output = parted.finish("--rerun-incomplete")
    assert "Nothing to be done" in output
    assert output.count("Taken over from an earlier run: ") == 2
    assert sorted(ended(parted)) == ["a", "b"]


def test_an_interrupted_run_keeps_what_has_ended_since_the_last_poll(parted):
    parted = parted("ab")
    process = started(parted, "--seconds-between-status-checks", "15")
    open_gates(parted, "a")
    until(lambda: ended(parted) == ["a"], process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    parted.check_clean()
    output = parted.finish("--dry-run")
    assert "rule b:" in output and "rule a:" not in output


def test_a_task_that_does_not_end_is_waited_for_no_longer_than_said(azure, monkeypatch):
    """And no further task of the dead run begins."""
    for name, value in azure.caller().items():
        monkeypatch.setenv(name, value)
    url = f"https://{NAMES['batch_account']}.{NAMES['region']}.batch.azure.com"
    batch, _ = account.clients(SimpleNamespace(account_url=url, subscription_id="s"))
    standin = azure.account
    standin.pools["tigerbush-x"] = Pool({"properties": {}}, [Node("tvm-0", 1)])
    standin.data("POST", "/jobs", {"id": "x", "poolInfo": {"poolId": "tigerbush-x"}})
    for name in ("one", "two"):
        standin.data("POST", "/jobs/x/tasks", {"id": name, "commandLine": "sleep 300"})
    said = []
    monkeypatch.setattr(takeover, "WAIT_MINUTES", 1 / 60)
    start = time.monotonic()
    takeover._let_end(batch, "x", 0.1, said.append)
    assert 1 < time.monotonic() - start < 20
    assert len(said) == 1
    assert {name: task.state for name, task in standin.tasks["x"].items()} == {
        "one": "running",
        "two": "active",
    }
    assert takeover.succeeded(batch, "x") == set()
