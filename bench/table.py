"""Rows of the table, and their measurement."""

import os
import platform
import re
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """A line of the table.

    Attributes
    ----------
    name : str
    seconds : float
        CPU time.
    remark : str
        Comparison and target.
    peak : float, optional
        Peak resident memory in MB, where it is of interest.
    """

    name: str
    seconds: float
    remark: str = ""
    peak: float | None = None


class Usage(NamedTuple):
    """Resources used by a function in its own process: CPU seconds, its own and its children's, wall time in s, MB."""

    seconds: float
    children: float
    wall: float
    peak: float


def heading() -> str:
    """Return the machine, the software versions and the column titles."""
    import rasterio

    try:
        model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1]
    except (OSError, TypeError):
        model = platform.processor() or platform.machine()
    software = f"numpy {version('numpy')}, GDAL {rasterio.__gdal_version__}, snakemake {version('snakemake')}"
    machine = f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {software}"
    return f"{machine}\n\n{'':<64} {'CPU':>10} {'memory':>8}"


def print_row(row: Row) -> None:
    """Print a line of the table."""
    time = f"{row.seconds:8.2f} s" if row.seconds >= 1 else f"{row.seconds * 1000:7.1f} ms"
    peak = f"{row.peak:5.0f} MB" if row.peak is not None else ""
    print(f"{row.name:<64} {time:>10} {peak:>8}  {row.remark}".rstrip(), flush=True)


def cpu_seconds(*functions: Callable[[], object], repeats: int) -> list[float]:
    """Return the median CPU time of functions that are called in turn, so that a slow minute affects all of them.

    With several repeats, a first call of each does not count.
    """
    times: list[list[float]] = [[] for _ in functions]
    for repeat in range(repeats + (repeats > 1)):
        for function, measured in zip(functions, times, strict=True):
            start = time.process_time()
            function()
            if repeat or repeats == 1:
                measured.append(time.process_time() - start)
    return [statistics.median(measured) for measured in times]


def in_child(function: Callable[..., object], *arguments: object) -> Usage:
    """Run a function in a new process that does nothing else, and return the resources it used."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, function, *arguments).result()


def _measure(function: Callable[..., object], *arguments: object) -> Usage:
    start, own, children = time.perf_counter(), *_cpu()
    function(*arguments)
    # not ru_maxrss, which a new process inherits from its parent
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    wall, own_after, children_after = time.perf_counter(), *_cpu()
    return Usage(own_after - own, children_after - children, wall - start, int(peak[1]) / 1000)


def _cpu() -> tuple[float, float]:
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return tuple(usage.ru_utime + usage.ru_stime for usage in usages)
