"""A pytest plugin that records the lines of the library that each step of a test executes (setup, call, teardown).

Data stay in memory until the end: tests of full disks and of too many open files would damage a data file, as they damage
that of pytest-cov.
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
    """Switch to the fixtures; a shared one is recorded only for the first test that uses it."""
    _switch(item, "setup")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Switch to the test itself."""
    _switch(item, "call")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Switch to the teardown of fixtures."""
    _switch(item, "teardown")


def pytest_unconfigure() -> None:
    """Write the recorded data."""
    _coverage.stop()
    (Path(os.environ[FOLDER]) / f"{os.getpid()}.data").write_bytes(_coverage.get_data().dumps())
