"""Files that are either complete or absent."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tigerbush.errors import CANNOT_WRITE, TigerbushError, WriteError, what_is_full

# suffix of the record beside a kept result, which says why its product can no longer be read
RECORD = ".unreadable.json"
# more than any float has; Python refuses to parse some thousands
_MAX_DIGITS = 400


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` when the block succeeds.

    The temporary file has the suffix of `target`, from which GDAL infers the format. After an exception it is
    removed, and `target` is unchanged.

    Raises
    ------
    WriteError
        When the folder cannot be created, the disk is full, or the like. Other errors in the block, such as
        an unreadable source of a copy, are raised unchanged.
    """
    target = Path(target)
    with _as_write_error(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem[:40]}.", suffix=target.suffix, dir=target.parent
        )
        os.close(handle)
    temporary = Path(name)
    try:
        try:
            yield temporary
        except OSError as error:
            if error.errno in CANNOT_WRITE:
                raise write_error(target, error) from error
            raise
        with _as_write_error(target):
            # a network disk may report only now that it is full
            with temporary.open("rb") as file:
                os.fsync(file)
            # mkstemp creates private files; results get the permissions of any other new file
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _as_write_error(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(target, error) from error


def write_error(target: Path, error: BaseException) -> WriteError:
    """Return the exception for a file that cannot be written."""
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    # GDAL does not say that it was for lack of space
    full = what_is_full(target) if getattr(error, "errno", None) in (None, errno.ENOSPC) else ""
    return WriteError(f"{target} cannot be written ({reason}{full}); fix that and run again.")


def write_bytes(target: Path, content: bytes) -> None:
    """Write `content` to `target`, completely or not at all."""
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)


def link_or_copy(source: Path, target: Path) -> None:
    """Create a hard link to a file, or a copy where the file system has no hard links."""
    with atomic_write(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        # newer than the job's inputs, or Snakemake would run the job again every time
        os.utime(temporary)


def write_json(target: Path, data: object) -> None:
    """Write `data` as JSON, completely or not at all; NaN and infinity raise ValueError."""
    write_bytes(target, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


def parse_json(content: bytes | str) -> object:
    """Parse JSON; an integer with more digits than any float becomes infinite.

    Raises
    ------
    ValueError, RecursionError
    """
    return json.loads(
        content, parse_int=lambda digits: (int if len(digits) <= _MAX_DIGITS else float)(digits)
    )


def read_json(path: Path) -> object:
    """Read a JSON file that an earlier step wrote.

    Raises
    ------
    TigerbushError
        When the file is not JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except ValueError as error:
        raise TigerbushError(f"{path} is not valid JSON ({error}); delete it and run again.") from error


def walk_once(
    folder: Path, on_refusal: Callable[[Path, PermissionError], None] | None = None
) -> Iterator[tuple[Path, list[os.DirEntry]]]:
    """Walk a folder tree, also through links, and list each folder once: by links only when it is nowhere else.

    Names that begin with a dot are left out.

    Parameters
    ----------
    folder : Path
    on_refusal : callable, optional
        Receives a folder below that this user may not list, and the error, which is raised by default.

    Yields
    ------
    folder : Path
    entries : list of os.DirEntry
        Folders that the caller removes from this list are not entered.

    Raises
    ------
    OSError
        When a folder cannot be listed.
    """
    visited: set[tuple[int, int]] = set()
    folders, links = [folder], []
    while folders or links:
        current = folders.pop() if folders else links.pop(0)
        state = current.stat()
        if (state.st_dev, state.st_ino) in visited:
            continue
        visited.add((state.st_dev, state.st_ino))
        try:
            with os.scandir(current) as listing:
                entries = [entry for entry in listing if not entry.name.startswith(".")]
        except PermissionError as error:
            if on_refusal is None or current == folder:
                raise
            on_refusal(current, error)
            continue
        yield current, entries
        for entry in entries:
            path = current / entry.name
            # unlike the entry's own function, this one takes a link to itself for no folder
            if path.is_dir() if entry.is_symlink() else entry.is_dir():
                (links if entry.is_symlink() else folders).append(path)


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Yield a temporary folder, which is removed at the end.

    Raises
    ------
    WriteError
        When it cannot be created.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise write_error(Path("the folder for temporary files (TMPDIR)"), error) from error
    with folder as name:
        yield Path(name).resolve()
