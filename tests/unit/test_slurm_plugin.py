"""The plugin without SLURM: the commands of jobs. Runs are in tests/services/test_slurm.py."""

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
from snakemake_executor_plugin_slurm_batch.attempts import Request
from snakemake_executor_plugin_slurm_batch.watch import Watch
from test_slurm_answers import failed

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


@pytest.fixture
def made(monkeypatch, tmp_path):
    """An executor without SLURM; `cancelled` is what it gave to scancel."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(upstream.Executor, "__init__", lambda *_: None)
    executor = Executor()
    executor.told, executor.cancelled = [], []
    monkeypatch.setattr(executor, "_scancel", lambda *what: executor.cancelled.extend(what))
    executor.logger = SimpleNamespace(warning=executor.told.append, error=executor.told.append)
    settings = SimpleNamespace(refusal_minutes=1, silence_hours=2, requeue=False)
    executor.workflow = SimpleNamespace(
        executor_settings=settings, scheduler=SimpleNamespace(_user_kill=None)
    )
    executor._excluded = set()
    executor.lock, executor.active_jobs = threading.Lock(), []
    executor.run_uuid, executor._submitted_job_clusters, executor._failed_nodes = "run", set(), set()
    executor._watch = Watch(10)
    return executor


class Submitting:
    """An executor whose sbatch gives some answers, one after the other; its squeue knows 11, and 12, or does not answer."""

    def __init__(self, monkeypatch, made, answers, silent=0):
        self.reported, self.waited, self.executor = [], [], made
        self.told, self.strays = made.told, made.cancelled
        monkeypatch.setattr(made, "_ends_within", lambda seconds: self.waited.append(seconds))
        listings = iter([None] * silent)
        jobs = {"11": ("RUNNING", ""), "12": ("PENDING", "")}
        monkeypatch.setattr("snakemake_executor_plugin_slurm_batch.listed", lambda *_: next(listings, jobs))
        made._numbers.add("11")
        monkeypatch.setattr(upstream.Executor, "run_job", lambda executor, job: next(answers)(executor, job))
        monkeypatch.setattr(
            upstream.Executor, "_report_job_error_threadsafe", lambda _, info, msg: self.reported.append(msg)
        )
        self.job = SimpleNamespace(jobid=1, attempt=1, restart_times=2)
        made.run_job(self.job)


def refuse(said):
    return lambda executor, job: executor._report_job_error_threadsafe(None, failed(said))


def take(executor, job):
    pass


def no_rule(executor, job):
    try:
        raise WorkflowError("The given account 'x' is invalid.")
    except WorkflowError:
        job.rule.name  # noqa: B018 - as upstream's handler asks for it


def test_a_refusal_for_now_is_no_attempt(monkeypatch, made):
    told = Submitting(monkeypatch, made, iter([*[refuse("error: AssocMaxSubmitJobLimit")] * 3, take]))
    assert (told.waited, told.reported, told.strays) == ([10, 20, 40], [], [])
    assert told.told == [
        "SLURM takes no job for now (AssocMaxSubmitJobLimit); asking again, after 10 s to 5 min."
    ]


def test_after_a_time_out_no_copy_is_left(monkeypatch, made):
    told = Submitting(
        monkeypatch, made, iter([refuse("error: Socket timed out on send/recv operation"), take])
    )
    assert (told.waited, told.reported, told.strays) == ([10], [], ["12"])


@pytest.mark.parametrize(
    "said", ["Unable to contact slurm controller (receive failure)", "Transport endpoint is not connected"]
)
def test_nothing_is_submitted_until_squeue_has_told_of_copies(monkeypatch, made, said):
    """The controller that has no time for sbatch has none for squeue."""
    told = Submitting(monkeypatch, made, iter([refuse(f"error: {said}"), take]), silent=2)
    assert (told.waited, told.reported, told.strays) == ([10, 20, 40], [], ["12"])


def test_a_job_that_slurm_has_taken_and_nobody_has_noted_is_cancelled(monkeypatch, made):
    def full(executor, job):
        executor._number("", "13")
        raise OSError("Disk quota exceeded")

    told = Submitting(monkeypatch, made, iter([full]))
    assert (told.strays, told.reported) == (["13"], ["SLURM does not take the job: Disk quota exceeded"])


def test_a_copy_that_comes_late_is_cancelled(monkeypatch, made):
    asking = Asking(
        monkeypatch, made, [{"12": "RUNNING"}], listed={"12": ("RUNNING", ""), "15": ("PENDING", "")}
    )
    job = job_of("12")
    assert asking.look(job) == [job]
    assert made.cancelled == ["15"]


def test_a_number_that_comes_again_is_another_job(monkeypatch, made):
    """As after a controller that has lost its state."""
    asking = Asking(monkeypatch, made, [{"12": "FAILED"}, {"12": "RUNNING"}], listed={"12": ("RUNNING", "")})
    first, second = job_of("12"), job_of("12")
    made._number("", "12")
    assert asking.look(first) == []
    made._number("", "12")
    assert asking.look(second) == [second]


def test_scancel_does_not_answer(monkeypatch, made, tmp_path):
    monkeypatch.setattr("snakemake_executor_plugin_slurm_batch.SCANCEL_SECONDS", 0.1)
    (tmp_path / "scancel").write_text("#!/bin/sh\nsleep 5\n")
    (tmp_path / "scancel").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    Executor._scancel(made, "12")
    assert made.told == ["scancel does not answer; see `squeue --name run` for what goes on."]


def test_after_sigterm_nothing_is_submitted(monkeypatch, made):
    """Snakemake waits for what runs, and for what waits to be submitted."""
    made.workflow.scheduler._user_kill = "graceful"
    told = Submitting(monkeypatch, made, iter([]))
    assert told.reported == ["SLURM does not take the job: the run has ended before."]


def test_other_refusals_end_the_job_with_what_sbatch_said(monkeypatch, made):
    told = Submitting(monkeypatch, made, iter([refuse("sbatch: error: invalid account or partition")]))
    assert told.reported == ["SLURM does not take the job: invalid account or partition"]
    assert (told.waited, told.told) == ([], [])
    # no other attempt
    assert told.job.attempt == 3


def test_a_refused_job_prints_no_traceback(monkeypatch, made, caplog):
    """Of a rule upstream prints one, of the group beside it none."""
    logger = logging.Logger("run")
    logger.addHandler(caplog.handler)
    made.workflow.executor_settings = SimpleNamespace(array_jobs=None, stuck_minutes=10)
    monkeypatch.setattr(made, "_refuse_without_commands", lambda: None)
    monkeypatch.setattr(upstream.Executor, "__post_init__", lambda *_: None)
    for name in ("query_job_status", "validate_or_get_slurm_job_id", "get_submit_command"):
        # put back in the end
        monkeypatch.setattr(upstream, name, getattr(upstream, name))
    made.logger = logger
    made.__post_init__()
    logger.error("Exception in run_job for rule a: The given account 'x' is invalid.", exc_info=True)
    logger.error("SLURM does not take the job: The given account 'x' is invalid.")
    assert caplog.messages == ["SLURM does not take the job: The given account 'x' is invalid."]


def test_a_group_that_upstream_fails_on_is_told(monkeypatch, made):
    told = Submitting(monkeypatch, made, iter([no_rule]))
    assert told.reported == ["SLURM does not take the job: The given account 'x' is invalid."]


def test_the_refusals_are_counted_for_status(monkeypatch, made, tmp_path):
    (tmp_path / ".snakemake").mkdir()
    busy, limit = (
        refuse("error: Socket timed out on send/recv operation"),
        refuse("error: AssocMaxSubmitJobLimit"),
    )
    Submitting(monkeypatch, made, iter([limit, busy, limit, take]))
    told = json.loads((tmp_path / ".snakemake" / "slurm.json").read_text())
    assert told == {
        "refused_for_now": {"AssocMaxSubmitJobLimit": 2, "Socket timed out on send/recv operation": 1}
    }


def test_when_all_nodes_have_failed_none_is_left_out(monkeypatch, made):
    made._failed_nodes, made._excluded = {"n1", "n2", "old"}, {"old"}
    told = Submitting(
        monkeypatch, made, iter([refuse("error: Requested node configuration is not available"), take])
    )
    assert (told.reported, made._failed_nodes) == ([], {"old"})


def test_other_refusals_leave_nodes_out(monkeypatch, made):
    made._failed_nodes = {"n1"}
    told = Submitting(monkeypatch, made, iter([refuse("error: Invalid account")]))
    assert (len(told.reported), made._failed_nodes) == (1, {"n1"})


def test_nothing_is_submitted_after_the_end(monkeypatch, made):
    made._ending.set()
    told = Submitting(monkeypatch, made, iter([]))
    assert told.reported == ["SLURM does not take the job: the run has ended before."]


def test_without_slurm_on_the_path(made, monkeypatch, tmp_path):
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / "squeue").write_text("#!/bin/sh\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    made.workflow.executor_settings.array_jobs = None
    with pytest.raises(WorkflowError) as raised:
        made.__post_init__()
    sentence = (
        "sbatch, scancel of SLURM cannot be found: start the run on a login node of the cluster, and see that SLURM's "
        "commands are on the PATH (`module load slurm` on many sites)."
    )
    assert str(raised.value) == sentence
    assert json.loads((tmp_path / ".snakemake" / "slurm.json").read_text()) == {"failed": {sentence: 0}}


class Group:
    """A group of jobs, of which two attempts are left."""

    attempt, restart_times = 1, 2

    def is_group(self):
        return True

    def log_error(self, *_, **__):
        pass


def job_of(number):
    return SubmittedJobInfo(Group(), external_jobid=number, aux={"slurm_logfile": "12.log"})


class Asking:
    """An executor whose SLURM answers, one question after the other; None is no answer."""

    def __init__(self, monkeypatch, made, states, listed=None):
        self.made, self.errors, self.successes = made, [], []
        states = iter(states)

        async def ask(command, logger):
            found = next(states)
            return found, None if found is None else 0.1

        async def check(executor, jobs):
            """As upstream does: whoever is not told of is still there."""
            found, _ = await executor._query("sacct -X", None)
            for info in jobs if found is not None else ():
                state = found.get(info.external_jobid)
                if state == "COMPLETED":
                    executor.report_job_success(info)
                elif state == "FAILED":
                    executor.report_job_error(info, msg=f"SLURM status is: '{state}'. ")
                else:
                    yield info

        monkeypatch.setattr("snakemake_executor_plugin_slurm_batch._ASK", ask)
        # a controller that does not answer is another test
        monkeypatch.setattr(
            "snakemake_executor_plugin_slurm_batch.listed", lambda *_: {} if listed is None else listed
        )
        monkeypatch.setattr(upstream.Executor, "check_active_jobs", check)
        made.workflow.scheduler.error_callback = self.errors.append
        made.workflow.scheduler.finish_callback = self.successes.append

    def look(self, *jobs):
        self.made._numbers |= {job.external_jobid for job in jobs}

        async def collect():
            return [info async for info in self.made.check_active_jobs(list(jobs))]

        return asyncio.run(collect())


def test_jobs_are_not_lost_when_slurm_does_not_answer(monkeypatch, made):
    asking, job = Asking(monkeypatch, made, [None, None, None]), job_of("12")
    assert [asking.look(job), asking.look(job)] == [[job], [job]]
    assert made.told == ["sacct does not answer; its jobs go on, and it is asked again for up to 2 h."]
    made._silent_since["sacct"] -= 7201
    with pytest.raises(WorkflowError) as raised:
        asking.look(job)
    assert str(raised.value) == (
        "sacct has not answered for 2 h. Jobs in SLURM go on; start the run again when they have ended."
    )


def test_what_becomes_of_jobs(monkeypatch, made):
    states = {"1": "COMPLETED", "2": "CANCELLED by 1001", "3": "A_NEW_WORD", "4": "RUNNING"}
    asking = Asking(monkeypatch, made, [states])
    one, two, three, four = (job_of(number) for number in "1234")
    assert asking.look(one, two, three, four) == [four]
    assert (asking.successes, asking.errors) == ([one.job], [two.job, three.job])
    assert made.told == [
        "SLURM status is: 'CANCELLED by 1001'. Its output: 12.log", "SLURM status is: 'A_NEW_WORD'. Its output: 12.log"
    ]  # fmt: skip
    # a word of a later version may mean that it runs: no second copy beside it
    assert made.cancelled == ["3"]
    assert {job: made._requests[job] for job in (two.job, three.job)} == {
        two.job: Request(),
        three.job: Request(unknown=1),
    }


def test_a_job_that_can_never_start_is_tried_once(monkeypatch, made):
    asking = Asking(monkeypatch, made, [{"12": "PENDING"}] * 3, listed={"12": ("PENDING", "BadConstraints")})
    job, clock = job_of("12"), [0]
    made._watch = Watch(10, lambda: clock[0])
    for clock[0], left in ((0, [job]), (300, [job]), (600, [])):
        assert asking.look(job) == left
    assert (made.cancelled, asking.errors, job.job.attempt) == (["12"], [job.job], 3)
    assert [text.partition(";")[0] for text in made.told] == [
        "SLURM cannot start the job 12: BadConstraints", "SLURM could not start it for 10 minutes: BadConstraints"
    ]  # fmt: skip
