"""Measure a window of 500 x 500 pixels of a full-size band, fetched from a real S3 server with latency.

The band is synthetic: 10980 x 10980 pixels of noise, some 90 MB in JPEG 2000 tiles of 1024 pixels, as real
ones. The server is SeaweedFS, behind the proxy of the tests, which counts and delays.
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
from tigerbush.products import file_row
from tigerbush.raster import transform_of
from tigerbush.remote import Store
from tigerbush.resample import Grid
from tigerbush.stream import read_remote_window

sys.path.append(str(Path(__file__).parents[1] / "tests" / "services"))
from proxy import Proxy, proxy_to
from weed import PUBLIC, weed_server

SIDE, SMALL, TILE, PART = 10_980, 2196, 1024, 500
LATENCY = 0.05
BANDS = 4


def grids(side: int) -> tuple[Grid, Grid]:
    """Return the grid of the band, and the window, across the border of two tiles."""
    band = Grid(600000, 5900040, 10, side, side)
    first = side // 2 // TILE * TILE - PART // 2
    return band, Grid(band.x + 10 * first, band.y - 10 * (first + PART), 10, PART, PART)


def write_band(path: Path, side: int) -> None:
    """Write a band with noise of 5 bits, which makes it as large as a real one."""
    random = np.random.default_rng(0)
    coarse = random.normal(1500, 400, (side // 60, side // 60)).astype(np.float32)
    band = coarse.repeat(60, axis=0).repeat(60, axis=1)[:side, :side]
    band += random.normal(0, 12, band.shape).astype(np.float32)
    profile = {
        "driver": "JP2OpenJPEG",
        "width": side,
        "height": side,
        "count": 1,
        "dtype": "uint16",
        "reversible": "YES",
        "quality": 100,
        "blockxsize": TILE,
        "blockysize": TILE,
        "crs": "EPSG:32631",
        "transform": transform_of(grids(side)[0]),
    }
    with rasterio.open(path, "w", **profile) as image:
        image.write(np.clip(band, 1, 20000).astype(np.uint16), 1)


@contextmanager
def served(side: int) -> Iterator[tuple[Proxy, list[dict[str, str]]]]:
    """Run the server with one object per band; yield the proxy before it and the rows of files.tsv."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "band.jp2"
        write_band(path, side)
        (Path(folder) / "weed").mkdir()
        with weed_server(Path(folder) / "weed") as weed, proxy_to(weed.port) as proxy:
            for number in range(BANDS):
                weed.put(PUBLIC, f"bench/B0{number}.jp2", path.read_bytes())
            objects = Store(PUBLIC, endpoint_url=weed.url, anonymous=True).objects("bench/")
            yield (
                proxy,
                [
                    file_row("P", ("band", "B4"), f"B{i}.jp2", one.key, one.size, one.etag)
                    for i, one in enumerate(objects)
                ],
            )


def by_gdal(proxy: Proxy, key: str, grid: Grid, window: Grid) -> np.ndarray:
    """Read the window through /vsis3/, as GDAL does it by itself."""
    options = {
        "AWS_S3_ENDPOINT": proxy.url.removeprefix("http://"),
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_NO_SIGN_REQUEST": "YES",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    }
    column, row = (round(abs(a - b) / 10) for a, b in ((window.x, grid.x), (window.y, grid.y)))
    with rasterio.Env(**options), rasterio.open(f"/vsis3/{PUBLIC}/{key}") as image:
        return image.read(window=Window(column, row, PART, PART))


def by_us(
    proxy: Proxy, rows: list[dict[str, str]], grid: Grid, window: Grid, connections: int
) -> list[np.ndarray]:
    """Read the window of bands as `source.access: stream` does."""
    store = Store(PUBLIC, endpoint_url=proxy.url, anonymous=True, connections=connections)
    with ThreadPoolExecutor(connections) as pool:
        return list(pool.map(lambda row: read_remote_window(store, row, grid, window), rows))


def stream(small: bool) -> Iterator[Row]:
    """Count bytes and requests of a window, and what overlapping requests save where each takes 50 ms more."""
    side = SMALL if small else SIDE
    places = grids(side)
    with served(side) as (proxy, files):
        size = int(files[0]["size"])

        def measured(work: Callable[[], object]) -> tuple[object, float, float, str]:
            proxy.requests.clear()
            cpu, start = time.process_time(), time.perf_counter()
            result = work()
            seconds, wall = time.process_time() - cpu, time.perf_counter() - start
            fetched = sum(count for method, _, count in proxy.requests if method == "GET")
            traffic = f"{fetched / 1e6:.2f} MB ({fetched / size:.2%} of it), {len(proxy.requests)} requests"
            return result, seconds, wall, traffic

        [ours], cpu, _, traffic = measured(lambda: by_us(proxy, files[:1], *places, 1))
        yield Row(
            f"window of {PART} x {PART} pixels of a band of {size / 1e6:.1f} MB",
            cpu,
            f"{traffic}; target 2.5 %",
        )
        theirs, cpu, _, traffic = measured(lambda: by_gdal(proxy, files[0]["key"], *places))
        np.testing.assert_array_equal(ours, theirs)
        yield Row("window through GDAL's /vsis3/", cpu, traffic)
        proxy.latency = LATENCY
        _, _, gdal, _ = measured(lambda: [by_gdal(proxy, row["key"], *places) for row in files])
        _, _, one, _ = measured(lambda: by_us(proxy, files, *places, 1))
        _, cpu, four, _ = measured(lambda: by_us(proxy, files, *places, BANDS))
        yield Row(
            f"window of {BANDS} bands, {LATENCY * 1000:.0f} ms of latency, {BANDS} connections",
            cpu,
            f"{four:.1f} s, one after another {one:.1f} s, /vsis3/ {gdal:.1f} s; target half of the shorter",
        )
