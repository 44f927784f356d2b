"""snakemake-executor-plugin-slurm 2.8.0 with one start of Snakemake per SLURM job: `executor: slurm-batch`.

Upstream starts Snakemake in the SLURM job, and once more for each job of a group, one after the other; a start takes
more CPU time than most of our jobs. If a group fails, and nearly all of our jobs are groups, it also loses the reason.
When upstream has fixed both, use `executor: slurm` and remove this folder.
"""

import asyncio
import logging
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import snakemake_executor_plugin_slurm as upstream
from snakemake_executor_plugin_slurm import common_settings as common_settings
from snakemake_executor_plugin_slurm_jobstep import get_cpu_setting
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_slurm_batch.attempts import Limits, ScaledJob, Scaling, query_limits
from snakemake_executor_plugin_slurm_batch.record import Record
from snakemake_executor_plugin_slurm_batch.states import FINAL, base_state, failure_reason, upstream_state
from snakemake_executor_plugin_slurm_batch.submission import (
    is_temporary,
    may_be_queued,
    parse_job_id,
    retry_waits,
    sbatch_error,
)
from snakemake_executor_plugin_slurm_batch.watch import Watch, list_jobs, read_end

_query_job_status = upstream.query_job_status
_get_submit_command = upstream.get_submit_command
# after which sbatch is terminated, which has no limit of its own
SBATCH_SECONDS = 300
# after which scancel is terminated
SCANCEL_SECONDS = 60
# the longest pause between two status checks
LONGEST_PAUSE = 60
# needed to submit, watch and cancel jobs
COMMANDS = ("sbatch", "squeue", "scancel")


def _option(default: float | None, help_text: str) -> object:
    kind = {"type": int} if default is None else {}
    return field(default=default, metadata={"help": help_text, "env_var": False, "required": False} | kind)


@dataclass
class ExecutorSettings(upstream.ExecutorSettings):
    """Upstream's settings, time limits for what may go wrong in SLURM, and limits of what attempts may request."""

    refusal_minutes: int = _option(
        120,
        "Minutes for which a job that SLURM temporarily refuses (submission limits, a busy controller) is resubmitted "
        "while no other job of the run is in the queue; then it fails.",
    )
    stuck_minutes: float = _option(
        10.0,
        "Minutes after which a job that SLURM can never start is cancelled, and a job that SLURM no longer knows is "
        "given up.",
    )
    silence_hours: int = _option(24, "Hours without an answer from SLURM after which the run ends.")
    max_mem_mb: int | None = _option(
        None,
        "The most memory, in MB, that an attempt requests (default: that of the partition's largest node).",
    )
    max_runtime: int | None = _option(
        None, "The most minutes that an attempt requests (default: the time limit of the partition)."
    )


class Executor(upstream.Executor):
    """Submits jobs; the Snakemake in a SLURM job runs its scripts itself, in parallel on the CPUs of the job."""

    def __init__(self, *arguments: object) -> None:
        # the thread that checks the status of jobs starts before __post_init__
        self._ending = threading.Event()
        # SLURM's own state of each job, and why jobs failed that have not succeeded since
        self._states: dict[str, str] = {}
        self._failures: dict[JobExecutorInterface, str] = {}
        self._scaling: dict[JobExecutorInterface, Scaling] = {}
        self._limits: dict[str, Limits] = {}
        # IDs of all jobs in SLURM, and of those that are over
        self._job_ids: set[str] = set()
        self._ended: set[str] = set()
        self._silent_since: dict[str, float] = {}
        # the refusal of the job that is being submitted, one at a time, and the refusals that have been reported
        self._submitting = threading.Lock()
        self._refusal: str | None = None
        self._reported: set[str] = set()
        # an error of sbatch after which SLURM may have a job whose ID is not known
        self._lost_submission: str | None = None
        self._record = Record(Path(".snakemake").absolute() / "slurm.json")
        super().__init__(*arguments)

    def __post_init__(self, test_mode: bool = False) -> None:
        """Refuse job arrays: upstream loses their outputs, and they need the second start of Snakemake."""
        settings = self.workflow.executor_settings
        if settings.array_jobs:
            raise WorkflowError(
                "slurm-batch does not support job arrays: leave slurm-batch-array-jobs unset and use groups."
            )
        self._refuse_without_commands()
        self._watch = Watch(settings.stuck_minutes)
        self.logger.addFilter(_is_not_traceback)
        # upstream calls these functions by their names in its module
        upstream.query_job_status = self._query_states
        upstream.validate_or_get_slurm_job_id = self._register_job_id
        upstream.get_submit_command = self._submit_command
        super().__post_init__(test_mode)
        self._excluded_nodes = set(self._failed_nodes)
        self._record.update(run=self.run_uuid)

    def _refuse_without_commands(self) -> None:
        missing = [name for name in COMMANDS if shutil.which(name) is None]
        if missing:
            sentence = (
                f"SLURM's {', '.join(missing)} cannot be found: start the run on a login node of the cluster, with "
                "SLURM's commands on the PATH (`module load slurm` at many sites)."
            )
            self._record.update(failed={sentence: 0})  # no job was submitted
            raise WorkflowError(sentence)

    def additional_general_args(self) -> str:
        """Repair: `--executor slurm-jobstep --jobs 1` starts Snakemake again for each job of a group."""
        return ""

    def format_job_exec(self, job: JobExecutorInterface) -> str:
        """Return the command of a job as a job step, so that the efficiency report finds its memory and time.

        With MPI, the rule starts the step itself.
        """
        command = super().format_job_exec(job)
        if job.resources.get("mpi"):
            return command
        snakemake = f"{self.get_python_executable()} -m snakemake"
        # One task with all CPUs of the job, as upstream's slurm-jobstep requests it; some sites set
        # SLURM_EXPORT_ENV=NONE, which starts a step without PATH.
        return command.replace(
            snakemake,
            f"srun -n1 --export=ALL --cpu-bind=q {get_cpu_setting(job, gpu=False)} {snakemake}",
            1,
        )

    def _submit_command(self, job: JobExecutorInterface, params: dict, **kwargs) -> str:
        """Repair: every attempt requested more time and memory, whatever the reason for the last failure."""
        scaling = self._scaling.get(job, Scaling())
        limits = self._limits_of(params["partition"]) if scaling != Scaling() else Limits()
        command = _get_submit_command(ScaledJob(job, scaling, limits), params, **kwargs)
        return f"timeout -k 10 {SBATCH_SECONDS} {command}"

    def _limits_of(self, partition: str) -> Limits:
        """Return the limits of the profile, or those of the partition, which SLURM is asked for once."""
        settings = self.workflow.executor_settings
        if partition not in self._limits and (limits := query_limits(partition)):
            self._limits[partition] = limits
        limits = self._limits.get(partition, Limits())
        return Limits(settings.max_mem_mb or limits.mem_mb, settings.max_runtime or limits.runtime)

    def run_job(self, job: JobExecutorInterface) -> None:
        """Repair: a temporary refusal counted as an attempt of the job, and sbatch's error for a group was lost."""
        for seconds in retry_waits(self.workflow.executor_settings.refusal_minutes * 60, self._has_jobs):
            refusal = self._submit(job)
            if refusal is None:
                return
            if is_temporary(refusal):
                self._report_refusal(refusal)
                if self._ends_within(seconds):
                    break
            elif self._failed_nodes > self._excluded_nodes and "node" in refusal.lower():
                # without the failed nodes none may be left
                self._failed_nodes.intersection_update(self._excluded_nodes)
            else:
                break
        self._forbid_retries(job)
        super()._report_job_error_threadsafe(
            SubmittedJobInfo(job), f"The job could not be submitted: {refusal}"
        )

    def _ends_within(self, seconds: float) -> bool:
        """Wait, and return whether the run ends meanwhile."""
        end = time.monotonic() + seconds
        while not self._is_ending() and (rest := end - time.monotonic()) > 0:
            self._ending.wait(min(rest, 1))
        return self._is_ending()

    def _is_ending(self) -> bool:
        # after SIGTERM Snakemake waits for running jobs, but also for jobs that wait to be submitted
        return self._ending.is_set() or bool(getattr(self.workflow.scheduler, "_user_kill", None))

    def _forbid_retries(self, job: JobExecutorInterface) -> None:
        """Make this attempt of a job its last: another would fail in the same way."""
        job.attempt = max(job.attempt, job.restart_times + 1)

    def _has_jobs(self) -> bool:
        with self.lock:
            return bool(self.active_jobs)

    def _submit(self, job: JobExecutorInterface) -> str | None:
        """Submit a job, or return why not.

        SLURM then has no copy of it, or may have one, which is looked for before the next submission.
        """
        with self._submitting:
            if self._is_ending():
                return "the run is ending."
            if self._lost_submission and not self._cancel_untracked(self._list_jobs()):
                return self._lost_submission
            self._refusal, self._lost_submission = None, None
            known = set(self._job_ids)
            try:
                super().run_job(job)
            except Exception as error:
                # upstream's own handler fails for a group, which has no rule
                self._refusal = " ".join(str(error.__context__ or error).split())
            if self._refusal is not None:
                # SLURM has the job, but upstream failed after it got the ID
                self._scancel(*self._job_ids - known)
                self._lost_submission = self._refusal if may_be_queued(self._refusal) else None
            return self._refusal

    def _register_job_id(self, _: str, output: str) -> str:
        job_id = parse_job_id(output)
        self._job_ids.add(job_id)
        # a controller that has lost its state reuses IDs
        self._ended.discard(job_id)
        self._states.pop(job_id, None)
        return job_id

    def _list_jobs(self) -> dict[str, tuple[str, str]] | None:
        return list_jobs(self.run_uuid, bool(self._submitted_job_clusters))

    def _cancel_untracked(self, jobs: dict[str, tuple[str, str]] | None) -> bool:
        """Cancel jobs of this run whose IDs sbatch did not return: they would run twice.

        Return whether the controller has answered.
        """
        active = {job_id for job_id, (state, _) in (jobs or {}).items() if base_state(state) not in FINAL}
        self._scancel(*sorted(active - self._job_ids))
        return jobs is not None

    def _scancel(self, *arguments: str) -> None:
        """Cancel jobs; it is no error when they have already ended."""
        if not arguments:
            return
        command = ["scancel", *["--clusters=all"] * bool(self._submitted_job_clusters), *arguments]
        try:
            subprocess.run(command, capture_output=True, timeout=SCANCEL_SECONDS)  # noqa: S603 - IDs and our run's name
        except (OSError, subprocess.TimeoutExpired):
            self.logger.warning(
                f"scancel does not answer; `squeue --name {self.run_uuid}` shows which jobs are left."
            )

    def _report_refusal(self, refusal: str) -> None:
        self._record.count_refusal(refusal)
        if refusal not in self._reported:
            self._reported.add(refusal)
            self.logger.warning(
                f"SLURM temporarily refuses jobs ({refusal}); trying again after 10 s to 5 min."
            )

    def _report_job_error_threadsafe(self, job_info: SubmittedJobInfo, msg: str) -> None:
        """Repair: a failed submission failed the job; here `run_job` decides."""
        self._refusal = sbatch_error(msg)

    async def _query_states(self, command: str, logger: object) -> tuple[dict[str, str] | None, float | None]:
        """Repair: upstream took final states that it does not know for running jobs."""
        states, seconds = await _query_job_status(command, logger)
        self._track_silence(command.split()[0], states is not None)
        if states is None:
            return states, seconds
        self._states |= states
        requeue = self.workflow.executor_settings.requeue
        return {job_id: upstream_state(state, requeue) for job_id, state in states.items()}, seconds

    def _track_silence(self, command: str, answered: bool) -> None:
        """Warn once that SLURM does not answer; end the run when that has lasted too long.

        Raises
        ------
        WorkflowError
            After `silence_hours`.
        """
        hours = self.workflow.executor_settings.silence_hours
        if answered:
            self._silent_since.pop(command, None)
        elif command not in self._silent_since:
            self._silent_since[command] = time.monotonic()
            self.logger.warning(
                f"{command} does not answer; jobs in SLURM continue, and the query is repeated for up to {hours} h."
            )
        elif time.monotonic() - self._silent_since[command] > 3600 * hours:
            raise WorkflowError(
                f"{command} has not answered for {hours} h. Jobs in SLURM continue; start the run again when they have "
                "ended."
            )

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Repair: jobs were lost when no query was answered; jobs that can never start were waited for indefinitely."""
        async for _ in super().check_active_jobs(active_jobs):
            pass
        remaining = [info for info in active_jobs if info.external_jobid not in self._ended]
        jobs = self._list_jobs() if remaining else None
        if remaining:
            self._track_silence("squeue (slurmctld)", jobs is not None)
        if jobs and self._submitting.acquire(blocking=False):
            # not while sbatch is about to return an ID
            try:
                self._cancel_untracked(jobs)
            finally:
                self._submitting.release()
        for info in remaining:
            if jobs is None or not self._is_over(info, jobs):
                yield info

    async def sleep(self) -> None:
        """Repair: at its end a run waited until the next status check was due."""
        end = time.monotonic() + min(self.next_seconds_between_status_checks or 0, LONGEST_PAUSE)
        while not self._ending.is_set() and (rest := end - time.monotonic()) > 0:
            await asyncio.sleep(min(rest, 1))

    def _is_over(self, info: SubmittedJobInfo, jobs: dict[str, tuple[str, str]]) -> bool:
        """Give up a job that SLURM can never start or no longer knows; return whether it is over."""
        log = (info.aux or {}).get("slurm_logfile")
        verdict = self._watch.check(info.external_jobid, jobs, log)
        if verdict is None:
            return False
        if not verdict.ended:
            self.logger.warning(verdict.text)
            return False
        if verdict.done:
            self.report_job_success(info)
            return True
        if info.external_jobid in jobs:
            self._forbid_retries(info.job)
        self.report_job_error(info, msg=verdict.text, aux_logs=[str(log)])
        return True

    def report_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs) -> None:
        """Repair: Snakemake drops the message of a group; and the state in it is not SLURM's but our translation."""
        job_id, job = job_info.external_jobid, job_info.job
        msg = (msg or "").strip()
        if job_id:
            self._ended.add(job_id)
            state, log = self._states.get(job_id, ""), (job_info.aux or {}).get("slurm_logfile")
            msg = msg.replace("SLURM status is: 'FAILED'", f"SLURM status is: '{state}'")
            reason = failure_reason(state, read_end(log))
            self._scaling[job] = self._scaling.get(job, Scaling()).after(reason)
            if base_state(state) not in FINAL:
                # given up, or a state of a later version, which may mean that it is running
                self._scancel(job_id)
        self._failures[job] = msg
        self._record.update(failed=Counter(self._failures.values()))
        if msg and job.is_group():
            output = f" Job output: {log}" if job_id and log else ""
            self.logger.error(f"{msg}{output}")
        super().report_job_error(job_info, msg=f"{msg} ", **kwargs)

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        """Forget why an earlier attempt failed."""
        self._ended.add(job_info.external_jobid)
        if self._failures.pop(job_info.job, None) is not None:
            self._record.update(failed=Counter(self._failures.values()))
        super().report_job_success(job_info)

    def shutdown(self) -> None:
        """Repeat at the end why jobs failed, which may be far above in the log."""
        self._ending.set()
        super().shutdown()
        for failure, count in Counter(self._failures.values()).items():
            self.logger.error(f"{count} job(s) failed in SLURM: {failure}")

    def cancel(self) -> None:
        """Wake threads that wait to resubmit a job, and cancel what was submitted meanwhile."""
        self._ending.set()
        known = set(self._job_ids)
        super().cancel()
        self._scancel(*self._job_ids - known)

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Repair: a scancel that does not answer, or reports that a job has ended, caused a traceback."""
        self._scancel(f"--name={self.run_uuid}")


def _is_not_traceback(record: logging.LogRecord) -> bool:
    """Repair: when a job is refused, upstream prints a traceback beside the message."""
    return not str(record.msg).startswith("Exception in run_job")
