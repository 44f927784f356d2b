"""Reflectances that no ground has, as a wrong radiometric offset makes them."""

from collections.abc import Callable

import numpy as np

from tigerbush.errors import TigerbushError
from tigerbush.masks import CLEAR, UNKNOWN
from tigerbush.product import NODATA
from tigerbush.raster import Raster


def negative_reflectance(image: Raster) -> np.ndarray:
    """Return the observed pixels with a band of zero or negative reflectance.

    Parameters
    ----------
    image : Raster
        (bands, h, w) uint16 DN as stored, nodata 0, with scale and offset per band.

    Returns
    -------
    (h, w) bool array
    """
    # the stored DN of zero reflectance; offsets are multiples of the scale, but for rounding
    zero = np.array([-offset / scale for scale, offset in zip(image.scale, image.offset, strict=True)])
    observed = (image.data != NODATA).all(axis=0)
    return observed & (image.data <= zero[:, None, None] + 1e-6).any(axis=0)


def check_reflectance(
    image: Raster,
    mask: Raster,
    read_land: Callable[[], np.ndarray | None],
    *,
    limit: float,
    enough: int,
    label: str,
) -> None:
    """Refuse a product whose clear land has too many pixels of zero or negative reflectance.

    Some are normal in deep shadow, on water and at the edges of swaths. Many mean that the offset is wrong, such as one
    that was taken off twice.

    Parameters
    ----------
    image, mask : Raster
        The bands of sites and the cloud mask of a window (`tigerbush.sites.product`).
    read_land : callable
        Returns a (h, w) bool array, which pixels the product itself classifies as land in the light, or None when it
        has no classification; then a pixel is water where it is darker in the near infrared than in the green
        (NDWI > 0, McFeeters 1996). Called only when there are negative reflectances.
    limit : float
        Greatest accepted fraction.
    enough : int
        Number of clear land pixels from which on a fraction tells something: a gap between clouds is often shaded.
    label : str
        Name of the product in the message.

    Raises
    ------
    TigerbushError
    """
    negative = negative_reflectance(image)
    if not negative.any():
        return
    land = read_land()
    if land is None:
        *_, green, _, near_infrared = image.data
        land = near_infrared >= green
    clear = (mask.data[0] == CLEAR) | (mask.data[0] == UNKNOWN)
    land = land & clear & (image.data != NODATA).all(axis=0)
    number = int(land.sum())
    if number < enough:
        return
    fraction = (negative & land).sum() / number
    if fraction > limit:
        raise TigerbushError(
            f"{label}: negative reflectance in {fraction:.1%} of the clear land pixels of the site, more than "
            f"composite.max_negative_fraction ({limit:g}) allows; is the radiometric offset in its metadata, or in "
            "its catalogue item, that of its pixels?"
        )
