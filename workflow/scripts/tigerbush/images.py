"""The images of a date, computed as in pyveg: RGB, NDVI and black/white NDVI.

Masked pixels are NaN in reflectances and NDVI, mid-grey in 8-bit NDVI (also inside the filters) and
in the black/white image, black in the RGB.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tigerbush.errors import TigerbushError
from tigerbush.pyveg import MODES
from tigerbush.raster import Raster

MASKED_GREY = 127
BARE, VEGETATION = 255, 0
# the RGB formula is in DN, of which Sentinel-2 has 10000 per unit of reflectance
DN_PER_REFLECTANCE = 10_000


@dataclass(frozen=True)
class Rendering:
    """The images of a date.

    Attributes
    ----------
    ndvi : Raster
        float32, NaN where masked.
    rgb : (h, w, 3) uint8 array
    grey : (h, w) uint8 array
        8-bit NDVI.
    black_white : (h, w) uint8 array
        255 bare, 0 vegetation, 127 masked (where the mode knows masks).
    """

    ndvi: Raster
    rgb: np.ndarray
    grey: np.ndarray
    black_white: np.ndarray


def render(composite: Raster, mode: str = "default") -> Rendering:
    """Compute the images of a composite.

    Parameters
    ----------
    composite : Raster
        Reflectance in order of wavelength, red and near infrared last, then n_obs; NaN where masked. The first three
        bands are those of the RGB image.
    mode : str
        One of `tigerbush.pyveg.MODES`.
    """
    bands = [composite.band(name) for name in composite.bands if name != "n_obs"]
    *_, red, near_infrared = bands
    index = ndvi(near_infrared, red)
    grey = grey_ndvi(index)
    classes = black_white(grey)
    if MODES[mode].uses_masks:
        classes[np.isnan(index)] = MASKED_GREY
    return Rendering(
        ndvi=Raster(
            data=index[None],
            grid=composite.grid,
            epsg=composite.epsg,
            bands=("NDVI",),
            nodata=np.nan,
            units=("1",),
            tags=composite.tags,
        ),
        rgb=rgb(*(band * DN_PER_REFLECTANCE for band in bands[2::-1])),
        grey=grey,
        black_white=classes,
    )


def ndvi(nir: np.ndarray, red: np.ndarray) -> np.ndarray:
    """Normalised difference vegetation index (NIR - red) / (NIR + red).

    Parameters
    ----------
    nir, red : (h, w) arrays
        Reflectance or DN with the offset added, NaN where masked.

    Returns
    -------
    (h, w) float32 array
        In [-1, 1]; NaN where a band is NaN or negative, or both are zero (as Earth Engine's
        normalizedDifference, which pyveg used).
    """
    nir, red = nir.astype(np.float64), red.astype(np.float64)
    total = nir + red
    valid = (nir >= 0) & (red >= 0) & (total > 0)
    return np.divide(nir - red, total, out=np.full(total.shape, np.nan), where=valid).astype(np.float32)


def grey_ndvi(index: np.ndarray) -> np.ndarray:
    """Scale NDVI to 8 bits: int((ndvi + 1) / 2 * 255), clipped; NaN becomes mid-grey.

    Parameters
    ----------
    index : (h, w) float array

    Returns
    -------
    (h, w) uint8 array
    """
    scaled = np.clip((index.astype(np.float64) + 1) / 2 * 255, 0, 255)
    return np.where(np.isnan(scaled), MASKED_GREY, scaled).astype(np.uint8)


def rgb(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    """Scale three bands to 8 bits by their common maximum: max(0, int(v * 255 / (max + 1))).

    Parameters
    ----------
    red, green, blue : (h, w) arrays
        DN with the offset added (the 1 of the formula is one DN), NaN where masked.

    Returns
    -------
    (h, w, 3) uint8 array
        Black where masked.
    """
    bands = np.stack([red, green, blue], axis=-1).astype(np.float64)
    bands = np.nan_to_num(np.maximum(bands, 0), nan=0.0)
    return (bands * 255 / (bands.max(initial=0) + 1)).astype(np.uint8)


def black_white(grey: np.ndarray) -> np.ndarray:
    """Classify 8-bit NDVI into bare ground (255) and vegetation (0).

    Contrast-limited histogram equalisation (clip limit 2, 11 x 11 tiles), adaptive mean threshold
    (51 pixels: bare where grey <= local mean + 5), 3 x 3 median; pyveg 1.1.0, `image_utils`.

    Parameters
    ----------
    grey : (h, w) uint8 array
        The whole image of a date: equalisation and threshold depend on pixels beyond a sub-image.

    Returns
    -------
    (h, w) uint8 array
        0 or 255.
    """
    equalised = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(11, 11)).apply(grey)
    thresholded = cv2.adaptiveThreshold(
        equalised, BARE, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, blockSize=51, C=-5
    )
    return cv2.medianBlur(thresholded, 3)


def encode_png(image: np.ndarray) -> bytes:
    """Encode a grey (h, w) or RGB (h, w, 3) uint8 image as PNG."""
    _, encoded = cv2.imencode(".png", image if image.ndim == 2 else image[..., ::-1])
    return encoded.tobytes()


def read_png(path: Path) -> np.ndarray:
    """Read a PNG.

    Returns
    -------
    (h, w) or (h, w, 3) uint8 array
        Grey, or RGB.

    Raises
    ------
    TigerbushError
        When the file is not a readable image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise TigerbushError(f"{path} cannot be read as an image; delete it and run again.")
    return image if image.ndim == 2 else image[..., ::-1]
