"""What SLURM's words for a job mean: whether it is alive or has done its work, and why it has come to another end.

sacct(1) and squeue(1), "JOB STATE CODES".
"""

import re

# everything else is an end: words of later versions, too
ALIVE = {
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
# what upstream tells apart from other ends: success, and a node to leave out
_TOLD_APART = {"COMPLETED", "NODE_FAIL"}
# after these nothing of a job runs any more
ENDS = _TOLD_APART | {
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
# not the job's fault, or somebody's wish; a job that SLURM has forgotten was alive when it was last heard of
_NOTHING = (ENDS | ALIVE) - {"FAILED", "OUT_OF_MEMORY", "TIMEOUT"}

# what SLURM writes into the output of a job that took too much, whatever it calls its end
_OVER_MEMORY = re.compile(
    r"exceeded (?:job |step )?memory limit|Detected \d+ oom[-_]kill event|OOM Killed|oom-kill:|"
    r"cgroup out-of-memory handler",
    re.IGNORECASE,
)
# what else such a job may write
_NO_MEMORY = re.compile(
    r"SIGKILL|signal 9\b|exit(?:ed with| status|_?code:?)? 137\b|\bKilled\b|MemoryError|bad_alloc|"
    r"[Cc]annot allocate memory|Unable to allocate"
)


def word_of(state: str) -> str:
    """Return the word of a state, which may be followed by more (`CANCELLED by 1001`) or cut (`OUT_OF_ME+`)."""
    words = state.split()
    word = words[0].upper() if words else "UNKNOWN"
    if not word.endswith("+"):
        return word
    begun = [known for known in sorted(ALIVE | ENDS) if known.startswith(word[:-1])]
    return begun[0] if begun else word[:-1]


def meaning(state: str, requeue: bool) -> str:
    """Return a word that upstream understands for what sacct or squeue says of a job.

    Upstream takes every word for running that it does not know, also `CANCELLED by 1001`, and UNKNOWN for success.

    Parameters
    ----------
    state : str
        A word, and more behind a space; `+` where it was cut.
    requeue : bool
        Whether SLURM starts a job again that it has preempted.

    Returns
    -------
    str
        RUNNING, COMPLETED, NODE_FAIL, PREEMPTED (which will go on) or FAILED.
    """
    word = word_of(state)
    if word in ALIVE:
        return "RUNNING"
    if word in _TOLD_APART or (word == "PREEMPTED" and requeue):
        return word
    return "FAILED"


def why(state: str, output: str) -> str:
    """Tell why a job has come to another end than success.

    Parameters
    ----------
    state : str
        What sacct or squeue says.
    output : str
        The end of what the job has printed.

    Returns
    -------
    str
        memory or time (there was too little), nothing (the job had no part in it) or unknown.
    """
    word = word_of(state)
    if word == "TIMEOUT":
        return "time"
    if word == "OUT_OF_MEMORY" or _OVER_MEMORY.search(output):
        return "memory"
    if word in _NOTHING:
        return "nothing"
    return "memory" if _NO_MEMORY.search(output) else "unknown"
