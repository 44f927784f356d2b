"""The values of cloud masks, the same for all sensors."""

import json
from dataclasses import dataclass

import numpy as np

from tigerbush.grid import Grid

CLEAR, MASKED, UNKNOWN, MASK_NODATA = 0, 1, 2, 255
# what they mean, as a tag of masks (JSON)
MEANING = json.dumps({CLEAR: "clear", MASKED: "masked", UNKNOWN: "unknown"})


@dataclass(frozen=True)
class MaskOptions:
    """What is masked.

    Attributes
    ----------
    cirrus : bool
        Whether thin cirrus is masked.
    snow : bool
        Whether snow and ice are masked (L1C masks before baseline 04.00 have no snow class).
    buffer : int
        Pixels masked around each masked pixel, in all directions.
    """

    cirrus: bool = True
    snow: bool = False
    buffer: int = 0


DEFAULTS = MaskOptions()


def buffered(masked: np.ndarray, buffer: int) -> np.ndarray:
    """Return MASKED within a disc around each masked pixel, CLEAR elsewhere.

    Parameters
    ----------
    masked : (h, w) bool array
    buffer : int
        Radius of the disc in pixels.

    Returns
    -------
    (h, w) uint8 array
    """
    mask = np.where(masked, MASKED, CLEAR).astype(np.uint8)
    if not buffer:
        return mask
    import cv2  # not needed to start a job

    y, x = np.ogrid[-buffer : buffer + 1, -buffer : buffer + 1]
    return cv2.dilate(mask, (x**2 + y**2 <= buffer**2).astype(np.uint8))


def mask_method(resolution: int, target: Grid) -> str:
    """Return the method that resamples a mask, given its resolution in metres, to a target grid."""
    return "Nearest" if target.resolution <= resolution else "First"
