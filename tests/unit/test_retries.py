"""Retries of requests to servers: how many, the waits between them, and their limits."""

import threading

import pytest

from stores_in_memory import refusal, without_waiting
from tigerbush.errors import MachineError, RemoteError, TigerbushError
from tigerbush.sources import retries
from tigerbush.sources.retries import close_unless_abandoned, request_with_retries, with_time_limit
from tigerbush.sources.web import BusyError


def failing(*errors):
    """A request that raises these errors, and then returns its number."""
    left = list(errors)

    def request():
        request.asked += 1
        if left:
            raise left.pop(0)
        return request.asked

    request.asked = 0
    return request


def passing(error):
    return RemoteError(f"sentence for {type(error).__name__}")


def test_waits_are_doubled(monkeypatch, caplog):
    waits = without_waiting(monkeypatch)
    request = failing(*[KeyError()] * 4)
    assert request_with_retries(request, passing) == 5
    assert waits == [0.5, 1.0, 2.0, 4.0]
    assert caplog.messages == [
        f"sentence for KeyError; retrying in {seconds} s (attempt {number} of 5)"
        for seconds, number in (("0.5", 2), ("1.0", 3), ("2.0", 4), ("4.0", 5))
    ]
    request = failing(*[KeyError()] * 5)
    with pytest.raises(RemoteError, match=r"^sentence for KeyError$") as error:
        request_with_retries(request, passing)
    assert (request.asked, len(waits), type(error.value.__cause__)) == (5, 8, KeyError)
    for tries in (1, 2):
        request = failing(*[KeyError()] * 9)
        with pytest.raises(RemoteError):
            request_with_retries(request, passing, tries)
        assert request.asked == tries


def test_jobs_do_not_retry_in_step(monkeypatch):
    """From a quarter earlier to a quarter later."""
    for number, seconds in ((0.0, [0.375, 0.75]), (1.0, [0.625, 1.25])):
        waits = without_waiting(monkeypatch)
        monkeypatch.setattr(retries.random, "random", lambda number=number: number)
        assert request_with_retries(failing(KeyError(), KeyError()), passing) == 3
        assert waits == seconds


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7), ("0", 0.5), ("1", 1), ("60", 60), ("61", 60), ("9" * 400, 60), ("0.7", 0.5), ("-5", 0.5), ("", 0.5),
        ("soon", 0.5), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.5), ("²", 0.5),
    ],
)  # fmt: skip
def test_a_server_may_state_the_wait(monkeypatch, asked, seconds):
    for error in (BusyError("x", {"retry-after": asked}), refusal(503, headers={"retry-after": asked})):
        waits = without_waiting(monkeypatch)
        assert request_with_retries(failing(error), passing) == 2
        assert waits == [seconds]


def test_responses_without_headers(monkeypatch):
    waits = without_waiting(monkeypatch)
    bare = refusal(503)
    bare.response.clear()
    other = KeyError()
    other.response, other.headers = "text", None
    assert request_with_retries(failing(bare, other), passing) == 3
    assert waits == [0.5, 1.0]


@pytest.mark.parametrize("error", [TigerbushError("x"), MachineError("x"), MemoryError(), ImportError()])
def test_permanent_errors_are_raised_unchanged(monkeypatch, error):
    request = failing(error)
    with pytest.raises(type(error)) as raised:
        request_with_retries(request, passing)
    assert (raised.value is error, request.asked) == (True, 1)


def test_a_permanent_error_is_raised_at_once(monkeypatch):
    waits, request, cause = without_waiting(monkeypatch), failing(KeyError("x")), KeyError
    with pytest.raises(TigerbushError, match=r"^stays$") as error:
        request_with_retries(request, lambda _: TigerbushError("stays"))
    assert (request.asked, waits, type(error.value.__cause__)) == (1, [], cause)


def test_a_step_returns_or_raises(monkeypatch):
    assert with_time_limit(lambda *arguments: arguments, 1, "b") == (1, "b")
    with pytest.raises(SystemExit):
        with_time_limit(failing(SystemExit()))
    with pytest.raises(StopIteration):
        with_time_limit(next, iter(()))


def test_a_step_has_a_time_limit(monkeypatch):
    monkeypatch.setattr(retries, "STEP_SECONDS", 0.05)
    ended = threading.Event()
    with pytest.raises(TimeoutError):
        with_time_limit(ended.wait)
    ended.set()


class Answer:
    closed = 0

    def close(self):
        self.closed += 1


def test_responses_are_closed(monkeypatch):
    """Except when their reader was abandoned, for which closing would wait."""
    for error, times in ((None, 1), (KeyError(), 1), (KeyboardInterrupt(), 1), (TimeoutError(), 0)):
        answer = Answer()
        if error is None:
            with close_unless_abandoned(answer):
                assert answer.closed == 0
        else:
            with pytest.raises(type(error)), close_unless_abandoned(answer):
                raise error
        assert answer.closed == times
