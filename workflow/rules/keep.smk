"""What an earlier run made stays at its place until the new is whole.

Snakemake 9.27 deletes the outputs of a job before it starts, and again when it fails, also those of a job that never began;
then it records that they were made with the parameters of today. Scripts of this workflow write under a temporary name and
rename, so that what lies at an output's place is always whole: it stays there, gets a second name, and comes back as one set
when the job fails. Every process of a run reads this, since jobs on other machines prepare themselves.
"""

import functools
import os
import shutil
from pathlib import Path

from snakemake.io import is_flagged
from snakemake.jobs import Job
from snakemake.logging import logger
from snakemake.persistence import PersistenceBase
from snakemake_interface_executor_plugins.settings import ExecMode

# where they are when the workflow is a module of another one
RESULTS = Path(workflow.modifier.path_modifier.replace_prefix("results/products.tsv")).parent
DISCOVER_PRODUCTS = workflow.modifier.modify_rulename("discover_products")


def around(owner, name):
    """Put a function around a method of Snakemake, which it gets first; only once, however often this file is read."""

    def put(function):
        original = getattr(owner, name)
        original = getattr(original, "of_snakemake", original)

        @functools.wraps(original)
        def method(*args, **options):
            return function(original, *args, **options)

        method.of_snakemake = original
        setattr(owner, name, method)
        return function

    return put


def ours(job):
    """Whether a job is of this workflow, where it is a part of a larger one."""
    return hasattr(job.output, "fingerprint") or job.rule.name == DISCOVER_PRODUCTS


def second_name(job, file):
    """Where a result of an earlier run waits for the end of the job that makes it again."""
    return job.dag.workflow.persistence.path / "kept" / str(file).lstrip("/")


def give_name(source, target):
    """Give a file another name too, or copy it where the disk knows no hard links; `target` is whole or as it was."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copy2(source, temporary)
        temporary.replace(target)
    finally:
        # two names of one file both stay when one replaces the other
        temporary.unlink(missing_ok=True)


def put_back(kept, path):
    """Give a result of an earlier run its place again, with its time."""
    give_name(kept, path)
    kept.unlink()


def runs_here(job):
    """Whether this process runs the script of a job, instead of waiting for another one that does."""
    steers = workflow.exec_mode == ExecMode.DEFAULT
    return not workflow.touch and (not steers or workflow.local_exec or job.is_local)


@around(Job, "remove_existing_output")
async def keep_outputs(original, job):
    """Before a job, in the process that runs it."""
    if not ours(job):
        return await original(job)
    # Snakemake does so when the job may have begun already, and only what is marked is put back after a kill
    job.dag.workflow.persistence.started(job)
    for file in job.output:
        if is_flagged(file, "temp"):
            await file.remove()
        elif file.is_storage and is_flagged(file, "update") and await file.exists_in_storage():
            # the job compares what it makes with what is there
            await file.retrieve_from_storage()
        elif file.is_storage:
            await file.remove(only_local=True)
        elif os.path.isfile(file) and not second_name(job, file).exists():
            # an earlier start of the same job may have replaced some of them already
            give_name(file, second_name(job, file))
    for file in job.log:
        await file.remove()


@around(PersistenceBase, "started")
def remember_outputs(original, persistence, job, external_jobid=None):
    """When a job is submitted."""
    if ours(job):
        there = {str(file) for file in job.output if not file.is_storage and os.path.exists(file)}
        vars(persistence).setdefault("there_before", {})[job] = there
    original(persistence, job, external_jobid)


@around(Job, "cleanup")
async def restore_outputs(original, job, skip_outputs):
    """After a job that failed, in its own process and in the one that waits for it; a storage has nothing of it."""
    if not ours(job):
        return await original(job, skip_outputs)
    # a job that was refused has never begun, and has made nothing
    there = vars(job.dag.workflow.persistence).get("there_before", {}).get(job)
    removed = []
    for file in job.output:
        kept = second_name(job, file)
        if file.is_storage:
            await file.remove(only_local=True)
        elif kept.exists():
            put_back(kept, Path(file))
        elif there is not None and str(file) not in there and os.path.exists(file):
            removed.append(str(file))
            await file.remove()
    if removed:
        logger.info(f"Removing output files of failed job {job}: {', '.join(removed)}")


@around(Job, "postprocess")
async def end_of_job(original, job, *args, error=False, **options):
    """At the end of a job, whichever it was."""
    if not ours(job):
        return await original(job, *args, error=error, **options)
    failed = vars(job.dag.workflow.persistence).setdefault("failed", set())
    failed.discard(job)
    if error:
        failed.add(job)
        if runs_here(job):
            store_records(job)
    elif runs_here(job):
        write_fingerprint(job)
    await original(job, *args, error=error, **options)
    if not error and runs_here(job):
        for file in job.output:
            second_name(job, file).unlink(missing_ok=True)


@around(PersistenceBase, "backup_output")
def back_up_output(original, persistence, path):
    """Of outputs with the flag `update`, where they have no second name; in a storage nothing needs one."""
    if path.exists() and not (persistence.path / "kept" / str(path).lstrip("/")).exists():
        original(persistence, path)


@around(PersistenceBase, "restore_output")
def restore_backup(original, persistence, path):
    """Not from a copy, whose time would be that of the failure: its inputs would seem older than it."""
    return persistence._get_backup_path(path).exists() and original(persistence, path)


@around(PersistenceBase, "finished")
async def record_only_success(original, persistence, job):
    """A job that failed has not made what lies at the places of its outputs."""
    if job not in vars(persistence).get("failed", ()):
        return await original(persistence, job)
    for file in job.output:
        persistence._unmark_incomplete(persistence._get_key(file))


def restore_interrupted():
    """Before a run plans: put back what the jobs of a killed run were about to replace."""
    persistence = workflow.persistence
    folder = persistence.path / "kept"
    for kept in [path for path in folder.rglob("*") if path.is_file()]:
        relative = kept.relative_to(folder)
        # of an absolute path the first character is missing there
        for path in (relative, Path("/") / relative):
            if persistence._filter_incomplete_keys([str(path)]):
                put_back(kept, path)
                break
        else:
            kept.unlink()
