"""The names of products of all sensors, and what a sensor has to say of its own.

`tigerbush.sensors` finds the sensors, `tigerbush.readers` opens their products, `tigerbush.archives` knows where they
are kept. Planning reads this, so it imports nothing heavy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tigerbush.site import Place

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


@dataclass(frozen=True, eq=False)
class Sensor:
    """What differs between sensors.

    Attributes
    ----------
    package : str
        Its folder of the library, as Python names it; the module `reader` there opens products, and `archive`, where
        there is one, tells how archives keep them.
    title : str
        As users call it.
    pattern : str
        Regular expression of a whole product name, without groups.
    form : str
        The same for people.
    suffix : str
        Of a product's folder.
    short_form : str
        The name of that folder, abbreviated, for people.
    bands : mapping of str to int
        All bands, with their resolution in metres.
    resolutions : tuple of int
        That images and scenes may have, in metres.
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
    band_in : callable
        From a sentence about a product to the band that it names; an empty string when it names none.
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
    short_form: str
    bands: Mapping[str, int]
    resolutions: tuple[int, ...]
    site_bands: tuple[str, ...]
    size_file: str
    saturated: int
    tile_metres: int
    block_metres: Mapping[int, int]
    strip_metres: int
    snap_folders: tuple[str, ...]
    parse: Callable[[str], ProductName]
    role: Callable[[str], tuple[str, str] | None]
    band_in: Callable[[str], str]
    reaches: Callable[[Place, str], bool]
    site_tiles: Callable[[float, float, float], set[str]]
    epsg: Callable[[str], int]
