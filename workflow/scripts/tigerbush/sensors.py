"""The supported sensors: one for each package of the library that has a module `sensor`."""

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
    """Return a regular expression that matches the product names of all sensors."""
    return f"(?:{'|'.join(sensor.pattern for sensor in sensors())})"


def titles() -> str:
    """Return the names of the sensors, for messages."""
    return " or ".join(sensor.title for sensor in sensors())


def suffixes() -> str:
    """Return the suffixes of product folders, for messages."""
    return " or ".join(sensor.suffix for sensor in sensors())


def short_forms() -> str:
    """Return the abbreviated names of product folders, for messages."""
    return " or ".join(sensor.short_form for sensor in sensors())


# more than a table has rows; listing a bucket passes millions of names
@lru_cache(maxsize=100_000)
def sensor_of(product: str) -> Sensor:
    """Return the sensor of a product, given the product's name.

    Raises
    ------
    TigerbushError
        When it is not a product name of any sensor.
    """
    for sensor in sensors():
        if re.fullmatch(sensor.pattern, product.removesuffix(sensor.suffix)):
            return sensor
    if reason := why_not_read(product):
        raise TigerbushError(f"{product[:120]!r} cannot be read: {reason}.")
    forms = " or ".join(sensor.form for sensor in sensors())
    raise TigerbushError(f"{product[:120]!r} is not a {titles()} product name; expected the form {forms}.")


def why_not_read(name: str) -> str | None:
    """Return why products of such names are not read, and what to do; None for names that no sensor knows."""
    return next((reason for sensor in sensors() if (reason := sensor.why_not_read(name))), None)


def parse_name(product: str) -> ProductName:
    """Split a product name into its fields; the suffix of a product folder is accepted.

    Raises
    ------
    TigerbushError
        When it is not a product name.
    """
    return sensor_of(product).parse(product)


def ends_like_product(path: Path) -> bool:
    """Tell whether a path has the suffix of a product folder, in any letter case, or of a zip."""
    return is_zip(path) or path.suffix.lower() in {sensor.suffix.lower() for sensor in sensors()}


def is_zip(path: Path) -> bool:
    """Tell whether a path is named like a zip."""
    return path.suffix.lower() == ".zip"


def sensor_at(path: Path) -> Sensor:
    """Return the sensor of a product folder, or of the zip of one.

    Raises
    ------
    TigerbushError
        When the path is not named after a product.
    """
    return sensor_of(_name_of(path))


def name_at(path: Path) -> ProductName:
    """Return the product name of a product folder, or of the zip of one.

    Raises
    ------
    TigerbushError
        When the path is not named after a product.
    """
    return parse_name(_name_of(path))


def _name_of(path: Path) -> str:
    """Return the name of a product's folder or zip; a suffix in other letters, such as .safe, as it should be."""
    name = path.stem if is_zip(path) else path.name
    for sensor in sensors():
        if name.lower().endswith(sensor.suffix.lower()):
            return name[: -len(sensor.suffix)] + sensor.suffix
    return name


def name_within(name: str) -> tuple[str, str] | None:
    """Return the product name that a file name holds, in upper or lower case, and what follows; None without one."""
    match = _within().search(name)
    return match and (match[1], match[2])


@cache
def _within() -> re.Pattern:
    return re.compile(rf"(?<![0-9a-z])({product_pattern()})(?![0-9a-z])(.*)", re.IGNORECASE | re.DOTALL)
