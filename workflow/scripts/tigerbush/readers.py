"""Products of every sensor, opened: the folder of each sensor has a module `reader` that does it."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

from tigerbush.grid import Grid
from tigerbush.masks import MaskOptions
from tigerbush.product import ProductName
from tigerbush.sensors import sensor_at


class Product(Protocol):
    """An opened product, a frozen dataclass.

    Attributes
    ----------
    path : Path
        The folder or zip that it lies in.
    name : ProductName
    files : mapping of str to int
        Names relative to the product, and sizes in bytes.
    granule : str
        Name of a part within it; empty where products have none.
    cloud_percent : float or None
    epsg : int
        UTM zone.
    grids : mapping of int to Grid
        The product's grid per resolution in metres; all have one upper-left corner.
    codestream : str or None
        Whether the packets of all JPEG 2000 files that were read could be checked; None without any such file.
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
        """Refuse a product whose file of a band is missing or damaged (where it touches `target`), undecoded."""

    def read_band(
        self, band: str, target: Grid, upsampling: str = "Nearest", downsampling: str = "First"
    ) -> np.ndarray:
        """Return the DN of a band as stored, uint16 with nodata 0, on a window of the product's target grid."""

    def read_mask(self, target: Grid, options: MaskOptions) -> tuple[np.ndarray, str | None]:
        """Return the values of `tigerbush.masks` on a grid (UNKNOWN without a mask), and the file they came from."""

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file of the product."""

    def band_file(self, band: str) -> tuple[str, int]:
        """Return the file of a band at its finest resolution, and that resolution in metres."""

    def mask_file(self) -> tuple[str | None, int | None]:
        """Return the file of the mask and its resolution in metres; None for a file that is no image, and for none."""


def _reader(path: Path) -> ModuleType:
    return import_module(f"{sensor_at(path).package}.reader")


def open_product(path: Path) -> Product:
    """Open a product's folder, or a zip of it.

    Raises
    ------
    TigerbushError
        When it cannot be read, in one sentence that names file and field.
    """
    path = Path(path)
    return _reader(path).open_product(path)


def list_files(path: Path) -> dict[str, int]:
    """List the files of a product, by names relative to its folder, with sizes in bytes.

    Raises
    ------
    TigerbushError
        When there is no such product, or the zip is damaged.
    OSError
        When a folder of it cannot be listed.
    """
    return _reader(path).list_files(path)


def list_folders(path: Path) -> list[str]:
    """List the folders of a product, by names relative to its own; of a zip those that have an entry of their own."""
    return _reader(path).list_folders(path)


def unpack_product(path: Path, folder: Path) -> Path:
    """Unpack a product's zip, empty folders too, and return its own folder; names that leave it are left out.

    Raises
    ------
    TigerbushError
        When the zip is damaged.
    """
    return _reader(path).unpack_product(path, folder)
