"""The jobs of a run in SLURM's queue."""

import shutil
import subprocess
from dataclasses import dataclass

from tigerbush.errors import TigerbushError

SECONDS = 20
# squeue(1), "JOB STATE CODES"; in any other state (held, stopped, those of later versions) a job may still write
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
    """A job in a queue: its id, its state, its rule, and where it runs or why it is waiting."""

    number: str
    state: str
    name: str
    place: str


def slurm_queue(run_id: str) -> list[QueueJob]:
    """Return the jobs of a run that are waiting or running.

    Parameters
    ----------
    run_id : str
        The name of all jobs of the run (`SLURM run ID` in its log).

    Raises
    ------
    TigerbushError
        When SLURM is not available here or does not respond.
    """
    program = shutil.which("squeue")
    if program is None:
        raise TigerbushError(
            "the run's jobs are in SLURM, but squeue was not found here; run this on a login node of the cluster."
        )
    command = [program, "--noheader", f"--name={run_id}", "--states=all", "--format=%i|%T|%R|%k"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise TigerbushError(f"squeue did not respond within {SECONDS} s; try again later.") from None
    if done.returncode:
        raise TigerbushError(f"squeue failed ({' '.join(done.stderr.split())[:200]}); try again later.")
    rows = [line.split("|", 3) for line in done.stdout.splitlines() if line.count("|") >= 3]
    return [
        QueueJob(number, state, name.removeprefix("rule_"), place)
        for number, state, place, name in rows
        if state not in _ENDED
    ]
