"""The mark of a run on a disk: what is left of it, and what a full or silent disk makes of it."""

import os
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from blobs_in_memory import ELSEWHERE
from tigerbush.errors import TigerbushError, WriteError
from tigerbush.runs import folder as run_folder
from tigerbush.runs import judge as run_judge
from tigerbush.runs.folder import Folder, read
from tigerbush.runs.judge import Judge
from tigerbush.runs.mark import Mark, own_mark, who

OTHER = replace(ELSEWHERE, token=ELSEWHERE.token.replace("0", "1"), pid=7)


@pytest.fixture
def place(tmp_path):
    return Folder(tmp_path / "results")


@pytest.fixture
def mine(tmp_path):
    return own_mark("local", tmp_path)


@pytest.fixture
def judge(tmp_path):
    return Judge("results", tmp_path)


def write(path, mark, age=0.0):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(mark.encoded())
    os.utime(path, (time.time() - age,) * 2)


def test_where_the_mark_is(place, tmp_path):
    assert (place.folder, place.path, place.name) == (
        tmp_path / "results",
        tmp_path / "results" / ".run.json",
        f"{tmp_path}/results",
    )
    assert (place.renew_seconds, place.look(), place.created) == (60, None, False)
    assert not place.folder.exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_a_run_has_made_is_removed(place, mine, judge, there):
    if there:
        place.folder.mkdir()
    place.take(mine, judge)
    assert (place.created, read(place.path)[0]) == (not there, mine)
    place.release(mine)
    assert place.folder.exists() == there


def test_what_is_left_of_successions_is_unlocked(place, mine, tmp_path):
    """Of a run that died while it succeeded another: dead or silent ones, but not of one that is alive."""
    place.folder.mkdir()
    names = {name: place.folder / f".run-{name}.json" for name in ("silent", "alive", "none")}
    write(names["silent"], ELSEWHERE, 700)
    write(names["alive"], ELSEWHERE, 10)
    write(names["none"], Mark(), 700)
    (place.folder / "run-x.json").write_text("mine")
    place.unlock(mine, Judge("results", tmp_path, unlocking=True))
    assert sorted(path.name for path in place.folder.iterdir()) == [".run-alive.json", "run-x.json"]
    write(place.path, ELSEWHERE, 700)
    place.unlock(mine, Judge("results", tmp_path, unlocking=True))
    assert not place.path.exists()
    write(place.path, ELSEWHERE, 10)
    with pytest.raises(TigerbushError, match=r"^another run is at work on results \(process 4711 on login1"):
        place.unlock(mine, Judge("results", tmp_path, unlocking=True))


def test_a_successor_that_is_alive_is_not_disturbed(place, mine, judge):
    dead = replace(mine, token=ELSEWHERE.token, pid=2**31 - 1)
    write(place.path, dead)
    successor = place.folder / f".run-{dead.token}.json"
    write(successor, OTHER)
    with pytest.raises(TigerbushError, match="process 7 on login1"):
        place.take(mine, judge)
    assert (read(place.path)[0], read(successor)[0]) == (dead, OTHER)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_mark_that_cannot_be_filled_is_taken_away(place, mine, judge, monkeypatch, error):
    """Unfilled it would pass for another run's."""

    def full(*_):
        raise error

    monkeypatch.setattr(run_folder.os, "write", full)
    with pytest.raises(WriteError if isinstance(error, OSError) else KeyboardInterrupt) as raised:
        place.take(mine, judge)
    assert list(place.folder.iterdir()) == []
    if isinstance(error, OSError):
        assert str(raised.value) == (
            f"{place.path} cannot be written (No space left on device); fix that and run again."
        )


def test_so_often_a_mark_is_tried_for(place, mine, judge, monkeypatch):
    """Others come and go meanwhile."""
    tried = []
    monkeypatch.setattr(run_folder, "_TRIES", 3)
    monkeypatch.setattr(run_folder, "_made", lambda path, mark: bool(tried.append(path)))
    with pytest.raises(WriteError) as error:
        place.take(mine, judge)
    assert str(error.value) == f"{place.path} cannot be written (File exists); fix that and run again."
    assert tried == [place.path] * 3


def test_the_age_of_a_mark(place, monkeypatch, tmp_path):
    """By the clock of the file system, or by ours where nothing can be written; what is empty is waited for, but not long."""
    write(place.path, OTHER, 40)
    assert read(place.path) == (OTHER, pytest.approx(40, abs=5))
    monkeypatch.setattr(run_folder.tempfile, "TemporaryFile", lambda dir: open(tmp_path / "none" / "x"))  # noqa: SIM115, PTH123
    changed = place.path.stat().st_mtime
    waited = []
    clock = SimpleNamespace(
        time=lambda: changed + 7.5, monotonic=lambda: 100.0 + len(waited), sleep=waited.append
    )
    monkeypatch.setattr(run_folder, "time", clock)
    assert read(place.path) == (OTHER, pytest.approx(7.5, abs=1e-6))
    place.path.write_bytes(b"")
    changed = place.path.stat().st_mtime - 7.5 + 0.5
    assert read(place.path) == (Mark(), pytest.approx(0.5, abs=1e-6))
    assert waited == [0.02, 0.02]
    # an old one is no longer being filled
    waited.clear()
    changed += 1
    assert read(place.path) == (Mark(), pytest.approx(1.5, abs=1e-6))
    assert waited == []


def test_a_mark_is_renewed_or_lost(place, mine):
    write(place.path, mine, 300)
    place.renew(mine)
    assert time.time() - place.path.stat().st_mtime < 100
    place.path.unlink()
    place.renew(mine)
    assert read(place.path)[0] == mine
    place.rewrite(replace(mine, slurm="x"))
    assert read(place.path)[0].slurm == "x"
    write(place.path, ELSEWHERE, 30)
    with pytest.raises(TigerbushError) as error:
        place.renew(mine)
    assert str(error.value).startswith(f"{place.name} is in the hands of another run (process 4711 on login1")
    assert time.time() - place.path.stat().st_mtime > 20


def test_the_sentence_of_a_judge(tmp_path, mine):
    """A run on this machine is not waited for, one elsewhere is."""
    judge = Judge("r", tmp_path)
    assert str(judge.at_work(mine, 5)) == (
        f"another run is at work on r ({who(mine, 5)}): wait for its end, or interrupt it there."
    )
    assert str(judge.at_work(ELSEWHERE, 5)) == (
        f"another run is at work on r ({who(ELSEWHERE, 5)}): wait for its end, or interrupt it there; if its machine is gone, "
        "wait for 10 minutes without a sign."
    )
    assert not judge.known_dead(ELSEWHERE, 1e9)
    assert not judge.known_dead(replace(mine, token=""), 0)
    with pytest.raises(TigerbushError, match=r"^another run is at work on r \(process"):
        judge.known_dead(mine, 1e9)
    assert judge.known_dead(replace(mine, pid=2**31 - 1), 0)
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "a.lock").touch()
    dead = replace(mine, pid=2**31 - 1)
    for executor, rest in (
        ("local", ", and neither SLURM nor Batch has jobs of it: start snakemake with --unlock, then as usual; finished results stay."),
        ("azure", ": start snakemake with --unlock, then as usual; finished results stay, and tasks of it that Batch still has are ended."),
    ):  # fmt: skip
        other = replace(dead, executor=executor)
        with pytest.raises(TigerbushError) as error:
            judge.known_dead(other, 5)
        assert str(error.value) == f"a run on r is dead ({who(other, 5)}){rest}"
        assert replace(judge, unlocking=True).known_dead(other, 5)
    assert judge.known_dead(replace(dead, directory="/elsewhere"), 5)


def test_everybody_may_read_a_mark(place, mine, judge):
    before = os.umask(0)
    try:
        place.take(mine, judge)
    finally:
        os.umask(before)
    assert place.path.stat().st_mode & 0o777 == 0o666


def test_jobs_of_a_dead_run_are_named(tmp_path, mine, monkeypatch):
    dead = replace(mine, pid=2**31 - 1)
    monkeypatch.setattr(run_judge, "jobs_here", lambda mark: [6, 70] if mark == dead else 1 / 0)
    with pytest.raises(TigerbushError) as error:
        Judge("r", tmp_path).known_dead(dead, 5)
    assert str(error.value) == (
        f"a run on r is dead ({who(dead, 5)}), but jobs of it still run here: wait for their end, or kill them (processes 6, 70)."
    )
