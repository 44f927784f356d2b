"""How archives keep the products of each sensor: buckets, prefixes, collections, names of files.

The module `archive` of a sensor's package describes it; a sensor whose products are only read from local folders needs
none.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from tigerbush.errors import TigerbushError
from tigerbush.product import ProductName, Sensor
from tigerbush.sensors import sensor_of, sensors


@dataclass(frozen=True)
class Level:
    """Where to look for products of one processing level.

    Attributes
    ----------
    prefixes : tuple of str
        Prefixes in EODATA, which keeps whole products by day.
    collections : tuple of str
        Names of the collection in STAC APIs; the first one that a catalogue has is searched.
    conditions : tuple of str
        Filter for the OData catalogue of CDSE.
    """

    prefixes: tuple[str, ...]
    collections: tuple[str, ...]
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class TileLayout:
    """The layout of a bucket that keeps files by tile and year, under names of its own.

    Attributes
    ----------
    ending : str
        End of the prefix below which files are kept by tile.
    folder : callable
        Maps a tile and a year to their folder, relative to the prefix.
    key : re.Pattern
        Matches the keys of files; groups: `folder` of a product, its `year`, `month` and `day`, and the `file` in it.
    info : str
        JSON file that says which product a folder belongs to.
    name_field, path_field : str
        Fields of the JSON file: the product's name, and the product's folder beside the tiles.
    metadata : str
        Name of the main metadata file in the product's folder.
    file_name : callable
        Maps a ProductName and the name of a file to its name in the product's own layout; None when it is not needed.
    """

    ending: str
    folder: Callable[[str, int], str]
    key: re.Pattern
    info: str
    name_field: str
    path_field: str
    metadata: str
    file_name: Callable[[ProductName, str], str | None]


@dataclass(frozen=True, eq=False)
class Archive:
    """How archives keep the products of a sensor.

    Attributes
    ----------
    sensor : Sensor
    levels : mapping of str to Level
        By level, as in a ProductName.
    tiles : TileLayout or None
    metadata : callable
        Maps a ProductName to the name of its main metadata file, which states the cloud cover.
    cloud_percent : callable
        Maps a label and the content of that file to the cloud cover; raises TigerbushError when it cannot be read.
    metadata_bytes : int
        Largest size of a metadata file.
    granule_of : callable
        Maps the name of a file to its granule; an empty string when it is in none.
    granule : callable
        Maps a ProductName to the granule name given to files that have other names in the archive.
    item_field : str
        Property of a STAC item that names the product when the item's id does not.
    product_of : callable
        Maps a STAC item to its ProductName; None when the product is not one of this sensor.
    item_content : callable
        Maps a ProductName and a STAC item to a text of the fields that the values of pixels depend on.
    asset_name : callable
        Maps a ProductName, the key and the asset of a STAC item to the file's name in the product's own layout; None
        when the asset is not needed.
    """

    sensor: Sensor
    levels: Mapping[str, Level]
    tiles: TileLayout | None
    metadata: Callable[[ProductName], str]
    cloud_percent: Callable[[str, bytes], float | None]
    metadata_bytes: int
    granule_of: Callable[[str], str]
    granule: Callable[[ProductName], str]
    item_field: str
    product_of: Callable[[Mapping], ProductName | None]
    item_content: Callable[[ProductName, Mapping], str]
    asset_name: Callable[[ProductName, str, Mapping], str | None]


@cache
def _modules() -> tuple[ModuleType, ...]:
    names = [f"{sensor.package}.archive" for sensor in sensors()]
    return tuple(import_module(name) for name in names if find_spec(name))


def archives() -> tuple[Archive, ...]:
    """Return the archives of all sensors."""
    return tuple(module.ARCHIVE for module in _modules())


def archive_of(product: str) -> Archive:
    """Return the archive of a product, given the product's name, with or without the suffix of its folder.

    Raises
    ------
    TigerbushError
        When it is not a product name of any sensor, or the sensor's products are only read from local folders.
    """
    sensor = sensor_of(product)
    for archive in archives():
        if archive.sensor is sensor:
            return archive
    raise TigerbushError(
        f"{product[:120]!r} is a {sensor.title} product, and these are only read from local folders."
    )


def archives_of(level: str) -> list[Archive]:
    """Return the archives that have products of a level."""
    return [archive for archive in archives() if level in archive.levels]
