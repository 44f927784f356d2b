"""NDVI and other indices of the sub-images of a date."""

from collections.abc import Sequence

import numpy as np

from tigerbush.indices import compute_indices
from tigerbush.raster import Raster
from tigerbush.sites.date import DateImages
from tigerbush.sites.subimages import index_of_sub_images, ndvi_of_sub_images, unused_sub_images


def measure_indices(
    images: DateImages, composite: Raster, grey: np.ndarray, date: str, indices: Sequence[str] = ()
) -> list[dict]:
    """Measure NDVI, and other indices, of each sub-image of a date; those that are not used get their reason.

    Parameters
    ----------
    images : DateImages
    composite : Raster
    grey : (h, w) uint8 array
        8-bit NDVI.
    date : str
    indices : sequence of str
        Names of `tigerbush.indices`.
    """
    used = images.covered, images.parts
    records = ndvi_of_sub_images(images.ndvi, grey, images.black_white, composite.band("n_obs"), *used, date)
    for name, index in compute_indices(composite, indices).items():
        for record, numbers in zip(records, index_of_sub_images(name, index, *used), strict=True):
            record |= numbers
    return records + unused_sub_images(images.examined, date)
