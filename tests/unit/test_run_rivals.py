"""Of runs that want the same results at once, one wins."""

import multiprocessing
import os
import time
from dataclasses import replace

from test_run_mark import ended as ended
from test_run_mark import here, left
from test_run_mark import results as results
from tigerbush.errors import TigerbushError
from tigerbush.runs import lock_file as run_lock_file
from tigerbush.runs.lock_file import LockFile, read_mark
from tigerbush.runs.mark import new_mark
from tigerbush.runs.takeover import Takeover


def compete(folder, start, seconds, successes):
    """Take, hold and give back again and again; count, and notice when another holds it, too."""
    start.wait()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        mark = new_mark("local", folder)
        lock = LockFile(folder)
        try:
            lock.acquire(mark, Takeover("results", folder))
        except TigerbushError:
            continue
        exclusive_run = folder / "exclusive_run"
        # no other process is between these lines
        handle = os.open(exclusive_run, os.O_CREAT | os.O_EXCL)
        os.close(handle)
        time.sleep(0.001)
        exclusive_run.unlink()
        successes.put(os.getpid())
        if successes.qsize() % 2:
            lock.release(mark)
        else:
            # as if killed: this process never was
            (folder / "dead").write_bytes(replace(mark, started="1").encode())
            (folder / "dead").rename(folder / ".run.json")


def test_of_many_at_once_one_wins(tmp_path):
    """Over fresh folders and over marks of the dead, again and again."""
    context = multiprocessing.get_context("fork")
    start, successes = context.Event(), context.Queue()
    processes = [context.Process(target=compete, args=(tmp_path, start, 2, successes)) for _ in range(8)]
    for process in processes:
        process.start()
    start.set()
    taken = []
    while any(process.is_alive() for process in processes) or not successes.empty():
        try:
            taken.append(successes.get(timeout=0.1))
        except Exception:  # noqa: S112 - nothing for a moment
            continue
    assert [process.exitcode for process in processes] == [0] * 8
    assert len(taken) > 20
    assert len(set(taken)) > 1
    assert {path.name for path in tmp_path.iterdir()} <= {".run.json"}


def test_a_successor_that_died_is_succeeded(results, ended):
    """Killed between two steps of taking a mark over."""
    dead = here(results.parent / "other", pid=ended)
    left(results, dead)
    (results / f".run-{dead.token}.json").write_bytes(here(results.parent / "other", pid=ended).encode())
    mark = here(results.parent)
    LockFile(results).acquire(mark, Takeover("results", results.parent))
    assert read_mark(results / ".run.json")[0] == mark
    assert [path.name for path in results.iterdir()] == [".run.json"]


def test_who_comes_late_takes_nothing(results, ended):
    """Between looking at a dead run and taking its place, another run has done so."""
    dead = here(results.parent / "other", pid=ended)
    taken = here(results.parent / "other")
    left(results, taken)
    lock = LockFile(results)
    assert not lock._succeed(dead, here(results.parent), Takeover("results", results.parent))
    assert read_mark(results / ".run.json")[0] == taken
    assert [path.name for path in results.iterdir()] == [".run.json"]


def test_a_mark_is_waited_for_until_it_is_filled(results):
    results.mkdir()
    path = results / ".run.json"
    path.touch()
    mark = here(results.parent)
    context = multiprocessing.get_context("fork")
    writer = context.Process(target=lambda: (time.sleep(0.2), path.write_bytes(mark.encode())))
    writer.start()
    assert read_mark(path)[0] == mark
    writer.join()
    assert run_lock_file._GRACE_SECONDS < 5
