"""Tasks that end while nobody looks: what they have finished counts, and nothing else does."""

import os
import signal
import time

import pytest

from azure_small import OPTIONS, SNAKEFILE, small_run

pytestmark = pytest.mark.workflow

# each ends when its gate is opened
RULES = "abc"
HEAD = (
    SNAKEFILE.partition("rule all:")[0]
    + f"""
rule all:
    input: expand("results/{{name}}.txt", name={list(RULES)})
"""
)
OPTIONS = (*OPTIONS[:-1], "sleep=0", "--azure-pool-node-count", "3")


@pytest.fixture
def parted(azure, store, tmp_path, request):
    """A run whose three tasks are under way."""
    gates = tmp_path.with_name(f"{tmp_path.name}-gates")
    gates.mkdir()
    rules = [
        f"""
rule {name}:
    output: "results/{name}.txt"
    shell: "touch {gates}/at-{name}; while [ ! -e {gates}/{name} ]; do sleep 0.1; done; echo {name} > {{output}}"
"""
        for name in RULES
    ]
    name = request.node.name.removeprefix("test_").replace("_", "-")[:30]
    run = small_run(azure, store, tmp_path, name, HEAD + "".join(rules))
    run.gates = gates
    return run


def started(run, *options):
    """Start, and wait until all tasks are at their gates."""
    process = run.start(*OPTIONS, *options)
    until(lambda: len(list(run.gates.glob("at-*"))) == len(RULES), process)
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
    assert {parted.results()[f"results/{name}.txt"] for name in RULES} == {b"a\n", b"b\n", b"c\n"}
    assert f"Using the pool tigerbush-{parted.name} that is there." in output
    parted.check_clean(killed=1)


def test_batch_does_not_answer(parted):
    """The run ends, and the next one has nothing to make again; it deletes the pool, although it needs none."""
    process = started(parted, "--azure-poll-failures", "2")
    for method in ("GET", "DELETE"):
        parted.azure.fault(method, "^/(pools|jobs)", 403, "PermissionDenied")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    [job] = parted.azure.account.jobs
    assert (
        f"The job {job} stays, which costs nothing: Batch does not tell which of its tasks have finished. The next run of "
        "the name takes their results over, and deletes it.\n"
    ) in output
    open_gates(parted, RULES)
    until(lambda: len(ended(parted)) == len(RULES))
    parted.azure.faults.clear()
    output = parted.finish(*OPTIONS[-4:], "--rerun-incomplete")
    assert "Nothing to be done" in output
    assert output.count("Taken over from an earlier run: ") == len(RULES)
    assert sorted(ended(parted)) == ["a", "b", "c"]


def test_an_interrupted_run_keeps_what_has_ended_since_the_last_poll(parted):
    process = started(parted, "--seconds-between-status-checks", "20")
    open_gates(parted, "ab")
    until(lambda: len(ended(parted)) == 2, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    parted.check_clean()
    open_gates(parted, "c")
    output = parted.finish(*OPTIONS[-4:], "--rerun-incomplete")
    assert sorted(ended(parted)) == ["a", "b", "c"]
    assert "rule c:" in output and "rule a:" not in output
