"""Measures of the sub-images of a date, NDVI and network centrality, in pyveg's dictionaries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from tigerbush.centrality import feature_vector, metrics
from tigerbush.grid import Grid
from tigerbush.images import BARE, VEGETATION
from tigerbush.planning.zones import Rectangle, is_uncovered
from tigerbush.pyveg import MODES, NO_COLOUR, classify_rgb
from tigerbush.sites.layout import SubImage
from tigerbush.sites.lost import main_reason


@dataclass(frozen=True)
class Coverage:
    """The valid pixels of a date.

    Attributes
    ----------
    lost : (h, w) bool array
        Pixels that count towards the lost fraction of a sub-image.
    ground : (h, w) bool array
        Pixels that enter means and networks.
    coloured : (h, w) bool array
        A sub-image without any such pixel is not used.
    """

    lost: np.ndarray
    ground: np.ndarray
    coloured: np.ndarray


def coverage(ndvi: np.ndarray, rgb: np.ndarray, mode: str = "default") -> Coverage:
    """Classify the pixels of a date as lost or as ground.

    Parameters
    ----------
    ndvi : (h, w) float32 array
        NaN where masked.
    rgb : (h, w, 3) uint8 array
    mode : str
        One of `tigerbush.pyveg.MODES`. By default masked pixels are lost and not ground.
    """
    if MODES[mode].uses_masks:
        masked = np.isnan(ndvi)
        return Coverage(lost=masked, ground=~masked, coloured=~masked)
    return Coverage(*classify_rgb(rgb))


def examine_sub_images(
    parts: list[SubImage],
    covered: Coverage,
    max_masked_fraction: float,
    limit: int | None = None,
    lost: np.ndarray | None = None,
    uncovered: Sequence[str] = (),
) -> list[tuple[SubImage, float, str]]:
    """Tell which sub-images are used, and why the others are not.

    Parameters
    ----------
    parts : list of SubImage
    covered : Coverage
    max_masked_fraction : float
        A sub-image with this fraction of lost pixels or more is left out (pyveg: 0.05).
    limit : int, optional
        Maximum number of sub-images to use.
    lost : (h, w) uint8 array, optional
        Why pixels are lost, values of `tigerbush.sites.lost`; the reasons say so.
    uncovered : sequence of str, optional
        From `reasons_without_tile`: why a sub-image never has data, an empty text if it may have.

    Returns
    -------
    list of (SubImage, float, str)
        Every sub-image, its fraction of lost pixels, and the reason why it is not used (empty when it is).
    """
    examined = []
    remaining = len(parts) if limit is None else limit
    for part, without_tile in zip_longest(parts, uncovered, fillvalue=""):
        cut = part.rows, part.columns
        fraction = float(covered.lost[cut].mean())
        if fraction >= max_masked_fraction:
            cause = "too few pixels" if lost is None else main_reason(lost[cut], covered.lost[cut])
            limit_text = f"subimages.max_masked_fraction: {max_masked_fraction:g}"
            reason = without_tile or f"{cause}: {fraction:.4f} of its pixels lost ({limit_text})"
        elif not covered.coloured[cut].any():
            reason = NO_COLOUR
        elif not remaining:
            reason = f"enough others (subimages.limit: {limit})"
        else:
            reason = ""
            remaining -= 1
        examined.append((part, fraction, reason))
    return examined


def reasons_without_tile(
    parts: Iterable[SubImage],
    grid: Grid,
    epsg: int,
    squares: Sequence[Rectangle],
    max_masked_fraction: float,
) -> list[str]:
    """Say which sub-images no tile covers, so that they never have data.

    Parameters
    ----------
    parts : iterable of SubImage
    grid : Grid
        Grid of the site's pixels.
    epsg : int
        UTM zone of that grid.
    squares : sequence of (west, south, east, north)
        Those of the tiles in this zone, in metres (`tigerbush.planning.zones.tile_squares`).
    max_masked_fraction : float

    Returns
    -------
    list of str
        The reason for each part; empty for one that tiles cover.
    """
    areas = [grid.crop(part.columns.start, part.rows.start, *_shape(part)).bounds for part in parts]
    reason = f"no tile of EPSG:{epsg} covers it"
    return [reason * is_uncovered(area, squares, max_masked_fraction) for area in areas]


def usable_sub_images(
    parts: list[SubImage], covered: Coverage, max_masked_fraction: float, limit: int | None = None
) -> list[tuple[SubImage, float]]:
    """Return the sub-images that are used, with their fractions of lost pixels; see `examine_sub_images`."""
    examined = examine_sub_images(parts, covered, max_masked_fraction, limit)
    return [(part, fraction) for part, fraction, reason in examined if not reason]


def unused_sub_images(examined: Iterable[tuple[SubImage, float, str]], date: str) -> list[dict]:
    """Return a record of each unused sub-image: centre, date, `masked_fraction`, and the reason as `unused`."""
    return [
        _place(part, date) | {"masked_fraction": fraction, "unused": reason}
        for part, fraction, reason in examined
        if reason
    ]


def ndvi_of_sub_images(
    ndvi: np.ndarray,
    grey: np.ndarray,
    black_white: np.ndarray,
    n_obs: np.ndarray,
    covered: Coverage,
    parts: Iterable[tuple[SubImage, float]],
    date: str,
) -> list[dict]:
    """Compute the mean NDVI of each sub-image, over pixels that are ground.

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
    covered : Coverage
    parts : iterable of (SubImage, float)
        From `usable_sub_images`.
    date : str

    Returns
    -------
    list of dict
        pyveg's `ndvi` and `ndvi_veg` (means of 8-bit NDVI, rounded to 4 decimals; `ndvi_veg` is omitted
        where there is no vegetation), and beside them `ndvi_mean` and `ndvi_std` of the float NDVI,
        `n_obs` (mean) and `masked_fraction`.
    """
    records = []
    for part, fraction in parts:
        cut = part.rows, part.columns
        ground = covered.ground[cut]
        vegetation = ground & (black_white[cut] == VEGETATION)
        record = _place(part, date) | {
            "ndvi": round(float(grey[cut][ground].mean()), 4),
            "n_obs": float(n_obs[cut].mean()),
            "masked_fraction": fraction,
        }
        record |= _mean_and_std("ndvi", ndvi[cut], ground)
        if vegetation.any():
            record["ndvi_veg"] = round(float(grey[cut][vegetation].mean()), 4)
        records.append(record)
    return records


def index_of_sub_images(
    name: str, index: np.ndarray, covered: Coverage, parts: Iterable[tuple[SubImage, float]]
) -> list[dict]:
    """Mean and standard deviation of an index over the clear pixels of each sub-image.

    Parameters
    ----------
    name : str
    index : (h, w) float array
        NaN where masked or not defined.
    covered : Coverage
    parts : iterable of (SubImage, float)
        From `usable_sub_images`.

    Returns
    -------
    list of dict
        `{name}_mean` and `{name}_std`; nothing of a sub-image without any number.
    """
    cuts = [(part.rows, part.columns) for part, _ in parts]
    return [_mean_and_std(name, index[cut], covered.ground[cut]) for cut in cuts]


def centrality_of_sub_images(
    black_white: np.ndarray,
    covered: Coverage,
    parts: Iterable[tuple[SubImage, float]],
    date: str,
    neighbours: int = 4,
    quantiles: int = 20,
    method: str = "exact",
) -> list[dict]:
    """Compute the network centrality of the bare ground of each sub-image.

    Parameters
    ----------
    black_white : (h, w) uint8 array
        Bare ground, the signal, is 255.
    covered : Coverage
    parts : iterable of (SubImage, float)
        From `usable_sub_images`.
    date : str
    neighbours, quantiles, method
        See `tigerbush.centrality.feature_vector`.

    Returns
    -------
    list of dict
        pyveg's `feature_vec`, `slope`, `offset`, `offset50`, `mean`, `std`, with centre and date.
    """
    signal = (black_white == BARE) & covered.ground
    return [
        _place(part, date)
        | metrics(feature_vector(signal[part.rows, part.columns], neighbours, quantiles, method))
        for part, _ in parts
    ]


def _mean_and_std(name: str, index: np.ndarray, ground: np.ndarray) -> dict[str, float]:
    values = index[ground & ~np.isnan(index)].astype(np.float64)
    return {f"{name}_mean": float(values.mean()), f"{name}_std": float(values.std())} if len(values) else {}


def _shape(part: SubImage) -> tuple[int, int]:
    """Return width and height of a sub-image in pixels."""
    return part.columns.stop - part.columns.start, part.rows.stop - part.rows.start


def _place(part: SubImage, date: str) -> dict:
    return {"date": date, "latitude": part.latitude, "longitude": part.longitude}
