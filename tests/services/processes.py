"""Processes of this machine: found by their environment or their parents, killed, waited for."""

import os
import signal
import time
from pathlib import Path


def wait_until(condition, seconds: float, problem: str, folder: Path | None = None) -> None:
    """Poll a condition; after some seconds fail with the problem and the ends of the logs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, (
            f"{problem} after {seconds:g} s{ends_of_logs(folder) if folder else ''}"
        )
        time.sleep(0.05)


def ends_of_logs(folder: Path, size: int = 1500) -> str:
    return "".join(
        f"\n== {path.name}\n{path.read_text(errors='replace')[-size:]}"
        for path in sorted((folder / "log").glob("*"))
    )


def list_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def read_process(pid: int, name: str) -> bytes:
    """Read a file of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def comm(pid: int) -> str:
    return read_process(pid, "comm").decode().strip()


def processes_with(variable: str) -> list[int]:
    """Return the processes with an environment variable (`NAME=value`): daemons and what they started themselves."""
    return [pid for pid in list_processes() if variable.encode() in read_process(pid, "environ").split(b"\0")]


def with_descendants(pids: list[int]) -> list[int]:
    """Return processes and their descendants: the jobs of a slurmd have the environment of the user."""
    children = {}
    for pid in list_processes():
        # the parent is the second field after the name, which is in brackets
        fields = read_process(pid, "stat").rpartition(b")")[2].split()
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    family, pending = [], list(pids)
    while pending:
        pid = pending.pop()
        if pid not in family:
            family.append(pid)
            pending += children.get(pid, [])
    return family


def descendants_of(pid: int) -> list[int]:
    """Return the descendants of a process."""
    return with_descendants([pid])[1:]


def kill(pids: list[int], signal_number: int = signal.SIGKILL, seconds: float = 20) -> None:
    """Send a signal to processes of ours and wait until they have ended."""
    for pid in pids:
        try:
            os.kill(pid, signal_number)
        except ProcessLookupError:
            continue

    def gone():
        for pid in pids:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
        return not [
            pid
            for pid in pids
            if read_process(pid, "stat").rpartition(b")")[2].split()[:1] not in ([], [b"Z"])
        ]

    wait_until(gone, seconds, f"processes {pids} do not end")
