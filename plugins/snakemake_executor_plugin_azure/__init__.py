"""snakemake-executor-plugin-azure-batch 0.3.0 with its defects repaired: `executor: azure`.

Every method that overrides one of upstream's names the defect that it repairs, so that it can be dropped once upstream
has fixed the defect. When none is left, use `executor: azure-batch` and remove this folder.
"""

import dataclasses
import shlex
import signal
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Callable

import azure.batch.models as bm
import snakemake_executor_plugin_azure_batch as upstream
from snakemake_executor_plugin_azure_batch import build
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_azure.account import list_jobs, make_clients, new_job_name, pool_name
from snakemake_executor_plugin_azure.batch_errors import (
    deletion_failed,
    describe_error,
    describe_node,
    describe_task,
    gone_with_lease,
    gone_without_lease,
    http_status,
    last_lines,
)
from snakemake_executor_plugin_azure.capacity import Capacity
from snakemake_executor_plugin_azure.pool import node_counts, repair_pool
from snakemake_executor_plugin_azure.retries import add_task, delete_resource
from snakemake_executor_plugin_azure.settings import ExecutorSettings, common_settings
from snakemake_executor_plugin_azure.takeover import accept_outputs, succeeded_tasks
from snakemake_executor_plugin_azure.tasks import allowed_variables, refusal, repair_task

# what Snakemake looks for in a plugin
__all__ = ["Executor", "ExecutorSettings", "common_settings"]

# in minutes, of rules that declare none
DEFAULT_RUNTIME = 60
# for which a run waits until the pool of an earlier run is deleted
WAIT_SECONDS = 600


def label(job: JobExecutorInterface) -> str:
    """Name a job by its rule, or its group, and its wildcards."""
    name, wildcards = (job.groupid, job.merged_wildcards()) if job.is_group() else (job.name, job.wildcards)
    return " ".join([name, *map(str, wildcards)])


class Executor(upstream.Executor):
    """Runs jobs as tasks of one Batch job, on one pool."""

    def __post_init__(self):
        """Repair: upstream creates the pool before it is needed, and leaves the source archive behind when that fails.

        The pool is named after the run: one that a killed run left behind is reused, and deleted at the end.
        """
        self.container_image = self.workflow.remote_execution_settings.container_image
        self.settings: ExecutorSettings = self.workflow.executor_settings
        self.tasks_per_node = self.settings.tasks_per_node
        self.pool_id = pool_name(self.workflow.storage_settings.default_storage_prefix)
        self.job_id = new_job_name(self.pool_id)
        self.started = False
        # whether this process holds the lease on the results; set by `begin`
        self.holds_lease: Callable[[], bool] = lambda: False
        # tasks that Batch has and whose results Snakemake has not yet seen
        self.in_flight: dict[str, JobExecutorInterface] = {}
        self.failed_polls = 0
        self.warned: set[str] = set()
        self._cores: int | None = None

    def begin(self, holds_lease: Callable[[], bool]) -> None:
        """Prepare for the first job, including jobs that run on this machine.

        Parameters
        ----------
        holds_lease : callable
            Whether this process holds the lease on the results.
        """
        self.holds_lease = holds_lease
        self.end_on_sigterm()

    def end_on_sigterm(self) -> None:
        """Repair: SIGTERM waited for running tasks; the SIGKILL that follows it then left the pool behind."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _interrupt)

    def start(self) -> None:
        """Create the pool and the Batch job, before the first task; `shutdown` deletes them whatever happens."""
        if self.started:
            return
        self.end_on_sigterm()
        self.refuse_secrets()
        self.init_batch_client()
        self.started = True
        self.create_batch_pool()
        self.create_batch_job()

    def refuse_secrets(self) -> None:
        """Repair: upstream writes the values of `--envvars` where everyone with access to the account can read them."""
        names = {*self.workflow.remote_execution_settings.envvars, *self.workflow.envvars}
        if sentence := refusal(names):
            raise WorkflowError(sentence)

    def envvars(self) -> dict[str, str]:
        """Repair: among the settings of storage plugins, upstream also sends their keys."""
        return allowed_variables(super().envvars())

    def init_batch_client(self) -> None:
        """Repair: the scope lacked /.default; missing credentials raised an AttributeError."""
        self.batch_client, self.batch_mgmt_client = make_clients(self.settings)

    def create_batch_pool(self) -> None:
        """Repair: Classic communication, autoscale without nodes, no spot nodes, "None" as a password."""
        exists = self.pool_exists()
        settings = self.settings
        self.capacity = Capacity(
            target_nodes=None if settings.autoscale else settings.pool_node_count,
            hours=settings.capacity_hours,
            spot=settings.spot,
            reused=exists,
        )
        if exists:
            self.logger.info(f"Using the existing pool {self.pool_id}.")
            return
        self.logger.info(f"Creating the pool {self.pool_id} ({self.settings.pool_vm_size}).")
        # upstream changes the node count in the settings that it is given
        settings = dataclasses.replace(self.settings)
        parameters = build.batch_pool_params(self.pool_id, settings, self.container_image)
        repair_pool(parameters, self.settings)
        try:
            self.batch_mgmt_client.pool.create(
                resource_group_name=self.settings.resource_group_name,
                account_name=self.settings.batch_account_name,
                pool_name=self.pool_id,
                parameters=parameters,
            )
        except Exception as error:
            raise WorkflowError(f"The pool cannot be created: {describe_error(error)}") from None

    def pool_exists(self) -> bool:
        """Whether an earlier run has left the pool; wait while it is being deleted."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            try:
                pool = self.batch_client.pool.get(self.pool_id)
            except Exception as error:
                if http_status(error) == 404:
                    return False
                raise WorkflowError(f"The Batch account cannot be queried: {describe_error(error)}") from None
            if pool.state != bm.PoolState.deleting:
                return True
            self.warn_once(f"Waiting for the pool {self.pool_id} of an earlier run to be deleted.")
            time.sleep(self.workflow.remote_execution_settings.seconds_between_status_checks or 10)
        raise WorkflowError(f"The pool {self.pool_id} is still being deleted; try again later.")

    def create_batch_job(self) -> None:
        """Repair: the pool leaked when this failed; Batch jobs of a killed run continued beside the new one."""
        try:
            for job in list_jobs(self.batch_client, self.pool_id):
                self.delete("job", job)
            self.batch_client.job.add(
                bm.JobAddParameter(
                    id=self.job_id,
                    constraints=bm.JobConstraints(max_task_retry_count=0),
                    pool_info=bm.PoolInformation(pool_id=self.pool_id),
                )
            )
        except Exception as error:
            raise WorkflowError(f"The Batch job cannot be created: {describe_error(error)}") from None

    @property
    def cores(self):
        """Repair: with several tasks on a node, each used all of its cores."""
        return "all" if self._cores is None else self._cores

    def slots(self, job: JobExecutorInterface) -> int:
        """Return the task slots of a job: its threads or its resource `slots`, at most those of a node."""
        requested = max(job.resources.get("_cores", 1), job.resources.get("slots", 1))
        return min(requested, self.tasks_per_node)

    def run_job(self, job: JobExecutorInterface) -> None:
        """Repair: IDs of over 64 characters; one slot for every task; tasks were watched that had never been added."""
        self.start()
        slots = self.slots(job)
        self._cores = slots if self.tasks_per_node > 1 else None
        command = f"/bin/bash -c {shlex.quote(self.format_job_exec(job))}"
        task = build.batch_task(job, self.container_image, self.envvars(), command)
        task.display_name = label(job)
        task.id = f"{task.display_name.split()[0][:27]}-{uuid.uuid4()}"
        task.required_slots = slots
        repair_task(task, job.resources.get("runtime", DEFAULT_RUNTIME) * job.attempt)
        info = SubmittedJobInfo(job, external_jobid=task.id)
        try:
            self.add(task)
        except Exception as error:
            self.end_if_gone(error)
            self.report_job_error(info, msg=f"The task cannot be added: {describe_error(error)}\n")
        else:
            self.in_flight[task.id] = job
            self.report_job_submission(info)

    def add(self, task: bm.TaskAddParameter) -> None:
        """Repair: a task whose request was not answered may exist; adding it under a new name would run it twice."""
        add_task(lambda: self.batch_client.task.add(self.job_id, task), self.warn_once)

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Repair: one failed poll ended the run; three requests for each task; failing nodes went unnoticed."""
        if not (active_jobs and self.started):
            for info in active_jobs:
                yield info
            return
        try:
            async with self.status_rate_limiter:
                self.check_nodes()
                tasks = {task.id: task for task in self.batch_client.task.list(self.job_id)}
        except WorkflowError:
            raise
        except Exception as error:
            self.end_if_gone(error)
            self.count_failed_poll(error)
            for info in active_jobs:
                yield info
            return
        self.failed_polls = 0
        for info in active_jobs:
            task = tasks.get(info.external_jobid)
            if task is not None and task.state != bm.TaskState.completed:
                yield info
                continue
            if task is None:
                self.report_job_error(
                    info, msg="The task is no longer in its Batch job; somebody has deleted it.\n"
                )
            elif task.execution_info.result == bm.TaskExecutionResult.success:
                # stays in flight: its results count even if the run ends before Snakemake has seen them
                self.report_job_success(info)
            else:
                self.in_flight.pop(info.external_jobid, None)
                self.report_job_error(info, msg=self.explain_task(task))

    def end_if_gone(self, error: Exception) -> None:
        """Repair: of two runs of the same name, each deleted at its end what the other was using.

        Raises
        ------
        WorkflowError
            When the Batch job or the pool is gone.
        """
        if not self.started or http_status(error) != 404:
            return
        if self.holds_lease():
            raise WorkflowError(gone_with_lease(self.job_id))
        self.started = False
        # the other run may have uploaded the same sources
        self.workflow._source_archive = None
        raise WorkflowError(gone_without_lease(self.job_id, self.pool_id, self.settings.batch_account_name))

    def count_failed_poll(self, error: Exception) -> None:
        """Tolerate a failed poll; too many in a row end the run."""
        if not self.started:
            # the run has ended during this poll
            return
        self.failed_polls += 1
        text = describe_error(error)
        if self.failed_polls >= self.settings.poll_failures:
            raise WorkflowError(
                f"Batch could not be queried {self.failed_polls} times in a row: {text} Finished results are kept; "
                "start the run again to continue."
            )
        self.logger.warning(f"Batch cannot be queried, trying again: {text}")
        if http_status(error) == 401:
            self.renew_token()

    def renew_token(self) -> None:
        """Repair: a token that Azure no longer accepts was used until it expired, after an hour."""
        try:
            self.init_batch_client()
        except WorkflowError as error:
            self.logger.warning(str(error))

    def check_nodes(self) -> None:
        """Repair: pools without nodes and nodes that do not work were reported at every poll, or raised an exception.

        Raises
        ------
        WorkflowError
            When no node works, and none is to be expected.
        """
        pool = self.batch_client.pool.get(self.pool_id)
        nodes = list(self.batch_client.compute_node.list(self.pool_id))
        warnings, resize = self.capacity.check(pool, nodes, self.explain_node)
        for text in warnings:
            self.warn_once(text)
        if resize:
            self.resize()

    def resize(self) -> None:
        """Request the nodes of the pool again, which Batch does not do by itself."""
        dedicated, spot = node_counts(self.settings)
        try:
            self.batch_client.pool.resize(
                self.pool_id,
                bm.PoolResizeParameter(target_dedicated_nodes=dedicated, target_low_priority_nodes=spot),
            )
        except bm.BatchErrorException as error:
            # 409: it is being resized already
            if http_status(error) != 409:
                raise

    def explain_node(self, node: bm.ComputeNode) -> str:
        """Say why a node does not work, with the end of the output of a failed start task."""
        if node.start_task_info is None:
            return describe_node(node, "")
        output = last_lines(
            lambda: self.batch_client.file.get_from_compute_node(self.pool_id, node.id, "startup/stderr.txt")
        )
        return describe_node(node, output)

    def explain_task(self, task: bm.CloudTask) -> str:
        """Repair: the output of a failed task was always shown as empty."""
        output = last_lines(
            lambda: self.batch_client.file.get_from_task(self.job_id, task.id, "stderr.txt"), count=40
        )
        return f"{describe_task(task)}\n{output}\n"

    def warn_once(self, text: str) -> None:
        """Log a warning that has not been logged before."""
        if text not in self.warned:
            self.warned.add(text)
            self.logger.warning(text)

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Do nothing: deleting the Batch job ends its tasks."""

    def cleanup_resources(self) -> None:
        """Repair: a failure here left the pool behind, and `keep-pool` kept the Batch job as well."""
        if not self.started:
            return
        self.started = False
        if self.accept_finished():
            self.delete("job", self.job_id)
        if not self.settings.keep_pool:
            self.delete("pool", self.pool_id)

    def accept_finished(self) -> bool:
        """Let tasks that succeeded since the last poll count; return whether the Batch job is no longer needed."""
        if not self.in_flight:
            return True
        try:
            succeeded = succeeded_tasks(self.batch_client, self.job_id)
        except Exception as error:
            if http_status(error) == 404:
                return True
            self.logger.warning(
                f"The job {self.job_id} is left in place, which costs nothing: Batch does not report which of its "
                "tasks have finished. The next run of this name takes over their results and deletes it."
            )
            return False
        for task in succeeded & self.in_flight.keys():
            accept_outputs(self.workflow.persistence, self.in_flight[task])
        return True

    def delete(self, kind: str, name: str) -> None:
        """Delete a job or a pool; when that fails, give the command that does."""
        failure = delete_resource(lambda: getattr(self.batch_client, kind).delete(name), self.renew_token)
        if failure is not None:
            self.logger.error(deletion_failed(kind, name, self.settings.batch_account_name, failure))

    def shutdown(self) -> None:
        """Clean up first: whoever sent the signal may send SIGKILL before the last poll has ended."""
        try:
            self.cleanup_resources()
        finally:
            RemoteExecutor.shutdown(self)


def _interrupt(*_: object) -> None:
    """End the run like Ctrl-C, once; the shutdown that follows deletes the job and the pool."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
