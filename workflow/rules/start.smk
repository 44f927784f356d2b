"""What a run does before its first job, when its options are known; the Snakefile is read before they are."""


def refuse_local_rules_in_groups():
    """Snakemake keeps a rule of `groups` in its group, wherever it is to run."""
    grouped = [name for name in LOCAL_RULES if name in workflow.group_settings.overwrite_groups]
    if grouped:
        # which Snakemake would leave behind
        workflow.cleanup_source_archive()
        raise WorkflowError(
            f"run.local_rules has {', '.join(grouped)}, which `groups` of the profile have, too; take it out of one."
        )


def drop_rate_limit():
    """For its limit of jobs per time Snakemake 9.27 wakes up again and again, a second after each time it found work.

    That is once more for each job of a run, to its end, so that its CPU grows with the square of their number. Only a
    limit of one's own is kept.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def refuse_secrets():
    """What every job would show on its command line ends the run before the first one."""
    try:
        refuse_secrets_for_jobs()
    except WorkflowError:
        workflow.cleanup_source_archive()
        raise


onstart:
    refuse_local_rules_in_groups()
    refuse_secrets()
    drop_rate_limit()
