"""Cloud masks of Sentinel-2 products: MSK_CLASSI, MSK_CLOUDS (GML) and SCL.

Without a mask, all pixels are UNKNOWN, never CLEAR.
"""

import re
from xml.etree.ElementTree import Element

import numpy as np
from rasterio.features import rasterize

from tigerbush.errors import LEAVE_OUT, TigerbushError, one_sentence
from tigerbush.grid import Grid
from tigerbush.masks import DEFAULTS, UNKNOWN, MaskOptions, buffered, mask_method
from tigerbush.readers import Product
from tigerbush.resample import resample
from tigerbush.sentinel2.images import read_window
from tigerbush.sentinel2.metadata import MAX_XML_BYTES, parse_xml

# L2A Algorithm Theoretical Basis Document, scene classification: no data, saturated or defective,
# cloud shadow, medium and high probability clouds; thin cirrus; snow or ice
SCL_MASKED, SCL_CIRRUS, SCL_SNOW = (0, 1, 3, 8, 9), 10, 11
# dark areas, most of them in the shadow of mountains; cloud shadow; water
SCL_DARK_OR_WATER = (2, 3, 6)


def read_mask(
    product: Product, target: Grid, options: MaskOptions = DEFAULTS
) -> tuple[np.ndarray, str | None]:
    """Read the cloud mask of a product on a target grid.

    L2A: the scene classification (SCL). L1C: opaque clouds, cirrus and snow in MSK_CLASSI (from baseline 04.00)
    or cloud polygons in MSK_CLOUDS (before). Coarser masks are upsampled with Nearest.

    Parameters
    ----------
    product : Product
    target : Grid
        Extends `options.buffer` pixels beyond the grid of interest, because clouds outside `target` are not known.
    options : MaskOptions

    Returns
    -------
    mask : (h, w) uint8 array
        CLEAR or MASKED; UNKNOWN everywhere when the product has no mask.
    name : str or None
        The file that the mask was read from.

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
            raise TigerbushError(f"{product.path}/{name} has {len(bands)} bands, expected 3; {LEAVE_OUT}.")
        opaque, cirrus, snow = (band > 0 for band in bands)
        masked = opaque | (cirrus & options.cirrus) | (snow & options.snow)
    return buffered(masked, options.buffer), name


def read_land(product: Product, target: Grid) -> np.ndarray | None:
    """Return the pixels that the scene classification holds for neither water nor shadow.

    Parameters
    ----------
    product : Product
    target : Grid

    Returns
    -------
    (h, w) bool array, or None
        None when the product has no scene classification.

    Raises
    ------
    TigerbushError
        When the file is damaged.
    """
    name, resolution = product.mask_file()
    if name is None or product.name.level != "L2A":
        return None
    return ~np.isin(_classes(product, name, resolution, target)[0], SCL_DARK_OR_WATER)


def _scl_masked(classes: np.ndarray, options: MaskOptions) -> np.ndarray:
    optional = {SCL_CIRRUS: options.cirrus, SCL_SNOW: options.snow}
    return np.isin(classes, [*SCL_MASKED, *(number for number, wanted in optional.items() if wanted)])


def _classes(product: Product, name: str, resolution: int, target: Grid) -> list[np.ndarray]:
    method = mask_method(resolution, target)
    bands, source = read_window(product, name, product.grids[resolution], target, method)
    return [resample(band, source, target, method) for band in bands]


def _gml_masked(product: Product, name: str, target: Grid, options: MaskOptions) -> np.ndarray:
    """Rasterise the cloud polygons of a MSK_CLOUDS file; a file without polygons means no clouds."""
    shapes = [(polygon, 1) for polygon in _gml_polygons(product, name, options)]
    if not shapes:
        return np.zeros(target.shape, bool)
    clouds = rasterize(
        shapes,
        target.shape,
        transform=target.transform,
        all_touched=True,  # better to lose a clear pixel than to keep a cloud edge
        dtype=np.uint8,
    )
    return clouds > 0


def _gml_polygons(product: Product, name: str, options: MaskOptions) -> list[dict]:
    label = f"{product.path}/{name}"
    if product.files[name] > MAX_XML_BYTES:
        raise TigerbushError(
            f"{label} has {product.files[name]} bytes, more than any Sentinel-2 cloud mask; {LEAVE_OUT}."
        )
    root = parse_xml(label, product.read_bytes(name), "a well-formed cloud mask")
    try:
        # unknown content must not be taken for a clear sky
        if root.tag.rpartition("}")[2] != "Mask":
            raise ValueError("its root is not Mask")
        return [
            polygon
            for feature in root.iterfind(".//{*}MaskFeature")
            if options.cirrus or (feature.findtext("{*}maskType") or "").strip() != "CIRRUS"
            for polygon in _feature_polygons(feature)
        ]
    except ValueError as error:
        raise TigerbushError(
            f"{label} is not a well-formed cloud mask ({one_sentence(str(error), 200)}); {LEAVE_OUT}."
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
