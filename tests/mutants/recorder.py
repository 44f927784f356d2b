"""A pytest plugin: which lines of the library each test executes, and each step of it (setup, call, teardown).

The data stay in memory until the end: tests of full disks and of too many open files would damage them in a file, as
they do those of pytest-cov.
"""

import os
from pathlib import Path

import coverage
import pytest

from mutants.contexts import FOLDER

_coverage = coverage.Coverage(data_file=None, source=["workflow/scripts/tigerbush"], messages=False)
_coverage.start()


def _switch(item: pytest.Item, step: str) -> None:
    _coverage.switch_context(f"{item.nodeid}|{step}")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin with fixtures; of one that is shared, only the first test that asks for it is seen."""
    _switch(item, "setup")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Begin with the test itself."""
    _switch(item, "call")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Begin with the end of fixtures."""
    _switch(item, "teardown")


def pytest_unconfigure() -> None:
    """Leave what was recorded."""
    _coverage.stop()
    (Path(os.environ[FOLDER]) / f"{os.getpid()}.data").write_bytes(_coverage.get_data().dumps())
