"""All tests of a site as one: how likely the smallest of their p-values is if nothing slows down."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.indicators import INDICATORS
from tigerbush.analysis.surrogates import p_value

Array = NDArray[np.float64]


def within_variable(
    indicators: Mapping[str, Mapping], taus: Mapping[str, Array], evidence: float | None, drawn: Array | None
) -> float | None:
    """Return the p of the smallest p of a variable's tests, which depend on each other.

    Parameters
    ----------
    indicators : dict of str to dict
        From `tigerbush.analysis.early_warning.trends_of_indicators`.
    taus : dict of str to (b,) float64 array
        Of the surrogates.
    evidence : float or None
        Of a falling rate, of the record.
    drawn : (m,) float64 array or None
        Of the first m surrogates.

    Returns
    -------
    float or None
        By the minima of the surrogates themselves (Westfall & Young 1993); None without a test. Skewness and kurtosis,
        which have no direction, are no tests of slowing.
    """
    size = len(drawn) if drawn is not None else min(map(len, taus.values()))
    tests = [(evidence, drawn)] if drawn is not None else []
    for name, result in indicators.items():
        direction = INDICATORS[name][1]
        if direction and result["p"]["ar1"] is not None:
            tests.append((direction * result["tau"], direction * taus[name][:size]))
    if not tests:
        return None
    # shares of the surrogates, the record itself counted, that are as extreme; for each surrogate and for the record
    together = np.array([np.append(surrogates, observed) for observed, surrogates in tests])
    ordered = np.sort(together, axis=1)
    shares = np.array(
        [
            size + 1 - np.searchsorted(row, values, "left")
            for row, values in zip(ordered, together, strict=True)
        ]
    )
    smallest = shares.min(axis=0)
    return p_value(-float(smallest[-1]), -smallest[:-1].astype(float), 1)


def over_variables(p_values: Mapping[str, float | None]) -> dict:
    """Combine the variables of a site by Bonferroni's inequality, whatever their dependence.

    Returns
    -------
    dict
        p (None without a test), variables (their number).
    """
    known = [p for p in p_values.values() if p is not None]
    return {"p": min(1.0, len(known) * min(known)) if known else None, "variables": len(known)}
