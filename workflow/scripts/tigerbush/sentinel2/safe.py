"""Sentinel-2 products in SAFE format: their metadata, bands and mask."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tigerbush.errors import TigerbushError, one_sentence
from tigerbush.grid import Grid
from tigerbush.masks import DEFAULTS, MaskOptions
from tigerbush.product import NODATA, ProductName
from tigerbush.resample import resample
from tigerbush.sensors import name_at
from tigerbush.sentinel2.files import Safe, find_files, granules_of, list_files, read_bytes
from tigerbush.sentinel2.images import check_tiles, check_whole, read_window
from tigerbush.sentinel2.masks import read_land, read_mask
from tigerbush.sentinel2.metadata import MAX_XML_BYTES, Metadata, Xml, granules_in, read_metadata
from tigerbush.sentinel2.snap_masks import read_valid
from tigerbush.sentinel2.stac_item import read_item
from tigerbush.stac import STAC_ITEM

log = logging.getLogger(__name__)

# methods that copy pixels: one that is not valid is 0 anyway
COPYING = ("First", "Nearest")


@dataclass(frozen=True)
class Product(Safe, Metadata):
    """An open product with its files and metadata; implements `tigerbush.readers.Product`."""

    def reflectance(self, band: str) -> tuple[float, float]:
        """Return scale and offset of a band: reflectance = DN x scale + offset."""
        return 1 / self.quantification, self.offsets[band] / self.quantification

    def read_band(
        self,
        band: str,
        target: Grid,
        upsampling: str = "Nearest",
        downsampling: str = "First",
        snap_masks: bool = False,
    ) -> np.ndarray:
        """Read the window of a band that a target grid needs, and resample it as SNAP does.

        Parameters
        ----------
        band : str
            B1 .. B12 or B8A.
        target : Grid
            The scene's target grid, or a window of it.
        upsampling, downsampling : str
            Methods of `tigerbush.resample`, for bands coarser and finer than the target.
        snap_masks : bool
            Whether the pixels of a band that is resampled are valid by its masks, as for SNAP 14 and later
            (`tigerbush.sentinel2.snap_masks`), and not by a DN above 0, as for SNAP up to 13.

        Returns
        -------
        (h, w) uint16 array
            DN as stored, nodata 0.

        Raises
        ------
        TigerbushError
            When the band's file is missing or truncated, has a size other than the metadata state, or
            cannot be decoded.
        """
        name, resolution = self.band_file(band)
        method = downsampling if target.resolution > resolution else upsampling
        data, source = read_window(self, name, self.grids[resolution], target, method)
        valid = None
        if snap_masks and target.resolution != resolution:
            valid = read_valid(self, band, source)
        if valid is None and method not in COPYING:
            valid = data[0] > NODATA
        return resample(data[0], source, target, method, nodata=NODATA, valid=valid)

    def check_band(self, band: str, target: Grid | None = None) -> None:
        """Refuse a product when the file of a band is missing, truncated or damaged; nothing is decoded.

        Parameters
        ----------
        band : str
        target : Grid, optional
            The part of the band to check; by default the whole band.

        Raises
        ------
        TigerbushError
        """
        name, resolution = self.band_file(band)
        grid = self.grids[resolution]
        check_whole(self, name, grid)
        check_tiles(self, name, grid.pixels(grid.covering(target, 0)) if target else None)

    def read_mask(self, target: Grid, options: MaskOptions = DEFAULTS) -> tuple[np.ndarray, str | None]:
        """Read the cloud mask on a target grid; see `tigerbush.sentinel2.masks.read_mask`."""
        return read_mask(self, target, options)

    def read_land(self, target: Grid) -> np.ndarray | None:
        """Read what SCL classifies as land; see `tigerbush.sentinel2.masks.read_land`."""
        return read_land(self, target)


def open_product(path: Path) -> Product:
    """Open a product and read its metadata.

    Parameters
    ----------
    path : Path
        A product's folder, or a zip (stored or compressed) of its files. The metadata are those in the product's XML
        files, or in a STAC item.

    Raises
    ------
    TigerbushError
        When a file or field is missing or malformed; the message names both.
    """
    path = Path(path)
    name = name_at(path)
    files = list_files(path)
    if STAC_ITEM in files:
        item = read_item(read_bytes(path, STAC_ITEM), f"{path}/{STAC_ITEM}", name)
        return Product(path=path, name=name, files=files, **vars(item))
    product_xml = _metadata_xml(path, files, rf"MTD_MSI{name.level}\.xml")
    files = _of_one_granule(path, name, files, product_xml)
    tile_xml = _metadata_xml(path, files, r"GRANULE/[^/]+/MTD_TL\.xml")
    return Product(path=path, name=name, files=files, **vars(read_metadata(product_xml, tile_xml, name)))


def _of_one_granule(path: Path, name: ProductName, files: dict[str, int], xml: Xml) -> dict[str, int]:
    """Leave out the files of granules of other tiles, and of those that the product's metadata do not name."""
    granules = granules_of(files)
    if len(granules) < 2:
        return files
    of_tile = [granule for granule in granules if f"_T{name.tile}" in granule]
    # processed twice into one folder, or unpacked over another version of the product
    named = [granule for granule in of_tile if granule in granules_in(xml)]
    if len(own := named or of_tile) != 1:
        raise TigerbushError(
            f"{path} has {len(own)} granules of tile {name.tile} ({', '.join((own or granules)[:5])}), and "
            f"{xml.label.rpartition('/')[2]} does not tell which one is the product's; move the others away, then run "
            "./tigerbush retry."
        )
    log.warning("%s has %d granules; %s is read", one_sentence(path), len(granules), own[0])
    others = tuple(f"GRANULE/{granule}/" for granule in granules if granule != own[0])
    return {file: size for file, size in files.items() if not file.startswith(others)}


def _metadata_xml(path: Path, files: Mapping[str, int], pattern: str) -> Xml:
    names = [name for name, _ in find_files(files, pattern)]
    if len(names) != 1:
        expected = pattern.replace("\\", "").replace("[^/]+", "*")
        raise TigerbushError(
            f"{path} has {len(names)} files {expected}, expected one; restore the product, then run ./tigerbush retry."
        )
    name, size = names[0], files[names[0]]
    if size > MAX_XML_BYTES:
        raise TigerbushError(f"{path}/{name} has {size} bytes, more than any Sentinel-2 metadata file.")
    return Xml(f"{path}/{name}", read_bytes(path, name))
