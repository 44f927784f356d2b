"""Write small, valid Sentinel-2 products in SAFE format, for simulated scenes and tests.

The products follow the Sentinel-2 Products Specification Document as far as their readers need it:
`tigerbush.sentinel2.safe`, GDAL's SENTINEL2 driver, and ESA SNAP, whose reader refuses a product without DATASTRIP/, or
without TILE_ID, angles of the sun and masks in MTD_TL.xml.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio

from tigerbush.grid import Grid
from tigerbush.product import ProductName
from tigerbush.sentinel2.names import BANDS, band_number, parse_name
from tigerbush.sentinel2.snap_masks import FLAGS, LOST
from tigerbush.sentinel2.writer_manifest import write_manifest
from tigerbush.sentinel2.writer_metadata import (
    CENTRE,
    ORBIT,
    Mask,
    cloud_polygons,
    datastrip_metadata,
    product_metadata,
    tile_metadata,
    write_xml,
)
from tigerbush.sentinel2.writer_scene import Scene

# resolutions in an image, the full one included, as ESA writes them; SNAP 15 reads no image with only one
LEVELS = 5
# factor of the overview of a small image
COARSE = 16
# one of the twelve detectors, where the scene gives none
DETECTOR = 7


def write_product(folder: Path, product: str, scene: Scene) -> Path:
    """Write a product.

    Parameters
    ----------
    folder : Path
        Folder in which the `.SAFE` folder is created.
    product : str
        Product name; its level determines the layout.
    scene : Scene

    Returns
    -------
    Path
        The `.SAFE` folder.

    Raises
    ------
    ValueError
        When the size of a band or mask is not that of its grid.
    """
    name = parse_name(product)
    safe = Path(folder) / f"{name.product}.SAFE"
    stamp = f"{name.sensing_time:%Y%m%dT%H%M%S}"
    granule = safe / "GRANULE" / f"{name.level}_T{name.tile}_A{ORBIT}_{stamp}"
    datastrip = safe / "DATASTRIP" / f"DS_{CENTRE}_{stamp}_S{stamp}"
    # a product has all four; SNAP's reader refuses one without DATASTRIP
    for subfolder in (granule / "IMG_DATA", granule / "QI_DATA", granule / "AUX_DATA", datastrip):
        subfolder.mkdir(parents=True, exist_ok=True)
    images = [
        _write_band(granule, name, stamp, scene, band, data).relative_to(safe).with_suffix("")
        for band, data in scene.bands.items()
    ]
    masks = [
        Mask(kind, path.relative_to(safe).as_posix(), band)
        for kind, path, band in _write_masks(granule, name, stamp, scene)
    ]
    write_xml(safe / f"MTD_MSI{name.level}.xml", product_metadata(name, scene, granule.name, images))
    write_xml(granule / "MTD_TL.xml", tile_metadata(name, scene, masks))
    write_xml(datastrip / "MTD_DS.xml", datastrip_metadata(name))
    write_manifest(safe, name)
    return safe


def _write_band(
    granule: Path, name: ProductName, stamp: str, scene: Scene, band: str, data: np.ndarray
) -> Path:
    resolution = BANDS[band]
    stem = f"T{name.tile}_{stamp}_{band_number(band)}"
    if name.level == "L2A":
        path = granule / "IMG_DATA" / f"R{resolution}m" / f"{stem}_{resolution}m.jp2"
    else:
        path = granule / "IMG_DATA" / f"{stem}.jp2"
    _write_jp2(path, np.asarray(data, np.uint16)[None], scene.grid(resolution), scene.epsg)
    return path


def _write_masks(
    granule: Path, name: ProductName, stamp: str, scene: Scene
) -> Iterator[tuple[str, Path, str | None]]:
    """Write the masks; yield type, path and band of those that MTD_TL.xml lists."""
    quality = granule / "QI_DATA"
    if name.baseline >= "04.00":
        for band in scene.bands:
            yield from _write_band_masks(quality, scene, band)
    if scene.classi is not None:
        path = quality / "MSK_CLASSI_B00.jp2"
        _write_jp2(path, np.asarray(scene.classi, np.uint8), scene.grid(60), scene.epsg)
        yield "MSK_CLASSI", path, None
    if scene.clouds is not None:
        path = quality / "MSK_CLOUDS_B00.gml"
        write_xml(path, cloud_polygons(scene))
        yield "MSK_CLOUDS", path, None
    if scene.scl is not None:
        path = granule / "IMG_DATA" / "R20m" / f"T{name.tile}_{stamp}_SCL_20m.jp2"
        _write_jp2(path, np.asarray(scene.scl, np.uint8)[None], scene.grid(20), scene.epsg)


def _write_band_masks(quality: Path, scene: Scene, band: str) -> Iterator[tuple[str, Path, str]]:
    """Write detector footprint and quality of a band; SNAP 14 reads no product with JP2 masks that lacks them."""
    grid = scene.grid(BANDS[band])
    footprint = scene.footprints.get(band)
    if footprint is None:
        footprint = np.where(np.asarray(scene.bands[band]) > 0, DETECTOR, 0)
    flags = np.zeros((FLAGS, *grid.shape), np.uint8)
    flags[LOST - 1] = scene.lost.get(band, 0)
    for kind, data in (("MSK_DETFOO", footprint[None]), ("MSK_QUALIT", flags)):
        path = quality / f"{kind}_{band_number(band)}.jp2"
        # the size of the position as GML would exceed that of the mask
        _write_jp2(path, data.astype(np.uint8), grid, scene.epsg, gmljp2="NO")
        yield kind, path, band


def _write_jp2(path: Path, data: np.ndarray, grid: Grid, epsg: int, **options: str) -> None:
    if data.shape[1:] != (grid.height, grid.width):
        raise ValueError(
            f"{path.name} has {data.shape[2]} x {data.shape[1]} pixels, expected {grid.width} x {grid.height}."
        )
    path.parent.mkdir(exist_ok=True)
    profile = {
        "driver": "JP2OpenJPEG",
        "width": grid.width,
        "height": grid.height,
        "count": len(data),
        "dtype": data.dtype.name,
        "crs": f"EPSG:{epsg}",
        "transform": grid.transform,
        "quality": 100,
        "reversible": "YES",
        "ycbcr420": "NO",
    }
    # as many as a small image allows
    levels = min(math.floor(math.log2(min(grid.shape))), LEVELS)
    if levels > 1:
        profile["resolutions"] = levels
    with rasterio.open(path, "w", **profile | options) as out:
        out.write(data)
    _write_overview(path, data, grid, profile["crs"])


def _write_overview(path: Path, data: np.ndarray, grid: Grid, crs: str) -> None:
    """Write an overview beside an image of which GDAL shows none, because it is small: SNAP 15 reads none without."""
    overview = path.with_name(f"{path.name}.ovr")
    overview.unlink(missing_ok=True)
    with rasterio.open(path) as image:
        if image.overviews(1):
            return
    coarse = data[:, ::COARSE, ::COARSE]
    count, height, width = coarse.shape
    profile = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": count,
        "dtype": coarse.dtype.name,
        "crs": crs,
        "transform": Grid(grid.x, grid.y, grid.resolution * COARSE, width, height).transform,
    }
    with rasterio.open(overview, "w", **profile) as out:
        out.write(coarse)
