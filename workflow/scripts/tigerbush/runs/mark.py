"""The mark of a run: who works on results, and whether it is alive.

On the same machine a run is alive while its process is; elsewhere, while its mark is renewed.
"""

import json
import os
import re
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from tigerbush.errors import TigerbushError

NAME = ".run.json"
SILENT_SECONDS = 600
_TOKEN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SLURM = re.compile(r"[\w.-]{1,200}")


@dataclass(frozen=True)
class Mark:
    """What a run says of itself.

    Attributes
    ----------
    token : str
        Of this run alone; empty for a mark that cannot be read.
    host, machine : str
        Its name for people, and what no other machine or container shares.
    pid : int
    started : str
        When the process started, as the machine tells it: the number of a process is given again.
    since : str
        The same for people.
    directory, executor : str
        Working directory, and what runs the jobs.
    slurm : str
        The name of its jobs in SLURM, as soon as they have one.
    """

    token: str = ""
    host: str = "?"
    machine: str = ""
    pid: int = 0
    started: str = ""
    since: str = "?"
    directory: str = ""
    executor: str = ""
    slurm: str = ""

    def encoded(self) -> bytes:
        """Return the content of the file."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


class LostError(TigerbushError):
    """Another run has the results; the message says which."""


def own_mark(executor: str, directory: Path) -> Mark:
    """Return the mark of this process."""
    return Mark(
        token=str(uuid.uuid4()),
        host=socket.gethostname(),
        machine=machine(),
        pid=os.getpid(),
        started=started(os.getpid()) or "",
        since=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        directory=str(directory),
        executor=executor,
    )


def machine() -> str:
    """Return what tells machines apart, since their start, and containers on them; names may be shared."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        # no Linux
        return socket.gethostname()


def started(pid: int) -> str | None:
    """Return when a process of this machine started; None when there is none, nothing when it cannot be told."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        # of another user
        pass
    with suppress(OSError):
        # behind the name, which may hold anything
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if words[0] in "ZX" else words[19]
    if Path("/proc/self/stat").exists():
        return ""
    command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return " ".join(done.stdout.split())


def decoded(content: bytes) -> Mark:
    """Read a mark; what is no mark becomes one of an unknown run."""
    try:
        values = json.loads(content)
        mark = Mark(**{field.name: field.type(values[field.name]) for field in fields(Mark)})
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Mark()
    # they become the name of a file, and a word of a command
    sound = _TOKEN.fullmatch(mark.token) and _SLURM.fullmatch(mark.slurm or "-") and 0 < mark.pid < 2**31
    return mark if sound else Mark()


def state(mark: Mark, age: float) -> str:
    """Return whether a run is alive, dead, or silent: elsewhere, and too long without a sign of life.

    Parameters
    ----------
    mark : Mark
    age : float
        Seconds since its last sign of life.
    """
    if mark.token and mark.machine == machine():
        now = started(mark.pid)
        if now != "":
            return "alive" if now == mark.started else "dead"
    return "alive" if age < SILENT_SECONDS else "silent"


def who(mark: Mark, age: float) -> str:
    """Name a run: process, host, since when, and its last sign of life."""
    minutes = f"{age // 60:.0f} minutes" if age >= 120 else f"{age:.0f} s"
    process = f"process {mark.pid} on {_plain(mark.host)}" if mark.token else "an unknown process"
    place = f" in {_plain(mark.directory)}" if mark.directory else ""
    return f"{process}{place}, since {_plain(mark.since)}, last sign of life {minutes} ago"


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:300])


def jobs_here(mark: Mark) -> list[int]:
    """Return the processes on this machine that a dead run of a directory has left (Linux; elsewhere none is found)."""
    if mark.machine != machine():
        return []
    return sorted(_jobs_in(Path(mark.directory)))


def _jobs_in(directory: Path) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() != directory:
                continue
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"--mode" in words or any(b".snakemake/scripts/" in word for word in words):
                yield int(process.name)


def end_children() -> None:
    """Kill what this process has started, and what that has (Linux)."""
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "stat").read_text().rpartition(")")[2].split()
            parents[int(process.name)] = int(words[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    for pid in found - {os.getpid()}:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
