"""snakemake-executor-plugin-slurm 2.8.0 with one start of Snakemake in a SLURM job: `executor: slurm-batch`.

Upstream starts Snakemake in the job, and there once more for every job of a group, one after the other. A start takes
as much CPU as ten of our steps. When upstream does without, use `executor: slurm` and remove this folder.
"""

import snakemake_executor_plugin_slurm as upstream
from snakemake_executor_plugin_slurm import ExecutorSettings as ExecutorSettings
from snakemake_executor_plugin_slurm import common_settings as common_settings
from snakemake_executor_plugin_slurm_jobstep import get_cpu_setting
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface


class Executor(upstream.Executor):
    """Submits jobs; the Snakemake in a job runs its scripts itself, on all CPUs of the job."""

    def additional_general_args(self) -> str:
        """Repair: `--executor slurm-jobstep --jobs 1` is what starts Snakemake for each job of a group."""
        return ""

    def format_job_exec(self, job: JobExecutorInterface) -> str:
        """Return the command of a job, as a step, whose memory and time the efficiency report reads.

        Not with MPI: there the rule itself starts the step.
        """
        command = super().format_job_exec(job)
        if job.resources.get("mpi"):
            return command
        snakemake = f"{self.get_python_executable()} -m snakemake"
        # as upstream's slurm-jobstep: one task with all CPUs, wherever the job's CPUs are
        step = f"srun -n1 --cpu-bind=q {get_cpu_setting(job, gpu=False)} {snakemake}"
        return command.replace(snakemake, step, 1)
