"""Resample whole products to one resolution, with the same result as SNAP's operators Resample and Subset."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tigerbush.errors import ConfigurationError
from tigerbush.grid import Grid
from tigerbush.placeholder import placeholder_raster, product_tags, raise_if_scene_has_pixels
from tigerbush.polygon import Corner, read_polygon
from tigerbush.product import NODATA
from tigerbush.raster import CODESTREAM, REASON, Raster, write_raster, write_strips
from tigerbush.readers import Product, open_product
from tigerbush.resample import target_grid
from tigerbush.scenes.outline import pixels_in_polygon
from tigerbush.sensors import sensor_of

Methods = str | Mapping[str, str]
# reason of a scene without pixels
OUTSIDE = "the product does not reach the region"


@dataclass(frozen=True)
class SceneOptions:
    """How a scene is made from a product: the keys of `scene` in the configuration.

    Attributes
    ----------
    bands : sequence of str
    resolution : int
        In metres.
    upsampling, downsampling : str or mapping of band to str
        See `read_bands`; SNAP takes one method for all bands.
    region : (x, y, width, height), optional
        In pixels of the target grid, like SNAP's `region`.
    geo_region : str, optional
        WKT polygon in degrees, like SNAP's `geoRegion`.
    engine : {"rasterio", "snap", "gpt"}
    snap_masks : bool
        Whether the engine `rasterio` takes the same pixels for valid as SNAP 14 and later; SNAP itself decides by its
        version.
    """

    bands: Sequence[str]
    resolution: int
    upsampling: Methods = "Nearest"
    downsampling: Methods = "First"
    region: Sequence[int] | None = None
    geo_region: str | None = None
    engine: str = "rasterio"
    snap_masks: bool = False


def finest_grid(product: Product) -> Grid:
    """Return the grid of a product at its finest resolution."""
    return product.grids[min(product.grids)]


def scene_grid(product: Product, resolution: int) -> Grid:
    """Return the target grid of a whole product, as SNAP's Resample chooses it."""
    return target_grid(finest_grid(product), list(product.grids.values()), resolution)


def read_bands(
    product: Product,
    bands: Sequence[str],
    grid: Grid,
    upsampling: Methods = "Nearest",
    downsampling: Methods = "First",
) -> np.ndarray:
    """Read bands of a product on a common grid.

    Parameters
    ----------
    product : Product
    bands : sequence of str
    grid : Grid
        The target grid of the product or a window of it.
    upsampling, downsampling : str or mapping of band to str
        Methods of `tigerbush.resample`; bands missing from a mapping use SNAP's default.

    Returns
    -------
    (bands, h, w) uint16 array
        Stored DN, nodata 0.
    """
    return np.stack([_read(product, band, grid, upsampling, downsampling) for band in bands])


def _read(
    product: Product, band: str, grid: Grid, upsampling: Methods, downsampling: Methods, **masks: bool
) -> np.ndarray:
    def method(choice: Methods, default: str) -> str:
        return choice if isinstance(choice, str) else choice.get(band, default)

    return product.read_band(
        band, grid, method(upsampling, "Nearest"), method(downsampling, "First"), **masks
    )


def product_raster(product: Product, bands: Sequence[str], grid: Grid, data: np.ndarray) -> Raster:
    """Return stored DN with scale and offset to reflectance, and with the tags of the product."""
    reflectance = [product.reflectance(band) for band in bands]
    return Raster(
        data=data,
        grid=grid,
        epsg=product.epsg,
        bands=tuple(bands),
        nodata=NODATA,
        scale=tuple(scale for scale, _ in reflectance),
        offset=tuple(offset for _, offset in reflectance),
        units=("reflectance",) * len(bands),
        tags=product_tags(product.name, "ok", "") | codestream_tag(product),
    )


def codestream_tag(product: Product) -> dict[str, str]:
    """Return the tag that says whether the packets of what has been read could be checked."""
    return {CODESTREAM: product.codestream} if product.codestream else {}


def write_scene(path: Path, target: Path, options: SceneOptions) -> None:
    """Write bands of a whole product at one resolution, strip by strip, as SNAP's Resample and Subset would.

    Parameters
    ----------
    path : Path
        Product folder or zip.
    target : Path
        GeoTIFF: stored uint16 DN (nodata 0) with scale and offset to reflectance.
    options : SceneOptions

    Raises
    ------
    TigerbushError
        When the product cannot be read; nothing is written to `target` then.
    ConfigurationError
        When `geo_region` is not a WKT polygon in degrees.
    KeptError
        When the product does not reach the region, and `target` has pixels.
    """
    product = open_product(path)
    bands, sensor = options.bands, sensor_of(product.name.product)
    whole = scene_grid(product, options.resolution)
    grid = scene_region(whole, product.epsg, options.region, options.geo_region)
    if grid is None:
        outside = scene_outside(product.name.product, bands, options.resolution)
        raise_if_scene_has_pixels(target, outside.tags[REASON])
        write_raster(target, outside)
        return
    for band in bands:
        # before decoding, which takes minutes, and because the result is a tag of the file
        product.check_band(band, grid)
    methods = options.upsampling, options.downsampling
    masks = {"snap_masks": True} if options.snap_masks and sensor.snap_masks else {}
    strips = (
        (strip, number, _read(product, band, strip, *methods, **masks)[None])
        for strip in _strips(finest_grid(product), grid, sensor.strip_metres)
        for number, band in enumerate(bands)
    )
    empty = np.empty((len(bands), 0, 0), np.uint16)
    write_strips(target, product_raster(product, bands, grid, empty), strips)


def scene_region(
    grid: Grid, epsg: int, region: Sequence[int] | None = None, geo_region: str | None = None
) -> Grid | None:
    """Return the part of a target grid that SNAP's Subset would keep, or None when nothing is left.

    Parameters
    ----------
    grid : Grid
    epsg : int
        EPSG code of the grid.
    region : (x, y, width, height), optional
        In pixels, clipped to the grid.
    geo_region : str, optional
        WKT polygon in degrees (longitude first); the bounding box of its part within the outline of the grid is kept,
        rounded outward to whole pixels (`tigerbush.scenes.outline`).

    Raises
    ------
    ConfigurationError
        When `geo_region` is not a WKT polygon in degrees.
    """
    left, top, right, bottom = 0, 0, grid.width, grid.height
    if region is not None:
        x, y, width, height = region
        left, top, right, bottom = x, y, x + width, y + height
    elif geo_region is not None:
        part = pixels_in_polygon(_corners(geo_region), grid, epsg)
        if part is None:
            return None
        columns, rows = part
        left, right = math.floor(columns.min()), math.ceil(columns.max())
        top, bottom = math.floor(rows.min()), math.ceil(rows.max())
    left, top = max(left, 0), max(top, 0)
    right, bottom = min(right, grid.width), min(bottom, grid.height)
    if left >= right or top >= bottom:
        return None
    return grid.crop(left, top, right - left, bottom - top)


def _corners(text: str) -> list[Corner]:
    try:
        return read_polygon(text)
    except ValueError as error:
        raise ConfigurationError(f"scene.geo_region {text[:120]!r} {error}.") from None


def _strips(whole: Grid, grid: Grid, metres: int) -> Iterator[Grid]:
    """Divide a part of a product into strips that end at multiples of `metres` from the product's upper edge."""
    # at 60 m the common multiple for Sentinel-2 is higher than a product, which makes a single strip
    rows = math.lcm(metres, int(grid.resolution)) // int(grid.resolution)
    top = round((whole.y - grid.y) / grid.resolution)
    start = top
    while start < top + grid.height:
        stop = min((start // rows + 1) * rows, top + grid.height)
        yield grid.crop(0, start - top, grid.width, stop - start)
        start = stop


def scene_placeholder(product: str, reason: str, bands: Sequence[str], resolution: int) -> Raster:
    """Return the placeholder of a failed scene."""
    return _one_pixel(product, reason, bands, resolution, "failed")


def scene_outside(product: str, bands: Sequence[str], resolution: int) -> Raster:
    """Return the placeholder for the scene of a product that does not reach the region."""
    return _one_pixel(product, OUTSIDE, bands, resolution, "outside")


def _one_pixel(product: str, reason: str, bands: Sequence[str], resolution: int, status: str) -> Raster:
    # one pixel, because the grid may be unknown
    sensor = sensor_of(product)
    name = sensor.parse(product)
    return placeholder_raster(
        name, reason, Grid(0, 0, resolution, 1, 1), sensor.epsg(name.tile), bands, status
    )
