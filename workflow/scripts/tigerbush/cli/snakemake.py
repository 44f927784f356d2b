"""Run snakemake on the workflow of this checkout."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tigerbush.errors import TigerbushError

SNAKEFILE = Path(__file__).parents[3] / "Snakefile"
CHECKOUT = SNAKEFILE.parents[1]
# snakemake reads it by itself where it starts at the root of the checkout
_WORKFLOW_PROFILE = Path("profiles/default")
_CORES = ("-c", "--cores", "-j", "--jobs", "--profile", "--executor", "-e")


def snakemake(arguments: list[str]) -> int:
    """Run snakemake in the working directory, on all cores unless the arguments say otherwise.

    Returns
    -------
    int
        Its exit status.
    """
    cores = [] if any(word.split("=")[0] in _CORES for word in arguments) else ["--cores", "all"]
    return _run([*cores, *arguments]).returncode


def read_snakemake(arguments: list[str], program: tuple[str, ...] = ("-m", "snakemake")) -> str:
    """Run snakemake, or another program with its arguments, and return its standard output.

    Raises
    ------
    TigerbushError
        When it fails: with the error message of the workflow, or after the end of the output went to standard error.
    """
    done = _run(arguments, program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        # of the Snakefile, or of an input function, which is indented; a dry run logs to standard output
        output = done.stdout + done.stderr
        if sentence := re.search(r"^ *WorkflowError[^\n]*:\n *(?P<text>\S.+)$", output, re.MULTILINE):
            raise TigerbushError(sentence["text"])
        print(*output.splitlines()[-15:], sep="\n", file=sys.stderr)
        raise TigerbushError("snakemake cannot plan this run; see above.")
    return done.stdout


def _run(
    arguments: list[str], program: tuple[str, ...] = ("-m", "snakemake"), **options: object
) -> subprocess.CompletedProcess:
    known = _WORKFLOW_PROFILE.exists() or "--workflow-profile" in arguments
    profile = [] if known else ["--workflow-profile", str(CHECKOUT / _WORKFLOW_PROFILE)]
    command = [sys.executable, "-P", *program, "--snakefile", str(SNAKEFILE), *profile, *arguments]
    # an argument list, never a shell: file names are data
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(command, env=environment, check=False, **options)  # noqa: S603
