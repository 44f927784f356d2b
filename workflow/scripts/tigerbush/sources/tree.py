"""Find the products in a folder and the folders in it: folders as delivered, and zips of them."""

import logging
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from tigerbush.errors import TigerbushError, one_sentence
from tigerbush.files import walk_once
from tigerbush.placeholder import is_copy
from tigerbush.product import ProductName
from tigerbush.sensors import ends_like_product, is_zip, name_at, sensor_of, why_not_read

log = logging.getLogger(__name__)

# levels of folders, as in Sentinel-2/MSI/L1C/2017/01/16 or 33/T/VL/2017/1/16/0; products are not entered
MAX_DEPTH = 8
# archives in which single files cannot be read
_TAR = re.compile(r"\.(?:tar|tgz|tbz2?|txz|tar\.(?:gz|bz2|xz|zst))$", re.IGNORECASE)
_PACKED = re.compile(rf"(?:{_TAR.pattern}|\.(?:7z|rar)$)", re.IGNORECASE)


def find_products(folder: Path, warn: Callable[..., None] = log.warning) -> dict[str, Path]:
    """Return the products in a folder and its sub-folders, by name.

    Of a product that is there several times, a folder is taken rather than a zip, which is slower to read, and then
    the one that is in fewer folders. What looks like a product but is not read is logged, with what to do. Names that
    begin with a dot are ignored, and so are results of runs.

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

    def preference(found: tuple[Path, ProductName]) -> tuple:
        path, _ = found
        return is_zip(path), len(path.parts), not path.suffix, path

    products: dict[str, Path] = {}
    for path, name in sorted(_walk(folder, warn), key=preference):
        first = products.setdefault(name.product, path)
        if first.parent != path.parent:
            warn("skipped %s: the same product is read from %s.", path, first)
    return products


def _walk(folder: Path, warn: Callable[..., None]) -> Iterator[tuple[Path, ProductName]]:
    """Yield the products in a folder; no product is entered."""

    def refused(folder: Path, error: PermissionError) -> None:
        """Name a folder that cannot be listed, such as the lost+found of a disk."""
        warn("skipped %s: it cannot be listed (%s).", folder, error.strerror)

    for current, entries in walk_once(folder, refused):
        depth = len(current.relative_to(folder).parts)
        if depth and _is_of_a_run(current, entries):
            entries.clear()
        for entry in list(entries):
            path = current / entry.name
            is_folder = path.is_dir() if entry.is_symlink() else entry.is_dir()
            if name := _product_name(path, is_folder, warn):
                yield path, name
                entries.remove(entry)
            elif is_folder and depth == MAX_DEPTH:
                warn(
                    "skipped %s: it is more than %d folders below source.path; choose a folder that is nearer.",
                    path,
                    MAX_DEPTH,
                )
                entries.remove(entry)


def _is_of_a_run(folder: Path, entries: list[os.DirEntry]) -> bool:
    """Tell whether a folder is the results of a run, or their copies of products."""
    return any(entry.name == "products.tsv" for entry in entries) or is_copy(folder / "any.zip")


def _product_name(path: Path, is_folder: bool, warn: Callable[..., None]) -> ProductName | None:
    """Return the name of a product, or None: after a warning when a path looks like a product and is none."""
    stem = path.name if is_folder else _PACKED.sub("", path.name)
    try:
        name = name_at(Path(stem))
    except TigerbushError as error:
        if ends_like_product(path) or why_not_read(stem):
            warn("skipped %s: %s", one_sentence(str(path)), error)
        return None
    if is_folder:
        return name if _is_product(path, name) else None
    if stem != path.name:
        command = f" by: tar -xf {shlex.quote(str(path))} -C {shlex.quote(str(path.parent))}"
        warn(
            "skipped %s: archives of this kind are not read; unpack it%s",
            path,
            command if _TAR.search(path.name) else ".",
        )
        return None
    return name if ends_like_product(path) else None


def _is_product(folder: Path, name: ProductName) -> bool:
    """Tell whether a folder named after a product is the product, and not a folder around it or of something else."""
    sensor = sensor_of(name.product)
    try:
        with os.scandir(folder) as entries:
            inside = {entry.name for entry in entries}
    except PermissionError:
        # it fails when it is read, by name
        return folder.suffix == sensor.suffix
    if inside & set(sensor.snap_folders) or any(
        role[0] == "metadata" for role in map(sensor.role, inside) if role
    ):
        return True
    # some programs unpack NAME.zip into NAME/NAME.SAFE
    around = any(other.startswith(name.product) and ends_like_product(Path(other)) for other in inside)
    return folder.suffix == sensor.suffix and not around
