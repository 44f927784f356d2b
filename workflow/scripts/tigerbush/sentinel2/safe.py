"""Sentinel-2 products in SAFE format, read from a folder or a zip.

Bands are read one by one from their own JP2 files and never through GDAL's SENTINEL2 driver, which
returns zeros, without an error, for a file that is missing.
"""

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
import rasterio

from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.jp2 import CHECKED, JP2_HEAD, JP2_TAIL, UNCHECKED, check_codestream, check_jp2
from tigerbush.jp2_header import DamagedError
from tigerbush.masks import DEFAULTS, MaskOptions
from tigerbush.placeholder import FAILED, ZIP_ERRORS
from tigerbush.product import NODATA, ProductName
from tigerbush.raster import CODESTREAM, GDAL_ERRORS, ONE_THREAD, does_not_decode, image_driver, read_part
from tigerbush.resample import halo, resample
from tigerbush.sentinel2.metadata import MAX_XML_BYTES, Metadata, Xml, read_metadata
from tigerbush.sentinel2.names import BANDS, parse_name
from tigerbush.sentinel2.stac_item import read_item
from tigerbush.stac import STAC_ITEM

_BAND_FILE = r"GRANULE/[^/]+/IMG_DATA/(?:R\d\dm/)?[^/]+_{}(?:_(?P<resolution>10|20|60)m)?\.(?:jp2|tif)"
_CLASSI = r"GRANULE/[^/]+/QI_DATA/MSK_CLASSI_B00\.(?:jp2|tif)"
_CLOUDS = r"GRANULE/[^/]+/QI_DATA/(?:[^/]*_)?MSK_CLOUDS_[^/]*B00[^/]*\.gml"
_SCL = r"GRANULE/[^/]+/IMG_DATA/R{0}m/[^/]+_SCL_{0}m\.(?:jp2|tif)"
# by level: files of masks, the better first, and their resolution in metres; polygons have none
_MASKS = {
    "L1C": [(_CLASSI, 60), (_CLOUDS, None)],
    "L2A": [(_SCL.format(resolution), resolution) for resolution in (20, 60)],
}


@dataclass(frozen=True)
class Product(Metadata):
    """An opened product: its metadata and its files.

    Attributes
    ----------
    path : Path
        The `.SAFE` folder or the zip that holds it.
    name : ProductName
    files : mapping of str to int
        Relative names and sizes in bytes.
    codestreams : dict of str to str
        Of each JPEG 2000 file that was read so far, whether its packets could be checked.
    """

    path: Path
    name: ProductName
    files: Mapping[str, int]
    codestreams: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def codestream(self) -> str | None:
        """Whether the packets of all JPEG 2000 files that were read could be checked; None without any such file."""
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
            When the product has no file for the band.
        """
        number = f"B{int(band[1:]):02d}" if band[1:].isdigit() else band
        found = _find(self.files, _BAND_FILE.format(re.escape(number)))
        if not found:
            raise TigerbushError(
                f"{self.path}: the file of band {band} is missing; fetch the product again, then run "
                "./tigerbush retry."
            )
        return min(
            ((name, int(match["resolution"] or BANDS[band])) for name, match in found), key=lambda x: x[1]
        )

    def find(self, pattern: str) -> str | None:
        """Return the first file whose relative name matches `pattern` as a whole, or None."""
        found = _find(self.files, pattern)
        return found[0][0] if found else None

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file of the product."""
        return _read_bytes(self.path, name)

    def reflectance(self, band: str) -> tuple[float, float]:
        """Return scale and offset of a band: reflectance = DN x scale + offset."""
        return 1 / self.quantification, self.offsets[band] / self.quantification

    def read_band(
        self, band: str, target: Grid, upsampling: str = "Nearest", downsampling: str = "First"
    ) -> np.ndarray:
        """Read a band on a target grid: only the window it needs, then resampled as SNAP does.

        Parameters
        ----------
        band : str
            B1 .. B12 or B8A.
        target : Grid
            The scene's target grid or a window of it.
        upsampling, downsampling : str
            Methods of `tigerbush.resample` for bands coarser and finer than the target.

        Returns
        -------
        (h, w) uint16 array
            DN as stored, nodata 0.

        Raises
        ------
        TigerbushError
            When the band's file is missing, truncated, of another size than the metadata say, or does
            not decode.
        """
        name, resolution = self.band_file(band)
        method = downsampling if target.resolution > resolution else upsampling
        data, source = read_window(self, name, self.grids[resolution], target, method)
        return resample(data[0], source, target, method, nodata=NODATA)

    def check_band(self, band: str, target: Grid | None = None) -> None:
        """Refuse a product whose file of a band is missing, cut short or damaged; it is not decoded.

        Parameters
        ----------
        band : str
        target : Grid, optional
            Only what touches it; without it the whole band.

        Raises
        ------
        TigerbushError
        """
        name, resolution = self.band_file(band)
        grid = self.grids[resolution]
        _check_whole(self, name)
        _check_tiles(self, name, grid.pixels(grid.covering(target, 0)) if target else None)

    def mask_file(self) -> tuple[str | None, int | None]:
        """Return the file of the cloud mask and its resolution in metres; None for polygons and for no mask."""
        for pattern, resolution in _MASKS[self.name.level]:
            if name := self.find(pattern):
                return name, resolution
        return None, None

    def read_mask(self, target: Grid, options: MaskOptions = DEFAULTS) -> tuple[np.ndarray, str | None]:
        """Read the cloud mask on a target grid; see `tigerbush.sentinel2.masks.read_mask`."""
        # which reads images as this module does
        from tigerbush.sentinel2.masks import read_mask

        return read_mask(self, target, options)


def _find(names: Mapping[str, int], pattern: str) -> list[tuple[str, re.Match]]:
    return [(name, match) for name in sorted(names) if (match := re.fullmatch(pattern, name))]


def product_name(path: Path) -> ProductName:
    """Return the product name that a `.SAFE` folder or a `.zip` of one carries."""
    return parse_name(path.name.removesuffix(".zip"))


def list_files(path: Path) -> dict[str, int]:
    """List a product's files relative to its `.SAFE` folder, with sizes in bytes.

    Names that would leave the folder (absolute, or with `..`) are left out.

    Raises
    ------
    TigerbushError
        When there is no such product, or the zip is damaged.
    OSError
        When a folder of it cannot be listed.
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
    """List the folders of a product relative to its `.SAFE` folder; of a zip those that have an entry of their own."""
    if path.is_dir():
        return sorted(
            (folder / name).relative_to(path).as_posix() for folder, names, _ in _walk(path) for name in names
        )
    prefix = f"{product_name(path).product}.SAFE/"
    with _zip(path) as archive:
        names = [name.removeprefix(prefix) for name in archive.namelist() if name.startswith(prefix)]
    return sorted({name.rstrip("/") for name in names if name.endswith("/") and _stays_inside(name)})


def _walk(path: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk through a folder; one that cannot be listed is an error, and not an empty one."""

    def refuse(error: OSError) -> None:
        raise error

    return ((Path(folder), folders, files) for folder, folders, files in os.walk(path, onerror=refuse))


def _stays_inside(name: str) -> bool:
    return ".." not in PurePosixPath(name).parts and not name.startswith("/")


def unpack_product(path: Path, folder: Path) -> Path:
    """Unpack a product's zip, empty folders too, and return its `.SAFE` folder; names that leave it are left out.

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
    """Open a zip; any damage that shows while it is read ends in a sentence."""
    if not path.exists():
        raise TigerbushError(
            f"{path}: there is no such product; restore it, or run ./tigerbush discover to refresh the table."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except ZIP_ERRORS as error:
        raise TigerbushError(
            f"{path} is not a readable zip ({error}); fetch it again, then run ./tigerbush retry."
        ) from error


@contextmanager
def _open(path: Path, name: str) -> Iterator[BinaryIO]:
    if path.is_dir():
        with (path / name).open("rb") as file:
            yield file
    else:
        with _zip(path) as archive, archive.open(f"{product_name(path).product}.SAFE/{name}") as file:
            yield file


def _read_bytes(path: Path, name: str) -> bytes:
    with _open(path, name) as file:
        return file.read()


def _gdal_path(path: Path, name: str) -> str:
    if path.is_dir():
        return str(path / name)
    # braces keep GDAL from looking for another archive inside the path
    return f"/vsizip/{{{path.absolute()}}}/{product_name(path).product}.SAFE/{name}"


def open_product(path: Path) -> Product:
    """Read the metadata of a product.

    Parameters
    ----------
    path : Path
        A `.SAFE` folder, or a zip (stored or compressed) with that folder inside. Its metadata are the XML files of
        the product, or the item of a STAC catalogue.

    Raises
    ------
    TigerbushError
        When a file or field is missing or malformed, in one sentence that names both.
    """
    path = Path(path)
    name = product_name(path)
    files = list_files(path)
    if STAC_ITEM in files:
        item = read_item(_read_bytes(path, STAC_ITEM), f"{path}/{STAC_ITEM}", name)
        return Product(path=path, name=name, files=files, **vars(item))
    product_xml = _metadata_xml(path, files, rf"MTD_MSI{name.level}\.xml")
    tile_xml = _metadata_xml(path, files, r"GRANULE/[^/]+/MTD_TL\.xml")
    return Product(path=path, name=name, files=files, **vars(read_metadata(product_xml, tile_xml, name)))


def _metadata_xml(path: Path, files: Mapping[str, int], pattern: str) -> Xml:
    found = _find(files, pattern)
    if len(found) != 1:
        expected = pattern.replace("\\", "").replace("[^/]+", "*")
        raise TigerbushError(
            f"{path} has {len(found)} files {expected}, expected one; fetch the product again, then run "
            "./tigerbush retry."
        )
    name, size = found[0][0], files[found[0][0]]
    if size > MAX_XML_BYTES:
        raise TigerbushError(f"{path}/{name} has {size} bytes, which no Sentinel-2 metadata file has.")
    return Xml(f"{path}/{name}", _read_bytes(path, name))


def read_window(
    product: Product, name: str, grid: Grid, target: Grid, method: str
) -> tuple[np.ndarray, Grid]:
    """Read the part of a JP2 file that `target` needs, with the halo of `method`.

    Returns
    -------
    data : (bands, h, w) array
    source : Grid
        The part of `grid` that was read; at least one pixel, also where `target` lies outside.
    """
    label = f"{product.path}/{name}"
    source = grid.covering(target, halo(method))
    _check_whole(product, name)
    try:
        path = _gdal_path(product.path, name)
        with rasterio.Env(**ONE_THREAD), rasterio.open(path, driver=image_driver(name)) as image:
            data = read_part(image, label, grid, source, "MTD_TL.xml")
            if found := image.tags().get(CODESTREAM):
                product.codestreams[name] = found
    except GDAL_ERRORS as error:
        raise does_not_decode(label, error) from error
    _check_tiles(product, name, grid.pixels(source))
    return data, source


def _check_whole(product: Product, name: str) -> None:
    if name.endswith(".jp2"):
        with _open(product.path, name) as file:
            head = file.read(JP2_HEAD)
            file.seek(max(product.files[name] - JP2_TAIL, 0))
            check_jp2(head, file.read(JP2_TAIL), f"{product.path}/{name}")


def _check_tiles(product: Product, name: str, window: tuple[int, int, int, int] | None) -> None:
    """Refuse a JP2 file that is damaged in a window of pixels; note whether its packets could be checked."""
    if not name.endswith(".jp2"):
        return
    with _open(product.path, name) as file:

        def read(position: int, length: int) -> bytes:
            file.seek(position)
            return file.read(length)

        try:
            found = check_codestream(read, product.files[name], window)
        except DamagedError as error:
            raise TigerbushError(
                f"{product.path}/{name} is damaged: {error}; fetch the product again, then run ./tigerbush retry."
            ) from error
    # of the strips of a scene one may be checked and another not
    product.codestreams[name] = UNCHECKED if product.codestreams.get(name) == UNCHECKED else found
