"""The lock of a run on a disk: its mark as a file in the folder of results.

It relies on files that only one process can create (O_EXCL) and on renaming, which also work on NFS; kernel locks
(flock) do not.
"""

import errno
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tigerbush.files import atomic_write, write_error
from tigerbush.runs.mark import MARK_FILE, LostLockError, Mark, decode_mark, describe_run, liveness
from tigerbush.runs.takeover import Takeover

# how long the creator of a mark may take to fill it
_GRACE_SECONDS = 1
_MAX_BYTES = 10_000
# of one process, while others come and go
_TRIES = 1000


class LockFile:
    """The lock on results on a disk.

    Parameters
    ----------
    path : Path
        Folder of the results. It is created when the lock is acquired, and removed if it is still empty at the end.
    """

    renew_seconds = 60

    def __init__(self, path: Path) -> None:
        self.folder = path
        self.path = path / MARK_FILE
        self.name = str(path)
        self.created = False

    def check_access(self) -> None:
        """Do nothing: planning reads the disk anyway."""

    def acquire(self, mark: Mark, takeover: Takeover, notify: Callable[[str], None] = print) -> None:
        """Mark the results as those of this run; of several that try at once, one succeeds.

        Raises
        ------
        TigerbushError
            When another run is alive or silent, or has left jobs.
        WriteError
            When the folder is not writable.
        """
        self.created = not self.folder.exists()
        try:
            for _ in range(_TRIES):
                if _create(self.path, mark):
                    return
                with suppress(FileNotFoundError):
                    other, age = read_mark(self.path)
                    takeover.refuse_unless_ended(other, age)
                    if self._succeed(other, mark, takeover):
                        return
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        except OSError as error:
            raise write_error(self.path, error) from error

    def _succeed(self, dead: Mark, mark: Mark, takeover: Takeover) -> bool:
        """Replace the mark of this dead run and no other: only one process can create the file of its successor."""
        successor = self.path.with_name(f".run-{dead.token}.json")
        if not _create(successor, mark):
            takeover.refuse_unless_ended(*read_mark(successor))
            successor.unlink(missing_ok=True)
            return False
        try:
            if read_mark(self.path)[0].token != dead.token:
                return False
            successor.rename(self.path)
            return read_mark(self.path)[0].token == mark.token
        finally:
            successor.unlink(missing_ok=True)

    def renew(self, mark: Mark) -> None:
        """Give a heartbeat; create the mark again if it was deleted.

        Raises
        ------
        LostLockError
            When another run has taken over the results.
        OSError
            When the disk does not respond, perhaps only for a while.
        """
        if not _create(self.path, mark):
            other, age = read_mark(self.path)
            if other.token != mark.token:
                raise LostLockError(f"another run has taken over {self.name} ({describe_run(other, age)})")
            # the server's time on NFS
            os.utime(self.path)

    def update(self, mark: Mark) -> None:
        """Replace the mark of this run by a more complete one."""
        with atomic_write(self.path) as temporary:
            temporary.write_bytes(mark.encode())

    def release(self, mark: Mark) -> None:
        """Remove the mark of this run."""
        with suppress(OSError):
            if read_mark(self.path)[0].token == mark.token:
                self.path.unlink()
            if self.created:
                self.folder.rmdir()

    def unlock(self, mark: Mark, takeover: Takeover) -> None:
        """Remove the mark of a run that is dead or silent.

        Raises
        ------
        TigerbushError
            When it is alive, or its jobs are still running.
        """
        if self.path.exists():
            self.acquire(mark, takeover)
            self.release(mark)
        # of a run that died while it took over from another
        for path in self.folder.glob(".run-*.json"):
            with suppress(FileNotFoundError):
                if liveness(*read_mark(path)) != "alive":
                    path.unlink()


def read_mark(path: Path) -> tuple[Mark, float]:
    """Return a mark and the seconds since its last heartbeat, by the clock of the file system.

    Raises
    ------
    FileNotFoundError
    """
    end = time.monotonic() + _GRACE_SECONDS
    while True:
        # opening a file bypasses the attribute cache of NFS
        with path.open("rb") as file:
            mark = decode_mark(file.read(_MAX_BYTES))
            changed = os.fstat(file.fileno()).st_mtime
        age = max(0.0, _file_system_time(path.parent) - changed)
        if mark.token or age > _GRACE_SECONDS or time.monotonic() > end:
            return mark, age
        time.sleep(0.02)


def _file_system_time(folder: Path) -> float:
    """Return the time by the clock that stamps the files of a folder."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            os.utime(probe.fileno())
            return os.fstat(probe.fileno()).st_mtime
    except OSError:
        return time.time()


def _create(path: Path, mark: Mark) -> bool:
    """Write a mark to a new file; return False if the file exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(handle, mark.encode())
    except BaseException:
        # a full disk, or a signal; left empty it would pass for the mark of another run
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    return True
