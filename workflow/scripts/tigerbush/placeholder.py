"""Placeholders for products that cannot be processed: one contract for every engine.

Errors that may be temporary are raised, so that Snakemake retries the job, and so are faults of the machine. A
permanent error of a product, and any error in the last attempt, results in a placeholder: the other products of the
site still finish, the summary names the product, and the gate `check_products` fails at the end. A placeholder never
replaces a finished result.
"""

import logging
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import rasterio

from tigerbush.bundle import ZIP_ERRORS, holds, index_at, read_index
from tigerbush.errors import KeptError, MachineError, TigerbushError, product_sentence, raise_machine_fault
from tigerbush.files import RECORD, atomic_write, read_json, write_json
from tigerbush.grid import Grid
from tigerbush.product import NODATA, ProductName
from tigerbush.raster import GDAL_ERRORS, PRODUCT, REASON, STATUS, Raster, read_tags
from tigerbush.sensors import product_pattern
from tigerbush.version import __version__

log = logging.getLogger(__name__)

# the only member of a placeholder zip; it contains the reason for the failure
FAILED = "TIGERBUSH_FAILED.txt"
# folders with a file for each product, and the suffix of these files; of windows, with bundles of the product
_FOLDERS = {"scenes": ".tif", "scenes/*/*": ".tif", "downloads": ".zip"}
_BUNDLES = ("windows", "downloads")

Result = TypeVar("Result")


def placeholder_on_failure(
    work: Callable[[], Result],
    placeholder: Callable[[str], Result],
    last_attempt: bool,
    *,
    source: Path | None = None,
    result: Path | None = None,
) -> Result:
    """Return what `work` returns, or a placeholder with the reason when it fails.

    Parameters
    ----------
    work : callable
    placeholder : callable
        Receives the reason, one sentence.
    last_attempt : bool
        Whether an error that may be temporary (`OSError`) counts as permanent.
    source : Path, optional
        Path of the product on this machine: every exception that is not the machine's fault is the product's.
    result : Path, optional
        `{product}.tif` or `{product}.zip`, which the placeholder would replace; it is kept when it is finished.

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
        outcome = work()
    except (MachineError, KeptError, MemoryError, ImportError):
        raise
    except Exception as error:
        raise_machine_fault(error, source)
        # whatever a product does to a parser is its fault; without a product it is a bug
        is_bug = source is None and not isinstance(error, TigerbushError | OSError)
        if is_bug or (isinstance(error, OSError) and not last_attempt):
            raise
        reason = product_sentence(error, source or "")
        # the traceback of an exception that no sentence was written for
        log.error("%s", reason, exc_info=not isinstance(error, TigerbushError | OSError))
        if result is not None:
            raise_if_finished(result, reason)
        outcome = placeholder(reason)
    if result is not None:
        record_path(result).unlink(missing_ok=True)
    return outcome


def raise_if_finished(result: Path, reason: str) -> None:
    """Refuse to replace a finished result by a placeholder, and write the reason into the record beside it.

    Parameters
    ----------
    result : Path
        `{product}.tif` or `{product}.zip`.
    reason : str
        Why the product can no longer be read.

    Raises
    ------
    KeptError
        When the result is finished.
    MachineError
        When the machine prevents the result from being read.
    """
    if is_finished(result):
        write_record(record_path(result), product_of(result), reason)
        raise KeptError(
            f"{product_of(result)} cannot be read again ({reason.rstrip('.')}); {result} from an earlier run is kept: "
            "fix the product, then run ./tigerbush retry, or delete that file to continue without it.",
            reason,
        )


def raise_if_window_finished(bundle: Path, site: str, reason: str) -> None:
    """Refuse to replace the finished window of a site by a placeholder, and write the reason into a record.

    Raises
    ------
    KeptError
        When the window is finished.
    MachineError
        When the machine prevents the bundle from being read.
    """
    entry = index_at(bundle).get(site)
    if entry is None or entry.status == "failed" or not holds(bundle, site):
        return
    product = bundle.parent.name
    write_record(window_record(bundle, site), product, reason)
    raise KeptError(
        f"{product} cannot be read again ({reason.rstrip('.')}); the window of {site} in {bundle} from an earlier run "
        "is kept: fix the product, then run ./tigerbush retry, or set on_gone: keep to continue without it.",
        reason,
    )


def raise_if_scene_has_pixels(scene: Path, reason: str) -> None:
    """Refuse to replace a scene with pixels by an empty one: a region outside the product is more likely a typo.

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
            f"{reason}: {scene} from an earlier run is kept; correct scene.region or scene.geo_region, or delete that "
            "file to continue without it.",
            reason,
        )


def is_copy(path: Path) -> bool:
    """Tell whether a zip is a download of this workflow: only its placeholder is believed to say why it failed.

    Windows that were fetched for a site are two folders below that of downloads.
    """
    folders = [folder.name for folder in path.parents]
    return "downloads" in (*folders[:1], *folders[2:3]) and "results" in path.parent.parts


def record_path(result: Path) -> Path:
    """Return the path of the record of a kept result, `{product}.unreadable.json` beside it."""
    return result.with_name(f"{result.stem}{RECORD}")


def window_record(bundle: Path, site: str) -> Path:
    """Return the path of the record of a kept window, `{site}.unreadable.json` beside the bundle."""
    return bundle.with_name(f"{site}{RECORD}")


def write_record(record: Path, product: str, reason: str) -> None:
    """Write the record of a kept result of a product."""
    write_json(record, {"product": product, "reason": reason})


def refuse_loss(lost: Mapping[str, str], result: Path, bundles: Mapping[str, Path], site: str) -> None:
    """Refuse to replace a result by one that lacks products, and record these for `./tigerbush retry`.

    Parameters
    ----------
    lost : mapping of str to str
        The products that the new result would lose, each with the reason.
    result : Path
        What an earlier run has made.
    bundles : mapping of str to Path
        The bundle of windows of each product.
    site : str

    Raises
    ------
    KeptError
        Where there are such products.
    """
    if not lost:
        return
    for product, reason in lost.items():
        write_record(window_record(bundles[product], site), product, reason)
    product, reason = next(iter(lost.items()))
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    raise KeptError(
        f"{product}{more} cannot be used ({reason.rstrip('.')}); {result} of an earlier run would lose pixels and is "
        "kept as it is: fix the product, then run ./tigerbush retry, or delete that file to go on without it.",
        reason,
    )


def is_finished(result: Path) -> bool:
    """Tell whether a GeoTIFF or a zip is intact and not a placeholder.

    Parameters
    ----------
    result : Path
        One of the files that `failed_outputs` lists, or a composite, which has no status and only has to be intact.

    Raises
    ------
    MachineError
        When the machine prevents it from being read, so that its state is unknown.
    """
    try:
        with result.open("rb"):
            pass
        return _zip_is_finished(result) if result.suffix == ".zip" else _image_is_finished(result)
    except FileNotFoundError:
        return False
    except (*GDAL_ERRORS, *ZIP_ERRORS, OSError) as error:
        raise_machine_fault(error)
        return False


def _image_is_finished(path: Path) -> bool:
    with rasterio.open(path) as image:
        for _, window in image.block_windows(1):
            # raises when the block is damaged
            image.read(window=window)
        return image.tags().get(STATUS) != "failed"


def _zip_is_finished(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return FAILED not in archive.namelist() and archive.testzip() is None


def failure_in(path: Path) -> str | None:
    """Return the reason in a placeholder zip; None of a product that was fetched."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(FAILED).decode() if FAILED in archive.namelist() else None


def kept_results(results: Path) -> dict[Path, str]:
    """Return the results that were kept because their product could not be read again, with the reasons.

    Parameters
    ----------
    results : Path
        The results folder, as in `failed_outputs`.
    """
    kept = {}
    for folder, suffix in (*_FOLDERS.items(), *((f"{bundles}/*", "") for bundles in _BUNDLES)):
        for record in results.glob(f"{folder}/*{RECORD}"):
            result = record.with_name(record.name.removesuffix(RECORD) + suffix)
            try:
                kept[result] = str(read_json(record)["reason"])
            except (TigerbushError, KeyError, TypeError):
                kept[result] = "its record is damaged"
    return dict(sorted(kept.items()))


def failed_outputs(results: Path) -> list[Path]:
    """Return the outputs of failed products that have to be made again, sorted.

    These are placeholders, damaged files, results kept because their product could not be read again, and the local
    copies that may have caused a failure. The window of a site in a bundle, which is no file, is named
    `windows/{product}/{site}`; what was fetched for it `downloads/{product}/{site}`.

    Parameters
    ----------
    results : Path
        The results folder, with `downloads/`, `scenes/`, `windows/` and one folder per site.
    """
    failed = {
        path for path in _product_files(results, "scenes/*.tif", "scenes/*/*/*.tif") if _image_failed(path)
    }
    failed |= kept_results(results).keys()
    fetched, windows = (_windows_in(results / folder) for folder in ("downloads", "windows"))
    failed |= {path for path, status in (windows | fetched).items() if status == "failed"}
    products = {product_of(path) for path in failed}
    of_windows = {
        results / "downloads" / path.relative_to(results / "windows") for path in failed & windows.keys()
    }
    copies = _product_files(results, "downloads/*.zip")
    return sorted(
        {
            *failed,
            *(of_windows & fetched.keys()),
            *(path for path in copies if path.stem in products or _download_failed(path)),
        }
    )


def is_window(result: Path) -> bool:
    """Tell whether a result is the window of a site in a bundle, which is no file."""
    return result.parent.parent.name in _BUNDLES and not result.suffix


def windows_of(results: Path, product: str) -> dict[Path, str]:
    """Return the windows of a product, those of scenes excepted, and what was fetched for them, with their status."""
    folders = (results / folder for folder in _BUNDLES)
    return {path: status for folder in folders for path, status in _windows_in(folder, product).items()}


def _windows_in(folder: Path, product: str = "*") -> dict[Path, str]:
    return {
        index.parent / site: entry.status
        for index in folder.glob(f"{product}/*.json")
        if not index.name.endswith(RECORD)
        for site, entry in read_index(index.read_bytes()).items()
    }


def product_of(result: Path) -> str:
    """Return the product that a result is named after: a window, an image, a mask or a local copy."""
    return result.parent.name if is_window(result) else result.stem.removesuffix("_mask")


def _product_files(results: Path, *patterns: str) -> list[Path]:
    """List the files that match one of the glob patterns and are named after a product."""
    name = re.compile(product_pattern())
    return [path for pattern in patterns for path in results.glob(pattern) if name.match(path.name)]


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
    """Return the tags of all files that are made from a single product."""
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
    """Return the placeholder for the pixels of a product: all nodata, with the reason in the tags.

    Parameters
    ----------
    name : ProductName
    reason : str
        One sentence.
    grid : Grid
    epsg : int
    bands : sequence of str
    status : {"failed", "outside"}
        Whether the product cannot be processed or does not reach the grid.
    """
    return Raster(
        data=np.full((len(bands), *grid.shape), NODATA, np.uint16),
        grid=grid,
        epsg=epsg,
        bands=tuple(bands),
        nodata=NODATA,
        tags=product_tags(name, status, reason),
    )


def write_placeholder_zip(target: Path, reason: str) -> None:
    """Write the placeholder for a product that could not be downloaded; opening it raises the reason."""
    with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(FAILED, reason)
