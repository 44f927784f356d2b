"""Measure a window of 500 x 500 pixels of a full-size band, fetched from a real S3 server with latency.

The band is synthetic: 10980 x 10980 pixels of noise, some 90 MB in JPEG 2000 tiles of 1024 pixels, as real
ones. The server is SeaweedFS, behind the proxy of the tests, which counts and delays.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from tigerbush.products import file_row
from tigerbush.remote import Store
from tigerbush.resample import Grid
from tigerbush.stream import read_remote_window

sys.path.append(str(Path(__file__).parents[1] / "tests" / "services"))
from proxy import Proxy, proxy_to
from weed import PUBLIC, weed_server

SIDE, TILE, PART = 10_980, 1024, 500
GRID = Grid(600000, 5900040, 10, SIDE, SIDE)
# in the middle of the band, across the border of two tiles
WINDOW = Grid(GRID.x + 10 * 5200, GRID.y - 10 * 4900, 10, PART, PART)
LATENCY = 0.05
BANDS = 4


def write_band(path: Path) -> None:
    """Write a band with noise of 5 bits, which makes it as large as a real one."""
    random = np.random.default_rng(0)
    coarse = random.normal(1500, 400, (SIDE // 60, SIDE // 60)).astype(np.float32)
    band = np.kron(coarse, np.ones((60, 60), np.float32))
    band += random.normal(0, 12, band.shape).astype(np.float32)
    profile = {
        "driver": "JP2OpenJPEG",
        "width": SIDE,
        "height": SIDE,
        "count": 1,
        "dtype": "uint16",
        "reversible": "YES",
        "quality": 100,
        "blockxsize": TILE,
        "blockysize": TILE,
    }
    with rasterio.open(path, "w", **profile) as image:
        image.write(np.clip(band, 1, 20000).astype(np.uint16), 1)


@contextmanager
def served() -> Iterator[tuple[Proxy, list[dict[str, str]]]]:
    """Run the server with one object per band; yield the proxy before it and the rows of files.tsv."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "band.jp2"
        write_band(path)
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


def by_gdal(proxy: Proxy, key: str) -> np.ndarray:
    """Read the window through /vsis3/, as GDAL does it by itself."""
    options = {
        "AWS_S3_ENDPOINT": proxy.url.removeprefix("http://"),
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_NO_SIGN_REQUEST": "YES",
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    }
    column, row = (round(abs(a - b) / 10) for a, b in ((WINDOW.x, GRID.x), (WINDOW.y, GRID.y)))
    with rasterio.Env(**options), rasterio.open(f"/vsis3/{PUBLIC}/{key}") as image:
        return image.read(window=Window(column, row, PART, PART))


def by_us(proxy: Proxy, rows: list[dict[str, str]], connections: int) -> list[np.ndarray]:
    """Read the window of bands as `source.access: stream` does."""
    store = Store(PUBLIC, endpoint_url=proxy.url, anonymous=True, connections=connections)
    with ThreadPoolExecutor(connections) as pool:
        return list(pool.map(lambda row: read_remote_window(store, row, GRID, WINDOW), rows))


def rows() -> Iterator[tuple[str, str]]:
    """Yield lines of the table: what was measured, and the figures."""
    with served() as (proxy, files):
        size = int(files[0]["size"])

        def measured(work) -> tuple[list[np.ndarray], float, int, int]:
            proxy.requests.clear()
            start = time.perf_counter()
            result = work()
            seconds = time.perf_counter() - start
            got = [count for method, _, count in proxy.requests if method == "GET"]
            return result, seconds, len(proxy.requests), sum(got)

        [ours], _, requests, fetched = measured(lambda: by_us(proxy, files[:1], 1))
        yield (
            f"window of {PART} x {PART} pixels of a band of {size / 1e6:.1f} MB",
            f"{fetched / 1e6:.2f} MB ({fetched / size:.2%} of it), {requests} requests",
        )
        theirs, _, requests, fetched = measured(lambda: by_gdal(proxy, files[0]["key"]))
        np.testing.assert_array_equal(ours, theirs)
        yield (
            "the same through GDAL's /vsis3/",
            f"{fetched / 1e6:.2f} MB ({fetched / size:.2%} of it), {requests} requests",
        )
        proxy.latency = LATENCY
        _, sequential, _, _ = measured(lambda: [by_gdal(proxy, row["key"]) for row in files])
        _, one, _, _ = measured(lambda: by_us(proxy, files, 1))
        _, four, _, _ = measured(lambda: by_us(proxy, files, BANDS))
        yield (
            f"{BANDS} bands with {LATENCY * 1000:.0f} ms of latency, {BANDS} connections",
            f"{four:.1f} s, one after another {one:.1f} s, through /vsis3/ {sequential:.1f} s "
            f"({four / min(sequential, one):.0%} of the shorter)",
        )


if __name__ == "__main__":
    for name, figures in rows():
        print(f"{name:<70} {figures}", flush=True)
