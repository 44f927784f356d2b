"""Count the steps of the mean that are found, and those that are none: `python -m bench.breaks`. Prints Markdown."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.conclusions import assessment_of
from bench.power import arguments
from bench.scenarios import CALM, Records, record_of

# indices of the first values after steps, in a single record with its seed, by the name of what looks for them
Finder = Callable[[Records, int], dict[str, list[int]]]

# months by which the place of a step may be wrong
TOLERANCE = 3
WITHOUT = (
    "constant, AR(1) 0.0",
    "constant, AR(1) 0.5",
    "constant, AR(1) 0.9",
    "wet seasons, CV 0.35",
    "noise 0.6 to 1.5",
    "trend that curves",
)
WITH = tuple(name for name in CALM if "step" in name)


def steps_found(record: Records, seed: int) -> dict[str, list[int]]:
    """Return the steps that the conclusion takes off."""
    return {"tigerbush": [step.index for step in assessment_of(record, seed).found[0]]}


def matches(places: Sequence[int], true: Sequence[int], tolerance: int = TOLERANCE) -> int:
    """Count the true steps that are found within a tolerance, each by a place of its own."""
    left, count = sorted(places), 0
    for step in sorted(true):
        near = [place for place in left if abs(place - step) <= tolerance]
        if near:
            left.remove(near[0])
            count += 1
    return count


def share(hits: Sequence[bool] | NDArray[np.bool_]) -> str:
    """Return a share in per cent with its binomial standard error."""
    mean = float(np.mean(hits))
    return f"{100 * mean:.0f} ± {100 * np.sqrt(mean * (1 - mean) / len(hits)):.1f}"


def _of_one(
    finders: Sequence[Finder], name: str, number: int, seed: int
) -> tuple[list[int], dict[str, list[int]]]:
    record = record_of(name, number, seed)
    true = record.steps[0].tolist() if record.steps.size else []
    return true, {name: places for finder in finders for name, places in finder(record, seed).items()}


def cell(places: Sequence[Sequence[int]], true: Sequence[Sequence[int]]) -> str:
    """Return the % of the true steps that are found, and of the records with a step that is none.

    Parameters
    ----------
    places, true : sequences of sequences of int
        What is found in each record, and what is there.
    """
    counts = [matches(*pair) for pair in zip(places, true, strict=True)]
    false = share([len(found) > count for found, count in zip(places, counts, strict=True)])
    number = sum(map(len, true))
    if not number:
        return false
    return f"{share(np.arange(number) < sum(counts))}; {false}"


def report(finders: Sequence[Finder], number: int, size: int, workers: int) -> Iterator[str]:
    """Yield the rows of two tables: a scenario each, a column for each finder."""
    titles = {
        WITHOUT: "% of the records in which a step is found, where there is none",
        WITH: f"% of the steps that are found within {TOLERANCE} months; of the records with a step that is none",
    }
    for names, title in titles.items():
        yield from ("", f"{title} (± standard error, {size} records of {number} months).", "")
        for name in names:
            with ProcessPoolExecutor(workers) as pool:
                results = list(pool.map(partial(_of_one, finders, name, number), range(size), chunksize=5))
            true = [steps for steps, _ in results]
            if name == names[0]:
                yield f"| truth | {' | '.join(results[0][1])} |"
                yield f"|---|{'---|' * len(results[0][1])}"
            cells = (cell([places[finder] for _, places in results], true) for finder in results[0][1])
            yield f"| {name} | {' | '.join(cells)} |"


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables."""
    options = arguments("bench.breaks", __doc__, 100).parse_args(words)
    for line in report([steps_found], options.months, options.records, options.workers):
        print(line, flush=True)


if __name__ == "__main__":
    main()
