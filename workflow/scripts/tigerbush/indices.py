"""Vegetation indices beside NDVI: for each row of the table of variables that has bands, a function of its name."""

from collections.abc import Iterable

import numpy as np

from tigerbush.errors import TigerbushError
from tigerbush.raster import Raster
from tigerbush.variables import NDVI, ROLES, VARIABLES


def compute_indices(composite: Raster, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Compute indices of a composite.

    Parameters
    ----------
    composite : Raster
        Reflectance by wavelength, red and near infrared last, then n_obs; NaN where masked.
    names : iterable of str
        Of `tigerbush.variables`; NDVI, which has its own image, is skipped.

    Returns
    -------
    dict of str to (h, w) float32 array
        NaN where masked, and where an index is not defined.

    Raises
    ------
    TigerbushError
        When the composite has no band of a role.
    """
    names = [name for name in names if name != NDVI]
    if not names:
        return {}
    bands = [composite.band(name) for name in composite.bands if name != "n_obs"]
    reflectance = dict(zip(ROLES[-len(bands) :], bands, strict=True))
    indices = {}
    for name in names:
        roles = VARIABLES[name].bands
        if missing := sorted(set(roles) - set(reflectance)):
            raise TigerbushError(
                f"composite.indices: {name} needs {', '.join(missing)}, which the sensor of these products lacks; "
                "remove it."
            )
        indices[name] = globals()[name](*(reflectance[role] for role in roles))
    return indices


def msavi(nir: np.ndarray, red: np.ndarray) -> np.ndarray:
    """Compute the modified soil-adjusted vegetation index, MSAVI2 of Qi et al. 1994.

    (2 NIR + 1 - sqrt((2 NIR + 1)^2 - 8 (NIR - red))) / 2; unlike NDVI, it is of reflectances and not of any numbers
    proportional to them.

    Parameters
    ----------
    nir, red : (h, w) arrays
        Reflectance, NaN where masked.

    Returns
    -------
    (h, w) float32 array
        In (-1, 1) for reflectances up to 1; NaN where a reflectance is NaN or not above zero, which no ground has.

    References
    ----------
    Qi, J., Chehbouni, A., Huete, A. R., Kerr, Y. H., Sorooshian, S. (1994). A modified soil adjusted vegetation index.
    Remote Sensing of Environment 48, 119-126. doi:10.1016/0034-4257(94)90134-1
    """
    nir, red = nir.astype(np.float64), red.astype(np.float64)
    valid = (nir > 0) & (red > 0)
    nir, red = (np.where(valid, band, np.nan) for band in (nir, red))
    # the root is of (2 NIR - 1)^2 + 8 red, which is never negative
    root = np.sqrt((2 * nir + 1) ** 2 - 8 * (nir - red))
    return ((2 * nir + 1 - root) / 2).astype(np.float32)
