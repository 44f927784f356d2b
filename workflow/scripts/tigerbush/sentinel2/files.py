"""The files of a Sentinel-2 product in SAFE format, in a folder or a zip."""

import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from tigerbush.errors import TigerbushError, one_sentence
from tigerbush.jp2 import CHECKED, UNCHECKED
from tigerbush.placeholder import FAILED, is_copy
from tigerbush.product import ProductName
from tigerbush.sensors import name_at
from tigerbush.sentinel2.names import BANDS, band_number
from tigerbush.sentinel2.packing import open_member, open_zip, walk_folder, zip_members

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
        return granules_of(self.files)[0]

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
                f"{self.path}: the file of band {band} is missing; restore it, then run ./tigerbush retry."
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


def granules_of(names: Mapping[str, int]) -> list[str]:
    """Return the folders of a product's granules, sorted."""
    return sorted({name.split("/")[1] for name in names if re.match("GRANULE/[^/]+/", name)})


def list_files(path: Path) -> dict[str, int]:
    """List a product's files: names relative to its own folder, and sizes in bytes.

    Names that lead out of the folder (absolute, or with `..`) are skipped, and those that begin with a dot.

    Raises
    ------
    TigerbushError
        When the product does not exist, or its zip is damaged.
    OSError
        When one of its folders cannot be listed.
    """
    if path.is_dir():
        files = {name: file.stat().st_size for name, file in walk_folder(path) if file.is_file()}
        return dict(sorted(files.items(), key=lambda item: item[0].split("/")))
    with open_zip(path) as archive:
        if is_copy(path) and FAILED in archive.namelist():
            raise TigerbushError(_reason(archive))
        members = zip_members(archive, path)
    return {name: entry.file_size for name, entry in members.items() if not name.endswith("/")}


def stored_checksums(path: Path) -> dict[str, str]:
    """Return the CRC-32 that a product's zip states of each file, in hexadecimal digits; nothing for a folder.

    Raises
    ------
    TigerbushError
        When the zip is damaged.
    """
    if path.is_dir():
        return {}
    with open_zip(path) as archive:
        return {name: f"{entry.CRC:08x}" for name, entry in zip_members(archive, path).items()}


def _reason(archive: zipfile.ZipFile) -> str:
    """Return why a download failed."""
    with archive.open(FAILED) as file:
        return one_sentence(file.read(4000).decode(errors="replace"))


def list_folders(path: Path) -> list[str]:
    """List the folders of a product, relative to its own; of a zip, the folders stored as entries."""
    if path.is_dir():
        return sorted(name for name, folder in walk_folder(path) if folder.is_dir())
    with open_zip(path) as archive:
        return sorted(name.rstrip("/") for name in zip_members(archive, path) if name.endswith("/"))


def unpack_product(path: Path, folder: Path) -> Path:
    """Unpack a product's zip, including empty folders, and return its `.SAFE` folder.

    Entries whose path leads out of that folder are skipped.

    Raises
    ------
    TigerbushError
        When the zip is damaged.
    """
    safe = folder / f"{name_at(path).product}.SAFE"
    with open_zip(path) as archive:
        for name, entry in zip_members(archive, path).items():
            if name.endswith("/"):
                (safe / name).mkdir(parents=True, exist_ok=True)
                continue
            (safe / name).parent.mkdir(parents=True, exist_ok=True)
            with open_member(archive, entry, f"{path}/{name}") as source, (safe / name).open("wb") as target:
                shutil.copyfileobj(source, target)
    return safe


@contextmanager
def open_file(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file of a product by its relative name."""
    if path.is_dir():
        with (path / name).open("rb") as file:
            yield file
    else:
        with (
            open_zip(path) as archive,
            open_member(archive, zip_members(archive, path)[name], f"{path}/{name}") as file,
        ):
            yield file


def read_bytes(path: Path, name: str) -> bytes:
    """Return the content of a file of a product."""
    with open_file(path, name) as file:
        return file.read()


def gdal_path(path: Path, name: str) -> str:
    """Return the path by which GDAL opens a file of a product."""
    if path.is_dir():
        return str(path / name)
    with open_zip(path) as archive:
        member = zip_members(archive, path)[name].filename
    # as GDAL names it, which reads backslashes as slashes
    member = member.replace("\\", "/").removeprefix("./")
    # the braces keep GDAL from taking another part of the path for an archive
    return f"/vsizip/{{{path.absolute()}}}/{member}"
