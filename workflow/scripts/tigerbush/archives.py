"""What is known of archives: where they keep the products of each sensor, and how they name them.

The folder of a sensor has a module `archive` that knows it; one whose products come from folders alone needs none.
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
    """Where products of one level are looked for.

    Attributes
    ----------
    prefixes : tuple of str
        Of EODATA, which keeps whole products by day.
    collections : tuple of str
        Of STAC APIs; of each the first that it has is searched.
    conditions : tuple of str
        By which the OData catalogue of CDSE is filtered.
    """

    prefixes: tuple[str, ...]
    collections: tuple[str, ...]
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class Tiles:
    """A bucket that keeps files by tile and year, in folders and under names of its own.

    Attributes
    ----------
    ending : str
        Of a prefix below which it does.
    folder : callable
        From a tile and a year to their folder there.
    key : re.Pattern
        Of files, with groups: `folder` of a product, its `year`, `month` and `day`, and the name of a `file` in it.
    info : str
        File of JSON that says which product a folder is of.
    name_field, path_field : str
        Fields of it: the product's name, and a folder that is named so beside the tiles.
    metadata : str
        File of that folder: the product's main metadata.
    file_name : callable
        From a ProductName and the name of a file to that in the product's own layout; None when it is not needed.
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
        By level as in a ProductName.
    tiles : Tiles or None
    metadata : callable
        From a ProductName to the name of its main metadata file, which says the cloud cover.
    cloud_percent : callable
        From a label and the content of that file to the cloud cover; TigerbushError when it cannot be read.
    metadata_bytes : int
        More than any file of metadata has.
    granule_of : callable
        From the name of a file to the part of the product that it lies in; empty when it lies in none.
    granule : callable
        From a ProductName to the part that files are put into which had other names.
    item_field : str
        Property of a STAC item that names the product where the item's id does not.
    product_of : callable
        From a STAC item to its ProductName; None when it is of no product of the sensor.
    asset_name : callable
        From ProductName, key and asset of a STAC item to a name in the product's own layout; None when it is not
        needed.
    """

    sensor: Sensor
    levels: Mapping[str, Level]
    tiles: Tiles | None
    metadata: Callable[[ProductName], str]
    cloud_percent: Callable[[str, bytes], float | None]
    metadata_bytes: int
    granule_of: Callable[[str], str]
    granule: Callable[[ProductName], str]
    item_field: str
    product_of: Callable[[Mapping], ProductName | None]
    asset_name: Callable[[ProductName, str, Mapping], str | None]


@cache
def _modules() -> tuple[ModuleType, ...]:
    names = [f"{sensor.package}.archive" for sensor in sensors()]
    return tuple(import_module(name) for name in names if find_spec(name))


def archives() -> tuple[Archive, ...]:
    """Return the archives of all sensors that have one."""
    return tuple(module.ARCHIVE for module in _modules())


def archive_of(product: str) -> Archive:
    """Return the archive of a product, by its name, which may have the suffix of its folder.

    Raises
    ------
    TigerbushError
        When no sensor names products so, or its products are read from folders alone.
    """
    sensor = sensor_of(product)
    for archive in archives():
        if archive.sensor is sensor:
            return archive
    raise TigerbushError(
        f"{product[:120]!r} is of {sensor.title}, whose products are read from folders alone."
    )


def archives_of(level: str) -> list[Archive]:
    """Return the archives that keep products of a level."""
    return [archive for archive in archives() if level in archive.levels]
