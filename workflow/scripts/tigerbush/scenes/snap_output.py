"""Rewrite the GeoTIFF that SNAP writes as one of the workflow."""

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError

import numpy as np
import rasterio
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from rasterio.io import DatasetReader
from rasterio.windows import Window

from tigerbush.errors import EngineError, TigerbushError
from tigerbush.grid import Grid
from tigerbush.raster import GDAL_ERRORS, write_strips
from tigerbush.readers import Product
from tigerbush.scenes.scene import product_raster

# SNAP's private tag: the header of its own format, BEAM-DIMAP, with the band names in order
DIMAP_TAG = 65000
# rows read at once
_ROWS = 1024


def rewrite_output(plain: Path, target: Path, product: Product, bands: Sequence[str]) -> None:
    """Write bands of SNAP's GeoTIFF in the same form as `tigerbush.scenes.scene.write_scene`.

    SNAP 14 and later adds the masks on which valid pixels depend (B_detector_footprint_B2, B_nodata_B2); they are
    dropped, so that the file is the same with every engine.

    Parameters
    ----------
    plain : Path
        SNAP's output: stored DN, without band names, scale or nodata value that GDAL could read.
    target : Path
        GeoTIFF: uint16 DN (nodata 0) with scale and offset to reflectance.
    product : Product
        The product, for scale, offset and coordinate reference system.
    bands : sequence of str

    Raises
    ------
    TigerbushError
        When the file lacks a band, or contains values that are not DN.
    EngineError
        When the file is truncated.
    """
    names = band_names(plain)
    try:
        with rasterio.open(plain) as image:
            missing = [band for band in bands if band not in names]
            if missing or image.count != len(names):
                contradiction = f"without {', '.join(missing)}" if missing else f"but names {len(names)}"
                raise TigerbushError(
                    f"{product.path}: SNAP wrote {image.count} bands ({', '.join(names)}), {contradiction}; check "
                    "scene.bands."
                )
            grid = Grid.from_transform(image.transform, image.width, image.height)
            empty = np.empty((len(bands), 0, 0), np.uint16)
            like = product_raster(product, bands, grid, empty)
            write_strips(target, like, _strips(image, grid, [names.index(band) + 1 for band in bands]))
    except GDAL_ERRORS as error:
        raise TigerbushError(
            f"{product.path}: the output of SNAP cannot be read ({error}); run again."
        ) from error


def _strips(
    image: DatasetReader, grid: Grid, numbers: Sequence[int]
) -> Iterator[tuple[Grid, int, np.ndarray]]:
    for row in range(0, grid.height, _ROWS):
        height = min(_ROWS, grid.height - row)
        try:
            data = image.read(list(numbers), window=Window(0, row, grid.width, height))
        except GDAL_ERRORS as error:
            raise EngineError(
                f"{image.name}: SNAP did not write the whole file ({error}); run again."
            ) from error
        dn = data.astype(np.uint16)
        if not np.array_equal(dn, data):
            raise TigerbushError(
                f"{image.name}: SNAP wrote {data.dtype} values that are not DN; set scene.engine: rasterio."
            )
        yield grid.crop(0, row, grid.width, height), 0, dn


def band_names(path: Path) -> list[str]:
    """Return the band names of a GeoTIFF written by SNAP.

    Raises
    ------
    TigerbushError
        When it is not a classic TIFF with SNAP's header.
    """
    try:
        root = fromstring(_tag(path, DIMAP_TAG), forbid_dtd=True)
        bands = [
            (int(band.findtext("BAND_INDEX")), band.findtext("BAND_NAME"))
            for band in root.iter("Spectral_Band_Info")
        ]
    except (OSError, struct.error, ValueError, TypeError, ParseError, DefusedXmlException) as error:
        raise TigerbushError(f"{path} is not a GeoTIFF written by SNAP ({error}); run again.") from error
    return [str(name) for _, name in sorted(bands)]


def _tag(path: Path, wanted: int) -> bytes:
    """Return the content of a text tag in the first directory of a classic TIFF (TIFF 6.0, section 2)."""
    with path.open("rb") as file:
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(file.read(4))
        if order is None:
            raise ValueError("it is not a classic TIFF")

        def read(layout: str) -> tuple:
            return struct.unpack(order + layout, file.read(struct.calcsize(order + layout)))

        file.seek(*read("I"))
        entries = [read("HHII") for _ in range(*read("H"))]
        size = os.fstat(file.fileno()).st_size
        for tag, _, count, offset in entries:
            if tag == wanted and count > 4 and offset + count <= size:
                file.seek(offset)
                return file.read(count).rstrip(b"\0")
    raise ValueError(f"it has no tag {wanted}")
