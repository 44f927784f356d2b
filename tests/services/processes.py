"""Processes of this machine: found by their environment or their parents, ended, waited for."""

import os
import signal
import time
from pathlib import Path


def wait_until(condition, seconds: float, trouble: str, folder: Path | None = None) -> None:
    """Poll a condition; after some seconds fail with the trouble and the ends of the logs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{trouble} after {seconds:g} s{tail(folder) if folder else ''}"
        time.sleep(0.05)


def tail(folder: Path, size: int = 1500) -> str:
    return "".join(
        f"\n== {path.name}\n{path.read_text(errors='replace')[-size:]}"
        for path in sorted((folder / "log").glob("*"))
    )


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def read_process(pid: int, name: str) -> bytes:
    """A file of a process; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def comm(pid: int) -> str:
    return read_process(pid, "comm").decode().strip()


def marked(variable: str) -> list[int]:
    """The processes with an environment variable of this value: daemons and what they started themselves."""
    return [pid for pid in processes() if variable.encode() in read_process(pid, "environ").split(b"\0")]


def with_children(pids: list[int]) -> list[int]:
    """Processes and all that descends from them: the jobs of a slurmd have the user's environment."""
    children = {}
    for pid in processes():
        # the parent is the second field behind the name, which is in brackets
        fields = read_process(pid, "stat").rpartition(b")")[2].split()
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    found, waiting = [], list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.append(pid)
            waiting += children.get(pid, [])
    return found


def children_of(pid: int) -> list[int]:
    """All that descends from a process."""
    return with_children([pid])[1:]


def kill(pids: list[int], how: int = signal.SIGKILL, seconds: float = 20) -> None:
    """End processes of ours and wait until they are gone."""
    for pid in pids:
        try:
            os.kill(pid, how)
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
