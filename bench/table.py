"""Rows of the table, and how they are measured."""

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
        What it is compared with, and the target.
    peak : float, optional
        Peak of the resident memory in MB, where that matters.
    """

    name: str
    seconds: float
    remark: str = ""
    peak: float | None = None


class Usage(NamedTuple):
    """What a piece of work used in a process of its own: CPU and wall seconds, MB."""

    seconds: float
    children: float
    wall: float
    peak: float


def heading() -> str:
    """Name the machine and the software, over the columns."""
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


def cpu_seconds(*works: Callable[[], object], repeats: int) -> list[float]:
    """Return the median CPU time of calls in turn, so that a slow minute meets all of them.

    A first call of each does not count where there are several.
    """
    times: list[list[float]] = [[] for _ in works]
    for repeat in range(repeats + (repeats > 1)):
        for work, measured in zip(works, times, strict=True):
            start = time.process_time()
            work()
            if repeat or repeats == 1:
                measured.append(time.process_time() - start)
    return [statistics.median(measured) for measured in times]


def in_child(work: Callable[..., object], *arguments: object) -> Usage:
    """Run `work` in a new process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, work, *arguments).result()


def _measure(work: Callable[..., object], *arguments: object) -> Usage:
    start, own, children = time.perf_counter(), *_cpu()
    work(*arguments)
    # not ru_maxrss, which a new process inherits from the one that started it
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    wall, own_after, children_after = time.perf_counter(), *_cpu()
    return Usage(own_after - own, children_after - children, wall - start, int(peak[1]) / 1000)


def _cpu() -> tuple[float, float]:
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return tuple(usage.ru_utime + usage.ru_stime for usage in usages)
