"""What a run does before its first job, once its options are known; the Snakefile is read before that."""

from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path

import snakemake.common
import snakemake.rules
from snakemake.dag import DAG
from snakemake.logging import logger


def results_lock():
    """Return the lock on the results, which lies beside them."""
    settings = workflow.storage_settings
    if settings.default_storage_provider != "azure":
        return from_library("runs.guard").results_lock(RESULTS)
    return from_library("runs.guard").results_lock(RESULTS, blob_service(), settings.default_storage_prefix)


def name_slurm_jobs():
    """Record the name by which the run's jobs are found in SLURM after the run has died."""
    if name := getattr(workflow.scheduler._executor, "run_uuid", None):
        from_library("runs.guard").update_mark(slurm=name)


def tell_executor():
    """Tell the executor how to check that it holds the results, before it deletes; from now on SIGTERM acts like Ctrl-C."""
    if begin := getattr(workflow.scheduler._executor, "begin", None):
        begin(from_library("runs.guard").holds_results)


def take_over(options):
    """Take over the Batch jobs of a dead run, before Snakemake looks for incomplete results."""
    plugin = options.get("executor_plugin")
    if plugin is None or plugin.name != "azure":
        return nullcontext()
    from snakemake_executor_plugin_azure.takeover import take_over_earlier_run

    holds_results = from_library("runs.guard").holds_results
    return take_over_earlier_run(workflow, options["executor_settings"], holds_results, logger)


def refuse_local_rules_in_groups():
    """Refuse local rules in `groups`: Snakemake would run them with their group."""
    grouped = [name for name in LOCAL_RULES if name in workflow.group_settings.overwrite_groups]
    if grouped:
        raise WorkflowError(
            f"run.local_rules and `groups` of the profile both name {', '.join(grouped)}; remove it from one of them."
        )


def refuse_folders_of_jobs():
    """Check the folders for any executor that submits jobs; those of our profiles are checked before, also by a dry run."""
    usage = workflow.storage_settings.shared_fs_usage
    if SharedFSUsage.SOURCES in usage and workflow.executor_plugin.common_settings.non_local_exec:
        check_folders(submitted=True)


def drop_rate_limit():
    """Drop Snakemake's default limit of jobs per second; one that the user has set is kept.

    With the limit Snakemake 9.27 schedules again a second after each time it found jobs: once more for each job of the
    run, until its end, so that its CPU time grows with the square of the number of jobs.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def refuse_memory_per_cpu():
    """Refuse memory per CPU: Snakemake sums it over the jobs of a group, and SLURM multiplies the sum by the CPUs."""
    settings = workflow.resource_settings
    given = [
        argument.partition("=")[0] for argument in getattr(settings.default_resources, "args", None) or ()
    ]
    given += [name for resources in (settings.overwrite_resources or {}).values() for name in resources]
    if workflow.executor_plugin.name.startswith("slurm") and "mem_mb_per_cpu" in given:
        raise WorkflowError(
            "the resource mem_mb_per_cpu would be multiplied for a group of jobs; use mem_mb."
        )


def refuse_what_cannot_run():
    """Refuse what cannot run once the executor is known, before planning and before sources are uploaded."""
    refuse_memory_per_cpu()
    refuse_local_rules_in_groups()
    refuse_folders_of_jobs()
    refuse_secrets_for_jobs()


@wrap_method(DAG, "update_groups")
def regroup_jobs(original, dag):
    """Form groups from scratch each time, which happens more than once while a run is planned.

    Snakemake 9.27 takes groups that it has merged before for single ones and merges them again: they grow beyond
    `group-components`, and are submitted twice.
    """
    dag.group_job_factory.cache.clear()
    original(dag)


@wrap_method(snakemake.rules, "get_function_params")
@wrap_method(snakemake.common, "get_function_params")
@lru_cache(maxsize=None)
def parameters_of_function(original, function):
    """Inspect each function once: Snakemake 9.27 does so for every job and parameter, an eighth of its time."""
    return original(function)


if not workflow.is_main_process:
    # retries are counted by the process that submits the job, which sees how each attempt ended
    Job.restart_times = 0

# before Snakemake locks the folder and reads results that another run may be changing
if workflow.is_main_process:
    from_library("runs.guard").guard(
        workflow, results_lock, error_type=WorkflowError, notify=logger.warning, context=take_over
    )


onstart:
    drop_rate_limit()
    name_slurm_jobs()
    tell_executor()
