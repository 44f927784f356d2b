"""A stand-in for esa_snappy 1.1.3 with the restrictions of the package and its bridge, jpy; SNAP is `snap_model`."""

import configparser
import json
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
import snap_model
from snap_model import Java

if os.environ.get("SNAP_STANDIN_BARE"):
    # as after `pip install` alone
    raise ModuleNotFoundError("No module named 'jpyutil'")

_folder = Path(__file__).parent
_config = configparser.ConfigParser()
_config.read([_folder / "esa_snappy.ini", _folder.parent / "esa_snappy.ini", "esa_snappy.ini"])
_options = _config.get("DEFAULT", "java_options", fallback="").split("|")
_properties = dict(option[2:].partition("=")[::2] for option in _options if option.startswith("-D"))
_heap = int(_config.get("DEFAULT", "java_max_mem", fallback="512M").removesuffix("M"))
_home = _config.get("DEFAULT", "snap_home", fallback=os.environ.get("SNAP_HOME"))
if _home is None or not Path(_home).is_dir():
    raise OSError(
        "Can't find SNAP distribution directory. Either configure variable 'snap_home' in file './snappy.ini'"
    )
if "snap.userdir" in _properties:
    # two virtual machines must not share a user directory
    (Path(_properties["snap.userdir"]) / "lock").open("x").close()


def _log_event(**event):
    if log := os.environ.get("SNAP_STANDIN_LOG"):
        with open(log, "a") as file:  # noqa: PTH123
            file.write(
                json.dumps({"pid": os.getpid(), "heap": _heap, "properties": _properties, **event}) + "\n"
            )


def _java(value):
    """Convert a Python value as jpy does where Java expects an Object: to the smallest class that can hold it."""
    if isinstance(value, Java):
        return value
    if isinstance(value, bool):
        return Java("java.lang.Boolean", value)
    if isinstance(value, int):
        for bits, kind in ((8, "Byte"), (16, "Short"), (32, "Integer"), (64, "Long")):
            if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
                return Java(f"java.lang.{kind}", value)
    if isinstance(value, float):
        return Java("java.lang.Double", value)
    if isinstance(value, str):
        return Java("java.lang.String", value)
    raise ValueError(f"cannot convert a Python '{type(value).__name__}' value to a Java 'java.lang.Object'")


class HashMap:
    def __init__(self):
        self._values = {}

    def put(self, key, value):
        self._values[key] = _java(value)


class _Product:
    def __init__(self, model):
        self._model = model

    def dispose(self):
        _log_event(event="dispose")
        self._model = None


class ProductIO:
    @staticmethod
    def readProduct(path):  # noqa: N802
        _log_event(event="read", path=path)
        model = snap_model.read_product(path)
        return None if model is None else _Product(model)

    @staticmethod
    def writeProduct(product, path, form):  # noqa: N802
        if _heap < int(os.environ.get("SNAP_STANDIN_NEEDS_MB", 0)):
            raise RuntimeError("java.lang.OutOfMemoryError: Java heap space\n\tat org.esa.snap...")
        if os.environ.get("SNAP_STANDIN_DIES"):
            os.abort()
        _log_event(event="write")
        snap_model.write_product(product._model, path, form)


class GPF:
    @staticmethod
    def createProduct(operator, parameters, product):  # noqa: N802
        return _Product(snap_model.operate(operator, parameters._values, product._model))


class SystemUtils:
    @staticmethod
    def getReleaseVersion():  # noqa: N802
        return snap_model.version()


class _System:
    @staticmethod
    def getProperty(name):  # noqa: N802
        assert name == "java.class.path"
        return ":".join(map(str, Path(_home).rglob("*.jar")))


class jpy:  # noqa: N801
    @staticmethod
    def get_type(name):
        return {
            "java.lang.System": _System,
            "java.lang.Integer": lambda value: Java("java.lang.Integer", value),
        }[name]
