"""How a site was observed: numbers of observations, sensors, platforms, orbits and baselines, and their trends."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tigerbush.errors import TigerbushError
from tigerbush.sensors import parse_name, sensor_of

Array = NDArray[np.float64]

# Landsat's sensors differ from each other as those of other missions do
_LANDSAT = re.compile(r"(L[CEMOT]0\d)_")
FACTORS = ("sensor", "platform", "relative_orbit", "baseline")
# a value of a factor that fewer dates have tells nothing
LEAST = 3


@dataclass(frozen=True)
class Factor:
    """A property of products, with the share that each of its values has in each date.

    Attributes
    ----------
    name : str
        Of `FACTORS`.
    levels : tuple of str
        Its values, the most frequent first.
    shares : (n, levels) float64 array
        They sum to 1; NaN where the products of a date are unknown.
    """

    name: str
    levels: tuple[str, ...]
    shares: Array

    def columns(self, rows: NDArray[np.bool_]) -> Array:
        """Return the shares of all values but the most frequent, at some dates; unknown ones are of that."""
        return np.nan_to_num(self.shares[rows, 1:])


def factors_of(dates: Sequence[str], products: Mapping[str, Mapping]) -> list[Factor]:
    """Return the factors that have more than one value.

    Parameters
    ----------
    dates : sequence of str
    products : dict of date to dict
        `metadata.products` of a summary.
    """
    tables: dict[str, list[Counter]] = {name: [] for name in FACTORS}
    for day in dates:
        described = [
            found for name in (products.get(day) or {}).get("products", []) if (found := _describe(name))
        ]
        for name, table in tables.items():
            table.append(Counter(each[name] for each in described if name in each))
    return [factor for name, table in tables.items() if (factor := _factor(name, table))]


def _describe(product: str) -> dict[str, str]:
    if landsat := _LANDSAT.match(product):
        return {"sensor": landsat[1]}
    try:
        name = parse_name(product)
    except TigerbushError:
        return {}
    return {
        "sensor": sensor_of(product).title,
        "platform": name.platform,
        "relative_orbit": f"R{name.relative_orbit:03}",
        "baseline": name.baseline,
    }


def _factor(name: str, table: Sequence[Counter]) -> Factor | None:
    frequent = Counter(value for counts in table for value in counts)
    levels = tuple(value for value, dates in sorted(frequent.items(), key=_most) if dates >= LEAST)
    if len(levels) < 2:
        return None
    counts = np.array([[row[value] for value in levels] for row in table], dtype=float)
    total = counts.sum(axis=1, keepdims=True)
    return Factor(name, levels, np.where(total > 0, counts / np.maximum(total, 1), np.nan))


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def trends(days: Array, n_obs: Array | None, factors: Sequence[Factor]) -> list[dict]:
    """Test the number of observations, and the share of each value of a factor, for a trend in time.

    Parameters
    ----------
    days : (n,) float64 array
    n_obs : (n,) float64 array or None
    factors : sequence of Factor

    Returns
    -------
    list of dict
        of (`n_obs` or the name of the factor), value (None for `n_obs`), tau (Kendall), p (two-sided), first, last
        (mean over the first and the last third of the dates).
    """
    rows = [] if n_obs is None else [("n_obs", None, n_obs)]
    rows += [
        (factor.name, level, share)
        for factor in factors
        for level, share in zip(factor.levels, factor.shares.T, strict=True)
    ]
    return [{"of": name, "value": level} | _trend(days, values) for name, level, values in rows]


def _trend(days: Array, values: Array) -> dict:
    from scipy.stats import kendalltau

    known = np.isfinite(values)
    if known.sum() < LEAST or np.ptp(values[known]) == 0:
        constant = float(values[known][0]) if known.any() else None
        return {"tau": 0.0, "p": 1.0, "first": constant, "last": constant}
    tau, p = kendalltau(days[known], values[known])
    third = max(known.sum() // 3, 1)
    return {
        "tau": float(tau),
        "p": float(p),
        "first": float(values[known][:third].mean()),
        "last": float(values[known][-third:].mean()),
    }
