"""Requests to Batch that are retried: how often, after which waits, and what counts as done."""

from types import SimpleNamespace

import pytest
from azure.core.exceptions import HttpResponseError

from snakemake_executor_plugin_azure.retries import add_task, delete_resource


def failing(*statuses):
    """A request that fails with these statuses, None for no answer, and then succeeds."""
    remaining = list(statuses)

    def request():
        if remaining:
            status = remaining.pop(0)
            error = TimeoutError("no answer") if status is None else HttpResponseError(f"status {status}")
            error.status_code = status
            raise error

    return request


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
        # Batch has accepted it without answering; without any answer the next poll shows it
        ((None, 409), [1], None), ((503, None, 409), [1, 2], None), ((None, None, None), [1, 2], None), ((503, 503, None), [1, 2], None),
        # another task has the name; refused; busy throughout
        ((409,), [], 409), ((403,), [], 403), ((404,), [], 404), ((None, 400), [1], 400), ((503, 503, 503), [1, 2], 503),
        ((None, None, 429), [1, 2], 429),
    ],
)  # fmt: skip
def test_a_task_is_added(waits, statuses, waited, raised):
    warnings = []
    if raised is None:
        add_task(failing(*statuses), warnings.append)
    else:
        with pytest.raises(HttpResponseError, match=f"^status {raised}$"):
            add_task(failing(*statuses), warnings.append)
    assert waits == waited
    reasons = [
        "TimeoutError: no answer." if status is None else f"HttpResponseError: status {status}."
        for status in statuses
    ]
    assert warnings == [
        f"A task could not be added, trying again: {reason}" for reason in reasons[: len(waited)]
    ]


@pytest.mark.parametrize(
    ("statuses", "waited", "reason", "renewed"),
    [
        ((), 0, None, 0), ((404,), 0, None, 0), ((409,), 0, None, 0), ((None, 409), 1, None, 0), ((503, 403), 2, None, 0),
        ((401,), 1, None, 1), ((401, 401, 401), 2, 401, 3), ((503, None, 403), 2, 403, 0), ((500, 500, 404), 2, None, 0),
    ],
)  # fmt: skip
def test_a_resource_is_deleted(waits, statuses, waited, reason, renewed):
    """At most three attempts, a second apart; a rejected token is renewed, also for the next deletion."""
    tokens = []
    error = delete_resource(failing(*statuses), lambda: tokens.append("token"))
    assert getattr(error, "status_code", None) == reason
    assert (waits, len(tokens)) == ([1] * waited, renewed)


def test_ctrl_c_is_not_retried(waits):
    def interrupted():
        raise KeyboardInterrupt

    for retried in (add_task, delete_resource):
        with pytest.raises(KeyboardInterrupt):
            retried(interrupted, list)
    assert waits == []
