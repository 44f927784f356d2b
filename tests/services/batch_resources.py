"""Nodes, tasks and pools of the stand-in of a Batch account, and how Batch describes them."""

import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path


class RefusalError(Exception):
    """A response that is an error."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code = status, code

    def body(self, arm: bool) -> dict:
        if arm:
            return {"error": {"code": self.code, "message": str(self)}}
        return {"code": self.code, "message": {"lang": "en-US", "value": str(self)}}


@dataclass
class Node:
    """A virtual machine of a pool."""

    name: str
    slots: int
    state: str = "idle"
    start_task_failed: bool = False

    def to_json(self) -> dict:
        node = {"id": self.name, "state": self.state, "errors": []}
        if self.state == "unusable":
            node["errors"] = [{"code": "DiskFull", "message": "There is not enough disk space on the node"}]
        if self.start_task_failed:
            failure = {"category": "userError", "code": "FailureExitCode", "message": "exit code 7"}
            node["startTaskInfo"] = {
                "state": "completed", "result": "failure", "failureInfo": failure, "exitCode": 7,
                "startTime": now(), "retryCount": 0,
            }  # fmt: skip
        return node


@dataclass
class Task:
    """A task of a job, as it was posted, and its execution."""

    body: dict
    folder: Path
    state: str = "active"
    exit_code: int | None = None
    requeued: int = 0
    process: subprocess.Popen | None = None
    node: str = ""
    started: float = 0.0
    ended: float = 0.0

    @property
    def slots(self) -> int:
        return self.body.get("requiredSlots") or 1

    def to_json(self) -> dict:
        information = {"retryCount": 0, "requeueCount": self.requeued}
        if self.state == "completed":
            information |= {"exitCode": self.exit_code, "result": "failure" if self.exit_code else "success"}
        if self.exit_code:
            information["failureInfo"] = {
                "category": "userError", "code": "FailureExitCode", "details": [],
                "message": "The task exited with an exit code representing a failure",
            }  # fmt: skip
        return {
            "id": self.body["id"],
            "displayName": self.body.get("displayName"),
            "state": self.state,
            "creationTime": now(),
            "executionInfo": information,
        }


@dataclass
class Pool:
    """A pool, as it was requested from ARM."""

    body: dict
    nodes: list[Node] = field(default_factory=list)
    resize_errors: list[dict] = field(default_factory=list)
    changed: str = "2026-01-01T00:00:00Z"

    def to_json(self, name: str) -> dict:
        return {
            "id": name, "state": "active", "resizeErrors": self.resize_errors, "allocationState": "steady",
            "allocationStateTransitionTime": self.changed, "currentDedicatedNodes": len(self.nodes),
        }  # fmt: skip


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
