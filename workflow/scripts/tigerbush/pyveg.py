"""Mode pyveg: everything that is done differently for comparison with results of pyveg, and nothing else knows what.

Products     with 50 % cloud or more are left out.
Pixels       Masked ones are not known: in the black/white image they are what the filters make of mid-grey, and they
             count as ground. A sub-image loses the pixels that are black in its RGB; one that is all grey is not used.
Coordinates  of sub-images are those of pyveg's division of the square of degrees.
Series       Values beyond 3 standard deviations are dropped, LOESS over 4 points, gaps of the site's mean filled by
             interpolation, first differences instead of detrending; all sub-images of a date instead of equally many.
             No series is refused as too short for its indicators, and no Ornstein-Uhlenbeck process is fitted.
Reports      say so.

Not followed: pyveg ignores the radiometric offset of newer baselines, and breaks ties of the centrality by rounding
noise.
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
    """What depends on the mode; the defaults are what tigerbush does.

    Attributes
    ----------
    name : str
        As the configuration has it.
    cloud_limit : float
        Products with so much cloud or more are left out, percent.
    knows_masks : bool
        Masked pixels are lost, no ground, and mid-grey in the black/white image; else see `lost_ground_coloured`.
    divides_degrees : bool
        The centres of sub-images are `centres` instead of those of their pixels.
    fills_gaps : bool
        Series are `smoothed`, and `differences` of their means are analysed.
    analysis : dict
        What stands in the place of the settings of `analysis`.
    """

    name: str
    cloud_limit: float = math.inf
    knows_masks: bool = True
    divides_degrees: bool = False
    fills_gaps: bool = False
    analysis: Mapping[str, object] = field(default_factory=dict)

    def too_cloudy(self, percent: float) -> str | None:
        """Return why a product with so much cloud is left out, or None."""
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
            knows_masks=False,
            divides_degrees=True,
            fills_gaps=True,
            analysis={"detrending": "none", "minimum_dates": 0, "equal_n": False},
        ),
    )
}


def lost_ground_coloured(rgb: NDArray[np.uint8]) -> tuple[Mask, Mask, Mask]:
    """Tell pixels as pyveg does, which sees nothing but the RGB.

    Parameters
    ----------
    rgb : (h, w, 3) uint8 array

    Returns
    -------
    lost, ground, coloured : (h, w) bool arrays
        Black pixels; every pixel; those that are not grey.
    """
    return ~rgb.any(axis=-1), np.ones(rgb.shape[:2], bool), (rgb != rgb[..., :1]).any(axis=-1)


def centres(longitude: float, latitude: float, region_size: float, number: int) -> list[tuple[float, float]]:
    """Return the centres of sub-images that pyveg computes: the square of degrees divided by their number.

    pyveg's own image is square in degrees, so its centres and those of the pixels differ by
    1 / cos(latitude) in longitude.

    Parameters
    ----------
    longitude, latitude, region_size : float
        The site, in degrees.
    number : int
        Of sub-images, a square number.

    Returns
    -------
    list of (longitude, latitude)
        Down the columns from the north-west, rounded to 4 decimals.
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
    """Treat sub-images as pyveg does: values beyond 3 standard deviations dropped, then LOESS over 4 points.

    Parameters
    ----------
    dates : sequence of str
        ISO, in order.
    vegetation : dict of variable to (n, sub-images) float64 array
        NaN where there is no number.

    Returns
    -------
    days, vegetation
        Days since the first date, (n,) float64, and the smoothed tables (statsmodels' lowess, 3 robust iterations, as
        pyveg's analysis_preprocessing). Gaps stay NaN; `differences` fills those of the site's mean.
    """
    days = np.array([date.fromisoformat(day).toordinal() for day in dates], dtype=float)
    return days - days[0], {name: _smooth_parts(days, table) for name, table in vegetation.items()}


def _smooth_parts(days: Array, table: Array) -> Array:
    from statsmodels.nonparametric.smoothers_lowess import lowess

    smooth = np.full(table.shape, np.nan)
    for part in range(table.shape[1]):
        rows = np.flatnonzero(np.isfinite(table[:, part]))
        values = table[rows, part]
        if len(rows) < LOESS_POINTS:
            smooth[rows, part] = values
            continue
        kept = np.abs(values - values.mean()) <= OUTLIER_SIGMAS * values.std(ddof=1)
        fraction = min(LOESS_POINTS / len(rows), 1.0)
        # four points in a row may leave no weight to fit; such a value stays as it is
        fitted = lowess(
            values[kept], days[rows][kept], is_sorted=True, return_sorted=False, frac=fraction, it=3
        )
        smooth[rows[kept], part] = np.where(np.isfinite(fitted), fitted, values[kept])
    return smooth


def interpolated(values: Array, positions: NDArray[np.int64]) -> Array:
    """Return the series on every period from the first value to the last, gaps filled linearly; (m,) float64."""
    some = np.isfinite(values)
    first, last = positions[some][[0, -1]]
    return np.interp(np.arange(first, last + 1), positions[some], values[some])


def differences(values: Array, positions: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Return the first differences of the series without gaps, and the numbers of their periods.

    Parameters
    ----------
    values : (n,) float64 array
        NaN where missing.
    positions : (n,) int array
        Number of the period of each.

    Returns
    -------
    differences, positions : (m,) arrays
    """
    changes = np.diff(interpolated(values, positions))
    return changes, positions[np.isfinite(values)][0] + 1 + np.arange(len(changes))


def gaps_sentence(number: int) -> str:
    """Say what becomes of gaps."""
    return f"There are {number} gaps, which mode pyveg fills by interpolation."
