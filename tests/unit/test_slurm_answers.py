"""Answers of SLURM, without SLURM: job states, and what sbatch prints."""

import pytest

from snakemake_executor_plugin_slurm_batch.states import upstream_state
from snakemake_executor_plugin_slurm_batch.submission import (
    is_temporary,
    parse_job_id,
    retry_waits,
    sbatch_error,
)

# sacct(1) and squeue(1) of SLURM 22.05 to 25.05, "JOB STATE CODES"
STATES = {
    "COMPLETED": "COMPLETED",
    "NODE_FAIL": "NODE_FAIL",
    "RUNNIN+": "RUNNING",
    **dict.fromkeys(
        (
            "COMPLETING", "CONFIGURING", "EXPEDITING", "PENDING", "POWER_UP_NODE", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD",
            "RESIZING", "RESV_DEL_HOLD", "RUNNING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "SUSPENDED", "UPDATE_DB",
        ),
        "RUNNING",
    ),
    **dict.fromkeys(
        (
            "BOOT_FAIL", "CANCELLED", "CANCELLED by 1001", "CANCELLED+", "DEADLINE", "FAILED", "LAUNCH_FAILED",
            "OUT_OF_MEMORY", "OUT_OF_ME+", "RECONFIG_FAIL", "REVOKED", "TIMEOUT", "UNKNOWN", "", "A_STATE_OF_LATER_VERSIONS",
        ),
        "FAILED",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("state", "expected"), STATES.items())
@pytest.mark.parametrize("requeue", [False, True])
def test_a_state_is_running_done_or_failed(state, expected, requeue):
    assert upstream_state(state, requeue) == expected
    assert upstream_state(f"{state} ", requeue) == expected


def test_a_preempted_job_continues_only_if_it_is_requeued():
    assert upstream_state("PREEMPTED", requeue=True) == "PREEMPTED"
    assert upstream_state("PREEMPTED", requeue=False) == "FAILED"


@pytest.mark.parametrize(
    ("output", "job_id"),
    [
        ("4711\n", "4711"),
        ("4711;cluster1\n", "4711"),
        ("Welcome to the cluster: 300 hours left\n\n4711\n", "4711"),
        ("4711\nYour project has 20 % of 5000 hours left\n", "4711"),
        ("12 jobs are in the queue\n4711;b\nbye 5\n", "4711"),
        ("Submitted batch job 4711\n", "4711"),
        ("Submitted batch job 4711 on cluster b\n", "4711"),
    ],
)
def test_the_job_id_among_what_a_site_prints(output, job_id):
    assert parse_job_id(output) == job_id


def test_no_job_id():
    with pytest.raises(ValueError, match="sbatch printed no job ID: 'Submitted 4711 a while ago'"):
        parse_job_id("Submitted 4711\na while ago\n")


def upstream_message(error):
    """The message of upstream when sbatch fails."""
    return f"SLURM sbatch failed. The error message was '{error}'.\n    sbatch call:\n        sbatch --parsable ...\n"


ANSWERS = [
    ("sbatch: error: invalid partition specified: nowhere\nsbatch: error: Batch job submission failed: Invalid partition name specified",
     "invalid partition specified: nowhere; Batch job submission failed: Invalid partition name specified", False),
    ("/bin/sh: 1: sbatch: not found", "/bin/sh: 1: sbatch: not found", False),
    ("sbatch: error: Batch job submission failed: Invalid feature specification",
     "Batch job submission failed: Invalid feature specification", False),
    ("sbatch: error: Batch job submission failed: Requested node configuration is not available",
     "Batch job submission failed: Requested node configuration is not available", False),
    ("sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy "
     "(job submit limit, user's size and/or time limits)",
     "AssocMaxSubmitJobLimit; Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size "
     "and/or time limits)", True),
    ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
     "Batch job submission failed: Socket timed out on send/recv operation", True),
    ("sbatch: error: QOSMaxWallDurationPerJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS "
     "policy (job submit limit, user's size and/or time limits)",
     "QOSMaxWallDurationPerJobLimit; Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's "
     "size and/or time limits)", False),
    ("sbatch: error: QOSMaxCpuPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job "
     "submit limit, user's size and/or time limits)",
     "QOSMaxCpuPerUserLimit; Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size "
     "and/or time limits)", False),
    ("", "sbatch gave no reason, or did not answer within 5 minutes", True),
    ("sbatch: error: Batch job submission failed: I/O error writing script/environment to file",
     "Batch job submission failed: I/O error writing script/environment to file", True),
    ("Jobs held at the deadline of maintenance are free\nsbatch: error: QOSMaxSubmitJobPerUserLimit",
     "Jobs held at the deadline of maintenance are free; QOSMaxSubmitJobPerUserLimit", True),
    ("sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)",
     "Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)", False),
    ("sbatch: error: Batch job submission failed: Required partition not available (inactive or drain)",
     "Batch job submission failed: Required partition not available (inactive or drain)", True),
    ("sbatch: error: Batch job submission failed: Protocol authentication error",
     "Batch job submission failed: Protocol authentication error", True),
    ("sbatch: error: Unable to contact slurm controller (connect failure)",
     "Unable to contact slurm controller (connect failure)", True),
]  # fmt: skip


@pytest.mark.parametrize(("printed", "error", "temporary"), ANSWERS)
def test_errors_of_sbatch(printed, error, temporary):
    assert sbatch_error(upstream_message(printed)) == error
    assert is_temporary(error) == temporary


def test_a_job_is_resubmitted_as_long_as_others_are_in_the_queue():
    clock, queue = (
        iter([0, 10, 7000, 14000, 21200, 21300, 28401]),
        iter([False, False, True, True, False, False]),
    )
    seconds = list(retry_waits(7200, lambda: next(queue), lambda: next(clock)))
    assert seconds == [10, 20, 40, 80, 160]
