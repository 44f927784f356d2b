"""Steps of the mean: a fire, clearing, another sensor. Found before slowing is tested, which they would feign."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.null_model import NullModel
from tigerbush.analysis.surrogates import p_value

Array = NDArray[np.float64]

# no more are looked for
MOST = 4
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
    """Find steps, the clearest first: one at a time, or two at a time where they hide each other.

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
    places: list[int] = []
    chances: list[float] = []
    while len(places) < MOST:
        found, p = _more(fit(_columns(places, number)), random, MOST - len(places))
        if not found:
            break
        places, chances = places + found, chances + [p] * len(found)
    steps = []
    for i, p in enumerate(chances):
        steps.append(_step(fit(_columns(places[:i] + places[i + 1 :], number)), p))
        places[i] = steps[-1].index
    steps.sort(key=lambda step: step.index)
    return steps, _columns([step.index for step in steps], number)


def _columns(places: Sequence[int], number: int) -> Array:
    return (np.arange(number)[:, None] >= np.array(places, int)).astype(float)


def _more(null: NullModel, random: np.random.Generator, room: int) -> tuple[list[int], float]:
    """Return the first values after one more step, or after two if there is room, and their p; or none."""
    drawn = null.simulate(SURROGATES, random)
    p = p_value(null.evidence.step[0], null.test.likely_steps(drawn)[1], 1)
    if p <= LEVEL:
        return [int(null.evidence.place[0])], p
    if room < 2:
        return [], p
    pair, statistic = null.test.likely_pairs(null.values[None])
    p = p_value(statistic[0], null.test.likely_pairs(drawn)[1], 1)
    return (null.test.places[pair[0]].tolist() if p <= LEVEL else []), p


def _step(null: NullModel, p: float) -> Step:
    test, index = null.test, int(null.evidence.place[0])
    cell = test.cell(
        np.full(len(test.between), np.exp(null.evidence.rate[0])), float(null.evidence.intensity[0])
    )
    gains, squares = test.step_gains(cell, null.values[None])
    left = np.log(squares - gains[0])
    lack = test.freedom * (left - left.min()) / 2
    # the place itself is the likeliest at any rate, these are likely at that of the record
    likely = np.append(test.places[lack <= PLACE_LIMIT], index)
    after = (np.arange(len(test.days)) >= index).astype(float)[:, None]
    sizes, covariance = null.effects(after, np.column_stack([test.means, test.arc]))
    error = BOUND * np.sqrt(covariance[0, 0])
    low, high = float(sizes[0] - error), float(sizes[0] + error)
    return Step(index, int(likely.min()), int(likely.max()), float(sizes[0]), low, high, p)
