"""Flow length: how far water runs over bare ground until plants take it (Rodriguez et al. 2018, Ecological Indicators).

Connected bare ground loses water and soil; the index rises as drylands degrade (Mayor et al. 2008, Water Resources
Research 44, W10423). It equals that of the R package spatialwarnings.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def flow_length(vegetation: ArrayLike, cell: float, slope: float = 0.0) -> NDArray[np.float64] | float:
    """Return the mean length of the paths on which water runs straight down the rows from every pixel.

    A path ends at the first pixel of vegetation, or at the border. Both ways along a column give the same mean; for
    water that runs along the rows pass the transposed image.

    Parameters
    ----------
    vegetation : (..., h, w) bool array
        What stops water; one image or many.
    cell : float
        Side of a pixel, m.
    slope : float
        Degrees; a pixel is cell / cos(slope) long.

    Returns
    -------
    float or (...) float64 array
        m; 0 if vegetation covers all.
    """
    vegetation = np.asarray(vegetation, dtype=bool)
    height, width = vegetation.shape[-2:]
    run = np.zeros((*vegetation.shape[:-2], width), dtype=np.int32)
    total = np.zeros(vegetation.shape[:-2])
    for row in range(height - 1, -1, -1):
        run += 1
        run *= ~vegetation[..., row, :]
        total += run.sum(axis=-1)
    length = total * cell / math.cos(math.radians(slope)) / (height * width)
    return length if length.ndim else float(length)
