"""Errors of Azure Batch as sentences for the user: what went wrong, and what to do."""

import re
from collections.abc import Callable, Iterable

from azure.batch.models import (
    BatchErrorException,
    CloudTask,
    ComputeNode,
    ComputeNodeState,
    TaskExecutionResult,
)
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

LOGIN = "Run 'az login', or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."
QUOTA = (
    "Request more quota in the portal (Batch account, Quotas), or set fewer nodes or a smaller VM size in "
    "profiles/azure/config.yaml."
)
ROLE = "Assign the caller the role Contributor on the Batch account (docs/azure.md)."
ADVICE = {
    "AccountCoreQuotaReached": QUOTA,
    "AccountLowPriorityCoreQuotaReached": QUOTA,
    "AccountVMSeriesCoreQuotaReached": QUOTA,
    "PoolQuotaReached": QUOTA,
    "ActiveJobAndScheduleQuotaReached": "Delete old jobs in the Batch account, or request more quota.",
    "AuthorizationFailed": ROLE,
    "PermissionDenied": ROLE,
    "AuthenticationFailed": LOGIN,
    "InvalidAuthenticationToken": LOGIN,
    "ExpiredAuthenticationToken": LOGIN,
}
QUOTAS = {code for code, advice in ADVICE.items() if advice is QUOTA}
_DOWN = {
    ComputeNodeState.unusable,
    ComputeNodeState.start_task_failed,
    ComputeNodeState.offline,
    ComputeNodeState.unknown,
}
_DEFAULT_REASONS = {
    ComputeNodeState.unusable: "no reason given; check the container image",
    ComputeNodeState.offline: "task scheduling has been disabled on it",
    ComputeNodeState.unknown: "Batch has lost contact with it",
}


# what requests reports for a host name that does not resolve, directly or behind a proxy
_UNKNOWN_HOST = re.compile(
    r"host='([\w.-]+)'.*(?:resolve|Name or service not known|getaddrinfo|Tunnel connection failed: 50[0-4])",
    re.DOTALL,
)


def http_status(error: Exception) -> int | None:
    """Return the HTTP status of the response, or None when there was none."""
    if isinstance(error, BatchErrorException):
        return error.response.status_code
    if isinstance(error, HttpResponseError):
        return error.status_code
    return None


def describe_error(error: Exception) -> str:
    """Describe an exception of the SDK in one line that ends with a full stop."""
    if isinstance(error, ClientAuthenticationError) and http_status(error) is None:
        return f"{_one_line(_login_failure(str(error)))} {LOGIN}"
    code, message = _code_and_message(error)
    if code is None and (host := _UNKNOWN_HOST.search(message)):
        return (
            f"the host {host[1]} cannot be resolved: check batch_account and region in config/azure.yaml, and the "
            "network."
        )
    if code is None:
        return _one_line(f"{type(error).__name__}: {message}")
    return _with_advice(code, message)


def _code_and_message(error: Exception) -> tuple[str | None, str]:
    if isinstance(error, BatchErrorException) and getattr(error.error, "code", None):
        message = getattr(error.error.message, "value", None) or ""
        return error.error.code, message
    if isinstance(error, HttpResponseError) and getattr(error.error, "code", None):
        return error.error.code, error.error.message or ""
    return None, str(error)


def _with_advice(code: str, message: str) -> str:
    return " ".join([_one_line(f"{code}: {message}"), *([ADVICE[code]] if code in ADVICE else [])])


def _login_failure(text: str) -> str:
    """Return the message of Entra, if there is one, among those of a chain of credentials."""
    match = re.search(r"AADSTS\d+: [^\n]*", text)
    return match[0] if match else "not logged in"


def _one_line(text: str) -> str:
    # Batch appends the request's ID and time on further lines
    first = " ".join(text.partition("\nRequestId")[0].split())[:400]
    return first if first.endswith("?") else first.rstrip(".") + "."


def deletion_failed(kind: str, name: str, account: str, error: Exception) -> str:
    """Say that a job or a pool could not be deleted, and give the command that deletes it."""
    command = _delete_command(kind, name, account)
    return f"The {kind} {name} could not be deleted and may cost money: {describe_error(error)} Delete it: {command}"


def left_in_place(kind: str, name: str, account: str) -> str:
    """Say that a job or a pool is not deleted because another run may use it, and how to delete it."""
    return (
        f"The {kind} {name} of an earlier run is left in place and may cost money: this run may no longer hold the "
        f"lease on its results. If no other run uses the {kind}, delete it: {_delete_command(kind, name, account)}"
    )


def gone_with_lease(job: str) -> str:
    """Say that the job or its pool is gone although this run holds the lease."""
    return (
        f"The Batch job {job} or its pool has been deleted from outside this run. This run holds the lease on its "
        "results, so no other run uses what is left of the two: it deletes that and ends. Finished results are kept; "
        "start the run again to continue."
    )


def gone_without_lease(job: str, pool: str, account: str) -> str:
    """Say that the job or its pool is gone, perhaps because of another run, and how to delete what is left."""
    return (
        f"The Batch job {job} or its pool is gone: another run of the same name has taken over, or somebody has "
        "deleted it. This run ends and deletes nothing; finished results are kept. Whatever no other run uses costs "
        f"money until it is deleted: {_delete_command('pool', pool, account)}; {_delete_command('job', job, account)}"
    )


def _delete_command(kind: str, name: str, account: str) -> str:
    return f"az batch {kind} delete --{kind}-id {name} --account-name {account}"


def is_down(node: ComputeNode) -> bool:
    """Whether a node runs no tasks and is unlikely to recover."""
    return node.state in _DOWN or start_task_failed(node)


def start_task_failed(node: ComputeNode) -> bool:
    """Whether the start task of a node has failed, so that it will never run a task."""
    started = node.start_task_info
    failed = started is not None and started.result == TaskExecutionResult.failure
    return failed or node.state == ComputeNodeState.start_task_failed


def describe_resize_error(error: object) -> str:
    """Say why a pool did not get its nodes."""
    return _with_advice(error.code, error.message)


def describe_node(node: ComputeNode, output: str) -> str:
    """Say why a node does not work; `output` is the end of what its start task printed."""
    if start_task_failed(node):
        failure = node.start_task_info and node.start_task_info.failure_info
        text = failure.message if failure else "no reason given"
        return f"The start task failed on node {node.id}: {_one_line(text)} {output}".rstrip()
    errors = "; ".join(f"{error.code}: {error.message}" for error in node.errors or [])
    state = getattr(node.state, "value", node.state)
    reason = errors or _DEFAULT_REASONS.get(node.state, "no reason given")
    return f"Node {node.id} is {state}: {_one_line(reason)}"


def describe_task(task: CloudTask) -> str:
    """Say how a task ended; its output follows."""
    execution = task.execution_info
    code = "" if execution.exit_code is None else f" (exit code {execution.exit_code})"
    failure = execution.failure_info
    details = "".join(f" {detail.name}: {detail.value}." for detail in (failure and failure.details) or [])
    text = _one_line(failure.message if failure else "The task failed")
    return f"{text}{code}{details} The end of its standard error:"


def last_lines(fetch: Callable[[], Iterable[bytes]], count: int = 10) -> str:
    """Return the last lines of a file on a node; a file that cannot be read raises no further error."""
    try:
        content = b"".join(fetch())
    except Exception as error:
        return f"(its output cannot be read: {describe_error(error)})"
    return "\n".join(content.decode("utf-8", "replace").splitlines()[-count:])
