"""Waiting for servers: every wait has an end, and is told."""

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

# Requests for one thing, and the wait after the first; it doubles from one to the next.
TRIES = 5
WAIT_SECONDS = 0.5
# the longest wait that a server may ask for (quotas are counted by the minute)
LONGEST_WAIT_SECONDS = 60
# without a word from the other side
TIMEOUT_SECONDS = 20
# until an answer begins, and for each CHUNK of it: a server may also speak for ever, byte by byte
STEP_SECONDS = 60
CHUNK = 2**20

Result = TypeVar("Result")


def with_time_limit(work: Callable[..., Result], *arguments: object) -> Result:
    """Return what some work gives, if it ends within `STEP_SECONDS`.

    Parameters
    ----------
    work : callable
        It is left behind when its time is up, and then holds nothing up.
    arguments : object
        Of it.

    Raises
    ------
    TimeoutError
        When its time is up.
    Exception
        Whatever the work raises.
    """
    answer: Future[Result] = Future()

    def run() -> None:
        try:
            answer.set_result(work(*arguments))
        except BaseException as error:  # raised again where it is waited for
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    return answer.result(STEP_SECONDS)


class Closable(Protocol):
    """An answer that is read."""

    def close(self) -> None:
        """Give up what is not read."""


@contextmanager
def closed(answer: Closable) -> Iterator[None]:
    """Close an answer at the end, unless a reader of `with_time_limit` was left behind, whom closing would wait for."""
    try:
        yield
    except TimeoutError:
        raise
    except BaseException:
        answer.close()
        raise
    answer.close()


def call_with_retries(
    request: Callable[[], Result],
    *,
    tries: int,
    wait: Callable[[BaseException, int], float],
    may_pass: Callable[[BaseException], bool],
    tell: Callable[[BaseException, float, int], None],
) -> Result:
    """Return what a request gives; trouble that may pass is told and waited for, and the request repeated.

    Parameters
    ----------
    request : callable
    tries : int
        Requests at most.
    wait : callable
        Gives the seconds after an error of the first, second, ... try.
    may_pass : callable
        Tells whether another try may help after an error.
    tell : callable
        Gets the error, the seconds to wait, and the number of the try that follows.

    Raises
    ------
    Exception
        That of the last try, or of one that no other would mend.
    """
    policy = Retrying(
        stop=stop_after_attempt(tries),
        wait=lambda state: wait(state.outcome.exception(), state.attempt_number),
        retry=retry_if_exception(may_pass),
        before_sleep=lambda state: tell(
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
    """Return what a request gives; trouble that may pass is told and waited for, longer from time to time.

    Parameters
    ----------
    request : callable
    explain : callable
        Gives the sentence for whatever the request raises; another try may help when it is a `RemoteError`.
    tries : int

    Raises
    ------
    TigerbushError, RemoteError
        The sentence for the last trouble, or for what no other try would mend.
    """

    def in_words() -> Result:
        try:
            return request()
        except (TigerbushError, MachineError, MemoryError, ImportError):
            raise
        except Exception as error:  # whatever a server, a parser or a library comes up with
            raise explain(error) from error

    def tell(trouble: BaseException, seconds: float, number: int) -> None:
        log.warning("%s; asked again in %.1f s (%d of %d)", trouble, seconds, number, tries)

    return call_with_retries(
        in_words,
        tries=tries,
        wait=_wait,
        may_pass=lambda trouble: isinstance(trouble, RemoteError),
        tell=tell,
    )


def _wait(trouble: BaseException, attempt: int) -> float:
    """Return the seconds to wait: doubled each time, with a jitter so that jobs do not come back together."""
    # S311: no secret is made of it
    wait = WAIT_SECONDS * 2 ** (attempt - 1) * (0.75 + random.random() / 2)  # noqa: S311
    asked = str(_headers(trouble.__cause__).get("retry-after", ""))
    return min(max(wait, int(asked[:9])), LONGEST_WAIT_SECONDS) if asked.isdecimal() else wait


def _headers(error: BaseException | None) -> Mapping[str, str]:
    """Return the headers of the answer that an error tells of, as botocore or a web server has them."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        return response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return getattr(error, "headers", None) or {}
