"""Mode pyveg: everything that is done differently to make results comparable with those of pyveg.

Products     Products with 50 % cloud or more are left out.
Pixels       Masks are ignored: in the black/white image a masked pixel becomes what the filters make of mid-grey, and
             it counts as ground. Pixels that are black in the RGB image are lost; an all-grey sub-image is not used.
             Negative reflectances are used, where NDVI is not defined.
Coordinates  Centres of sub-images come from pyveg's division of the site's square in degrees.
Series       Values beyond 3 standard deviations are dropped; LOESS over 4 points; gaps in the site's mean are filled
             by interpolation; first differences instead of detrending; all sub-images of a date, not the same number
             on each. No series is refused as too short, and no Ornstein-Uhlenbeck process is fitted.
Reports      Reports state the mode.

Two things are not copied: pyveg ignores the radiometric offset of newer baselines, and breaks ties of the centrality
by rounding noise.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# why a sub-image that is all grey is not used
NO_COLOUR = "no coloured pixel (mode: pyveg)"
CAVEAT = (
    "Mode pyveg follows pyveg: outliers dropped, gaps interpolated, first differences. "
    "Interpolation itself raises autocorrelation; the mode is for comparison with pyveg's results."
)
OUTLIER_SIGMAS = 3
LOESS_POINTS = 4


@dataclass(frozen=True)
class Mode:
    """Everything that depends on the mode; the defaults are those of mode `default`.

    Attributes
    ----------
    name : str
        Name in the configuration.
    cloud_limit : float
        Percent; products with at least this cloud cover are left out.
    uses_masks : bool
        Whether masked pixels are lost, not ground, and mid-grey in the black/white image; otherwise see `classify_rgb`.
    positive : bool
        Whether observations with a band of zero or negative reflectance are left out.
    centres_in_degrees : bool
        Whether the centres of sub-images are computed by `centres`, and not from their pixels.
    fills_gaps : bool
        Whether series are `smoothed`, and the `differences` of their means analysed.
    analysis : dict
        Values that replace those of `analysis` in the configuration.
    """

    name: str
    cloud_limit: float = math.inf
    uses_masks: bool = True
    positive: bool = True
    centres_in_degrees: bool = False
    fills_gaps: bool = False
    analysis: Mapping[str, object] = field(default_factory=dict)

    def too_cloudy(self, percent: float) -> str | None:
        """Return the reason for leaving out a product with this cloud cover, or None."""
        return (
            f"{self.cloud_limit:g} % cloud or more (mode: {self.name})"
            if percent >= self.cloud_limit
            else None
        )


MODES = {
    mode.name: mode
    for mode in (
        Mode("default"),
        Mode(
            "pyveg",
            cloud_limit=50,
            uses_masks=False,
            positive=False,
            centres_in_degrees=True,
            fills_gaps=True,
            analysis={"detrending": "none", "minimum_dates": 0, "equal_n": False},
        ),
    )
}


def classify_rgb(rgb: NDArray[np.uint8]) -> tuple[Mask, Mask, Mask]:
    """Classify pixels as pyveg does, from the RGB image alone.

    Parameters
    ----------
    rgb : (h, w, 3) uint8 array

    Returns
    -------
    lost, ground, coloured : (h, w) bool arrays
        Black pixels; all pixels; pixels that are not grey.
    """
    return ~rgb.any(axis=-1), np.ones(rgb.shape[:2], bool), (rgb != rgb[..., :1]).any(axis=-1)


def centres(longitude: float, latitude: float, region_size: float, number: int) -> list[tuple[float, float]]:
    """Return the centres of sub-images as pyveg computes them, dividing the site's square in degrees evenly.

    pyveg's own image is square in degrees, so its centres and those of the pixels differ by
    1 / cos(latitude) in longitude.

    Parameters
    ----------
    longitude, latitude, region_size : float
        The site, in degrees.
    number : int
        Number of sub-images, a square number.

    Returns
    -------
    list of (longitude, latitude)
        Column by column from the north-west, rounded to 4 decimals.
    """
    n = math.isqrt(number)
    step = region_size / n
    return [
        (
            round(longitude - region_size / 2 + (i // n + 0.5) * step, 4),
            round(latitude + region_size / 2 - (i % n + 0.5) * step, 4),
        )
        for i in range(number)
    ]


def smoothed(dates: Sequence[str], vegetation: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
    """Smooth the series of sub-images as pyveg does: drop values beyond 3 standard deviations, then apply LOESS.

    Parameters
    ----------
    dates : sequence of str
        ISO 8601, in order.
    vegetation : dict of variable to (n, sub-images) float64 array
        NaN where there is no value.

    Returns
    -------
    days, vegetation
        Days since the first date, (n,) float64, and the smoothed tables (statsmodels' lowess, 3 robust iterations, as
        in pyveg's analysis_preprocessing). Gaps stay NaN; `differences` fills those of the site's mean.
    """
    days = np.array([date.fromisoformat(day).toordinal() for day in dates], dtype=float)
    return days - days[0], {name: _smooth_columns(days, table) for name, table in vegetation.items()}


def _smooth_columns(days: Array, table: Array) -> Array:
    from statsmodels.nonparametric.smoothers_lowess import lowess

    smooth = np.full(table.shape, np.nan)
    for column in range(table.shape[1]):
        rows = np.flatnonzero(np.isfinite(table[:, column]))
        values = table[rows, column]
        if len(rows) < LOESS_POINTS:
            smooth[rows, column] = values
            continue
        kept = np.abs(values - values.mean()) <= OUTLIER_SIGMAS * values.std(ddof=1)
        fraction = min(LOESS_POINTS / len(rows), 1.0)
        # four neighbouring points may have no weight left to fit; such a value is kept unsmoothed
        fitted = lowess(
            values[kept], days[rows][kept], is_sorted=True, return_sorted=False, frac=fraction, it=3
        )
        smooth[rows[kept], column] = np.where(np.isfinite(fitted), fitted, values[kept])
    return smooth


def interpolated(values: Array, positions: NDArray[np.int64]) -> Array:
    """Return the series on every period from the first value to the last, gaps filled linearly; (m,) float64."""
    present = np.isfinite(values)
    first, last = positions[present][[0, -1]]
    return np.interp(np.arange(first, last + 1), positions[present], values[present])


def differences(values: Array, positions: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Return the first differences of the gap-filled series, and the number of the period of each.

    Parameters
    ----------
    values : (n,) float64 array
        NaN where missing.
    positions : (n,) int array
        Number of the period of each value.

    Returns
    -------
    differences, positions : (m,) arrays
    """
    changes = np.diff(interpolated(values, positions))
    return changes, positions[np.isfinite(values)][0] + 1 + np.arange(len(changes))


def gaps_sentence(number: int) -> str:
    """Return the sentence that tells how gaps are treated."""
    gaps = "is 1 gap" if number == 1 else f"are {number} gaps"
    return f"There {gaps}, which mode pyveg fills by interpolation."
