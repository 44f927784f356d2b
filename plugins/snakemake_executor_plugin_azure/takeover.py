"""What tasks have done while nobody looked: results of a dead run, and of a run that Batch did not answer, count.

Snakemake marks the outputs of a job with the name of its task until it has seen its end. A task that Batch calls a
success has uploaded all of them, and the mark goes; whatever else is marked is made again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import azure.batch.models as bm
from azure.batch import BatchServiceClient
from snakemake.persistence import PersistenceBase
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_azure import account, batch_errors

# that a new process waits for tasks that run; who starts it again has what they have finished
WAIT_MINUTES = 30
_UNDER_WAY = {bm.TaskState.running, bm.TaskState.preparing}


def succeeded(batch: BatchServiceClient, job: str) -> set[str]:
    """Return the tasks of a Batch job that have ended well, by name; none when it is gone."""
    try:
        tasks = list(batch.task.list(job))
    except Exception as error:
        if batch_errors.status_of(error) == 404:
            return set()
        raise
    return {
        task.id
        for task in tasks
        if task.state == bm.TaskState.completed
        and task.execution_info.result == bm.TaskExecutionResult.success
    }


def count_as_finished(persistence: Any, job: Any) -> None:
    """Take away the marks of a job's outputs, and what was recorded of older ones.

    With what they were made is told by their fingerprints, as in a new working directory.

    Parameters
    ----------
    persistence : snakemake.persistence.PersistenceBase
    job : Job or GroupJob
    """
    for one in job.jobs if job.is_group() else [job]:
        # what Snakemake has looked at has no mark any more, and its records stay
        if any(persistence.external_jobids(one)):
            for file in one.output:
                persistence.cleanup_metadata(file)


@contextmanager
def taken_over(workflow: Any, settings: Any, held: Callable[[], bool], logger: Any) -> Iterator[None]:
    """Let what a dead run has finished count, and leave nothing of it at Batch in the end.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
    settings : ExecutorSettings
    held : callable
        Whether this process still has the results; without them it deletes nothing.
    logger : logging.Logger
    """
    pool = account.pool_of(workflow.storage_settings.default_storage_prefix)
    batch, _ = account.clients(settings)
    with _in_words():
        jobs = account.jobs_of(batch, pool)
        pool_left = any(found.id == pool for found in batch.pool.list())
    try:
        with _in_words():
            for job in jobs:
                pause = workflow.remote_execution_settings.seconds_between_status_checks or 10
                _let_end(batch, job, pause, logger.warning)
            done = {task for job in jobs for task in succeeded(batch, job)}
        with _counted(done, logger):
            yield
        # not when planning failed: they still say what is finished
        if jobs and held():
            for job in jobs:
                _delete(batch, "job", job, settings, logger)
    finally:
        if pool_left and not settings.keep_pool:
            if held():
                _delete(batch, "pool", pool, settings, logger)
            else:
                logger.warning(batch_errors.stays("pool", pool, settings.batch_account_name))


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise WorkflowError(f"The Batch account cannot be asked: {batch_errors.sentence(error)}") from None


def _let_end(batch: BatchServiceClient, job: str, pause: float, say: Callable[[str], None]) -> None:
    """Let no further task of a job begin, and wait for those that run, or until Batch has deleted it."""
    end = time.monotonic() + WAIT_MINUTES * 60
    said: set[str] = set()
    disabled = False
    while time.monotonic() < end:
        try:
            count = _running(batch, job)
            if not count:
                return
            text = (
                f"{count} tasks of an earlier run still run; waiting for their results, for up to {WAIT_MINUTES} "
                f"minutes (to end them: az batch job delete --job-id {job})."
            )
            if not disabled:
                batch.job.disable(job, bm.DisableJobOption.wait)
                disabled = True
        except Exception as error:
            status = batch_errors.status_of(error)
            if status == 404:
                return
            # 409: it is being deleted
            if status is not None and status not in {409, 429} and status < 500:
                raise
            text = (
                text
                if status == 409
                else f"Batch could not be asked, trying again: {batch_errors.sentence(error)}"
            )
        if not said:
            said.add(text)
            say(text)
        time.sleep(pause)


def _running(batch: BatchServiceClient, job: str) -> int:
    return sum(task.state in _UNDER_WAY for task in batch.task.list(job))


@contextmanager
def _counted(done: set[str], logger: Any) -> Iterator[None]:
    """Let outputs marked with the name of a task that is done be no longer incomplete."""
    original = PersistenceBase.incomplete
    counted = set()

    async def incomplete(persistence: Any, job: Any) -> list:
        names = set(persistence.external_jobids(job))
        if names and names <= done:
            count_as_finished(persistence, job)
            counted.update(names)
            logger.info(f"Taken over from an earlier run: {', '.join(map(_address, job.output))}")
        return await original(persistence, job)

    if done:
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
        # gone, or on its way
        if batch_errors.status_of(error) not in {404, 409}:
            logger.error(batch_errors.left(kind, name, settings.batch_account_name, error))
