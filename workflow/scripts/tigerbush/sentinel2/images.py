"""Read and check windows of the images of a Sentinel-2 product.

Images are read one by one, and never through GDAL's SENTINEL2 driver, which returns zeros for a missing file without an
error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import rasterio

from tigerbush.errors import LEAVE_OUT, TigerbushError
from tigerbush.grid import Grid
from tigerbush.jp2 import JP2_HEAD, JP2_TAIL, UNCHECKED, check_codestream, check_jp2
from tigerbush.jp2_header import DamagedError, Read
from tigerbush.raster import (
    CODESTREAM,
    GDAL_ERRORS,
    ONE_THREAD,
    check_geotiff,
    decode_error,
    image_driver,
    read_part,
)
from tigerbush.resample import halo
from tigerbush.sentinel2.files import Safe, gdal_path, open_file
from tigerbush.sentinel2.names import role

# of all bands of a pixel, not compressed; and of headers and metadata
_MAX_PIXEL_BYTES, _MAX_HEADER_BYTES = 8, 2**20


def read_window(
    product: Safe, name: str, grid: Grid, target: Grid, method: str, layer: int | None = None
) -> tuple[np.ndarray, Grid]:
    """Read the window of an image that `target` needs, with the halo of `method`: all its bands, or one of them.

    Returns
    -------
    data : (bands, h, w) array
    source : Grid
        The window of `grid` that was read; at least one pixel, even when `target` lies outside.
    """
    label = f"{product.path}/{name}"
    source = grid.covering(target, halo(method))
    check_whole(product, name, grid)
    with _contents(product, name) as contents:
        if contents:
            # decoding and checking need the same tiles
            contents = cache(contents[0]), contents[1]
        try:
            path = gdal_path(product.path, name)
            with rasterio.Env(**ONE_THREAD), rasterio.open(path, driver=image_driver(name)) as image:
                check_geotiff(image, label, grid, product.epsg, band=role(name)[0] == "band")
                if layer is not None and layer > image.count:
                    raise TigerbushError(
                        f"{label} has {image.count} bands, expected at least {layer}; set scene.snap_masks: false."
                    )
                layers = None if layer is None else [layer]
                data = read_part(image, label, grid, source, "MTD_TL.xml", layers, contents)
                if codestream := image.tags().get(CODESTREAM):
                    product.codestreams[name] = codestream
        except GDAL_ERRORS as error:
            raise decode_error(label, error) from error
        _check_contents(product, name, grid.pixels(source), contents)
    return data, source


def check_whole(product: Safe, name: str, grid: Grid) -> None:
    """Refuse a file that is larger than an image on a grid can be, and a JP2 file whose start or end is missing."""
    size, largest = product.files[name], grid.width * grid.height * _MAX_PIXEL_BYTES + _MAX_HEADER_BYTES
    if size > largest:
        raise TigerbushError(
            f"{product.path}/{name} has {size} bytes, more than an image of {grid.width} x {grid.height} pixels can "
            f"have; {LEAVE_OUT}."
        )
    if name.endswith(".jp2"):
        with open_file(product.path, name) as file:
            head = file.read(JP2_HEAD)
            file.seek(max(product.files[name] - JP2_TAIL, 0))
            check_jp2(head, file.read(JP2_TAIL), f"{product.path}/{name}")


def check_tiles(product: Safe, name: str, window: tuple[int, int, int, int] | None) -> None:
    """Refuse a JP2 file that is damaged within a window of pixels; record whether its packets could be checked."""
    with _contents(product, name) as contents:
        _check_contents(product, name, window, contents)


@contextmanager
def _contents(product: Safe, name: str) -> Iterator[tuple[Read, int] | None]:
    """Open a JP2 file to read parts of it."""
    if not name.endswith(".jp2"):
        yield None
        return
    with open_file(product.path, name) as file:

        def read(position: int, length: int) -> bytes:
            file.seek(position)
            return file.read(length)

        yield read, product.files[name]


def _check_contents(
    product: Safe,
    name: str,
    window: tuple[int, int, int, int] | None,
    contents: tuple[Read, int] | None,
) -> None:
    if contents is None:
        return
    try:
        codestream = check_codestream(*contents, window)
    except DamagedError as error:
        raise TigerbushError(
            f"{product.path}/{name} is damaged: {error}; restore it from an intact copy, then run ./tigerbush retry."
        ) from error
    # a scene is read in strips, some of which may be checked and others not
    product.codestreams[name] = UNCHECKED if product.codestreams.get(name) == UNCHECKED else codestream
