"""boto3 is imported when something of it is used: rasterio imports it in case it should ever open s3:// itself.

That is half of what most scripts need to start.
"""

import importlib.util
import sys
from types import ModuleType


class LazyModule(ModuleType):
    """Stands in for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


if "boto3" not in sys.modules and (_spec := importlib.util.find_spec("boto3")):
    sys.modules["boto3"] = LazyModule("boto3")
    sys.modules["boto3"].__spec__ = _spec
