"""The analysis of a site: from results_summary.json and the images of its dates to analysis.json."""

import importlib.metadata
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.changes import changes_of
from tigerbush.analysis.detrend import harmonics_of, stl_windows
from tigerbush.analysis.quality import data_quality
from tigerbush.analysis.rain import annual_cycle, anomalies, dry_spells, lagged_correlation, recoveries
from tigerbush.analysis.series import SiteSeries, gaps, outliers, site_mean
from tigerbush.analysis.subimages import sub_image_trends
from tigerbush.analysis.warning import early_warning
from tigerbush.pyveg import MODES, smoothed
from tigerbush.variables import PRECIPITATION, row_of
from tigerbush.version import __version__

Array = NDArray[np.float64]


def analyse_site(series: SiteSeries, settings: Mapping) -> dict:
    """Analyse the series of a site; the spatial measures are added by the caller, which has the images.

    Parameters
    ----------
    series : SiteSeries
    settings : dict
        The section `analysis` of the configuration; its mode may override others.

    Returns
    -------
    dict
        As documented in docs/analysis.md; None where a number does not exist.
    """
    mode = MODES[settings["mode"]]
    used = {**settings, **mode.analysis}
    treated = _smoothed(series) if mode.fills_gaps else series
    table = _series(treated)
    result = {
        "site": series.site,
        "mode": mode.name,
        "software": _software(),
        "seed": settings["seed"],
        "configuration": dict(settings),
        "days_per_step": series.days_per_step,
        "detrending": _detrending(series, used),
        "metadata": dict(series.metadata),
        "series": table,
        "changes": changes_of(table, series.days_per_step),
        "completeness": _completeness(series),
        "data_quality": data_quality(_lineages(series)),
        "early_warning": early_warning(treated, used),
        "sub_images": sub_image_trends(series, used),
        "weather": {"lagged_correlation": _lags(series)},
        "recovery": _recovery(series),
        "spatial": {},
        "spatial_dates": {},
        "spatial_summary": {},
        "spatial_warning": {},
    }
    return without_nan(result)


def without_nan(value: object) -> object:
    """Return JSON's own types, None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): without_nan(child) for key, child in value.items()}
    if isinstance(value, np.ndarray):
        return without_nan(value.tolist())
    if isinstance(value, list | tuple):
        return [without_nan(child) for child in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _software() -> dict[str, str]:
    names = ("numpy", "scipy", "statsmodels")
    return {"tigerbush": __version__} | {name: importlib.metadata.version(name) for name in names}


def _smoothed(series: SiteSeries) -> SiteSeries:
    days, vegetation = smoothed(series.dates, series.vegetation)
    return replace(series, days=days, vegetation=vegetation)


def _detrending(series: SiteSeries, settings: Mapping) -> dict:
    method = settings["detrending"]
    period = max(round(series.steps_per_year), 2)
    return {
        "method": method,
        "bandwidth": settings["bandwidth"] if method == "gaussian" else None,
        "harmonics": harmonics_of(series.days, series.days_per_step, settings["harmonics"]),
        "stl": stl_windows(period) if method == "stl" else None,
        "first_differences": MODES[settings["mode"]].fills_gaps,
    }


def _series(series: SiteSeries) -> dict:
    table = {}
    for name in (*series.vegetation, *series.weather):
        if name in series.vegetation:
            mean, spread, number = site_mean(series.vegetation[name])
        else:
            mean = series.weather[name]
            spread, number = np.full(mean.shape, np.nan), np.isfinite(mean).astype(int)
        present = np.isfinite(mean)
        table[name] = {
            "label": row_of(name).label,
            "unit": row_of(name).unit,
            "dates": series.dates,
            "mean": mean,
            "std": spread,
            "n": number,
            "outliers": [series.dates[i] for i in np.flatnonzero(outliers(series.days, mean))],
            "gaps": gaps(present, series.dates),
        }
    return table


def _completeness(series: SiteSeries) -> dict:
    tables = list(series.vegetation.values())
    number = np.max([np.isfinite(table).sum(axis=1) for table in tables], axis=0)
    products = _lineages(series)
    return {
        "dates": len(series.dates),
        "with_data": int(series.with_data.sum()),
        "n_sub_images": number,
        "n_obs": None if series.n_obs is None else site_mean(series.n_obs)[0],
        "products": {day: len(lineage.get("products", [])) for day, lineage in products.items()},
    }


def _lineages(series: SiteSeries) -> dict[str, Mapping]:
    """Return the lineage of each date that the summary names products of."""
    return {day: lineage or {} for day, lineage in (series.metadata.get("products") or {}).items()}


def _lags(series: SiteSeries) -> dict:
    rain = series.weather[PRECIPITATION]
    if not np.isfinite(rain).any():
        return {}
    rain_anomalies = anomalies(rain, series.days, series.days_per_step)
    correlations = {}
    for variable, table in series.vegetation.items():
        mean = site_mean(table)[0]
        lags = lagged_correlation(
            anomalies(mean, series.days, series.days_per_step), rain_anomalies, series.positions
        )
        known = [abs(value) if value is not None else -1 for value in lags["correlation"]]
        best = int(np.argmax(known)) if max(known) >= 0 else None
        correlations[variable] = lags | {
            "best_lag": best,
            "best_correlation": None if best is None else lags["correlation"][best],
            "raw_correlation": lagged_correlation(mean, rain, series.positions)["correlation"],
            "days_per_lag": series.days_per_step,
        }
    return correlations


def _recovery(series: SiteSeries) -> dict:
    rain = series.weather[PRECIPITATION]
    nominal = np.array([date.fromisoformat(day).toordinal() for day in series.dates], dtype=float)
    spells = dry_spells(rain, nominal - nominal[0], series.positions, series.days_per_step)
    cycles, recovered = {}, []
    for variable, table in series.vegetation.items():
        mean = site_mean(table)[0]
        cycles[variable] = annual_cycle(mean, series.days, series.dates)
        deviations = anomalies(mean, series.days, series.days_per_step)
        for recovery in recoveries(deviations, series.days, spells):
            index = recovery.pop("index")
            recovered.append({"start": series.dates[index], "variable": variable, **recovery})
    return {"annual_cycle": cycles, "dry_spells": recovered}
