"""The analysis of a site: from results_summary.json and the images of its dates to analysis.json."""

import importlib.metadata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.detrend import harmonics_of, stl_windows
from tigerbush.analysis.early_warning import (
    LEAST_DATES,
    Record,
    Treatment,
    analyse_record,
    power_sentence,
    refusal,
    sensitivity,
    spread_of_draws,
    varies,
    verdicts,
)
from tigerbush.analysis.indicators import INDICATORS
from tigerbush.analysis.rain import annual_cycle, anomalies, dry_spells, lagged_correlation, recoveries
from tigerbush.analysis.series import SiteSeries, common_number, equal_n, gaps, outliers, site_mean
from tigerbush.analysis.sites import surrogates_needed
from tigerbush.pyveg import MODES, differences, smoothed
from tigerbush.spatial import CLASSES
from tigerbush.variables import PRECIPITATION, row_of
from tigerbush.version import __version__

Array = NDArray[np.float64]


def analyse_site(series: SiteSeries, settings: Mapping, sites: int = 1) -> dict:
    """Analyse the series of a site; the spatial measures are added by the caller, which has the images.

    Parameters
    ----------
    series : SiteSeries
    settings : dict
        The section `analysis` of the configuration; its mode may override others.
    sites : int
        How many are compared: primary indicators need enough surrogates for so many tests.

    Returns
    -------
    dict
        As documented in docs/analysis.md; None where a number does not exist.
    """
    mode = MODES[settings["mode"]]
    used = {**settings, **mode.analysis}
    treated = _smoothed(series) if mode.fills_gaps else series
    result = {
        "site": series.site,
        "mode": mode.name,
        "software": _software(),
        "seed": settings["seed"],
        "configuration": dict(settings),
        "days_per_step": series.days_per_step,
        "detrending": _detrending(series, used),
        "metadata": dict(series.metadata),
        "series": _series(treated),
        "completeness": _completeness(series),
        "early_warning": _early_warning(treated, used, surrogates_needed(sites, **settings["fdr"])),
        "weather": {"lagged_correlation": _lags(series)},
        "recovery": _recovery(series),
        "spatial": {},
    }
    return without_nan(result)


def spatial_series(measures: Iterable[tuple[str, Mapping]], metrics: Mapping) -> dict:
    """Arrange the measures of dates as series: per metric label, unit, dates, values."""
    dated = list(measures)
    return without_nan(
        {
            name: {
                "label": label,
                "unit": unit,
                "dates": [day for day, _ in dated],
                "values": [values[name] for _, values in dated],
            }
            for name, (label, unit) in metrics.items()
        }
    )


def patch_size_series(patches: Iterable[tuple[str, Sequence[int]]], resolution: float) -> dict:
    """Arrange the patches of dates by classes of area: lower edges in m2, dates, counts of each date and class."""
    dated = list(patches)
    return {
        "unit": "m2",
        "edges": (CLASSES * resolution**2).tolist(),
        "dates": [day for day, _ in dated],
        "counts": [list(counts) for _, counts in dated],
    }


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
    products = series.metadata.get("products") or {}
    return {
        "dates": len(series.dates),
        "with_data": int(series.with_data.sum()),
        "n_sub_images": number,
        "n_obs": None if series.n_obs is None else site_mean(series.n_obs)[0],
        "products": {day: len(lineage.get("products", [])) for day, lineage in products.items()},
    }


def _early_warning(series: SiteSeries, settings: Mapping, primary_surrogates: int) -> dict:
    number = int(series.with_data.sum())
    refused = refusal(number, max(settings["minimum_dates"], LEAST_DATES - 1))
    primary = dict(settings["primary"])
    warning = {
        "refused": refused,
        "power": power_sentence(number),
        "primary": primary,
        "indicators": {},
        "ornstein_uhlenbeck": {},
        "sensitivity": {},
        "subsampling": None,
        "disagreement": {},
        "constant": [],
    }
    if refused:
        return warning
    treatment = Treatment(*(settings[key] for key in ("window", "bandwidth", "harmonics", "detrending")))
    subsampling = {}
    for variable in series.vegetation:
        record = next(_records(series, variable, settings, 1), None)
        if record is None:
            continue
        if not varies(record, treatment, np.nanmax(np.abs(series.vegetation[variable]))):
            warning["constant"].append(variable)
            continue
        random = _generator(settings["seed"], series.site, variable)
        extra = {primary["indicator"]: primary_surrogates} if variable == primary["variable"] else None
        indicators, rate = analyse_record(record, treatment, settings["surrogates"], random, extra=extra)
        warning["disagreement"][variable] = verdicts(indicators)
        warning["indicators"][variable] = {
            name: _dated(result, series) for name, result in indicators.items()
        }
        if not MODES[settings["mode"]].fills_gaps:
            warning["ornstein_uhlenbeck"][variable] = rate
        warning["sensitivity"][variable] = sensitivity(record, treatment, list(INDICATORS))
        if settings["equal_n"]:
            subsampling[variable] = _subsampling(series, variable, treatment, settings, len(record.values))
    if not warning["indicators"]:
        warning["refused"] = (
            f"no measure of the vegetation has {LEAST_DATES} values that vary beyond their season and trend, so there "
            "is nothing to test."
        )
    if settings["equal_n"]:
        warning["subsampling"] = {"variables": subsampling, "observations": _observations(series)}
    return warning


def _records(series: SiteSeries, variable: str, settings: Mapping, number: int) -> Iterator[Record]:
    """Yield the series that is analysed, as often as it is drawn; nothing when it is too short."""
    table = series.vegetation[variable]
    random = _generator(settings["seed"], series.site, variable, "draw")
    for _ in range(number):
        if MODES[settings["mode"]].fills_gaps:
            mean = site_mean(table)[0]
            if np.isfinite(mean).sum() < LEAST_DATES:
                return
            values, places = differences(mean, series.positions)
            yield Record(values, places * series.days_per_step, places, series.days_per_step)
            continue
        values = equal_n(table, common_number(table), random) if settings["equal_n"] else site_mean(table)[0]
        present = np.isfinite(values)
        if present.sum() < LEAST_DATES:
            return
        weights = None
        if settings["observation_noise"] and series.n_obs is not None:
            weights = np.maximum(site_mean(series.n_obs)[0][present], 1e-3)
        times = series.days[present], series.positions[present], series.days_per_step
        yield Record(values[present], *times, weights)


def _subsampling(
    series: SiteSeries, variable: str, treatment: Treatment, settings: Mapping, dates: int
) -> dict:
    table = series.vegetation[variable]
    draws = _records(series, variable, settings, settings["repetitions"])
    return {
        "n": common_number(table),
        "repetitions": settings["repetitions"],
        "dates": dates,
        "left_out": int(np.isfinite(table).any(axis=1).sum()) - dates,
        "tau": spread_of_draws(draws, treatment, list(INDICATORS)),
    }


def _observations(series: SiteSeries) -> dict | None:
    """Test the number of observations of a pixel for a trend, which would mimic a trend of the noise."""
    from scipy.stats import kendalltau

    if series.n_obs is None:
        return None
    mean = site_mean(series.n_obs)[0]
    present = np.isfinite(mean)
    if present.sum() < 3 or np.ptp(mean[present]) == 0:
        return {"tau": 0.0, "p": 1.0}
    tau, p = kendalltau(series.days[present], mean[present])
    return {"tau": float(tau), "p": float(p)}


def _dated(indicator: Mapping, series: SiteSeries) -> dict:
    ends = indicator["ends"]
    # a window may end in a hole of the dates: it gets the date before
    last = np.searchsorted(series.positions, ends, side="right") - 1
    return {
        "label": indicator["label"],
        "dates": [series.dates[i] for i in last],
        **{key: indicator[key] for key in ("values", "tau", "direction", "p", "surrogates")},
    }


def _generator(seed: int, *names: str) -> np.random.Generator:
    """Return the same numbers for the same seed and names, whatever else is analysed."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


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
