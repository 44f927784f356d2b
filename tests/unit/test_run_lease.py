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
from tigerbush.runs.judge import Judge
from tigerbush.runs.lease import Lease
from tigerbush.runs.mark import LostError, own_mark, who


@pytest.fixture
def storage(monkeypatch):
    return Storage(monkeypatch)


@pytest.fixture
def place(storage):
    return Lease(storage, "az://runs/sahel")


@pytest.fixture
def mine(tmp_path):
    return own_mark("azure", tmp_path)


@pytest.fixture
def judge(place, tmp_path):
    return Judge(place.name, tmp_path)


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
    place = Lease(storage, prefix)
    assert (place.name, storage.container, storage.blob_name, place.renew_seconds) == (
        name,
        container,
        blob,
        20,
    )


def test_a_run_that_changes_nothing_only_looks(place, storage):
    place.look()
    assert (storage.requests, storage.listed) == (["list"], {"name_starts_with": "sahel/results/.run.json", "results_per_page": 1})  # fmt: skip
    storage.faults["list"] = refused(404, ResourceNotFoundError)
    storage.faults["list"].error_code = "ContainerNotFound"
    with pytest.raises(TigerbushError) as error:
        place.look()
    assert str(error.value) == (
        "az://runs/sahel cannot be used: there is no container runs of the storage account store: check container in "
        "config/azure.yaml, or make it with ./tigerbush doctor --profile profiles/azure --create."
    )


def test_the_first_run_gets_the_lease(place, storage, mine, judge):
    said = []
    place.take(mine, judge, said.append)
    assert (storage.marked, storage.lease, said) == (mine, mine.token, [])
    assert storage.requests == ["make", "acquire", "read", "write"]
    place.rewrite(replace(mine, slurm="x"))
    assert storage.marked == replace(mine, slurm="x")
    place.release(mine)
    assert (storage.content, storage.lease) == (None, None)
    # of another run it is left alone
    storage.hold(ELSEWHERE)
    place.release(mine)
    assert storage.marked == ELSEWHERE


def test_a_dead_run_on_this_machine_is_succeeded_at_once(place, storage, mine, judge, dead):
    said = []
    storage.hold(dead)
    place.take(mine, judge, said.append)
    assert (storage.marked, storage.lease, said) == (mine, mine.token, [])
    assert [call for call in storage.calls if len(call) > 1] == [("sleep", 0.2)]


AGE = "process 4711 on login1 in /d, since noon, last sign of life {} ago"
AT_WORK = (
    "another run is at work on az://runs/sahel ({}): wait for its end, or interrupt it there; if its machine is gone, wait "
    "for 10 minutes without a sign."
)
WAITING = "az://runs/sahel is marked by another run ({}); waiting for up to 90 s to see whether it is alive."


def test_a_run_elsewhere_is_watched(place, storage, mine, judge):
    """For a minute and a half, told once; whoever renews the lease meanwhile is alive."""
    said = []
    storage.hold(ELSEWHERE, age=30)
    with pytest.raises(TigerbushError) as error:
        place.take(mine, judge, said.append)
    assert said == [WAITING.format(AGE.format("30 s"))]
    assert str(error.value) == AT_WORK.format(AGE.format("2 minutes"))
    assert storage.calls.count(("sleep", 2)) == 46
    storage.calls.clear()

    def renewed():
        if storage.calls.count(("sleep", 2)) == 3:
            storage.changed = storage.seconds

    storage.during = renewed
    with pytest.raises(TigerbushError) as error:
        place.take(mine, judge, said.append)
    assert str(error.value) == AT_WORK.format(AGE.format("0 s"))
    assert storage.calls.count(("sleep", 2)) == 3
    assert storage.marked == ELSEWHERE


def test_a_lease_that_another_takes_meanwhile(place, storage, mine, judge):
    other = replace(ELSEWHERE, token=ELSEWHERE.token.replace("0", "1"), pid=7)
    storage.hold(ELSEWHERE)

    def taken():
        changed = storage.changed
        storage.hold(other)
        storage.changed = changed

    storage.during = taken
    with pytest.raises(TigerbushError) as error:
        place.take(mine, judge, lambda _: None)
    assert str(error.value) == AT_WORK.format(AGE.format("2 s").replace("4711", "7"))
    assert storage.seconds == 2


def test_a_lease_that_ends_is_taken(place, storage, mine, judge):
    storage.hold(ELSEWHERE)

    def ended():
        if storage.seconds >= 60:
            storage.lease = None

    storage.during = ended
    place.take(mine, judge, lambda _: None)
    assert (storage.marked, storage.seconds) == (mine, 60)


def test_a_mark_that_goes_while_it_is_looked_at(place, storage, mine, judge):
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
    place.take(mine, judge, lambda _: None)
    assert (storage.marked, len(times)) == (mine, 3)
    storage.hold(ELSEWHERE)
    storage.download_blob = lambda **_: setattr(storage, "seconds", storage.seconds + 40) or missing()
    start = storage.seconds
    with pytest.raises(TigerbushError, match=r"^az://runs/sahel cannot be used: container runs .* \(404\)"):
        place.take(mine, judge, lambda _: None)
    assert storage.seconds == start + 120


def test_a_run_that_has_left_jobs_is_not_succeeded(place, storage, mine, judge, tmp_path):
    """The lease that was taken is given back."""
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").touch()
    left = replace(ELSEWHERE, directory=str(tmp_path))
    storage.hold(left)
    storage.lease = None
    with pytest.raises(TigerbushError, match=r"is dead .*start snakemake with --unlock"):
        place.take(mine, judge, lambda _: None)
    assert (storage.marked, storage.lease) == (left, None)
    assert "write" not in storage.requests
    # a mark that cannot be read names no run that could have left any
    storage.content = b"{"
    place.take(mine, judge, lambda _: None)
    assert storage.marked == mine


def test_what_the_storage_refuses(place, storage, mine, judge):
    for name, status in (("make", 403), ("acquire", 412), ("read", 500), ("write", 412)):
        storage.content = storage.lease = None
        storage.faults = {name: refused(status)}
        with pytest.raises(TigerbushError, match=r"^az://runs/sahel cannot be used: ") as error:
            place.take(mine, judge, lambda _: None)
        assert error.value.__suppress_context__
    # that the blob is there, or that its lease is another's, is none
    for status in (409, 412):
        storage.content, storage.lease, storage.faults = None, None, {"make": refused(status)}
        storage.content = b""
        place.take(mine, judge, lambda _: None)
        assert storage.marked == mine


@pytest.mark.parametrize("state", ["dead", "ended", "alive", "none"])
def test_unlocking(place, storage, mine, judge, dead, state):
    if state != "none":
        storage.hold(dead if state == "dead" else ELSEWHERE)
    if state == "ended":
        storage.lease = None
    if state == "alive":
        with pytest.raises(TigerbushError) as error:
            place.unlock(mine, judge)
        assert str(error.value) == AT_WORK.format(AGE.format("0 s"))
        assert (storage.marked, storage.lease) == (ELSEWHERE, ELSEWHERE.token)
        return
    place.unlock(mine, judge)
    assert (storage.content, storage.lease) == (None, None)
    storage.faults["read"] = ServiceRequestError("x")
    with pytest.raises(TigerbushError, match=r"^az://runs/sahel cannot be used: container runs .* \(ServiceRequestError\): x; try again\.$"):  # fmt: skip
        place.unlock(mine, judge)


def test_a_lease_is_renewed(place, storage, mine, judge):
    """With the time of the blob as the sign of life."""
    place.take(mine, judge, lambda _: None)
    storage.seconds = 20.0
    storage.calls.clear()
    place.renew(mine)
    assert (storage.requests, storage.changed) == (["renew", "write"], 20.0)


@pytest.mark.parametrize("status", [404, 409, 412])
def test_a_lease_that_has_ended_is_taken_again(place, storage, mine, status):
    """After an interruption, when nobody else has it."""
    storage.content, storage.lease = None if status == 404 else mine.encoded(), None
    if status == 412:
        storage.faults["renew"] = refused(412)
    storage.seconds = 300.0
    place.renew(mine)
    assert (storage.marked, storage.lease, storage.changed) == (mine, mine.token, 300.0)


def test_results_that_are_lost(place, storage, mine):
    storage.hold(ELSEWHERE, age=7)
    with pytest.raises(LostError) as error:
        place.renew(mine)
    assert str(error.value) == f"az://runs/sahel is in the hands of another run ({AGE.format('7 s')})"
    # its mark is not written yet
    storage.content = mine.encoded()
    with pytest.raises(LostError):
        place.renew(mine)
    assert storage.lease == ELSEWHERE.token
    for error in (refused(500), ServiceRequestError("x")):
        storage.faults["renew"] = error
        with pytest.raises(type(error)) as raised:
            place.renew(mine)
        assert raised.value is error


def test_the_release_of_a_lease_that_has_ended(place, storage, dead):
    for status in (404, 409, 412):
        storage.faults["release"] = refused(status)
        place._release(dead)
    storage.faults["release"] = refused(403)
    with pytest.raises(HttpResponseError):
        place._release(dead)


def test_a_clock_that_is_behind(place, storage):
    storage.hold(ELSEWHERE, age=-5)
    assert place._holder() == (ELSEWHERE, 0.0, NOON + timedelta(seconds=5))
    storage.hold(ELSEWHERE, age=5.5)
    assert place._holder()[1] == 5.5


def test_a_token_is_got_before_anything_is_asked(place, storage, mine, judge, monkeypatch):
    asked = []

    def log_in(service):
        asked.append(service)
        raise TigerbushError("nobody is logged in")

    monkeypatch.setattr(run_lease, "log_in", log_in)
    for method in (place.look, lambda: place.take(mine, judge, print), lambda: place.unlock(mine, judge)):
        with pytest.raises(TigerbushError, match=r"^nobody is logged in$"):
            method()
    assert (asked, storage.calls) == ([storage] * 3, [])


def test_a_blob_that_was_deleted_while_another_has_the_lease(place, storage, mine):
    storage.lease = ELSEWHERE.token
    with pytest.raises(LostError) as error:
        place.renew(mine)
    assert str(error.value) == f"az://runs/sahel is in the hands of another run ({who(mine, 0)})"
