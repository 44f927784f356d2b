"""The content of a Sentinel-2 product to be written."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tigerbush.grid import Grid


@dataclass(frozen=True)
class Scene:
    """The content of a product.

    Attributes
    ----------
    bands : mapping of str to (h, w) uint16 array
        Stored DN (offset not yet added) per band, each at its native resolution; 0 is nodata.
    x, y : float
        Upper-left corner in metres.
    epsg : int
        UTM zone, EPSG 326xx or 327xx.
    width, height : int
        Pixels at 10 m; coarser grids have ceil(size / 2) and ceil(size / 6).
    offsets : mapping of str to int, optional
        Per band, RADIO_ADD_OFFSET or BOA_ADD_OFFSET; None writes no offsets, as before baseline 04.00.
    quantification : int
    cloud_percent : float
    classi : (3, h, w) uint8 array, optional
        Opaque clouds, cirrus, snow at 60 m (L1C from baseline 04.00).
    clouds : sequence of rings, optional
        Cloud polygons, rings of (x, y) in metres (L1C before baseline 04.00); may be empty.
    scl : (h, w) uint8 array, optional
        Scene classification at 20 m (L2A).
    footprints : mapping of str to (h, w) uint8 array, optional
        Per band, the detector that observed each pixel, 1 to 12, or 0 (from baseline 04.00); for other bands, one
        detector where the DN is above 0.
    lost : mapping of str to (h, w) bool array, optional
        Per band, the pixels that MSK_QUALIT flags as no data (from baseline 04.00); for other bands none.
    """

    bands: Mapping[str, np.ndarray]
    x: float
    y: float
    epsg: int
    width: int
    height: int
    offsets: Mapping[str, int] | None = None
    quantification: int = 10_000
    cloud_percent: float = 0.0
    classi: np.ndarray | None = None
    clouds: Sequence[Sequence[tuple[float, float]]] | None = None
    scl: np.ndarray | None = None
    footprints: Mapping[str, np.ndarray] = field(default_factory=dict)
    lost: Mapping[str, np.ndarray] = field(default_factory=dict)

    def grid(self, resolution: int) -> Grid:
        """Return the tile's grid at 10, 20 or 60 m."""
        factor = resolution // 10
        return Grid(
            self.x, self.y, resolution, math.ceil(self.width / factor), math.ceil(self.height / factor)
        )
