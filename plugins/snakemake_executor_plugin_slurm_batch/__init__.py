"""snakemake-executor-plugin-slurm 2.8.0 with one start of Snakemake in a SLURM job: `executor: slurm-batch`.

Upstream starts Snakemake in the job, and there once more for each job of a group, one after the other; a start takes
more CPU than most of our jobs. And where jobs are groups, as nearly all of ours are, it loses why they failed. When
upstream does without, use `executor: slurm` and remove this folder.
"""

import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field

import snakemake_executor_plugin_slurm as upstream
from snakemake_executor_plugin_slurm import common_settings as common_settings
from snakemake_executor_plugin_slurm_jobstep import get_cpu_setting
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_slurm_batch.states import meaning
from snakemake_executor_plugin_slurm_batch.submission import answer, job_number, may_be_queued, passes, waits

_ASK = upstream.query_job_status


@dataclass
class ExecutorSettings(upstream.ExecutorSettings):
    """Those of upstream, and how long SLURM may refuse."""

    refusal_minutes: int = field(
        default=120,
        metadata={
            "help": "How long a job that SLURM refuses for now (limits of submission, a controller that is busy) is "
            "submitted again while no other job of the run is in the queue; then it fails.",
            "env_var": False,
            "required": False,
        },
    )


class Executor(upstream.Executor):
    """Submits jobs; the Snakemake in a job runs its scripts itself, side by side on the CPUs of the job."""

    def __post_init__(self, test_mode: bool = False) -> None:
        """Refuse job arrays: upstream loses their outputs, and they need the second start."""
        if self.workflow.executor_settings.array_jobs:
            raise WorkflowError(
                "slurm-batch has no job arrays: leave slurm-batch-array-jobs unset and use groups."
            )
        self._numbers: set[str] = set()
        # SLURM's own words for each job, and why those failed that were not made later
        self._said: dict[str, str] = {}
        self._reasons: dict[JobExecutorInterface, str] = {}
        # what sbatch answered to the job that is being submitted, one at a time, and what has been told
        self._submitting = threading.Lock()
        self._refusal: str | None = None
        self._told: str | None = None
        self._ending = threading.Event()
        # what upstream asks by these names
        upstream.query_job_status = self._query
        upstream.validate_or_get_slurm_job_id = self._number
        super().__post_init__(test_mode)

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

    def run_job(self, job: JobExecutorInterface) -> None:
        """Repair: a refusal for now is no attempt of the job, and what sbatch said of a group is not lost."""
        for seconds in waits(self.workflow.executor_settings.refusal_minutes * 60, self._has_jobs):
            refusal = self._submit(job)
            if refusal is None:
                return
            if not passes(refusal):
                break
            self._say_once(refusal)
            if self._ending.wait(seconds):
                return
        super()._report_job_error_threadsafe(SubmittedJobInfo(job), f"SLURM does not take the job: {refusal}")

    def _has_jobs(self) -> bool:
        with self.lock:
            return bool(self.active_jobs)

    def _submit(self, job: JobExecutorInterface) -> str | None:
        """Return what kept a job from being submitted; after that no copy of it is in the queue."""
        with self._submitting:
            self._refusal = None
            try:
                super().run_job(job)
            except Exception as error:
                # upstream's own handler fails for a group, which has no rule
                self._refusal = " ".join(str(error.__context__ or error).split())
            if self._refusal is not None and may_be_queued(self._refusal):
                self._cancel_strays()
            return self._refusal

    def _number(self, _: str, output: str) -> str:
        number = job_number(output)
        self._numbers.add(number)
        return number

    def _cancel_strays(self) -> None:
        """Take away jobs of this run whose numbers sbatch could not tell: they would be made twice."""
        command = ["squeue", "--noheader", "--format=%i", "--name", self.run_uuid]
        listed = subprocess.run(command, capture_output=True, text=True)  # noqa: S603 - a list, and a name of ours
        if strays := sorted(set(listed.stdout.split()) - self._numbers):
            subprocess.run(["scancel", *strays], capture_output=True)  # noqa: S603, S607 - numbers

    def _say_once(self, refusal: str) -> None:
        if self._told != refusal:
            self._told = refusal
            self.logger.warning(f"SLURM takes no job for now ({refusal}); asking again, after 10 s to 5 min.")

    def _report_job_error_threadsafe(self, job_info: SubmittedJobInfo, msg: str) -> None:
        """Repair: of a job that was not submitted `run_job` decides."""
        self._refusal = answer(msg)

    async def _query(self, command: str, logger: object) -> tuple[dict[str, str] | None, float | None]:
        """Repair: words of SLURM that upstream does not know are ends, not running jobs."""
        states, seconds = await _ASK(command, logger)
        if states is None:
            return states, seconds
        self._said |= states
        requeue = self.workflow.executor_settings.requeue
        return {number: meaning(state, requeue) for number, state in states.items()}, seconds

    def report_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs) -> None:
        """Repair: Snakemake drops the message for a group; and the word in it was ours."""
        said = self._said.get(job_info.external_jobid or "")
        msg = (msg or "").replace("SLURM status is: 'FAILED'", f"SLURM status is: '{said}'")
        self._reasons[job_info.job] = msg.strip()
        if msg and job_info.job.is_group():
            self.logger.error(msg)
        super().report_job_error(job_info, msg=msg, **kwargs)

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        """Forget why an earlier attempt failed."""
        self._reasons.pop(job_info.job, None)
        super().report_job_success(job_info)

    def shutdown(self) -> None:
        """Repeat in the end why jobs failed, which may be far above."""
        self._ending.set()
        super().shutdown()
        for reason, number in Counter(self._reasons.values()).items():
            self.logger.error(f"{number} job(s) failed in SLURM: {reason}")

    def cancel(self) -> None:
        """Wake up what waits to submit a job again."""
        self._ending.set()
        super().cancel()
