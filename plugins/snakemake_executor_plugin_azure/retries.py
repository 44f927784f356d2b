"""Requests to Batch that are retried: the only place that says how often, and after which waits."""

from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_fixed,
    wait_incrementing,
)

from snakemake_executor_plugin_azure.batch_errors import describe_error, http_status

# to add a task, when Batch does not answer or is busy
ADD_ATTEMPTS = 3
# to delete something at the end of a run, when that is refused or not answered
DELETE_ATTEMPTS = 3
# of something to be deleted: it does not exist, or is being deleted
GONE = {404, 409}


def add_task(request: Callable[[], None], warn: Callable[[str], None]) -> None:
    """Add a task, which Batch may have accepted without having answered.

    Parameters
    ----------
    request : callable
        Sends the request.
    warn : callable
        Receives a sentence before each retry.

    Raises
    ------
    Exception
        When the task is refused, or Batch stays busy.
    """

    def warn_before_retry(state: RetryCallState) -> None:
        warn(f"A task could not be added, trying again: {describe_error(state.outcome.exception())}")

    policy = Retrying(
        stop=stop_after_attempt(ADD_ATTEMPTS),
        wait=wait_incrementing(start=1, increment=1),
        retry=retry_if_exception(_is_transient),
        before_sleep=warn_before_retry,
        reraise=True,
    )
    try:
        policy(request)
    except Exception as error:
        status = http_status(error)
        # 409: an earlier attempt has added it
        added = status == 409 and policy.statistics["attempt_number"] > 1
        # without an answer the next poll shows whether Batch has it
        if not added and status is not None:
            raise


def delete_resource(request: Callable[[], None], renew_token: Callable[[], None]) -> Exception | None:
    """Delete a job or a pool.

    Parameters
    ----------
    request : callable
        Sends the request.
    renew_token : callable
        Called when the token is rejected.

    Returns
    -------
    Exception or None
        Why it could not be deleted, if it could not.
    """

    def attempt() -> None:
        try:
            request()
        except Exception as error:
            if http_status(error) == 401:
                renew_token()
            raise

    policy = Retrying(
        stop=stop_after_attempt(DELETE_ATTEMPTS),
        wait=wait_fixed(1),
        retry=retry_if_exception(_still_exists),
        reraise=True,
    )
    try:
        policy(attempt)
    except Exception as error:
        return error if _still_exists(error) else None
    return None


def _is_transient(error: BaseException) -> bool:
    """Whether Batch did not answer, or is busy."""
    if not isinstance(error, Exception):
        return False
    status = http_status(error)
    return status is None or status == 429 or status >= 500


def _still_exists(error: BaseException) -> bool:
    return isinstance(error, Exception) and http_status(error) not in GONE
