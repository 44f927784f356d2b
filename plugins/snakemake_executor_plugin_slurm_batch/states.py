"""What SLURM's words for a job mean: whether it is alive, has done its work, or has come to another end.

sacct(1) and squeue(1), "JOB STATE CODES".
"""

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
# ends that upstream tells apart: success, nobody knows, and a node to leave out
_TOLD_APART = {"COMPLETED", "NODE_FAIL", "UNKNOWN"}


def meaning(state: str, requeue: bool) -> str:
    """Return a word that upstream understands for what sacct or squeue says of a job.

    Upstream takes every word for running that it does not know, also `CANCELLED by 1001`.

    Parameters
    ----------
    state : str
        A word, and more behind a space; `+` where it was cut.
    requeue : bool
        Whether SLURM starts a job again that it has preempted.

    Returns
    -------
    str
        RUNNING, COMPLETED, NODE_FAIL, UNKNOWN, PREEMPTED (which will go on) or FAILED.
    """
    word = state.split()[0].rstrip("+").upper() if state.strip() else "UNKNOWN"
    if word in ALIVE:
        return "RUNNING"
    if word in _TOLD_APART or (word == "PREEMPTED" and requeue):
        return word
    return "FAILED"
