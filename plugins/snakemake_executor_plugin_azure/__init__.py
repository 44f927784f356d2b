"""snakemake-executor-plugin-azure-batch 0.3.0 with its defects repaired: `executor: azure`.

Every method that overrides one of upstream's names the defect that it repairs, so that it can be dropped when upstream
has repaired it. When none is left, use `executor: azure-batch` and remove this folder.
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

from snakemake_executor_plugin_azure import account, batch_errors, pool, retries, takeover, tasks
from snakemake_executor_plugin_azure.capacity import Capacity
from snakemake_executor_plugin_azure.settings import ExecutorSettings, common_settings

# what Snakemake looks for in a plugin
__all__ = ["Executor", "ExecutorSettings", "common_settings"]

# minutes, of rules that tell none
DEFAULT_RUNTIME = 60
# of the longest wait for a pool of an earlier run to go away
WAIT_SECONDS = 600


def label(job: JobExecutorInterface) -> str:
    """Name a job by its rule, or its group, and its wildcards."""
    name, wildcards = (job.groupid, job.merged_wildcards()) if job.is_group() else (job.name, job.wildcards)
    return " ".join([name, *map(str, wildcards)])


class Executor(upstream.Executor):
    """Runs jobs as tasks of one Batch job, on one pool."""

    def __post_init__(self):
        """Repair: upstream makes the pool before it is needed, and leaves the source archive behind when that fails.

        The pool is named after the run: one that a killed run left behind is used, and deleted at the end.
        """
        self.container_image = self.workflow.remote_execution_settings.container_image
        self.settings: ExecutorSettings = self.workflow.executor_settings
        self.tasks_per_node = self.settings.tasks_per_node
        self.pool_id = account.pool_of(self.workflow.storage_settings.default_storage_prefix)
        self.job_id = account.job_of(self.pool_id)
        self.started = False
        # whether this process still has the results; as long as nobody tells, nobody knows
        self.held: Callable[[], bool] = lambda: False
        # what Batch has and nobody has seen the end of
        self.under_way: dict[str, JobExecutorInterface] = {}
        self.failed_polls = 0
        self.warned: set[str] = set()
        self._cores: int | None = None

    def begin(self, held: Callable[[], bool]) -> None:
        """Get ready before the first job, also one that runs here.

        Parameters
        ----------
        held : callable
            Whether this process still has the results.
        """
        self.held = held
        self.end_on_sigterm()

    def end_on_sigterm(self) -> None:
        """Repair: SIGTERM waited for running tasks, so that a killer lost patience and the pool stayed."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _interrupt)

    def start(self) -> None:
        """Make the pool and the job, with the first task; `shutdown` deletes them whatever happens."""
        if self.started:
            return
        self.end_on_sigterm()
        self.refuse_secrets()
        self.init_batch_client()
        self.started = True
        self.create_batch_pool()
        self.create_batch_job()

    def refuse_secrets(self) -> None:
        """Repair: upstream writes the values of `--envvars` into settings that every reader of the account sees."""
        names = {*self.workflow.remote_execution_settings.envvars, *self.workflow.envvars}
        if sentence := tasks.refused(names):
            raise WorkflowError(sentence)

    def envvars(self) -> dict[str, str]:
        """Repair: with what storage plugins need, upstream sends the keys that they were given."""
        return tasks.public(super().envvars())

    def init_batch_client(self) -> None:
        """Repair: the scope lacked /.default; no credentials gave an AttributeError."""
        self.batch_client, self.batch_mgmt_client = account.clients(self.settings)

    def create_batch_pool(self) -> None:
        """Repair: Classic communication, autoscale without nodes, no spot nodes, "None" as a password."""
        kept = self.pool_of_earlier_run()
        settings = self.settings
        self.capacity = Capacity(
            wanted=None if settings.autoscale else settings.pool_node_count,
            hours=settings.capacity_hours,
            spot=settings.spot,
            kept=kept,
        )
        if kept:
            self.logger.info(f"Using the pool {self.pool_id} that is there.")
            return
        self.logger.info(f"Creating the pool {self.pool_id} of {self.settings.pool_vm_size}.")
        # upstream changes the node count of the settings it is given
        settings = dataclasses.replace(self.settings)
        parameters = build.batch_pool_params(self.pool_id, settings, self.container_image)
        pool.repair(parameters, self.settings)
        try:
            self.batch_mgmt_client.pool.create(
                resource_group_name=self.settings.resource_group_name,
                account_name=self.settings.batch_account_name,
                pool_name=self.pool_id,
                parameters=parameters,
            )
        except Exception as error:
            raise WorkflowError(f"The pool cannot be made: {batch_errors.sentence(error)}") from None

    def pool_of_earlier_run(self) -> bool:
        """Whether the pool is there; wait while it is being deleted."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            try:
                found = self.batch_client.pool.get(self.pool_id)
            except Exception as error:
                if batch_errors.status_of(error) == 404:
                    return False
                raise WorkflowError(
                    f"The Batch account cannot be asked: {batch_errors.sentence(error)}"
                ) from None
            if found.state != bm.PoolState.deleting:
                return True
            self.warn(f"Waiting until the pool {self.pool_id} of an earlier run is deleted.")
            time.sleep(self.workflow.remote_execution_settings.seconds_between_status_checks or 10)
        raise WorkflowError(f"The pool {self.pool_id} is still being deleted; try again later.")

    def create_batch_job(self) -> None:
        """Repair: the pool leaked when this failed; jobs of a killed run went on beside the new one."""
        try:
            for job in account.jobs_of(self.batch_client, self.pool_id):
                self.delete("job", job)
            self.batch_client.job.add(
                bm.JobAddParameter(
                    id=self.job_id,
                    constraints=bm.JobConstraints(max_task_retry_count=0),
                    pool_info=bm.PoolInformation(pool_id=self.pool_id),
                )
            )
        except Exception as error:
            raise WorkflowError(f"The Batch job cannot be made: {batch_errors.sentence(error)}") from None

    @property
    def cores(self):
        """Repair: with several tasks on a node each took all of its cores."""
        return "all" if self._cores is None else self._cores

    def slots(self, job: JobExecutorInterface) -> int:
        """Return the task slots of a job: its threads, or its resource `slots`, as far as a node has them."""
        wanted = max(job.resources.get("_cores", 1), job.resources.get("slots", 1))
        return min(wanted, self.tasks_per_node)

    def run_job(self, job: JobExecutorInterface) -> None:
        """Repair: ids over 64 characters, one slot for every task, tasks watched that were never added."""
        self.start()
        slots = self.slots(job)
        self._cores = slots if self.tasks_per_node > 1 else None
        command = f"/bin/bash -c {shlex.quote(self.format_job_exec(job))}"
        task = build.batch_task(job, self.container_image, self.envvars(), command)
        task.display_name = label(job)
        task.id = f"{task.display_name.split()[0][:27]}-{uuid.uuid4()}"
        task.required_slots = slots
        tasks.repair(task, job.resources.get("runtime", DEFAULT_RUNTIME) * job.attempt)
        info = SubmittedJobInfo(job, external_jobid=task.id)
        try:
            self.add(task)
        except Exception as error:
            self.leave_if_gone(error)
            self.report_job_error(info, msg=f"The task cannot be added: {batch_errors.sentence(error)}\n")
        else:
            self.under_way[task.id] = job
            self.report_job_submission(info)

    def add(self, task: bm.TaskAddParameter) -> None:
        """Repair: without an answer Batch may have a task; another one of another name would do the same beside it."""
        retries.add(lambda: self.batch_client.task.add(self.job_id, task), self.warn)

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Repair: one poll without an answer ended the run; three requests a task; failing nodes went unnoticed."""
        if not (active_jobs and self.started):
            for info in active_jobs:
                yield info
            return
        try:
            async with self.status_rate_limiter:
                self.check_nodes()
                known = {task.id: task for task in self.batch_client.task.list(self.job_id)}
        except WorkflowError:
            raise
        except Exception as error:
            self.leave_if_gone(error)
            self.tolerate(error)
            for info in active_jobs:
                yield info
            return
        self.failed_polls = 0
        for info in active_jobs:
            task = known.get(info.external_jobid)
            if task is not None and task.state != bm.TaskState.completed:
                yield info
                continue
            if task is None:
                self.report_job_error(info, msg="The Batch job has no such task; who deleted it?\n")
            elif task.execution_info.result == bm.TaskExecutionResult.success:
                # stays under way: when the run ends before Snakemake has looked at its results they count nevertheless
                self.report_job_success(info)
            else:
                self.under_way.pop(info.external_jobid, None)
                self.report_job_error(info, msg=self.why(task))

    def leave_if_gone(self, error: Exception) -> None:
        """Repair: of two runs of one name each deleted, in the end, what the other worked with.

        Raises
        ------
        WorkflowError
            When the job or the pool is gone.
        """
        if not self.started or batch_errors.status_of(error) != 404:
            return
        if self.held():
            raise WorkflowError(batch_errors.deleted(self.job_id))
        self.started = False
        # the other run may have uploaded the same sources
        self.workflow._source_archive = None
        raise WorkflowError(batch_errors.ended(self.job_id, self.pool_id, self.settings.batch_account_name))

    def tolerate(self, error: Exception) -> None:
        """Count polls without an answer; too many in a row end the run."""
        if not self.started:
            # the run was ended while this poll was under way
            return
        self.failed_polls += 1
        text = batch_errors.sentence(error)
        if self.failed_polls >= self.settings.poll_failures:
            raise WorkflowError(
                f"Batch could not be asked {self.failed_polls} times in a row: {text} What is finished is kept; "
                "start the run again to go on."
            )
        self.logger.warning(f"Batch could not be asked, trying again: {text}")
        if batch_errors.status_of(error) == 401:
            self.renew_token()

    def renew_token(self) -> None:
        """Repair: a token that Azure no longer accepts was used until the hour was over."""
        try:
            self.init_batch_client()
        except WorkflowError as error:
            self.logger.warning(str(error))

    def check_nodes(self) -> None:
        """Repair: pools that can get no node, and nodes that cannot work, were reported without end or broke.

        Raises
        ------
        WorkflowError
            When no node is left that could run a task, and none is to be expected.
        """
        found = self.batch_client.pool.get(self.pool_id)
        nodes = list(self.batch_client.compute_node.list(self.pool_id))
        said, again = self.capacity.look(found, nodes, self.why_node)
        for text in said:
            self.warn(text)
        if again:
            self.resize()

    def resize(self) -> None:
        """Ask the pool for its nodes again, which Batch does not do by itself."""
        dedicated, spot = pool.counts(self.settings)
        try:
            self.batch_client.pool.resize(
                self.pool_id,
                bm.PoolResizeParameter(target_dedicated_nodes=dedicated, target_low_priority_nodes=spot),
            )
        except bm.BatchErrorException as error:
            # 409: it is changing already
            if batch_errors.status_of(error) != 409:
                raise

    def why_node(self, node: bm.ComputeNode) -> str:
        """Say why a node does not work, with the end of what a failed start task wrote."""
        if node.start_task_info is None:
            return batch_errors.of_node(node, "")
        output = batch_errors.tail(
            lambda: self.batch_client.file.get_from_compute_node(self.pool_id, node.id, "startup/stderr.txt")
        )
        return batch_errors.of_node(node, output)

    def why(self, task: bm.CloudTask) -> str:
        """Repair: the output of a failed task was always shown empty."""
        end = batch_errors.tail(
            lambda: self.batch_client.file.get_from_task(self.job_id, task.id, "stderr.txt"), lines=40
        )
        return f"{batch_errors.of_task(task)}\n{end}\n"

    def warn(self, text: str) -> None:
        """Say something once."""
        if text not in self.warned:
            self.warned.add(text)
            self.logger.warning(text)

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Do nothing: deleting the job ends its tasks."""

    def cleanup_resources(self) -> None:
        """Repair: a failure here left the pool, and `keep-pool` kept the job too."""
        if not self.started:
            return
        self.started = False
        if self.keep_finished():
            self.delete("job", self.job_id)
        if not self.settings.keep_pool:
            self.delete("pool", self.pool_id)

    def keep_finished(self) -> bool:
        """Let what tasks have finished since the last poll count; whether the job is needed no longer."""
        if not self.under_way:
            return True
        try:
            done = takeover.succeeded(self.batch_client, self.job_id)
        except Exception as error:
            if batch_errors.status_of(error) == 404:
                return True
            self.logger.warning(
                f"The job {self.job_id} stays, which costs nothing: Batch does not tell which of its tasks have "
                "finished. The next run of the name takes their results over, and deletes it."
            )
            return False
        for task in done & self.under_way.keys():
            takeover.count_as_finished(self.workflow.persistence, self.under_way[task])
        return True

    def delete(self, kind: str, name: str) -> None:
        """Delete a job or a pool; say how to do it by hand when it fails."""
        failure = retries.delete(lambda: getattr(self.batch_client, kind).delete(name), self.renew_token)
        if failure is not None:
            self.logger.error(batch_errors.left(kind, name, self.settings.batch_account_name, failure))

    def shutdown(self) -> None:
        """Clean up first: whoever waits for the last poll may lose patience."""
        try:
            self.cleanup_resources()
        finally:
            RemoteExecutor.shutdown(self)


def _interrupt(*_: object) -> None:
    """End the run like Ctrl-C, once: what follows deletes the job and the pool."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
