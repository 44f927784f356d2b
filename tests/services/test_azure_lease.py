"""Two runs on the same prefix of Blob storage: the lease on a real server, and real runs."""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from azure.storage.blob import BlobLeaseClient

from azure_runs import CONTAINER, AzureRun, checkout
from fabricate import name_of, scene_of
from processes import wait_until
from runs import BASE, SUMMARIES
from tigerbush.errors import TigerbushError
from tigerbush.runs import lease as run_lease
from tigerbush.runs.lease import BlobLease
from tigerbush.runs.mark import LostLockError, Mark, leftover_processes, new_mark
from tigerbush.runs.takeover import Takeover
from tigerbush.sentinel2.writer import write_product

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("azure-batch")]

TIMES = r"started [-0-9]+ [:0-9]+ UTC, last heartbeat \d+ s ago"


@pytest.fixture
def short(monkeypatch):
    """The shortest possible lease."""
    monkeypatch.setattr(run_lease, "LEASE_SECONDS", 15)
    monkeypatch.setattr(run_lease, "_POLL_SECONDS", 0.2)


@pytest.fixture
def lock(store, request):
    """Blob storage as runs see it; each `lock()` belongs to another run."""
    name = re.sub(r"\W+", "-", request.node.name)
    return lambda: BlobLease(store.service, f"az://{CONTAINER}/{name}")


def acquire(lock, mark, warnings=None):
    lock.acquire(mark, Takeover(lock.name, Path.cwd()), [].append if warnings is None else warnings.append)
    return mark


def here(**values):
    return replace(new_mark("local", Path.cwd()), **values)


def elsewhere(**values):
    return here(host="login1", machine="another", pid=4711, directory="/data/a", **values)


def without_times(text):
    return re.sub(TIMES, "started T, last heartbeat N s ago", str(text))


def sentence(name, process, rest=""):
    return (
        f"another run is using {name} ({process}, started T, last heartbeat N s ago): wait until it ends, or "
        f"interrupt it there{rest}."
    )


def test_a_run_on_this_machine_is_known_at_once(lock, short, ended):
    first, name = acquire(lock(), here()), lock().name
    with pytest.raises(TigerbushError) as raised:
        acquire(lock(), here())
    process = f"process {os.getpid()} on {first.host} in {Path.cwd()}"
    assert without_times(raised.value) == sentence(name, process)
    lock().release(first)
    with pytest.raises(Exception, match="BlobNotFound"):
        lock().blob.get_blob_properties()
    # a dead run is taken over without waiting
    acquire(lock(), here(pid=ended, directory="/data/a"))
    warnings = []
    start = time.monotonic()
    lock().release(acquire(lock(), here(), warnings))
    assert warnings == [] and time.monotonic() - start < 10


@pytest.fixture
def ended():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_run_elsewhere_is_watched(lock, short):
    """It is alive if it renews its lease; otherwise it is taken over when the lease has expired."""
    first, warnings = acquire(lock(), elsewhere()), []
    renewing = threading.Timer(1.5, lock().renew, [first])
    renewing.start()
    with pytest.raises(TigerbushError) as raised:
        acquire(lock(), here(), warnings)
    renewing.join()
    name, process = lock().name, "process 4711 on login1 in /data/a"
    assert without_times(raised.value) == sentence(
        name, process, "; if its machine is gone, wait until there has been no heartbeat for 10 minutes"
    )
    assert [without_times(text) for text in warnings] == [
        f"{name} is locked by another run ({process}, started T, last heartbeat N s ago); waiting up to 90 s to see "
        "whether it is alive."
    ]
    start = time.monotonic()
    second = acquire(lock(), here())
    assert 5 < time.monotonic() - start < 20
    # the first run, when it wakes up
    with pytest.raises(
        LostLockError, match=rf"^another run has taken over {re.escape(name)} \(process {os.getpid()} on "
    ):
        lock().renew(first)
    lock().release(first)
    lock().renew(second)
    lock().release(second)


def test_a_lease_that_no_other_run_has_taken_is_renewed_after_an_interruption(lock, short, store):
    mark = acquire(lock(), here())
    BlobLeaseClient(lock().blob).break_lease(0)
    lock().renew(mark)
    with pytest.raises(TigerbushError):
        acquire(lock(), here())
    # also when somebody has deleted the blob
    lock().release(mark)
    lock().renew(mark)
    with pytest.raises(TigerbushError):
        acquire(lock(), here())
    lock().release(mark)


def test_of_many_runs_that_start_together_one_wins(lock, ended, short):
    acquire(lock(), here(pid=ended, directory="/data/a"))
    barrier, taken, refused = threading.Barrier(8), [], []

    def compete():
        mark = here()
        barrier.wait()
        try:
            taken.append(acquire(lock(), mark))
        except TigerbushError as error:
            refused.append(error)

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 7)
    lock().release(taken[0])


def test_unlock_removes_the_marks_of_dead_runs_only(lock, ended, short):
    takeover = Takeover(lock().name, Path.cwd(), unlocking=True)
    lock().unlock(here(), takeover)
    alive = acquire(lock(), here())
    with pytest.raises(TigerbushError, match=r"^another run is using az://"):
        lock().unlock(here(), takeover)
    lock().release(alive)
    acquire(lock(), here(pid=ended))
    lock().unlock(here(), takeover)
    assert not list(lock().container.list_blob_names(name_starts_with=lock().blob.blob_name))


def prepare_run(folder, azure, store, name):
    """Prepare a run in a checkout with one product."""
    checkout(folder)
    write_product(folder / "products", name_of("20170110"), scene_of(0, clouds=[]))
    return AzureRun(folder, BASE | {"source": {"kind": "local", "path": "products"}}, azure, store, name)


def mark_in(store, name):
    blob = store.service.get_blob_client(CONTAINER, f"{name}/results/.run.json")
    with contextlib.suppress(Exception):
        return json.loads(blob.download_blob().readall())
    return None


def wait_for_result(run, process, seconds=120):
    """Wait until the first result of a job is in the container."""
    end = time.monotonic() + seconds
    while not any("/windows/" in name for name in run.results()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.2)


def test_runs_of_two_checkouts(azure, store, tmp_path):
    """The second is refused; after kill -9 it continues; a run that has lost its lease deletes nothing."""
    first, second = (prepare_run(tmp_path / name, azure, store, "two") for name in "ab")
    options = (SUMMARIES, "--cores", "1", *first.storage_options())
    process = first.start(*options)
    try:
        wait_for_result(first, process)
        host = mark_in(store, "two")["host"]
        text = without_times(second.forked([second.configured, *options], status=1))
        assert sentence("az://runs/two", f"process {process.pid} on {host} in {first.folder}") in text
        second.forked([second.configured, "--dry-run", *options])
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    # its folder is locked by Snakemake
    text = first.forked([first.configured, *options], status=1)
    assert (
        f"a run on az://runs/two has died (process {process.pid} on {host} in {first.folder}, started T, last "
        "heartbeat N s ago), and has no jobs left in SLURM or Batch: run snakemake with --unlock, then as usual; "
        "finished results are kept."
    ) in without_times(text)
    process = second.start(*options, "--rerun-incomplete")
    start = time.monotonic()
    while (mark := mark_in(store, "two")) is None or mark["pid"] != process.pid:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() - start < 120
        time.sleep(0.2)
    # stopped for so long that another run has taken the lease; a job that it has started runs to its end
    os.kill(process.pid, signal.SIGSTOP)
    lease = BlobLease(store.service, "az://runs/two")
    BlobLeaseClient(lease.blob).break_lease(0)
    # a running job would prevent the takeover
    wait_until(lambda: not leftover_processes(Mark(**mark)), 60, "its job is still running")
    other = acquire(lease, elsewhere())
    before = set(first.results())
    # by now it would have renewed the lease
    time.sleep(BlobLease.renew_seconds + 1)
    os.kill(process.pid, signal.SIGCONT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert (
        "tigerbush: another run has taken over az://runs/two (process 4711 on login1 in /data/a, started T, last "
        "heartbeat N s ago); this run ends here and deletes nothing."
    ) in without_times(output)
    assert before <= set(first.results())
    lease.release(other)
    assert mark_in(store, "two") is None
    # it has unlocked its folder
    assert list((second.folder / ".snakemake" / "locks").glob("*")) == []
