"""What sbatch answers: the number of a job, or why there is none."""

import re
import time
from collections.abc import Callable, Iterator

from snakemake_executor_plugin_slurm_batch.watch import NEVER

# what passes by itself: limits of jobs that are in the queue, and a controller that is busy or away (slurm_errno.h)
_FOR_NOW = re.compile(
    r"Socket timed out|Unable to contact slurm controller|Slurm backup controller in standby|"
    r"Zero Bytes were transmitted|Connection (?:refused|reset|timed out)|Transport endpoint is not connected|"
    r"Slurm temporarily unable|"
    r"Resource temporarily unavailable|Cannot fork|Munge encode failed|Protocol authentication error|"
    r"Required partition not available \(inactive or drain\)|"
    r"AssocMaxSubmitJobLimit|AssocGrpSubmitJobsLimit|QOSMaxSubmitJob\w*|"
    r"Job violates accounting/QOS policy \(job submit limit|DBD_SEND_MULT|Requested operation is presently disabled",
    re.IGNORECASE,
)
# after these the controller may have the job all the same
_UNHEARD = re.compile(
    r"timed out|Zero Bytes were transmitted|no number of a job|Connection reset", re.IGNORECASE
)
_NUMBER = re.compile(r"^(\d+)(?:;\S+)?$", re.MULTILINE)
_MESSAGE = re.compile(r"The error message was '(.*?)'\.\n", re.DOTALL)


def job_number(output: str) -> str:
    """Return the number of a job from what `sbatch --parsable` printed: its own line, whatever a site prints around it.

    Raises
    ------
    ValueError
        When there is none.
    """
    found = _NUMBER.findall(output)
    if not found:
        raise ValueError(f"sbatch has printed no number of a job: {' '.join(output.split())[:500]!r}")
    return found[-1]


def answer(message: str) -> str:
    """Return what sbatch said, in one line, from upstream's message, which repeats the whole command."""
    found = _MESSAGE.search(message)
    lines = (found[1] if found else message).splitlines()
    return "; ".join(
        line.strip().removeprefix("sbatch: ").removeprefix("error: ") for line in lines if line.strip()
    )


def passes(text: str) -> bool:
    """Tell whether an answer of sbatch is a refusal for now: the same job may be taken later.

    SLURM has one sentence for limits of submission and for those of each job; a code tells them apart.
    """
    return _FOR_NOW.search(text) is not None and NEVER.search(text) is None


def may_be_queued(text: str) -> bool:
    """Tell whether SLURM may have taken a job although sbatch gave no number."""
    return _UNHEARD.search(text) is not None


def waits(
    patience: float, has_jobs: Callable[[], bool], now: Callable[[], float] = time.monotonic
) -> Iterator[float]:
    """Yield how many seconds to wait before a job is submitted again: 10, doubled up to 5 minutes.

    Parameters
    ----------
    patience : float
        Seconds after which it ends.
    has_jobs : callable
        Whether jobs of the run are in the queue: as long as there are, it goes on without limit.
    now : callable
    """
    seconds, since = 10.0, now()
    while True:
        if has_jobs():
            since = now()
        elif now() - since > patience:
            return
        yield seconds
        seconds = min(2 * seconds, 300.0)
