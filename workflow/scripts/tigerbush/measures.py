"""Numbers of each sub-image of a date: NDVI and network centrality, in pyveg's dictionaries."""

from collections.abc import Iterator

import numpy as np

from tigerbush.centrality import feature_vector, metrics
from tigerbush.grid import SubImage
from tigerbush.images import BARE, VEGETATION


def usable_sub_images(
    parts: list[SubImage], masked: np.ndarray, max_masked_fraction: float
) -> Iterator[tuple[SubImage, float]]:
    """Yield the sub-images with fewer masked pixels than the limit, and that fraction.

    Parameters
    ----------
    parts : list of SubImage
    masked : (h, w) bool array
    max_masked_fraction : float
        A sub-image with this fraction of masked pixels or more is left out (pyveg: 0.05).
    """
    for part in parts:
        fraction = float(masked[part.rows, part.columns].mean())
        if fraction < max_masked_fraction:
            yield part, fraction


def ndvi_of_sub_images(
    ndvi: np.ndarray,
    grey: np.ndarray,
    black_white: np.ndarray,
    n_obs: np.ndarray,
    parts: list[SubImage],
    date: str,
    max_masked_fraction: float,
) -> list[dict]:
    """Mean NDVI of each sub-image; masked pixels are left out of every mean.

    Parameters
    ----------
    ndvi : (h, w) float32 array
        NaN where masked.
    grey : (h, w) uint8 array
        8-bit NDVI.
    black_white : (h, w) uint8 array
        Vegetation is 0.
    n_obs : (h, w) array
        Observations per pixel.
    parts : list of SubImage
    date : str
    max_masked_fraction : float

    Returns
    -------
    list of dict
        pyveg's `ndvi` and `ndvi_veg` (8-bit greys, rounded to 4 decimals; `ndvi_veg` is left out
        where there is no vegetation), and beside them `ndvi_mean` and `ndvi_std` of the float NDVI,
        `n_obs` (mean) and `masked_fraction`.
    """
    masked = np.isnan(ndvi)
    records = []
    for part, fraction in usable_sub_images(parts, masked, max_masked_fraction):
        cut = part.rows, part.columns
        seen = ~masked[cut]
        vegetation = seen & (black_white[cut] == VEGETATION)
        values = ndvi[cut][seen].astype(np.float64)
        record = _place(part, date) | {
            "ndvi": round(float(grey[cut][seen].mean()), 4),
            "ndvi_mean": float(values.mean()),
            "ndvi_std": float(values.std()),
            "n_obs": float(n_obs[cut].mean()),
            "masked_fraction": fraction,
        }
        if vegetation.any():
            record["ndvi_veg"] = round(float(grey[cut][vegetation].mean()), 4)
        records.append(record)
    return records


def centrality_of_sub_images(
    black_white: np.ndarray,
    masked: np.ndarray,
    parts: list[SubImage],
    date: str,
    max_masked_fraction: float,
    neighbours: int = 4,
    quantiles: int = 20,
    method: str = "exact",
) -> list[dict]:
    """Network centrality of the bare ground of each sub-image.

    Parameters
    ----------
    black_white : (h, w) uint8 array
        Bare ground, the signal, is 255.
    masked : (h, w) bool array
    parts : list of SubImage
    date : str
    max_masked_fraction : float
    neighbours, quantiles, method
        See `tigerbush.centrality.feature_vector`.

    Returns
    -------
    list of dict
        pyveg's `feature_vec`, `slope`, `offset`, `offset50`, `mean`, `std`, with place and date.
    """
    signal = (black_white == BARE) & ~masked
    return [
        _place(part, date)
        | metrics(feature_vector(signal[part.rows, part.columns], neighbours, quantiles, method))
        for part, _ in usable_sub_images(parts, masked, max_masked_fraction)
    ]


def _place(part: SubImage, date: str) -> dict:
    return {"date": date, "latitude": part.latitude, "longitude": part.longitude}
