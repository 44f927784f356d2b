"""Why pixels of a date, and its sub-images, are not used."""

import json

import numpy as np

from tigerbush.raster import Raster

# The closer a pixel came to being used, the smaller its number.
OBSERVED, NEGATIVE, SATURATED, CLOUD, NOT_OBSERVED = range(5)
# `cloud` is all that the cloud masks of products mask: cloud, its shadow, and cirrus or snow where configured
REASONS = {
    NEGATIVE: "negative reflectance",
    SATURATED: "saturated",
    CLOUD: "cloud",
    NOT_OBSERVED: "no data",
}
# a pixel that is lost although it was observed: mode pyveg takes black for lost
BLACK = "black"


def lost_raster(lost: np.ndarray, composite: Raster) -> Raster:
    """Return the raster that tells why pixels of a composite were not observed.

    Parameters
    ----------
    lost : (1, h, w) uint8 array
        Values of this module.
    composite : Raster
    """
    return Raster(
        data=lost,
        grid=composite.grid,
        epsg=composite.epsg,
        bands=("lost",),
        # every value has a meaning
        nodata=None,
        tags={"TIGERBUSH_LOST_VALUES": json.dumps({OBSERVED: "observed"} | REASONS)},
    )


def main_reason(lost: np.ndarray, pixels: np.ndarray) -> str:
    """Return why most of the lost pixels of a sub-image are lost.

    Parameters
    ----------
    lost : (h, w) uint8 array
        Values of this module.
    pixels : (h, w) bool array
        The lost pixels, at least one.
    """
    counts = np.bincount(lost[pixels], minlength=NOT_OBSERVED + 1)
    return REASONS.get(int(counts.argmax()), BLACK)
