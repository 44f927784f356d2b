"""GeoTIFFs as the workflow writes and reads them: cloud-optimised, described, whole or not there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio

from tigerbush.errors import TigerbushError
from tigerbush.files import replacing
from tigerbush.resample import Grid

# data set tags of everything that was made from one product
PRODUCT = "TIGERBUSH_PRODUCT"
STATUS = "TIGERBUSH_STATUS"
REASON = "TIGERBUSH_REASON"
# tag of a composite: which products were used, and why others were not (JSON)
LINEAGE = "TIGERBUSH_LINEAGE"


@dataclass(frozen=True)
class Raster:
    """A stack of bands on one grid.

    Attributes
    ----------
    data : (bands, h, w) array
    grid : Grid
    epsg : int
        Code of the coordinate reference system.
    bands : tuple of str
        Names, written as band descriptions.
    nodata : float
        Value of pixels without data.
    scale, offset : tuple of float
        Per band: physical value = data * scale + offset.
    units : tuple of str
        Per band, of the physical value.
    tags : mapping of str to str
        Data set tags (status, reason, lineage).
    """

    data: np.ndarray
    grid: Grid
    epsg: int
    bands: tuple[str, ...]
    nodata: float
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def band(self, name: str) -> np.ndarray:
        """Return the (h, w) array of the band `name`."""
        return self.data[self.bands.index(name)]


def transform_of(grid: Grid) -> rasterio.Affine:
    """Return the affine transform of `grid` (pixel corner to metres)."""
    return rasterio.Affine(grid.resolution, 0, grid.x, 0, -grid.resolution, grid.y)


def write_raster(target: Path, raster: Raster) -> None:
    """Write a cloud-optimised GeoTIFF (deflate, internal overviews), whole or not at all."""
    count, height, width = raster.data.shape
    profile = {
        "driver": "COG",
        "dtype": raster.data.dtype.name,
        "count": count,
        "height": height,
        "width": width,
        "crs": f"EPSG:{raster.epsg}",
        "transform": transform_of(raster.grid),
        "nodata": raster.nodata,
        "compress": "DEFLATE",
        "predictor": "YES",
        # overviews repeat pixels of the level below, so that classes and DN stay what they are
        "overview_resampling": "NEAREST",
    }
    with replacing(target) as temporary, rasterio.open(temporary, "w", **profile) as out:
        out.write(raster.data)
        out.descriptions = raster.bands
        if raster.scale:
            out.scales = raster.scale
            out.offsets = raster.offset
        if raster.units:
            out.units = raster.units
        out.update_tags(**raster.tags)


def read_raster(path: Path) -> Raster:
    """Read a GeoTIFF that `write_raster` wrote.

    Raises
    ------
    TigerbushError
        When the file is not a readable GeoTIFF.
    """
    try:
        with rasterio.open(path) as source:
            transform = source.transform
            return Raster(
                data=source.read(),
                grid=Grid(transform.c, transform.f, transform.a, source.width, source.height),
                epsg=source.crs.to_epsg(),
                bands=source.descriptions,
                nodata=source.nodata,
                scale=source.scales,
                offset=source.offsets,
                units=source.units,
                tags=source.tags(),
            )
    except rasterio.errors.RasterioIOError as error:
        raise TigerbushError(f"{path} cannot be read ({error}); delete it and run again.") from error


def read_tags(path: Path) -> Mapping[str, str]:
    """Read only the data set tags of a GeoTIFF."""
    with rasterio.open(path) as source:
        return source.tags()
