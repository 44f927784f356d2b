"""Small products that the tests write."""

from pathlib import Path

import numpy as np

from tigerbush.sentinel2.names import BANDS
from tigerbush.sentinel2.writer import Scene, write_product

# those who bring products of their own to this project call these
__all__ = ["CORNER", "ROOT", "Scene", "name_of", "scene_of", "write_product"]

ROOT = Path(__file__).parents[1]


def name_of(
    day="20170116", *, level="L1C", baseline="0204", orbit="122", tile="33TVL", platform="S2A", made=None
):
    """A product name; `made` is the last time stamp."""
    return f"{platform}_MSI{level}_{day}T100000_N{baseline}_R{orbit}_T{tile}_{made or day + 'T110000'}"


# a corner of tile 33TVL: 126 x 126 pixels of 10 m, so that 60 m pixels fit
CORNER = {"x": 465180, "y": 5080260, "epsg": 32633, "width": 126, "height": 126}


def scene_of(seed=0, *, offset=0, level="L1C", place=CORNER, **options):
    """A scene of random reflectance; with an offset the stored DN are shifted by it."""
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
    """A scene of several JPEG 2000 tiles (of 1024 pixels), of one value: quickly written."""
    place = CORNER | {"width": side, "height": side}
    grids = {band: Scene({}, **place).grid(resolution) for band, resolution in BANDS.items()}
    bands = {band: np.full((grid.height, grid.width), value, np.uint16) for band, grid in grids.items()}
    return Scene(bands, **place)
