"""What differs between Sentinel-2 and other sensors (`tigerbush.sensors`)."""

import math

from tigerbush.product import Sensor
from tigerbush.sentinel2.names import BANDS, FORM, PATTERN, SITE_BANDS, TILE_METRES, parse_name, role
from tigerbush.sentinel2.tiles import reaches, site_tiles, tile_epsg

SENSOR = Sensor(
    package=__package__,
    title="Sentinel-2",
    pattern=PATTERN,
    form=FORM,
    suffix=".SAFE",
    bands=BANDS,
    site_bands=SITE_BANDS,
    size_file="MTD_TL.xml",
    saturated=65535,
    tile_metres=TILE_METRES,
    # the JPEG 2000 tiles of the 10 m and the 20 m bands (1024 and 640 pixels) both end there
    strip_metres=math.lcm(1024 * 10, 640 * 20),
    parse=parse_name,
    role=role,
    reaches=reaches,
    site_tiles=site_tiles,
    epsg=tile_epsg,
)
