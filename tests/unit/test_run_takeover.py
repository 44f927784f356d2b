"""What a run says of another one, and when it may succeed it."""

from dataclasses import replace

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.runs import mark as run_mark
from tigerbush.runs import takeover as run_takeover
from tigerbush.runs.mark import Mark, machine_id, new_mark
from tigerbush.runs.takeover import Takeover, slurm_jobs

TOKEN = "01234567-89ab-cdef-0123-456789abcdef"  # noqa: S105 - the name of a run
UNLOCK = "run snakemake with --unlock, then as usual; finished results are kept"
AGE = 1500
DEAD = "a run on results has died (process 4711 on login1 in {}, started noon, last heartbeat 25 minutes ago)"
AT_WORK = (
    "another run is using results (process {} on login1 in {}, started noon, last heartbeat 25 minutes ago): wait "
    "until it ends, or interrupt it there"
)


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch):
    monkeypatch.setattr(run_takeover, "leftover_processes", lambda mark: [])
    monkeypatch.setattr(run_takeover, "slurm_queue", lambda name: [])


@pytest.fixture
def dead(tmp_path, monkeypatch):
    """A run of this machine whose process is gone."""
    monkeypatch.setattr(run_mark, "start_time", lambda pid: None if pid == 4711 else "now")
    return Mark(TOKEN, "login1", machine_id(), 4711, "then", "noon", str(tmp_path), "local")


def locked(folder):
    (folder / ".snakemake" / "locks").mkdir(parents=True)
    (folder / ".snakemake" / "locks" / "0.lock").touch()


def sentence(takeover, call, other, age=AGE):
    with pytest.raises(TigerbushError) as raised:
        getattr(takeover, call)(other, age)
    return str(raised.value)


def test_a_run_at_work_is_waited_for(tmp_path, dead):
    takeover = Takeover("results", tmp_path)
    beginning = AT_WORK.format(4711, tmp_path)
    assert str(takeover.still_running(dead, AGE)) == f"{beginning}."
    elsewhere = replace(dead, machine="another")
    assert (
        str(takeover.still_running(elsewhere, AGE))
        == f"{beginning}; if its machine is gone, wait until there has been no heartbeat for 10 minutes."
    )


def test_a_process_here_is_known_to_be_dead(tmp_path, dead):
    takeover = Takeover("results", tmp_path)
    assert takeover.known_dead(dead, AGE) is True
    # the number was given to another process
    assert takeover.known_dead(replace(dead, pid=1), AGE) is True
    for unknown in (replace(dead, token=""), replace(dead, machine="another"), Mark(machine=machine_id())):
        assert takeover.known_dead(unknown, 10_000) is False


def test_a_process_here_that_is_alive_or_cannot_be_told_is_at_work(tmp_path, dead, monkeypatch):
    takeover = Takeover("results", tmp_path)
    alive = replace(dead, pid=5, started="now")
    assert sentence(takeover, "known_dead", alive) == f"{AT_WORK.format(5, tmp_path)}."
    monkeypatch.setattr(run_mark, "start_time", lambda pid: "")
    assert sentence(takeover, "known_dead", dead) == f"{AT_WORK.format(4711, tmp_path)}."


@pytest.mark.parametrize("call", ["known_dead", "refuse_unless_ended", "refuse_leftovers"])
def test_what_a_dead_run_has_left_is_named(tmp_path, dead, monkeypatch, call):
    beginning, takeover = DEAD.format(tmp_path), Takeover("results", tmp_path)
    locked(tmp_path)
    assert sentence(takeover, call, dead) == f"{beginning}, and has no jobs left in SLURM or Batch: {UNLOCK}."
    azure = replace(dead, executor="azure-batch")
    assert (
        sentence(takeover, call, azure) == f"{beginning}: {UNLOCK}, and tasks still in Batch are terminated."
    )
    # what is locked is for --unlock, and of another folder it is no matter
    for other in (replace(takeover, unlocking=True), Takeover("results", tmp_path / "there")):
        assert getattr(other, call)(dead, AGE) is (True if call == "known_dead" else None)
    monkeypatch.setattr(run_takeover, "slurm_queue", lambda name: ["job"] * 3 if name == "run-7" else [])
    slurm = replace(dead, executor="slurm", slurm="run-7")
    for case in (takeover, replace(takeover, unlocking=True)):
        assert sentence(case, call, slurm) == (
            f"{beginning}, but 3 of its jobs are still in SLURM: wait until `squeue --name run-7` is empty, or cancel "
            "them with `scancel --name run-7`, then start again."
        )
        monkeypatch.setattr(run_takeover, "leftover_processes", lambda mark: [17, 4])
        assert sentence(case, call, slurm) == (
            f"{beginning}, but its jobs are still running here: wait until they end, or kill them (processes 17, 4)."
        )
        monkeypatch.setattr(run_takeover, "leftover_processes", lambda mark: [])


def test_jobs_in_slurm_that_cannot_be_told_are_for_unlock(tmp_path, dead):
    unnamed = replace(dead, executor="slurm-jobstep")
    assert sentence(Takeover("results", tmp_path), "refuse_leftovers", unnamed) == (
        f"{DEAD.format(tmp_path)}, and it is unknown whether it has jobs left in SLURM: it died before it recorded "
        f"their name. If it has none, {UNLOCK}."
    )
    assert Takeover("results", tmp_path, unlocking=True).refuse_leftovers(unnamed, AGE) is None
    with pytest.raises(TigerbushError, match="before it recorded their name"):
        slurm_jobs(unnamed)
    assert slurm_jobs(replace(unnamed, slurm="run-8")) == []


def test_a_silent_run_is_for_unlock(tmp_path, dead):
    takeover, elsewhere = Takeover("results", tmp_path), replace(dead, machine="another")
    assert sentence(takeover, "refuse_unless_ended", elsewhere) == (
        f"{DEAD.format(tmp_path)}, and has no jobs left in SLURM or Batch: {UNLOCK}."
    )
    assert replace(takeover, unlocking=True).refuse_unless_ended(elsewhere, AGE) is None
    # not silent yet
    assert sentence(takeover, "refuse_unless_ended", elsewhere, 599).startswith(
        "another run is using results ("
    )
    assert takeover.refuse_unless_ended(dead, AGE) is None


def test_this_process_is_at_work(tmp_path):
    assert sentence(
        Takeover("results", tmp_path), "refuse_unless_ended", new_mark("local", tmp_path)
    ).startswith("another run is using results (")
