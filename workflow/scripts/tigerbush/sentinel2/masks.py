"""Cloud masks of Sentinel-2 products: MSK_CLASSI, MSK_CLOUDS (GML) and SCL.

A product without any mask is UNKNOWN, never clear.
"""

import re
from xml.etree.ElementTree import Element

import defusedxml.ElementTree
import numpy as np
from rasterio.features import rasterize

from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.masks import DEFAULTS, UNKNOWN, MaskOptions, buffered, mask_method
from tigerbush.readers import Product
from tigerbush.resample import resample
from tigerbush.sentinel2.images import read_window
from tigerbush.sentinel2.metadata import MAX_XML_BYTES, XML_ERRORS

# L2A Algorithm Theoretical Basis Document, scene classification: no data, saturated or defective,
# cloud shadow, cloud of medium and of high probability; thin cirrus; snow or ice
SCL_MASKED, SCL_CIRRUS, SCL_SNOW = (0, 1, 3, 8, 9), 10, 11


def read_mask(
    product: Product, target: Grid, options: MaskOptions = DEFAULTS
) -> tuple[np.ndarray, str | None]:
    """Read the cloud mask of a product on a target grid.

    L2A: the scene classification (SCL). L1C: opaque cloud, cirrus and snow of MSK_CLASSI (baseline 04.00
    and later) or cloud polygons of MSK_CLOUDS (before). Coarser masks are upsampled with Nearest.

    Parameters
    ----------
    product : Product
    target : Grid
        Larger by `options.buffer` pixels than what is wanted: what lies outside is not known.
    options : MaskOptions

    Returns
    -------
    mask : (h, w) uint8 array
        CLEAR, MASKED, or UNKNOWN everywhere when the product carries no mask.
    name : str or None
        The file the mask came from.

    Raises
    ------
    TigerbushError
        When the mask file is damaged.
    """
    name, resolution = product.mask_file()
    if name is None:
        return np.full(target.shape, UNKNOWN, np.uint8), None
    if resolution is None:
        masked = _gml_masked(product, name, target, options)
    elif product.name.level == "L2A":
        masked = _scl_masked(_classes(product, name, resolution, target)[0], options)
    else:
        bands = _classes(product, name, resolution, target)
        if len(bands) != 3:
            raise TigerbushError(
                f"{product.path}/{name} has {len(bands)} bands, expected 3; fetch the product again."
            )
        opaque, cirrus, snow = (band > 0 for band in bands)
        masked = opaque | (cirrus & options.cirrus) | (snow & options.snow)
    return buffered(masked, options.buffer), name


def _scl_masked(classes: np.ndarray, options: MaskOptions) -> np.ndarray:
    optional = {SCL_CIRRUS: options.cirrus, SCL_SNOW: options.snow}
    return np.isin(classes, [*SCL_MASKED, *(number for number, wanted in optional.items() if wanted)])


def _classes(product: Product, name: str, resolution: int, target: Grid) -> list[np.ndarray]:
    method = mask_method(resolution, target)
    bands, source = read_window(product, name, product.grids[resolution], target, method)
    return [resample(band, source, target, method) for band in bands]


def _gml_masked(product: Product, name: str, target: Grid, options: MaskOptions) -> np.ndarray:
    """Burn the cloud polygons of a MSK_CLOUDS file; a file without polygons means no cloud."""
    shapes = [(polygon, 1) for polygon in _gml_polygons(product, name, options)]
    if not shapes:
        return np.zeros(target.shape, bool)
    burnt = rasterize(
        shapes,
        target.shape,
        transform=target.transform,
        all_touched=True,  # rather a clear pixel lost than a cloud edge kept
        dtype=np.uint8,
    )
    return burnt > 0


def _gml_polygons(product: Product, name: str, options: MaskOptions) -> list[dict]:
    label = f"{product.path}/{name}"
    if product.files[name] > MAX_XML_BYTES:
        raise TigerbushError(
            f"{label} has {product.files[name]} bytes, which no Sentinel-2 cloud mask has; fetch the product "
            "again."
        )
    try:
        root = defusedxml.ElementTree.fromstring(product.read_bytes(name), forbid_dtd=True)
        # whatever is not understood must not be taken for a clear sky
        if root.tag.rpartition("}")[2] != "Mask":
            raise ValueError("its root is not Mask")
        return [
            polygon
            for feature in root.iterfind(".//{*}MaskFeature")
            if options.cirrus or (feature.findtext("{*}maskType") or "").strip() != "CIRRUS"
            for polygon in _feature_polygons(feature)
        ]
    except (*XML_ERRORS, ValueError) as error:
        raise TigerbushError(
            f"{label} is not a well-formed cloud mask ({error}); fetch the product again, then run "
            "./tigerbush retry."
        ) from error


def _feature_polygons(feature: Element) -> list[dict]:
    polygons = [
        {"type": "Polygon", "coordinates": [_ring(ring) for ring in polygon.iterfind(".//{*}posList")]}
        for polygon in feature.iterfind(".//{*}Polygon")
    ]
    if not polygons or not all(polygon["coordinates"] for polygon in polygons):
        raise ValueError("a MaskFeature has no polygon")
    return polygons


def _ring(element: Element) -> list[tuple[float, float]]:
    numbers = [float(text) for text in re.split(r"\s+", (element.text or "").strip())]
    dimension = int(element.get("srsDimension", "2"))
    if dimension < 2 or len(numbers) % dimension or not np.isfinite(numbers).all():
        raise ValueError("a posList is not a list of positions")
    ring = list(zip(numbers[::dimension], numbers[1::dimension], strict=True))
    if len(ring) < 4 or ring[0] != ring[-1]:
        raise ValueError("a posList is not a closed ring")
    return ring
