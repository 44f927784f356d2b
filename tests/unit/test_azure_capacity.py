"""When a pool is asked for its nodes again, what is said of nodes that do not work, and when a run ends: by the clock."""

from types import SimpleNamespace

import pytest
from azure.batch.models import (
    AllocationState,
    CloudPool,
    ComputeNode,
    ComputeNodeError,
    ComputeNodeState,
    ResizeError,
    StartTaskInformation,
)
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_azure import batch_errors
from snakemake_executor_plugin_azure.capacity import Capacity

MINUTE = 60
NONE_LEFT = ResizeError(code="AllocationTimedout", message="Nodes could not be allocated")
QUOTA = ResizeError(code="AccountCoreQuotaReached", message="The account has reached its quota")
SHORTAGE = (
    "The pool has not all of its 2 nodes. {} It is asked for them again after a minute, then after twice as long, up to "
    "10 minutes; without any node that works the run ends after 6 hours (azure-capacity-hours). Another VM size or region, "
    "or fewer nodes help{}."
)
KEPT = "What is finished is kept; start the run again to go on."


class Pool:
    """A pool and a run that looks at it every 20 s of a clock of its own."""

    def __init__(self, wanted=2, **values):
        self.now = 0
        self.capacity = Capacity(wanted, 6, clock=lambda: self.now, **values)
        self.said, self.asked = [], []

    def look(self, *states, errors=(), state=AllocationState.steady, changed=None):
        pool = CloudPool(resize_errors=list(errors))
        # which the service alone sets
        pool.allocation_state, pool.allocation_state_transition_time = state, changed
        nodes = [one if isinstance(one, ComputeNode) else node(one, i) for i, one in enumerate(states)]
        said, again = self.capacity.look(pool, nodes, lambda node: batch_errors.of_node(node, ""))
        self.said += [text for text in said if text not in self.said]
        if again:
            self.asked.append(self.now / MINUTE)

    def wait(self, minutes, *states, **values):
        for _ in range(int(minutes * 3)):
            self.now += 20
            self.look(*states, **values)


def node(state, number, *errors):
    return ComputeNode(
        id=f"n{number}",
        state=state,
        errors=[ComputeNodeError(code=code, message=text) for code, text in errors],
    )


def test_a_pool_without_nodes_is_asked_again_at_growing_intervals():
    pool = Pool()
    pool.look(errors=[NONE_LEFT])
    pool.wait(50, "idle", errors=[NONE_LEFT])
    assert pool.asked == [1, 3, 7, 15, 25, 35, 45]
    assert pool.said == [SHORTAGE.format("AllocationTimedout: Nodes could not be allocated.", "")]
    # once it had all of them, it begins again
    pool.look("idle", "running")
    pool.asked.clear()
    pool.wait(2, "idle", "preempted")
    assert [minute - 50 for minute in pool.asked] == [pytest.approx(4 / 3)]


def test_it_is_not_asked_while_it_changes():
    pool = Pool()
    pool.wait(9, "idle", state=AllocationState.resizing)
    assert (pool.asked, pool.said) == ([], [])


def test_spot_nodes_that_were_taken_away():
    pool = Pool(spot=True)
    pool.wait(4, "preempted", "preempted")
    assert pool.asked == [pytest.approx(4 / 3), pytest.approx(10 / 3)]
    [text] = pool.said
    assert text == SHORTAGE.format(
        "Azure has taken the others away, or never had them.",
        ", and so do ordinary instead of spot nodes (azure-spot: false)",
    )


def test_quota_for_some_of_the_nodes_only():
    """Those that worked and were taken away may come back."""
    pool = Pool(spot=True)
    pool.look("idle", errors=[QUOTA])
    pool.look("preempted", errors=[QUOTA])
    assert any("AccountCoreQuotaReached" in text for text in pool.said)


def test_an_old_error_of_a_kept_pool_does_not_count():
    """It is asked for nodes at once; what goes wrong then counts."""
    pool = Pool(kept=True)
    pool.look(errors=[QUOTA], changed=1)
    assert pool.asked == [0]
    with pytest.raises(WorkflowError) as raised:
        pool.look(errors=[QUOTA], changed=2)
    assert str(raised.value) == (
        "The pool has no node that works. AccountCoreQuotaReached: The account has reached its quota. "
        f"{batch_errors.QUOTA} {KEPT}"
    )


def test_an_old_error_where_batch_decides_on_nodes():
    pool = Pool(wanted=None, kept=True)
    pool.wait(9, errors=[QUOTA], changed=1)
    assert (pool.asked, pool.said) == ([], [])
    with pytest.raises(WorkflowError, match="AccountCoreQuotaReached"):
        pool.look(errors=[QUOTA], changed=2)


def test_quota_that_gives_some_nodes_is_told():
    pool = Pool()
    pool.wait(20, "running", errors=[QUOTA])
    assert pool.said == [
        SHORTAGE.format(
            f"AccountCoreQuotaReached: The account has reached its quota. {batch_errors.QUOTA}", ""
        )
    ]


def test_hours_without_a_node():
    pool = Pool()
    with pytest.raises(WorkflowError) as raised:
        pool.wait(361, "starting", errors=[NONE_LEFT])
    assert pool.now == 20 + 6 * 60 * MINUTE
    assert str(raised.value) == (
        "No node of the pool has worked for 6 hours (1 starting). AllocationTimedout: Nodes could not be allocated. "
        f"{KEPT}"
    )
    assert (
        "No node of the pool has worked for 10 minutes (1 starting); the run ends after 6 hours without one "
        "(azure-capacity-hours)."
    ) in pool.said


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (ComputeNodeState.unusable, "is unusable: no reason given; is the container image right?"),
        (ComputeNodeState.offline, "is offline: somebody has switched off that it gets tasks."),
        (ComputeNodeState.unknown, "is unknown: Batch has lost contact with it."),
    ],
)
def test_nodes_that_do_not_work_are_named_after_minutes(state, sentence):
    pool = Pool()
    pool.wait(5, "running", state)
    assert pool.said == []
    pool.wait(60, "running", state)
    assert pool.said == [f"Node n1 {sentence}"]
    assert pool.asked == []
    # one that comes back is waited for anew
    pool.wait(1, "running", "idle")
    pool.wait(5, state, "idle")
    assert len(pool.said) == 1


def test_when_no_node_works_the_run_ends_with_all_reasons():
    pool = Pool()
    full = node(ComputeNodeState.unusable, 0, ("DiskFull", "no space"))
    with pytest.raises(WorkflowError) as raised:
        pool.wait(9, full, "unknown")
    assert pool.now == 20 + 5 * MINUTE
    assert str(raised.value) == (
        "The pool has no node that works. Node n0 is unusable: DiskFull: no space. Node n1 is unknown: Batch has lost "
        f"contact with it. {KEPT}"
    )


def test_a_failed_start_task_is_no_matter_of_time():
    pool = Pool(wanted=1)
    failed = node(ComputeNodeState.start_task_failed, 0)
    failed.start_task_info = StartTaskInformation(
        state="completed",
        start_time=None,
        retry_count=0,
        result="failure",
        failure_info=SimpleNamespace(message="exit 7"),
    )
    with pytest.raises(WorkflowError, match=r"The start task failed on node n0: exit 7\."):
        pool.look(failed)
