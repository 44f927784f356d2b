"""Each repair of what goes on in clusters and clouds, the lines that make it, and the test that fails without them."""

import subprocess
import sys

from fabricate import ROOT
from proof.table import REPAIRS

# a test may also hang without its repair
SECONDS = 900


def run() -> int:
    """See that all tests pass, then take the repairs out one after the other.

    Returns
    -------
    int
        Tests that fail by themselves, and repairs whose test does not notice.
    """
    unnoticed = 0
    for test in dict.fromkeys(repair.test for repair in REPAIRS):
        if fails(test):
            print(f"FAILS BY ITSELF: {test}", flush=True)
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
        print(f"{'noticed' if noticed else 'NOT NOTICED'}: {repair.what}", flush=True)
    return unnoticed


def fails(test: str) -> bool:
    """Run a test; whether it fails, or has no end."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *test.split()]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return True
    # 1: a test failed; anything else is no answer
    return done.returncode == 1
