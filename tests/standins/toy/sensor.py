"""What distinguishes the toy sensor from others."""

import re
from datetime import datetime

from tigerbush.errors import TigerbushError
from tigerbush.product import ProductName, Sensor
from tigerbush.site import Place

PATTERN = r"TOY[0-9]_[0-9]{8}_[A-Z]"
EPSG = 32633
RESOLUTION = 50
# of products, by the letter of their tile
CORNERS = {"A": (465_000, 5_081_000), "B": (700_000, 5_081_000)}
PIXELS = 60
BANDS = dict.fromkeys(("green", "red", "infrared"), RESOLUTION)


def parse_name(name: str) -> ProductName:
    """Split a product name such as `TOY1_20170110_A`."""
    product = name.removesuffix(".toy")
    try:
        platform, day, tile = product.split("_")
        return ProductName(product, platform, "SR", datetime.strptime(day, "%Y%m%d"), tile, "1", 7)
    except ValueError:
        raise TigerbushError(f"{name[:120]!r} is not a product name of the toy.") from None


def role(name: str) -> tuple[str, str] | None:
    """Return the role and band of a file of a product."""
    roles = {f"{band}.tif": ("band", band) for band in BANDS}
    return (roles | {"about.json": ("metadata", ""), "quality.tif": ("mask", "")}).get(name)


def band_in(sentence: str) -> str:
    """Return the band that a message names."""
    match = re.search(r"band (green|red|infrared)", sentence)
    return match[1] if match else ""


def reaches(place: Place, tile: str) -> bool:
    """Return whether a tile covers a place; the toy sensor has tiles in the north of zone 33 only."""
    x, y = place.easting_northing
    west, north = CORNERS[tile]
    side = PIXELS * RESOLUTION
    return place.epsg == EPSG and west < x < west + side and north - side < y < north


SENSOR = Sensor(
    package=__package__,
    title="toy",
    pattern=PATTERN,
    form="TOY1_<day>_<tile>",
    suffix=".toy",
    short_form="TOYx_...toy",
    bands=BANDS,
    resolutions=(RESOLUTION,),
    site_bands=tuple(BANDS),
    size_file="about.json",
    saturated=30_000,
    tile_metres=PIXELS * RESOLUTION,
    block_metres={RESOLUTION: PIXELS * RESOLUTION},
    strip_metres=PIXELS * RESOLUTION,
    snap_folders=(),
    parse=parse_name,
    role=role,
    band_in=band_in,
    reaches=reaches,
    site_tiles=lambda longitude, latitude, region_size: {
        tile for tile in CORNERS if reaches(Place(longitude, latitude, region_size), tile)
    },
    epsg=lambda tile: EPSG,
)
