"""What a run says of another one, and when it may succeed it."""

from dataclasses import replace

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.runs import judge as run_judge
from tigerbush.runs import mark as run_mark
from tigerbush.runs.judge import Judge, slurm_jobs
from tigerbush.runs.mark import Mark, machine, own_mark

TOKEN = "01234567-89ab-cdef-0123-456789abcdef"  # noqa: S105 - the name of a run
UNLOCK = "start snakemake with --unlock, then as usual; finished results stay"
AGE = 1500
DEAD = "a run on results is dead (process 4711 on login1 in {}, since noon, last sign of life 25 minutes ago)"
AT_WORK = (
    "another run is at work on results (process {} on login1 in {}, since noon, last sign of life 25 minutes ago): wait "
    "for its end, or interrupt it there"
)


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch):
    monkeypatch.setattr(run_judge, "jobs_here", lambda mark: [])
    monkeypatch.setattr(run_judge, "slurm_queue", lambda name: [])


@pytest.fixture
def dead(tmp_path, monkeypatch):
    """A run of this machine whose process is gone."""
    monkeypatch.setattr(run_mark, "started", lambda pid: None if pid == 4711 else "now")
    return Mark(TOKEN, "login1", machine(), 4711, "then", "noon", str(tmp_path), "local")


def locked(folder):
    (folder / ".snakemake" / "locks").mkdir(parents=True)
    (folder / ".snakemake" / "locks" / "0.lock").touch()


def sentence(judge, call, other, age=AGE):
    with pytest.raises(TigerbushError) as raised:
        getattr(judge, call)(other, age)
    return str(raised.value)


def test_a_run_at_work_is_waited_for(tmp_path, dead):
    judge = Judge("results", tmp_path)
    said = AT_WORK.format(4711, tmp_path)
    assert str(judge.at_work(dead, AGE)) == f"{said}."
    elsewhere = replace(dead, machine="another")
    assert (
        str(judge.at_work(elsewhere, AGE))
        == f"{said}; if its machine is gone, wait for 10 minutes without a sign."
    )


def test_a_process_here_is_known_to_be_dead(tmp_path, dead):
    judge = Judge("results", tmp_path)
    assert judge.known_dead(dead, AGE) is True
    # the number was given to another process
    assert judge.known_dead(replace(dead, pid=1), AGE) is True
    for unknown in (replace(dead, token=""), replace(dead, machine="another"), Mark(machine=machine())):
        assert judge.known_dead(unknown, 10_000) is False


def test_a_process_here_that_is_alive_or_cannot_be_told_is_at_work(tmp_path, dead, monkeypatch):
    judge = Judge("results", tmp_path)
    alive = replace(dead, pid=5, started="now")
    assert sentence(judge, "known_dead", alive) == f"{AT_WORK.format(5, tmp_path)}."
    monkeypatch.setattr(run_mark, "started", lambda pid: "")
    assert sentence(judge, "known_dead", dead) == f"{AT_WORK.format(4711, tmp_path)}."


@pytest.mark.parametrize("call", ["known_dead", "refuse_unless_gone", "refuse_leftovers"])
def test_what_a_dead_run_has_left_is_named(tmp_path, dead, monkeypatch, call):
    said, judge = DEAD.format(tmp_path), Judge("results", tmp_path)
    locked(tmp_path)
    assert sentence(judge, call, dead) == f"{said}, and neither SLURM nor Batch has jobs of it: {UNLOCK}."
    azure = replace(dead, executor="azure-batch")
    assert (
        sentence(judge, call, azure) == f"{said}: {UNLOCK}, and tasks of it that Batch still has are ended."
    )
    # what is locked is for --unlock, and of another folder it is no matter
    for other in (replace(judge, unlocking=True), Judge("results", tmp_path / "there")):
        assert getattr(other, call)(dead, AGE) is (True if call == "known_dead" else None)
    monkeypatch.setattr(run_judge, "slurm_queue", lambda name: ["job"] * 3 if name == "run-7" else [])
    slurm = replace(dead, executor="slurm", slurm="run-7")
    for one in (judge, replace(judge, unlocking=True)):
        assert sentence(one, call, slurm) == (
            f"{said}, but 3 of its jobs are still in SLURM: wait until `squeue --name run-7` is empty, or cancel them with "
            "`scancel --name run-7`, then start again."
        )
        monkeypatch.setattr(run_judge, "jobs_here", lambda mark: [17, 4])
        assert sentence(one, call, slurm) == (
            f"{said}, but jobs of it still run here: wait for their end, or kill them (processes 17, 4)."
        )
        monkeypatch.setattr(run_judge, "jobs_here", lambda mark: [])


def test_jobs_in_slurm_that_cannot_be_told_are_for_unlock(tmp_path, dead):
    unnamed = replace(dead, executor="slurm-jobstep")
    assert sentence(Judge("results", tmp_path), "refuse_leftovers", unnamed) == (
        f"{DEAD.format(tmp_path)}, and whether it has jobs in SLURM is not known: it ended before it had named them. If it "
        f"has none, {UNLOCK}."
    )
    assert Judge("results", tmp_path, unlocking=True).refuse_leftovers(unnamed, AGE) is None
    with pytest.raises(TigerbushError, match="before it had named them"):
        slurm_jobs(unnamed)
    assert slurm_jobs(replace(unnamed, slurm="run-8")) == []


def test_a_silent_run_is_for_unlock(tmp_path, dead):
    judge, elsewhere = Judge("results", tmp_path), replace(dead, machine="another")
    assert sentence(judge, "refuse_unless_gone", elsewhere) == (
        f"{DEAD.format(tmp_path)}, and neither SLURM nor Batch has jobs of it: {UNLOCK}."
    )
    assert replace(judge, unlocking=True).refuse_unless_gone(elsewhere, AGE) is None
    # not silent yet
    assert sentence(judge, "refuse_unless_gone", elsewhere, 599).startswith(
        "another run is at work on results ("
    )
    assert judge.refuse_unless_gone(dead, AGE) is None


def test_this_process_is_at_work(tmp_path):
    assert sentence(Judge("results", tmp_path), "refuse_unless_gone", own_mark("local", tmp_path)).startswith(
        "another run is at work on results ("
    )
