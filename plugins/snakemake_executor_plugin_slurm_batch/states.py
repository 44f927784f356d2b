"""What the job states of SLURM mean: whether a job is active or done, and why it ended otherwise.

sacct(1) and squeue(1), "JOB STATE CODES".
"""

import re

# every other state is final, including those of later versions
ACTIVE = {
    "COMPLETING",
    "CONFIGURING",
    "EXPEDITING",
    "PENDING",
    "POWER_UP_NODE",
    "REQUEUED",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "RESIZING",
    "RESV_DEL_HOLD",
    "RUNNING",
    "SIGNALING",
    "SPECIAL_EXIT",
    "STAGE_OUT",
    "STOPPED",
    "SUSPENDED",
    "UPDATE_DB",
}
# what upstream distinguishes from other final states: success, and a node to exclude
_DISTINGUISHED = {"COMPLETED", "NODE_FAIL"}
# in these states no part of a job runs any more
FINAL = _DISTINGUISHED | {
    "BOOT_FAIL",
    "CANCELLED",
    "DEADLINE",
    "FAILED",
    "LAUNCH_FAILED",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "RECONFIG_FAIL",
    "REVOKED",
    "TIMEOUT",
}
# not caused by the job; one that SLURM no longer knows was active when it was last reported
_EXTERNAL = (FINAL | ACTIVE) - {"FAILED", "OUT_OF_MEMORY", "TIMEOUT"}

# what SLURM writes into the output of a job that exceeded its memory, whatever final state it reports
_OVER_MEMORY = re.compile(
    r"exceeded (?:job |step )?memory limit|Detected \d+ oom[-_]kill event|OOM Killed|oom-kill:|"
    r"cgroup out-of-memory handler",
    re.IGNORECASE,
)
# what else such a job may print
_SIGNS_OF_OVER_MEMORY = re.compile(
    r"SIGKILL|signal 9\b|exit(?:ed with| status|_?code:?)? 137\b|\bKilled\b|MemoryError|bad_alloc|"
    r"[Cc]annot allocate memory|Unable to allocate"
)


def base_state(state: str) -> str:
    """Return a state without what may follow it (`CANCELLED by 1001`), and in full if truncated (`OUT_OF_ME+`)."""
    words = state.split()
    word = words[0].upper() if words else "UNKNOWN"
    if not word.endswith("+"):
        return word
    matches = [known for known in sorted(ACTIVE | FINAL) if known.startswith(word[:-1])]
    return matches[0] if matches else word[:-1]


def upstream_state(state: str, requeue: bool) -> str:
    """Translate what sacct or squeue reports for a job into a state that upstream understands.

    Upstream takes every state that it does not know for running, even `CANCELLED by 1001`, and UNKNOWN for success.

    Parameters
    ----------
    state : str
        A state, perhaps followed by a space and more, or truncated (`+`).
    requeue : bool
        Whether SLURM requeues a preempted job.

    Returns
    -------
    str
        RUNNING, COMPLETED, NODE_FAIL, PREEMPTED (the job will be requeued) or FAILED.
    """
    word = base_state(state)
    if word in ACTIVE:
        return "RUNNING"
    if word in _DISTINGUISHED or (word == "PREEMPTED" and requeue):
        return word
    return "FAILED"


def failure_reason(state: str, output: str) -> str:
    """Return why a job did not succeed.

    Parameters
    ----------
    state : str
        What sacct or squeue reports.
    output : str
        The end of the job's output.

    Returns
    -------
    str
        memory or time (too little was requested), external (not caused by the job) or unknown.
    """
    word = base_state(state)
    if word == "TIMEOUT":
        return "time"
    if word == "OUT_OF_MEMORY" or _OVER_MEMORY.search(output):
        return "memory"
    if word in _EXTERNAL:
        return "external"
    return "memory" if _SIGNS_OF_OVER_MEMORY.search(output) else "unknown"
