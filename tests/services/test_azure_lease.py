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
from tigerbush.runs.judge import Judge
from tigerbush.runs.lease import Lease
from tigerbush.runs.mark import LostError, Mark, jobs_here, own_mark
from tigerbush.sentinel2.writer import write_product

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("azure-batch")]

TIMES = r"since [-0-9]+ [:0-9]+ UTC, last sign of life \d+ s ago"


@pytest.fixture
def short(monkeypatch):
    """The shortest possible lease."""
    monkeypatch.setattr(run_lease, "LEASE_SECONDS", 15)
    monkeypatch.setattr(run_lease, "_POLL_SECONDS", 0.2)


@pytest.fixture
def place(store, request):
    """Blob storage as runs see it; each `place()` belongs to another run."""
    name = re.sub(r"\W+", "-", request.node.name)
    return lambda: Lease(store.service, f"az://{CONTAINER}/{name}")


def take(place, mark, warnings=None):
    place.take(mark, Judge(place.name, Path.cwd()), [].append if warnings is None else warnings.append)
    return mark


def here(**values):
    return replace(own_mark("local", Path.cwd()), **values)


def elsewhere(**values):
    return here(host="login1", machine="another", pid=4711, directory="/data/a", **values)


def without_times(text):
    return re.sub(TIMES, "since T, last sign of life N s ago", str(text))


def sentence(name, process, rest=""):
    return (
        f"another run is at work on {name} ({process}, since T, last sign of life N s ago): wait for its end, or interrupt "
        f"it there{rest}."
    )


def test_a_run_on_this_machine_is_known_at_once(place, short, ended):
    first, name = take(place(), here()), place().name
    with pytest.raises(TigerbushError) as raised:
        take(place(), here())
    process = f"process {os.getpid()} on {first.host} in {Path.cwd()}"
    assert without_times(raised.value) == sentence(name, process)
    place().release(first)
    with pytest.raises(Exception, match="BlobNotFound"):
        place().blob.get_blob_properties()
    # a dead run is taken over without waiting
    take(place(), here(pid=ended, directory="/data/a"))
    warnings = []
    start = time.monotonic()
    place().release(take(place(), here(), warnings))
    assert warnings == [] and time.monotonic() - start < 10


@pytest.fixture
def ended():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_run_elsewhere_is_watched(place, short):
    """It is alive if it renews its lease; otherwise it is taken over when the lease has expired."""
    first, warnings = take(place(), elsewhere()), []
    renewing = threading.Timer(1.5, place().renew, [first])
    renewing.start()
    with pytest.raises(TigerbushError) as raised:
        take(place(), here(), warnings)
    renewing.join()
    name, process = place().name, "process 4711 on login1 in /data/a"
    assert without_times(raised.value) == sentence(
        name, process, "; if its machine is gone, wait for 10 minutes without a sign"
    )
    assert [without_times(text) for text in warnings] == [
        f"{name} is marked by another run ({process}, since T, last sign of life N s ago); waiting for up to 90 s to see "
        "whether it is alive."
    ]
    start = time.monotonic()
    second = take(place(), here())
    assert 5 < time.monotonic() - start < 20
    # the first run, when it wakes up
    with pytest.raises(
        LostError, match=rf"^{re.escape(name)} is in the hands of another run \(process {os.getpid()} on "
    ):
        place().renew(first)
    place().release(first)
    place().renew(second)
    place().release(second)


def test_a_lease_that_no_other_run_has_taken_is_renewed_after_an_interruption(place, short, store):
    mark = take(place(), here())
    BlobLeaseClient(place().blob).break_lease(0)
    place().renew(mark)
    with pytest.raises(TigerbushError):
        take(place(), here())
    # also when somebody has deleted the blob
    place().release(mark)
    place().renew(mark)
    with pytest.raises(TigerbushError):
        take(place(), here())
    place().release(mark)


def test_of_many_runs_that_start_together_one_wins(place, ended, short):
    take(place(), here(pid=ended, directory="/data/a"))
    barrier, taken, refused = threading.Barrier(8), [], []

    def compete():
        mark = here()
        barrier.wait()
        try:
            taken.append(take(place(), mark))
        except TigerbushError as error:
            refused.append(error)

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), len(refused)) == (1, 7)
    place().release(taken[0])


def test_unlock_removes_the_marks_of_dead_runs_only(place, ended, short):
    judge = Judge(place().name, Path.cwd(), unlocking=True)
    place().unlock(here(), judge)
    alive = take(place(), here())
    with pytest.raises(TigerbushError, match=r"^another run is at work on az://"):
        place().unlock(here(), judge)
    place().release(alive)
    take(place(), here(pid=ended))
    place().unlock(here(), judge)
    assert not list(place().container.list_blob_names(name_starts_with=place().blob.blob_name))


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
    while not any("/products/" in name for name in run.results()):
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
        text = second.forked([second.configured, *options], status=1)
        assert sentence(
            "az://runs/two", f"process {process.pid} on {host} in {first.folder}"
        ) in without_times(text)
        second.forked([second.configured, "--dry-run", *options])
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    # its folder is locked by Snakemake
    text = first.forked([first.configured, *options], status=1)
    assert (
        f"a run on az://runs/two is dead (process {process.pid} on {host} in {first.folder}, since T, last sign of life N s "
        "ago), and neither SLURM nor Batch has jobs of it: start snakemake with --unlock, then as usual; finished results "
        "stay."
    ) in without_times(text)
    process = second.start(*options, "--rerun-incomplete")
    start = time.monotonic()
    while (mark := mark_in(store, "two")) is None or mark["pid"] != process.pid:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() - start < 120
        time.sleep(0.2)
    # stopped for so long that another run has taken the lease; a job that it has started runs to its end
    os.kill(process.pid, signal.SIGSTOP)
    lease = Lease(store.service, "az://runs/two")
    BlobLeaseClient(lease.blob).break_lease(0)
    # a running job would prevent the takeover
    wait_until(lambda: not jobs_here(Mark(**mark)), 60, "its job is still running")
    other = take(lease, elsewhere())
    before = set(first.results())
    # by now it would have renewed the lease
    time.sleep(Lease.renew_seconds + 1)
    os.kill(process.pid, signal.SIGCONT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert (
        "tigerbush: az://runs/two is in the hands of another run (process 4711 on login1 in /data/a, since T, last sign of "
        "life N s ago); this run ends here and deletes nothing."
    ) in without_times(output)
    assert before <= set(first.results())
    lease.release(other)
    assert mark_in(store, "two") is None
    # it has unlocked its folder
    assert list((second.folder / ".snakemake" / "locks").glob("*")) == []
