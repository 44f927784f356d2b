"""tigerbush: from Sentinel-2 products to measures of patterned vegetation.

Plain functions on arrays and tables; nothing here knows of Snakemake.
"""

import importlib.util
import sys
from types import ModuleType

__version__ = "0.1.0"


class _ImportedWhenUsed(ModuleType):
    """Stands in for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


# rasterio imports boto3, should it ever open s3:// itself: half of what most scripts need to start
if "boto3" not in sys.modules and (_spec := importlib.util.find_spec("boto3")):
    sys.modules["boto3"] = _ImportedWhenUsed("boto3")
    sys.modules["boto3"].__spec__ = _spec
