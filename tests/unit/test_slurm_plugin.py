"""The plugin without SLURM: commands of jobs, submission, status checks. Runs are in tests/services/test_slurm.py."""

import asyncio
import json
import logging
import threading
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as upstream
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from snakemake_executor_plugin_slurm_batch import Executor
from snakemake_executor_plugin_slurm_batch.attempts import Scaling
from snakemake_executor_plugin_slurm_batch.watch import Watch
from test_slurm_answers import upstream_message

PLUGIN = "snakemake_executor_plugin_slurm_batch"
COMMAND = "cd /home && /env/bin/python -m snakemake --target-jobs x:y=-m snakemake"


@pytest.fixture
def executor(monkeypatch):
    monkeypatch.setattr(upstream.Executor, "format_job_exec", lambda self, job: COMMAND)
    monkeypatch.setattr(upstream.Executor, "get_python_executable", lambda self: "/env/bin/python")
    return Executor.__new__(Executor)


def test_a_job_is_one_step_on_its_cpus(executor):
    job = SimpleNamespace(threads=3, resources={})
    command = "cd /home && srun -n1 --export=ALL --cpu-bind=q --cpus-per-task=3 /env/bin/python -m snakemake --target-jobs"
    assert executor.format_job_exec(job) == f"{command} x:y=-m snakemake"
    # inside a job the executor is the default, local
    assert executor.additional_general_args() == ""


def test_mpi_ranks_are_started_by_their_rule(executor):
    job = SimpleNamespace(threads=1, resources={"mpi": "srun --mpi=pmix", "tasks": 4})
    assert executor.format_job_exec(job) == COMMAND


def test_job_arrays_are_refused(executor):
    executor.workflow = SimpleNamespace(executor_settings=SimpleNamespace(array_jobs="all"))
    with pytest.raises(WorkflowError, match="leave slurm-batch-array-jobs unset and use groups"):
        executor.__post_init__()


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """An executor without SLURM; `logged` are its messages, `cancelled` the arguments that it gave to scancel."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(upstream.Executor, "__init__", lambda *_: None)
    executor = Executor()
    executor.logged, executor.cancelled = [], []
    monkeypatch.setattr(executor, "_scancel", lambda *arguments: executor.cancelled.extend(arguments))
    executor.logger = SimpleNamespace(warning=executor.logged.append, error=executor.logged.append)
    settings = SimpleNamespace(refusal_minutes=1, silence_hours=2, requeue=False)
    executor.workflow = SimpleNamespace(
        executor_settings=settings, scheduler=SimpleNamespace(_user_kill=None)
    )
    executor._excluded_nodes = set()
    executor.lock, executor.active_jobs = threading.Lock(), []
    executor.run_uuid, executor._submitted_job_clusters, executor._failed_nodes = "run", set(), set()
    executor._watch = Watch(10)
    return executor


class Submission:
    """A job that is submitted to an sbatch with given answers; squeue knows 11 and 12, after `silent` calls unanswered."""

    def __init__(self, monkeypatch, offline, answers, silent=0):
        self.reported, self.waited = [], []
        self.logged, self.cancelled = offline.logged, offline.cancelled
        monkeypatch.setattr(offline, "_ends_within", lambda seconds: self.waited.append(seconds))
        listings = iter([None] * silent)
        jobs = {"11": ("RUNNING", ""), "12": ("PENDING", "")}
        monkeypatch.setattr(f"{PLUGIN}.list_jobs", lambda *_: next(listings, jobs))
        offline._job_ids.add("11")
        monkeypatch.setattr(upstream.Executor, "run_job", lambda executor, job: next(answers)(executor, job))
        monkeypatch.setattr(
            upstream.Executor, "_report_job_error_threadsafe", lambda _, info, msg: self.reported.append(msg)
        )
        self.job = SimpleNamespace(jobid=1, attempt=1, restart_times=2)
        offline.run_job(self.job)


def refuse(error):
    return lambda executor, job: executor._report_job_error_threadsafe(None, upstream_message(error))


def accept(executor, job):
    pass


def fail_without_rule(executor, job):
    try:
        raise WorkflowError("The given account 'x' is invalid.")
    except WorkflowError:
        job.rule.name  # noqa: B018 - as upstream's handler does


def test_a_refusal_for_now_is_no_attempt(monkeypatch, offline):
    submission = Submission(
        monkeypatch, offline, iter([*[refuse("error: AssocMaxSubmitJobLimit")] * 3, accept])
    )
    assert (submission.waited, submission.reported, submission.cancelled) == ([10, 20, 40], [], [])
    assert submission.logged == [
        "SLURM temporarily refuses jobs (AssocMaxSubmitJobLimit); trying again after 10 s to 5 min."
    ]


def test_after_a_time_out_no_copy_is_left(monkeypatch, offline):
    submission = Submission(
        monkeypatch, offline, iter([refuse("error: Socket timed out on send/recv operation"), accept])
    )
    assert (submission.waited, submission.reported, submission.cancelled) == ([10], [], ["12"])


@pytest.mark.parametrize(
    "error", ["Unable to contact slurm controller (receive failure)", "Transport endpoint is not connected"]
)
def test_nothing_is_submitted_until_squeue_has_told_of_copies(monkeypatch, offline, error):
    """A controller that is too busy for sbatch is also too busy for squeue."""
    submission = Submission(monkeypatch, offline, iter([refuse(f"error: {error}"), accept]), silent=2)
    assert (submission.waited, submission.reported, submission.cancelled) == ([10, 20, 40], [], ["12"])


def test_a_job_that_slurm_has_but_upstream_failed_on_is_cancelled(monkeypatch, offline):
    def fail_after_submission(executor, job):
        executor._register_job_id("", "13")
        raise OSError("Disk quota exceeded")

    submission = Submission(monkeypatch, offline, iter([fail_after_submission]))
    assert (submission.cancelled, submission.reported) == (
        ["13"],
        ["The job could not be submitted: Disk quota exceeded"],
    )


def test_a_copy_that_appears_late_is_cancelled(monkeypatch, offline):
    checks = StatusChecks(
        monkeypatch, offline, [{"12": "RUNNING"}], jobs={"12": ("RUNNING", ""), "15": ("PENDING", "")}
    )
    job = submitted("12")
    assert checks.check(job) == [job]
    assert offline.cancelled == ["15"]


def test_a_reused_job_id_is_another_job(monkeypatch, offline):
    """As after a controller has lost its state."""
    checks = StatusChecks(
        monkeypatch, offline, [{"12": "FAILED"}, {"12": "RUNNING"}], jobs={"12": ("RUNNING", "")}
    )
    first, second = submitted("12"), submitted("12")
    offline._register_job_id("", "12")
    assert checks.check(first) == []
    offline._register_job_id("", "12")
    assert checks.check(second) == [second]


def test_scancel_does_not_answer(monkeypatch, offline, tmp_path):
    monkeypatch.setattr(f"{PLUGIN}.SCANCEL_SECONDS", 0.1)
    (tmp_path / "scancel").write_text("#!/bin/sh\nsleep 5\n")
    (tmp_path / "scancel").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    Executor._scancel(offline, "12")
    assert offline.logged == ["scancel does not answer; `squeue --name run` shows which jobs are left."]


def test_after_sigterm_nothing_is_submitted(monkeypatch, offline):
    """Snakemake waits for running jobs, and for jobs that wait to be submitted."""
    offline.workflow.scheduler._user_kill = "graceful"
    submission = Submission(monkeypatch, offline, iter([]))
    assert submission.reported == ["The job could not be submitted: the run is ending."]


def test_other_refusals_end_the_job_with_what_sbatch_said(monkeypatch, offline):
    submission = Submission(
        monkeypatch, offline, iter([refuse("sbatch: error: invalid account or partition")])
    )
    assert submission.reported == ["The job could not be submitted: invalid account or partition"]
    assert (submission.waited, submission.logged) == ([], [])
    # no further attempt
    assert submission.job.attempt == 3


def test_a_refused_job_prints_no_traceback(monkeypatch, offline, caplog):
    """Upstream prints one for a single job, but none for a group."""
    logger = logging.Logger("run")
    logger.addHandler(caplog.handler)
    offline.workflow.executor_settings = SimpleNamespace(array_jobs=None, stuck_minutes=10)
    monkeypatch.setattr(offline, "_refuse_without_commands", lambda: None)
    monkeypatch.setattr(upstream.Executor, "__post_init__", lambda *_: None)
    for name in ("query_job_status", "validate_or_get_slurm_job_id", "get_submit_command"):
        # restored at the end
        monkeypatch.setattr(upstream, name, getattr(upstream, name))
    offline.logger = logger
    offline.__post_init__()
    logger.error("Exception in run_job for rule a: The given account 'x' is invalid.", exc_info=True)
    logger.error("The job could not be submitted: The given account 'x' is invalid.")
    assert caplog.messages == ["The job could not be submitted: The given account 'x' is invalid."]


def test_a_group_that_upstream_fails_on_is_told(monkeypatch, offline):
    submission = Submission(monkeypatch, offline, iter([fail_without_rule]))
    assert submission.reported == ["The job could not be submitted: The given account 'x' is invalid."]


def test_refusals_are_counted_for_status(monkeypatch, offline, tmp_path):
    (tmp_path / ".snakemake").mkdir()
    busy, limit = (
        refuse("error: Socket timed out on send/recv operation"),
        refuse("error: AssocMaxSubmitJobLimit"),
    )
    Submission(monkeypatch, offline, iter([limit, busy, limit, accept]))
    assert json.loads((tmp_path / ".snakemake" / "slurm.json").read_text()) == {
        "refused_for_now": {"AssocMaxSubmitJobLimit": 2, "Socket timed out on send/recv operation": 1}
    }


def test_when_all_nodes_have_failed_none_is_excluded(monkeypatch, offline):
    offline._failed_nodes, offline._excluded_nodes = {"n1", "n2", "old"}, {"old"}
    submission = Submission(
        monkeypatch, offline, iter([refuse("error: Requested node configuration is not available"), accept])
    )
    assert (submission.reported, offline._failed_nodes) == ([], {"old"})


def test_other_refusals_keep_nodes_excluded(monkeypatch, offline):
    offline._failed_nodes = {"n1"}
    submission = Submission(monkeypatch, offline, iter([refuse("error: Invalid account")]))
    assert (len(submission.reported), offline._failed_nodes) == (1, {"n1"})


def test_nothing_is_submitted_after_the_end(monkeypatch, offline):
    offline._ending.set()
    submission = Submission(monkeypatch, offline, iter([]))
    assert submission.reported == ["The job could not be submitted: the run is ending."]


def test_without_slurm_on_the_path(offline, monkeypatch, tmp_path):
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / "squeue").write_text("#!/bin/sh\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    offline.workflow.executor_settings.array_jobs = None
    with pytest.raises(WorkflowError) as raised:
        offline.__post_init__()
    sentence = (
        "SLURM's sbatch, scancel cannot be found: start the run on a login node of the cluster, with SLURM's commands on "
        "the PATH (`module load slurm` at many sites)."
    )
    assert str(raised.value) == sentence
    assert json.loads((tmp_path / ".snakemake" / "slurm.json").read_text()) == {"failed": {sentence: 0}}


class Group:
    """A group of jobs with two attempts left."""

    attempt, restart_times = 1, 2

    def is_group(self):
        return True

    def log_error(self, *_, **__):
        pass


def submitted(job_id):
    return SubmittedJobInfo(Group(), external_jobid=job_id, aux={"slurm_logfile": "12.log"})


class StatusChecks:
    """An executor whose SLURM gives these answers to successive status queries; None is no answer."""

    def __init__(self, monkeypatch, offline, states, jobs=None):
        self.offline, self.errors, self.successes = offline, [], []
        states = iter(states)

        async def query_job_status(command, logger):
            answer = next(states)
            return answer, None if answer is None else 0.1

        async def check_active_jobs(executor, active_jobs):
            """As upstream does: a job that the answer does not name is still active."""
            answer, _ = await executor._query_states("sacct -X", None)
            for info in active_jobs if answer is not None else ():
                state = answer.get(info.external_jobid)
                if state == "COMPLETED":
                    executor.report_job_success(info)
                elif state == "FAILED":
                    executor.report_job_error(info, msg=f"SLURM status is: '{state}'. ")
                else:
                    yield info

        monkeypatch.setattr(f"{PLUGIN}._query_job_status", query_job_status)
        # a controller that does not answer is another test
        monkeypatch.setattr(f"{PLUGIN}.list_jobs", lambda *_: {} if jobs is None else jobs)
        monkeypatch.setattr(upstream.Executor, "check_active_jobs", check_active_jobs)
        offline.workflow.scheduler.error_callback = self.errors.append
        offline.workflow.scheduler.finish_callback = self.successes.append

    def check(self, *active_jobs):
        self.offline._job_ids |= {info.external_jobid for info in active_jobs}

        async def collect():
            return [info async for info in self.offline.check_active_jobs(list(active_jobs))]

        return asyncio.run(collect())


def test_jobs_are_not_lost_when_slurm_does_not_answer(monkeypatch, offline):
    checks, job = StatusChecks(monkeypatch, offline, [None, None, None]), submitted("12")
    assert [checks.check(job), checks.check(job)] == [[job], [job]]
    assert offline.logged == [
        "sacct does not answer; jobs in SLURM continue, and the query is repeated for up to 2 h."
    ]
    offline._silent_since["sacct"] -= 7201
    with pytest.raises(WorkflowError) as raised:
        checks.check(job)
    assert str(raised.value) == (
        "sacct has not answered for 2 h. Jobs in SLURM continue; start the run again when they have ended."
    )


def test_ends_of_jobs(monkeypatch, offline):
    states = {"1": "COMPLETED", "2": "CANCELLED by 1001", "3": "A_NEW_STATE", "4": "RUNNING"}
    checks = StatusChecks(monkeypatch, offline, [states])
    completed, cancelled, unknown, running = (submitted(job_id) for job_id in "1234")
    assert checks.check(completed, cancelled, unknown, running) == [running]
    assert (checks.successes, checks.errors) == ([completed.job], [cancelled.job, unknown.job])
    assert offline.logged == [
        "SLURM status is: 'CANCELLED by 1001'. Job output: 12.log", "SLURM status is: 'A_NEW_STATE'. Job output: 12.log"
    ]  # fmt: skip
    # a state of a later version may mean that it is running: no second copy beside it
    assert offline.cancelled == ["3"]
    assert {info.job: offline._scaling[info.job] for info in (cancelled, unknown)} == {
        cancelled.job: Scaling(),
        unknown.job: Scaling(unknown=1),
    }


def test_a_job_that_can_never_start_is_tried_once(monkeypatch, offline):
    checks = StatusChecks(
        monkeypatch, offline, [{"12": "PENDING"}] * 3, jobs={"12": ("PENDING", "BadConstraints")}
    )
    info, clock = submitted("12"), [0]
    offline._watch = Watch(10, lambda: clock[0])
    for clock[0], active in ((0, [info]), (300, [info]), (600, [])):
        assert checks.check(info) == active
    assert (offline.cancelled, checks.errors, info.job.attempt) == (["12"], [info.job], 3)
    assert [text.partition(";")[0] for text in offline.logged] == [
        "SLURM cannot start job 12: BadConstraints", "SLURM could not start the job within 10 minutes: BadConstraints"
    ]  # fmt: skip
