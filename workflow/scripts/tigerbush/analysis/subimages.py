"""Trends of early-warning indicators in each sub-image of a site, for maps.

Sub-images share the weather and the scenes of their site: they are not replicates, and no trend of one is tested.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.early_warning import LEAST_DATES, Record, Treatment, Windows, refusal, varies
from tigerbush.analysis.indicators import INDICATORS
from tigerbush.analysis.series import SiteSeries
from tigerbush.pyveg import MODES

Array = NDArray[np.float64]

# a fit of each window of each sub-image would take minutes
TOO_SLOW = ("rate_ou",)


def sub_image_trends(series: SiteSeries, settings: Mapping) -> dict:
    """Compute Kendall's tau of each indicator of the primary variable in each sub-image.

    Parameters
    ----------
    series : SiteSeries
    settings : dict
        The section `analysis` of the configuration.

    Returns
    -------
    dict
        variable; refused (why nothing is computed, or None); latitude, longitude, n (values) of each sub-image; tau, by
        indicator, of each sub-image: None where it has too few values, or none that vary beyond season and trend.
    """
    variable = settings["primary"]["variable"]
    minimum = max(settings["minimum_dates"], LEAST_DATES - 1)
    table = series.vegetation.get(variable, np.empty((len(series.dates), 0)))
    result = {
        "variable": variable,
        "refused": refusal(int(series.with_data.sum()), minimum),
        "latitude": [place[0] for place in series.places],
        "longitude": [place[1] for place in series.places],
        "n": np.isfinite(table).sum(axis=0),
        "tau": {},
    }
    if MODES[settings["mode"]].fills_gaps:
        result["refused"] = "mode pyveg analyses the mean of the sub-images alone."
    if result["refused"]:
        return result
    treatment = Treatment(*(settings[key] for key in ("window", "bandwidth", "harmonics", "detrending")))
    names = [name for name in INDICATORS if name not in TOO_SLOW]
    taus = np.full((len(names), table.shape[1]), np.nan)
    # those with the same dates share the matrix that detrends them
    for present in np.unique(np.isfinite(table), axis=1).T:
        columns = np.flatnonzero((np.isfinite(table) == present[:, None]).all(axis=0))
        if present.sum() > minimum:
            taus[:, columns] = _taus(series, table[:, columns], present, treatment, names)
    return result | {"tau": dict(zip(names, taus, strict=True))}


def _taus(
    series: SiteSeries, columns: Array, present: NDArray[np.bool_], treatment: Treatment, names: list[str]
) -> Array:
    """Return tau of sub-images with the same dates, (indicators, sub-images); NaN where nothing varies."""
    values = columns[present].T
    times = series.days[present], series.positions[present], series.days_per_step
    taus = Windows(Record(values[0], *times), treatment).taus(values, names)
    vary = [varies(Record(own, *times), treatment, float(np.abs(own).max())) for own in values]
    return np.where(vary, [taus[name] for name in names], np.nan)
