"""Open products of any sensor, by the module `reader` of the sensor's package."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

from tigerbush.errors import TigerbushError, product_sentence, raise_machine_fault
from tigerbush.grid import Grid
from tigerbush.masks import MaskOptions
from tigerbush.product import ProductName
from tigerbush.sensors import sensor_at


@dataclass(frozen=True)
class Stated:
    """What a product states of one of its files.

    Attributes
    ----------
    size : int or None
        In bytes.
    algorithm : str or None
        Name of the checksum, for `hashlib.new`.
    digest : str
        The checksum in lower-case hexadecimal digits.
    """

    size: int | None
    algorithm: str | None
    digest: str


class Product(Protocol):
    """An open product, a frozen dataclass.

    Attributes
    ----------
    path : Path
        The product's folder or zip.
    name : ProductName
    files : mapping of str to int
        File names relative to the product's folder, and sizes in bytes.
    granule : str
        Name of the granule; empty for sensors without granules.
    cloud_percent : float or None
    epsg : int
        UTM zone.
    grids : mapping of int to Grid
        The product's grid per resolution in metres; all share one upper-left corner.
    codestream : str or None
        Whether the packets of all JPEG 2000 files read so far could be checked; None when there were no such files.
    """

    path: Path
    name: ProductName
    files: Mapping[str, int]
    granule: str
    cloud_percent: float | None
    epsg: int
    grids: Mapping[int, Grid]
    codestream: str | None

    def reflectance(self, band: str) -> tuple[float, float]:
        """Return scale and offset of a band: reflectance = DN x scale + offset."""

    def check_band(self, band: str, target: Grid | None = None) -> None:
        """Raise TigerbushError when the file of a band is missing, or damaged within `target`; nothing is decoded."""

    def read_band(
        self, band: str, target: Grid, upsampling: str = "Nearest", downsampling: str = "First"
    ) -> np.ndarray:
        """Return the stored DN of a band, uint16 with nodata 0, on a window of the product's target grid.

        With the keyword `snap_masks` also, if the sensor has it (`tigerbush.product.Sensor`).
        """

    def read_mask(self, target: Grid, options: MaskOptions) -> tuple[np.ndarray, str | None]:
        """Return the cloud mask (`tigerbush.masks`; UNKNOWN without one) on a grid, and the file it was read from."""

    def read_land(self, target: Grid) -> np.ndarray | None:
        """Return the pixels that the product classifies as neither water nor shadow; None without a classification."""

    def read_bytes(self, name: str) -> bytes:
        """Return the content of one of the product's files."""

    def band_file(self, band: str) -> tuple[str, int]:
        """Return the file of a band at its finest resolution, and that resolution in metres."""

    def mask_file(self) -> tuple[str | None, int | None]:
        """Return the file of the mask and its resolution in metres: None for polygons, and two None without a mask."""


def _reader(path: Path) -> ModuleType:
    return import_module(f"{sensor_at(path).package}.reader")


@contextmanager
def _as_product_fault(path: Path) -> Iterator[None]:
    """Turn whatever a file of a product does to a parser into a TigerbushError that names the product."""
    try:
        yield
    except (TigerbushError, OSError, MemoryError, ImportError):
        raise
    except Exception as error:
        raise_machine_fault(error, path)
        raise TigerbushError(product_sentence(error, path)) from error


def open_product(path: Path) -> Product:
    """Open a product's folder or its zip.

    Raises
    ------
    TigerbushError
        When it cannot be read; the message names file and field.
    """
    path = Path(path)
    with _as_product_fault(path):
        return _reader(path).open_product(path)


def list_files(path: Path) -> dict[str, int]:
    """List the files of a product: names relative to its folder, and sizes in bytes.

    Raises
    ------
    TigerbushError
        When the product does not exist, or its zip is damaged.
    OSError
        When one of its folders cannot be listed.
    """
    with _as_product_fault(path):
        return _reader(path).list_files(path)


def stored_checksums(path: Path) -> Mapping[str, str]:
    """Return the checksum that the zip of a product states of each file; empty for a folder.

    Raises
    ------
    TigerbushError
        When the zip is damaged.
    """
    with _as_product_fault(path):
        function = getattr(_reader(path), "stored_checksums", None)
        return function(path) if function else {}


def stated_files(product: Product) -> Mapping[str, Stated]:
    """Return what a product states of its files; empty when it or its sensor states nothing.

    Raises
    ------
    TigerbushError
        When the statement cannot be read.
    """
    function = getattr(_reader(product.path), "stated_files", None)
    return function(product) if function else {}


def needed_files(product: Product, bands: Iterable[str], masks: Collection[str] = ()) -> list[str]:
    """Return the names of a product's metadata and masks, and of bands as far as it has them, at the finest resolution.

    A missing band is reported when it is read.

    Parameters
    ----------
    product : Product
    bands : iterable of str
    masks : collection of str
        Bands of which the masks of single bands are included.
    """
    role = sensor_at(product.path).role
    roles = {name: role(name) for name in product.files}
    available = {file_role[1] for file_role in roles.values() if file_role and file_role[0] == "band"}
    return [
        name
        for name, file_role in roles.items()
        if file_role and file_role[0] != "band" and (not file_role[1] or file_role[1] in masks)
    ] + [product.band_file(band)[0] for band in bands if band in available]


def list_folders(path: Path) -> list[str]:
    """List the folders of a product, relative to its own; of a zip, the folders stored as entries."""
    with _as_product_fault(path):
        return _reader(path).list_folders(path)


def unpack_product(path: Path, folder: Path) -> Path:
    """Unpack a product's zip, including empty folders, and return the product's folder.

    Entries whose path leads out of the product's folder are skipped.

    Raises
    ------
    TigerbushError
        When the zip is damaged.
    """
    with _as_product_fault(path):
        return _reader(path).unpack_product(path, folder)
