"""Each repair of what goes on in clusters and clouds, the lines that make it, and the test that fails without them."""

import subprocess
import sys

from fabricate import ROOT
from proof.table import REPAIRS


def run() -> int:
    """Take the repairs out one after the other; return the number of those whose test does not notice."""
    unnoticed = 0
    for repair in REPAIRS:
        path = ROOT / repair.file
        content = path.read_text()
        assert content.count(repair.old) == 1, f"{repair.file} does not have once: {repair.old}"
        try:
            path.write_text(content.replace(repair.old, repair.new))
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *repair.test.split()],
                cwd=ROOT, capture_output=True, text=True,
            )  # fmt: skip
        finally:
            path.write_text(content)
        noticed = done.returncode == 1
        unnoticed += not noticed
        print(f"{'noticed' if noticed else 'NOT NOTICED'}: {repair.what}", flush=True)
    return unnoticed
