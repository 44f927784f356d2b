"""The sensors whose products are known: each folder of the library with a module `sensor`."""

import re
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.product import ProductName, Sensor


@cache
def sensors() -> tuple[Sensor, ...]:
    """Return all sensors."""
    folders = sorted(path.parent.name for path in Path(__file__).parent.glob("*/sensor.py"))
    return tuple(import_module(f"tigerbush.{folder}.sensor").SENSOR for folder in folders)


def product_pattern() -> str:
    """Return a regular expression of the name of any sensor's product."""
    return f"(?:{'|'.join(sensor.pattern for sensor in sensors())})"


def titles() -> str:
    """Return what users call the sensors, for sentences."""
    return " or ".join(sensor.title for sensor in sensors())


def suffixes() -> str:
    """Return what the names of products' folders end in, for sentences."""
    return " or ".join(sensor.suffix for sensor in sensors())


def short_forms() -> str:
    """Return what the names of products' folders look like, for sentences."""
    return " or ".join(sensor.short_form for sensor in sensors())


# more than a table has; the days of a bucket hold millions of names
@lru_cache(maxsize=100_000)
def sensor_of(product: str) -> Sensor:
    """Return the sensor of a product, by its name.

    Raises
    ------
    TigerbushError
        When no sensor names products so.
    """
    for sensor in sensors():
        if re.fullmatch(sensor.pattern, product.removesuffix(sensor.suffix)):
            return sensor
    forms = " or ".join(sensor.form for sensor in sensors())
    raise TigerbushError(f"{product[:120]!r} is not a {titles()} product name; expected the form {forms}.")


def parse_name(product: str) -> ProductName:
    """Split the name of a product, which may have the suffix of its folder.

    Raises
    ------
    TigerbushError
        When it is no product's name.
    """
    return sensor_of(product).parse(product)


def ends_like_product(path: Path) -> bool:
    """Tell whether a path ends like a product's folder or a zip of it."""
    return path.suffix in {".zip", *(sensor.suffix for sensor in sensors())}


def sensor_at(path: Path) -> Sensor:
    """Return the sensor of a product's folder, or of a zip of it.

    Raises
    ------
    TigerbushError
        When it does not carry the name of a product.
    """
    return sensor_of(path.name.removesuffix(".zip"))


def name_at(path: Path) -> ProductName:
    """Return the name that a product's folder, or a zip of it, carries.

    Raises
    ------
    TigerbushError
        When it does not carry the name of a product.
    """
    return parse_name(path.name.removesuffix(".zip"))
