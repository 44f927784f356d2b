"""Which processes and jobs of a run are found, on this machine and in SLURM; with a /proc of its own."""

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from blobs_in_memory import ELSEWHERE
from tigerbush.errors import TigerbushError
from tigerbush.runs import mark as run_mark
from tigerbush.runs import queue_slurm
from tigerbush.runs.mark import (
    Mark,
    decode_mark,
    describe_run,
    kill_descendants,
    liveness,
    machine_id,
    new_mark,
    start_time,
)
from tigerbush.runs.queue_slurm import QueueJob, slurm_queue


@pytest.fixture
def proc(monkeypatch, tmp_path):
    """`proc(pid, parent, words, cwd)` is a process of a machine of its own."""
    root = tmp_path / "proc"

    def make(pid, parent=1, *, state="S", start="77", words=(), cwd="/elsewhere"):
        folder = root / str(pid)
        folder.mkdir(parents=True)
        fields = [state, str(parent), *["0"] * 17, start, "0"]
        (folder / "stat").write_text(f"{pid} (a) name (b) {' '.join(fields)}\n")
        (folder / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")
        (folder / "cwd").symlink_to(cwd)

    root.mkdir()
    (root / "self" / "ns").mkdir(parents=True)
    (root / "self" / "stat").touch()
    (root / "self" / "ns" / "pid").symlink_to("pid:[7]")
    (root / "sys" / "kernel" / "random").mkdir(parents=True)
    (root / "sys" / "kernel" / "random" / "boot_id").write_text("boot\n")
    monkeypatch.setattr(run_mark, "Path", lambda text: Path(str(text).replace("/proc", str(root))))
    monkeypatch.setattr(
        run_mark,
        "os",
        SimpleNamespace(kill=lambda pid, number: make.killed.append((pid, number)), getpid=lambda: 10),
    )
    make.killed, make.root = [], root
    return make


def test_what_tells_machines_apart(proc, monkeypatch):
    assert machine_id() == "boot pid:[7]"
    (proc.root / "self" / "ns" / "pid").unlink()
    monkeypatch.setattr(run_mark.socket, "gethostname", lambda: "host")
    assert machine_id() == "host"


def test_when_a_process_started(proc, monkeypatch):
    proc(5, start="123")
    proc(6, state="Z")
    proc(7, state="X")
    assert [start_time(pid) for pid in (5, 6, 7, 8)] == ["123", None, None, ""]
    assert proc.killed == [(pid, 0) for pid in (5, 6, 7, 8)]

    def of(error):
        def kill(*_):
            raise error

        return kill

    for error, expected in (
        (ProcessLookupError(), None),
        (OverflowError(), None),
        (PermissionError(), "123"),
    ):
        monkeypatch.setattr(run_mark.os, "kill", of(error))
        assert start_time(5) == expected
    # no Linux
    (proc.root / "self" / "stat").unlink()
    asked = []
    done = SimpleNamespace(stdout=" Sun Nov 29\n  12:00:00 2026\n")
    monkeypatch.setattr(
        run_mark.subprocess, "run", lambda command, **options: asked.append((command, options)) or done
    )
    monkeypatch.setattr(run_mark.os, "kill", lambda *_: None)
    assert start_time(8) == "Sun Nov 29 12:00:00 2026"
    assert asked == [
        (["/bin/ps", "-o", "lstart=", "-p", "8"], {"capture_output": True, "text": True, "check": False})
    ]


def test_a_run_is_judged_by_its_process_where_it_can_be(proc):
    here = replace(ELSEWHERE, machine="boot pid:[7]", pid=5, started="77")
    proc(5)
    assert liveness(here, 1e6) == "alive"
    assert liveness(replace(here, started="76"), 0) == "dead"
    # hidden from us: by the time, as elsewhere
    for mark in (replace(here, pid=8), replace(here, machine="other"), replace(here, token="")):
        assert (liveness(mark, 599.9), liveness(mark, 600)) == ("alive", "silent")


def test_jobs_that_a_dead_run_has_left(proc):
    proc(5, words=["python", "a"], cwd="/data")
    proc(6, words=["python", "-m", "snakemake", "--mode", "subprocess"], cwd="/data")
    proc(70, words=["python", "/data/.snakemake/scripts/tmp.a.py"], cwd="/data")
    proc(8, words=["x", "--mode"], cwd="/data/below")
    (proc.root / "9").mkdir()
    mark = replace(ELSEWHERE, machine="boot pid:[7]", directory="/data")
    assert run_mark.leftover_processes(mark) == [6, 70]
    assert run_mark.leftover_processes(replace(mark, machine="other")) == []


def test_children_and_theirs_are_ended(proc, monkeypatch):
    for pid, parent in ((10, 1), (11, 10), (12, 11), (13, 12), (20, 1), (21, 20), (9, 10)):
        proc(pid, parent)
    (proc.root / "30").mkdir()
    kill_descendants()
    assert sorted(proc.killed) == [(pid, signal.SIGKILL) for pid in (9, 11, 12, 13)]


@pytest.mark.parametrize(
    ("mark", "age", "expected"),
    [
        (ELSEWHERE, 119.4, "process 4711 on login1 in /d, started noon, last heartbeat 119 s ago"),
        (ELSEWHERE, 120, "process 4711 on login1 in /d, started noon, last heartbeat 2 minutes ago"),
        (ELSEWHERE, 239, "process 4711 on login1 in /d, started noon, last heartbeat 3 minutes ago"),
        (replace(ELSEWHERE, directory="", host="a\nb" + "c" * 400), 0, f"process 4711 on a?b{'c' * 297}, started noon, last heartbeat 0 s ago"),
        (Mark(), 0, "an unknown process, started ?, last heartbeat 0 s ago"),
    ],
)  # fmt: skip
def test_how_a_run_is_named(mark, age, expected):
    assert describe_run(mark, age) == expected


def test_the_mark_of_this_process(tmp_path, monkeypatch):
    mark = new_mark("slurm", tmp_path)
    assert (mark.pid, mark.executor, mark.directory, mark.slurm) == (os.getpid(), "slurm", str(tmp_path), "")
    assert (mark.machine, mark.started) == (machine_id(), start_time(os.getpid()))
    assert len({mark.token, new_mark("slurm", tmp_path).token}) == 2
    monkeypatch.setattr(run_mark, "start_time", lambda pid: None)
    assert new_mark("slurm", tmp_path).started == ""


def test_what_squeue_is_asked(monkeypatch):
    asked, answers = [], []

    def run(command, **options):
        asked.append((command, options))
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    monkeypatch.setattr(queue_slurm.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(queue_slurm.subprocess, "run", run)
    out = "7|RUNNING|n1|rule_date\n8|PENDING|(a|b)|rule_x|y\nnoise\na|b|c\n9|TIMEOUT|n2|rule_z\n10|HELD|n|group_rule_q\n"
    answers[:] = [SimpleNamespace(returncode=0, stdout=out, stderr="")]
    assert slurm_queue("run-7") == [
        QueueJob("7", "RUNNING", "date", "n1"), QueueJob("8", "PENDING", "b)|rule_x|y", "(a"), QueueJob("10", "HELD", "group_rule_q", "n"),
    ]  # fmt: skip
    assert asked == [
        (
            ["/bin/squeue", "--noheader", "--name=run-7", "--states=all", "--format=%i|%T|%R|%k"],
            {"capture_output": True, "text": True, "timeout": 20, "check": False},
        )
    ]
    for answer, sentence in (
        (subprocess.TimeoutExpired("squeue", 20), "squeue did not respond within 20 s; try again later."),
        (
            SimpleNamespace(returncode=1, stdout=out, stderr="a\n b" + "c" * 300),
            f"squeue failed (a b{'c' * 197}); try again later.",
        ),
    ):
        answers[:] = [answer]
        with pytest.raises(TigerbushError) as error:
            slurm_queue("run-7")
        assert str(error.value) == sentence
    monkeypatch.setattr(queue_slurm.shutil, "which", lambda name: None)
    with pytest.raises(TigerbushError, match=r"^the run's jobs are in SLURM, but squeue was not found here; run this on a login node of the cluster\.$"):  # fmt: skip
        slurm_queue("run-7")


def test_jobs_that_have_ended_write_no_more(monkeypatch):
    ended = "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED LAUNCH_FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED RECONFIG_FAIL REVOKED TIMEOUT"
    out = "".join(f"1|{word}|n|rule_a\n" for word in ended.split())
    monkeypatch.setattr(queue_slurm.shutil, "which", lambda name: name)
    done = SimpleNamespace(returncode=0, stdout=out + "2|STOPPED|n|rule_a\n", stderr="")
    monkeypatch.setattr(queue_slurm.subprocess, "run", lambda *_, **__: done)
    assert slurm_queue("x") == [QueueJob("2", "STOPPED", "a", "n")]


def test_the_content_of_a_mark():
    assert ELSEWHERE.encode() == (
        b'{\n "token": "0b6ad8d1-66c1-5ab6-8b34-1ee8cd4d4fd5",\n "host": "login1",\n "machine": "another",\n "pid": 4711,\n'
        b' "started": "1",\n "since": "noon",\n "directory": "/d",\n "executor": "local",\n "slurm": ""\n}\n'
    )


@pytest.mark.parametrize(
    ("change", "sound"),
    [
        ({}, True), ({"pid": 1}, True), ({"pid": 0}, False), ({"pid": 2**31 - 1}, True), ({"pid": 2**31}, False), ({"token": ""}, False),
        ({"slurm": "a" * 200}, True), ({"slurm": "a" * 201}, False), ({"slurm": "a.b-c_d"}, True), ({"slurm": "-"}, True),
    ],
)  # fmt: skip
def test_marks_that_are_sound(change, sound):
    """They become the name of a file, and a word of a command."""
    mark = replace(ELSEWHERE, **change)
    assert decode_mark(mark.encode()) == (mark if sound else Mark())
