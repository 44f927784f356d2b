"""The mark of a run in Blob storage: who gets the lease, who waits for whom, and who has lost it; in memory."""

from dataclasses import replace
from datetime import timedelta

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)

from blobs_in_memory import ELSEWHERE, NOON, Storage, refused
from tigerbush.errors import TigerbushError
from tigerbush.runs import lease as run_lease
from tigerbush.runs.lease import BlobLease
from tigerbush.runs.mark import LostLockError, describe_run, new_mark
from tigerbush.runs.takeover import Takeover


@pytest.fixture
def storage(monkeypatch):
    return Storage(monkeypatch)


@pytest.fixture
def lock(storage):
    return BlobLease(storage, "az://runs/sahel")


@pytest.fixture
def mine(tmp_path):
    return new_mark("azure", tmp_path)


@pytest.fixture
def takeover(lock, tmp_path):
    return Takeover(lock.name, tmp_path)


@pytest.fixture
def dead(mine, tmp_path):
    """A run on this machine whose process is gone."""
    return replace(
        mine, token=ELSEWHERE.token, pid=2**31 - 1, executor="local", directory=str(tmp_path / "other")
    )


@pytest.mark.parametrize(
    ("prefix", "name", "container", "blob"),
    [
        ("az://runs/sahel", "az://runs/sahel", "runs", "sahel/results/.run.json"),
        ("az://runs/a/b/", "az://runs/a/b", "runs", "a/b/results/.run.json"),
        ("az://runs", "az://runs", "runs", "results/.run.json"),
        ("az://runs/", "az://runs", "runs", "results/.run.json"),
    ],
)
def test_where_the_mark_is(storage, prefix, name, container, blob):
    lock = BlobLease(storage, prefix)
    assert (lock.name, storage.container, storage.blob_name, lock.renew_seconds) == (
        name,
        container,
        blob,
        20,
    )


def test_a_run_that_changes_nothing_only_looks(lock, storage):
    lock.check_access()
    assert (storage.requests, storage.listed) == (["list"], {"name_starts_with": "sahel/results/.run.json", "results_per_page": 1})  # fmt: skip
    storage.faults["list"] = refused(404, ResourceNotFoundError)
    storage.faults["list"].error_code = "ContainerNotFound"
    with pytest.raises(TigerbushError) as error:
        lock.check_access()
    assert str(error.value) == (
        "az://runs/sahel cannot be used: there is no container runs of storage account store: check container in "
        "config/azure.yaml, or create it with ./tigerbush doctor --profile profiles/azure --create."
    )


def test_the_first_run_gets_the_lease(lock, storage, mine, takeover):
    messages = []
    lock.acquire(mine, takeover, messages.append)
    assert (storage.marked, storage.lease, messages) == (mine, mine.token, [])
    assert storage.requests == ["make", "acquire", "read", "write"]
    lock.update(replace(mine, slurm="x"))
    assert storage.marked == replace(mine, slurm="x")
    lock.release(mine)
    assert (storage.content, storage.lease) == (None, None)
    # of another run it is left exclusive_run
    storage.hold(ELSEWHERE)
    lock.release(mine)
    assert storage.marked == ELSEWHERE


def test_a_dead_run_on_this_machine_is_succeeded_at_once(lock, storage, mine, takeover, dead):
    messages = []
    storage.hold(dead)
    lock.acquire(mine, takeover, messages.append)
    assert (storage.marked, storage.lease, messages) == (mine, mine.token, [])
    assert [call for call in storage.calls if len(call) > 1] == [("sleep", 0.2)]


AGE = "process 4711 on login1 in /d, started noon, last heartbeat {} ago"
AT_WORK = (
    "another run is using az://runs/sahel ({}): wait until it ends, or interrupt it there; if its machine is gone, "
    "wait until there has been no heartbeat for 10 minutes."
)
WAITING = "az://runs/sahel is locked by another run ({}); waiting up to 90 s to see whether it is alive."


def test_a_run_elsewhere_is_watched(lock, storage, mine, takeover):
    """For a minute and a half, reported once; whoever renews the lease meanwhile is alive."""
    messages = []
    storage.hold(ELSEWHERE, age=30)
    with pytest.raises(TigerbushError) as error:
        lock.acquire(mine, takeover, messages.append)
    assert messages == [WAITING.format(AGE.format("30 s"))]
    assert str(error.value) == AT_WORK.format(AGE.format("2 minutes"))
    assert storage.calls.count(("sleep", 2)) == 46
    storage.calls.clear()

    def renewed():
        if storage.calls.count(("sleep", 2)) == 3:
            storage.changed = storage.seconds

    storage.during = renewed
    with pytest.raises(TigerbushError) as error:
        lock.acquire(mine, takeover, messages.append)
    assert str(error.value) == AT_WORK.format(AGE.format("0 s"))
    assert storage.calls.count(("sleep", 2)) == 3
    assert storage.marked == ELSEWHERE


def test_a_lease_that_another_takes_meanwhile(lock, storage, mine, takeover):
    other = replace(ELSEWHERE, token=ELSEWHERE.token.replace("0", "1"), pid=7)
    storage.hold(ELSEWHERE)

    def taken():
        changed = storage.changed
        storage.hold(other)
        storage.changed = changed

    storage.during = taken
    with pytest.raises(TigerbushError) as error:
        lock.acquire(mine, takeover, lambda _: None)
    assert str(error.value) == AT_WORK.format(AGE.format("2 s").replace("4711", "7"))
    assert storage.seconds == 2


def test_a_lease_that_ends_is_taken(lock, storage, mine, takeover):
    storage.hold(ELSEWHERE)

    def ended():
        if storage.seconds >= 60:
            storage.lease = None

    storage.during = ended
    lock.acquire(mine, takeover, lambda _: None)
    assert (storage.marked, storage.seconds) == (mine, 60)


def test_a_mark_that_goes_while_it_is_looked_at(lock, storage, mine, takeover):
    """Its run has ended; but not for ever."""
    storage.hold(ELSEWHERE)
    read, times = storage.download_blob, []

    def gone(**options):
        times.append(storage.seconds)
        storage.seconds += 40
        if len(times) == 2:
            storage.content = storage.lease = None
        return read(**options) if len(times) > 2 else storage.missing()

    def missing():
        raise refused(404, ResourceNotFoundError)

    storage.missing, storage.download_blob = missing, gone
    lock.acquire(mine, takeover, lambda _: None)
    assert (storage.marked, len(times)) == (mine, 3)
    storage.hold(ELSEWHERE)
    storage.download_blob = lambda **_: setattr(storage, "seconds", storage.seconds + 40) or missing()
    start = storage.seconds
    with pytest.raises(
        TigerbushError,
        match=r"^az://runs/sahel cannot be used: unexpected answer from container runs .* \(404\)",
    ):
        lock.acquire(mine, takeover, lambda _: None)
    assert storage.seconds == start + 120


def test_a_run_that_has_left_jobs_is_not_succeeded(lock, storage, mine, takeover, tmp_path):
    """The lease that was taken is given back."""
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").touch()
    left = replace(ELSEWHERE, directory=str(tmp_path))
    storage.hold(left)
    storage.lease = None
    with pytest.raises(TigerbushError, match=r"has died .*run snakemake with --unlock"):
        lock.acquire(mine, takeover, lambda _: None)
    assert (storage.marked, storage.lease) == (left, None)
    assert "write" not in storage.requests
    # a mark that cannot be read names no run that could have left any
    storage.content = b"{"
    lock.acquire(mine, takeover, lambda _: None)
    assert storage.marked == mine


def test_what_the_storage_refuses(lock, storage, mine, takeover):
    for name, status in (("make", 403), ("acquire", 412), ("read", 500), ("write", 412)):
        storage.content = storage.lease = None
        storage.faults = {name: refused(status)}
        with pytest.raises(TigerbushError, match=r"^az://runs/sahel cannot be used: ") as error:
            lock.acquire(mine, takeover, lambda _: None)
        assert error.value.__suppress_context__
    # that the blob is there, or that its lease is another's, is none
    for status in (409, 412):
        storage.content, storage.lease, storage.faults = None, None, {"make": refused(status)}
        storage.content = b""
        lock.acquire(mine, takeover, lambda _: None)
        assert storage.marked == mine


@pytest.mark.parametrize("state", ["dead", "ended", "alive", "none"])
def test_unlocking(lock, storage, mine, takeover, dead, state):
    if state != "none":
        storage.hold(dead if state == "dead" else ELSEWHERE)
    if state == "ended":
        storage.lease = None
    if state == "alive":
        with pytest.raises(TigerbushError) as error:
            lock.unlock(mine, takeover)
        assert str(error.value) == AT_WORK.format(AGE.format("0 s"))
        assert (storage.marked, storage.lease) == (ELSEWHERE, ELSEWHERE.token)
        return
    lock.unlock(mine, takeover)
    assert (storage.content, storage.lease) == (None, None)
    storage.faults["read"] = ServiceRequestError("x")
    with pytest.raises(TigerbushError, match=r"^az://runs/sahel cannot be used: unexpected answer from container runs .* \(ServiceRequestError\): x; try again\.$"):  # fmt: skip
        lock.unlock(mine, takeover)


def test_a_lease_is_renewed(lock, storage, mine, takeover):
    """With the time of the blob as the heartbeat."""
    lock.acquire(mine, takeover, lambda _: None)
    storage.seconds = 20.0
    storage.calls.clear()
    lock.renew(mine)
    assert (storage.requests, storage.changed) == (["renew", "write"], 20.0)


@pytest.mark.parametrize("status", [404, 409, 412])
def test_a_lease_that_has_ended_is_taken_again(lock, storage, mine, status):
    """After an interruption, when no other run has it."""
    storage.content, storage.lease = None if status == 404 else mine.encode(), None
    if status == 412:
        storage.faults["renew"] = refused(412)
    storage.seconds = 300.0
    lock.renew(mine)
    assert (storage.marked, storage.lease, storage.changed) == (mine, mine.token, 300.0)


def test_results_that_are_lost(lock, storage, mine):
    storage.hold(ELSEWHERE, age=7)
    with pytest.raises(LostLockError) as error:
        lock.renew(mine)
    assert str(error.value) == f"another run has taken over az://runs/sahel ({AGE.format('7 s')})"
    # its mark is not written yet
    storage.content = mine.encode()
    with pytest.raises(LostLockError):
        lock.renew(mine)
    assert storage.lease == ELSEWHERE.token
    for error in (refused(500), ServiceRequestError("x")):
        storage.faults["renew"] = error
        with pytest.raises(type(error)) as raised:
            lock.renew(mine)
        assert raised.value is error


def test_the_release_of_a_lease_that_has_ended(lock, storage, dead):
    for status in (404, 409, 412):
        storage.faults["release"] = refused(status)
        lock._release(dead)
    storage.faults["release"] = refused(403)
    with pytest.raises(HttpResponseError):
        lock._release(dead)


def test_a_clock_that_is_behind(lock, storage):
    storage.hold(ELSEWHERE, age=-5)
    assert lock._holder() == (ELSEWHERE, 0.0, NOON + timedelta(seconds=5))
    storage.hold(ELSEWHERE, age=5.5)
    assert lock._holder()[1] == 5.5


def test_a_token_is_got_before_anything_is_asked(lock, storage, mine, takeover, monkeypatch):
    asked = []

    def log_in(service):
        asked.append(service)
        raise TigerbushError("not logged in")

    monkeypatch.setattr(run_lease, "log_in", log_in)
    for method in (
        lock.check_access,
        lambda: lock.acquire(mine, takeover, print),
        lambda: lock.unlock(mine, takeover),
    ):
        with pytest.raises(TigerbushError, match=r"^not logged in$"):
            method()
    assert (asked, storage.calls) == ([storage] * 3, [])


def test_a_blob_that_was_deleted_while_another_has_the_lease(lock, storage, mine):
    storage.lease = ELSEWHERE.token
    with pytest.raises(LostLockError) as error:
        lock.renew(mine)
    assert str(error.value) == f"another run has taken over az://runs/sahel ({describe_run(mine, 0)})"
