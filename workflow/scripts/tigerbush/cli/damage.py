"""Find results that were cut, emptied or otherwise damaged after they were finished."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import rasterio

from tigerbush.bundle import ZIP_ERRORS
from tigerbush.errors import one_sentence, raise_machine_fault
from tigerbush.files import parse_json
from tigerbush.raster import GDAL_ERRORS

_PNG_START = b"\x89PNG\r\n\x1a\n"


def damaged_results(results: Path) -> dict[Path, str]:
    """Open every result, and return those that are damaged, with the reasons.

    All blocks of GeoTIFFs are read, JSON is parsed, PNGs and zips are read against their checksums; of other files the
    end is looked for.

    Parameters
    ----------
    results : Path
        The results folder; it is not changed.

    Raises
    ------
    MachineError
        When the machine prevents results from being read.
    """
    damaged = {}
    for path in sorted(results.rglob("*")):
        check = _CHECKS.get(path.suffix)
        if check is None or path.name.startswith(".") or not path.is_file():
            continue
        try:
            if path.stat().st_size == 0:
                raise ValueError("it is empty")
            check(path)
        except (*GDAL_ERRORS, *ZIP_ERRORS, ValueError, RecursionError, OSError) as error:
            raise_machine_fault(error)
            damaged[path] = one_sentence(str(error) or type(error).__name__, 200)
    return damaged


def _check_image(path: Path) -> None:
    with rasterio.open(path, driver="GTiff") as image:
        levels = range(len(image.overviews(1)))
    for options in ({}, *({"overview_level": level} for level in levels)):
        with rasterio.open(path, driver="GTiff", **options) as image:
            for _, window in image.block_windows(1):
                image.read(window=window)


def _check_json(path: Path) -> None:
    parse_json(path.read_bytes())


def _check_png(path: Path) -> None:
    """Read a PNG against the checksums of its chunks and of its pixels."""
    content, position, kind, pixels = path.read_bytes(), len(_PNG_START), b"", []
    if not content.startswith(_PNG_START):
        raise ValueError("it is no PNG")
    while kind != b"IEND":
        if len(content) < position + 12:
            raise ValueError("it is cut off")
        length, kind = struct.unpack_from(">I4s", content, position)
        chunk, checksum = content[position + 4 : position + 8 + length], content[position + 8 + length :][:4]
        if checksum != zlib.crc32(chunk).to_bytes(4, "big"):
            raise ValueError("it is cut off or damaged")
        pixels += [chunk[4:]] * (kind == b"IDAT")
        position += 12 + length
    zlib.decompress(b"".join(pixels))


def _check_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if (name := archive.testzip()) is not None:
            raise ValueError(f"{name} in it is damaged")


def _check_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if "\0" in text or not text.endswith("\n"):
        raise ValueError("it is cut off")


def _check_page(path: Path) -> None:
    """Look for the end of a page or a drawing."""
    if not path.read_text(encoding="utf-8").rstrip().endswith(f"</{path.suffix[1:]}>"):
        raise ValueError("it is cut off")


def _check_webp(path: Path) -> None:
    content = path.read_bytes()
    if content[:4] != b"RIFF" or int.from_bytes(content[4:8], "little") + 8 != len(content):
        raise ValueError("it is cut off")


def _check_parquet(path: Path) -> None:
    content = path.read_bytes()
    if not (content.startswith(b"PAR1") and content.endswith(b"PAR1")):
        raise ValueError("it is cut off")


_CHECKS: dict[str, Callable[[Path], None]] = {
    ".tif": _check_image,
    ".json": _check_json,
    ".geojson": _check_json,
    ".png": _check_png,
    ".zip": _check_zip,
    ".tsv": _check_text,
    ".csv": _check_text,
    ".txt": _check_text,
    ".html": _check_page,
    ".svg": _check_page,
    ".webp": _check_webp,
    ".parquet": _check_parquet,
}
