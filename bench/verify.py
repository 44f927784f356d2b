"""Rows for comparing a product with its checksums (`source.verify`): a window of a full tile, and the whole tile."""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bench.table import Row, in_child
from bench.tile import BANDS, NAME, write_tile
from tigerbush.grid import Grid
from tigerbush.scenes.scene import SceneOptions, write_scene
from tigerbush.sentinel2.names import SITE_BANDS, parse_name
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.writer_manifest import write_manifest
from tigerbush.verification import verify_product

PART = 480
# the baseline decides which checksum a manifest has
ALGORITHMS = {"MD5": "02.04", "SHA3-256": "05.00"}
NEVER, LATER = "never", "once, afterwards"


def read_window(safe: Path, records: Path | None) -> None:
    """Read a window in the middle of each band that sites use, as `resample_product` does."""
    if records:
        verify_product(safe, SITE_BANDS, records)
    product = open_product(safe)
    grid = product.grids[10]
    size, corner = min(PART, grid.width), (grid.width - PART) // 2
    for band in SITE_BANDS:
        product.read_band(band, Grid(grid.x + 10 * corner, grid.y - 10 * corner, 10, size, size))


def write_whole_tile(safe: Path, records: Path | None) -> None:
    """Write a GeoTIFF of three bands at 20 m, as `resample_scene` does."""
    if records:
        verify_product(safe, BANDS, records)
    write_scene(safe, safe.parent / "scene.tif", SceneOptions(BANDS, 20))


def seconds_by_mode(read: Callable[[Path, Path | None], None], safe: Path, repeats: int) -> dict[str, float]:
    """Return the median CPU time of a new process for each way to verify; they take turns."""
    times: dict[str, list[float]] = {}

    def measure(mode: str, records: Path | None) -> None:
        times.setdefault(mode, []).append(in_child(read, safe, records).seconds)

    for _ in range(repeats):
        measure(NEVER, None)
        for algorithm, baseline in ALGORITHMS.items():
            write_manifest(safe, replace(parse_name(NAME), baseline=baseline))
            with tempfile.TemporaryDirectory() as records:
                measure(f"once, the first time, {algorithm}", Path(records))
                if algorithm == [*ALGORITHMS][-1]:
                    measure(LATER, Path(records))
    return {mode: statistics.median(seconds) for mode, seconds in times.items()}


def verify(small: bool) -> Iterator[Row]:
    """Measure what comparing a product with its checksums costs, when it is read first and afterwards."""
    side, repeats = (600, 1) if small else (10_980, 3)
    with tempfile.TemporaryDirectory() as folder:
        safe = write_tile(Path(folder), side)
        size = next(safe.rglob("*_B02.jp2")).stat().st_size / 1e6
        for title, read in (
            (f"a window of {PART} x {PART}, four bands of {size:.0f} MB", read_window),
            (f"a tile of {side} x {side}, three of these bands to 20 m", write_whole_tile),
        ):
            seconds = seconds_by_mode(read, safe, repeats)
            yield Row(title, seconds[NEVER], f"source.verify: {NEVER}")
            for mode in [*seconds][1:]:
                yield Row("", seconds[mode], f"{mode}: {seconds[mode] / seconds[NEVER]:.2f} x")
