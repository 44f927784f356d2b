"""From a product to its bands on one grid: for a site (window and mask) or the whole scene.

Status of the result, in its tags: `ok`, `outside` (the product does not reach the site) or `failed`
(a placeholder: all no-data, with the reason).
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tigerbush import __version__, masks
from tigerbush.grid import read_window, site_grid, utm_epsg
from tigerbush.products import parse_name
from tigerbush.raster import PRODUCT, REASON, STATUS, Raster
from tigerbush.resample import Grid, target_grid
from tigerbush.safe import NODATA, Product, open_product, read_band

SITE_BANDS = ("B2", "B3", "B4", "B8")


def scene_grid(product: Product, resolution: int) -> Grid:
    """Return the target grid of a whole product, as SNAP's Resample chooses it."""
    return target_grid(product.grids[10], list(product.grids.values()), resolution)


def resample_scene(
    path: Path, bands: Sequence[str], resolution: int, upsampling: str, downsampling: str
) -> Raster:
    """Resample bands of a whole product to one resolution: SNAP's Resample, then Subset by bands.

    Parameters
    ----------
    path : Path
        Product folder or zip.
    bands : sequence of str
    resolution : int
        Metres.
    upsampling, downsampling : str
        Methods of `tigerbush.resample`.

    Returns
    -------
    Raster
        uint16 DN as stored (nodata 0) with scale and offset to reflectance.

    Raises
    ------
    TigerbushError
        When the product cannot be read.
    """
    product = open_product(path)
    return _read(product, bands, scene_grid(product, resolution), upsampling, downsampling)


def resample_site(
    path: Path,
    *,
    longitude: float,
    latitude: float,
    region_size: float,
    size: int,
    resolution: int,
    upsampling: str = "Nearest",
    downsampling: str = "First",
) -> tuple[Raster, Raster]:
    """Resample the window of a product that a site needs, and its cloud mask.

    The window is the grown one of `tigerbush.grid.read_window`; `subset_site` trims it.

    Parameters
    ----------
    path : Path
        Product folder or zip.
    longitude, latitude, region_size : float
        The site, in degrees.
    size, resolution : int
        Pixels a side of a sub-image, and metres.
    upsampling, downsampling : str
        Methods of `tigerbush.resample` for the bands; masks are classes and always take the nearest.

    Returns
    -------
    image : Raster
        B2, B3, B4, B8: uint16 DN as stored, nodata 0.
    mask : Raster
        uint8 values of `tigerbush.masks`.

    Raises
    ------
    TigerbushError
        When the product cannot be read.
    """
    product = open_product(path)
    site = {"longitude": longitude, "latitude": latitude, "region_size": region_size}
    scene = scene_grid(product, resolution)
    grid = site_grid(**site, size=size, resolution=resolution, origin=(scene.x, scene.y))
    window = read_window(grid, scene) if product.epsg == utm_epsg(longitude, latitude) else None
    if window is None:
        return placeholder(
            product.name.product, "the product does not reach the site", grid, product.epsg, status="outside"
        )
    image = _read(product, SITE_BANDS, window, upsampling, downsampling)
    classes, name = masks.read_mask(product, window)
    return image, _mask_raster(classes, image, {"TIGERBUSH_MASK": name or "none"})


def subset_site(
    image: Raster,
    mask: Raster,
    *,
    longitude: float,
    latitude: float,
    region_size: float,
    size: int,
    resolution: int,
) -> tuple[Raster, Raster]:
    """Trim the window that was read to the site; what the product does not cover becomes no-data.

    Parameters
    ----------
    image, mask : Raster
        From `resample_site`.
    longitude, latitude, region_size : float
        The site, in degrees.
    size, resolution : int
        Pixels a side of a sub-image, and metres.
    """
    origin = (image.grid.x, image.grid.y)
    grid = site_grid(longitude, latitude, region_size, size, resolution, origin)
    return _on_grid(image, grid), _on_grid(mask, grid)


def placeholder(
    product: str, reason: str, grid: Grid, epsg: int, status: str = "failed"
) -> tuple[Raster, Raster]:
    """Return what stands for a product without pixels: all no-data, with the reason in the tags."""
    image = Raster(
        data=np.full((len(SITE_BANDS), grid.height, grid.width), NODATA, np.uint16),
        grid=grid,
        epsg=epsg,
        bands=SITE_BANDS,
        nodata=NODATA,
        tags=_tags(product, status, reason),
    )
    return image, _mask_raster(np.full((grid.height, grid.width), masks.NODATA, np.uint8), image, {})


def site_placeholder(
    product: str,
    reason: str,
    *,
    longitude: float,
    latitude: float,
    region_size: float,
    size: int,
    resolution: int,
) -> tuple[Raster, Raster]:
    """Return the placeholder of a failed product on the window of a site."""
    grid = site_grid(longitude, latitude, region_size, size, resolution)
    return placeholder(product, reason, grid, utm_epsg(longitude, latitude))


def scene_placeholder(product: str, reason: str, bands: Sequence[str], resolution: int) -> Raster:
    """Return the placeholder of a failed scene: one pixel, because its grid may be unknown."""
    tile = parse_name(product).tile
    epsg = (32600 if tile[2] >= "N" else 32700) + int(tile[:2])
    return Raster(
        data=np.full((len(bands), 1, 1), NODATA, np.uint16),
        grid=Grid(0, 0, resolution, 1, 1),
        epsg=epsg,
        bands=tuple(bands),
        nodata=NODATA,
        tags=_tags(product, "failed", reason),
    )


def _read(product: Product, bands: Sequence[str], grid: Grid, upsampling: str, downsampling: str) -> Raster:
    data = np.stack([read_band(product, band, grid, upsampling, downsampling) for band in bands])
    quantification = product.quantification
    return Raster(
        data=data,
        grid=grid,
        epsg=product.epsg,
        bands=tuple(bands),
        nodata=NODATA,
        scale=(1 / quantification,) * len(bands),
        offset=tuple(product.offsets[band] / quantification for band in bands),
        units=("reflectance",) * len(bands),
        tags=_tags(product.name.product, "ok", ""),
    )


def _tags(product: str, status: str, reason: str) -> dict[str, str]:
    name = parse_name(product)
    return {
        PRODUCT: product,
        STATUS: status,
        REASON: reason,
        "TIGERBUSH_VERSION": __version__,
        "SENSING_TIME": name.sensing_time.isoformat() + "Z",
        "PROCESSING_BASELINE": name.baseline,
    }


def _mask_raster(classes: np.ndarray, image: Raster, tags: dict[str, str]) -> Raster:
    return Raster(
        data=classes[None],
        grid=image.grid,
        epsg=image.epsg,
        bands=("mask",),
        nodata=masks.NODATA,
        tags={
            **image.tags,
            **tags,
            "TIGERBUSH_MASK_VALUES": json.dumps(
                {masks.CLEAR: "clear", masks.MASKED: "masked", masks.UNKNOWN: "unknown"}
            ),
        },
    )


def _on_grid(raster: Raster, grid: Grid) -> Raster:
    """Crop or pad a raster to `grid`, which lies on the same lattice."""
    source = raster.grid
    column = round((grid.x - source.x) / grid.resolution)
    row = round((source.y - grid.y) / grid.resolution)
    data = np.full((len(raster.data), grid.height, grid.width), raster.nodata, raster.data.dtype)
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + grid.height, source.height), min(column + grid.width, source.width)
    if top < bottom and left < right:
        data[:, top - row : bottom - row, left - column : right - column] = raster.data[
            :, top:bottom, left:right
        ]
    return replace(raster, data=data, grid=grid)
