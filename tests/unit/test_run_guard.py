"""How the methods of a workflow are guarded, and the end of a run that has lost its results; without a run."""

import asyncio
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
from tigerbush.runs.guard import HeldLock, exclusive_run, guard, results_lock
from tigerbush.runs.lock_file import LockFile
from tigerbush.runs.mark import LostLockError
from tigerbush.runs.takeover import Takeover


class Lock:
    """A lock that records what is done to it."""

    name, renew_seconds = "the results", 0.01

    def __init__(self, failure=None, **renewals):
        self.done, self.failure, self.marks = [], failure, []
        self.renewals = renewals.get("renewals", [])
        self.renewed = threading.Event()

    def note(self, operation, mark=None):
        self.done.append(operation)
        self.marks.append(mark)
        if self.failure and operation == self.failure[0]:
            raise self.failure[1]

    def check_access(self):
        self.note("check access")

    def acquire(self, mark, takeover, notify):
        assert takeover == Takeover("the results", Path.cwd())
        notify("waiting")
        self.note("acquire", mark)

    def renew(self, mark):
        self.renewed.set()
        if self.renewals:
            raise self.renewals.pop(0)

    def update(self, mark):
        self.note("update", mark)

    def release(self, mark):
        self.note("release", mark)

    def unlock(self, mark, takeover):
        assert takeover == Takeover("the results", Path.cwd(), unlocking=True)
        self.note("unlock", mark)


class Workflow:
    """The methods of Snakemake's workflow that are guarded."""

    def __init__(self, lock):
        self.lock, self.persistence = lock, self

    def execute(self, *arguments, **options):
        self.lock.note("execute")
        return arguments, options

    def delete_output(self, **options):
        self.lock.note("delete")
        return options

    def unlock(self):
        self.lock.note("unlock folder")
        return "unlocked"


class RefusalError(Exception):
    """What a workflow raises."""


@contextmanager
def context(lock, options):
    lock.note(("context", sorted(options)))
    yield
    lock.note("out")


def plugin(name, dry=False):
    return SimpleNamespace(name=name, common_settings=SimpleNamespace(dryrun_exec=dry))


def guarded(lock, messages=None):
    workflow = Workflow(lock)
    guard(workflow, lambda: lock, error_type=RefusalError, notify=(messages if messages is not None else []).append, context=lambda options: context(lock, options))  # fmt: skip
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
    """The context is left before the lock is released."""
    lock, messages = Lock(), []
    workflow = guarded(lock, messages)
    assert workflow.execute(1, **options) == ((1,), options)
    assert lock.done == ["acquire", ("context", sorted(options)), "execute", "out", "release"]
    taken, released = lock.marks[0], lock.marks[-1]
    assert taken == released
    assert (taken.executor, taken.directory, taken.pid) == (executor, str(Path.cwd()), os.getpid())
    assert messages == ["waiting"]
    assert workflow.execute.__name__ == "execute"
    lock.done.clear()
    assert workflow.delete_output(**options) == options
    assert lock.done == ["acquire", ("context", sorted(options)), "delete", "out", "release"]


@pytest.mark.parametrize("options", [{"dryrun": True}, {"executor_plugin": plugin("dryrun", dry=True)}])
def test_a_dry_run_only_looks(options):
    lock = Lock()
    assert guarded(lock).execute(**options) == ((), options)
    assert lock.done == ["check access", "execute"]


@pytest.mark.parametrize("error", [TigerbushError("no."), OSError("no.")])
def test_results_that_cannot_be_held(error):
    for operation, options, done in (
        ("acquire", {}, ["acquire"]),
        ("check access", {"dryrun": True}, ["check access"]),
    ):
        lock = Lock((operation, error))
        with pytest.raises(RefusalError, match=r"^no\.$") as raised:
            guarded(lock).execute(**options)
        assert (lock.done, raised.value.__suppress_context__) == (done, True)
    assert run_guard._held_locks == []


def test_by_default_there_is_no_context():
    lock = Lock()
    workflow = Workflow(lock)
    guard(workflow, lambda: lock, error_type=RefusalError, notify=lambda _: None)
    workflow.execute()
    assert lock.done == ["acquire", "execute", "release"]


def test_unlocking_removes_the_mark_and_then_the_lock_of_snakemake():
    lock, messages = Lock(), []
    assert guarded(lock, messages).unlock() == "unlocked"
    assert (lock.done, messages) == (["unlock", "unlock folder"], [])
    lock = Lock(("unlock", TigerbushError("it is alive.")))
    assert guarded(lock, messages).unlock() == "unlocked"
    assert (lock.done, messages) == (["unlock", "unlock folder"], ["it is alive."])


def test_what_is_known_later_is_written():
    """In the mark of every lock that is held, also in a nested block."""
    lock = Lock()
    assert not run_guard.holds_results()
    run_guard.update_mark(slurm="before")
    with exclusive_run(lock, "slurm", notify=lambda _: None):
        assert run_guard.holds_results()
        run_guard.update_mark(slurm="x")
        with exclusive_run(Lock(("acquire", AssertionError())), "slurm"):
            pass
    assert lock.done == ["acquire", "update", "release"]
    assert lock.marks[1] == lock.marks[2] == replace(lock.marks[0], slurm="x")
    assert not run_guard.holds_results()


@pytest.mark.parametrize("error", [LostLockError("lost"), OSError("gone"), ValueError("x")])
def test_results_that_may_be_lost_are_not_held(monkeypatch, error):
    lock = Lock(renewals=[error])
    monkeypatch.setattr(run_guard, "_held_locks", [HeldLock(lock, ELSEWHERE)])
    assert not run_guard.holds_results()
    assert run_guard.holds_results()


def test_a_mark_is_renewed_until_the_end(monkeypatch):
    """Whoever has lost the results ends at once, but not after the end; a disk may not answer for a while."""
    aborts = []
    monkeypatch.setattr(
        run_guard, "_abort", lambda sentence, unlock: aborts.append((sentence, unlock)) or ended.set()
    )
    for renewals, expected in (
        ([OSError("x"), LostLockError("it is lost")], True),
        ([ValueError("x")], False),
    ):
        ended, lock = threading.Event(), Lock(renewals=renewals)
        heartbeat = threading.Thread(
            target=run_guard._send_heartbeats, args=(HeldLock(lock, ELSEWHERE), ended, "unlock")
        )
        heartbeat.start()
        assert lock.renewed.wait(5)
        if not expected:
            ended.set()
        heartbeat.join(5)
        assert not heartbeat.is_alive()
    assert aborts == [("it is lost; this run ends here and deletes nothing.", "unlock")]
    lock, ended = (
        Lock(renewals=[LostLockError("late")]),
        SimpleNamespace(wait=lambda seconds: waits.pop(0), is_set=lambda: True),
    )
    waits = [False, True]
    run_guard._send_heartbeats(HeldLock(lock, ELSEWHERE), ended, "unlock")
    assert (len(aborts), waits) == (1, [])


def test_the_end_of_a_run_that_has_lost_its_results(monkeypatch, capsys):
    done = []
    monkeypatch.setattr(run_guard, "kill_descendants", lambda: done.append("children"))
    monkeypatch.setattr(run_guard.os, "_exit", lambda status: done.append(status))

    def unlock():
        done.append("unlock")
        raise OSError

    run_guard._abort("It is lost.", unlock)
    assert done == ["children", "unlock", 1]
    assert capsys.readouterr().err == "tigerbush: It is lost.\n"


def test_sigterm_ends_a_run_like_an_interruption(monkeypatch):
    """Until Snakemake handles it; what others handle is theirs."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        lock = Lock()
        with pytest.raises(SystemExit) as end, exclusive_run(lock, "local", notify=lambda _: None):
            signal.raise_signal(signal.SIGTERM)
        assert (end.value.code, lock.done) == (128 + 15, ["acquire", "release"])
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

        def own(*_):
            """Of somebody else."""

        with exclusive_run(lock, "local", notify=lambda _: None):
            signal.signal(signal.SIGTERM, own)
        assert signal.getsignal(signal.SIGTERM) is own
        with exclusive_run(lock, "local", notify=lambda _: None):
            assert signal.getsignal(signal.SIGTERM) is own
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        handlers = []

        def elsewhere():
            with run_guard._signals_end_the_run():
                handlers.append(signal.getsignal(signal.SIGTERM))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert handlers == [signal.SIG_DFL]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_ctrl_c_ends_a_task_that_never_waits():
    """asyncio alone would cancel it at its next wait, so that it would end as if nothing had happened."""
    before = signal.getsignal(signal.SIGINT)
    ended = []

    async def plan():
        signal.raise_signal(signal.SIGINT)
        ended.append("planned")

    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        lock = Lock()
        with pytest.raises(KeyboardInterrupt), exclusive_run(lock, "local", notify=lambda _: None):
            asyncio.run(plan())
        assert (ended, lock.done) == ([], ["acquire", "release"])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_which_lock_results_have(tmp_path):
    lock = results_lock(tmp_path)
    assert (type(lock), lock.folder, lock.path) == (LockFile, tmp_path, tmp_path / ".run.json")
    service = SimpleNamespace(
        get_container_client=lambda name: SimpleNamespace(get_blob_client=lambda blob: (name, blob))
    )
    assert results_lock(tmp_path, service, "az://c/r").blob == ("c", "r/results/.run.json")
    assert results_lock(tmp_path, service).blob == ("", "results/.run.json")
