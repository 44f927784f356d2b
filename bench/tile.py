"""Measure the target `scenes` on a synthetic full tile against nothing but decoding its bands.

Takes some minutes and 400 MB of disk; `make bench-tile` runs it.
"""

import os
import re
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import rasterio

from tigerbush.safe import open_product, read_band
from tigerbush.safe_writer import Scene, write_product
from tigerbush.scene import write_scene

BANDS = ["B2", "B3", "B4"]
SIDE = 10_980
NAME = "S2A_MSIL1C_20200116T100000_N0204_R122_T31UFU_20200116T110000"


def write_tile(folder: Path) -> Path:
    """Write a product of a full tile; its three bands are one file under three names."""
    random = np.random.default_rng(0)
    coarse = random.normal(1500, 400, (SIDE // 60, SIDE // 60))
    # noise of 5 bits: files of some 90 MB, as those of real 10 m bands
    band = np.kron(coarse, np.ones((60, 60))) + random.normal(0, 12, (SIDE, SIDE))
    scene = Scene({"B2": np.clip(band, 1, 20000).astype(np.uint16)}, 600000, 5900040, 32631, SIDE, SIDE)
    safe = write_product(folder, NAME, scene)
    first = next(safe.glob("GRANULE/*/IMG_DATA/*_B02.jp2"))
    for number in ("B03", "B04"):
        os.link(first, first.with_name(first.name.replace("B02", number)))
    return safe


def decode(safe: Path) -> None:
    """Read every band and do nothing with it."""
    product = open_product(safe)
    for band in BANDS:
        name, _ = product.band_file(band)
        with rasterio.Env(GDAL_CACHEMAX=64_000_000), rasterio.open(safe / name) as image:
            for row in range(0, SIDE, 1024):
                image.read(1, window=((row, min(row + 1024, SIDE)), (0, SIDE)))


def scene(safe: Path) -> None:
    """Write the product as a GeoTIFF of three bands at 20 m."""
    write_scene(
        safe,
        safe.parent / "scene.tif",
        bands=BANDS,
        resolution=20,
        upsampling="Nearest",
        downsampling="First",
    )


def window(safe: Path) -> None:
    """Read the 132 x 132 pixels of a site of 2 x 2 sub-images."""
    product = open_product(safe)
    grid = product.grids[10]
    for band in BANDS:
        read_band(product, band, type(grid)(grid.x + 30_000, grid.y - 30_000, 10, 132, 132))


def measure(work, safe: Path) -> tuple[float, float]:
    """Return CPU seconds and the peak of memory in MB of a fresh process that only does `work`."""
    work(safe)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    # not ru_maxrss, which a new process inherits from the one that started it
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return usage.ru_utime + usage.ru_stime, int(peak[1]) / 1000


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        safe = write_tile(Path(folder))
        size = sum(path.stat().st_size for path in safe.rglob("*_B02.jp2")) / 1e6
        print(f"three bands of {SIDE} x {SIDE} pixels, {size:.0f} MB each\n")
        reference = None
        for work in (decode, scene, window):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                seconds, memory = pool.submit(measure, work, safe).result()
            reference = reference or seconds
            print(
                f"{work.__name__:<8} {seconds:8.2f} s CPU {seconds / reference:8.3f} x decoding {memory:8.0f} MB",
                flush=True,
            )
