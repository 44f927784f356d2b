"""Files that are either whole or not there, and the log of a job."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tigerbush.errors import TigerbushError, WriteError


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` when the block succeeds.

    The suffix is kept, because GDAL chooses by it. After an exception the temporary file is removed
    and `target` is as it was before.

    Raises
    ------
    WriteError
        When the folder cannot be made, the disk is full, or the like.
    """
    target = Path(target)
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem[:40]}.", suffix=target.suffix, dir=target.parent
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # a network disk may tell only now that it is full
        with temporary.open("rb") as file:
            os.fsync(file)
        # mkstemp makes files private; results are as readable as any other new file
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise WriteError(f"{target} cannot be written ({reason}); mend that and run again.") from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)


def write_bytes(target: Path, content: bytes) -> None:
    """Write `content` to `target`, whole or not at all."""
    with replacing(target) as temporary:
        temporary.write_bytes(content)


def write_json(target: Path, data: object) -> None:
    """Write `data` as JSON, whole or not at all; NaN and infinity are refused with ValueError."""
    write_bytes(target, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


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
def job_log(path: Path) -> Iterator[None]:
    """Send log messages to `path` and stderr; end a job with its sentence instead of a traceback.

    Raises
    ------
    SystemExit
        With status 1 when the block raises `TigerbushError` or `WriteError`; any other exception is logged with its
        traceback and passes.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(levelname)s: %(message)s",
        handlers=[logging.FileHandler(path, mode="w"), logging.StreamHandler(sys.stderr)],
        force=True,
    )
    # rasterio repeats every GDAL complaint that becomes a sentence of ours
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    try:
        yield
    except (TigerbushError, WriteError) as error:
        logging.error("%s", error)
        raise SystemExit(1) from None
    except Exception:
        logging.exception("this is a defect of tigerbush or trouble of the machine:")
        raise
