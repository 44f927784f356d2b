"""The mark of a run as a file in the folder of results.

Everything is done with files that only one process can make (O_EXCL) and by renaming, which hold on NFS, too; locks of
the kernel (flock) do not.
"""

import errno
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tigerbush.files import atomic_write, write_error
from tigerbush.runs.judge import Judge
from tigerbush.runs.mark import NAME, LostError, Mark, decoded, state, who

# that the maker of a mark takes to fill it
_PATIENCE_SECONDS = 1
_LONGEST = 10_000
# of one process; others come and go meanwhile
_TRIES = 1000


class Folder:
    """Results on a disk.

    Parameters
    ----------
    path : Path
        It is made when somebody takes it, and removed when nothing has come into it.
    """

    renew_seconds = 60

    def __init__(self, path: Path) -> None:
        self.folder = path
        self.path = path / NAME
        self.name = str(path)
        self.created = False

    def look(self) -> None:
        """Do nothing: whoever plans on a disk reads it."""

    def take(self, mark: Mark, judge: Judge, say: Callable[[str], None] = print) -> None:
        """Mark the results as those of a run; of several that try it, one does.

        Raises
        ------
        TigerbushError
            When another run is alive, silent, or has left something.
        WriteError
            When nothing can be written there.
        """
        self.created = not self.folder.exists()
        try:
            for _ in range(_TRIES):
                if _made(self.path, mark):
                    return
                with suppress(FileNotFoundError):
                    other, age = read(self.path)
                    judge.refuse_unless_gone(other, age)
                    if self._succeed(other, mark, judge):
                        return
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        except OSError as error:
            raise write_error(self.path, error) from error

    def _succeed(self, dead: Mark, mark: Mark, judge: Judge) -> bool:
        """Replace the mark of one dead run, and of no other: one process alone can make its successor."""
        successor = self.path.with_name(f".run-{dead.token}.json")
        if not _made(successor, mark):
            judge.refuse_unless_gone(*read(successor))
            successor.unlink(missing_ok=True)
            return False
        try:
            if read(self.path)[0].token != dead.token:
                return False
            successor.rename(self.path)
            return read(self.path)[0].token == mark.token
        finally:
            successor.unlink(missing_ok=True)

    def renew(self, mark: Mark) -> None:
        """Give a sign of life; make the mark again when somebody has deleted it.

        Raises
        ------
        LostError
            When the results are another run's.
        OSError
            When the disk does not answer; that may pass.
        """
        if not _made(self.path, mark):
            other, age = read(self.path)
            if other.token != mark.token:
                raise LostError(f"{self.name} is in the hands of another run ({who(other, age)})")
            # the server's time on NFS
            os.utime(self.path)

    def rewrite(self, mark: Mark) -> None:
        """Replace one's own mark by what is known by then."""
        with atomic_write(self.path) as temporary:
            temporary.write_bytes(mark.encoded())

    def release(self, mark: Mark) -> None:
        """Take one's own mark away."""
        with suppress(OSError):
            if read(self.path)[0].token == mark.token:
                self.path.unlink()
            if self.created:
                self.folder.rmdir()

    def unlock(self, mark: Mark, judge: Judge) -> None:
        """Take away the mark of a run that is dead or silent.

        Raises
        ------
        TigerbushError
            When it is alive, or jobs of it go on.
        """
        if self.path.exists():
            self.take(mark, judge)
            self.release(mark)
        # of a run that died while it succeeded another
        for path in self.folder.glob(".run-*.json"):
            with suppress(FileNotFoundError):
                if state(*read(path)) != "alive":
                    path.unlink()


def read(path: Path) -> tuple[Mark, float]:
    """Return a mark and the seconds since its last sign of life, by the clock of the file system.

    Raises
    ------
    FileNotFoundError
    """
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        # what is opened is looked up anew on NFS, too
        with path.open("rb") as file:
            mark = decoded(file.read(_LONGEST))
            changed = os.fstat(file.fileno()).st_mtime
        age = max(0.0, _now(path.parent) - changed)
        if mark.token or age > _PATIENCE_SECONDS or time.monotonic() > end:
            return mark, age
        time.sleep(0.02)


def _now(folder: Path) -> float:
    """Return the time by the clock that the times of files in a folder are from."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            os.utime(probe.fileno())
            return os.fstat(probe.fileno()).st_mtime
    except OSError:
        return time.time()


def _made(path: Path, mark: Mark) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(handle, mark.encoded())
    except BaseException:
        # a full disk, or a signal; unfilled it would pass for another run's
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    return True
