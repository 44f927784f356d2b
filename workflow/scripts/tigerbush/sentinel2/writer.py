"""Write small, valid Sentinel-2 products in SAFE format, for simulated scenes and tests.

The products follow the Sentinel-2 Products Specification Document as far as readers need it:
GDAL's SENTINEL2 driver and `tigerbush.sentinel2.safe` can open them.
"""

from pathlib import Path

import numpy as np
import rasterio

from tigerbush.grid import Grid
from tigerbush.product import ProductName
from tigerbush.sentinel2.names import BANDS, parse_name
from tigerbush.sentinel2.writer_manifest import write_manifest
from tigerbush.sentinel2.writer_metadata import cloud_polygons, product_metadata, tile_metadata, write_xml
from tigerbush.sentinel2.writer_scene import Scene


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
    granule = safe / "GRANULE" / f"{name.level}_T{name.tile}_A000001_{stamp}"
    # a product has all four; SNAP's reader refuses one without DATASTRIP
    for subfolder in (granule / "IMG_DATA", granule / "QI_DATA", granule / "AUX_DATA", safe / "DATASTRIP"):
        subfolder.mkdir(parents=True, exist_ok=True)
    images = [
        _write_band(granule, name, stamp, scene, band, data).relative_to(safe).with_suffix("")
        for band, data in scene.bands.items()
    ]
    _write_masks(granule, name, stamp, scene)
    write_xml(safe / f"MTD_MSI{name.level}.xml", product_metadata(name, scene, granule.name, images))
    write_xml(granule / "MTD_TL.xml", tile_metadata(name, scene))
    write_manifest(safe, name)
    return safe


def _write_band(
    granule: Path, name: ProductName, stamp: str, scene: Scene, band: str, data: np.ndarray
) -> Path:
    number = f"B{int(band[1:]):02d}" if band[1:].isdigit() else band
    resolution = BANDS[band]
    stem = f"T{name.tile}_{stamp}_{number}"
    if name.level == "L2A":
        path = granule / "IMG_DATA" / f"R{resolution}m" / f"{stem}_{resolution}m.jp2"
    else:
        path = granule / "IMG_DATA" / f"{stem}.jp2"
    _write_jp2(path, np.asarray(data, np.uint16)[None], scene.grid(resolution), scene.epsg)
    return path


def _write_masks(granule: Path, name: ProductName, stamp: str, scene: Scene) -> None:
    if scene.classi is not None:
        path = granule / "QI_DATA" / "MSK_CLASSI_B00.jp2"
        _write_jp2(path, np.asarray(scene.classi, np.uint8), scene.grid(60), scene.epsg)
    if scene.clouds is not None:
        write_xml(granule / "QI_DATA" / "MSK_CLOUDS_B00.gml", cloud_polygons(scene))
    if scene.scl is not None:
        path = granule / "IMG_DATA" / "R20m" / f"T{name.tile}_{stamp}_SCL_20m.jp2"
        _write_jp2(path, np.asarray(scene.scl, np.uint8)[None], scene.grid(20), scene.epsg)


def _write_jp2(path: Path, data: np.ndarray, grid: Grid, epsg: int) -> None:
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
    with rasterio.open(path, "w", **profile) as out:
        out.write(data)
