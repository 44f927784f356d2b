"""The window of a product that a site needs, with its cloud mask.

The tags of the result hold its status: `ok`, `outside` (the product does not reach the site) or `failed`
(a placeholder: all no-data, with the reason).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tigerbush.grid import Grid
from tigerbush.masks import DEFAULTS, MASK_NODATA, MEANING, MaskOptions
from tigerbush.placeholder import placeholder_raster
from tigerbush.product import ProductName
from tigerbush.raster import Raster
from tigerbush.readers import Product, open_product
from tigerbush.scenes.scene import product_raster, read_bands, scene_grid
from tigerbush.sensors import parse_name, sensor_of
from tigerbush.site import Site
from tigerbush.sites.plausible import check_reflectance
from tigerbush.sites.windows import read_window, site_grid


def resample_site(
    product: Product | Path,
    site: Site,
    options: MaskOptions = DEFAULTS,
    max_negative_fraction: float | None = None,
) -> tuple[Raster, Raster]:
    """Resample the window of a product that a site needs, and its cloud mask.

    The window is the extended one of `tigerbush.sites.windows.read_window`; `subset_site` trims it. Bands are resampled
    with SNAP's defaults, First and Nearest.

    Parameters
    ----------
    product : Product or Path
        An open product, or its folder or zip.
    site : Site
    options : MaskOptions
        What is masked.
    max_negative_fraction : float, optional
        Greatest accepted fraction of clear land with zero or negative reflectance; by default any.

    Returns
    -------
    image : Raster
        The bands of sites (`Sensor.site_bands`): uint16 DN as stored, nodata 0.
    mask : Raster
        uint8 values of `tigerbush.masks`.

    Raises
    ------
    TigerbushError
        When the product cannot be read, or too many of its reflectances are negative.
    """
    if isinstance(product, Path):
        product = open_product(product)
    grid, window = site_window(product, site, options.buffer)
    if window is None:
        return _without_pixels(
            product.name, "the product does not reach the site", grid, product.epsg, "outside"
        )
    bands = sensor_of(product.name.product).site_bands
    data = read_bands(product, bands, window)
    classes, name = product.read_mask(window, options)
    image = product_raster(product, bands, window, data)
    mask = _mask_raster(classes, image, {"TIGERBUSH_MASK": name or "none"})
    if max_negative_fraction is not None:
        check_reflectance(
            image,
            mask,
            lambda: product.read_land(window),
            limit=max_negative_fraction,
            enough=site.size**2,
            label=str(product.path),
        )
    return image, mask


def site_window(product: Product, site: Site, buffer: int = 0) -> tuple[Grid, Grid | None]:
    """Return the grid of a site on a product's lattice, and the extended window that is read.

    The window is None when the product does not reach the site.

    Parameters
    ----------
    product : Product
    site : Site
    buffer : int
        Width in pixels of the buffer around masked areas.
    """
    scene = scene_grid(product, site.resolution)
    grid = site_grid(site, origin=(scene.x, scene.y))
    inside = product.epsg == site.epsg
    return grid, read_window(grid, scene, max(product.grids), buffer) if inside else None


def subset_site(image: Raster, mask: Raster, site: Site) -> tuple[Raster, Raster]:
    """Trim the window that was read to the site, and pad with no-data where the product does not cover it.

    Parameters
    ----------
    image, mask : Raster
        From `resample_site`.
    site : Site
    """
    origin = (image.grid.x, image.grid.y)
    grid = site_grid(site, origin)
    return _on_grid(image, grid), _on_grid(mask, grid)


def site_placeholder(product: str, reason: str, site: Site) -> tuple[Raster, Raster]:
    """Return the placeholder of a failed product on the grid of a site."""
    return _without_pixels(parse_name(product), reason, site_grid(site), site.epsg)


def _without_pixels(
    name: ProductName, reason: str, grid: Grid, epsg: int, status: str = "failed"
) -> tuple[Raster, Raster]:
    image = placeholder_raster(name, reason, grid, epsg, sensor_of(name.product).site_bands, status)
    return image, _mask_raster(np.full(grid.shape, MASK_NODATA, np.uint8), image, {})


def _mask_raster(classes: np.ndarray, image: Raster, tags: dict[str, str]) -> Raster:
    return Raster(
        data=classes[None],
        grid=image.grid,
        epsg=image.epsg,
        bands=("mask",),
        nodata=MASK_NODATA,
        tags={
            **image.tags,
            **tags,
            "TIGERBUSH_MASK_VALUES": MEANING,
        },
    )


def _on_grid(raster: Raster, grid: Grid) -> Raster:
    """Crop or pad a raster to `grid`, which lies on the same lattice."""
    source = raster.grid
    column, row, _, _ = source.pixels(grid)
    data = np.full((len(raster.data), grid.height, grid.width), raster.nodata, raster.data.dtype)
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + grid.height, source.height), min(column + grid.width, source.width)
    if top < bottom and left < right:
        data[:, top - row : bottom - row, left - column : right - column] = raster.data[
            :, top:bottom, left:right
        ]
    return replace(raster, data=data, grid=grid)
