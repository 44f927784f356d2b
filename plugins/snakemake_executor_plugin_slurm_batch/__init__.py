"""snakemake-executor-plugin-slurm 2.8.0 with one start of Snakemake in a SLURM job: `executor: slurm-batch`.

Upstream starts Snakemake in the job, and there once more for each job of a group, one after the other; a start takes
more CPU than most of our jobs. When upstream does without, use `executor: slurm` and remove this folder.
"""

import snakemake_executor_plugin_slurm as upstream
from snakemake_executor_plugin_slurm import ExecutorSettings as ExecutorSettings
from snakemake_executor_plugin_slurm import common_settings as common_settings
from snakemake_executor_plugin_slurm_jobstep import get_cpu_setting
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface


class Executor(upstream.Executor):
    """Submits jobs; the Snakemake in a job runs its scripts itself, side by side on the CPUs of the job."""

    def __post_init__(self, test_mode: bool = False) -> None:
        """Refuse job arrays: upstream loses their outputs, and they need the second start."""
        if self.workflow.executor_settings.array_jobs:
            raise WorkflowError(
                "slurm-batch has no job arrays: leave slurm-batch-array-jobs unset and use groups."
            )
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
        # one task that has all CPUs of the job, as upstream's slurm-jobstep asks for it
        return command.replace(
            snakemake, f"srun -n1 --cpu-bind=q {get_cpu_setting(job, gpu=False)} {snakemake}", 1
        )
