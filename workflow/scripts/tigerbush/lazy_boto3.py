"""Import boto3 lazily: rasterio imports it in case it ever has to open s3:// itself.

That import would take half the start-up time of most scripts.
"""

import importlib.util
import sys
from types import ModuleType


class LazyModule(ModuleType):
    """Stands in for a module until one of its attributes is used."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


if "boto3" not in sys.modules and (_spec := importlib.util.find_spec("boto3")):
    sys.modules["boto3"] = LazyModule("boto3")
    sys.modules["boto3"].__spec__ = _spec
