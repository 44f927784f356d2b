"""A stand-in of a Batch account: pools whose nodes run the command lines of tasks as processes of this machine.

It answers the calls that the executor makes, in the form of ARM 2024-02-01 and Batch 2024-02-01.19.0.
"""

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from batch_things import Node, Pool, RefusalError, Task, now

ARM_POOL = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Batch/batchAccounts/[^/]+/pools/([^/]+)"
)


QUOTA = {"code": "AccountCoreQuotaReached", "message": "The specified account has reached core quota"}
NO_CAPACITY = {
    "code": "AllocationTimedout",
    "message": "Desired number of dedicated nodes could not be allocated",
}


class Account:
    """The account.

    Attributes
    ----------
    pools, jobs : dict
        What exists now.
    created : list of dict
        The properties of every pool that was made.
    finished : list of Task
        What was done, also after its job was deleted.
    most : int
        The most tasks that ran at once.
    exits : dict of str to str
        Display name (expression) of tasks that end with exit code 1 instead of running, and their standard error.
    lose_node : str
        Display name (expression) of the task whose node is lost once, while it runs.
    unusable, start_task_fails : int
        So many nodes of a new pool.
    no_capacity : int
        So many times a pool gets no further node, because Azure has none.
    resized : list of dict
        What pools were asked for after they were made.
    deletion_seconds : float
        That deleting a job takes, while its tasks go on.
    python : Path
        What tasks find first on their path.
    quota : int
        Nodes that the account may have.
    """

    def __init__(self, folder: Path, python: Path):
        self.folder = folder
        self._python = python
        self.node_environment: dict[str, str] = {}
        self.lock = threading.RLock()
        self.stopped = False
        self.mend()

    def mend(self) -> None:
        self.python = self._python
        self.pools: dict[str, Pool] = {}
        self.jobs: dict[str, dict] = {}
        self.tasks: dict[str, dict[str, Task]] = {}
        self.created: list[dict] = []
        self.finished: list[Task] = []
        self.most = 0
        self.exits: dict[str, str] = {}
        self.lose_node = ""
        self.unusable = self.start_task_fails = 0
        self.quota = 20
        self.deletion_seconds = 0.0
        self.no_capacity = 0
        self.resized: list[dict] = []
        self.made = 0

    def stop(self) -> None:
        with self.lock:
            self.stopped = True
            for tasks in self.tasks.values():
                for task in tasks.values():
                    self._kill(task)

    def resource(self, method: str, path: str, body: dict | None) -> tuple[int, dict]:
        """Answer for Azure Resource Manager."""
        match = ARM_POOL.fullmatch(path)
        if not match or method != "PUT":
            raise RefusalError(404, "ResourceNotFound", f"the stand-in does not know {method} {path}")
        with self.lock:
            name, properties = match[1], body["properties"]
            self.created.append(body)
            self.pools[name] = Pool(body)
            self._scale(name, properties)
        answer = body | {"id": path, "name": name, "type": "Microsoft.Batch/batchAccounts/pools"}
        answer["properties"] = properties | {"provisioningState": "Succeeded", "allocationState": "Resizing"}
        return 200, answer

    def _scale(self, name: str, properties: dict) -> None:
        scale, pool = properties["scaleSettings"], self.pools[name]
        if "autoScale" in scale:
            # the formula is not evaluated, but it has to give nodes to pending tasks
            wanted = 1 if "$PendingTasks" in scale["autoScale"]["formula"] else 0
        else:
            fixed = scale["fixedScale"]
            wanted = fixed.get("targetDedicatedNodes", 0) + fixed.get("targetLowPriorityNodes", 0)
        slots = properties.get("taskSlotsPerNode", 1)
        if not self._grow(pool, wanted, slots):
            return
        for node in pool.nodes[: self.unusable]:
            node.state = "unusable"
        for node in pool.nodes[: self.start_task_fails]:
            node.state, node.start_task_failed = "starttaskfailed", True

    def _grow(self, pool: Pool, wanted: int, slots: int) -> bool:
        """Give a pool the nodes that it has not; whether there were any."""
        pool.changed, pool.resize_errors = now(), []
        if wanted > self.quota:
            pool.resize_errors = [QUOTA]
        elif self.no_capacity:
            self.no_capacity -= 1
            pool.resize_errors = [NO_CAPACITY]
        else:
            names = (f"tvm-{self.made + i}" for i in range(wanted - len(pool.nodes)))
            pool.nodes += [Node(name, slots) for name in names]
            self.made += wanted
        return not pool.resize_errors

    def data(self, method: str, path: str, body: dict | None) -> tuple[int, dict | bytes]:
        """Answer for the Batch account itself."""
        kind, *names = unquote(path).strip("/").split("/")
        answers = {"jobs": self._of_jobs, "pools": self._of_pools}
        with self.lock:
            answer = answers[kind](method, names, body) if kind in answers else None
        if answer is None:
            raise RefusalError(404, "ResourceNotFound", f"the stand-in does not know {method} {path}")
        return answer

    def _of_jobs(self, method: str, names: list[str], body: dict | None) -> tuple[int, dict | bytes] | None:
        """Answer for jobs and their tasks; None when it is not known what is asked."""
        match method, *names:
            case ("POST",):
                self._pool(body["poolInfo"]["poolId"])
                self.jobs[body["id"]], self.tasks[body["id"]] = body, {}
                return 201, {}
            case ("GET",):
                return 200, {"value": list(self.jobs.values())}
            case "POST", job, "tasks":
                if body["id"] in self._tasks(job):
                    raise RefusalError(409, "TaskExists", "The specified task already exists.")
                folder = self.folder / job / body["id"]
                (folder / "wd").mkdir(parents=True)
                self._tasks(job)[body["id"]] = Task(body, folder)
                self._dispatch()
                return 201, {}
            case "GET", job, "tasks":
                return 200, {"value": [task.described() for task in self._tasks(job).values()]}
            case "GET", job, "tasks", task:
                return 200, self._task(job, task).described()
            case "GET", job, "tasks", task, "files", name:
                return 200, (self._task(job, task).folder / name).read_bytes()
            case "POST", job, "tasks", task, "terminate":
                self._end(self._task(job, task), 137)
                return 204, b""
            case "POST", job, "disable":
                self._tasks(job)
                if self.jobs[job].get("state") == "deleting":
                    raise RefusalError(409, "JobBeingDeleted", "The specified job is being deleted.")
                self.jobs[job]["state"] = "disabled"
                return 202, b""
            case "DELETE", job:
                self._tasks(job)
                if self.deletion_seconds:
                    self.jobs[job]["state"] = "deleting"
                    threading.Timer(self.deletion_seconds, self._delete_job, [job]).start()
                else:
                    self._delete_job(job)
                return 202, b""
        return None

    def _of_pools(self, method: str, names: list[str], body: dict | None) -> tuple[int, dict | bytes] | None:
        """Answer for pools and their nodes; None when it is not known what is asked."""
        match method, *names:
            case ("GET",):
                return 200, {"value": [{"id": name, "state": "active"} for name in self.pools]}
            case "HEAD" | "GET", pool:
                return 200, self._pool(pool).described(pool)
            case "POST", pool, "resize":
                self.resized.append(body)
                found = self._pool(pool)
                slots = found.body["properties"].get("taskSlotsPerNode", 1)
                self._grow(found, body["targetDedicatedNodes"] + body["targetLowPriorityNodes"], slots)
                self._dispatch()
                return 202, b""
            case "GET", pool, "nodes":
                return 200, {"value": [node.described() for node in self._pool(pool).nodes]}
            case "GET", pool, "nodes", _, "files", "startup", name:
                self._pool(pool)
                return 200, f"{name}: the start task ended badly\n".encode()
            case "DELETE", pool:
                self._pool(pool)
                del self.pools[pool]
                return 202, b""
        return None

    def _delete_job(self, job: str) -> None:
        with self.lock:
            for task in self.tasks.get(job, {}).values():
                self._end(task, 137)
            self.jobs.pop(job, None)
            self.tasks.pop(job, None)

    def _pool(self, name: str) -> Pool:
        if name not in self.pools:
            raise RefusalError(404, "PoolNotFound", "The specified pool does not exist.")
        return self.pools[name]

    def _tasks(self, job: str) -> dict[str, Task]:
        if job not in self.jobs:
            raise RefusalError(404, "JobNotFound", "The specified job does not exist.")
        return self.tasks[job]

    def _task(self, job: str, name: str) -> Task:
        if name not in self._tasks(job):
            raise RefusalError(404, "TaskNotFound", "The specified task does not exist.")
        return self.tasks[job][name]

    def _dispatch(self) -> None:
        """Start waiting tasks on nodes with free slots."""
        for job, tasks in self.tasks.items():
            pool = self.pools.get(self.jobs[job]["poolInfo"]["poolId"])
            nodes = pool.nodes if pool and self.jobs[job].get("state") != "disabled" else []
            for task in tasks.values():
                node = next((one for one in nodes if one.state == "idle" and one.slots >= task.slots), None)
                if task.state == "active" and node is not None and not self.stopped:
                    node.slots -= task.slots
                    self._start(task, node)
        running = [
            task for tasks in self.tasks.values() for task in tasks.values() if task.state == "running"
        ]
        self.most = max(self.most, len(running))

    def _start(self, task: Task, node: Node) -> None:
        task.state, task.node, task.started = "running", node.name, time.monotonic()
        name = task.body.get("displayName", "")
        command = shlex.split(task.body["commandLine"])
        for expression, text in self.exits.items():
            if re.search(expression, name):
                command = ["/bin/sh", "-c", f"echo {shlex.quote(text)} >&2; exit 1"]
        settings = {one["name"]: one["value"] for one in task.body.get("environmentSettings") or []}
        # nothing of the submitting side but where programs are
        environment = {
            "PATH": f"{self.python.parent}:{os.environ['PATH']}",
            "HOME": str(task.folder),
            "LANG": "C.UTF-8",
        }
        with (task.folder / "stdout.txt").open("wb") as out, (task.folder / "stderr.txt").open("wb") as error:
            task.process = subprocess.Popen(
                command,
                cwd=task.folder / "wd",
                env=environment | self.node_environment | settings,
                stdout=out,
                stderr=error,
                start_new_session=True,
            )
        threading.Thread(target=self._watch, args=(task, node, task.process), daemon=True).start()
        if self.lose_node and re.search(self.lose_node, name):
            self.lose_node = ""
            threading.Timer(0.5, self._lose, (task, node)).start()

    def _lose(self, task: Task, node: Node) -> None:
        """Take a node away; Batch puts its task back into the queue."""
        with self.lock:
            process, task.process = task.process, None
            _kill_group(process)
            for pool in self.pools.values():
                if node in pool.nodes:
                    pool.nodes.remove(node)
            # whatever of it still writes does so where the next attempt does not look
            (task.folder / "wd").rename(task.folder / f"wd-lost-{task.requeued}")
            (task.folder / "wd").mkdir()
            task.state, task.requeued = "active", task.requeued + 1
            self._dispatch()

    def _watch(self, task: Task, node: Node, process: subprocess.Popen) -> None:
        status = process.wait()
        with self.lock:
            # not when its node was lost meanwhile
            if task.process is process:
                node.slots += task.slots
                self._end(task, status)
                self._dispatch()

    def _end(self, task: Task, status: int) -> None:
        if task.state != "completed":
            self._kill(task)
            task.state, task.exit_code, task.ended = "completed", status, time.monotonic()
            self.finished.append(task)

    def _kill(self, task: Task) -> None:
        if task.process and task.process.poll() is None:
            _kill_group(task.process)


def _kill_group(process: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
