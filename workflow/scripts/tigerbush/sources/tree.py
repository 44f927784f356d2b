"""Find the products in a folder and the folders in it: folders as delivered, and zips of them."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tigerbush.bundle import is_bundle
from tigerbush.errors import TigerbushError, one_sentence
from tigerbush.files import walk_once
from tigerbush.product import ProductName, Sensor
from tigerbush.sensors import (
    ends_like_product,
    is_zip,
    name_at,
    name_within,
    sensor_of,
    sensors,
    why_not_read,
)
from tigerbush.sources.odd_names import (
    INCOMPLETE,
    is_beside,
    is_copy_name,
    is_incomplete,
    reason_of_file,
    rename_sentence,
)

log = logging.getLogger(__name__)

# levels of folders, as in Sentinel-2/MSI/L1C/2017/01/16 or 33/T/VL/2017/1/16/0; products are not entered
MAX_DEPTH = 8
# the rules that copy products into a folder `downloads`, beside which they leave a fingerprint
_COPIED_BY = ("download_product.json", "stream_product.json")


class Found(NamedTuple):
    """A product, and whether a folder holds its files."""

    path: Path
    name: ProductName
    is_whole: bool = True


class Skipped(NamedTuple):
    """What looks like a product but is not read: of which one, if that is known, why, and whether it is entered."""

    path: Path
    product: str
    reason: str
    is_entered: bool = False


def find_products(folder: Path, warn: Callable[..., None] = log.warning) -> dict[str, Path]:
    """Return the products in a folder and its sub-folders, by name.

    Of a product that is there several times, a folder is taken rather than a zip, which is slower to read, and then
    the one that is in fewer folders. What looks like a product but is not read is logged, with what to do; of the
    copies that a run has made of products, their number. Names that begin with a dot are ignored.

    Parameters
    ----------
    folder : Path
    warn : callable
        Receives what is not read, as a message and its arguments.

    Raises
    ------
    OSError
        When a folder cannot be listed.
    """
    found: list[Found] = []
    skipped: list[Skipped] = []
    copies: Counter[Path] = Counter()
    for entry in _walk(folder, warn):
        if isinstance(entry, Skipped):
            skipped.append(entry)
        elif entry.path.parent != folder and _is_copy_of_run(entry.path, entry.name):
            copies[entry.path.parent] += 1
        else:
            found.append(entry)
    products: dict[str, Path] = {}
    for path, name, _ in sorted(found, key=_preference):
        first = products.setdefault(name.product, path)
        if first.parent != path.parent:
            skipped.append(Skipped(path, name.product, ""))
    for path, product, reason, _ in skipped:
        if product in products:
            reason = f"the same product is read from {products[product]}."
        warn("skipped %s: %s", one_sentence(path), one_sentence(reason))
    for copied, count in copies.items():
        warn(
            "skipped %d product(s) in %s: they are the copies of a run, which may lack bands; to read them "
            "nevertheless, set source.path to that folder.",
            count,
            one_sentence(copied),
        )
    return products


def _preference(found: Found) -> tuple:
    path = found.path
    # perhaps copies of a run, which may lack bands
    in_downloads = path.parent.name == "downloads" and "results" in path.parts
    return not found.is_whole, in_downloads, is_zip(path), len(path.parts), not path.suffix, path


def _is_copy_of_run(path: Path, name: ProductName) -> bool:
    """Tell whether a product is the copy that a run has made: `downloads/{product}.zip`, beside `fingerprints`."""
    fingerprints = path.parent.with_name("fingerprints") / name.product
    return path.parent.name == "downloads" and any((fingerprints / rule).exists() for rule in _COPIED_BY)


def _walk(folder: Path, warn: Callable[..., None]) -> Iterator[Found | Skipped]:
    """Yield the products in a folder, which are not entered, and what looks like one."""

    def refused(folder: Path, error: PermissionError) -> None:
        """Name a folder that cannot be listed, such as the lost+found of a disk."""
        warn("skipped %s: it cannot be listed (%s).", one_sentence(folder), error.strerror)

    for current, entries in walk_once(folder, refused):
        depth = len(current.relative_to(folder).parts)
        for entry in list(entries):
            path = current / entry.name
            is_folder = path.is_dir() if entry.is_symlink() else entry.is_dir()
            entry_is = _judge_folder(path) if is_folder else _judge_file(path)
            if entry_is:
                yield entry_is
            elif is_folder and depth == MAX_DEPTH:
                warn(
                    "skipped %s: it is more than %d folders below source.path; choose a folder that is nearer.",
                    one_sentence(path),
                    MAX_DEPTH,
                )
            is_last = depth == MAX_DEPTH or isinstance(entry_is, Found)
            if is_last or (entry_is and not entry_is.is_entered):
                entries.remove(entry)


def _judge_file(path: Path) -> Found | Skipped | None:
    """Tell what a file is: the zip of a product, or something that looks like one."""
    try:
        name = name_at(path)
    except TigerbushError as error:
        if is_bundle(path):
            return None
        within, of_no_sensor = name_within(path.name), why_not_read(path.name)
        if (within or of_no_sensor) and is_beside(path.name):
            return None
        if within:
            # what is not complete may be the very file that is read, or its other half
            product = "" if is_incomplete(path.name) else within[0]
            return Skipped(path, product, reason_of_file(path, *within))
        # not in other letters, as in manifest.safe
        looks_like_product = is_zip(path) or path.suffix in {sensor.suffix for sensor in sensors()}
        return Skipped(path, "", str(error)) if of_no_sensor or looks_like_product else None
    if ends_like_product(path):
        return Found(path, name)
    return Skipped(path, name.product, reason_of_file(path, name.product, ""))


def _judge_folder(path: Path) -> Found | Skipped | None:
    """Tell what a folder is: a product, something that looks like one, or a folder that may hold some."""
    try:
        name = name_at(path)
    except TigerbushError as error:
        return _judge_odd_folder(path, str(error))
    if _holds_files_of(path, sensor_of(name.product)):
        return Found(path, name)
    if not ends_like_product(path):
        return None
    products = _products_in(path)
    if name.product in products:
        # some programs unpack NAME.zip into NAME/NAME.SAFE, or twice into NAME.SAFE/NAME.SAFE
        return None
    if products:
        return Skipped(
            path, name.product, "it holds other products, and not this one; rename it.", is_entered=True
        )
    # a product without its files fails when it is read, by name
    return Found(path, name, is_whole=False)


def _judge_odd_folder(path: Path, reason: str) -> Skipped | None:
    """Tell whether a folder that is not named after a product looks like one; `reason` is why its name is none."""
    within = name_within(path.name)
    if within is None:
        looks_like_product = ends_like_product(path) or why_not_read(path.name)
        if not looks_like_product and any(_holds_whole(path, sensor) for sensor in sensors()):
            return Skipped(path, "", f"it holds the files of a product, but {reason}")
        return Skipped(path, "", reason, is_entered=True) if looks_like_product else None
    product, rest = within
    if is_incomplete(path.name):
        return Skipped(path, "", INCOMPLETE)
    is_product = any(_holds_files_of(path, sensor) for sensor in sensors())
    marked = is_copy_name(rest) or any(sensor.suffix.lower() in rest.lower() for sensor in sensors())
    if not is_product and (not marked or _products_in(path)):
        return None
    try:
        return Skipped(path, product, rename_sentence(f"{product}{sensor_of(product).suffix}"))
    except TigerbushError as error:
        return Skipped(path, "", str(error))


def _products_in(folder: Path) -> set[str]:
    """Return the names of the products in a folder, as far as its entries tell."""
    products = set()
    try:
        for current, entries in walk_once(folder, lambda *_: None):
            depth = len(current.relative_to(folder).parts)
            for entry in list(entries):
                path = current / entry.name
                name = _name_of_whole(path)
                if name:
                    products.add(name.product)
                if name or depth == MAX_DEPTH:
                    entries.remove(entry)
    except PermissionError:
        # it fails when it is read, by name
        return set()
    return products


def _name_of_whole(path: Path) -> ProductName | None:
    """Return the name of a zip named after a product, or of a folder that also holds its files."""
    try:
        name = name_at(path)
    except TigerbushError:
        return None
    whole = _holds_files_of(path, sensor_of(name.product)) if path.is_dir() else ends_like_product(path)
    return name if whole else None


def _holds_files_of(folder: Path, sensor: Sensor) -> bool:
    """Tell whether a folder holds some of what is at the top of a sensor's products."""
    return any(_top_of_product(folder, sensor))


def _holds_whole(folder: Path, sensor: Sensor) -> bool:
    """Tell whether a folder holds what is at the top of a sensor's products."""
    return all(_top_of_product(folder, sensor))


def _top_of_product(folder: Path, sensor: Sensor) -> tuple[bool, bool]:
    """Return whether a folder holds the metadata of a sensor's product, and any of its folders."""
    try:
        with os.scandir(folder) as entries:
            inside = {entry.name for entry in entries}
    except PermissionError:
        return False, False
    has_metadata = any(role[0] == "metadata" for role in map(sensor.role, inside) if role)
    return has_metadata, bool(inside & set(sensor.snap_folders))
