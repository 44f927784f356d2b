"""Small synthetic products for tests."""

from pathlib import Path

import numpy as np

from tigerbush.sentinel2.names import BANDS
from tigerbush.sentinel2.writer import Scene, write_product

# also used by external tests of the project
__all__ = ["CORNER", "ROOT", "Scene", "name_of", "scene_of", "write_product"]

ROOT = Path(__file__).parents[1]


def name_of(
    day="20170116", *, level="L1C", baseline="0204", orbit="122", tile="33TVL", platform="S2A", made=None
):
    """Return a product name; `made` is its last time stamp, that of processing."""
    return f"{platform}_MSI{level}_{day}T100000_N{baseline}_R{orbit}_T{tile}_{made or day + 'T110000'}"


# a corner of tile 33TVL: 126 x 126 pixels of 10 m, so that 60 m pixels fit
CORNER = {"x": 465180, "y": 5080260, "epsg": 32633, "width": 126, "height": 126}


def scene_of(seed=0, *, offset=0, level="L1C", place=CORNER, **options):
    """Return a scene of random reflectance, whose stored DN are shifted by the offset."""
    random = np.random.default_rng(seed)
    empty = Scene({}, **place)
    bands = {}
    for band, resolution in BANDS.items():
        if level == "L2A" and band == "B10":
            continue
        grid = empty.grid(resolution)
        dn = random.integers(200, 4000, (grid.height, grid.width))
        bands[band] = (dn - offset).astype(np.uint16)
    if offset:
        options["offsets"] = dict.fromkeys(BANDS, offset)
    return Scene(bands, **place, **options)


def flat_scene(side, value=300):
    """Return a scene of one value that spans several JPEG 2000 tiles of 1024 pixels; it is written quickly."""
    place = CORNER | {"width": side, "height": side}
    grids = {band: Scene({}, **place).grid(resolution) for band, resolution in BANDS.items()}
    bands = {band: np.full((grid.height, grid.width), value, np.uint16) for band, grid in grids.items()}
    return Scene(bands, **place)
