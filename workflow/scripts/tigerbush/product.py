"""Product names, and the description that each sensor gives of itself.

`tigerbush.sensors` finds the sensors, `tigerbush.readers` opens their products, `tigerbush.archives` knows where the
products are kept. This module is used in planning, so it imports nothing heavy.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tigerbush.site import Place

# DN of pixels that were not observed
NODATA = 0


@dataclass(frozen=True)
class ProductName:
    """The fields of a product name.

    Attributes
    ----------
    product : str
        The full name, without the suffix of its folder.
    platform, level, tile : str
        For example S2A, L1C, 33TVL.
    sensing_time : datetime
        Start of the datatake, UTC.
    baseline : str
        Processing baseline as written in the metadata, for example 05.00.
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
    """Everything that differs between sensors.

    Attributes
    ----------
    package : str
        Dotted name of the sensor's package; its module `reader` opens products, and `archive`, if there is one,
        describes how archives keep them.
    title : str
        Name of the sensor in messages.
    pattern : str
        Regular expression that matches a full product name, without groups.
    form : str
        Form of a product name, for messages.
    suffix : str
        Suffix of a product's folder.
    short_form : str
        Abbreviated name of that folder, for messages.
    bands : mapping of str to int
        All bands, with their native resolution in metres.
    resolutions : tuple of int
        Resolutions that images and scenes may have, in metres.
    site_bands : tuple of str
        Bands measured at sites, by wavelength: the last two are red and near infrared, the first three make the RGB
        image (blue, green, red; or green, red, near infrared for a sensor without blue).
    size_file : str
        Metadata file that states the size of the images, for messages.
    saturated : int
        DN of a saturated pixel.
    tile_metres : int
        Largest side of a product.
    block_metres : mapping of int to int
        Side of the square blocks in which images are compressed, by resolution, in metres.
    strip_metres : int
        Height of the strips in which whole products are read, from the upper edge, so that nothing is decoded twice.
    snap_folders : tuple of str
        Folders without which SNAP does not read a product.
    parse : callable
        Maps a product name to its ProductName; raises TigerbushError when it is not a product name.
    role : callable
        Maps the name of a file to its role (band, metadata or mask) and band; None when the file is not needed. A
        mask with a band is needed only with `scene.snap_masks`.
    band_in : callable
        Maps a message about a product to the band that it names; an empty string when it names none.
    reaches : callable
        Tells whether a tile reaches a Place.
    site_tiles : callable
        Maps longitude, latitude and region_size of a Place, and `zone` if it has one, to the names of the tiles that
        reach it.
    epsg : callable
        Maps the name of a tile to the EPSG code of its UTM zone.
    snap_masks : bool
        Whether the reader's `read_band` takes the keyword `snap_masks`: the products have masks that SNAP 14 uses.
    square : callable, optional
        Maps the name of a tile to its west, south, east and north, in metres of that zone; None if each tile counts as
        covering all of a site that it reaches.
    why_not_read : callable
        Maps a name that is not a product name to the reason why such products are not read, and what to do; None when
        the sensor does not know such names.
    provisional : tuple of str
        Baselines that any other one replaces.
    absent_bands : mapping of str to collection of str
        Per level, the bands that its products never have.
    top_of_atmosphere : tuple of str
        Levels whose reflectances are not corrected for the atmosphere.
    without_shadow : tuple of str
        Levels whose masks have no cloud shadows.
    tile_corners : callable or None
        Maps the name of a tile to its corners, longitude and latitude in degrees, in order around it, and a name that
        no tile has to None; longitudes of a tile on the antimeridian go on beyond 180 or -180. Without it the places
        of tiles are unknown.
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
    site_tiles: Callable[..., set[str]]
    epsg: Callable[[str], int]
    snap_masks: bool = False
    square: Callable[[str], tuple[float, float, float, float]] | None = None
    why_not_read: Callable[[str], str | None] = lambda name: None
    provisional: tuple[str, ...] = ()
    absent_bands: Mapping[str, Collection[str]] = field(default_factory=dict)
    top_of_atmosphere: tuple[str, ...] = ()
    without_shadow: tuple[str, ...] = ()
    tile_corners: Callable[[str], Sequence[tuple[float, float]] | None] | None = None
