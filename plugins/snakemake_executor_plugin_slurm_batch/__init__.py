"""snakemake-executor-plugin-slurm 2.8.0 with one start of Snakemake in a SLURM job: `executor: slurm-batch`.

Upstream starts Snakemake in the job, and there once more for each job of a group, one after the other; a start takes
more CPU than most of our jobs. And where jobs are groups, as nearly all of ours are, it loses why they failed. When
upstream does without, use `executor: slurm` and remove this folder.
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

from snakemake_executor_plugin_slurm_batch.attempts import Asked, Most, Request, limits_of
from snakemake_executor_plugin_slurm_batch.record import Record
from snakemake_executor_plugin_slurm_batch.states import ENDS, meaning, why, word_of
from snakemake_executor_plugin_slurm_batch.submission import answer, job_number, may_be_queued, passes, waits
from snakemake_executor_plugin_slurm_batch.watch import Watch, end_of, listed

_ASK = upstream.query_job_status
_COMMAND = upstream.get_submit_command
# until sbatch is given up, which has no limit of its own
SBATCH_SECONDS = 300
# until scancel is given up
SCANCEL_SECONDS = 60
# between two questions for the states of jobs, at most
LONGEST_PAUSE = 60
# without them nothing can be submitted, watched or cancelled
COMMANDS = ("sbatch", "squeue", "scancel")


def _option(default: float | None, text: str) -> object:
    kind = {"type": int} if default is None else {}
    return field(default=default, metadata={"help": text, "env_var": False, "required": False} | kind)


@dataclass
class ExecutorSettings(upstream.ExecutorSettings):
    """Those of upstream, how long to wait when SLURM does not do its part, and how much attempts may ask for."""

    refusal_minutes: int = _option(
        120,
        "How long a job that SLURM refuses for now (limits of submission, a busy controller) is submitted again while "
        "no other job of the run is in the queue; then it fails.",
    )
    stuck_minutes: float = _option(
        10.0,
        "After which a job is cancelled that SLURM can never start, or given up that SLURM has forgotten.",
    )
    silence_hours: int = _option(24, "After which a run ends whose jobs SLURM tells nothing about.")
    max_mem_mb: int | None = _option(
        None, "The most memory that an attempt asks for (default: what the nodes of the partition have)."
    )
    max_runtime: int | None = _option(
        None, "The most minutes that an attempt asks for (default: the time limit of the partition)."
    )


class Executor(upstream.Executor):
    """Submits jobs; the Snakemake in a job runs its scripts itself, side by side on the CPUs of the job."""

    def __init__(self, *arguments: object) -> None:
        # the thread that asks for jobs starts before __post_init__
        self._ending = threading.Event()
        # SLURM's own words for each job, and why those failed that were not made later
        self._said: dict[str, str] = {}
        self._reasons: dict[JobExecutorInterface, str] = {}
        self._requests: dict[JobExecutorInterface, Request] = {}
        self._limits: dict[str, Most] = {}
        # of jobs in SLURM: all numbers, and those that have come to an end
        self._numbers: set[str] = set()
        self._ended: set[str] = set()
        self._silent_since: dict[str, float] = {}
        # what sbatch answered to the job that is being submitted, one at a time, and what has been told
        self._submitting = threading.Lock()
        self._refusal: str | None = None
        self._told: set[str] = set()
        # after which SLURM may have a job whose number nobody knows
        self._unheard: str | None = None
        self._record = Record(Path(".snakemake").absolute() / "slurm.json")
        super().__init__(*arguments)

    def __post_init__(self, test_mode: bool = False) -> None:
        """Refuse job arrays: upstream loses their outputs, and they need the second start."""
        settings = self.workflow.executor_settings
        if settings.array_jobs:
            raise WorkflowError(
                "slurm-batch has no job arrays: leave slurm-batch-array-jobs unset and use groups."
            )
        self._refuse_without_commands()
        self._watch = Watch(settings.stuck_minutes)
        self.logger.addFilter(_is_no_traceback)
        # what upstream asks by these names
        upstream.query_job_status = self._query
        upstream.validate_or_get_slurm_job_id = self._number
        upstream.get_submit_command = self._command
        super().__post_init__(test_mode)
        self._excluded = set(self._failed_nodes)
        self._record.write(run=self.run_uuid)

    def _refuse_without_commands(self) -> None:
        missing = [name for name in COMMANDS if shutil.which(name) is None]
        if missing:
            sentence = (
                f"{', '.join(missing)} of SLURM cannot be found: start the run on a login node of the cluster, and see "
                "that SLURM's commands are on the PATH (`module load slurm` on many sites)."
            )
            self._record.write(failed={sentence: 0})  # no job was made
            raise WorkflowError(sentence)

    def additional_general_args(self) -> str:
        """Repair: `--executor slurm-jobstep --jobs 1` is what starts Snakemake for each job of a group."""
        return ""

    def format_job_exec(self, job: JobExecutorInterface) -> str:
        """Return the command of a job: a step, so that the efficiency report finds its memory and time.

        With MPI the rule itself starts the step.
        """
        command = super().format_job_exec(job)
        if job.resources.get("mpi"):
            return command
        snakemake = f"{self.get_python_executable()} -m snakemake"
        # One task that has all CPUs of the job, as upstream's slurm-jobstep asks for it; some sites set
        # SLURM_EXPORT_ENV=NONE, with which a step starts without PATH.
        return command.replace(
            snakemake,
            f"srun -n1 --export=ALL --cpu-bind=q {get_cpu_setting(job, gpu=False)} {snakemake}",
            1,
        )

    def _command(self, job: JobExecutorInterface, params: dict, **kwargs) -> str:
        """Repair: every attempt asked for more time and memory, whatever the last one had died of."""
        request = self._requests.get(job, Request())
        most = self._most(params["partition"]) if request != Request() else Most()
        return f"timeout -k 10 {SBATCH_SECONDS} {_COMMAND(Asked(job, request, most), params, **kwargs)}"

    def _most(self, partition: str) -> Most:
        """Ask once what a partition gives, unless the profile says it."""
        settings = self.workflow.executor_settings
        if partition not in self._limits and (found := limits_of(partition)):
            self._limits[partition] = found
        found = self._limits.get(partition, Most())
        return Most(settings.max_mem_mb or found.mem_mb, settings.max_runtime or found.runtime)

    def run_job(self, job: JobExecutorInterface) -> None:
        """Repair: a refusal for now is no attempt of the job, and what sbatch said of a group is not lost."""
        for seconds in waits(self.workflow.executor_settings.refusal_minutes * 60, self._has_jobs):
            refusal = self._submit(job)
            if refusal is None:
                return
            if passes(refusal):
                self._say_once(refusal)
                if self._ends_within(seconds):
                    break
            elif self._failed_nodes > self._excluded and "node" in refusal.lower():
                # none may be left without them
                self._failed_nodes.intersection_update(self._excluded)
            else:
                break
        self._refuse_attempts(job)
        super()._report_job_error_threadsafe(SubmittedJobInfo(job), f"SLURM does not take the job: {refusal}")

    def _ends_within(self, seconds: float) -> bool:
        """Wait for so long; tell whether the run comes to its end meanwhile."""
        end = time.monotonic() + seconds
        while not self._is_ending() and (rest := end - time.monotonic()) > 0:
            self._ending.wait(min(rest, 1))
        return self._is_ending()

    def _is_ending(self) -> bool:
        # after SIGTERM Snakemake waits for what runs, and for what waits to be submitted, too
        return self._ending.is_set() or bool(getattr(self.workflow.scheduler, "_user_kill", None))

    def _refuse_attempts(self, job: JobExecutorInterface) -> None:
        """Make the failure of a job its last: another attempt would meet the same."""
        job.attempt = max(job.attempt, job.restart_times + 1)

    def _has_jobs(self) -> bool:
        with self.lock:
            return bool(self.active_jobs)

    def _submit(self, job: JobExecutorInterface) -> str | None:
        """Return what kept a job from being submitted; SLURM then has no copy of it, or is asked before the next."""
        with self._submitting:
            if self._is_ending():
                return "the run has ended before."
            if self._unheard and not self._cancel_strays(self._listed()):
                return self._unheard
            self._refusal, self._unheard = None, None
            known = set(self._numbers)
            try:
                super().run_job(job)
            except Exception as error:
                # upstream's own handler fails for a group, which has no rule
                self._refusal = " ".join(str(error.__context__ or error).split())
            if self._refusal is not None:
                # taken by SLURM, but not noted here
                self._scancel(*self._numbers - known)
                self._unheard = self._refusal if may_be_queued(self._refusal) else None
            return self._refusal

    def _number(self, _: str, output: str) -> str:
        number = job_number(output)
        self._numbers.add(number)
        # a controller that has lost its state begins to count again
        self._ended.discard(number)
        self._said.pop(number, None)
        return number

    def _listed(self) -> dict[str, tuple[str, str]] | None:
        return listed(self.run_uuid, bool(self._submitted_job_clusters))

    def _cancel_strays(self, found: dict[str, tuple[str, str]] | None) -> bool:
        """Take away jobs of this run whose numbers sbatch could not tell: they would be made twice.

        Whether the controller has answered.
        """
        alive = {number for number, (state, _) in (found or {}).items() if word_of(state) not in ENDS}
        self._scancel(*sorted(alive - self._numbers))
        return found is not None

    def _scancel(self, *what: str) -> None:
        """Cancel jobs; that they have ended already is no error."""
        if not what:
            return
        command = ["scancel", *["--clusters=all"] * bool(self._submitted_job_clusters), *what]
        try:
            subprocess.run(command, capture_output=True, timeout=SCANCEL_SECONDS)  # noqa: S603 - numbers and a name of ours
        except (OSError, subprocess.TimeoutExpired):
            self.logger.warning(
                f"scancel does not answer; see `squeue --name {self.run_uuid}` for what goes on."
            )

    def _say_once(self, refusal: str) -> None:
        self._record.refused(refusal)
        if refusal not in self._told:
            self._told.add(refusal)
            self.logger.warning(f"SLURM takes no job for now ({refusal}); asking again, after 10 s to 5 min.")

    def _report_job_error_threadsafe(self, job_info: SubmittedJobInfo, msg: str) -> None:
        """Repair: of a job that was not submitted `run_job` decides."""
        self._refusal = answer(msg)

    async def _query(self, command: str, logger: object) -> tuple[dict[str, str] | None, float | None]:
        """Repair: words of SLURM that upstream does not know are ends, not running jobs."""
        states, seconds = await _ASK(command, logger)
        self._heed_silence(command.split()[0], states is not None)
        if states is None:
            return states, seconds
        self._said |= states
        requeue = self.workflow.executor_settings.requeue
        return {number: meaning(state, requeue) for number, state in states.items()}, seconds

    def _heed_silence(self, command: str, answered: bool) -> None:
        """Say once that SLURM does not answer; end the run when that has lasted too long.

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
                f"{command} does not answer; its jobs go on, and it is asked again for up to {hours} h."
            )
        elif time.monotonic() - self._silent_since[command] > 3600 * hours:
            raise WorkflowError(
                f"{command} has not answered for {hours} h. Jobs in SLURM go on; start the run again when they have "
                "ended."
            )

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Repair: jobs were lost when no question was answered; those that never start were waited for without end."""
        async for _ in super().check_active_jobs(active_jobs):
            pass
        alive = [info for info in active_jobs if info.external_jobid not in self._ended]
        found = self._listed() if alive else None
        if alive:
            self._heed_silence("squeue (slurmctld)", found is not None)
        if found and self._submitting.acquire(blocking=False):
            # not while a number is on its way
            try:
                self._cancel_strays(found)
            finally:
                self._submitting.release()
        for info in alive:
            if found is None or not self._ends(info, found):
                yield info

    async def sleep(self) -> None:
        """Repair: a run waited in its end until it was time to ask for jobs again."""
        end = time.monotonic() + min(self.next_seconds_between_status_checks or 0, LONGEST_PAUSE)
        while not self._ending.is_set() and (rest := end - time.monotonic()) > 0:
            await asyncio.sleep(min(rest, 1))

    def _ends(self, info: SubmittedJobInfo, found: dict[str, tuple[str, str]]) -> bool:
        """Give up a job that SLURM cannot start, for good, or has forgotten; tell whether it is at an end."""
        log = (info.aux or {}).get("slurm_logfile")
        verdict = self._watch.look(info.external_jobid, found, log)
        if verdict is None:
            return False
        if not verdict.ended:
            self.logger.warning(verdict.text)
            return False
        if verdict.done:
            self.report_job_success(info)
            return True
        if info.external_jobid in found:
            self._refuse_attempts(info.job)
        self.report_job_error(info, msg=verdict.text, aux_logs=[str(log)])
        return True

    def report_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs) -> None:
        """Repair: Snakemake drops the message for a group; and the word in it was ours."""
        number, job = job_info.external_jobid, job_info.job
        msg = (msg or "").strip()
        if number:
            self._ended.add(number)
            said, log = self._said.get(number, ""), (job_info.aux or {}).get("slurm_logfile")
            msg = msg.replace("SLURM status is: 'FAILED'", f"SLURM status is: '{said}'")
            reason = why(said, end_of(log))
            self._requests[job] = self._requests.get(job, Request()).after(reason)
            if word_of(said) not in ENDS:
                # given up, or a word of a later version, which may mean that it runs
                self._scancel(number)
        self._reasons[job] = msg
        self._record.write(failed=Counter(self._reasons.values()))
        if msg and job.is_group():
            where = f" Its output: {log}" if number and log else ""
            self.logger.error(f"{msg}{where}")
        super().report_job_error(job_info, msg=f"{msg} ", **kwargs)

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        """Forget why an earlier attempt failed."""
        self._ended.add(job_info.external_jobid)
        if self._reasons.pop(job_info.job, None) is not None:
            self._record.write(failed=Counter(self._reasons.values()))
        super().report_job_success(job_info)

    def shutdown(self) -> None:
        """Repeat in the end why jobs failed, which may be far above."""
        self._ending.set()
        super().shutdown()
        for reason, number in Counter(self._reasons.values()).items():
            self.logger.error(f"{number} job(s) failed in SLURM: {reason}")

    def cancel(self) -> None:
        """Wake up what waits to submit a job again, and cancel what was submitted meanwhile."""
        self._ending.set()
        known = set(self._numbers)
        super().cancel()
        self._scancel(*self._numbers - known)

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Repair: a scancel that does not answer, or answers that a job has ended, was a traceback."""
        self._scancel(f"--name={self.run_uuid}")


def _is_no_traceback(record: logging.LogRecord) -> bool:
    """Repair: upstream prints where in its code a job was refused, beside the sentence."""
    return not str(record.msg).startswith("Exception in run_job")
