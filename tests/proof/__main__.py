"""Take each repair out again and see that its test fails; then have everything on SLURM die in turn."""

import subprocess
import sys
from datetime import date

from fabricate import ROOT
from proof import repairs, slurm_in_turn


def main() -> int:
    """Run what is named (`repairs`, `slurm`), by default both."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    if subprocess.run(
        [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
    ).stdout:
        print("Commit first: repairs are taken out of the files here, and put back.", file=sys.stderr)
        return 1
    print(f"{date.today()}, commit {commit.strip()}")
    chosen = sys.argv[1:] or ["repairs", "slurm"]
    unnoticed = repairs.run() if "repairs" in chosen else 0
    if "slurm" in chosen:
        slurm_in_turn.run()
    return min(unnoticed, 1)


if __name__ == "__main__":
    sys.exit(main())
