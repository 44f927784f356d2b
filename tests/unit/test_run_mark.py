"""Who works on results: the mark of a run, whether it is alive, and that only one of several takes it."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fabricate import ROOT
from tigerbush.errors import TigerbushError, WriteError
from tigerbush.runs import guard as run_guard
from tigerbush.runs.lock_file import LockFile, read_mark
from tigerbush.runs.mark import LostLockError, Mark, decode_mark, liveness, new_mark, start_time
from tigerbush.runs.takeover import Takeover

TOKEN = "01234567-89ab-cdef-0123-456789abcdef"  # noqa: S105 - the name of a run
RUN_ID = "3f0e5d1c-1111-2222-3333-444444444444"
UNLOCK = "run snakemake with --unlock, then as usual; finished results are kept"


@pytest.fixture
def ended():
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def here(directory, **values):
    """A mark of this process, or of one that differs."""
    return replace(new_mark("local", directory), **values)


def elsewhere(directory, **values):
    return here(
        directory, host="login1", machine="another", pid=4711, since="2026-11-29 12:00:00 UTC", **values
    )


def left(results, mark, age=0):
    """The mark that another run has left, so many seconds ago."""
    results.mkdir(exist_ok=True)
    path = results / ".run.json"
    path.write_bytes(mark.encode())
    os.utime(path, (time.time() - age,) * 2)
    return path


def refused(results, **options):
    """The sentence for a run that would start now."""
    with pytest.raises(TigerbushError) as raised:
        LockFile(results).acquire(here(results.parent), Takeover("results", results.parent, **options))
    return re.sub(r"last heartbeat \d s ago", "last heartbeat N s ago", str(raised.value))


def test_a_process_is_told_by_its_number_and_its_start(tmp_path, ended):
    mark = new_mark("local", tmp_path)
    assert liveness(mark, 10_000) == "alive"
    assert liveness(replace(mark, pid=ended), 0) == "dead"
    # the number was given to another process
    assert liveness(replace(mark, started="1"), 0) == "dead"
    # hidden from us
    assert start_time(os.getpid()) not in ("", None, "1")
    assert start_time(2**31 - 1) is None


def test_a_process_that_has_not_been_waited_for_is_dead(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    mark = replace(new_mark("local", tmp_path), pid=process.pid, started=start_time(process.pid))
    assert process.stdout.read() == b""
    end = time.monotonic() + 60
    while (state := liveness(mark, 0)) == "alive" and time.monotonic() < end:
        time.sleep(0.01)
    assert state == "dead"
    process.wait()


@pytest.mark.parametrize(("age", "expected"), [(0, "alive"), (599, "alive"), (600, "silent")])
def test_elsewhere_a_run_is_alive_while_its_mark_is_renewed(tmp_path, age, expected):
    # on another machine, or on one of the same name
    assert liveness(elsewhere(tmp_path), age) == expected
    assert liveness(here(tmp_path, machine="the same name, started again"), age) == expected
    # of no one
    assert liveness(Mark(), age) == expected


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 9000, b'{"token": 1}']
    + [
        json.dumps(asdict(Mark(token=TOKEN, pid=1)) | change).encode()
        for change in (
            {"token": "../../../etc/passwd"},
            {"token": TOKEN + "\n"},
            {"pid": -1},
            {"pid": 2**31},
            {"pid": "x"},
            {"pid": float("inf")},
            {"slurm": "a b"},
            {"slurm": "a;b"},
        )
    ],
)
def test_what_is_no_mark_is_one_of_an_unknown_run(content):
    assert decode_mark(content) == Mark()


def test_a_mark_is_read_as_it_was_written(tmp_path):
    mark = here(tmp_path, slurm=RUN_ID)
    assert decode_mark(mark.encode()) == mark


def test_the_first_run_is_alone(results):
    first = here(results.parent)
    folder = LockFile(results)
    folder.acquire(first, Takeover("results", results.parent))
    assert read_mark(results / ".run.json")[0] == first
    assert refused(results) == (
        f"another run is using results (process {os.getpid()} on {first.host} in {results.parent}, started "
        f"{first.since}, last heartbeat N s ago): wait until it ends, or interrupt it there."
    )
    folder.release(first)
    # nothing came into it
    assert not results.exists()


def test_a_folder_that_was_there_or_is_filled_stays(results):
    mark = here(results.parent)
    for content in ("before", "after"):
        folder = LockFile(results)
        if content == "before":
            results.mkdir()
        folder.acquire(mark, Takeover("results", results.parent))
        if content == "after":
            (results / "a.txt").touch()
        folder.release(mark)
        assert results.exists()
        assert not (results / ".run.json").exists()
        if content == "before":
            results.rmdir()


def test_a_dead_run_on_this_machine_is_succeeded_at_once(results, ended):
    left(results, here(results.parent / "other", pid=ended))
    mark = here(results.parent)
    LockFile(results).acquire(mark, Takeover("results", results.parent))
    assert read_mark(results / ".run.json")[0] == mark
    assert [path.name for path in results.iterdir()] == [".run.json"]


def test_a_locked_folder_needs_unlock(results, ended):
    """Snakemake itself would refuse, without a word on who has died."""
    dead = here(results.parent, pid=ended, since="2026-11-29 12:00:00 UTC")
    left(results, dead, 300)
    locks = results.parent / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").touch()
    assert refused(results) == (
        f"a run on results has died (process {ended} on {dead.host} in {results.parent}, started 2026-11-29 12:00:00 "
        f"UTC, last heartbeat 5 minutes ago), and has no jobs left in SLURM or Batch: {UNLOCK}."
    )
    left(results, replace(dead, executor="azure"), 300)
    assert refused(results).endswith(f": {UNLOCK}, and tasks still in Batch are terminated.")
    messages = []
    run_guard.unlock(LockFile(results), messages.append)
    assert messages == [] and list(results.iterdir()) == []


def test_a_run_elsewhere_is_waited_for(results):
    left(results, elsewhere(Path("/data/a")), 300)
    assert refused(results) == (
        "another run is using results (process 4711 on login1 in /data/a, started 2026-11-29 12:00:00 UTC, last "
        "heartbeat 5 minutes ago): wait until it ends, or interrupt it there; if its machine is gone, wait until "
        "there has been no heartbeat for 10 minutes."
    )
    # --unlock does not help
    assert refused(results, unlocking=True) == refused(results)
    messages = []
    run_guard.unlock(LockFile(results), messages.append)
    assert [sentence.replace(str(results), "results") for sentence in messages] == [refused(results)]
    assert (results / ".run.json").exists()


def test_a_silent_run_elsewhere_is_unlocked(results):
    left(results, elsewhere(Path("/data/a")), 25 * 60 + 1)
    assert refused(results) == (
        "a run on results has died (process 4711 on login1 in /data/a, started 2026-11-29 12:00:00 UTC, last "
        f"heartbeat 25 minutes ago), and has no jobs left in SLURM or Batch: {UNLOCK}."
    )
    run_guard.unlock(LockFile(results))
    assert not (results / ".run.json").exists()
    LockFile(results).acquire(here(results.parent), Takeover("results", results.parent))


def test_a_mark_that_cannot_be_read_is_judged_by_its_age(results):
    left(results, Mark(), 2).write_bytes(b"")
    os.utime(results / ".run.json", (time.time() - 120,) * 2)
    assert refused(results) == (
        "another run is using results (an unknown process, started ?, last heartbeat 2 minutes ago): wait until it "
        "ends, or interrupt it there; if its machine is gone, wait until there has been no heartbeat for 10 minutes."
    )
    os.utime(results / ".run.json", (time.time() - 601,) * 2)
    assert refused(results).endswith(f"has no jobs left in SLURM or Batch: {UNLOCK}.")
    run_guard.unlock(LockFile(results))
    assert list(results.iterdir()) == []


def test_texts_of_a_mark_are_printed_in_one_line_of_limited_length(results):
    left(results, replace(elsewhere(Path("/data/a\nb\x1b[31m")), host="h" * 9000))
    assert f"on {'h' * 300} in /data/a?b?[31m, started" in refused(results)


def test_clocks_of_machines_do_not_count(results, monkeypatch):
    """The time of a mark is of the file server, and so is the time that it is compared with."""
    left(results, elsewhere(Path("/data/a")), 20)
    for error in (-86_400, 86_400):
        monkeypatch.setattr(time, "time", lambda error=error: 1.8e9 + error)
        assert 19 < read_mark(results / ".run.json")[1] < 25


def test_a_mark_from_the_future_is_young(results):
    left(results, elsewhere(Path("/data/a")), -3600)
    assert read_mark(results / ".run.json")[1] == 0


def test_a_renewed_mark_is_young_again(results):
    mark = here(results.parent)
    left(results, mark, 300)
    LockFile(results).renew(mark)
    assert read_mark(results / ".run.json")[1] < 5
    # somebody has deleted it
    (results / ".run.json").unlink()
    LockFile(results).renew(mark)
    assert read_mark(results / ".run.json")[0] == mark


def test_what_is_known_later_is_added(results):
    lock = LockFile(results)
    with run_guard.exclusive_run(lock, "slurm-batch"):
        before = read_mark(results / ".run.json")[0]
        run_guard.update_mark(slurm=RUN_ID)
        assert read_mark(results / ".run.json")[0] == replace(before, slurm=RUN_ID)
        # as modules of one workflow
        with run_guard.exclusive_run(LockFile(results), "slurm-batch"):
            pass
        assert (results / ".run.json").exists()
    assert not results.exists()


def test_the_mark_goes_whatever_happens(results):
    for error in (KeyboardInterrupt, SystemExit, ValueError):
        with pytest.raises(error), run_guard.exclusive_run(LockFile(results), "local"):
            raise error
        assert not results.exists()


def test_a_run_that_has_lost_its_results_ends_at_once(results):
    """With its jobs; what is behind the block would delete something."""
    code = (
        "import subprocess, sys, time; from pathlib import Path; from tigerbush.runs import guard as run_guard\nfrom "
        "tigerbush.runs.lock_file import LockFile\nLockFile.renew_seconds = 0.1\ntry:\n    with "
        "run_guard.exclusive_run(LockFile(Path('results')), 'local', unlock=lambda: print('unlocked', "
        "flush=True)):\n        job = subprocess.Popen(['sleep', '60'])\n        print(job.pid, flush=True)\n       "
        " job.wait()\nfinally:\n    print('deletes', flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=results.parent, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    job = int(process.stdout.readline())
    other = elsewhere(Path("/data/a"))
    (results / "other").write_bytes(other.encode())
    (results / "other").rename(results / ".run.json")
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (1, "unlocked\n")
    assert re.sub(r"\d s ago", "N s ago", errors) == (
        "tigerbush: another run has taken over results (process 4711 on login1 in /data/a, started 2026-11-29 "
        "12:00:00 UTC, last heartbeat N s ago); this run ends here and deletes nothing.\n"
    )
    # it closes its output a moment before it is gone
    deadline = time.monotonic() + 20
    while start_time(job) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert start_time(job) is None
    assert read_mark(results / ".run.json")[0] == other


def test_only_the_owner_takes_a_mark_away(results):
    other = elsewhere(Path("/data/a"))
    left(results, other)
    LockFile(results).release(here(results.parent))
    assert read_mark(results / ".run.json")[0] == other
    with pytest.raises(
        LostLockError, match=r"^another run has taken over results \(process 4711 on login1 in /data/a, "
    ):
        lock = LockFile(results)
        lock.name = "results"
        lock.renew(here(results.parent))


def test_a_place_that_cannot_be_marked(results):
    results.write_text("a file")
    with pytest.raises(WriteError) as raised:
        LockFile(results).acquire(here(results.parent), Takeover("results", results.parent))
    path = results / ".run.json"
    assert str(raised.value) == f"{path} cannot be written (File exists); fix that and run again."
    results.unlink()
    results.mkdir()
    # a name without a file can neither be made nor read
    path.symlink_to("nowhere")
    with pytest.raises(WriteError) as raised:
        LockFile(results).acquire(here(results.parent), Takeover("results", results.parent))
    assert str(raised.value) == f"{path} cannot be written (File exists); fix that and run again."


def test_a_link_to_shared_results_is_followed(tmp_path):
    (tmp_path / "shared").mkdir()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results").symlink_to(tmp_path / "shared")
    first = here(tmp_path / "a")
    LockFile(tmp_path / "a" / "results").acquire(first, Takeover("results", tmp_path / "a"))
    assert refused(tmp_path / "b" / "results").startswith(
        f"another run is using results (process {os.getpid()} on {first.host} in {tmp_path / 'a'}, started "
    )
    LockFile(tmp_path / "a" / "results").release(first)
    assert (tmp_path / "shared").exists()
