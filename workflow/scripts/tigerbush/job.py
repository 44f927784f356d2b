"""The log of a job, and what its script receives from Snakemake."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tigerbush.errors import MachineError, RemoteError, TigerbushError, machine_fault


@contextmanager
def job_log(path: Path) -> Iterator[None]:
    """Send log messages to `path` and stderr; end a failed job with one sentence instead of a traceback.

    Raises
    ------
    SystemExit
        With status 1 when the block raises one of `tigerbush.errors`, or the machine is to blame; any other exception
        is logged with its traceback and raised.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # truncated, then appended to: processes started by the job write to it as well
    Path(path).write_bytes(b"")
    logging.basicConfig(
        level=logging.INFO,
        format="%(levelname)s: %(message)s",
        handlers=[logging.FileHandler(path), logging.StreamHandler(sys.stderr)],
        force=True,
    )
    # rasterio logs every GDAL error, which our own sentence reports as well
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    # botocore logs at each start where it found the credentials
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
        logging.exception("this is a bug in tigerbush or a problem with the machine:")
        raise


def job_arguments(params: Mapping[str, object]) -> dict[str, object]:
    """Return the job's parameters for the script's main function: all but the fingerprint of the library.

    A key of the configuration (`tigerbush.planning.fingerprints.changed_added_keys`) is passed by the last part of its
    name.
    """
    return {name.rpartition(".")[2]: value for name, value in params.items() if name != "library"}


def results_folder(fingerprint: Path) -> Path:
    """Return the folder of results of a job of no site, or that of its site in it, from the path of its fingerprint."""
    return next(folder for folder in Path(fingerprint).parents if folder.name == "fingerprints").parent


def job_outputs(output: Mapping[str, str]) -> dict[str, Path]:
    """Return the job's outputs for the script's main function: all but the fingerprint, which the rules write."""
    return {name: Path(path) for name, path in output.items() if name != "fingerprint"}
