"""The answers of sbatch: the ID of a job, or why it was not submitted."""

import re
import time
from collections.abc import Callable, Iterator

# a controller that is busy or down (slurm_errno.h); some of these answers come although it has accepted the job
_CONTROLLER_BUSY = re.compile(
    r"Socket timed out|Unable to contact slurm controller|Slurm backup controller in standby|"
    r"Zero Bytes were transmitted|Connection (?:refused|reset|timed out)|Transport endpoint is not connected|"
    r"Slurm temporarily unable|Resource temporarily unavailable|Cannot fork|Munge encode failed|"
    r"Protocol authentication error|Invalid authentication credential|I/O error writing script|"
    r"Rate limit exceeded|DBD_SEND_MULT|Requested operation is presently disabled|sbatch gave no reason",
    re.IGNORECASE,
)
# lifted when other jobs end, or by an administrator
_LIMIT_REACHED = re.compile(
    r"Required partition not available \(inactive or drain\)|job submit limit", re.IGNORECASE
)
_LIMIT_CODE = re.compile(r"\b(?:Assoc|QOS)[A-Z]\w+")
# perhaps with a cluster behind it, or as a sentence where a site's own sbatch ignores --parsable
_JOB_ID = re.compile(r"^(?:Submitted batch job )?(\d+)(?:;\S+| on cluster \S+)?\s*$", re.MULTILINE)
_NO_JOB_ID = "sbatch printed no job ID"
_MESSAGE = re.compile(r"The error message was '(.*?)'\.\n", re.DOTALL)


def parse_job_id(output: str) -> str:
    """Return the job ID from the output of `sbatch --parsable`, whatever other lines a site prints.

    Raises
    ------
    ValueError
        When there is none.
    """
    ids = _JOB_ID.findall(output)
    if not ids:
        raise ValueError(f"{_NO_JOB_ID}: {' '.join(output.split())[:500]!r}")
    return ids[-1]


def sbatch_error(message: str) -> str:
    """Extract the error of sbatch, in one line, from upstream's message, which repeats the whole command."""
    match = _MESSAGE.search(message)
    lines = [line.strip() for line in (match[1] if match else message).splitlines()]
    errors = [line.removeprefix("sbatch: ").removeprefix("error: ") for line in lines if line]
    return "; ".join(errors) or "sbatch gave no reason, or did not answer within 5 minutes"


def is_temporary(error: str) -> bool:
    """Whether an error of sbatch is a temporary refusal: the same job may be accepted later.

    SLURM has one sentence for the limit of submitted jobs and for limits that a single job exceeds; the code of the
    limit tells them apart.
    """
    codes = _LIMIT_CODE.findall(error)
    if codes:
        return any("Submit" in code for code in codes)
    return bool(_CONTROLLER_BUSY.search(error) or _LIMIT_REACHED.search(error))


def may_be_queued(error: str) -> bool:
    """Whether SLURM may have accepted a job although sbatch returned no job ID."""
    return _CONTROLLER_BUSY.search(error) is not None or _NO_JOB_ID in error


def retry_waits(
    seconds: float, has_jobs: Callable[[], bool], now: Callable[[], float] = time.monotonic
) -> Iterator[float]:
    """Yield the seconds to wait before each resubmission: 10, doubled up to 5 minutes.

    Parameters
    ----------
    seconds : float
        After which it gives up.
    has_jobs : callable
        Whether jobs of the run are in the queue: while there are, it does not give up.
    now : callable
    """
    wait, since = 10.0, now()
    while True:
        if has_jobs():
            since = now()
        elif now() - since > seconds:
            return
        yield wait
        wait = min(2 * wait, 300.0)
