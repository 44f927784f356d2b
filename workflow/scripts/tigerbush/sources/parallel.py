"""Many requests at the same time, with their results in order."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

log = logging.getLogger(__name__)

# steps of a long listing between two lines of progress
_PROGRESS = 100

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield the results in order; after a failure, work that has not started is cancelled."""
    futures = [pool.submit(work, item) for item in items]
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def with_progress(results: Iterable[Result], total: int, unit: str) -> Iterator[Result]:
    """Yield the results, and log the progress from time to time."""
    for number, result in enumerate(results, 1):
        yield result
        if number % _PROGRESS == 0 or number == total:
            log.info("%d of %d %s", number, total, unit)
