"""The p of a test with its error, from few surrogates also where it is small.

By counting, a p cannot be smaller than 1 / (surrogates + 1): many tests together would need millions of surrogates
each. So the tail of the surrogates is continued where few of them are as extreme as the record.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from tigerbush.analysis.surrogates import p_value

Array = NDArray[np.float64]

# the tail is continued from this share of the surrogates, at least so many
SHARE, LEAST = 0.1, 20
# where fewer are as extreme as the record, and a count gives at most this p
FEW_EXTREME, SMALL = 10, 0.01
# standard errors of a 95 % interval
WIDTH = 1.96


@dataclass(frozen=True)
class Significance:
    """The p of a test.

    Attributes
    ----------
    p : float
    low, high : float
        95 % interval of what p would be with any number of surrogates.
    surrogates : int
    """

    p: float
    low: float
    high: float
    surrogates: int


def significance(observed: float, surrogates: Array, direction: int) -> Significance:
    """Return the p of a record among surrogates, with its error.

    Parameters
    ----------
    observed, surrogates, direction
        As of `tigerbush.analysis.surrogates.p_value`.

    Returns
    -------
    Significance
        The share of surrogates as extreme, the record itself counted; where few are and it is small, that of
        `exponential_tail` if it is less (Knijnenburg et al. 2009, Bioinformatics 25, i161, who fit a generalised
        Pareto tail: its shape, from so few values, would make the error many times greater).
    """
    if not direction:
        up, down = (significance(observed, surrogates, sign) for sign in (1, -1))
        nearer = up if up.p <= down.p else down
        return Significance(
            *(min(1.0, 2 * value) for value in (nearer.p, nearer.low, nearer.high)), nearer.surrogates
        )
    number, p = len(surrogates), p_value(observed, surrogates, direction)
    error = WIDTH * np.sqrt((1 - p) / (p * (number + 1)))
    counted = p, float(p * np.exp(-error)), min(1.0, float(p * np.exp(error)))
    if round(p * (number + 1)) > FEW_EXTREME or p > SMALL:
        return Significance(*counted, number)
    # a surrogate without a value is not as extreme
    values = np.where(np.isnan(surrogates), -np.inf, direction * surrogates)
    fitted, low, high = exponential_tail(direction * observed, values)
    # whatever the tail, the share holds, and so does its lower limit where any surrogate is as extreme
    if p * (number + 1) > 1.5:
        fitted = max(fitted, counted[1])
    return Significance(*min(counted, (fitted, low, max(fitted, high))), number)


def exponential_tail(observed: float, surrogates: Array) -> tuple[float, float, float]:
    """Continue the upper tail of surrogates by an exponential one.

    The k excesses over the next value, u, sum up to S. A further value exceeds u by x or more with a chance of
    (k + 1) / (b + 1) (1 + x / S) ** -k: exact, since x k / S has an F distribution. A ratio of average likelihoods,
    whose logarithm `falling_rate` tests, exceeds exp(x) at most with a chance of exp(-x); Kendall's tau is bounded:
    where a tail is lighter than exponential, p is too large.

    Parameters
    ----------
    observed : float
    surrogates : (b,) float64 array

    Returns
    -------
    p, low, high : float
        With the 95 % interval from the share beyond u and from S, which has a gamma distribution. p is 1 where the tail
        has no spread.
    """
    size = min(max(round(SHARE * len(surrogates)), LEAST), len(surrogates) - 1)
    start, *tail = np.sort(surrogates)[-size - 1 :]
    if not np.isfinite(start) or start == tail[-1]:
        return 1.0, 1.0, 1.0
    total = float(np.sum(np.subtract(tail, start)))
    share, excess = (size + 1) / (len(surrogates) + 1), (observed - start) / total
    ends = size - gammaincinv(size, (0.975, 0.025))
    low, high = (np.sign(end) * np.hypot(WIDTH / np.sqrt(size), excess * end) for end in ends)
    middle = share * np.exp(-size * excess)
    return (
        float(share * (1 + excess) ** -size),
        float(middle * np.exp(low)),
        min(1.0, float(middle * np.exp(high))),
    )
