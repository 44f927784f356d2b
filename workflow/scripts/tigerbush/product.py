"""What the products of all sensors have in common, and what a sensor has to say of its own.

`tigerbush.sensors` finds the sensors, `tigerbush.readers` opens their products. Planning reads this, so it imports
nothing heavy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tigerbush.site import Place

if TYPE_CHECKING:
    import numpy as np

    from tigerbush.grid import Grid
    from tigerbush.masks import MaskOptions


# DN of what was not seen
NODATA = 0


@dataclass(frozen=True)
class ProductName:
    """The fields of a product name.

    Attributes
    ----------
    product : str
        The whole name, without the suffix of its folder.
    platform, level, tile : str
        For example S2A, L1C, 33TVL.
    sensing_time : datetime
        Start of the data take, UTC.
    baseline : str
        Processing baseline as in the metadata, for example 05.00.
    relative_orbit : int
    """

    product: str
    platform: str
    level: str
    sensing_time: datetime
    tile: str
    baseline: str
    relative_orbit: int


class Product(Protocol):
    """An opened product, a frozen dataclass.

    Attributes
    ----------
    path : Path
        The folder or zip that it lies in.
    name : ProductName
    files : mapping of str to int
        Names relative to the product, and sizes in bytes.
    granule : str
        Name of a part within it; empty where products have none.
    cloud_percent : float or None
    epsg : int
        UTM zone.
    grids : mapping of int to Grid
        The product's grid per resolution in metres; all have one upper-left corner.
    codestream : str or None
        Whether the packets of all JPEG 2000 files that were read could be checked; None without any such file.
    """

    path: Path
    name: ProductName
    files: Mapping[str, int]
    granule: str
    cloud_percent: float | None
    epsg: int
    grids: "Mapping[int, Grid]"
    codestream: str | None

    def reflectance(self, band: str) -> tuple[float, float]:
        """Return scale and offset of a band: reflectance = DN x scale + offset."""

    def check_band(self, band: str, target: "Grid | None" = None) -> None:
        """Refuse a product whose file of a band is missing or damaged (where it touches `target`), undecoded."""

    def read_band(
        self, band: str, target: "Grid", upsampling: str = "Nearest", downsampling: str = "First"
    ) -> "np.ndarray":
        """Return the DN of a band as stored, uint16 with nodata 0, on a window of the product's target grid."""

    def read_mask(self, target: "Grid", options: "MaskOptions") -> "tuple[np.ndarray, str | None]":
        """Return the values of `tigerbush.masks` on a grid (UNKNOWN without a mask), and the file they came from."""

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file of the product."""

    def band_file(self, band: str) -> tuple[str, int]:
        """Return the file of a band at its finest resolution, and that resolution in metres."""

    def mask_file(self) -> tuple[str | None, int | None]:
        """Return the file of the mask and its resolution in metres; None for a file that is no image, and for none."""


@dataclass(frozen=True, eq=False)
class Sensor:
    """What differs between sensors.

    Attributes
    ----------
    package : str
        Its folder of the library, as Python names it; the module `reader` there opens products.
    title : str
        As users call it.
    pattern : str
        Regular expression of a whole product name, without groups.
    form : str
        The same for people.
    suffix : str
        Of a product's folder.
    bands : mapping of str to int
        All bands, with their resolution in metres.
    site_bands : tuple of str
        The bands that sites are measured with, by wavelength: red and near infrared are the last two, the first three
        make the picture (blue, green, red; or green, red, near infrared where there is no blue).
    size_file : str
        The file of metadata that says how large images are, for sentences.
    saturated : int
        DN that stands for too much light.
    tile_metres : int
        Largest side of a product.
    block_metres : mapping of int to int
        Side of the squares that images are compressed in, by resolution, in metres.
    strip_metres : int
        Whole products are read in strips of so many metres from the upper edge, so that nothing is decoded twice.
    snap_folders : tuple of str
        Without which SNAP does not read a product.
    parse : callable
        From a product name to its ProductName; TigerbushError when the name is none.
    role : callable
        From the name of a file to its role (band, metadata or mask) and band; None when it is not needed.
    reaches : callable
        Whether a tile reaches a Place.
    site_tiles : callable
        From longitude, latitude and region_size of a Place to the names of the tiles that reach it.
    epsg : callable
        From the name of a tile to its UTM zone.
    """

    package: str
    title: str
    pattern: str
    form: str
    suffix: str
    bands: Mapping[str, int]
    site_bands: tuple[str, ...]
    size_file: str
    saturated: int
    tile_metres: int
    block_metres: Mapping[int, int]
    strip_metres: int
    snap_folders: tuple[str, ...]
    parse: Callable[[str], ProductName]
    role: Callable[[str], tuple[str, str] | None]
    reaches: Callable[[Place, str], bool]
    site_tiles: Callable[[float, float, float], set[str]]
    epsg: Callable[[str], int]
