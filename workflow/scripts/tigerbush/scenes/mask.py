"""The cloud mask of a whole product, on the grid of its scene."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tigerbush.grid import Grid
from tigerbush.masks import DEFAULTS, MASK_NODATA, MEANING, MaskOptions
from tigerbush.placeholder import placeholder_on_failure, product_tags, raise_if_scene_has_pixels
from tigerbush.product import ProductName
from tigerbush.raster import Raster, write_raster
from tigerbush.readers import open_product
from tigerbush.scenes.scene import OUTSIDE, codestream_tag, scene_grid, scene_region
from tigerbush.sensors import parse_name, sensor_of
from tigerbush.verification import verify_product


@dataclass(frozen=True)
class SceneMaskOptions:
    """How the cloud mask of a scene is made.

    Attributes
    ----------
    resolution, region, geo_region
        The grid of the scene, as in `tigerbush.scenes.scene.SceneOptions`.
    masks : MaskOptions
        What is masked.
    """

    resolution: int
    region: tuple[int, int, int, int] | None = None
    geo_region: str | None = None
    masks: MaskOptions = DEFAULTS

    @classmethod
    def of(cls, parameters: Mapping[str, Mapping]) -> "SceneMaskOptions":
        """Return the options of a rule (`tigerbush.planning.fingerprints.mask_parameters`)."""
        return cls(**parameters["grid"], masks=MaskOptions(**parameters["masks"]))


def mask_raster(
    classes: np.ndarray, grid: Grid, epsg: int, tags: Mapping[str, str], name: str | None = None
) -> Raster:
    """Return a cloud mask with the meaning of its values in the tags.

    Parameters
    ----------
    classes : (h, w) uint8 array
        Values of `tigerbush.masks`: 0 clear, 1 masked, 2 unknown; 255 is nodata.
    grid : Grid
    epsg : int
    tags : mapping of str to str
        Those of the product.
    name : str, optional
        The file that the mask was read from.
    """
    return Raster(
        data=classes[None],
        grid=grid,
        epsg=epsg,
        bands=("mask",),
        nodata=MASK_NODATA,
        tags={**tags, "TIGERBUSH_MASK": name or "none", "TIGERBUSH_MASK_VALUES": MEANING},
    )


def write_mask(path: Path, target: Path, options: SceneMaskOptions) -> None:
    """Write the cloud mask of a whole product on the grid of its scene.

    Parameters
    ----------
    path : Path
        Product folder or zip.
    target : Path
        GeoTIFF: uint8 values of `tigerbush.masks`; all unknown for a product without a mask.
    options : SceneMaskOptions

    Raises
    ------
    TigerbushError
        When the mask cannot be read; nothing is written to `target` then.
    KeptError
        When the product does not reach the region, and `target` has pixels.
    """
    product = open_product(path)
    whole = scene_grid(product, options.resolution)
    grid = scene_region(whole, product.epsg, options.region, options.geo_region)
    if grid is None:
        raise_if_scene_has_pixels(target, OUTSIDE)
        write_raster(target, _one_pixel(product.name, OUTSIDE, options.resolution, "outside"))
        return
    # clouds beside the region are dilated into it
    window = whole.covering(grid, options.masks.buffer)
    classes, name = product.read_mask(window, options.masks)
    column, row, width, height = window.pixels(grid)
    classes = classes[row : row + height, column : column + width]
    tags = product_tags(product.name, "ok", "") | codestream_tag(product)
    write_raster(target, mask_raster(classes, grid, product.epsg, tags, name))


def make_mask(
    path: Path,
    target: Path,
    product: str,
    options: SceneMaskOptions,
    *,
    last_attempt: bool,
    records: Path | None = None,
) -> None:
    """Write a product's cloud mask, or a placeholder when it fails (`tigerbush.placeholder`).

    Parameters
    ----------
    path, target, options
        As in `write_mask`.
    product : str
        Name of the product, for the placeholder.
    last_attempt : bool
        Whether an error that may be temporary counts as permanent.
    records : Path, optional
        Verify the product first, and keep the record of it in this folder (`tigerbush.verification`).

    Raises
    ------
    OSError
        An error that may be temporary, before the last attempt.
    MachineError, MemoryError, ImportError
        When the machine is to blame.
    KeptError
        When the product fails but `target` is finished.
    """

    def placeholder(reason: str) -> None:
        write_raster(target, _one_pixel(parse_name(product), reason, options.resolution, "failed"))

    def work() -> None:
        if records is not None:
            verify_product(path, (), records)
        write_mask(path, target, options)

    placeholder_on_failure(work, placeholder, last_attempt, source=path, result=target)


def _one_pixel(name: ProductName, reason: str, resolution: int, status: str) -> Raster:
    epsg = sensor_of(name.product).epsg(name.tile)
    nothing = np.full((1, 1), MASK_NODATA, np.uint8)
    return mask_raster(nothing, Grid(0, 0, resolution, 1, 1), epsg, product_tags(name, status, reason))
