"""The files of a Sentinel-2 product in SAFE format, in a folder or a zip."""

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tigerbush.errors import TigerbushError
from tigerbush.jp2 import CHECKED, UNCHECKED
from tigerbush.placeholder import FAILED, ZIP_ERRORS
from tigerbush.product import ProductName
from tigerbush.sentinel2.names import BANDS, band_number, parse_name

_BAND_FILE = r"GRANULE/[^/]+/IMG_DATA/(?:R\d\dm/)?[^/]+_{}(?:_(?P<resolution>10|20|60)m)?\.(?:jp2|tif)"
_CLASSI = r"GRANULE/[^/]+/QI_DATA/MSK_CLASSI_B00\.(?:jp2|tif)"
_CLOUDS = r"GRANULE/[^/]+/QI_DATA/(?:[^/]*_)?MSK_CLOUDS_[^/]*B00[^/]*\.gml"
_SCL = r"GRANULE/[^/]+/IMG_DATA/R{0}m/[^/]+_SCL_{0}m\.(?:jp2|tif)"
# by level: the mask files in order of preference, and their resolution in metres; None for polygons
_MASKS = {
    "L1C": [(_CLASSI, 60), (_CLOUDS, None)],
    "L2A": [(_SCL.format(resolution), resolution) for resolution in (20, 60)],
}


@dataclass(frozen=True)
class Safe:
    """The files of a product.

    Attributes
    ----------
    path : Path
        The `.SAFE` folder or its zip.
    name : ProductName
    files : mapping of str to int
        Relative names and sizes in bytes.
    codestreams : dict of str to str
        For each JPEG 2000 file read so far, whether its packets could be checked.
    """

    path: Path
    name: ProductName
    files: Mapping[str, int]
    codestreams: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def codestream(self) -> str | None:
        """Whether the packets of all JPEG 2000 files read so far could be checked; None without such files."""
        if not self.codestreams:
            return None
        return CHECKED if set(self.codestreams.values()) == {CHECKED} else UNCHECKED

    @cached_property
    def granule(self) -> str:
        """Name of the granule folder."""
        return next(name.split("/")[1] for name in self.files if name.startswith("GRANULE/"))

    def band_file(self, band: str) -> tuple[str, int]:
        """Return the file of a band at its finest resolution, and that resolution in metres.

        Raises
        ------
        TigerbushError
            When the product has no file of the band.
        """
        matches = find_files(self.files, _BAND_FILE.format(re.escape(band_number(band))))
        if not matches:
            raise TigerbushError(
                f"{self.path}: the file of band {band} is missing; fetch the product again, then run "
                "./tigerbush retry."
            )
        return min(
            ((name, int(match["resolution"] or BANDS[band])) for name, match in matches), key=lambda x: x[1]
        )

    def find(self, pattern: str) -> str | None:
        """Return the first file whose full relative name matches `pattern`, or None."""
        matches = find_files(self.files, pattern)
        return matches[0][0] if matches else None

    def read_bytes(self, name: str) -> bytes:
        """Return the content of one of the product's files."""
        return read_bytes(self.path, name)

    def mask_file(self) -> tuple[str | None, int | None]:
        """Return the file of the mask and its resolution in metres: None for polygons, and two None without a mask."""
        for pattern, resolution in _MASKS[self.name.level]:
            if name := self.find(pattern):
                return name, resolution
        return None, None


def find_files(names: Mapping[str, int], pattern: str) -> list[tuple[str, re.Match]]:
    """Return the names that fully match a pattern, and their matches, sorted by name."""
    return [(name, match) for name in sorted(names) if (match := re.fullmatch(pattern, name))]


def product_name(path: Path) -> ProductName:
    """Return the product name of a `.SAFE` folder or its `.zip`."""
    return parse_name(path.name.removesuffix(".zip"))


def list_files(path: Path) -> dict[str, int]:
    """List a product's files: names relative to its `.SAFE` folder, and sizes in bytes.

    Names that lead out of the folder (absolute, or with `..`) are skipped.

    Raises
    ------
    TigerbushError
        When the product does not exist, or its zip is damaged.
    OSError
        When one of its folders cannot be listed.
    """
    if path.is_dir():
        return {
            file.relative_to(path).as_posix(): file.stat().st_size
            for file in sorted(folder / name for folder, _, names in _walk(path) for name in names)
            if file.is_file()
        }
    prefix = f"{product_name(path).product}.SAFE/"
    with _zip(path) as archive:
        if FAILED in archive.namelist():
            raise TigerbushError(archive.read(FAILED).decode())
        return {
            entry.filename.removeprefix(prefix): entry.file_size
            for entry in archive.infolist()
            if entry.filename.startswith(prefix)
            and not entry.is_dir()
            and _stays_inside(entry.filename.removeprefix(prefix))
        }


def list_folders(path: Path) -> list[str]:
    """List the folders of a product, relative to its `.SAFE` folder; of a zip, the folders stored as entries."""
    if path.is_dir():
        return sorted(
            (folder / name).relative_to(path).as_posix() for folder, names, _ in _walk(path) for name in names
        )
    prefix = f"{product_name(path).product}.SAFE/"
    with _zip(path) as archive:
        names = [name.removeprefix(prefix) for name in archive.namelist() if name.startswith(prefix)]
    return sorted({name.rstrip("/") for name in names if name.endswith("/") and _stays_inside(name)})


def _walk(path: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk a folder tree; a folder that cannot be listed raises an error, and does not count as empty."""

    def reraise(error: OSError) -> None:
        raise error

    return ((Path(folder), folders, files) for folder, folders, files in os.walk(path, onerror=reraise))


def _stays_inside(name: str) -> bool:
    return ".." not in PurePosixPath(name).parts and not name.startswith("/")


def unpack_product(path: Path, folder: Path) -> Path:
    """Unpack a product's zip, including empty folders, and return its `.SAFE` folder.

    Entries whose path leads out of that folder are skipped.

    Raises
    ------
    TigerbushError
        When the zip is damaged.
    """
    safe = f"{product_name(path).product}.SAFE"
    with _zip(path) as archive:
        for name in archive.namelist():
            if name.startswith(f"{safe}/") and _stays_inside(name.removeprefix(f"{safe}/")):
                archive.extract(name, folder)
    return folder / safe


@contextmanager
def _zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip; damage found while it is read raises TigerbushError."""
    if not path.exists():
        raise TigerbushError(
            f"{path} does not exist; restore the product, or run ./tigerbush discover to refresh the table."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except ZIP_ERRORS as error:
        raise TigerbushError(
            f"{path} is not a readable zip file ({error}); fetch it again, then run ./tigerbush retry."
        ) from error


@contextmanager
def open_file(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file of a product by its relative name."""
    if path.is_dir():
        with (path / name).open("rb") as file:
            yield file
    else:
        with _zip(path) as archive, archive.open(f"{product_name(path).product}.SAFE/{name}") as file:
            yield file


def read_bytes(path: Path, name: str) -> bytes:
    """Return the content of a file of a product."""
    with open_file(path, name) as file:
        return file.read()


def gdal_path(path: Path, name: str) -> str:
    """Return the path by which GDAL opens a file of a product."""
    if path.is_dir():
        return str(path / name)
    # the braces keep GDAL from taking another part of the path for an archive
    return f"/vsizip/{{{path.absolute()}}}/{product_name(path).product}.SAFE/{name}"
