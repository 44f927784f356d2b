"""Requests to Batch that are repeated: how often, after which waits, and what counts as done."""

from types import SimpleNamespace

import pytest
from azure.core.exceptions import HttpResponseError

from snakemake_executor_plugin_azure import retries


def answering(*statuses):
    """A request that fails with these, None where there is no answer, and then succeeds."""
    left = list(statuses)

    def ask():
        if left:
            status = left.pop(0)
            error = TimeoutError("no answer") if status is None else HttpResponseError(f"status {status}")
            error.status_code = status
            raise error

    return ask


@pytest.fixture
def waits(monkeypatch):
    seconds = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=seconds.append))
    return seconds


@pytest.mark.parametrize(
    ("statuses", "waited", "raised"),
    [
        ((), [], None),
        ((None,), [1], None), ((429, 503), [1, 2], None), ((500,), [1], None),
        # Batch has it, without having said so; without an answer the next poll tells
        ((None, 409), [1], None), ((503, None, 409), [1, 2], None), ((None, None, None), [1, 2], None), ((503, 503, None), [1, 2], None),
        # another task has the name; refused; busy for ever
        ((409,), [], 409), ((403,), [], 403), ((404,), [], 404), ((None, 400), [1], 400), ((503, 503, 503), [1, 2], 503),
        ((None, None, 429), [1, 2], 429),
    ],
)  # fmt: skip
def test_a_task_is_added(waits, statuses, waited, raised):
    said = []
    if raised is None:
        retries.add(answering(*statuses), said.append)
    else:
        with pytest.raises(HttpResponseError, match=f"^status {raised}$"):
            retries.add(answering(*statuses), said.append)
    assert waits == waited
    reasons = [
        "TimeoutError: no answer." if one is None else f"HttpResponseError: status {one}." for one in statuses
    ]
    assert said == [f"A task cannot be added, trying again: {reason}" for reason in reasons[: len(waited)]]


@pytest.mark.parametrize(
    ("statuses", "waited", "left", "renewed"),
    [
        ((), 0, None, 0), ((404,), 0, None, 0), ((409,), 0, None, 0), ((None, 409), 1, None, 0), ((503, 403), 2, None, 0),
        ((401,), 1, None, 1), ((401, 401, 401), 2, 401, 3), ((503, None, 403), 2, 403, 0), ((500, 500, 404), 2, None, 0),
    ],
)  # fmt: skip
def test_something_is_deleted(waits, statuses, waited, left, renewed):
    """At most three tries, a second apart; a token that is refused is renewed, also for what is deleted next."""
    asked = []
    error = retries.delete(answering(*statuses), lambda: asked.append("token"))
    assert getattr(error, "status_code", None) == left
    assert (waits, len(asked)) == ([1] * waited, renewed)


def test_ctrl_c_is_not_repeated(waits):
    def ask():
        raise KeyboardInterrupt

    for repeated in (retries.add, retries.delete):
        with pytest.raises(KeyboardInterrupt):
            repeated(ask, list)
    assert waits == []
