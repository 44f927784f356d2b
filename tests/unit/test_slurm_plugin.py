"""The plugin without SLURM: the commands of jobs. Runs are in tests/services/test_slurm.py."""

import threading
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as upstream
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_slurm_batch import Executor
from snakemake_executor_plugin_slurm_batch.states import meaning
from snakemake_executor_plugin_slurm_batch.submission import answer, job_number, passes, waits

COMMAND = "cd /home && /env/bin/python -m snakemake --target-jobs x:y=-m snakemake"


@pytest.fixture
def executor(monkeypatch):
    monkeypatch.setattr(upstream.Executor, "format_job_exec", lambda self, job: COMMAND)
    monkeypatch.setattr(upstream.Executor, "get_python_executable", lambda self: "/env/bin/python")
    return Executor.__new__(Executor)


def test_a_job_is_one_step_on_its_cpus(executor):
    job = SimpleNamespace(threads=3, resources={})
    start = "cd /home && srun -n1 --export=ALL --cpu-bind=q --cpus-per-task=3 /env/bin/python -m snakemake --target-jobs"
    assert executor.format_job_exec(job) == f"{start} x:y=-m snakemake"
    # the executor of a job is the default, local
    assert executor.additional_general_args() == ""


def test_ranks_are_started_by_their_rule(executor):
    job = SimpleNamespace(threads=1, resources={"mpi": "srun --mpi=pmix", "tasks": 4})
    assert executor.format_job_exec(job) == COMMAND


def test_job_arrays_are_refused(executor):
    executor.workflow = SimpleNamespace(executor_settings=SimpleNamespace(array_jobs="all"))
    with pytest.raises(WorkflowError, match="leave slurm-batch-array-jobs unset and use groups"):
        executor.__post_init__()


# sacct(1) and squeue(1) of SLURM 22.05 to 25.05, "JOB STATE CODES"
STATES = {
    "COMPLETED": "COMPLETED",
    "NODE_FAIL": "NODE_FAIL",
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
            "OUT_OF_MEMORY", "OUT_OF_ME+", "RECONFIG_FAIL", "REVOKED", "TIMEOUT", "A_WORD_OF_LATER_VERSIONS",
        ),
        "FAILED",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("state", "expected"), STATES.items())
@pytest.mark.parametrize("requeue", [False, True])
def test_a_state_is_alive_done_or_an_end(state, expected, requeue):
    assert meaning(state, requeue) == expected
    assert meaning(f"{state} ", requeue) == expected


def test_a_preempted_job_goes_on_only_where_slurm_starts_it_again():
    assert (meaning("PREEMPTED", True), meaning("PREEMPTED", False)) == ("PREEMPTED", "FAILED")


@pytest.mark.parametrize(
    ("output", "number"),
    [
        ("4711\n", "4711"),
        ("4711;cluster1\n", "4711"),
        ("Welcome to the cluster: 300 hours left\n\n4711\n", "4711"),
        ("4711\nYour project has 20 % of 5000 hours left\n", "4711"),
        ("12 jobs are in the queue\n4711;b\nbye 5\n", "4711"),
    ],
)
def test_the_number_of_a_job_among_what_a_site_prints(output, number):
    assert job_number(output) == number


def test_no_number_of_a_job():
    with pytest.raises(
        ValueError, match="sbatch has printed no number of a job: 'Submitted 4711 a while ago'"
    ):
        job_number("Submitted 4711\na while ago\n")


def failed(said):
    """What upstream says when sbatch fails."""
    return f"SLURM sbatch failed. The error message was '{said}'.\n    sbatch call:\n        sbatch --parsable ...\n"


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
    ("sbatch: error: Unable to contact slurm controller (connect failure)",
     "Unable to contact slurm controller (connect failure)", True),
]  # fmt: skip


@pytest.mark.parametrize(("said", "told", "for_now"), ANSWERS)
def test_what_sbatch_answers(said, told, for_now):
    assert answer(failed(said)) == told
    assert passes(told) == for_now


def test_a_job_is_submitted_again_as_long_as_others_are_in_the_queue():
    clock, queue = (
        iter([0, 10, 7000, 14000, 21200, 21300, 28401]),
        iter([False, False, True, True, False, False]),
    )
    seconds = list(waits(7200, lambda: next(queue), lambda: next(clock)))
    assert seconds == [10, 20, 40, 80, 160]


class Submitting:
    """An executor whose sbatch gives some answers, one after the other."""

    def __init__(self, monkeypatch, answers):
        self.reported, self.told, self.waited = [], [], []
        self.executor = Executor.__new__(Executor)
        self.executor.logger = SimpleNamespace(warning=self.told.append)
        self.executor.workflow = SimpleNamespace(executor_settings=SimpleNamespace(refusal_minutes=1))
        self.executor.lock, self.executor.active_jobs = threading.Lock(), []
        self.executor._submitting, self.executor._refusal, self.executor._told = threading.Lock(), None, None
        self.executor._ending = SimpleNamespace(wait=lambda seconds: self.waited.append(seconds))
        self.strays = []
        monkeypatch.setattr(self.executor, "_cancel_strays", lambda: self.strays.append(1))
        monkeypatch.setattr(upstream.Executor, "run_job", lambda executor, job: next(answers)(executor, job))
        monkeypatch.setattr(
            upstream.Executor, "_report_job_error_threadsafe", lambda _, info, msg: self.reported.append(msg)
        )
        self.executor.run_job(SimpleNamespace(jobid=1))


def refuse(said):
    return lambda executor, job: executor._report_job_error_threadsafe(None, failed(said))


def take(executor, job):
    pass


def no_rule(executor, job):
    try:
        raise WorkflowError("The given account 'x' is invalid.")
    except WorkflowError:
        job.rule.name  # noqa: B018 - as upstream's handler asks for it


def test_a_refusal_for_now_is_no_attempt(monkeypatch):
    told = Submitting(monkeypatch, iter([*[refuse("error: AssocMaxSubmitJobLimit")] * 3, take]))
    assert (told.waited, told.reported, told.strays) == ([10, 20, 40], [], [])
    assert told.told == [
        "SLURM takes no job for now (AssocMaxSubmitJobLimit); asking again, after 10 s to 5 min."
    ]


def test_after_a_time_out_no_copy_is_left(monkeypatch):
    told = Submitting(monkeypatch, iter([refuse("error: Socket timed out on send/recv operation"), take]))
    assert (told.waited, told.reported, told.strays) == ([10], [], [1])


def test_other_refusals_end_the_job_with_what_sbatch_said(monkeypatch):
    told = Submitting(monkeypatch, iter([refuse("sbatch: error: invalid account or partition")]))
    assert told.reported == ["SLURM does not take the job: invalid account or partition"]
    assert (told.waited, told.told) == ([], [])


def test_a_group_that_upstream_fails_on_is_told(monkeypatch):
    told = Submitting(monkeypatch, iter([no_rule]))
    assert told.reported == ["SLURM does not take the job: The given account 'x' is invalid."]
