"""Fields of STAC items, the same for all sensors."""

import sys
from collections.abc import Mapping

# file name of the STAC item, which is the metadata of a product whose files are the item's assets
STAC_ITEM = "stac.json"


def is_number(value: object) -> bool:
    """Tell whether a value is a number that a float can hold."""
    # an int may be larger than any float
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def cloud_percent(properties: Mapping) -> float | None:
    """Return `eo:cloud_cover`, or None when it is not a percentage."""
    value = properties.get("eo:cloud_cover")
    return float(value) if is_number(value) and 0 <= value <= 100 else None
