"""Read a product's metadata from a STAC item: grid, scale and offset of its assets."""

import json
import math
import re
from collections.abc import Mapping

from tigerbush.errors import TigerbushError, quoted
from tigerbush.files import parse_json
from tigerbush.grid import Grid
from tigerbush.product import ProductName
from tigerbush.sentinel2.metadata import Metadata
from tigerbush.sentinel2.names import PROVISIONAL, TILE_METRES, parse_name
from tigerbush.stac import cloud_percent, is_number

# common band names of STAC, which are the asset keys in Earth Search
COMMON_NAMES = {
    "coastal": "B1", "blue": "B2", "green": "B3", "red": "B4", "rededge1": "B5", "rededge2": "B6",
    "rededge3": "B7", "nir": "B8", "nir08": "B8A", "nir09": "B9", "cirrus": "B10", "swir16": "B11",
    "swir22": "B12",
}  # fmt: skip
SCENE_CLASSES = "SCL"
# property that names the product
PRODUCT_FIELD = "s2:product_uri"
RESOLUTIONS = (10, 20, 60)
QUANTIFICATION = 10_000
_KEY = re.compile(r"(?P<band>B(?:0[1-9]|1[0-2]|8A)|SCL)(?:_(?P<resolution>[126]0)m)?")


def band_of(key: str) -> str | None:
    """Return the band (B1 .. B12, B8A) or SCL for the key of an asset, or None."""
    if key == "scl":
        return SCENE_CLASSES
    if match := _KEY.fullmatch(key):
        band = match["band"]
        return band if band == SCENE_CLASSES else re.sub(r"^B0", "B", band)
    return COMMON_NAMES.get(key)


def read_item(content: bytes, label: str, name: ProductName) -> Metadata:
    """Read an item.

    Parameters
    ----------
    content : bytes
        JSON.
    label : str
        Name of the file in messages.
    name : ProductName
        The product that the item must describe.

    Raises
    ------
    TigerbushError
        When the item describes another product, or a field is missing, malformed or contradicts the baseline.
    """
    try:
        item = parse_json(content)
        properties, assets = dict(item["properties"]), dict(item["assets"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise TigerbushError(f"{label} is not a STAC item ({error}); run ./tigerbush retry.") from error
    item_name = product_of(item)
    if item_name != name:
        raise TigerbushError(f"{label} describes {item_name and item_name.product}, expected {name.product}.")
    return _read_fields(properties, assets, label, name)


def item_content(name: ProductName, item: Mapping) -> str:
    """Return the fields of an item that the values of pixels depend on, or why they cannot be read, as a text."""
    try:
        metadata = _read_fields(dict(item["properties"]), dict(item["assets"]), name.product, name)
    except Exception as error:  # the product then fails with this reason, until its item is another one
        return str(error)
    grids = [(grid.x, grid.y, grid.resolution, grid.width, grid.height) for grid in metadata.grids.values()]
    return json.dumps(
        [metadata.epsg, sorted(grids), metadata.quantification, dict(metadata.offsets)], sort_keys=True
    )


def _read_fields(properties: Mapping, assets: Mapping, label: str, name: ProductName) -> Metadata:
    bands = {
        band: asset for key, asset in assets.items() if (band := band_of(key)) and isinstance(asset, dict)
    }
    scales = {
        band: _scale(asset, properties, label) for band, asset in bands.items() if band != SCENE_CLASSES
    }
    if len(set(scales.values())) > 1:
        raise TigerbushError(f"{label}: the scale of raster:bands differs between bands.")
    quantification = next(iter(scales.values()), QUANTIFICATION)
    return Metadata(
        epsg=_epsg(properties, bands, label),
        grids=_grids(properties, bands, label),
        quantification=quantification,
        offsets={band: _offset(bands[band], properties, quantification, label, name) for band in scales},
        cloud_percent=cloud_percent(properties),
    )


def product_of(item: Mapping) -> ProductName | None:
    """Return the product that an item's property or id names, or None when it is not a Sentinel-2 product."""
    properties = item.get("properties") or {}
    for text in (properties.get(PRODUCT_FIELD), item.get("id")):
        try:
            return parse_name(str(text))
        except TigerbushError:
            continue
    return None


def resolution_of(key: str, asset: Mapping, default: int) -> int:
    """Return the resolution of an asset in metres: from its transform, else its key, else the default."""
    match = _KEY.fullmatch(key)
    key_resolution = int(match["resolution"]) if match and match["resolution"] else default
    transform = asset.get("proj:transform")
    step = transform[0] if isinstance(transform, list) and transform else None
    return int(step) if step in RESOLUTIONS else key_resolution


def _raster_field(asset: Mapping, properties: Mapping, field: str) -> object:
    """Return scale or offset: from `raster:bands` (STAC 1.0), else from `raster:scale` or `raster:offset` (1.1)."""
    for key in ("raster:bands", "bands"):
        bands = asset.get(key)
        if isinstance(bands, list) and bands and isinstance(bands[0], dict):
            for name in (field, f"raster:{field}"):
                if name in bands[0]:
                    return bands[0][name]
    return asset.get(f"raster:{field}", properties.get(f"raster:{field}"))


def _scale(asset: Mapping, properties: Mapping, label: str) -> int:
    """Return DN per unit of reflectance."""
    scale = _raster_field(asset, properties, "scale")
    if scale is None:
        return QUANTIFICATION
    if is_number(scale) and 1 / 65536 < scale <= 1:
        value = round(1 / scale)
        if value <= 65535 and math.isclose(value * scale, 1, rel_tol=1e-6):
            return value
    raise TigerbushError(
        f"{label}: scale {quoted(scale)} of raster:bands is not 1 / a whole number up to 65535."
    )


def _offset(asset: Mapping, properties: Mapping, quantification: int, label: str, name: ProductName) -> int:
    """Return the offset to add to the stored DN; 0 when the catalogue has already applied it."""
    if properties.get("earthsearch:boa_offset_applied") is True:
        return 0
    offset = _raster_field(asset, properties, "offset")
    provisional = name.baseline in PROVISIONAL
    has_offset = name.baseline >= "04.00" and not provisional
    if offset is None and not has_offset:
        return 0
    if not is_number(offset) or abs(offset) * quantification > 65535:
        raise TigerbushError(
            f"{label}: offset {quoted(offset)} of raster:bands is not a number of at most 65535 DN, though baseline "
            f"{name.baseline} has one; choose another collection in source.collections."
        )
    dn = round(offset * quantification)
    if not math.isclose(dn, offset * quantification, abs_tol=1e-3):
        raise TigerbushError(f"{label}: offset {quoted(offset)} of raster:bands is not a whole number of DN.")
    if bool(dn) != has_offset and not provisional:
        # With the offset of another baseline, unchanged vegetation would appear to change.
        raise TigerbushError(
            f"{label}: offset {quoted(offset)} of raster:bands contradicts baseline {name.baseline}, and the item does "
            "not say that it was applied; choose another collection in source.collections."
        )
    return dn


def _epsg(properties: Mapping, bands: Mapping[str, Mapping], label: str) -> int:
    for fields in (properties, *bands.values()):
        code = fields.get("proj:code") or fields.get("proj:epsg")
        if code is not None:
            break
    else:
        code = None
    match = re.fullmatch(r"(?:EPSG:)?(32[67](?:0[1-9]|[1-5]\d|60))", str(code))
    if not match:
        raise TigerbushError(
            f"{label}: proj:code or proj:epsg {quoted(code)} is not the EPSG code of a UTM zone."
        )
    return int(match[1])


def _grids(properties: Mapping, bands: Mapping[str, Mapping], label: str) -> dict[int, Grid]:
    """Return the tile's grid per resolution; grids without an asset are derived from that of 10 m."""
    grids: dict[int, Grid] = {}
    for asset in (*bands.values(), properties):
        if asset.get("proj:transform") is not None:
            grid = _grid(asset, label)
            if grids.setdefault(int(grid.resolution), grid) != grid:
                raise TigerbushError(f"{label}: proj:transform and proj:shape differ between bands.")
    if 10 not in grids:
        raise TigerbushError(f"{label}: no asset has a proj:transform of 10 m.")
    finest = grids[10]
    for resolution in RESOLUTIONS:
        factor = resolution // 10
        width, height = math.ceil(finest.width / factor), math.ceil(finest.height / factor)
        expected = Grid(finest.x, finest.y, resolution, width, height)
        if grids.setdefault(resolution, expected) != expected:
            raise TigerbushError(f"{label}: the grid of {resolution} m is not that of 10 m.")
    return grids


def _grid(asset: Mapping, label: str) -> Grid:
    transform, shape = asset["proj:transform"], asset.get("proj:shape")
    numeric = (
        isinstance(transform, list) and isinstance(shape, list) and all(map(is_number, transform + shape))
    )
    if numeric and len(transform) in {6, 9} and len(shape) == 2:
        a, b, x, d, e, y = transform[:6]
        height, width = shape
        fits = a > 0 and all(side == int(side) and 1 <= side <= TILE_METRES / a for side in shape)
        if fits and a in RESOLUTIONS and (b, d, e) == (0, 0, -a):
            return Grid(float(x), float(y), int(a), int(width), int(height))
    raise TigerbushError(
        f"{label}: proj:transform {quoted(transform)} and proj:shape {quoted(shape)} are not the grid of a tile at "
        "10, 20 or 60 m."
    )
