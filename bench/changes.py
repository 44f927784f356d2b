"""Measure how often changes are found where there are none, and how often their intervals hold the truth.

Prints a Markdown table for docs/evidence.md: `PYTHONPATH=workflow/scripts python -m bench.changes`. Takes ten minutes
on one core; `--series 20` shows that it runs.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.changes import change

SIZES = (36, 60, 120, 240)
# memory from month to month, and what else varies
KINDS = (
    (0.0, "plain"),
    (0.3, "plain"),
    (0.6, "plain"),
    (0.9, "plain"),
    (0.3, "years"),
    (0.3, "wet season"),
    (0.3, "clouds"),
)
STEP = 365.2425 / 12
SLOPE = 0.15


def record(random: np.random.Generator, months: int, memory: float, kind: str) -> NDArray[np.float64]:
    """Simulate months without a change.

    An AR(1) process of variance 1 and a wet season 3 high. A fifth of the months is missing; of `clouds`, three fifths
    in five months of the wet season. `years` adds a level of variance 1 to each year, `wet season` varies its height by
    35 %.
    """
    noise = random.normal(size=months + 100) * np.sqrt(1 - memory**2)
    for i in range(1, len(noise)):
        noise[i] += memory * noise[i - 1]
    month = np.arange(months) % 12
    of_years = random.normal(size=months // 12 + 1)[np.arange(months) // 12]
    season = 3 * np.exp(-0.5 * ((month - 7) / 1.5) ** 2)
    values = (
        noise[100:] + season * (1 + 0.35 * of_years * (kind == "wet season")) + of_years * (kind == "years")
    )
    missing = np.where((month > 4) & (month < 10), 0.6, 0.05) if kind == "clouds" else 0.2
    return np.where(random.random(months) < missing, np.nan, values)


def rates(random: np.random.Generator, months: int, memory: float, kind: str, series: int) -> list[str]:
    """Return the cells of a row."""
    dates = [f"{2000 + i // 12}-{i % 12 + 1:02}-16" for i in range(months)]
    line = SLOPE * np.arange(months) / 12
    false, found, held, halves, slopes = [], [], [], [], []
    for _ in range(series):
        values = record(random, months, memory, kind)
        still, rising = (change(dates, (values + trend).tolist(), STEP) for trend in (0 * line, line))
        if still["p"] is not None:
            false.append(still["p"] <= 0.05)
            found.append(rising["p"] <= 0.05)
        if still["low"] is not None:
            held.append(still["low"] <= 0 <= still["high"])
            halves.append((still["high"] - still["low"]) / 2)
        low, high = (still[key] for key in ("slope_low", "slope_high"))
        slopes.append((low is None or low <= 0) and (high is None or high >= 0))

    def percent(flags: list[bool]) -> str:
        return f"{100 * np.mean(flags):.1f}" if flags else "–"

    return [percent(false), percent(found), percent(held), f"{np.median(halves):.2f}", percent(slopes)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    command = argparse.ArgumentParser(prog="python -m bench.changes", description=__doc__)
    command.add_argument("--series", type=int, default=2000, help="of each row (default: %(default)s)")
    command.add_argument("--seed", type=int, default=20261130, help="default: %(default)s")
    options = command.parse_args(arguments)
    random = np.random.default_rng(options.seed)
    titles = [
        "months",
        "memory",
        "kind",
        "false",
        "found",
        "interval holds",
        "half of it",
        "slope's interval holds",
    ]
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
    for months in SIZES:
        for memory, kind in KINDS:
            cells = rates(random, months, memory, kind, options.series)
            print(f"| {' | '.join([str(months), f'{memory:g}', kind, *cells])} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
