"""Rows for windows of full-size bands in ESA's encoding, against what decodes whole tiles; all give the same pixels."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
import rioxarray
from rasterio.windows import Window

from bench.stream import write_band
from bench.table import Row, cpu_seconds, in_child
from bench.tile import NAME
from tigerbush.grid import Grid
from tigerbush.sentinel2.safe import Safe, open_product
from tigerbush.sentinel2.writer import Scene, write_product

# sides of windows, with the target: how many times faster than rasterio
SIDES = {132: 8, 264: 5, 500: 3, 880: 2.5}
LEVELS = 5
# resolution to the size of tiles, code blocks and precincts, as ESA's
ENCODINGS = {10: (1024, 64, 256), 20: (640, 8, 128)}
BANDS = {10: "B2", 20: "B5"}


def write_bands(folder: Path, side: int) -> Safe:
    """Write a product with a band of 10 m and one of 20 m, in ESA's encoding."""
    empty = {"B2": np.ones((side, side), np.uint16), "B5": np.ones((side // 2, side // 2), np.uint16)}
    product = open_product(write_product(folder, NAME, Scene(empty, 600000, 5900040, 32631, side, side)))
    for resolution, (tile, block, precinct) in ENCODINGS.items():
        name, _ = product.band_file(BANDS[resolution])
        size = f"{{{precinct},{precinct}}}"
        path = product.path / name
        path.unlink()
        write_band(
            path,
            side * 10 // resolution,
            tile,
            codeblock_width=block,
            codeblock_height=block,
            precincts=",".join(LEVELS * [size]),
            resolutions=LEVELS,
            progression="LRCP",
            plt="YES",
            nbits=14,
        )
    # their sizes have changed
    return open_product(product.path)


def ours(product: Safe, band: str, windows: list[Window]) -> list[np.ndarray]:
    """Read windows as `resample_product` does, damage looked for."""
    resolution = product.band_file(band)[1]
    whole = product.grids[resolution]
    return [
        product.read_band(
            band,
            Grid(
                whole.x + resolution * each.col_off,
                whole.y - resolution * each.row_off,
                resolution,
                each.width,
                each.height,
            ),
        )
        for each in windows
    ]


def with_rasterio(path: Path, windows: list[Window]) -> list[np.ndarray]:
    """Read windows with rasterio."""
    found = []
    for each in windows:
        with rasterio.open(path) as image:
            found.append(image.read(1, window=each))
    return found


def with_rioxarray(path: Path, windows: list[Window]) -> list[np.ndarray]:
    """Read windows with rioxarray."""
    found = []
    for each in windows:
        with rioxarray.open_rasterio(path, cache=False) as image:
            found.append(image.rio.isel_window(each).values[0])
    return found


def compare(product: Safe, resolution: int, parts: list[Window], repeats: int) -> Row:
    """Measure how long windows of one size take, after comparing their pixels."""
    band, size = BANDS[resolution], parts[0].width
    path = product.path / product.band_file(band)[0]
    calls = (ours, product, band, parts), (with_rasterio, path, parts), (with_rioxarray, path, parts)
    ways = [partial(*call) for call in calls]
    for mine, *others in zip(*(way() for way in ways), strict=True):
        for other in others:
            np.testing.assert_array_equal(mine, other)
    own, *other = (seconds / len(parts) for seconds in cpu_seconds(*ways, repeats=repeats))
    peak, peak_of_rasterio = (in_child(*call).peak for call in calls[:2])
    remark = f"{other[0] / own:.1f} x faster than rasterio, {other[1] / own:.1f} x than rioxarray"
    if resolution == 10:
        remark += f", target {SIDES[size]} x"
    name = f"{size} x {size} of a band of {resolution} m, {path.stat().st_size / 1e6:.0f} MB"
    return Row(name, own, f"{remark}; rasterio {peak_of_rasterio:.0f} MB", peak)


def windows(small: bool) -> Iterator[Row]:
    """Measure windows at random places."""
    side, number, repeats = (2000, 2, 1) if small else (10_980, 12, 3)
    random = np.random.default_rng(3)
    with (
        tempfile.TemporaryDirectory() as folder,
        rasterio.Env(GDAL_CACHEMAX=64_000_000, GDAL_NUM_THREADS="1"),
    ):
        product = write_bands(Path(folder), side)
        for resolution in BANDS:
            for size in SIDES:
                places = random.integers(0, side * 10 // resolution - size, (number, 2)).tolist()
                parts = [Window(x, y, size, size) for x, y in places]
                yield compare(product, resolution, parts, repeats)
