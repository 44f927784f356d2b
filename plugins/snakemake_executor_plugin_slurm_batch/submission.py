"""What sbatch answers: the number of a job, or why there is none."""

import re
import time
from collections.abc import Callable, Iterator

# a controller that is busy or away (slurm_errno.h); some of its answers come when it has the job all the same
_AWAY = re.compile(
    r"Socket timed out|Unable to contact slurm controller|Slurm backup controller in standby|"
    r"Zero Bytes were transmitted|Connection (?:refused|reset|timed out)|Transport endpoint is not connected|"
    r"Slurm temporarily unable|Resource temporarily unavailable|Cannot fork|Munge encode failed|"
    r"Protocol authentication error|Invalid authentication credential|I/O error writing script|"
    r"Rate limit exceeded|DBD_SEND_MULT|Requested operation is presently disabled|sbatch has given no reason",
    re.IGNORECASE,
)
# what other jobs, or an administrator, will free
_FULL = re.compile(r"Required partition not available \(inactive or drain\)|job submit limit", re.IGNORECASE)
_CODE = re.compile(r"\b(?:Assoc|QOS)[A-Z]\w+")
# with a cluster behind it, or in words where a site's own sbatch heeds no --parsable
_NUMBER = re.compile(r"^(?:Submitted batch job )?(\d+)(?:;\S+| on cluster \S+)?\s*$", re.MULTILINE)
_NO_NUMBER = "sbatch has printed no number of a job"
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
        raise ValueError(f"{_NO_NUMBER}: {' '.join(output.split())[:500]!r}")
    return found[-1]


def answer(message: str) -> str:
    """Return what sbatch said, in one line, from upstream's message, which repeats the whole command."""
    found = _MESSAGE.search(message)
    lines = [line.strip() for line in (found[1] if found else message).splitlines()]
    told = [line.removeprefix("sbatch: ").removeprefix("error: ") for line in lines if line]
    return "; ".join(told) or "sbatch has given no reason, or no answer within 5 minutes"


def passes(text: str) -> bool:
    """Tell whether an answer of sbatch is a refusal for now: the same job may be taken later.

    SLURM has one sentence for limits of submitted jobs and for those that a job exceeds by itself; codes tell.
    """
    codes = _CODE.findall(text)
    if codes:
        return any("Submit" in code for code in codes)
    return bool(_AWAY.search(text) or _FULL.search(text))


def may_be_queued(text: str) -> bool:
    """Tell whether SLURM may have taken a job although sbatch gave no number."""
    return _AWAY.search(text) is not None or _NO_NUMBER in text


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
