"""Draw the conclusion about many simulated records, and count: `python -m bench.conclusions`.

Prints Markdown: for each scenario of `bench.scenarios` the share of `sign: true`, of null and why, and of p <= 0.05.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from bench.scenarios import CALM, SLOWING, Records, record_of
from tigerbush.analysis.assessment import Assessment, Circumstances, conclude
from tigerbush.analysis.detrend import YEAR, harmonics_of
from tigerbush.analysis.early_warning import Record
from tigerbush.analysis.null_model import LEVEL
from tigerbush.analysis.observations import trends
from tigerbush.analysis.rain_driver import rain_columns
from tigerbush.analysis.warning import p_of_rate

Array = NDArray[np.float64]
STEP = YEAR / 12


@dataclass(frozen=True)
class Outcome:
    """What is concluded of a record: its p before any refusal, the evidence, sign and why."""

    p: float
    evidence: float
    sign: bool | None
    why: tuple[str, ...]
    steps: int


def assessment_of(drawn: Records, seed: int) -> Assessment:
    """Prepare the questions of the workflow to a single record, NaN where it has gaps."""
    values, n_obs = drawn.values[0], drawn.n_obs
    rain = None if drawn.rain is None else drawn.rain[0]
    present = np.isfinite(values)
    positions = np.flatnonzero(present)
    days = positions * STEP
    record = Record(values[present], days, positions, STEP, None if n_obs is None else n_obs[present])
    remembered = (
        None
        if rain is None
        else rain_columns(rain, np.arange(len(values)) * STEP, np.arange(len(values)), STEP)
    )
    trending = n_obs is not None and trends(days, n_obs[present], [])[0]["p"] <= LEVEL
    circumstances = Circumstances(
        np.empty((len(days), 0)), {}, None if remembered is None else remembered[present], trending
    )

    def random(name: str) -> np.random.Generator:
        return np.random.default_rng([seed, *name.encode()])

    return Assessment(record, harmonics_of(days, STEP, 2), circumstances, random, p_of_rate)


def assess(assessment: Assessment, surrogates: int, *, whole: bool = True) -> Outcome:
    """Conclude from one record; only its p if not `whole`."""
    p = assessment.null.p(surrogates, assessment.seed("primary")).p
    conclusion = conclude(assessment, p) if whole else {"sign": None, "why": []}
    return Outcome(
        p,
        float(assessment.null.evidence.slowing[0]),
        conclusion["sign"],
        tuple(conclusion["why"]),
        len(assessment.found[0]),
    )


def outcomes(
    name: str,
    number: int,
    size: int,
    *,
    surrogates: int = 199,
    gaps: float = 0.0,
    whole: bool = True,
    first: int = 0,
) -> list[Outcome]:
    """Conclude from some records of a scenario."""
    results = []
    for seed in range(first, first + size):
        assessment = assessment_of(record_of(name, number, seed, gaps), seed)
        results.append(assess(assessment, surrogates, whole=whole))
    return results


def in_parallel(name: str, number: int, size: int, workers: int, **options: object) -> list[Outcome]:
    """Share the records of a scenario among processes."""
    part = max(size // (4 * workers), 1)
    starts = range(0, size, part)
    with ProcessPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(partial(outcomes, name, number, min(part, size - start), first=start, **options))
            for start in starts
        ]
        return [outcome for job in jobs for outcome in job.result()]


def report(
    names: Sequence[str], number: int, size: int, workers: int, gaps: float, *, whole: bool = True
) -> Iterator[str]:
    """Yield the rows of a table, one for each scenario; only of the test if not `whole`."""
    high = binom.ppf(0.995, size, 0.065) / size
    missing = f", {gaps:.0%} of them missing" if gaps else ""
    yield f"{size} records of {number} months{missing}; a share of 6.5 % is observed as at most {high:.1%} (99 %)."
    yield ""
    yield "| truth | sign true | p <= 0.05 | sign null | why | steps found |"
    yield "|---|---|---|---|---|---|"
    for name in names:
        results = in_parallel(name, number, size, workers, gaps=gaps, whole=whole)
        shares = [
            np.mean([result.sign is True for result in results]),
            np.mean([result.p <= LEVEL for result in results]),
            np.mean([result.sign is None for result in results]),
        ]
        why = Counter(code for result in results if result.sign is None for code in result.why)
        codes = ", ".join(f"{code} {count / size:.1%}" for code, count in why.most_common())
        steps = np.mean([result.steps > 0 for result in results])
        signs = (f"{shares[0]:.1%}", f"{shares[2]:.1%}") if whole else ("", "")
        yield f"| {name} | {signs[0]} | {shares[1]:.1%} | {signs[1]} | {codes} | {steps:.1%} |"


def main(words: Sequence[str] | None = None) -> None:
    """Print the tables."""
    command = argparse.ArgumentParser(prog="python -m bench.conclusions", description=__doc__)
    command.add_argument("--months", type=int, default=120)
    command.add_argument("--records", type=int, default=400)
    command.add_argument("--gaps", type=float, default=0.0)
    command.add_argument("--workers", type=int, default=2)
    command.add_argument(
        "--test", action="store_true", help="the p of the primary test alone, in half of the time"
    )
    command.add_argument("--only", default="", help="scenarios whose name contains this")
    options = command.parse_args(words)
    names = [name for name in CALM | SLOWING if options.only in name]
    for line in report(
        names, options.months, options.records, options.workers, options.gaps, whole=not options.test
    ):
        print(line, flush=True)


if __name__ == "__main__":
    main()
