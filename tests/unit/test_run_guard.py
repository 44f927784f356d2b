"""How the methods of a workflow are guarded, and the end of a run that has lost its results; without a run."""

import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from blobs_in_memory import ELSEWHERE
from tigerbush.errors import TigerbushError
from tigerbush.runs import guard as run_guard
from tigerbush.runs.folder import Folder
from tigerbush.runs.guard import Hold, alone, guard, place_of
from tigerbush.runs.judge import Judge
from tigerbush.runs.mark import LostError


class Place:
    """A place that notes what is done to it."""

    name, renew_seconds = "the results", 0.01

    def __init__(self, trouble=None, **renewals):
        self.done, self.trouble, self.marks = [], trouble, []
        self.renewals = renewals.get("renewals", [])
        self.renewed = threading.Event()

    def note(self, what, mark=None):
        self.done.append(what)
        self.marks.append(mark)
        if self.trouble and what == self.trouble[0]:
            raise self.trouble[1]

    def look(self):
        self.note("look")

    def take(self, mark, judge, say):
        assert judge == Judge("the results", Path.cwd())
        say("waiting")
        self.note("take", mark)

    def renew(self, mark):
        self.renewed.set()
        if self.renewals:
            raise self.renewals.pop(0)

    def rewrite(self, mark):
        self.note("rewrite", mark)

    def release(self, mark):
        self.note("release", mark)

    def unlock(self, mark, judge):
        assert judge == Judge("the results", Path.cwd(), unlocking=True)
        self.note("unlock", mark)


class Workflow:
    """The methods of Snakemake's workflow that are guarded."""

    def __init__(self, place):
        self.place, self.persistence = place, self

    def execute(self, *arguments, **options):
        self.place.note("execute")
        return arguments, options

    def delete_output(self, **options):
        self.place.note("delete")
        return options

    def unlock(self):
        self.place.note("unlock folder")
        return "unlocked"


class RefusalError(Exception):
    """What a workflow raises."""


@contextmanager
def within(place, options):
    place.note(("within", sorted(options)))
    yield
    place.note("out")


def plugin(name, dry=False):
    return SimpleNamespace(name=name, common_settings=SimpleNamespace(dryrun_exec=dry))


def guarded(place, said=None, inner=None):
    workflow = Workflow(place)
    guard(workflow, lambda: place, refusal=RefusalError, say=(said if said is not None else []).append, within=inner or (lambda options: within(place, options)))  # fmt: skip
    return workflow


@pytest.mark.parametrize(
    ("options", "executor"),
    [
        ({}, "local"),
        ({"executor_plugin": plugin("slurm")}, "slurm"),
        ({"executor_plugin": None, "dryrun": False}, "local"),
    ],
)
def test_methods_that_change_results_hold_them(options, executor):
    """What is entered within is left before the results are given back."""
    place, said = Place(), []
    workflow = guarded(place, said)
    assert workflow.execute(1, **options) == ((1,), options)
    assert place.done == ["take", ("within", sorted(options)), "execute", "out", "release"]
    taken, released = place.marks[0], place.marks[-1]
    assert taken == released
    assert (taken.executor, taken.directory, taken.pid) == (executor, str(Path.cwd()), os.getpid())
    assert said == ["waiting"]
    assert workflow.execute.__name__ == "execute"
    place.done.clear()
    assert workflow.delete_output(**options) == options
    assert place.done == ["take", ("within", sorted(options)), "delete", "out", "release"]


@pytest.mark.parametrize("options", [{"dryrun": True}, {"executor_plugin": plugin("dryrun", dry=True)}])
def test_a_dry_run_only_looks(options):
    place = Place()
    assert guarded(place).execute(**options) == ((), options)
    assert place.done == ["look", "execute"]


@pytest.mark.parametrize("error", [TigerbushError("no."), OSError("no.")])
def test_results_that_cannot_be_held(error):
    for trouble, options, done in (("take", {}, ["take"]), ("look", {"dryrun": True}, ["look"])):
        place = Place((trouble, error))
        with pytest.raises(RefusalError, match=r"^no\.$") as raised:
            guarded(place).execute(**options)
        assert (place.done, raised.value.__suppress_context__) == (done, True)
    assert run_guard._holds == []


def test_by_default_nothing_is_entered_within():
    place = Place()
    workflow = Workflow(place)
    guard(workflow, lambda: place, refusal=RefusalError, say=lambda _: None)
    workflow.execute()
    assert place.done == ["take", "execute", "release"]


def test_unlocking_takes_the_mark_away_and_then_the_lock():
    place, said = Place(), []
    assert guarded(place, said).unlock() == "unlocked"
    assert (place.done, said) == (["unlock", "unlock folder"], [])
    place = Place(("unlock", TigerbushError("it is alive.")))
    assert guarded(place, said).unlock() == "unlocked"
    assert (place.done, said) == (["unlock", "unlock folder"], ["it is alive."])


def test_what_is_known_later_is_written():
    """Of every place that is held, and once more within."""
    place = Place()
    assert not run_guard.held()
    run_guard.know(slurm="before")
    with alone(place, "slurm", say=lambda _: None):
        assert run_guard.held()
        run_guard.know(slurm="x")
        with alone(Place(("take", AssertionError())), "slurm"):
            pass
    assert place.done == ["take", "rewrite", "release"]
    assert place.marks[1] == place.marks[2] == replace(place.marks[0], slurm="x")
    assert not run_guard.held()


@pytest.mark.parametrize("error", [LostError("lost"), OSError("gone"), ValueError("x")])
def test_results_that_may_be_lost_are_not_held(monkeypatch, error):
    place = Place(renewals=[error])
    monkeypatch.setattr(run_guard, "_holds", [Hold(place, ELSEWHERE)])
    assert not run_guard.held()
    assert run_guard.held()


def test_a_mark_is_renewed_until_the_end(monkeypatch):
    """Whoever has lost the results ends at once, but not after the end; a disk may not answer for a while."""
    told = []
    monkeypatch.setattr(
        run_guard, "_end", lambda sentence, unlock: told.append((sentence, unlock)) or ended.set()
    )
    for renewals, expected in (([OSError("x"), LostError("it is lost")], True), ([ValueError("x")], False)):
        ended, place = threading.Event(), Place(renewals=renewals)
        keeper = threading.Thread(target=run_guard._keep, args=(Hold(place, ELSEWHERE), ended, "unlock"))
        keeper.start()
        assert place.renewed.wait(5)
        if not expected:
            ended.set()
        keeper.join(5)
        assert not keeper.is_alive()
    assert told == [("it is lost; this run ends here and deletes nothing.", "unlock")]
    place, ended = (
        Place(renewals=[LostError("late")]),
        SimpleNamespace(wait=lambda seconds: waits.pop(0), is_set=lambda: True),
    )
    waits = [False, True]
    run_guard._keep(Hold(place, ELSEWHERE), ended, "unlock")
    assert (len(told), waits) == (1, [])


def test_the_end_of_a_run_that_has_lost_its_results(monkeypatch, capsys):
    done = []
    monkeypatch.setattr(run_guard, "end_children", lambda: done.append("children"))
    monkeypatch.setattr(run_guard.os, "_exit", lambda status: done.append(status))

    def unlock():
        done.append("unlock")
        raise OSError

    run_guard._end("It is lost.", unlock)
    assert done == ["children", "unlock", 1]
    assert capsys.readouterr().err == "tigerbush: It is lost.\n"


def test_sigterm_ends_a_run_like_an_interruption(monkeypatch):
    """Until Snakemake handles it; what others handle is theirs."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        place = Place()
        with pytest.raises(SystemExit) as end, alone(place, "local", say=lambda _: None):
            signal.raise_signal(signal.SIGTERM)
        assert (end.value.code, place.done) == (128 + 15, ["take", "release"])
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

        def own(*_):
            """Of somebody else."""

        with alone(place, "local", say=lambda _: None):
            signal.signal(signal.SIGTERM, own)
        assert signal.getsignal(signal.SIGTERM) is own
        with alone(place, "local", say=lambda _: None):
            assert signal.getsignal(signal.SIGTERM) is own
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        found = []

        def elsewhere():
            with run_guard._ended_by_sigterm():
                found.append(signal.getsignal(signal.SIGTERM))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert found == [signal.SIG_DFL]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_where_results_are(tmp_path):
    place = place_of(tmp_path)
    assert (type(place), place.folder, place.path) == (Folder, tmp_path, tmp_path / ".run.json")
    service = SimpleNamespace(
        get_container_client=lambda name: SimpleNamespace(get_blob_client=lambda blob: (name, blob))
    )
    assert place_of(tmp_path, service, "az://c/r").blob == ("c", "r/results/.run.json")
    assert place_of(tmp_path, service).blob == ("", "results/.run.json")
