"""What a run does before its first job, when its options are known; the Snakefile is read before they are."""

from contextlib import nullcontext
from pathlib import Path

from snakemake.dag import DAG
from snakemake.logging import logger


def place_of_results():
    """Where the mark of the run is: beside the results."""
    settings = workflow.storage_settings
    if settings.default_storage_provider != "azure":
        return from_library("runs.guard").place_of(RESULTS)
    return from_library("runs.guard").place_of(RESULTS, blob_service(), settings.default_storage_prefix)


def name_slurm_jobs():
    """By this name jobs are found in SLURM after the run has died."""
    if name := getattr(workflow.scheduler._executor, "run_uuid", None):
        from_library("runs.guard").know(slurm=name)


def tell_executor():
    """What it may delete hangs on the results; from now on SIGTERM ends it like Ctrl-C."""
    if begin := getattr(workflow.scheduler._executor, "begin", None):
        begin(from_library("runs.guard").held)


def take_over(options):
    """What a dead run has left at Batch counts before Snakemake looks for results that are incomplete."""
    plugin = options.get("executor_plugin")
    if plugin is None or plugin.name != "azure":
        return nullcontext()
    from snakemake_executor_plugin_azure.takeover import take_over_earlier_run

    held = from_library("runs.guard").held
    return take_over_earlier_run(workflow, options["executor_settings"], held, logger)


def refuse_local_rules_in_groups():
    """Snakemake keeps a rule of `groups` in its group, wherever it is to run."""
    grouped = [name for name in LOCAL_RULES if name in workflow.group_settings.overwrite_groups]
    if grouped:
        raise WorkflowError(
            f"run.local_rules has {', '.join(grouped)}, which `groups` of the profile have, too; take it out of one."
        )


def refuse_folders_of_jobs():
    """Any executor that submits jobs is known here; those of our profiles are before, so that a dry run tells."""
    usage = workflow.storage_settings.shared_fs_usage
    if SharedFSUsage.SOURCES in usage and workflow.executor_plugin.common_settings.non_local_exec:
        check_folders(submitted=True)


def drop_rate_limit():
    """For its limit of jobs per time Snakemake 9.27 wakes up again and again, a second after each time it found work.

    That is once more for each job of a run, to its end, so that its CPU grows with the square of their number. Only a
    limit of one's own is kept.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def refuse_memory_per_cpu():
    """Of a group Snakemake adds it up, and SLURM multiplies the sum by the CPUs."""
    settings = workflow.resource_settings
    given = [
        argument.partition("=")[0] for argument in getattr(settings.default_resources, "args", None) or ()
    ]
    given += [name for resources in (settings.overwrite_resources or {}).values() for name in resources]
    if workflow.executor_plugin.name.startswith("slurm") and "mem_mb_per_cpu" in given:
        raise WorkflowError(
            "the resource mem_mb_per_cpu would be asked for many times over for a group of jobs; use mem_mb."
        )


def refuse_what_cannot_run():
    """When the executor is known, before anything is planned or sources travel; also where this is a module."""
    refuse_memory_per_cpu()
    refuse_local_rules_in_groups()
    refuse_folders_of_jobs()
    refuse_secrets_for_jobs()


@around(DAG, "update_groups")
def form_groups_anew(original, dag):
    """Groups are formed more than once while a run is planned.

    Snakemake 9.27 takes those that it has joined before for single ones and joins them again: they grow beyond what
    `group-components` says, and are submitted twice.
    """
    dag.group_job_factory.cache.clear()
    original(dag)


if not workflow.is_main_process:
    # the process that submits a job counts its attempts, and knows how they ended
    Job.restart_times = 0

# before Snakemake locks the folder, and reads what another run may be changing
if workflow.is_main_process:
    from_library("runs.guard").guard(
        workflow, place_of_results, refusal=WorkflowError, say=logger.warning, within=take_over
    )


onstart:
    drop_rate_limit()
    name_slurm_jobs()
    tell_executor()
