"""What went wrong at Azure, in a sentence, and what to do."""

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
    "Ask for more quota in the portal (Batch account, Quotas), or set fewer nodes or a smaller VM in "
    "profiles/azure/config.yaml."
)
ROLE = "Give the caller the role Contributor on the Batch account (docs/azure.md)."
ADVICE = {
    "AccountCoreQuotaReached": QUOTA,
    "AccountLowPriorityCoreQuotaReached": QUOTA,
    "AccountVMSeriesCoreQuotaReached": QUOTA,
    "PoolQuotaReached": QUOTA,
    "ActiveJobAndScheduleQuotaReached": "Delete old jobs of the Batch account, or ask for more quota.",
    "AuthorizationFailed": ROLE,
    "PermissionDenied": ROLE,
    "AuthenticationFailed": LOGIN,
    "InvalidAuthenticationToken": LOGIN,
    "ExpiredAuthenticationToken": LOGIN,
}
QUOTAS = {code for code, advice in ADVICE.items() if advice is QUOTA}
_USELESS = {
    ComputeNodeState.unusable,
    ComputeNodeState.start_task_failed,
    ComputeNodeState.offline,
    ComputeNodeState.unknown,
}
_WHY = {
    ComputeNodeState.unusable: "no reason given; is the container image right?",
    ComputeNodeState.offline: "somebody has switched off that it gets tasks",
    ComputeNodeState.unknown: "Batch has lost contact with it",
}


# what requests says of a host without an address, by itself or by a proxy
_UNKNOWN_HOST = re.compile(
    r"host='([\w.-]+)'.*(?:resolve|Name or service not known|getaddrinfo|Tunnel connection failed: 50[0-4])",
    re.DOTALL,
)


def status_of(error: Exception) -> int | None:
    """Return the HTTP status of an answer, or None when there was none."""
    if isinstance(error, BatchErrorException):
        return error.response.status_code
    if isinstance(error, HttpResponseError):
        return error.status_code
    return None


def sentence(error: Exception) -> str:
    """Say what an SDK's exception means, in one line that ends in a full stop."""
    if isinstance(error, ClientAuthenticationError) and status_of(error) is None:
        return f"{_line(_reason(str(error)))} {LOGIN}"
    code, message = _code(error)
    if code is None and (host := _UNKNOWN_HOST.search(message)):
        return f"the host {host[1]} is not known: check batch_account and region in config/azure.yaml, and the network."
    if code is None:
        return _line(f"{type(error).__name__}: {message}")
    return " ".join([_line(f"{code}: {message}"), *([ADVICE[code]] if code in ADVICE else [])])


def _code(error: Exception) -> tuple[str | None, str]:
    if isinstance(error, BatchErrorException) and getattr(error.error, "code", None):
        message = getattr(error.error.message, "value", None) or ""
        return error.error.code, message
    if isinstance(error, HttpResponseError) and getattr(error.error, "code", None):
        return error.error.code, error.error.message or ""
    return None, str(error)


def _reason(text: str) -> str:
    """Choose the answer of Entra, if there is one, from what a chain of credentials says."""
    found = re.search(r"AADSTS\d+: [^\n]*", text)
    return found[0] if found else "nobody is logged in"


def _line(text: str) -> str:
    # Batch adds the request's id and time in further lines
    first = " ".join(text.partition("\nRequestId")[0].split())[:400]
    return first if first.endswith("?") else first.rstrip(".") + "."


def left(kind: str, name: str, account: str, error: Exception) -> str:
    """Say that a job or a pool could not be deleted, and how to do it by hand."""
    by_hand = _by_hand(kind, name, account)
    return f"The {kind} {name} could not be deleted and may cost money: {sentence(error)} {by_hand}"


def stays(kind: str, name: str, account: str) -> str:
    """Say that a job or a pool is left alone, because another run may have the results, and what to do with it."""
    return (
        f"The {kind} {name} of an earlier run stays, and may cost money: whether this run still has its results is not "
        f"known. {_by_hand(kind, name, account)}"
    )


def deleted(job: str) -> str:
    """Say that a job or its pool is gone though this run has the results."""
    return (
        f"The Batch job {job} or its pool is gone: somebody has deleted it. No other run has the results, so that this "
        "one deletes what is left of the two, and ends; what is finished is kept; start it again to go on."
    )


def ended(job: str, pool: str, account: str) -> str:
    """Say that a job or its pool is gone, maybe by another run, and how to delete what is left by hand."""
    return (
        f"The Batch job {job} or its pool is gone: another run of the name has ended it, or somebody has deleted it. "
        "This run ends and deletes nothing; what is finished is kept. What no other run works with costs money until "
        f"it is deleted: az batch pool delete --pool-id {pool} --account-name {account}; az batch job delete --job-id "
        f"{job} --account-name {account}"
    )


def _by_hand(kind: str, name: str, account: str) -> str:
    return f"Delete it: az batch {kind} delete --{kind}-id {name} --account-name {account}"


def is_useless(node: ComputeNode) -> bool:
    """Whether a node runs no task, and will hardly run one later."""
    return node.state in _USELESS or has_failed(node)


def has_failed(node: ComputeNode) -> bool:
    """Whether a node will run no task for certain: its start task has failed."""
    started = node.start_task_info
    failed = started is not None and started.result == TaskExecutionResult.failure
    return failed or node.state == ComputeNodeState.start_task_failed


def of_pool(error: object) -> str:
    """Say why a pool did not get its nodes."""
    return " ".join(
        [_line(f"{error.code}: {error.message}"), *([ADVICE[error.code]] if error.code in ADVICE else [])]
    )


def of_node(node: ComputeNode, output: str) -> str:
    """Say why a node does not work."""
    if has_failed(node):
        failure = node.start_task_info and node.start_task_info.failure_info
        text = failure.message if failure else "no reason given"
        return f"The start task failed on node {node.id}: {_line(text)} {output}".rstrip()
    errors = "; ".join(f"{error.code}: {error.message}" for error in node.errors or [])
    state = getattr(node.state, "value", node.state)
    return f"Node {node.id} is {state}: {_line(errors or _WHY.get(node.state, 'no reason given'))}"


def of_task(task: CloudTask) -> str:
    """Say how a task ended."""
    ended = task.execution_info
    code = "" if ended.exit_code is None else f" (exit code {ended.exit_code})"
    failure = ended.failure_info
    details = "".join(f" {detail.name}: {detail.value}." for detail in (failure and failure.details) or [])
    return (
        f"{_line(failure.message if failure else 'The task failed')}{code}{details} The end of what it wrote:"
    )


def tail(fetch: Callable[[], Iterable[bytes]], lines: int = 10) -> str:
    """Return the last lines of a file of a node; what cannot be read is not worth another error."""
    try:
        content = b"".join(fetch())
    except Exception as error:
        return f"(its output cannot be read: {sentence(error)})"
    return "\n".join(content.decode("utf-8", "replace").splitlines()[-lines:])
