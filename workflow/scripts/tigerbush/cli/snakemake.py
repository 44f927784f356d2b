"""Call snakemake on this checkout's workflow."""

import os
import subprocess
import sys
from pathlib import Path

SNAKEFILE = Path(__file__).parents[3] / "Snakefile"
_CORES = ("-c", "--cores", "-j", "--jobs", "--profile", "--executor", "-e")


def snakemake(arguments: list[str]) -> int:
    """Run snakemake in the working directory; all cores unless the arguments say otherwise.

    Returns
    -------
    int
        Its exit status.
    """
    cores = [] if any(word.split("=")[0] in _CORES for word in arguments) else ["--cores", "all"]
    command = [sys.executable, "-P", "-m", "snakemake", "--snakefile", str(SNAKEFILE), *cores, *arguments]
    # an argument list, never a shell: file names are data
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603
