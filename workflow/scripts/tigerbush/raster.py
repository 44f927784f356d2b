"""Read and write the workflow's GeoTIFFs: cloud-optimised, with metadata, complete or absent."""

import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.windows import Window

from tigerbush.errors import LEAVE_OUT, TigerbushError, one_sentence
from tigerbush.files import atomic_write, write_error
from tigerbush.grid import Grid
from tigerbush.jp2_header import Read
from tigerbush.jp2_window import decode_window

# by default GDAL's block cache takes 5 % of the machine's memory
CACHE_BYTES = 64_000_000
COG_OPTIONS = {
    "compress": "DEFLATE",
    "level": 1,  # a third of the time of the default level, for files 13 % larger
    "predictor": "YES",
}
BLOCK = 512
# With more threads the JP2 driver ignores errors in one of them, such as damage or a lack of memory: the pixels are
# then undefined, without an error.
ONE_THREAD = {"GDAL_NUM_THREADS": "1"}
# what rasterio raises; the second one escapes it when GDAL fails late
GDAL_ERRORS = (rasterio.errors.RasterioError, CPLE_BaseError)
# dataset tags of all files made from a single product
PRODUCT = "TIGERBUSH_PRODUCT"
STATUS = "TIGERBUSH_STATUS"
REASON = "TIGERBUSH_REASON"
# whether the packets of the product's JPEG 2000 files could be checked (`tigerbush.jp2`)
CODESTREAM = "TIGERBUSH_CODESTREAM"
# tag of a composite: the products used, and why others were not (JSON)
LINEAGE = "TIGERBUSH_LINEAGE"


@dataclass(frozen=True)
class Raster:
    """A stack of bands on one grid.

    Attributes
    ----------
    data : (bands, h, w) array
    grid : Grid
    epsg : int
        EPSG code of the coordinate reference system.
    bands : tuple of str
        Names of the bands, written as band descriptions.
    nodata : float
        Value of pixels without data.
    scale, offset : tuple of float
        Per band: physical value = data * scale + offset.
    units : tuple of str
        Per band, unit of the physical value.
    tags : mapping of str to str
        Dataset tags (status, reason, lineage).
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


def image_driver(name: str) -> str:
    """Return GDAL's driver for an image of a product, from its suffix, `.jp2` or `.tif`.

    GDAL would choose by content, and some drivers (VRT) read any file or URL that the content names.
    """
    return "JP2OpenJPEG" if name.endswith(".jp2") else "GTiff"


def write_raster(target: Path, raster: Raster) -> None:
    """Write a cloud-optimised GeoTIFF (deflate, internal overviews), completely or not at all."""
    write_strips(target, raster, [(raster.grid, 0, raster.data)])


def write_strips(target: Path, like: Raster, strips: Iterable[tuple[Grid, int, np.ndarray]]) -> None:
    """Write a cloud-optimised GeoTIFF strip by strip, so that the image need not fit into memory.

    Parameters
    ----------
    target : Path
        Written completely or not at all, also when `strips` raises.
    like : Raster
        Describes the file; of its data, only the type and the number of bands are used.
    strips : iterable of (Grid, int, (bands, h, w) array)
        Grid of the strip, which spans the full width of `like.grid`; index of the first band, from 0; pixels.
    """
    profile = {
        "driver": "GTiff",
        "dtype": like.data.dtype.name,
        "count": len(like.data),
        "height": like.grid.height,
        "width": like.grid.width,
        "crs": f"EPSG:{like.epsg}",
        "transform": like.grid.transform,
        "nodata": like.nodata,
        "interleave": "band",
        "bigtiff": "IF_SAFER",
    }
    with (
        atomic_write(target) as cog,
        tempfile.NamedTemporaryFile(
            prefix=f".{target.stem[:40]}.", suffix=".tif", dir=target.parent
        ) as plain,
        rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES),
    ):
        try:
            with rasterio.open(plain.name, "w", **profile) as out:
                _fill(out, like, strips)
            # Built before the copy, which would otherwise compress them twice. Nearest keeps classes and DN unchanged.
            with rasterio.open(plain.name, "r+") as out:
                out.build_overviews(_overviews(max(out.shape)), Resampling.nearest)
            rasterio.shutil.copy(plain.name, cog, driver="COG", **COG_OPTIONS)
            # GDAL does not report that the last block did not fit on the disk
            with rasterio.open(cog) as written:
                written.read(window=Window(written.width - 1, written.height - 1, 1, 1))
        except (*GDAL_ERRORS, SystemError) as error:
            raise write_error(target, error) from error


def _fill(out: DatasetWriter, like: Raster, strips: Iterable[tuple[Grid, int, np.ndarray]]) -> None:
    for grid, first, data in strips:
        row = round((like.grid.y - grid.y) / grid.resolution)
        bands = list(range(first + 1, first + 1 + len(data)))
        out.write(data, bands, window=Window(0, row, grid.width, grid.height))
    out.descriptions = like.bands
    if like.scale:
        out.scales = like.scale
        out.offsets = like.offset
    if like.units:
        out.units = like.units
    out.update_tags(**like.tags)


def _overviews(side: int) -> list[int]:
    """Return the reduction factors, up to that of an overview that fits into one block."""
    return [2**level for level in range(1, max(math.ceil(math.log2(side / BLOCK)), 0) + 1)]


def read_raster(path: Path) -> Raster:
    """Read a GeoTIFF that `write_raster` wrote.

    Raises
    ------
    TigerbushError
        When the file is not a readable GeoTIFF.
    """
    try:
        with rasterio.open(path) as source:
            return Raster(
                data=source.read(),
                grid=Grid.from_transform(source.transform, source.width, source.height),
                epsg=source.crs.to_epsg(),
                bands=source.descriptions,
                nodata=source.nodata,
                scale=source.scales,
                offset=source.offsets,
                units=source.units,
                tags=source.tags(),
            )
    except GDAL_ERRORS as error:
        # of a file in a zip, this names the zip first
        name = str(path).removeprefix("/vsizip/")
        raise TigerbushError(f"{name} cannot be read ({error}); delete it and run again.") from error


def read_tags(path: Path) -> Mapping[str, str]:
    """Read only the dataset tags of a GeoTIFF."""
    with rasterio.open(path) as source:
        return source.tags()


def read_part(
    image: DatasetReader,
    label: str,
    grid: Grid,
    source: Grid,
    size_file: str,
    layers: Sequence[int] | None = None,
    contents: tuple[Read, int] | None = None,
) -> np.ndarray:
    """Read the window `source` of an image on `grid`; a GeoTIFF may cover only a part of `grid`.

    Parameters
    ----------
    image : rasterio.io.DatasetReader
    label : str
        Name of the image in messages.
    grid, source : Grid
    size_file : str
        The metadata file that states the size of the image, for messages.
    layers : sequence of int, optional
        Bands of the image to read, from 1; by default all.
    contents : (read, size), optional
        Of a JPEG 2000 file, from which no more than the window is decoded; without it, GDAL decodes whole tiles.

    Returns
    -------
    (bands, h, w) array

    Raises
    ------
    TigerbushError
        When the size of the image is not that of `grid`, or the image does not contain `source`.
    """
    image_grid = grid
    if image.driver == "GTiff":
        image_grid = Grid.from_transform(image.transform, image.width, image.height)
    elif (image.width, image.height) != (grid.width, grid.height):
        raise TigerbushError(
            f"{label} has {image.width} x {image.height} pixels, but {size_file} states {grid.width} x {grid.height}; "
            f"{LEAVE_OUT}."
        )
    column = (source.x - image_grid.x) / grid.resolution
    row = (image_grid.y - source.y) / grid.resolution
    inside = 0 <= column <= image_grid.width - source.width and 0 <= row <= image_grid.height - source.height
    if image_grid.resolution != grid.resolution or not inside or column % 1 or row % 1:
        raise TigerbushError(f"{label} does not contain the window needed; {LEAVE_OUT}.")
    window = int(column), int(row), source.width, source.height
    if contents and (decoded := decode_window(*contents, window)) is not None:
        return decoded if layers is None else decoded[[layer - 1 for layer in layers]]
    return image.read(layers, window=Window(*window))


def check_geotiff(image: DatasetReader, label: str, grid: Grid, epsg: int, *, band: bool) -> None:
    """Refuse a GeoTIFF that is not the image of a product that it is listed as.

    Parameters
    ----------
    image : rasterio.io.DatasetReader
        Other formats are not checked: their products have metadata of their own.
    label : str
        Name of the image in messages.
    grid : Grid
        The grid of the whole image.
    epsg : int
        EPSG code of the product. A part of the grid, such as windows fetched earlier, may have none.
    band : bool
        Whether it is a band, uint16 and alone in its file, or a mask.

    Raises
    ------
    TigerbushError
    """
    if image.driver != "GTiff":
        return
    place, crs = image.transform, image.crs
    part = image.shape != grid.shape
    types = {"uint16"} if band else {"uint8", "uint16"}
    problem = None
    if not set(image.dtypes) <= types:
        problem = f"is of type {image.dtypes[0]}, expected {' or '.join(sorted(types))}"
    elif band and image.count != 1:
        problem = f"has {image.count} bands, expected 1"
    elif place.b or place.d or place.a <= 0 or place.a != -place.e:
        problem = "is rotated, not north-up or not of square pixels"
    elif not (crs is None and part) and (crs is None or crs.to_epsg() != epsg):
        found = "no coordinate reference system" if crs is None else f"EPSG:{crs.to_epsg()}"
        problem = f"has {found}, expected EPSG:{epsg}"
    elif image.nodata not in (None, 0):
        problem = f"has the nodata value {image.nodata:g}, expected 0 or none"
    if problem:
        raise TigerbushError(
            f"{label} {problem}; another file than the product's was listed under this name: correct the item of the "
            "product, or remove the product."
        )


def decode_error(label: str, error: Exception) -> TigerbushError:
    """Return the exception for an image that GDAL cannot decode."""
    reason = one_sentence(str(error), 300)
    return TigerbushError(
        f"{label} cannot be decoded ({reason}); restore it from an intact copy, then run ./tigerbush retry."
    )
