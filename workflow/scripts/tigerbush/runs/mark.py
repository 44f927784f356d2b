"""The mark of a run: which process works on the results, and whether it is alive.

On its own machine a run is alive as long as its process is; seen from elsewhere, as long as its heartbeat is recent.
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

MARK_FILE = ".run.json"
SILENT_SECONDS = 600
_TOKEN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SLURM = re.compile(r"[\w.-]{1,200}")


@dataclass(frozen=True)
class Mark:
    """What a run says about itself.

    Attributes
    ----------
    token : str
        Unique to this run; empty for a mark that cannot be read.
    host, machine : str
        The host name, and an id that no other machine or container shares.
    pid : int
    started : str
        When the process started, in the operating system's own form: process ids are reused.
    since : str
        The same, to be read by people.
    directory, executor : str
        The working directory, and what runs the jobs.
    slurm : str
        The name of its jobs in SLURM, once they have one.
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

    def encode(self) -> bytes:
        """Return the content of the file."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


class LostLockError(TigerbushError):
    """Another run has taken over the results; the message says which."""


def new_mark(executor: str, directory: Path) -> Mark:
    """Return a mark for this process."""
    return Mark(
        token=str(uuid.uuid4()),
        host=socket.gethostname(),
        machine=machine_id(),
        pid=os.getpid(),
        started=start_time(os.getpid()) or "",
        since=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        directory=str(directory),
        executor=executor,
    )


def machine_id() -> str:
    """Identify this machine since it was booted, and the container on it; host names are not unique."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        # not Linux
        return socket.gethostname()


def start_time(pid: int) -> str | None:
    """Return when a process of this machine started; None if there is none, "" if that cannot be determined."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        # it belongs to another user
        pass
    with suppress(OSError):
        # the fields after the process name, which may contain anything
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if words[0] in "ZX" else words[19]
    if Path("/proc/self/stat").exists():
        return ""
    command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return " ".join(done.stdout.split())


def decode_mark(content: bytes) -> Mark:
    """Read a mark; anything else is taken for that of an unknown run."""
    try:
        values = json.loads(content)
        mark = Mark(**{field.name: field.type(values[field.name]) for field in fields(Mark)})
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return Mark()
    # they become a file name and an argument of a command
    valid = _TOKEN.fullmatch(mark.token) and _SLURM.fullmatch(mark.slurm or "-") and 0 < mark.pid < 2**31
    return mark if valid else Mark()


def liveness(mark: Mark, age: float) -> str:
    """Return whether a run is alive, dead, or silent: on another machine, and too long without a heartbeat.

    Parameters
    ----------
    mark : Mark
    age : float
        Seconds since its last heartbeat.
    """
    if mark.token and mark.machine == machine_id():
        started = start_time(mark.pid)
        if started != "":
            return "alive" if started == mark.started else "dead"
    return "alive" if age < SILENT_SECONDS else "silent"


def describe_run(mark: Mark, age: float) -> str:
    """Describe a run: its process, host and folder, when it started, and how old its last heartbeat is."""
    elapsed = f"{age // 60:.0f} minutes" if age >= 120 else f"{age:.0f} s"
    process = f"process {mark.pid} on {_printable(mark.host)}" if mark.token else "an unknown process"
    folder = f" in {_printable(mark.directory)}" if mark.directory else ""
    return f"{process}{folder}, started {_printable(mark.since)}, last heartbeat {elapsed} ago"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:300])


def leftover_processes(mark: Mark) -> list[int]:
    """Return the processes that a dead run has left on this machine (Linux; none are found elsewhere)."""
    if mark.machine != machine_id():
        return []
    return sorted(_job_processes(Path(mark.directory)))


def _job_processes(directory: Path) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() != directory:
                continue
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"--mode" in words or any(b".snakemake/scripts/" in word for word in words):
                yield int(process.name)


def kill_descendants() -> None:
    """Kill the children of this process, and theirs (Linux)."""
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "stat").read_text().rpartition(")")[2].split()
            parents[int(process.name)] = int(words[1])
    family = {os.getpid()}
    while children := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= children
    for pid in family - {os.getpid()}:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
