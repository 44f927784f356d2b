"""The tasks of a run in Azure Batch."""

import re
from collections.abc import Iterator

import requests

from tigerbush.cli.doctor.azure import BATCH, BATCH_VERSION, POOL_PREFIX
from tigerbush.errors import TigerbushError
from tigerbush.runs.queue_slurm import QueueJob

SECONDS = 20
_STATES = {"active": "waiting", "preparing": "running", "running": "running"}


def azure_queue(profile: dict) -> list[QueueJob]:
    """Return the tasks of the run that a profile names; failed ones with the reason.

    Parameters
    ----------
    profile : dict
        `azure-account-url` and `default-storage-prefix`, which ends with the name of the run.

    Raises
    ------
    TigerbushError
        When Batch cannot be queried.
    """
    # slow to import, and only needed here
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential

    try:
        token = DefaultAzureCredential(process_timeout=SECONDS).get_token(BATCH).token
    except AzureError as error:
        raise TigerbushError(
            f"Batch cannot be queried ({str(error).split('.')[0]}); run 'az login'."
        ) from None
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    url = profile["azure-account-url"]
    run = re.escape(str(profile["default-storage-prefix"]).rstrip("/").rpartition("/")[2])
    name = re.compile(rf"{POOL_PREFIX}{run}-\d{{8}}T\d{{6}}")
    jobs = [job["id"] for job in _pages(session, f"{url}/jobs") if name.fullmatch(job["id"])]
    return [
        _task(session, f"{url}/jobs/{job}", task)
        for job in jobs
        for task in _pages(session, f"{url}/jobs/{job}/tasks")
    ]


def _pages(session: requests.Session, url: str) -> Iterator[dict]:
    parameters = {"api-version": BATCH_VERSION}
    while url:
        page = _get(session, url, parameters).json()
        yield from page["value"]
        # the next link contains all parameters
        url, parameters = page.get("odata.nextLink"), None


def _get(session: requests.Session, url: str, parameters: dict | None) -> requests.Response:
    try:
        answer = session.get(url, params=parameters, timeout=SECONDS)
        answer.raise_for_status()
    except requests.RequestException as error:
        status = getattr(error.response, "status_code", None)
        reason = f"it answers {status}" if status else "it cannot be reached"
        raise TigerbushError(
            f"Batch cannot be queried: {reason}; try again, or run ./tigerbush doctor."
        ) from None
    return answer


def _task(session: requests.Session, job: str, task: dict) -> QueueJob:
    execution = task.get("executionInfo", {})
    place = task.get("nodeInfo", {}).get("nodeId", "")
    state = _STATES.get(task["state"])
    if state is None:
        state = "succeeded" if execution.get("result") == "success" else "failed"
    if state == "failed":
        place = _last_error_line(session, f"{job}/tasks/{task['id']}/files/stderr.txt") or place
    return QueueJob(task["id"], state, task.get("displayName", ""), place)


def _last_error_line(session: requests.Session, url: str) -> str:
    """Return the last line of a task's standard error; an empty text when its node is gone."""
    try:
        text = _get(session, url, {"api-version": BATCH_VERSION}).text
    except TigerbushError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
