"""The early warning of a site: the indicators of every variable, and one conclusion from the pre-specified primary."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.assessment import FEW, Assessment, Circumstances, conclude
from tigerbush.analysis.courses import sensors, yearly_amplitudes
from tigerbush.analysis.detrend import YEAR, harmonics_of, mean_columns
from tigerbush.analysis.early_warning import (
    LEAST_DATES,
    Record,
    Treatment,
    refusal,
    sensitivity,
    spread_of_draws,
    trends_of_indicators,
    varies,
    verdicts,
)
from tigerbush.analysis.family import over_variables, within_variable
from tigerbush.analysis.indicators import INDICATORS
from tigerbush.analysis.null_model import LEVEL, NullModel
from tigerbush.analysis.observations import factors_of, trends
from tigerbush.analysis.ornstein_uhlenbeck import SeasonalProcess, fit_site
from tigerbush.analysis.rain_driver import rain_as_driver, rain_columns
from tigerbush.analysis.series import SiteSeries, common_number, equal_n, site_mean
from tigerbush.analysis.steps import Step
from tigerbush.analysis.surrogates import p_value
from tigerbush.analysis.tail import Significance, significance
from tigerbush.pyveg import MODES, differences
from tigerbush.variables import PRECIPITATION

Array = NDArray[np.float64]

# the test of `tigerbush.analysis.slowing`, beside the moving-window indicators
FALLING_RATE = "falling_rate"
# code of the explanation by a factor of the observation
CODES = {
    "sensor": "sensor_change",
    "platform": "platform_change",
    "relative_orbit": "orbit_change",
    "baseline": "baseline_change",
}


def early_warning(series: SiteSeries, settings: Mapping) -> dict:
    """Assess the early warning of a site.

    Parameters
    ----------
    series : SiteSeries
    settings : dict
        The section `analysis` of the configuration, as its mode has it.

    Returns
    -------
    dict
        As documented in docs/analysis.md.
    """
    number = int(series.with_data.sum())
    refused = refusal(number, max(settings["minimum_dates"], LEAST_DATES - 1))
    warning = {
        "sign": None,
        "why": ["too_short"] if refused else [],
        "alternatives": {},
        "refused": refused,
        "primary": dict(settings["primary"]) | dict.fromkeys(("p", "p_low", "p_high", "surrogates")),
        "family": None,
        "power": None,
        "indicators": {},
        "ornstein_uhlenbeck": {},
        "steps": {},
        "noise": {},
        "season": {},
        "sensors": [],
        "rain": None,
        "observations": [],
        "sensitivity": {},
        "subsampling": None,
        "disagreement": {},
        "constant": [],
    }
    return warning if refused else _Site(series, settings).fill(warning)


class _Site:
    """The variables of a site, one after the other."""

    def __init__(self, series: SiteSeries, settings: Mapping) -> None:
        self.series, self.settings = series, settings
        self.primary = settings["primary"]
        self.treatment = Treatment(
            *(settings[key] for key in ("window", "bandwidth", "harmonics", "detrending"))
        )
        self.fills_gaps = MODES[settings["mode"]].fills_gaps
        self.n_obs = None if series.n_obs is None else site_mean(series.n_obs)[0]
        self.factors = factors_of(series.dates, series.metadata.get("products") or {})
        self.trends = trends(series.days, self.n_obs, self.factors)

    def fill(self, warning: dict) -> dict:
        """Fill in what can be told."""
        family, subsampling = {}, {}
        warning["observations"] = self.trends
        for variable in self.series.vegetation:
            record = next(records(self.series, variable, self.settings, 1), None)
            if record is None:
                continue
            if not varies(record, self.treatment, np.nanmax(np.abs(self.series.vegetation[variable]))):
                warning["constant"].append(variable)
                continue
            family[variable] = self._variable(warning, variable, record)
            if self.settings["equal_n"]:
                subsampling[variable] = self._subsampling(variable, len(record.values))
        warning["family"] = over_variables(family)
        if self.settings["equal_n"]:
            warning["subsampling"] = {"variables": subsampling}
        if self.primary["variable"] in warning["constant"]:
            warning["why"] = ["constant"]
        elif warning["primary"]["p"] is None and not warning["why"]:
            warning["why"] = ["no_value"]
        if not warning["indicators"]:
            warning["refused"] = (
                f"no measure of the vegetation has {LEAST_DATES} values that vary beyond their season and trend, so "
                "there is nothing to test."
            )
        return warning

    def _variable(self, warning: dict, variable: str, record: Record) -> float | None:
        """Assess a variable; return the p of all its tests together."""
        rows = np.isin(self.series.positions, record.positions)
        assessment = self._assessment(variable, record, rows)
        null = assessment.null
        surrogates = null.simulate(self.settings["surrogates"], self.generator(variable, "surrogates"))
        treated = replace(record, columns=assessment.columns)
        indicators, taus = trends_of_indicators(
            treated, self.treatment, surrogates, self.generator(variable, "phases")
        )
        warning["indicators"][variable] = {name: self._dated(each) for name, each in indicators.items()}
        warning["disagreement"][variable] = verdicts(indicators)
        warning["sensitivity"][variable] = sensitivity(treated, self.treatment, list(INDICATORS))
        evidence = null.test.evidence(surrogates[:FEW]).slowing if not self.fills_gaps else None
        if evidence is not None:
            warning["steps"][variable] = [self._step(step, rows) for step in assessment.found[0]]
            warning["noise"][variable] = self._noise(assessment.courses["noise"], rows)
            warning["season"][variable] = self._season(assessment)
            warning["ornstein_uhlenbeck"][variable] = self._rate(variable, assessment, evidence)
        if variable == self.primary["variable"]:
            self._conclude(warning, assessment, indicators)
        return within_variable(
            indicators, taus, None if evidence is None else float(null.evidence.slowing[0]), evidence
        )

    def _assessment(self, variable: str, record: Record, rows: NDArray[np.bool_]) -> Assessment:
        def seed(name: str) -> np.random.Generator:
            return self.generator(variable, name)

        question = partial(_p_of_tau, record, self.treatment, self.primary["indicator"])
        if self.primary["indicator"] == FALLING_RATE:
            question = p_of_rate
        if self.fills_gaps:
            return Assessment(
                record, 0, Circumstances(np.empty((len(record.values), 0))), seed, question, steps=False
            )
        harmonics = harmonics_of(record.days, record.days_per_step, self.treatment.harmonics)
        return Assessment(record, harmonics, self._circumstances(rows), seed, question)

    def _circumstances(self, rows: NDArray[np.bool_]) -> Circumstances:
        sensors = np.empty((rows.sum(), 0))
        factors = {}
        for factor in self.factors:
            if factor.name == "sensor":
                sensors = factor.columns(rows)
            elif any(trend["of"] == factor.name and trend["p"] <= LEVEL for trend in self.trends):
                factors[CODES[factor.name]] = factor.columns(rows)
        series = self.series
        rain = rain_columns(
            series.weather[PRECIPITATION], series.days, series.positions, series.days_per_step
        )
        return Circumstances(
            sensors,
            factors,
            None if rain is None else rain[rows],
            any(trend["of"] == "n_obs" and trend["p"] <= LEVEL for trend in self.trends),
        )

    def _conclude(self, warning: dict, assessment: Assessment, indicators: Mapping) -> None:
        """Draw the conclusion from the primary."""
        if self.fills_gaps:
            warning["why"] = ["mode_pyveg"]
            return
        answer = assessment.question(
            assessment.null, assessment.columns, self.settings["surrogates"], self.generator("primary")
        )
        if self.primary["indicator"] == FALLING_RATE:
            warning["power"] = assessment.null.power(FEW, self.generator("power"))
        if answer is None:
            return
        warning["primary"] |= {
            "p": answer.p,
            "p_low": answer.low,
            "p_high": answer.high,
            "surrogates": answer.surrogates,
        }
        warning |= conclude(assessment, answer.p)
        names = next((factor.levels for factor in self.factors if factor.name == "sensor"), ())
        others = mean_columns(assessment.record.days, assessment.harmonics, assessment.found[1])
        warning["sensors"] = sensors(assessment.null, names, assessment.circumstances.sensors, others)
        if assessment.circumstances.rain is not None:
            warning["rain"] = rain_as_driver(assessment, self.series, self.generator("rain"))

    def _rate(self, variable: str, assessment: Assessment, evidence: Array) -> dict:
        """Estimate the restoring rate and its change."""
        record, null = assessment.record, assessment.null
        random = self.generator(variable, "rate")
        process = SeasonalProcess(
            record.days,
            record.days_per_step,
            mean_columns(record.days, assessment.harmonics, assessment.columns),
            null.test.noise,
        )
        years = (record.days[-1] - record.days[0]) / YEAR
        course = assessment.courses["rate"]
        per_year = {
            name: None if course[key] is None else course[key] / years
            for name, key in (("trend", "change"), ("trend_low", "low"), ("trend_high", "high"))
        }
        return (
            fit_site(process, record.values, self.settings["surrogates"], random)
            | per_year
            | {
                "trend_unit": "change of ln(rate) per year",
                "evidence": float(null.evidence.slowing[0]),
                "p_trend": p_value(float(null.evidence.slowing[0]), evidence, 1),
                "noise_share": null.noise_share,
                "season_spread": null.season_spread,
            }
        )

    def _dates(self, rows: NDArray[np.bool_]) -> list[str]:
        return [day for day, there in zip(self.series.dates, rows, strict=True) if there]

    def _noise(self, noise: Mapping, rows: NDArray[np.bool_]) -> dict:
        """Give a change of the noise at once the dates that it lies between."""
        step = noise["step"]
        if step:
            dates, index = self._dates(rows), step["index"]
            step = {"date": dates[index], "after": dates[index - 1], "factor": step["factor"]}
        return {**noise, "step": step}

    def _step(self, step: Step, rows: NDArray[np.bool_]) -> dict:
        """Give a step the dates that it lies between."""
        dates = self._dates(rows)
        return {
            "date": dates[step.index],
            "after": dates[step.index - 1],
            "earliest": dates[step.earliest],
            "latest": dates[step.latest],
        } | {key: getattr(step, key) for key in ("size", "low", "high", "p")}

    def _season(self, assessment: Assessment) -> dict | None:
        if assessment.season is None:
            return None
        record, first = assessment.record, date.fromisoformat(self.series.dates[0])
        yearly = yearly_amplitudes(
            record.days, record.values, assessment.columns, first, assessment.harmonics
        )
        return assessment.season | {"yearly": yearly}

    def _subsampling(self, variable: str, dates: int) -> dict:
        table = self.series.vegetation[variable]
        draws = records(self.series, variable, self.settings, self.settings["repetitions"])
        return {
            "n": common_number(table),
            "repetitions": self.settings["repetitions"],
            "dates": dates,
            "left_out": int(np.isfinite(table).any(axis=1).sum()) - dates,
            "tau": spread_of_draws(draws, self.treatment, list(INDICATORS)),
        }

    def _dated(self, indicator: Mapping) -> dict:
        # a window may end in a hole of the dates: it gets the date before
        last = np.searchsorted(self.series.positions, indicator["ends"], side="right") - 1
        return {
            "label": indicator["label"],
            "dates": [self.series.dates[i] for i in last],
            **{key: indicator[key] for key in ("values", "tau", "direction", "p", "surrogates")},
        }

    def generator(self, *names: str) -> np.random.Generator:
        """Return the same numbers for the same seed and names, whatever else is analysed."""
        return generator(self.settings["seed"], self.series.site, *names)


def p_of_rate(null: NullModel, columns: Array, surrogates: int, random: np.random.Generator) -> Significance:
    """Return the p of the evidence; the columns are in the null model already."""
    return null.p(surrogates, random)


def _p_of_tau(
    record: Record,
    treatment: Treatment,
    name: str,
    null: NullModel,
    columns: Array,
    surrogates: int,
    random: np.random.Generator,
) -> Significance | None:
    """Return the p of the tau of a moving-window indicator, with columns taken off the mean."""
    drawn = null.simulate(surrogates, random)
    results, taus = trends_of_indicators(
        replace(record, columns=columns), treatment, drawn, random, [name], phase=False
    )
    if results[name]["p"]["ar1"] is None:
        return None
    return significance(results[name]["tau"], taus[name], INDICATORS[name][1])


def records(series: SiteSeries, variable: str, settings: Mapping, number: int) -> Iterator[Record]:
    """Yield the series that is analysed, as often as it is drawn; nothing when it is too short."""
    table = series.vegetation[variable]
    random = generator(settings["seed"], series.site, variable, "draw")
    if np.isfinite(table).any(axis=1).sum() < LEAST_DATES:
        return
    for _ in range(number):
        if MODES[settings["mode"]].fills_gaps:
            values, places = differences(site_mean(table)[0], series.positions)
            yield Record(values, places * series.days_per_step, places, series.days_per_step)
            continue
        values = equal_n(table, common_number(table), random) if settings["equal_n"] else site_mean(table)[0]
        present = np.isfinite(values)
        if present.sum() < LEAST_DATES:
            return
        weights = None
        if settings["observation_noise"] and series.n_obs is not None:
            weights = np.maximum(site_mean(series.n_obs)[0][present], 1e-3)
            if not np.isfinite(weights).all() or np.ptp(weights) == 0:
                # unknown for a date; or noise that is always the same, which is no other than that of the process
                weights = None
        times = series.days[present], series.positions[present], series.days_per_step
        yield Record(values[present], *times, weights)


def generator(seed: int, *names: str) -> np.random.Generator:
    """Return the same numbers for the same seed and names."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])
