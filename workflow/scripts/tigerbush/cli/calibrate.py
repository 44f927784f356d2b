"""Measure what the early-warning tests are worth, on series whose truth is known.

Prints Markdown: how often 5 % tests reject series that do not change (4 to 6.5 % is accepted), how often they find
series that do, how good estimates and bounds of the restoring rate are, and the same for vegetation of the simulator
under constant and under falling rain. Takes more than an hour on one core; --small takes seconds and proves little.
"""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tigerbush.analysis.indicators import INDICATORS
from tigerbush.cli.calibration import LEVEL, PHIS, SIZES, Cell, binomial_interval, grow, warned
from tigerbush.files import write_bytes
from tigerbush.version import __version__

PHASE = ("ar1", "variance")
ACCEPTED = (0.04, 0.065)
MONTHS = 240


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Take the sizes, and where to write."""
    command.add_argument(
        "--series", type=int, default=4000, help="null series of each kind (default: %(default)s)"
    )
    command.add_argument(
        "--phase-series",
        type=int,
        default=2000,
        help="of them against phase surrogates (default: %(default)s)",
    )
    command.add_argument(
        "--seeds", type=int, default=200, help="runs of the simulator (default: %(default)s)"
    )
    command.add_argument("--output", type=Path, help="also write what is printed to this file")
    command.add_argument("--small", action="store_true", help="tiny sizes, to see that it runs")


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Print tables as they are finished."""
    if rest:
        print(f"tigerbush calibrate: unknown option {rest[0]}", file=sys.stderr)
        return 2
    sizes, surrogates = SIZES, 3999
    if options.small:
        options.series, options.phase_series, options.seeds, surrogates, sizes = 200, 20, 1, 199, (36,)
    lines = []
    for line in report(options.series, options.phase_series, options.seeds, surrogates, sizes, options.small):
        print(line, flush=True)
        lines.append(line)
    if options.output:
        write_bytes(options.output, ("\n".join(lines) + "\n").encode())
    return 0


def report(
    series: int, phase_series: int, seeds: int, surrogates: int, sizes: tuple[int, ...], small: bool = False
) -> Iterator[str]:
    """Yield the lines of all tables."""
    software = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy"))
    yield f"Measured on {datetime.now(UTC):%Y-%m-%d} with tigerbush {__version__}, {software}."
    yield ""
    yield from nulls(series, phase_series, surrogates, sizes)
    yield from powers(series, surrogates, sizes)
    yield from simulated(seeds, 24 if small else MONTHS, small)


def nulls(series: int, phase_series: int, surrogates: int, sizes: tuple[int, ...]) -> Iterator[str]:
    """Yield the rates of rejection of series that do not change, and the worth of estimates and bounds."""
    yield f"## False alarms: {series} series a row, tests at 5 %, {surrogates} surrogates of each rate"
    yield ""
    tests = [*INDICATORS, "trend", *(f"{name}, phase" for name in (*PHASE, "trend"))]
    yield f"| dates | times | phi | {' | '.join(tests)} | median phi | 95 % bounds hold |"
    yield "|" + "---|" * (len(tests) + 5)
    all_shares = []
    for number in sizes:
        for pattern in ("complete", "gaps"):
            cell = Cell(number, pattern, surrogates)
            for phi in PHIS:
                random = np.random.default_rng([2, number, len(pattern), int(100 * phi)])
                values = cell.simulate(phi, series, random)
                found = cell.p_values(values)
                # the workflow has no test of the trend against phase surrogates where there are gaps
                names = PHASE if pattern == "gaps" else (*PHASE, "trend")
                phase = cell.phase_p_values(values[:phase_series], 99, names)
                found |= {f"{name}, phase": p for name, p in phase.items()}
                shares = [float((found[name] <= LEVEL).mean()) if name in found else None for name in tests]
                all_shares += [share for share in shares if share is not None]
                estimate, coverage = cell.coverage(phi, series, random)
                numbers = " | ".join(_share(share) for share in shares)
                yield f"| {number} | {pattern} | {phi} | {numbers} | {estimate:.3f} | {coverage:.1%} |"
    accepted = sum(ACCEPTED[0] <= share <= ACCEPTED[1] for share in all_shares)
    yield ""
    yield (
        f"{accepted} of {len(all_shares)} rates lie from 4 to 6.5 % (the others are bold); the lowest is "
        f"{min(all_shares):.1%}, the highest {max(all_shares):.1%}, the mean {np.mean(all_shares):.2%}."
    )
    yield ""


def _share(share: float | None) -> str:
    if share is None:
        return "–"
    text = f"{100 * share:.1f}"
    return text if ACCEPTED[0] <= share <= ACCEPTED[1] else f"**{text}**"


def powers(series: int, surrogates: int, sizes: tuple[int, ...]) -> Iterator[str]:
    """Yield how often series are found whose autocorrelation rises from 0.3 to 0.9."""
    yield f"## Power: AR(1) rises from 0.3 to 0.9 over the record, % of {series} series found"
    yield ""
    tests = [*INDICATORS, "trend"]
    yield f"| dates | times | {' | '.join(tests)} |"
    yield "|" + "---|" * (len(tests) + 2)
    for number in sizes:
        for pattern in ("complete", "gaps"):
            cell = Cell(number, pattern, min(surrogates, 999))
            values = cell.simulate((0.3, 0.9), series, np.random.default_rng([3, number, len(pattern)]))
            found = cell.p_values(values)
            numbers = " | ".join(f"{100 * (found[name] <= LEVEL).mean():.0f}" for name in tests)
            yield f"| {number} | {pattern} | {numbers} |"
    yield ""


def simulated(seeds: int, months: int, small: bool) -> Iterator[str]:
    """Yield how often vegetation of the simulator is found to slow down."""
    low, high = binomial_interval(seeds)
    yield f"## The simulator without images: {seeds} seeds, {months} months"
    yield ""
    yield f"Of a 5 % test, {100 * low:.1f} to {100 * high:.1f} % is the binomial 99 % interval of {seeds} runs."
    yield ""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    spin_up, side = (5, 16) if small else (200, 32)
    for seed in range(seeds):
        for rain, values in grow(seed, months, side, spin_up):
            for i, measure in enumerate(("NDVI", "log biomass")):
                p = warned(values[:, i], 99 if small else 399, seed)
                found.setdefault((rain, measure), []).append(p)
    tests = list(next(iter(found.values()))[0])
    yield f"| rain | series | {' | '.join(tests)} |"
    yield "|" + "---|" * (len(tests) + 2)
    for (rain, measure), results in found.items():
        shares = [np.mean([result[name] <= LEVEL for result in results]) for name in tests]
        marked = [
            f"{100 * share:.1f}" if rain != "constant" or low <= share <= high else f"**{100 * share:.1f}**"
            for share in shares
        ]
        yield f"| {rain} | {measure} | {' | '.join(marked)} |"
