"""The description of Sentinel-2 (`tigerbush.sensors`)."""

import math

from tigerbush.product import Sensor
from tigerbush.sentinel2.names import (
    ABSENT_BANDS,
    BANDS,
    FORM,
    PATTERN,
    PROVISIONAL,
    SITE_BANDS,
    TILE_METRES,
    band_in,
    parse_name,
    role,
    why_not_read,
)
from tigerbush.sentinel2.tiles import reaches, site_tiles, tile_corners, tile_epsg, tile_square

BLOCK_METRES = {10: 10_240, 20: 12_800, 60: 11_520}

SENSOR = Sensor(
    package=__package__,
    title="Sentinel-2",
    pattern=PATTERN,
    form=FORM,
    suffix=".SAFE",
    short_form="S2x_MSILxx_...SAFE",
    bands=BANDS,
    resolutions=(10, 20, 60),
    site_bands=SITE_BANDS,
    size_file="MTD_TL.xml",
    saturated=65535,
    tile_metres=TILE_METRES,
    # JPEG 2000 tiles of 1024, 640 and 192 pixels
    block_metres=BLOCK_METRES,
    # blocks of the 10 m and of the 20 m bands both end there
    strip_metres=math.lcm(BLOCK_METRES[10], BLOCK_METRES[20]),
    snap_folders=("DATASTRIP", "GRANULE"),
    parse=parse_name,
    role=role,
    band_in=band_in,
    reaches=reaches,
    site_tiles=site_tiles,
    epsg=tile_epsg,
    snap_masks=True,
    square=tile_square,
    why_not_read=why_not_read,
    provisional=PROVISIONAL,
    absent_bands=ABSENT_BANDS,
    top_of_atmosphere=("L1C",),
    without_shadow=("L1C",),
    tile_corners=tile_corners,
)
