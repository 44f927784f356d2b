"""Requests to Batch that are repeated when they fail; how often and after which waits is here alone."""

from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_fixed,
    wait_incrementing,
)

from snakemake_executor_plugin_azure import batch_errors

# of adding a task, when Batch does not answer or is busy
ADD_TRIES = 3
# at the end of a run, when a deletion is refused or not answered
DELETE_TRIES = 3
# of what is deleted: it is not there, or on its way
GONE = {404, 409}


def add(ask: Callable[[], None], warn: Callable[[str], None]) -> None:
    """Add a task, which Batch may have without having answered.

    Parameters
    ----------
    ask : callable
        The request.
    warn : callable
        Gets a sentence before a try is repeated.

    Raises
    ------
    Exception
        When the task is refused, or Batch stays busy.
    """

    def tell(state: RetryCallState) -> None:
        warn(f"A task cannot be added, trying again: {batch_errors.sentence(state.outcome.exception())}")

    policy = Retrying(
        stop=stop_after_attempt(ADD_TRIES),
        wait=wait_incrementing(start=1, increment=1),
        retry=retry_if_exception(_may_pass),
        before_sleep=tell,
        reraise=True,
    )
    try:
        policy(ask)
    except Exception as error:
        status = batch_errors.status_of(error)
        # 409: an earlier try has reached it
        reached = status == 409 and policy.statistics["attempt_number"] > 1
        # without an answer the next poll tells whether it is there
        if not reached and status is not None:
            raise


def delete(ask: Callable[[], None], renew_token: Callable[[], None]) -> Exception | None:
    """Delete something.

    Parameters
    ----------
    ask : callable
        The request.
    renew_token : callable
        Called when the token is refused.

    Returns
    -------
    Exception or None
        Why it is still there, if it is.
    """

    def ask_once() -> None:
        try:
            ask()
        except Exception as error:
            if batch_errors.status_of(error) == 401:
                renew_token()
            raise

    policy = Retrying(
        stop=stop_after_attempt(DELETE_TRIES),
        wait=wait_fixed(1),
        retry=retry_if_exception(_is_still_there),
        reraise=True,
    )
    try:
        policy(ask_once)
    except Exception as error:
        return error if _is_still_there(error) else None
    return None


def _may_pass(error: BaseException) -> bool:
    """Whether Batch did not answer, or is busy."""
    if not isinstance(error, Exception):
        return False
    status = batch_errors.status_of(error)
    return status is None or status == 429 or status >= 500


def _is_still_there(error: BaseException) -> bool:
    return isinstance(error, Exception) and batch_errors.status_of(error) not in GONE
