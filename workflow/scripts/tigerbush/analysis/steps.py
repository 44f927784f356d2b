"""Steps of the mean: a fire, clearing, another sensor. Found before slowing is tested, which they would feign."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.null_model import NullModel
from tigerbush.analysis.surrogates import p_value

Array = NDArray[np.float64]

MOST = 3
# a step is called one only where it is clear; the test of slowing allows for others
SURROGATES, LEVEL = 199, 0.01
# standard errors on either side of a 95 % interval
BOUND = 1.96
# what the log likelihood of other places may lack in a 95 % interval (Eo & Morley 2015, Quantitative Economics 6, 463)
PLACE_LIMIT = -2 * np.log(1 - np.sqrt(0.95)) / 2


@dataclass(frozen=True)
class Step:
    """A step of the mean.

    Attributes
    ----------
    index, earliest, latest : int
        Of the first value after it: the most likely one, and the bounds of its 95 % interval.
    size, low, high : float
        In the unit of the series, with its 95 % interval at the most likely place.
    p : float
        Of a step at any place, against surrogates without one.
    """

    index: int
    earliest: int
    latest: int
    size: float
    low: float
    high: float
    p: float


def find_steps(
    fit: Callable[[Array], NullModel], number: int, random: np.random.Generator
) -> tuple[list[Step], Array]:
    """Find up to three steps, the clearest first.

    Parameters
    ----------
    fit : callable
        Fits the null model with more columns of the mean, (n, k) float64.
    number : int
        Of the values, n.
    random : Generator

    Returns
    -------
    steps, columns : list of Step, (n, k) float64 array
        In order of time; 0 before each step and 1 after it.
    """
    steps: list[Step] = []
    columns = np.empty((number, 0))
    while len(steps) < MOST:
        null = fit(columns)
        _, drawn = null.test.likely_steps(null.simulate(SURROGATES, random))
        p = p_value(null.evidence.step[0], drawn, 1)
        if p > LEVEL:
            break
        steps.append(_step(null, p))
        columns = np.column_stack([columns, np.arange(number) >= steps[-1].index])
    order = np.argsort([step.index for step in steps])
    return [steps[i] for i in order], columns[:, order]


def _step(null: NullModel, p: float) -> Step:
    test, index = null.test, int(null.evidence.place[0])
    cell = test.cell(
        np.full(len(test.between), np.exp(null.evidence.rate[0])), float(null.evidence.intensity[0])
    )
    ratios = test.step_ratios(cell, null.values[None])[0]
    # n log(1 + F / freedom) is twice the log of the ratio of likelihoods
    freedom = test.freedom - 2
    lack = test.freedom * (np.log1p(ratios.max() / freedom) - np.log1p(ratios / freedom)) / 2
    likely = test.places[lack <= PLACE_LIMIT]
    after = (np.arange(len(test.days)) >= index).astype(float)[:, None]
    sizes, covariance = null.effects(after, np.column_stack([test.means, test.arc]))
    error = BOUND * np.sqrt(covariance[0, 0])
    low, high = float(sizes[0] - error), float(sizes[0] + error)
    return Step(index, int(likely.min()), int(likely.max()), float(sizes[0]), low, high, p)
