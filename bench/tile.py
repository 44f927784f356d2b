"""Rows for the target `scenes` on a synthetic full tile, against decoding its bands only; and for a site's window."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio

from bench.table import Row, in_child
from tigerbush.grid import Grid
from tigerbush.scenes.scene import SceneOptions, write_scene
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.writer import Scene, write_product

BANDS = ["B2", "B3", "B4"]
NAME = "S2A_MSIL1C_20200116T100000_N0204_R122_T31UFU_20200116T110000"


def write_tile(folder: Path, side: int) -> Path:
    """Write a product of a full tile; its four bands of 10 m are hard links to one file."""
    random = np.random.default_rng(0)
    coarse = random.normal(1500, 400, (side // 60, side // 60))
    # noise of 5 bits: files of some 90 MB, like those of real 10 m bands
    band = np.kron(coarse, np.ones((60, 60))) + random.normal(0, 12, (side, side))
    scene = Scene({"B2": np.clip(band, 1, 20000).astype(np.uint16)}, 600000, 5900040, 32631, side, side)
    safe = write_product(folder, NAME, scene)
    first = next(safe.glob("GRANULE/*/IMG_DATA/*_B02.jp2"))
    for number in ("B03", "B04", "B08"):
        os.link(first, first.with_name(first.name.replace("B02", number)))
    return safe


def decode(safe: Path) -> None:
    """Decode every band and drop the pixels."""
    product = open_product(safe)
    for band in BANDS:
        name, _ = product.band_file(band)
        with rasterio.Env(GDAL_CACHEMAX=64_000_000), rasterio.open(safe / name) as image:
            for row in range(0, image.height, 1024):
                image.read(1, window=((row, min(row + 1024, image.height)), (0, image.width)))


def scene(safe: Path) -> None:
    """Write the product as a GeoTIFF of three bands at 20 m."""
    write_scene(
        safe,
        safe.parent / "scene.tif",
        SceneOptions(BANDS, 20),
    )


def window(safe: Path) -> None:
    """Read the 132 x 132 pixels of a site of 2 x 2 sub-images, in the middle."""
    product = open_product(safe)
    grid = product.grids[10]
    corner = grid.width // 2
    for band in BANDS:
        product.read_band(band, Grid(grid.x + 10 * corner, grid.y - 10 * corner, 10, 132, 132))


def tile(small: bool) -> Iterator[Row]:
    """Measure a whole tile and a window of it, each against decoding its bands."""
    side = 600 if small else 10_980
    with tempfile.TemporaryDirectory() as folder:
        safe = write_tile(Path(folder), side)
        # in turn, and the better of two, so that a busy minute does not decide
        functions = (decode, scene, window) * (1 if small else 2)
        usages = [(function, in_child(function, safe)) for function in functions]
    best = {of: min(usage.seconds for function, usage in usages if function is of) for of in functions}
    peak = {of: max(usage.peak for function, usage in usages if function is of) for of in functions}
    yield Row(f"3 bands of {side} x {side}, decoded and dropped", best[decode], peak=peak[decode])
    ratio = f"{best[scene] / best[decode]:.3f} x decoding"
    yield Row("  10 to 20 m, one GeoTIFF", best[scene], f"{ratio}, targets 1.15 and 1000 MB", peak[scene])
    ratio = f"{best[decode] / best[window]:.0f} x faster than whole bands"
    yield Row("  the window of a site, 132 x 132, of each band", best[window], ratio, peak[window])
