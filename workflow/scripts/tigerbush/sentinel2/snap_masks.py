"""The pixels that SNAP 14 and later takes for valid: observed by a detector, and not flagged as lost."""

import numpy as np

from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.readers import Product
from tigerbush.resample import resample
from tigerbush.sentinel2.files import find_files
from tigerbush.sentinel2.images import read_window
from tigerbush.sentinel2.names import BANDS, band_number

# bands of MSK_QUALIT, and the one that flags lost pixels, from 1 (Products Specification Document, from baseline 04.00)
FLAGS, LOST = 8, 6
_MASK = r"GRANULE/[^/]+/QI_DATA/MSK_(?:DETFOO|QUALIT)_{}\.jp2"


def read_valid(product: Product, band: str, source: Grid) -> np.ndarray | None:
    """Tell which pixels of a band are valid by its masks MSK_DETFOO and MSK_QUALIT.

    Parameters
    ----------
    product : Product
    band : str
    source : Grid
        The window of the band; a band that is finer than its masks (B1 of L2A) takes the nearest of their pixels.

    Returns
    -------
    (h, w) bool array or None
        None for a product from before baseline 04.00, whose masks are polygons, which SNAP does not use.

    Raises
    ------
    TigerbushError
        When the masks are missing or damaged.
    """
    number = band_number(band)
    names = [name for name, _ in find_files(product.files, _MASK.format(number))]
    if len(names) != 2:
        # 99.99 are test products of any format
        if not "04.00" <= product.name.baseline < "99":
            return None
        raise TigerbushError(
            f"{product.path}: MSK_DETFOO_{number}.jp2 or MSK_QUALIT_{number}.jp2 is missing, which scene.snap_masks "
            "needs; use the whole product, then run ./tigerbush retry, or set scene.snap_masks: false."
        )
    # sorted by name: the detector of each pixel, and flags
    detector, lost = (
        _read(product, name, band, source, layer) for name, layer in zip(names, (1, LOST), strict=True)
    )
    return (detector > 0) & (lost == 0)


def _read(product: Product, name: str, band: str, source: Grid, layer: int) -> np.ndarray:
    (mask,), window = read_window(product, name, product.grids[BANDS[band]], source, "Nearest", layer)
    return resample(mask, window, source, "Nearest")
