"""Products of every sensor, opened: the folder of each sensor has a module `reader` that does it."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from tigerbush.product import Product
from tigerbush.sensors import sensor_at


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
