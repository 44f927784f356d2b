"""How archives keep Sentinel-2 products (`tigerbush.archives`).

EODATA keeps whole products. The buckets sentinel-s2-l1c and -l2a on AWS keep files by tile, below `tiles/33/T/VL/`.
These files and the assets of STAC items are given their names in SAFE layout.
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from tigerbush.archives import Archive, Level, TileLayout
from tigerbush.product import ProductName
from tigerbush.sentinel2.metadata import MAX_XML_BYTES, read_cloud_percent
from tigerbush.sentinel2.names import BANDS, band_number
from tigerbush.sentinel2.sensor import SENSOR
from tigerbush.sentinel2.stac_item import PRODUCT_FIELD, band_of, item_content, product_of, resolution_of

# of those in Earth Search, the reprocessed one comes first
_COLLECTIONS = {"L1C": ("sentinel-2-l1c",), "L2A": ("sentinel-2-c1-l2a", "sentinel-2-l2a")}
_TILE_KEY = re.compile(
    r"(?P<folder>.*?[0-9]{1,2}/[C-X]/[A-Z]{2}/(?P<year>[0-9]{4})/(?P<month>[0-9]{1,2})/(?P<day>[0-9]{1,2})"
    r"/[0-9]{1,3})/(?P<file>.+)"
)
_TILE_BAND = re.compile(r"(?:(R[126]0m)/)?(B[0-9][0-9A]|SCL)\.jp2")
_TILE_MASK = re.compile(r"qi/(?:MSK_)?(?:(CLASSI|CLOUDS)_B00\.(jp2|gml)|(DETFOO|QUALIT)_(B[0-9][0-9A])\.jp2)")


def granule(name: ProductName) -> str:
    """Return the name of the granule folder of a product whose files are not stored in SAFE layout."""
    return f"{name.level}_T{name.tile}"


def granule_of(file: str) -> str:
    """Return the granule of a file in SAFE layout; an empty string when it is in none."""
    return file.split("/")[1] if file.startswith("GRANULE/") else ""


def tile_folder(tile: str, year: int) -> str:
    """Return the folder of a tile and a year, such as 33/T/VL/2017/."""
    return f"{int(tile[:2])}/{tile[2]}/{tile[3:]}/{year}/"


def tile_file_name(name: ProductName, file: str) -> str | None:
    """Return the name in SAFE layout of a file in a tile's folder, or None when the file is not needed."""
    folder = f"GRANULE/{granule(name)}"
    if file == "metadata.xml":
        return f"{folder}/MTD_TL.xml"
    if match := _TILE_MASK.fullmatch(file):
        if match[1]:
            return f"{folder}/QI_DATA/MSK_{match[1]}_B00.{match[2]}"
        return f"{folder}/QI_DATA/MSK_{match[3]}_{match[4]}.jp2"
    if match := _TILE_BAND.fullmatch(file):
        subfolder, suffix = (f"{match[1]}/", f"_{match[1][1:]}") if match[1] else ("", "")
        return f"{folder}/IMG_DATA/{subfolder}{_stem(name)}_{match[2]}{suffix}.jp2"
    return None


def asset_name(name: ProductName, key: str, asset: Mapping) -> str | None:
    """Return the name in SAFE layout of an asset that is a band or the scene classification; None for others."""
    band = band_of(key)
    if band is None:
        return None
    suffix = PurePosixPath(urlsplit(str(asset.get("href"))).path).suffix
    if suffix not in {".jp2", ".tif"}:
        return None
    resolution = resolution_of(key, asset, BANDS.get(band, 20))
    folder = f"GRANULE/{granule(name)}/IMG_DATA/R{resolution}m"
    return f"{folder}/{_stem(name)}_{band_number(band)}_{resolution}m{suffix}"


def _stem(name: ProductName) -> str:
    return f"T{name.tile}_{name.sensing_time:%Y%m%dT%H%M%S}"


ARCHIVE = Archive(
    sensor=SENSOR,
    levels={
        level: Level(
            prefixes=(f"Sentinel-2/MSI/{level}/", f"Sentinel-2/MSI/{level}_N0500/"),
            collections=collections,
            conditions=("Collection/Name eq 'SENTINEL-2'", f"contains(Name,'MSI{level}')"),
        )
        for level, collections in _COLLECTIONS.items()
    },
    tiles=TileLayout(
        ending="tiles/",
        folder=tile_folder,
        key=_TILE_KEY,
        info="tileInfo.json",
        name_field="productName",
        path_field="productPath",
        metadata="metadata.xml",
        file_name=tile_file_name,
    ),
    metadata=lambda name: f"MTD_MSI{name.level}.xml",
    cloud_percent=read_cloud_percent,
    metadata_bytes=MAX_XML_BYTES,
    granule_of=granule_of,
    granule=granule,
    item_field=PRODUCT_FIELD,
    product_of=product_of,
    item_content=item_content,
    asset_name=asset_name,
)
