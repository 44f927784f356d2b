"""What becomes of a product that cannot be processed: one contract for every engine.

Transient trouble is raised, so that Snakemake tries again, and so is every fault of the machine. What stays wrong with
a product, and any trouble in the last attempt, becomes a placeholder: the other products of the site still finish, the
summary names the product, and the gate `check_products` tells the truth at the end. A placeholder never takes the place
of a finished result.
"""

import logging
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import rasterio

from tigerbush.errors import KeptError, MachineError, TigerbushError, refuse_fault
from tigerbush.files import RECORD, atomic_write, read_json, write_json
from tigerbush.grid import Grid
from tigerbush.product import NODATA, ProductName
from tigerbush.raster import GDAL_ERRORS, PRODUCT, REASON, STATUS, Raster, read_tags
from tigerbush.sensors import product_pattern
from tigerbush.version import __version__

log = logging.getLogger(__name__)

# the only member of a zip that stands for a failed download; it holds the reason
FAILED = "TIGERBUSH_FAILED.txt"
# What zipfile raises for damage: its own error, the decompressor's, and RuntimeError and its kind for
# compression that it does not know and for encryption.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, KeyError)
# where results of single products lie, and how their names end
_PLACES = {"scenes": ".tif", "*/products": ".tif", "downloads": ".zip", "*/downloads": ".zip"}

Result = TypeVar("Result")


def placeholder_on_failure(
    work: Callable[[], Result],
    placeholder: Callable[[str], Result],
    last_attempt: bool,
    *,
    source: Path | None = None,
    result: Path | None = None,
) -> Result:
    """Return what `work` returns, or the placeholder for the reason of its failure.

    Parameters
    ----------
    work : callable
    placeholder : callable
        Takes the reason, one sentence.
    last_attempt : bool
        Whether trouble that might pass (`OSError`) is final now.
    source : Path, optional
        Where the product lies on this machine.
    result : Path, optional
        `{product}.tif` or `{product}.zip`, what the placeholder would replace: kept when it is finished.

    Raises
    ------
    OSError
        Before the last attempt.
    MachineError, MemoryError, ImportError
        Always, when the machine or the configuration is to blame (`tigerbush.errors.machine_fault`).
    KeptError
        When `result` is kept.
    """
    try:
        made = work()
    except (MachineError, KeptError):
        raise
    except (TigerbushError, OSError) as error:
        refuse_fault(error, source)
        final = isinstance(error, TigerbushError)
        if not final and not last_attempt:
            raise
        reason = " ".join((str(error) if final else f"{type(error).__name__}: {error}").split())
        log.error("%s", reason)
        if result is not None:
            keep_finished(result, reason)
        made = placeholder(reason)
    if result is not None:
        record_of(result).unlink(missing_ok=True)
    return made


def keep_finished(result: Path, reason: str) -> None:
    """Refuse to replace a finished result by a placeholder, and record it beside the result.

    Parameters
    ----------
    result : Path
        `{product}.tif` or `{product}.zip`.
    reason : str
        Why the product cannot be read now.

    Raises
    ------
    KeptError
        When the result is finished.
    MachineError
        When that cannot be told.
    """
    if is_finished(result):
        record_unreadable(result, reason)
        raise KeptError(
            f"{result.stem} cannot be read again ({reason.rstrip('.')}); {result} of an earlier run is kept as it is: "
            "mend the product, then run ./tigerbush retry, or delete that file to go on without it.",
            reason,
        )


def keep_scene_with_pixels(scene: Path, reason: str) -> None:
    """Refuse to replace a scene with pixels by one of a region that the product does not reach: a typo, more likely.

    Parameters
    ----------
    scene : Path
    reason : str

    Raises
    ------
    KeptError
        When the scene has pixels.
    """
    if is_finished(scene) and read_tags(scene).get(STATUS) == "ok":
        raise KeptError(
            f"{reason}: {scene} of an earlier run is kept as it is; correct scene.region or scene.geo_region, or "
            "delete that file to go on without it.",
            reason,
        )


def record_of(result: Path) -> Path:
    """Return the record of a kept result, `{product}.unreadable.json` beside it."""
    return result.with_name(f"{result.stem}{RECORD}")


def record_unreadable(result: Path, reason: str) -> None:
    """Write the record of a kept result."""
    write_json(record_of(result), {"product": result.stem, "reason": reason})


def is_finished(result: Path) -> bool:
    """Tell whether a GeoTIFF or a zip is whole and stands for no failure.

    Parameters
    ----------
    result : Path
        What `failed_outputs` lists; without a tag of status (a composite) it only has to be whole.

    Raises
    ------
    MachineError
        When the machine keeps it from being read: nothing is known then.
    """
    try:
        with result.open("rb"):
            pass
        return _copy_finished(result) if result.suffix == ".zip" else _image_finished(result)
    except FileNotFoundError:
        return False
    except (*GDAL_ERRORS, *ZIP_ERRORS, OSError) as error:
        refuse_fault(error)
        return False


def _image_finished(path: Path) -> bool:
    with rasterio.open(path) as image:
        for _, window in image.block_windows(1):
            # raises where it is damaged
            image.read(window=window)
        return image.tags().get(STATUS) != "failed"


def _copy_finished(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return FAILED not in archive.namelist() and archive.testzip() is None


def kept_results(results: Path) -> dict[Path, str]:
    """Return what is kept below a results folder because its product could not be read again, with the reasons.

    Parameters
    ----------
    results : Path
        As of `failed_outputs`.
    """
    kept = {}
    for folder, suffix in _PLACES.items():
        for record in results.glob(f"{folder}/*{RECORD}"):
            result = record.with_name(record.name.removesuffix(RECORD) + suffix)
            try:
                kept[result] = str(read_json(record)["reason"])
            except (TigerbushError, KeyError, TypeError):
                kept[result] = "its record is damaged"
    return dict(sorted(kept.items()))


def failed_outputs(results: Path) -> list[Path]:
    """Return what to make again of failed products below a results folder, sorted.

    Placeholders, damaged files, what is kept of products that could not be read again, and the local copies that a
    failure may come from.

    Parameters
    ----------
    results : Path
        Holds `downloads/`, `scenes/` and one folder per site.
    """
    images = _of_products(results, "scenes/*.tif", "*/products/*.tif")
    failed = {path for path in images if not path.stem.endswith("_mask") and _image_failed(path)}
    failed |= kept_results(results).keys()
    products = {path.stem for path in failed}
    copies = _of_products(results, "downloads/*.zip", "*/downloads/*.zip")
    return sorted({*failed, *(path for path in copies if path.stem in products or _download_failed(path))})


def _of_products(results: Path, *places: str) -> list[Path]:
    """List the files in some places whose names begin with that of a product."""
    name = re.compile(product_pattern())
    return [path for place in places for path in results.glob(place) if name.match(path.name)]


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


def product_tags(name: ProductName, status: str, reason: str) -> dict[str, str]:
    """Return the tags of everything that is made from one product."""
    return {
        PRODUCT: name.product,
        STATUS: status,
        REASON: reason,
        "TIGERBUSH_VERSION": __version__,
        "SENSING_TIME": name.sensing_time.isoformat() + "Z",
        "PROCESSING_BASELINE": name.baseline,
    }


def placeholder_raster(
    name: ProductName, reason: str, grid: Grid, epsg: int, bands: Sequence[str], status: str = "failed"
) -> Raster:
    """Return what stands for the pixels of a product: all no-data, with the reason in the tags.

    Parameters
    ----------
    name : ProductName
    reason : str
        One sentence.
    grid : Grid
    epsg : int
    bands : sequence of str
    status : {"failed", "outside"}
        Whether the product cannot be processed, or does not reach the grid.
    """
    return Raster(
        data=np.full((len(bands), *grid.shape), NODATA, np.uint16),
        grid=grid,
        epsg=epsg,
        bands=tuple(bands),
        nodata=NODATA,
        tags=product_tags(name, status, reason),
    )


def write_failed_copy(target: Path, reason: str) -> None:
    """Write the zip that stands for a product that could not be fetched; opening it gives the reason."""
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(FAILED, reason)
