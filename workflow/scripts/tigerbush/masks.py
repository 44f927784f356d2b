"""What a mask says of a pixel, whichever sensor it is of."""

from dataclasses import dataclass

import numpy as np

from tigerbush.grid import Grid

CLEAR, MASKED, UNKNOWN, MASK_NODATA = 0, 1, 2, 255


@dataclass(frozen=True)
class MaskOptions:
    """What is masked.

    Attributes
    ----------
    cirrus : bool
        Thin cirrus too.
    snow : bool
        Snow and ice too (masks before baseline 04.00 of L1C do not know snow).
    buffer : int
        Pixels around what is masked, in all directions.
    """

    cirrus: bool = True
    snow: bool = False
    buffer: int = 0


DEFAULTS = MaskOptions()


def buffered(masked: np.ndarray, buffer: int) -> np.ndarray:
    """Return MASKED where a pixel is masked or within a disc around one that is, else CLEAR.

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
    import cv2  # every job on a product starts without it

    y, x = np.ogrid[-buffer : buffer + 1, -buffer : buffer + 1]
    return cv2.dilate(mask, (x**2 + y**2 <= buffer**2).astype(np.uint8))


def mask_method(resolution: int, target: Grid) -> str:
    """Return how a mask of a resolution in metres comes to a target grid."""
    return "Nearest" if target.resolution <= resolution else "First"
