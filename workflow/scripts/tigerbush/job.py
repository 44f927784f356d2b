"""A job: its log, and what Snakemake gives to its script."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tigerbush.errors import MachineError, RemoteError, TigerbushError, machine_fault


@contextmanager
def job_log(path: Path) -> Iterator[None]:
    """Send log messages to `path` and stderr; end a job with its sentence instead of a traceback.

    Raises
    ------
    SystemExit
        With status 1 when the block raises one of `tigerbush.errors`, or the machine is to blame; any other exception
        is logged with its traceback and passes.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # emptied, then appended to: the processes that a job starts write there, too
    Path(path).write_bytes(b"")
    logging.basicConfig(
        level=logging.INFO,
        format="%(levelname)s: %(message)s",
        handlers=[logging.FileHandler(path), logging.StreamHandler(sys.stderr)],
        force=True,
    )
    # rasterio repeats every GDAL complaint that becomes a sentence of ours
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    # and botocore tells at each start where it found the credentials
    logging.getLogger("botocore").setLevel(logging.WARNING)
    try:
        yield
    except (TigerbushError, MachineError, RemoteError) as error:
        logging.error("%s", error)
        raise SystemExit(1) from None
    except Exception as error:
        if fault := machine_fault(error):
            logging.error("%s", fault)
            raise SystemExit(1) from None
        logging.exception("this is a defect of tigerbush or trouble of the machine:")
        raise


def job_arguments(params: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters of a job for its script's main: all but the fingerprint of the library.

    One that is a key of the configuration (`tigerbush.planning.fingerprints.later`) has the last part of its name.
    """
    return {name.rpartition(".")[2]: value for name, value in params.items() if name != "library"}


def job_outputs(output: Mapping[str, str]) -> dict[str, Path]:
    """Return the outputs of a job for its script's main: all but the fingerprint, which Snakemake's side writes."""
    return {name: Path(path) for name, path in output.items() if name != "fingerprint"}
