"""Rows for windows of full-size bands in ESA's encoding, against what decodes whole tiles; all give the same pixels."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
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
from tigerbush.sites.joint import JointProduct, joint_windows

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
            # odc-stac and stackstac ask the file where it is
            crs=f"EPSG:{product.epsg}",
            transform=product.grids[resolution].transform,
        )
    # their sizes have changed
    return open_product(product.path)


def ours(product: Safe, band: str, windows: list[Window]) -> list[np.ndarray]:
    """Read windows as `resample_product` does, damage looked for."""
    resolution = product.band_file(band)[1]
    whole = product.grids[resolution]
    return [product.read_band(band, window_grid(whole, each)) for each in windows]


def window_grid(whole: Grid, window: Window) -> Grid:
    """Return the grid of a window."""
    return whole.crop(window.col_off, window.row_off, window.width, window.height)


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


def with_odc_stac(path: Path, windows: list[Window]) -> list[np.ndarray]:
    """Read windows with odc-stac."""
    from odc.geo.geobox import GeoBox
    from odc.stac import load

    item, transform, crs = item_of(path)
    found = []
    for each in windows:
        corner = transform * transform.translation(each.col_off, each.row_off)
        box = GeoBox((each.height, each.width), corner, crs)
        found.append(load([item], bands=["B"], geobox=box)["B"].values[0])
    return found


def with_stackstac(path: Path, windows: list[Window]) -> list[np.ndarray]:
    """Read windows with stackstac."""
    import stackstac

    item, transform, crs = item_of(path)
    found = []
    for each in windows:
        west, north = transform * (each.col_off, each.row_off)
        east, south = transform * (each.col_off + each.width, each.row_off + each.height)
        array = stackstac.stack(
            item,
            assets=["B"],
            epsg=int(crs.rpartition(":")[2]),
            resolution=transform.a,
            bounds=(west, south, east, north),
            dtype="uint16",
            fill_value=np.uint16(0),
            rescale=False,
        )
        found.append(array.compute(scheduler="synchronous").values[0, 0])
    return found


def item_of(path: Path) -> tuple[object, rasterio.Affine, str]:
    """Return a STAC item of a band, with its transform and CRS."""
    import pystac

    with rasterio.open(path) as image:
        transform, crs, shape = image.transform, str(image.crs), list(image.shape)
    projection = {
        "proj:epsg": int(crs.rpartition(":")[2]),
        "proj:code": crs,
        "proj:shape": shape,
        "proj:transform": list(transform)[:6],
    }
    anywhere = [[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]
    item = pystac.Item(
        "product",
        {"type": "Polygon", "coordinates": [anywhere]},
        [-180, -90, 180, 90],
        datetime(2020, 1, 1, tzinfo=UTC),
        projection,
        stac_extensions=["https://stac-extensions.github.io/projection/v1.1.0/schema.json"],
    )
    bands = {"raster:bands": [{"data_type": "uint16", "nodata": 0}]}
    item.add_asset("B", pystac.Asset(str(path), media_type="image/jp2", extra_fields=projection | bands))
    return item, transform, crs


# those that read windows for others, by the name of their package; the last two only where they are installed
PEERS = {
    "rasterio": with_rasterio,
    "rioxarray": with_rioxarray,
    "odc.stac": with_odc_stac,
    "stackstac": with_stackstac,
}


def installed() -> dict[str, Callable]:
    """Return the functions of the peers that are installed."""
    found = {}
    for name, function in PEERS.items():
        with suppress(ImportError):
            import_module(name)
            found[name.replace(".", "-")] = function
    return found


def compare(product: Safe, resolution: int, parts: list[Window], repeats: int) -> Row:
    """Measure how long windows of one size take, after comparing their pixels."""
    band, size = BANDS[resolution], parts[0].width
    path = product.path / product.band_file(band)[0]
    calls = {"ours": (ours, product, band, parts)} | {
        name: (function, path, parts) for name, function in installed().items()
    }
    ways = [partial(*call) for call in calls.values()]
    for mine, *others in zip(*(way() for way in ways), strict=True):
        for other in others:
            np.testing.assert_array_equal(mine, other)
    own, *others = (seconds / len(parts) for seconds in cpu_seconds(*ways, repeats=repeats))
    peak, *peaks = (in_child(*call).peak for call in calls.values())
    remark = ", ".join(
        f"{other / own:.1f} x faster than {name} ({high:.0f} MB)"
        for name, other, high in zip(installed(), others, peaks, strict=True)
    )
    if resolution == 10:
        remark += f"; target {SIDES[size]} x"
    name = f"{size} x {size} of a band of {resolution} m, {path.stat().st_size / 1e6:.0f} MB"
    return Row(name, own, remark, peak)


def dense(product: Safe, number: int, repeats: int) -> Row:
    """Measure many windows of a tile of 1024 pixels, which are cut from one, and the same one by one."""
    random = np.random.default_rng(4)
    size = min(SIDES)
    tile = ENCODINGS[10][0]
    parts = [Window(x, y, size, size) for x, y in random.integers(0, tile - size, (number, 2)).tolist()]
    together = partial(jointly, product, parts)
    for mine, other in zip(together(), ours(product, BANDS[10], parts), strict=True):
        np.testing.assert_array_equal(mine, other)
    own, other = cpu_seconds(together, partial(ours, product, BANDS[10], parts), repeats=repeats)
    remark = f"{other / own:.1f} x faster than one by one"
    return Row(f"{number} windows of {size} x {size} in a tile", own / number, remark)


def jointly(product: Safe, windows: list[Window]) -> list[np.ndarray]:
    """Read windows of a band as `resample_product` does for sites that lie close together."""
    whole = product.grids[10]
    grids = {str(number): window_grid(whole, each) for number, each in enumerate(windows)}
    found = {}
    for joint, names in joint_windows(grids, (whole.x, whole.y)):
        source = JointProduct(product, joint) if joint else product
        found |= {name: source.read_band(BANDS[10], grids[name]) for name in names}
    return [found[name] for name in grids]


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
        for many in (4, 16, 64):
            yield dense(product, many, repeats)
