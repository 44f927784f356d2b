"""Repairs for clusters and clouds: without the lines of each, its test has to fail."""

import subprocess
import sys

from fabricate import ROOT
from proof.table import REPAIRS

# without its repair a test may also hang
SECONDS = 900


def run() -> int:
    """Check that all tests pass, then revert the repairs one by one.

    Returns
    -------
    int
        Number of tests that fail with all repairs in place, and of repairs whose test passes without them.
    """
    unnoticed = 0
    for test in dict.fromkeys(repair.test for repair in REPAIRS):
        if fails(test):
            print(f"FAILS WITH ALL REPAIRS: {test}", flush=True)
            unnoticed += 1
    for repair in REPAIRS:
        path = ROOT / repair.file
        content = path.read_text()
        try:
            path.write_text(content.replace(repair.old, repair.new))
            noticed = fails(repair.test)
        finally:
            path.write_text(content)
        unnoticed += not noticed
        print(f"{'noticed' if noticed else 'NOT NOTICED'}: {repair.description}", flush=True)
    return unnoticed


def fails(test: str) -> bool:
    """Run a test; tell whether it fails or hangs."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *test.split()]
    try:
        completed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return True
    if completed.returncode in (4, 5):
        raise SystemExit(f"{test} selects no test")
    # 1: a test failed; other codes say nothing about the test
    return completed.returncode == 1
