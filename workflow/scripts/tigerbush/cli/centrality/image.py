"""One band of a PNG or a TIFF, or a matrix of numbers as text, and its valid pixels."""

import logging
import math
import warnings
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray

from tigerbush.errors import TigerbushError

# a whole tile at 10 m has 121 million; small compressed files can claim any number
PIXEL_LIMIT = 2**28
_PNG, _TIFF, _TEXT = {".png"}, {".tif", ".tiff"}, {".csv", ".tsv", ".txt"}


def read_image(path: Path, band: int | None = None) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Read one band of a PNG or TIFF, or a matrix of numbers.

    Parameters
    ----------
    path : Path
        Its suffix is the format.
    band : int, optional
        From 1. Without it, the first of a TIFF; a PNG must then be grey.

    Returns
    -------
    values : (h, w) array
        The stored numbers.
    valid : (h, w) array of bool
        Not nodata, not transparent, finite.

    Raises
    ------
    TigerbushError
        When the file is missing or is not such an image.
    """
    suffix = path.suffix.lower()
    if suffix not in _PNG | _TIFF | _TEXT:
        raise TigerbushError(
            f"{path} has none of the suffixes .png, .tif, .tiff, .csv, .tsv and .txt, which say how to read it; "
            "rename or convert it."
        )
    if suffix in _TEXT and band is not None:
        raise TigerbushError(f"{path} is a matrix without bands; omit --band.")
    try:
        if not path.is_file():
            raise TigerbushError(f"{path} is not a file; check the name of the image.")
        if suffix in _TEXT:
            values = _read_matrix(path)
            mask = np.ones(values.shape, dtype=bool)
        else:
            values, mask = (_read_png if suffix in _PNG else _read_tiff)(path, band)
    except OSError as error:
        raise TigerbushError(f"{path} cannot be read ({error.strerror or error}); check the file.") from error
    return values, mask & np.isfinite(values)


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > PIXEL_LIMIT:
        raise TigerbushError(
            f"{path} has {width} x {height} pixels, more than {PIXEL_LIMIT:,} in total; crop it first."
        )


def _check_band(path: Path, band: int, count: int) -> None:
    if not 1 <= band <= count:
        raise TigerbushError(f"{path} has {count} band(s), so --band must be 1 to {count}, not {band}.")


def _read_png(path: Path, band: int | None) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Read with OpenCV, which returns palettes as colours and, unlike GDAL, refuses truncated files."""
    content = path.read_bytes()
    _check_size(path, int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big"))
    try:
        image = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise TigerbushError(f"{path} cannot be read as a PNG image; it is damaged, or not a PNG.")
    image = np.atleast_3d(image)
    opaque = image[..., 3] > 0 if image.shape[2] == 4 else np.ones(image.shape[:2], dtype=bool)
    colours = image[..., 2::-1] if image.shape[2] > 1 else image
    if band is not None:
        _check_band(path, band, colours.shape[2])
        return colours[..., band - 1], opaque
    if (colours != colours[..., :1])[opaque].any():
        raise TigerbushError(
            f"{path} is a colour image, and only grey images have one value per pixel; convert it, or choose a "
            "channel with --band."
        )
    return colours[..., 0], opaque


def _read_tiff(path: Path, band: int | None) -> tuple[np.ndarray, NDArray[np.bool_]]:
    # errors of GDAL are reported by the sentences below, and an image need not be georeferenced
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    band = 1 if band is None else band
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            # an absolute path is never taken for a URL
            source = rasterio.open(path.absolute(), driver="GTiff")
        with source:
            _check_size(path, source.width, source.height)
            _check_band(path, band, source.count)
            values, mask = source.read(band), source.read_masks(band) > 0
            inverted = source.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
    except UnicodeEncodeError as error:
        raise TigerbushError(
            f"{path} has a name that GDAL cannot use, because it is not UTF-8; rename it."
        ) from error
    except rasterio.errors.RasterioError as error:
        raise TigerbushError(f"{path} cannot be read as a TIFF image ({error}).") from error
    if np.iscomplexobj(values):
        raise TigerbushError(f"{path} contains complex numbers, which have no order; convert it.")
    if inverted:
        # values and appearance disagree (ImageJ writes such masks), and either may be meant
        raise TigerbushError(
            f"{path} shows its lowest values as white (photometric interpretation WhiteIsZero); save it with "
            "black as zero."
        )
    return values, mask


def _read_matrix(path: Path) -> NDArray[np.float64]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise TigerbushError(f"{path} is not text in UTF-8; save it as plain text.") from error
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise TigerbushError(f"{path} is empty; it should contain a matrix of numbers.")
    used = set().union(*lines)
    separator = next((mark for mark in ";,\t" if mark in used), None)
    width = len(lines[0].split(separator))
    _check_size(path, width, len(lines))
    values = np.empty((len(lines), width))
    for row, line in enumerate(lines):
        cells = line.split(separator)
        if len(cells) != width:
            raise TigerbushError(
                f"{path}: line {row + 1} has {len(cells)} cells and line 1 has {width}; all lines of a matrix "
                "need the same number."
            )
        values[row] = [_number(path, row, column, cell) for column, cell in enumerate(cells)]
    if not width:
        raise TigerbushError(f"{path} is empty; it should contain a matrix of numbers.")
    return values


def _number(path: Path, row: int, column: int, cell: str) -> float:
    try:
        return float(cell) if cell and not cell.isspace() else math.nan
    except ValueError:
        raise TigerbushError(
            f"{path}: line {row + 1}, cell {column + 1} is {cell.strip()[:40]!r} instead of a number (with a "
            "decimal point), nan or nothing; correct it, and delete any header."
        ) from None
