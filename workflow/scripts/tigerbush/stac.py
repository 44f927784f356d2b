"""What the items of STAC catalogues have in common, whichever sensor they are of."""

import sys
from collections.abc import Mapping

# the metadata of a product that a catalogue describes item by item: the item, under this name
STAC_ITEM = "stac.json"


def is_number(value: object) -> bool:
    """Tell whether a value of an item is a number that a float can hold."""
    # a whole number may be larger than any float
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def cloud_percent(properties: Mapping) -> float | None:
    """Return `eo:cloud_cover`, or None when it is no percentage."""
    value = properties.get("eo:cloud_cover")
    return float(value) if is_number(value) and 0 <= value <= 100 else None
