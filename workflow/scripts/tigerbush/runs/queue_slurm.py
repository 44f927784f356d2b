"""The jobs of a run in SLURM's queue."""

import shutil
import subprocess
from dataclasses import dataclass

from tigerbush.errors import TigerbushError

SECONDS = 20
# squeue(1), "JOB STATE CODES"; what is called anything else (held, stopped, words of later versions) may still write
_ENDED = {
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "LAUNCH_FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "RECONFIG_FAIL",
    "REVOKED",
    "TIMEOUT",
}


@dataclass(frozen=True)
class QueueJob:
    """A job in a queue: its id there, its state, what it is, and where it runs or why it waits."""

    number: str
    state: str
    name: str
    place: str


def slurm_queue(run_id: str) -> list[QueueJob]:
    """Return the jobs of a run that wait or run.

    Parameters
    ----------
    run_id : str
        The name that all jobs of the run have (`SLURM run ID` in its log).

    Raises
    ------
    TigerbushError
        When SLURM is not here or does not answer.
    """
    program = shutil.which("squeue")
    if program is None:
        raise TigerbushError(
            "the run's jobs are in SLURM, but squeue is not here; ask on the cluster's login node."
        )
    command = [program, "--noheader", f"--name={run_id}", "--states=all", "--format=%i|%T|%R|%k"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise TigerbushError(f"squeue does not answer within {SECONDS} s; ask again later.") from None
    if done.returncode:
        raise TigerbushError(f"squeue fails ({' '.join(done.stderr.split())[:200]}); ask again later.")
    rows = [line.split("|", 3) for line in done.stdout.splitlines() if line.count("|") >= 3]
    return [
        QueueJob(number, state, name.removeprefix("rule_"), place)
        for number, state, place, name in rows
        if state not in _ENDED
    ]
