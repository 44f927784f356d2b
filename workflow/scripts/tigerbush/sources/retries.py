"""Retries and time limits for requests to servers: every wait is logged, and none is unlimited."""

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import Protocol, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt

from tigerbush.errors import MachineError, RemoteError, TigerbushError

log = logging.getLogger(__name__)

# attempts for each request, and the wait after the first, which doubles after each further one
TRIES = 5
WAIT_SECONDS = 0.5
# the longest wait that a server may ask for (quotas are counted per minute)
MAX_WAIT_SECONDS = 60
# without receiving anything
TIMEOUT_SECONDS = 20
# until a response begins, and for each CHUNK of it: a server may also send single bytes for ever
STEP_SECONDS = 60
CHUNK = 2**20

Result = TypeVar("Result")


def with_time_limit(work: Callable[..., Result], *arguments: object) -> Result:
    """Call a function, for at most `STEP_SECONDS`, and return its result.

    Parameters
    ----------
    work : callable
        It is abandoned when the time is up, in a thread that does not keep the process alive.
    arguments : object
        Arguments of `work`.

    Raises
    ------
    TimeoutError
        When the time is up.
    Exception
        Whatever `work` raises.
    """
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(work(*arguments))
        except BaseException as error:  # raised again in the waiting thread
            result.set_exception(error)

    Thread(target=run, daemon=True).start()
    return result.result(STEP_SECONDS)


class Closable(Protocol):
    """A response that is being read."""

    def close(self) -> None:
        """Discard what has not been read."""


@contextmanager
def close_unless_abandoned(response: Closable) -> Iterator[None]:
    """Close a response at the end, except when `with_time_limit` abandoned its reader: closing would wait for it."""
    try:
        yield
    except TimeoutError:
        raise
    except BaseException:
        response.close()
        raise
    response.close()


def call_with_retries(
    request: Callable[[], Result],
    *,
    tries: int,
    wait: Callable[[BaseException, int], float],
    is_transient: Callable[[BaseException], bool],
    on_retry: Callable[[BaseException, float, int], None],
) -> Result:
    """Call `request`, retry it after transient errors, and return its result.

    Parameters
    ----------
    request : callable
    tries : int
        Maximum number of attempts.
    wait : callable
        Maps an error and the number of the failed attempt, from 1, to the seconds to wait.
    is_transient : callable
        Tells whether a retry may help after an error.
    on_retry : callable
        Called before each wait with the error, the seconds to wait, and the number of the next attempt.

    Raises
    ------
    Exception
        The error of the last attempt, or the first one that is not transient.
    """
    policy = Retrying(
        stop=stop_after_attempt(tries),
        wait=lambda state: wait(state.outcome.exception(), state.attempt_number),
        retry=retry_if_exception(is_transient),
        before_sleep=lambda state: on_retry(
            state.outcome.exception(), state.next_action.sleep, state.attempt_number + 1
        ),
        reraise=True,
    )
    return policy(request)


def request_with_retries(
    request: Callable[[], Result],
    explain: Callable[[Exception], TigerbushError | RemoteError],
    tries: int = TRIES,
) -> Result:
    """Call `request`, retry it after transient errors with exponential backoff, and return its result.

    Parameters
    ----------
    request : callable
    explain : callable
        Converts whatever the request raises to an exception for the user; a `RemoteError` is transient.
    tries : int
        Maximum number of attempts.

    Raises
    ------
    TigerbushError, RemoteError
        The explained error of the last attempt, or the first one that is not transient.
    """

    def explained_request() -> Result:
        try:
            return request()
        except (TigerbushError, MachineError, MemoryError, ImportError):
            raise
        except Exception as error:  # whatever a server, a parser or a library raises
            raise explain(error) from error

    def log_retry(error: BaseException, seconds: float, attempt: int) -> None:
        log.warning("%s; retrying in %.1f s (attempt %d of %d)", error, seconds, attempt, tries)

    return call_with_retries(
        explained_request,
        tries=tries,
        wait=_wait_seconds,
        is_transient=lambda error: isinstance(error, RemoteError),
        on_retry=log_retry,
    )


def _wait_seconds(error: BaseException, attempt: int) -> float:
    """Return the seconds to wait: doubled after each attempt, with jitter so that jobs do not retry in step."""
    # S311: the jitter need not be unpredictable
    wait = WAIT_SECONDS * 2 ** (attempt - 1) * (0.75 + random.random() / 2)  # noqa: S311
    retry_after = str(_headers(error.__cause__).get("retry-after", ""))
    return min(max(wait, int(retry_after[:9])), MAX_WAIT_SECONDS) if retry_after.isdecimal() else wait


def _headers(error: BaseException | None) -> Mapping[str, str]:
    """Return the headers of the response that caused an error of botocore or of a web server."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return getattr(error, "headers", None) or {}
