"""Files that are either whole or not there."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tigerbush.errors import NO_ROOM, TigerbushError, WriteError

# the end of the name of a record beside a finished result: why its product could not be read again
RECORD = ".unreadable.json"
# more than any float has; Python refuses to read some thousands
_MOST_DIGITS = 400


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` when the block succeeds.

    The suffix is kept, because GDAL chooses by it. After an exception the temporary file is removed
    and `target` is as it was before.

    Raises
    ------
    WriteError
        When the folder cannot be made, the disk is full, or the like. Other errors of the block, as
        when what is copied cannot be read, pass as they are.
    """
    target = Path(target)
    with _blamed_on(target):
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
            if error.errno in NO_ROOM:
                raise write_error(target, error) from error
            raise
        with _blamed_on(target):
            # a network disk may tell only now that it is full
            with temporary.open("rb") as file:
                os.fsync(file)
            # mkstemp makes files private; results are as readable as any other new file
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _blamed_on(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise write_error(target, error) from error


def write_error(target: Path, error: BaseException) -> WriteError:
    """Return the sentence for a file that cannot be written."""
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return WriteError(f"{target} cannot be written ({reason}); mend that and run again.")


def write_bytes(target: Path, content: bytes) -> None:
    """Write `content` to `target`, whole or not at all."""
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the disk knows no hard links."""
    with atomic_write(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        # younger than what the job was given, or Snakemake would link it again and again
        os.utime(temporary)


def write_json(target: Path, data: object) -> None:
    """Write `data` as JSON, whole or not at all; NaN and infinity are refused with ValueError."""
    write_bytes(target, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


def parse_json(content: bytes | str) -> object:
    """Read JSON; a whole number of more digits than any float has becomes infinite.

    Raises
    ------
    ValueError, RecursionError
    """
    return json.loads(
        content, parse_int=lambda digits: (int if len(digits) <= _MOST_DIGITS else float)(digits)
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


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Yield a folder among the temporary files, removed in the end.

    Raises
    ------
    WriteError
        When it cannot be made.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise write_error(Path("the folder of temporary files (TMPDIR)"), error) from error
    with folder as name:
        yield Path(name).resolve()
