"""Results of an earlier run stay in place until they are replaced by complete ones.

Snakemake 9.27 deletes the outputs of a job before it starts and again when it fails, even if it never began, and then
records that they were made with today's parameters. The scripts of this workflow write atomically, so an output is always
complete: here it stays in place with a second hard link as a backup, and all outputs of a job are restored together when
the job fails. Every process of a run reads this file, since jobs on other machines prepare themselves.
"""

import os
import shutil
from pathlib import Path

from snakemake.io import is_flagged
from snakemake.jobs import Job
from snakemake.logging import logger
from snakemake.persistence import PersistenceBase
from snakemake_interface_executor_plugins.settings import ExecMode

DISCOVER_PRODUCTS = workflow.modifier.modify_rulename("discover_products")


def is_own_job(job):
    """Tell whether a job is of this workflow, which may be a module of a larger one."""
    return hasattr(job.output, "fingerprint") or job.rule.name == DISCOVER_PRODUCTS


def backup_path(job, file):
    """Return where the earlier version of an output is kept until its job ends."""
    return job.dag.workflow.persistence.path / "kept" / str(file).lstrip("/")


def link_or_copy(source, target):
    """Hard-link a file, or copy it where links are not supported; `target` is replaced atomically."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copy2(source, temporary)
        temporary.replace(target)
    finally:
        # a rename between two links to one file leaves both
        temporary.unlink(missing_ok=True)


def restore_file(backup, path):
    """Restore a result of an earlier run, with its modification time."""
    link_or_copy(backup, path)
    backup.unlink()


def runs_here(job):
    """Tell whether this process runs the script of a job, instead of waiting for another process to run it."""
    submits = workflow.exec_mode == ExecMode.DEFAULT
    return not workflow.touch and (not submits or workflow.local_exec or job.is_local)


@wrap_method(Job, "remove_existing_output")
async def back_up_outputs(original, job):
    """Before a job, in the process that runs it, back up its outputs instead of deleting them."""
    if not is_own_job(job):
        return await original(job)
    # Snakemake may mark outputs as incomplete only after the job began, and only marked ones are restored after a kill
    job.dag.workflow.persistence.started(job)
    current = current_bundles(job)
    for file in job.output:
        if is_flagged(file, "temp"):
            await file.remove()
        elif file.is_storage and is_flagged(file, "update") and await file.exists_in_storage():
            if file in current:
                # nothing is added to it: it is neither fetched nor uploaded
                write_text(Path(file), "")
            else:
                # the job compares its result with the existing one
                await file.retrieve_from_storage()
        elif file.is_storage:
            await file.remove(only_local=True)
        elif os.path.isfile(file) and not backup_path(job, file).exists():
            # a backup is of an earlier attempt of this job, which may have replaced some outputs
            link_or_copy(file, backup_path(job, file))
    for file in job.log:
        await file.remove()


@wrap_method(PersistenceBase, "started")
def remember_outputs(original, persistence, job, external_jobid=None):
    """When a job is submitted, remember which of its outputs exist."""
    if is_own_job(job):
        forget_windows(job)
        existing = {str(file) for file in job.output if not file.is_storage and os.path.exists(file)}
        vars(persistence).setdefault("outputs_before", {})[job] = existing
    original(persistence, job, external_jobid)


@wrap_method(Job, "cleanup")
async def restore_outputs(original, job, skip_outputs):
    """After a job failed, restore its outputs, in its own process and in the one that waits; none of it is uploaded."""
    if not is_own_job(job):
        return await original(job, skip_outputs)
    # none are remembered of a job that was refused: it never began and has written nothing
    existing = vars(job.dag.workflow.persistence).get("outputs_before", {}).get(job)
    removed = []
    for file in job.output:
        backup = backup_path(job, file)
        if file.is_storage:
            await file.remove(only_local=True)
        elif backup.exists():
            restore_file(backup, Path(file))
        elif existing is not None and str(file) not in existing and os.path.exists(file):
            removed.append(str(file))
            await file.remove()
    if removed:
        logger.info(f"Removing output files of failed job {job}: {', '.join(removed)}")


@wrap_method(Job, "postprocess")
async def finish_job(original, job, *args, error=False, **options):
    """At the end of a job, write its fingerprint and drop the backups, or upload the records of a failed one."""
    if not is_own_job(job):
        return await original(job, *args, error=error, **options)
    # in the order of their first failures
    failed = vars(job.dag.workflow.persistence).setdefault("failed", {})
    if error:
        failed[job] = None
        if runs_here(job):
            upload_records(job)
    else:
        failed.pop(job, None)
        if runs_here(job):
            write_fingerprint(job)
    await original(job, *args, error=error, **options)
    if not error and runs_here(job):
        for file in job.output:
            backup_path(job, file).unlink(missing_ok=True)


@wrap_method(PersistenceBase, "backup_output")
def back_up_output(original, persistence, path):
    """Let Snakemake back up outputs flagged `update` only where there is no backup yet."""
    if path.exists() and not (persistence.path / "kept" / str(path).lstrip("/")).exists():
        original(persistence, path)


@wrap_method(PersistenceBase, "restore_output")
def restore_backup(original, persistence, path):
    """Let Snakemake restore only where it made a copy, whose time is that of the failure: it would seem up to date."""
    return persistence._get_backup_path(path).exists() and original(persistence, path)


@wrap_method(PersistenceBase, "finished")
async def record_only_success(original, persistence, job):
    """Record nothing for a job that failed: the files in place are of an earlier run."""
    if job not in vars(persistence).get("failed", ()):
        return await original(persistence, job)
    for file in job.output:
        persistence._unmark_incomplete(persistence._get_key(file))


def restore_interrupted():
    """Before a run is planned, restore what the jobs of a killed run were about to replace."""
    persistence = workflow.persistence
    folder = persistence.path / "kept"
    for backup in [path for path in folder.rglob("*") if path.is_file()]:
        relative = backup.relative_to(folder)
        # backups of absolute paths lack the leading slash
        for path in (relative, Path("/") / relative):
            if persistence._filter_incomplete_keys([str(path)]):
                restore_file(backup, path)
                break
        else:
            backup.unlink()
