"""The mark of a run on a disk: what is left of it, and what a full or silent disk makes of it."""

import os
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from blobs_in_memory import ELSEWHERE
from tigerbush.errors import TigerbushError, WriteError
from tigerbush.runs import lock_file as run_lock_file
from tigerbush.runs import takeover as run_takeover
from tigerbush.runs.lock_file import LockFile, read_mark
from tigerbush.runs.mark import Mark, describe_run, new_mark
from tigerbush.runs.takeover import Takeover

OTHER = replace(ELSEWHERE, token=ELSEWHERE.token.replace("0", "1"), pid=7)


@pytest.fixture
def lock(tmp_path):
    return LockFile(tmp_path / "results")


@pytest.fixture
def mine(tmp_path):
    return new_mark("local", tmp_path)


@pytest.fixture
def takeover(tmp_path):
    return Takeover("results", tmp_path)


def write(path, mark, age=0.0):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(mark.encode())
    os.utime(path, (time.time() - age,) * 2)


def test_where_the_mark_is(lock, tmp_path):
    assert (lock.folder, lock.path, lock.name) == (
        tmp_path / "results",
        tmp_path / "results" / ".run.json",
        f"{tmp_path}/results",
    )
    assert (lock.renew_seconds, lock.check_access(), lock.created) == (60, None, False)
    assert not lock.folder.exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_a_run_has_made_is_removed(lock, mine, takeover, there):
    if there:
        lock.folder.mkdir()
    lock.acquire(mine, takeover)
    assert (lock.created, read_mark(lock.path)[0]) == (not there, mine)
    lock.release(mine)
    assert lock.folder.exists() == there


def test_what_is_left_of_successions_is_unlocked(lock, mine, tmp_path):
    """Of a run that died while it succeeded another: dead or silent ones, but not of one that is alive."""
    lock.folder.mkdir()
    names = {name: lock.folder / f".run-{name}.json" for name in ("silent", "alive", "none")}
    write(names["silent"], ELSEWHERE, 700)
    write(names["alive"], ELSEWHERE, 10)
    write(names["none"], Mark(), 700)
    (lock.folder / "run-x.json").write_text("mine")
    lock.unlock(mine, Takeover("results", tmp_path, unlocking=True))
    assert sorted(path.name for path in lock.folder.iterdir()) == [".run-alive.json", "run-x.json"]
    write(lock.path, ELSEWHERE, 700)
    lock.unlock(mine, Takeover("results", tmp_path, unlocking=True))
    assert not lock.path.exists()
    write(lock.path, ELSEWHERE, 10)
    with pytest.raises(TigerbushError, match=r"^another run is using results \(process 4711 on login1"):
        lock.unlock(mine, Takeover("results", tmp_path, unlocking=True))


def test_a_successor_that_is_alive_is_not_disturbed(lock, mine, takeover):
    dead = replace(mine, token=ELSEWHERE.token, pid=2**31 - 1)
    write(lock.path, dead)
    successor = lock.folder / f".run-{dead.token}.json"
    write(successor, OTHER)
    with pytest.raises(TigerbushError, match="process 7 on login1"):
        lock.acquire(mine, takeover)
    assert (read_mark(lock.path)[0], read_mark(successor)[0]) == (dead, OTHER)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_mark_that_cannot_be_filled_is_taken_away(lock, mine, takeover, monkeypatch, error):
    """Unfilled it would pass for another run's."""

    def full(*_):
        raise error

    monkeypatch.setattr(run_lock_file.os, "write", full)
    with pytest.raises(WriteError if isinstance(error, OSError) else KeyboardInterrupt) as raised:
        lock.acquire(mine, takeover)
    assert list(lock.folder.iterdir()) == []
    if isinstance(error, OSError):
        assert str(raised.value) == (
            f"{lock.path} cannot be written (No space left on device); fix that and run again."
        )


def test_so_often_a_mark_is_tried_for(lock, mine, takeover, monkeypatch):
    """Others come and go meanwhile."""
    tried = []
    monkeypatch.setattr(run_lock_file, "_TRIES", 3)
    monkeypatch.setattr(run_lock_file, "_create", lambda path, mark: bool(tried.append(path)))
    with pytest.raises(WriteError) as error:
        lock.acquire(mine, takeover)
    assert str(error.value) == f"{lock.path} cannot be written (File exists); fix that and run again."
    assert tried == [lock.path] * 3


def test_the_age_of_a_mark(lock, monkeypatch, tmp_path):
    """By the clock of the file system, or by ours where nothing can be written; what is empty is waited for, but not long."""
    write(lock.path, OTHER, 40)
    assert read_mark(lock.path) == (OTHER, pytest.approx(40, abs=5))
    monkeypatch.setattr(run_lock_file.tempfile, "TemporaryFile", lambda dir: open(tmp_path / "none" / "x"))  # noqa: SIM115, PTH123
    changed = lock.path.stat().st_mtime
    waited = []
    clock = SimpleNamespace(
        time=lambda: changed + 7.5, monotonic=lambda: 100.0 + len(waited), sleep=waited.append
    )
    monkeypatch.setattr(run_lock_file, "time", clock)
    assert read_mark(lock.path) == (OTHER, pytest.approx(7.5, abs=1e-6))
    lock.path.write_bytes(b"")
    changed = lock.path.stat().st_mtime - 7.5 + 0.5
    assert read_mark(lock.path) == (Mark(), pytest.approx(0.5, abs=1e-6))
    assert waited == [0.02, 0.02]
    # an old one is no longer being filled
    waited.clear()
    changed += 1
    assert read_mark(lock.path) == (Mark(), pytest.approx(1.5, abs=1e-6))
    assert waited == []


def test_a_mark_is_renewed_or_lost(lock, mine):
    write(lock.path, mine, 300)
    lock.renew(mine)
    assert time.time() - lock.path.stat().st_mtime < 100
    lock.path.unlink()
    lock.renew(mine)
    assert read_mark(lock.path)[0] == mine
    lock.update(replace(mine, slurm="x"))
    assert read_mark(lock.path)[0].slurm == "x"
    write(lock.path, ELSEWHERE, 30)
    with pytest.raises(TigerbushError) as error:
        lock.renew(mine)
    assert str(error.value).startswith(f"another run has taken over {lock.name} (process 4711 on login1")
    assert time.time() - lock.path.stat().st_mtime > 20


def test_the_sentence_of_a_judge(tmp_path, mine):
    """A run on this machine is not waited for, one elsewhere is."""
    takeover = Takeover("r", tmp_path)
    assert str(takeover.still_running(mine, 5)) == (
        f"another run is using r ({describe_run(mine, 5)}): wait until it ends, or interrupt it there."
    )
    assert str(takeover.still_running(ELSEWHERE, 5)) == (
        f"another run is using r ({describe_run(ELSEWHERE, 5)}): wait until it ends, or interrupt it there; if its "
        "machine is gone, wait until there has been no heartbeat for 10 minutes."
    )
    assert not takeover.known_dead(ELSEWHERE, 1e9)
    assert not takeover.known_dead(replace(mine, token=""), 0)
    with pytest.raises(TigerbushError, match=r"^another run is using r \(process"):
        takeover.known_dead(mine, 1e9)
    assert takeover.known_dead(replace(mine, pid=2**31 - 1), 0)
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "a.lock").touch()
    dead = replace(mine, pid=2**31 - 1)
    for executor, rest in (
        ("local", ", and has no jobs left in SLURM or Batch: run snakemake with --unlock, then as usual; finished results are kept."),
        ("azure", ": run snakemake with --unlock, then as usual; finished results are kept, and tasks still in Batch are terminated."),
    ):  # fmt: skip
        other = replace(dead, executor=executor)
        with pytest.raises(TigerbushError) as error:
            takeover.known_dead(other, 5)
        assert str(error.value) == f"a run on r has died ({describe_run(other, 5)}){rest}"
        assert replace(takeover, unlocking=True).known_dead(other, 5)
    assert takeover.known_dead(replace(dead, directory="/elsewhere"), 5)


def test_everybody_may_read_a_mark(lock, mine, takeover):
    before = os.umask(0)
    try:
        lock.acquire(mine, takeover)
    finally:
        os.umask(before)
    assert lock.path.stat().st_mode & 0o777 == 0o666


def test_jobs_of_a_dead_run_are_named(tmp_path, mine, monkeypatch):
    dead = replace(mine, pid=2**31 - 1)
    monkeypatch.setattr(run_takeover, "leftover_processes", lambda mark: [6, 70] if mark == dead else 1 / 0)
    with pytest.raises(TigerbushError) as error:
        Takeover("r", tmp_path).known_dead(dead, 5)
    assert str(error.value) == (
        f"a run on r has died ({describe_run(dead, 5)}), but its jobs are still running here: wait until they end, "
        "or kill them (processes 6, 70)."
    )
