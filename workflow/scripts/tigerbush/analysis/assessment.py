"""The one conclusion about slowing down at a site: its test, what else might explain it, and the sign.

sign   true: the test finds slowing, and nothing else that was looked at explains it; false: it does not;
       null: it cannot be told, for the reasons in `why`
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.courses import p_of_season, rate_and_noise, season
from tigerbush.analysis.detrend import mean_columns
from tigerbush.analysis.early_warning import Record
from tigerbush.analysis.null_model import LEVEL, NullModel, fit_null, single_seasons
from tigerbush.analysis.steps import Step, find_steps
from tigerbush.analysis.tail import Significance

Array = NDArray[np.float64]

Question = Callable[[NullModel, Array, int, np.random.Generator], Significance | None]

# surrogates of a question besides the test itself
FEW = 199


@dataclass(frozen=True)
class Circumstances:
    """What is known of a record besides its values, at its dates.

    Attributes
    ----------
    sensors : (n, k) float64 array
        Shares of the sensors but the most frequent one, which are always in the mean.
    factors : dict of code to (n, k) float64 array
        Shares of what may move the mean: platforms, orbits, baselines that have a trend.
    rain : (n, k) float64 array or None
        From `tigerbush.analysis.rain_driver.rain_columns`.
    n_obs_trends : bool
        Whether the number of observations has a trend.
    """

    sensors: Array
    factors: Mapping[str, Array] = field(default_factory=dict)
    rain: Array | None = None
    n_obs_trends: bool = False


class Assessment:
    """The questions to one record, each answered once.

    Parameters
    ----------
    record : Record
    most_harmonics : int
        Of the year, if the record has a season.
    circumstances : Circumstances
    seed : callable
        Gives the random generator of a question, by its name.
    question : callable
        Gives the p of the primary test, from a null model, its columns of the mean besides line and season, a number of
        surrogates and a generator.
    steps : bool
        Whether steps are looked for.
    """

    def __init__(
        self,
        record: Record,
        most_harmonics: int,
        circumstances: Circumstances,
        seed: Callable[[str], np.random.Generator],
        question: Question,
        *,
        steps: bool = True,
    ) -> None:
        self.record, self.most_harmonics, self.circumstances = record, most_harmonics, circumstances
        self.seed, self.question, self.steps = seed, question, steps

    @cached_property
    def harmonics(self) -> int:
        """Those of the season; 0 where there is none, whose columns would only hide slowing."""
        record, columns = self.record, self.circumstances.sensors
        if not self.most_harmonics:
            return 0
        means = mean_columns(record.days, self.most_harmonics, columns)
        null = fit_null(
            record.days,
            record.days_per_step,
            record.values,
            means,
            weights=record.weights,
            # a steady noise is enough here, in a fifth of the time
            drifting_noise=False,
        )
        return self.most_harmonics if p_of_season(null, self.most_harmonics, columns) <= LEVEL else 0

    def fit(self, columns: Array, *, weighted: bool = True, drift: bool = True, **options: bool) -> NullModel:
        """Fit the null model with columns of the mean, (n, k) float64, besides line and season."""
        record = self.record
        return fit_null(
            record.days,
            record.days_per_step,
            record.values,
            mean_columns(record.days, self.harmonics, columns, drift=drift),
            weights=record.weights if weighted else None,
            seasons=single_seasons(record.days, record.values, self.harmonics) if drift else None,
            **options,
        )

    @cached_property
    def first(self) -> NullModel:
        """The null model before any step is known."""
        return self.fit(self.circumstances.sensors, steps=self.steps)

    @cached_property
    def found(self) -> tuple[list[Step], Array]:
        """The steps of the mean, and their columns."""
        number = len(self.record.values)
        if not self.steps:
            return [], np.empty((number, 0))
        return find_steps(self.first.with_columns, number, self.seed("steps"))

    @property
    def columns(self) -> Array:
        """What moves the mean besides line and season, (n, k) float64: sensors and steps."""
        return np.column_stack([self.circumstances.sensors, self.found[1]])

    @cached_property
    def null(self) -> NullModel:
        """The null model, with sensors and steps."""
        return self.fit(self.columns) if self.found[0] else self.first

    def _p(self, name: str, columns: Array, **options: bool) -> float | None:
        answer = self.question(self.fit(columns, **options), columns, FEW, self.seed(name))
        return None if answer is None else answer.p

    def hidden(self) -> Iterator[tuple[str, float | None]]:
        """Yield what would feign slowing if it were not accounted for, and the p that it would have."""
        circumstances, noise = self.circumstances, self.courses["noise"]
        if self.found[0]:
            yield "step", self._p("step", circumstances.sensors, steps=False)
        if circumstances.sensors.size:
            yield "sensor_change", self._p("sensor_change", self.found[1])
        if circumstances.n_obs_trends and self.record.weights is not None:
            yield "observations_trend", self._p("observations_trend", self.columns, weighted=False)
        if noise["step"] or not noise["low"] <= 0 <= noise["high"]:
            yield "noise_change", self._p("noise_change", self.columns, drifting_noise=False)
        if self.season and self.season["p"] <= LEVEL:
            yield "season_change", self._p("season_change", self.columns, drift=False)

    def explanations(self) -> Iterator[tuple[str, float | None]]:
        """Yield what may explain evidence of slowing, and the p that is left of it (None: it cannot be asked)."""
        for code, columns in self.circumstances.factors.items():
            yield code, self._p(code, np.column_stack([self.columns, columns]))
        if self.circumstances.rain is not None:
            yield (
                "rain_memory",
                self._p("rain_memory", np.column_stack([self.columns, self.circumstances.rain])),
            )
        yield "surrogates_disagree", self.null.p_phase(self.record.positions, FEW, self.seed("phase"))

    @cached_property
    def courses(self) -> dict:
        """How rate and noise have changed."""
        return rate_and_noise(self.null)

    @cached_property
    def season(self) -> dict | None:
        """How the season has changed."""
        return season(self.null, self.harmonics, self.columns)


def conclude(assessment: Assessment, p: float) -> dict:
    """Draw the conclusion from the p of the primary test.

    Returns
    -------
    dict
        sign, why (codes), alternatives (code to the p that decided: with the explanation taken out where the test
        finds slowing, without it accounted for where it does not). A sign whose rain is unknown keeps that code.
    """
    finds = p <= LEVEL
    alternatives = dict(assessment.explanations() if finds else assessment.hidden())
    why = [code for code, other in alternatives.items() if other is not None and (other > LEVEL) == finds]
    if finds and not why and assessment.circumstances.rain is None:
        return {"sign": True, "why": ["rain_unknown"], "alternatives": alternatives}
    return {"sign": None if why else finds, "why": why, "alternatives": alternatives}
