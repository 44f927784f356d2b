"""Rows for a window of 500 x 500 pixels of a full-size band, fetched from a real S3 server with latency.

The band is synthetic: 10980 x 10980 pixels of noise, some 90 MB in JPEG 2000 tiles of 1024 pixels, as real
bands. The server is SeaweedFS, behind the proxy of the tests, which counts and delays requests.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from bench.table import Row
from tigerbush.grid import Grid
from tigerbush.planning.tables import file_row
from tigerbush.sites.stream import read_remote_window
from tigerbush.sources.store import Store

sys.path.append(str(Path(__file__).parents[1] / "tests" / "services"))
from proxy import Proxy, proxy_to
from seaweedfs import PUBLIC, seaweedfs_server

SIDE, TILE, PART = 10_980, 1024, 500
LATENCY = 0.05
BANDS = 4
PRODUCT = "S2A_MSIL1C_20160824T100607_N0204_R122_T33TVL_20160824T100607"


def write_band(path: Path, side: int, tile: int = TILE, **options: object) -> None:
    """Write a band with noise of 5 bits, so that its file is as large as a real one; options are GDAL's."""
    random = np.random.default_rng(0)
    coarse = random.normal(1500, 400, (side // 60, side // 60)).astype(np.float32)
    band = np.kron(coarse, np.ones((60, 60), np.float32))
    band += random.normal(0, 12, band.shape).astype(np.float32)
    profile = {
        "driver": "JP2OpenJPEG",
        "width": side,
        "height": side,
        "count": 1,
        "dtype": "uint16",
        "reversible": "YES",
        "quality": 100,
        "blockxsize": tile,
        "blockysize": tile,
        "tiled": True,
        **options,
    }
    with rasterio.open(path, "w", **profile) as image:
        image.write(np.clip(band, 1, 20000).astype(np.uint16), 1)


@contextmanager
def served(side: int) -> Iterator[tuple[Proxy, list[dict[str, str]], Grid]]:
    """Run the server with one object per band; yield the proxy in front of it, the rows of files.tsv, the grid."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "band.jp2"
        write_band(path, side)
        (Path(folder) / "seaweedfs").mkdir()
        with seaweedfs_server(Path(folder) / "seaweedfs") as seaweedfs, proxy_to(seaweedfs.port) as proxy:
            for number in range(BANDS):
                seaweedfs.put(PUBLIC, f"bench/B0{number}.jp2", path.read_bytes())
            objects = Store(PUBLIC, endpoint_url=seaweedfs.url, anonymous=True).objects("bench/")
            rows = [
                file_row(PRODUCT, ("band", "B4"), f"B{i}.jp2", item.key, item.size, item.etag)
                for i, item in enumerate(objects)
            ]
            yield proxy, rows, Grid(600000, 5900040, 10, side, side)


def window_of(grid: Grid) -> Grid:
    """Return a window near the middle, across the border of two tiles."""
    column, row = grid.width // 2 - 290, grid.height // 2 - 590
    return Grid(grid.x + 10 * column, grid.y - 10 * row, 10, PART, PART)


def read_by_gdal(proxy: Proxy, key: str, grid: Grid) -> np.ndarray:
    """Read the window through GDAL's /vsis3/."""
    options = {
        "AWS_S3_ENDPOINT": proxy.url.removeprefix("http://"),
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_NO_SIGN_REQUEST": "YES",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    }
    part = window_of(grid)
    column, row = (part.x - grid.x) / 10, (grid.y - part.y) / 10
    with rasterio.Env(**options), rasterio.open(f"/vsis3/{PUBLIC}/{key}") as image:
        return image.read(window=Window(column, row, PART, PART))


def read_by_stream(
    proxy: Proxy, rows: list[dict[str, str]], grid: Grid, connections: int
) -> list[np.ndarray]:
    """Read the window of several bands as `source.access: stream` does."""
    store = Store(PUBLIC, endpoint_url=proxy.url, anonymous=True, connections=connections)
    with ThreadPoolExecutor(connections) as pool:
        return list(pool.map(lambda row: read_remote_window(store, row, grid, window_of(grid), 32631), rows))


def stream(small: bool) -> Iterator[Row]:
    """Measure the bytes, requests and latency of reading a window, against GDAL's /vsis3/."""
    with served(2196 if small else SIDE) as (proxy, files, grid):
        size = int(files[0]["size"])

        def measure(read: Callable[[], list[np.ndarray]]) -> tuple[list[np.ndarray], Row]:
            proxy.requests.clear()
            cpu, start = time.process_time(), time.perf_counter()
            windows = read()
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            received = sum(count for method, _, count in proxy.requests if method == "GET")
            share = received / len(windows) / size
            remark = f"{wall:.1f} s, {share:.2%} of the bytes, {len(proxy.requests)} requests"
            return windows, Row("", cpu, remark)

        def streamed(count: int, connections: int) -> Callable[[], list[np.ndarray]]:
            return lambda: read_by_stream(proxy, files[:count], grid, connections)

        def by_gdal(count: int) -> Callable[[], list[np.ndarray]]:
            return lambda: [read_by_gdal(proxy, row["key"], grid) for row in files[:count]]

        [window], row = measure(streamed(1, 1))
        title = f"a window of {PART} x {PART} of a band of {size / 1e6:.0f} MB, from S3"
        yield row._replace(name=title, remark=f"{row.remark}, target 2.5 %")
        [reference], row = measure(by_gdal(1))
        np.testing.assert_array_equal(window[0], reference[0])
        yield row._replace(name="  the same through /vsis3/")
        proxy.latency = LATENCY
        for name, read in (
            (
                f"  {BANDS} bands with {LATENCY * 1000:.0f} ms of latency, {BANDS} connections",
                streamed(BANDS, BANDS),
            ),
            ("  the same, one after another", streamed(BANDS, 1)),
            ("  the same through /vsis3/, one after another", by_gdal(BANDS)),
        ):
            yield measure(read)[1]._replace(name=name)
