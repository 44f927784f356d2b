"""When a pool is resized again, what is reported of nodes that do not work, and when a run ends, by a simulated clock."""

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

from snakemake_executor_plugin_azure.batch_errors import QUOTA as QUOTA_ADVICE
from snakemake_executor_plugin_azure.batch_errors import describe_node
from snakemake_executor_plugin_azure.capacity import Capacity

MINUTE = 60
NO_CAPACITY = ResizeError(code="AllocationTimedout", message="Nodes could not be allocated")
QUOTA = ResizeError(code="AccountCoreQuotaReached", message="The account has reached its quota")
SHORTAGE = (
    "The pool has fewer than its 2 nodes. {} They are requested again after a minute, then at intervals that double up to "
    "10 minutes; without any working node the run ends after 6 hours (azure-capacity-hours). Another VM size or region, or "
    "fewer nodes, may help{}."
)
KEPT = "Finished results are kept; start the run again to continue."


class Pool:
    """A pool, and a run that checks it every 20 s of a simulated clock."""

    def __init__(self, target_nodes=2, **values):
        self.now = 0
        self.capacity = Capacity(target_nodes, 6, clock=lambda: self.now, **values)
        self.warnings, self.resizes = [], []

    def check(self, *states, errors=(), state=AllocationState.steady, changed=None):
        pool = CloudPool(resize_errors=list(errors))
        # set by the service only
        pool.allocation_state, pool.allocation_state_transition_time = state, changed
        nodes = [
            state if isinstance(state, ComputeNode) else node(state, i) for i, state in enumerate(states)
        ]
        warnings, resize = self.capacity.check(pool, nodes, lambda node: describe_node(node, ""))
        self.warnings += [text for text in warnings if text not in self.warnings]
        if resize:
            self.resizes.append(self.now / MINUTE)

    def wait(self, minutes, *states, **values):
        for _ in range(int(minutes * 3)):
            self.now += 20
            self.check(*states, **values)


def node(state, number, *errors):
    return ComputeNode(
        id=f"n{number}",
        state=state,
        errors=[ComputeNodeError(code=code, message=text) for code, text in errors],
    )


def test_a_pool_without_nodes_is_resized_again_at_growing_intervals():
    pool = Pool()
    pool.check(errors=[NO_CAPACITY])
    pool.wait(50, "idle", errors=[NO_CAPACITY])
    assert pool.resizes == [1, 3, 7, 15, 25, 35, 45]
    assert pool.warnings == [SHORTAGE.format("AllocationTimedout: Nodes could not be allocated.", "")]
    # once it has had all of them, the intervals start anew
    pool.check("idle", "running")
    pool.resizes.clear()
    pool.wait(2, "idle", "preempted")
    assert [minute - 50 for minute in pool.resizes] == [pytest.approx(4 / 3)]


def test_it_is_not_resized_while_it_is_resizing():
    pool = Pool()
    pool.wait(9, "idle", state=AllocationState.resizing)
    assert (pool.resizes, pool.warnings) == ([], [])


def test_spot_nodes_that_were_reclaimed():
    pool = Pool(spot=True)
    pool.wait(4, "preempted", "preempted")
    assert pool.resizes == [pytest.approx(4 / 3), pytest.approx(10 / 3)]
    [text] = pool.warnings
    assert text == SHORTAGE.format(
        "Azure has reclaimed the others, or never allocated them.",
        ", as may dedicated instead of spot nodes (azure-spot: false)",
    )


def test_quota_for_some_of_the_nodes_only():
    """Nodes that worked and were reclaimed may come back."""
    pool = Pool(spot=True)
    pool.check("idle", errors=[QUOTA])
    pool.check("preempted", errors=[QUOTA])
    assert any("AccountCoreQuotaReached" in text for text in pool.warnings)


def test_an_old_error_of_a_reused_pool_does_not_count():
    """It is resized at once; errors from then on count."""
    pool = Pool(reused=True)
    pool.check(errors=[QUOTA], changed=1)
    assert pool.resizes == [0]
    with pytest.raises(WorkflowError) as raised:
        pool.check(errors=[QUOTA], changed=2)
    assert str(raised.value) == (
        "The pool has no working node. AccountCoreQuotaReached: The account has reached its quota. "
        f"{QUOTA_ADVICE} {KEPT}"
    )


def test_an_old_error_where_batch_decides_on_nodes():
    pool = Pool(target_nodes=None, reused=True)
    pool.wait(9, errors=[QUOTA], changed=1)
    assert (pool.resizes, pool.warnings) == ([], [])
    with pytest.raises(WorkflowError, match="AccountCoreQuotaReached"):
        pool.check(errors=[QUOTA], changed=2)


def test_quota_for_some_nodes_is_reported():
    pool = Pool()
    pool.wait(20, "running", errors=[QUOTA])
    assert pool.warnings == [
        SHORTAGE.format(f"AccountCoreQuotaReached: The account has reached its quota. {QUOTA_ADVICE}", "")
    ]


def test_hours_without_a_node():
    pool = Pool()
    with pytest.raises(WorkflowError) as raised:
        pool.wait(361, "starting", errors=[NO_CAPACITY])
    assert pool.now == 20 + 6 * 60 * MINUTE
    assert str(raised.value) == (
        "The pool has had no working node for 6 hours (1 starting). AllocationTimedout: Nodes could not be allocated. "
        f"{KEPT}"
    )
    assert (
        "The pool has had no working node for 10 minutes (1 starting); the run ends after 6 hours without one "
        "(azure-capacity-hours)."
    ) in pool.warnings


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (ComputeNodeState.unusable, "is unusable: no reason given; check the container image."),
        (ComputeNodeState.offline, "is offline: task scheduling has been disabled on it."),
        (ComputeNodeState.unknown, "is unknown: Batch has lost contact with it."),
    ],
)
def test_nodes_that_do_not_work_are_reported_after_minutes(state, sentence):
    pool = Pool()
    pool.wait(5, "running", state)
    assert pool.warnings == []
    pool.wait(60, "running", state)
    assert pool.warnings == [f"Node n1 {sentence}"]
    assert pool.resizes == []
    # a node that recovers gets the full time again
    pool.wait(1, "running", "idle")
    pool.wait(5, state, "idle")
    assert len(pool.warnings) == 1


def test_when_no_node_works_the_run_ends_with_all_reasons():
    pool = Pool()
    full = node(ComputeNodeState.unusable, 0, ("DiskFull", "no space"))
    with pytest.raises(WorkflowError) as raised:
        pool.wait(9, full, "unknown")
    assert pool.now == 20 + 5 * MINUTE
    assert str(raised.value) == (
        "The pool has no working node. Node n0 is unusable: DiskFull: no space. Node n1 is unknown: Batch has lost "
        f"contact with it. {KEPT}"
    )


def test_a_failed_start_task_is_not_waited_for():
    pool = Pool(target_nodes=1)
    failed = node(ComputeNodeState.start_task_failed, 0)
    failed.start_task_info = StartTaskInformation(
        state="completed",
        start_time=None,
        retry_count=0,
        result="failure",
        failure_info=SimpleNamespace(message="exit 7"),
    )
    with pytest.raises(WorkflowError, match=r"The start task failed on node n0: exit 7\."):
        pool.check(failed)
