"""Calibrate the early-warning tests on simulated series whose truth is known; `make calibrate` runs it.

Prints Markdown: the false-alarm rate of 5 % tests on stationary series (4 to 6.5 % is accepted), their power on series
that change, the bias of the restoring rate and the coverage of its bounds, and the same for simulated vegetation under
constant and declining rainfall. Takes more than an hour on one core; --small takes seconds and shows only that it runs.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bench.calibration import (
    LEVEL,
    PHIS,
    SIZES,
    Cell,
    binomial_interval,
    p_values_of_series,
    simulate_vegetation,
)
from tigerbush.analysis.indicators import INDICATORS
from tigerbush.files import write_bytes
from tigerbush.version import __version__

PHASE = ("ar1", "variance")
ACCEPTED = (0.04, 0.065)


@dataclass(frozen=True)
class Extent:
    """How much is simulated.

    Attributes
    ----------
    series, phase_series : int
        Null series of each kind, and how many of them are compared with phase surrogates.
    surrogates : int
        Surrogates of each rate.
    sizes : tuple of int
        Lengths of series, in dates.
    seeds, months, spin_up, side, simulator_surrogates : int
        Runs of the simulator, their length and spin-up in months, the cells per side, and the surrogates of each run.
    """

    series: int = 4000
    phase_series: int = 2000
    surrogates: int = 3999
    sizes: tuple[int, ...] = SIZES
    seeds: int = 200
    months: int = 240
    spin_up: int = 200
    side: int = 32
    simulator_surrogates: int = 399


SMALL = Extent(200, 20, 199, (36,), seeds=1, months=24, spin_up=5, side=16, simulator_surrogates=99)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line: sizes and output."""
    command = argparse.ArgumentParser(
        prog="python -m bench.calibrate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--series", type=int, default=Extent.series, help="null series of each kind (default: %(default)s)"
    )
    command.add_argument(
        "--phase-series",
        type=int,
        default=Extent.phase_series,
        help="how many of them are tested against phase surrogates (default: %(default)s)",
    )
    command.add_argument(
        "--seeds", type=int, default=Extent.seeds, help="runs of the simulator (default: %(default)s)"
    )
    command.add_argument("--output", type=Path, help="also write the tables to this file")
    command.add_argument("--small", action="store_true", help="tiny sizes, to check that it runs")
    return command


def main(words: Sequence[str] | None = None) -> None:
    """Print tables as they are finished."""
    options = parser().parse_args(words)
    extent = SMALL if options.small else Extent(options.series, options.phase_series, seeds=options.seeds)
    lines = []
    for line in report(extent):
        print(line, flush=True)
        lines.append(line)
    if options.output:
        write_bytes(options.output, ("\n".join(lines) + "\n").encode())


def report(extent: Extent) -> Iterator[str]:
    """Yield the lines of all tables."""
    software = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy"))
    yield f"Measured on {datetime.now(UTC):%Y-%m-%d} with tigerbush {__version__}, {software}."
    yield ""
    yield from nulls(extent)
    yield from powers(extent)
    yield from simulated(extent)


def nulls(extent: Extent) -> Iterator[str]:
    """Yield the false-alarm rates on stationary series, the bias of estimates and the coverage of bounds."""
    series = extent.series
    yield f"## False alarms: {series} series per row, tests at 5 %, {extent.surrogates} surrogates of each rate"
    yield ""
    tests = [*INDICATORS, *(f"{name}, phase" for name in PHASE)]
    yield f"| dates | times | phi | {' | '.join(tests)} | median phi | 95 % bounds hold |"
    yield "|" + "---|" * (len(tests) + 5)
    all_shares = []
    for number in extent.sizes:
        for pattern in ("complete", "gaps"):
            cell = Cell(number, pattern, extent.surrogates)
            for phi in PHIS:
                random = np.random.default_rng([2, number, len(pattern), int(100 * phi)])
                values = cell.simulate(phi, series, random)
                p_values = cell.p_values(values)
                phase = cell.phase_p_values(values[: extent.phase_series], 99, PHASE)
                p_values |= {f"{name}, phase": p for name, p in phase.items()}
                shares = [float((p_values[name] <= LEVEL).mean()) for name in tests]
                all_shares += shares
                estimate, coverage = cell.coverage(phi, series, random)
                numbers = " | ".join(_share(share) for share in shares)
                yield f"| {number} | {pattern} | {phi} | {numbers} | {estimate:.3f} | {coverage:.1%} |"
    accepted = sum(ACCEPTED[0] <= share <= ACCEPTED[1] for share in all_shares)
    yield ""
    yield (
        f"{accepted} of {len(all_shares)} rates lie between 4 and 6.5 % (the others are bold); the lowest is "
        f"{min(all_shares):.1%}, the highest {max(all_shares):.1%}, the mean {np.mean(all_shares):.2%}."
    )
    yield ""


def _share(share: float) -> str:
    text = f"{100 * share:.1f}"
    return text if ACCEPTED[0] <= share <= ACCEPTED[1] else f"**{text}**"


def powers(extent: Extent) -> Iterator[str]:
    """Yield the power on series whose autocorrelation rises from 0.3 to 0.9."""
    yield f"## Power: AR(1) rises from 0.3 to 0.9 over the record, % of {extent.series} series detected"
    yield ""
    tests = list(INDICATORS)
    yield f"| dates | times | {' | '.join(tests)} |"
    yield "|" + "---|" * (len(tests) + 2)
    for number in extent.sizes:
        for pattern in ("complete", "gaps"):
            cell = Cell(number, pattern, min(extent.surrogates, 999))
            values = cell.simulate(
                (0.3, 0.9), extent.series, np.random.default_rng([3, number, len(pattern)])
            )
            p_values = cell.p_values(values)
            numbers = " | ".join(f"{100 * (p_values[name] <= LEVEL).mean():.0f}" for name in tests)
            yield f"| {number} | {pattern} | {numbers} |"
    yield ""


def simulated(extent: Extent) -> Iterator[str]:
    """Yield how often slowing down is detected in simulated vegetation."""
    seeds = extent.seeds
    low, high = binomial_interval(seeds)
    yield f"## The simulator without images: {seeds} seeds, {extent.months} months"
    yield ""
    yield f"For a test at 5 %, {100 * low:.1f} to {100 * high:.1f} % is the binomial 99 % interval of {seeds} runs."
    yield ""
    p_values: dict[tuple[str, str], list[dict[str, float]]] = {}
    for seed in range(seeds):
        for rain, values in simulate_vegetation(seed, extent.months, extent.side, extent.spin_up):
            for i, measure in enumerate(("NDVI", "log biomass")):
                p = p_values_of_series(values[:, i], extent.simulator_surrogates, seed)
                p_values.setdefault((rain, measure), []).append(p)
    tests = list(next(iter(p_values.values()))[0])
    yield f"| rain | series | {' | '.join(tests)} |"
    yield "|" + "---|" * (len(tests) + 2)
    for (rain, measure), results in p_values.items():
        shares = [np.mean([result[name] <= LEVEL for result in results]) for name in tests]
        marked = [
            f"{100 * share:.1f}" if rain != "constant" or low <= share <= high else f"**{100 * share:.1f}**"
            for share in shares
        ]
        yield f"| {rain} | {measure} | {' | '.join(marked)} |"


if __name__ == "__main__":
    main()
