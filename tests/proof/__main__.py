"""Revert each fix and check that its test fails; inject every fault on SLURM in turn; run every row of the benchmark."""

import subprocess
import sys
from datetime import date

from fabricate import ROOT
from proof import benchmark, repairs, slurm_in_turn


def main() -> int:
    """Run the proofs that are named, by default all."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    if subprocess.run(
        [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
    ).stdout:
        print("Commit first: files are changed to revert repairs, and restored.", file=sys.stderr)
        return 1
    print(f"{date.today()}, commit {commit.strip()}")
    chosen = sys.argv[1:] or ["repairs", "slurm", "benchmark"]
    unnoticed = repairs.run() if "repairs" in chosen else 0
    if "slurm" in chosen:
        slurm_in_turn.run()
    if "benchmark" in chosen:
        benchmark.run()
    return min(unnoticed, 1)


if __name__ == "__main__":
    sys.exit(main())
