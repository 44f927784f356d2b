"""A stand-in of a Batch account: pools whose nodes run the command lines of tasks as processes of this machine.

It handles the requests that the executor sends, in the format of ARM 2024-02-01 and Batch 2024-02-01.19.0.
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

from batch_resources import Node, Pool, RefusalError, Task, now

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
        Those that exist.
    created : list of dict
        The request bodies of all created pools.
    finished : list of Task
        All tasks that have ended, also of deleted jobs.
    max_running : int
        The largest number of tasks that ran at the same time.
    exits : dict of str to str
        Display names (regular expressions) of tasks that end with exit code 1 instead of running, and their standard error.
    lose_node : str
        Display name (regular expression) of the task whose node is lost once, while it runs.
    unusable, start_task_fails : int
        How many nodes of a new pool are unusable, or fail in their start task.
    no_capacity : int
        How many times a pool gets no further node because Azure has none.
    resized : list of dict
        The request bodies of all resizes.
    deletion_seconds : float
        How long the deletion of a job takes, while its tasks continue.
    python : Path
        The interpreter of tasks; its folder is first on their PATH.
    quota : int
        The maximum number of nodes of a pool.
    """

    def __init__(self, folder: Path, python: Path):
        self.folder = folder
        self._python = python
        self.node_environment: dict[str, str] = {}
        self.lock = threading.RLock()
        self.stopped = False
        self.reset()

    def reset(self) -> None:
        self.python = self._python
        self.pools: dict[str, Pool] = {}
        self.jobs: dict[str, dict] = {}
        self.tasks: dict[str, dict[str, Task]] = {}
        self.created: list[dict] = []
        self.finished: list[Task] = []
        self.max_running = 0
        self.exits: dict[str, str] = {}
        self.lose_node = ""
        self.unusable = self.start_task_fails = 0
        self.quota = 20
        self.deletion_seconds = 0.0
        self.no_capacity = 0
        self.resized: list[dict] = []
        self.nodes_created = 0

    def stop(self) -> None:
        with self.lock:
            self.stopped = True
            for tasks in self.tasks.values():
                for task in tasks.values():
                    self._kill(task)

    def handle_arm(self, method: str, path: str, body: dict | None) -> tuple[int, dict]:
        """Handle a request to Azure Resource Manager."""
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
            # the formula is not evaluated, but it has to depend on pending tasks
            target = 1 if "$PendingTasks" in scale["autoScale"]["formula"] else 0
        else:
            fixed = scale["fixedScale"]
            target = fixed.get("targetDedicatedNodes", 0) + fixed.get("targetLowPriorityNodes", 0)
        slots = properties.get("taskSlotsPerNode", 1)
        if not self._allocate(pool, target, slots):
            return
        for node in pool.nodes[: self.unusable]:
            node.state = "unusable"
        for node in pool.nodes[: self.start_task_fails]:
            node.state, node.start_task_failed = "starttaskfailed", True

    def _allocate(self, pool: Pool, target: int, slots: int) -> bool:
        """Give a pool the nodes that it lacks; return whether there were any."""
        pool.changed, pool.resize_errors = now(), []
        if target > self.quota:
            pool.resize_errors = [QUOTA]
        elif self.no_capacity:
            self.no_capacity -= 1
            pool.resize_errors = [NO_CAPACITY]
        else:
            names = (f"tvm-{self.nodes_created + i}" for i in range(target - len(pool.nodes)))
            pool.nodes += [Node(name, slots) for name in names]
            self.nodes_created += target
        return not pool.resize_errors

    def handle_batch(self, method: str, path: str, body: dict | None) -> tuple[int, dict | bytes]:
        """Handle a request to the Batch account itself."""
        kind, *names = unquote(path).strip("/").split("/")
        handlers = {"jobs": self._handle_jobs, "pools": self._handle_pools}
        with self.lock:
            answer = handlers[kind](method, names, body) if kind in handlers else None
        if answer is None:
            raise RefusalError(404, "ResourceNotFound", f"the stand-in does not know {method} {path}")
        return answer

    def _handle_jobs(
        self, method: str, names: list[str], body: dict | None
    ) -> tuple[int, dict | bytes] | None:
        """Handle requests about jobs and their tasks; None for unknown ones."""
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
                return 200, {"value": [task.to_json() for task in self._tasks(job).values()]}
            case "GET", job, "tasks", task:
                return 200, self._task(job, task).to_json()
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

    def _handle_pools(
        self, method: str, names: list[str], body: dict | None
    ) -> tuple[int, dict | bytes] | None:
        """Handle requests about pools and their nodes; None for unknown ones."""
        match method, *names:
            case ("GET",):
                return 200, {"value": [{"id": name, "state": "active"} for name in self.pools]}
            case "HEAD" | "GET", pool:
                return 200, self._pool(pool).to_json(pool)
            case "POST", pool, "resize":
                self.resized.append(body)
                resized = self._pool(pool)
                slots = resized.body["properties"].get("taskSlotsPerNode", 1)
                self._allocate(resized, body["targetDedicatedNodes"] + body["targetLowPriorityNodes"], slots)
                self._dispatch()
                return 202, b""
            case "GET", pool, "nodes":
                return 200, {"value": [node.to_json() for node in self._pool(pool).nodes]}
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
        """Start active tasks on nodes with free slots."""
        for job, tasks in self.tasks.items():
            pool = self.pools.get(self.jobs[job]["poolInfo"]["poolId"])
            nodes = pool.nodes if pool and self.jobs[job].get("state") != "disabled" else []
            for task in tasks.values():
                free = (node for node in nodes if node.state == "idle" and node.slots >= task.slots)
                node = next(free, None)
                if task.state == "active" and node is not None and not self.stopped:
                    node.slots -= task.slots
                    self._start(task, node)
        running = [
            task for tasks in self.tasks.values() for task in tasks.values() if task.state == "running"
        ]
        self.max_running = max(self.max_running, len(running))

    def _start(self, task: Task, node: Node) -> None:
        task.state, task.node, task.started = "running", node.name, time.monotonic()
        name = task.body.get("displayName", "")
        command = shlex.split(task.body["commandLine"])
        for expression, text in self.exits.items():
            if re.search(expression, name):
                command = ["/bin/sh", "-c", f"echo {shlex.quote(text)} >&2; exit 1"]
        settings = {
            setting["name"]: setting["value"] for setting in task.body.get("environmentSettings") or []
        }
        # of the submitting process only PATH
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
        """Remove a node; Batch requeues its task."""
        with self.lock:
            process, task.process = task.process, None
            _kill_group(process)
            for pool in self.pools.values():
                if node in pool.nodes:
                    pool.nodes.remove(node)
            # processes of it that still write do so outside the folder of the next attempt
            (task.folder / "wd").rename(task.folder / f"wd-lost-{task.requeued}")
            (task.folder / "wd").mkdir()
            task.state, task.requeued = "active", task.requeued + 1
            self._dispatch()

    def _watch(self, task: Task, node: Node, process: subprocess.Popen) -> None:
        status = process.wait()
        with self.lock:
            # not if its node has been lost meanwhile
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
