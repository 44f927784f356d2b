"""Count how much of what slows down is found at equal size, and what else is: `python -m bench.power`.

The threshold of a test is what 5 % of the records of a constant site exceed. Prints Markdown.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from bench.conclusions import assessment_of
from bench.scenarios import SLOWING, Records, record_of
from tigerbush.analysis.null_model import LEVEL

Array = NDArray[np.float64]
# of a single record and its seed, by the name of the test: the larger, the more it slows down
Statistics = Callable[[Records, int], dict[str, float]]

# samples of the records and of their twin, for standard errors: that of the threshold is the larger part
BOOTSTRAP = 1000
# scenarios, and the constant site whose records give the thresholds
TABLES = {
    "% of the records that slow down that are found": {name: twin for name, (_, _, twin) in SLOWING.items()},
    "% of the records that change otherwise that exceed the same thresholds": {
        "season doubles": "constant, AR(1) 0.3",
        "noise 0.6 to 1.5": "constant, AR(1) 0.5",
        "observations 1 to 6": "constant, AR(1) 0.5",
        "step of -4 at 50-85 %": "constant, AR(1) 0.5",
        "wet seasons, CV 0.35": "constant, AR(1) 0.5",
        "trend that curves": "constant, AR(1) 0.5",
    },
}


def evidence(record: Records, seed: int) -> dict[str, float]:
    """Return the evidence of the primary test, before steps are looked for."""
    return {"tigerbush": float(assessment_of(record, seed).first.evidence.slowing[0])}


def _of_one(tests: Sequence[Statistics], name: str, number: int, seed: int) -> dict[str, float]:
    record = record_of(name, number, seed)
    return {test: value for statistics in tests for test, value in statistics(record, seed).items()}


def statistics_of(
    tests: Sequence[Statistics], number: int, size: int, workers: int, name: str
) -> dict[str, Array]:
    """Return what tests make of the records of a scenario, (size,) float64 each."""
    with ProcessPoolExecutor(workers) as pool:
        rows = list(pool.map(partial(_of_one, tests, name, number), range(size), chunksize=10))
    return {test: np.array([row[test] for row in rows]) for test in rows[0]}


def found(values: Array, constant: Array) -> NDArray[np.bool_]:
    """Return which records are above the 95 % quantile of those of a constant site."""
    return values > np.quantile(constant, 1 - LEVEL)


def power(values: Array, constant: Array) -> str:
    """Return how many are found, in per cent, with the standard error from both samples (bootstrap)."""
    random = np.random.default_rng(0)
    shares = [
        found(random.choice(values, len(values)), random.choice(constant, len(constant))).mean()
        for _ in range(BOOTSTRAP)
    ]
    return f"{100 * found(values, constant).mean():.0f} ± {100 * np.std(shares):.1f}"


def table(twins: Mapping[str, str], values_of: Callable[[str], Mapping[str, Array]]) -> Iterator[str]:
    """Yield the rows of a table: scenarios with their twins, a column for each test."""
    for i, (name, twin) in enumerate(twins.items()):
        values, constant = values_of(name), values_of(twin)
        if not i:
            yield f"| truth | {' | '.join(values)} |"
            yield f"|---|{'---|' * len(values)}"
        yield f"| {name} | {' | '.join(power(values[test], constant[test]) for test in values)} |"


def report(tests: Sequence[Statistics], number: int, size: int, workers: int) -> Iterator[str]:
    """Yield the tables of power and of false alarms."""
    values_of = cache(partial(statistics_of, tests, number, size, workers))
    for title, twins in TABLES.items():
        yield from ("", f"{title} (± standard error, {size} records of {number} months).", "")
        yield from table(twins, values_of)


def arguments(name: str, description: str | None, records: int) -> argparse.ArgumentParser:
    """Return the options that all tables of records have."""
    command = argparse.ArgumentParser(prog=f"python -m {name}", description=description)
    command.add_argument("--months", type=int, default=120)
    command.add_argument("--records", type=int, default=records)
    command.add_argument("--workers", type=int, default=1)
    return command


def main(words: Sequence[str] | None = None) -> None:
    """Print the table."""
    options = arguments("bench.power", __doc__, 400).parse_args(words)
    for line in report([evidence], options.months, options.records, options.workers):
        print(line, flush=True)


if __name__ == "__main__":
    main()
