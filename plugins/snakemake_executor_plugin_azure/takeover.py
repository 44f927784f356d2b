"""Tasks that ended while no process of the run was watching: what they have finished counts.

Snakemake marks the outputs of a job with the name of its task until it has seen the task end. A task that Batch reports
as successful has uploaded all of them, so the mark is removed; whatever else is marked is made again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import azure.batch.models as bm
from azure.batch import BatchServiceClient
from snakemake.persistence import PersistenceBase
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_azure.account import list_jobs, make_clients, pool_name
from snakemake_executor_plugin_azure.batch_errors import (
    deletion_failed,
    describe_error,
    http_status,
    left_in_place,
)

# for which a new process waits for running tasks; when it is interrupted, the next one has what they finished meanwhile
WAIT_MINUTES = 30
_RUNNING = {bm.TaskState.running, bm.TaskState.preparing}


def succeeded_tasks(batch: BatchServiceClient, job: str) -> set[str]:
    """Return the names of the successful tasks of a Batch job; none when the job no longer exists."""
    try:
        tasks = list(batch.task.list(job))
    except Exception as error:
        if http_status(error) == 404:
            return set()
        raise
    return {
        task.id
        for task in tasks
        if task.state == bm.TaskState.completed
        and task.execution_info.result == bm.TaskExecutionResult.success
    }


def accept_outputs(persistence: Any, job: Any) -> None:
    """Remove the marks from a job's outputs, and Snakemake's records of older versions of them.

    Their fingerprints tell what they were made with, as in a new working directory.

    Parameters
    ----------
    persistence : snakemake.persistence.PersistenceBase
    job : Job or GroupJob
    """
    for member in job.jobs if job.is_group() else [job]:
        # outputs that Snakemake has seen are no longer marked, and their records stay
        if any(persistence.external_jobids(member)):
            for file in member.output:
                persistence.cleanup_metadata(file)


@contextmanager
def take_over_earlier_run(
    workflow: Any, settings: Any, holds_lease: Callable[[], bool], logger: Any
) -> Iterator[None]:
    """Let the results of a dead run count, and leave none of its jobs and pools behind in the end.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
    settings : ExecutorSettings
    holds_lease : callable
        Whether this process holds the lease on the results; without it nothing is deleted.
    logger : logging.Logger
    """
    pool = pool_name(workflow.storage_settings.default_storage_prefix)
    batch, _ = make_clients(settings)
    with _errors_explained():
        jobs = list_jobs(batch, pool)
        pool_exists = any(listed.id == pool for listed in batch.pool.list())
    try:
        with _errors_explained():
            for job in jobs:
                pause = workflow.remote_execution_settings.seconds_between_status_checks or 10
                _drain(batch, job, pause, logger.warning)
            succeeded = {task for job in jobs for task in succeeded_tasks(batch, job)}
        with _outputs_accepted(succeeded, logger):
            yield
        # not when planning failed: the jobs are still needed to tell what is finished
        if jobs and holds_lease():
            for job in jobs:
                _delete(batch, "job", job, settings, logger)
    finally:
        if pool_exists and not settings.keep_pool:
            if holds_lease():
                _delete(batch, "pool", pool, settings, logger)
            else:
                logger.warning(left_in_place("pool", pool, settings.batch_account_name))


@contextmanager
def _errors_explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise WorkflowError(f"The Batch account cannot be queried: {describe_error(error)}") from None


def _drain(batch: BatchServiceClient, job: str, pause: float, warn: Callable[[str], None]) -> None:
    """Start no further task of a job, and wait until its running tasks have ended or Batch has deleted it."""
    end = time.monotonic() + WAIT_MINUTES * 60
    warned = False
    disabled = False
    while time.monotonic() < end:
        try:
            count = _count_running(batch, job)
            if not count:
                return
            text = (
                f"{count} task(s) of an earlier run are still running; waiting for their results, for up to "
                f"{WAIT_MINUTES} minutes (to stop them: az batch job delete --job-id {job})."
            )
            if not disabled:
                batch.job.disable(job, bm.DisableJobOption.wait)
                disabled = True
        except Exception as error:
            status = http_status(error)
            if status == 404:
                return
            # 409: it is being deleted
            if status is not None and status not in {409, 429} and status < 500:
                raise
            if status != 409:
                text = f"Batch cannot be queried, trying again: {describe_error(error)}"
        if not warned:
            warned = True
            warn(text)
        time.sleep(pause)


def _count_running(batch: BatchServiceClient, job: str) -> int:
    return sum(task.state in _RUNNING for task in batch.task.list(job))


@contextmanager
def _outputs_accepted(succeeded: set[str], logger: Any) -> Iterator[None]:
    """Let Snakemake take outputs that are marked with a successful task as complete."""
    original = PersistenceBase.incomplete

    async def incomplete(persistence: Any, job: Any) -> list:
        names = set(persistence.external_jobids(job))
        if names and names <= succeeded:
            accept_outputs(persistence, job)
            logger.info(f"Taken over from an earlier run: {', '.join(map(_address, job.output))}")
        return await original(persistence, job)

    if succeeded:
        PersistenceBase.incomplete = incomplete
    try:
        yield
    finally:
        PersistenceBase.incomplete = original


def _address(file: Any) -> str:
    return file.storage_object.query if file.is_storage else str(file)


def _delete(batch: BatchServiceClient, kind: str, name: str, settings: Any, logger: Any) -> None:
    try:
        getattr(batch, kind).delete(name)
    except Exception as error:
        # it does not exist, or is being deleted
        if http_status(error) not in {404, 409}:
            logger.error(deletion_failed(kind, name, settings.batch_account_name, error))
