"""What becomes of a product that cannot be processed: one contract for every engine.

Transient trouble is raised, so that Snakemake tries again. What stays wrong, and any trouble in the
last attempt, becomes a placeholder: the other products of the site still finish, the summary names
the product, and the gate `check_products` tells the truth at the end.
"""

import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tigerbush.errors import ConfigurationError, EngineError, TigerbushError, WriteError
from tigerbush.raster import GDAL_ERRORS, STATUS, read_tags
from tigerbush.safe import FAILED

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def or_placeholder(
    work: Callable[[], Result], placeholder: Callable[[str], Result], last_attempt: bool
) -> Result:
    """Return what `work` returns, or the placeholder for the reason of its failure.

    Parameters
    ----------
    work : callable
    placeholder : callable
        Takes the reason, one sentence.
    last_attempt : bool
        Whether trouble that might pass (`OSError`) is final now.

    Raises
    ------
    OSError
        Before the last attempt.
    ConfigurationError, EngineError, WriteError
        Always: a wrong configuration, a full disk, or an engine that is not there, is no fault of the product.
    """
    try:
        return work()
    except TigerbushError as error:
        reason = str(error)
    except (ConfigurationError, EngineError, WriteError):
        raise
    except OSError as error:
        if not last_attempt:
            raise
        reason = f"{type(error).__name__}: {error}"
    log.error("%s", reason)
    return placeholder(" ".join(reason.split()))


def failed_outputs(results: Path) -> list[Path]:
    """Return what to make again of failed products below a results folder, sorted.

    Placeholders, damaged files, and the local copies that a failure may come from.

    Parameters
    ----------
    results : Path
        Holds `downloads/`, `scenes/` and one folder per site.
    """
    images = [*results.glob("scenes/S2*.tif"), *results.glob("*/products/S2*.tif")]
    failed = [path for path in images if not path.stem.endswith("_mask") and _image_failed(path)]
    products = {path.stem for path in failed}
    copies = [*results.glob("downloads/S2*.zip"), *results.glob("*/downloads/S2*.zip")]
    return sorted([*failed, *(path for path in copies if path.stem in products or _download_failed(path))])


def _image_failed(path: Path) -> bool:
    try:
        return read_tags(path).get(STATUS) == "failed"
    except GDAL_ERRORS:
        return True


def _download_failed(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return FAILED in archive.namelist()
    except zipfile.BadZipFile:
        return True
