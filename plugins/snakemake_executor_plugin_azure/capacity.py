"""Whether a pool has nodes for its tasks: when it is resized again, what the user is told, and when the run ends."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from azure.batch.models import AllocationState, CloudPool, ComputeNode, ComputeNodeState
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_azure.batch_errors import (
    QUOTAS,
    describe_resize_error,
    is_down,
    start_task_failed,
)

# in seconds; tests shorten it
MINUTE = 60
# in minutes: before a pool is resized again; doubles up to the longest
FIRST_PAUSE, LONGEST_PAUSE = 1, 10
# before a node that does not work is given up and reported: some recover
NODE_MINUTES = 5
# without a working node before the user is told
SILENT_MINUTES = 10

WORKING = {ComputeNodeState.idle, ComputeNodeState.running}
# reclaimed by Azure, or about to leave
LEAVING = {ComputeNodeState.preempted, ComputeNodeState.leaving_pool}
HELP = "Another VM size or region, or fewer nodes, may help"


@dataclass
class Capacity:
    """What is known about the nodes of a pool from one status check to the next.

    Attributes
    ----------
    target_nodes : int
        Nodes that the pool should have; None when Batch decides (autoscale).
    hours : float
        For how long a run waits for a working node.
    spot : bool
    reused : bool
        Whether the pool existed before the run: errors from before do not count.
    clock : callable
    """

    target_nodes: int | None
    hours: float
    spot: bool = False
    reused: bool = False
    clock: Callable[[], float] = time.monotonic
    down_since: dict[str, float] = field(default_factory=dict)
    reported: dict[str, str] = field(default_factory=dict)
    idle_since: float | None = None
    pause: float = FIRST_PAUSE
    next_resize: float | None = None
    first_transition: object = None
    checked: bool = False
    has_worked: bool = False

    def check(
        self, pool: CloudPool, nodes: list[ComputeNode], describe: Callable[[ComputeNode], str]
    ) -> tuple[list[str], bool]:
        """Judge a pool and its nodes.

        Parameters
        ----------
        pool : CloudPool
        nodes : list of ComputeNode
        describe : callable
            Says what is wrong with a node.

        Returns
        -------
        list of str
            Warnings for the user, each to be shown once.
        bool
            Whether the pool is to be resized again.

        Raises
        ------
        WorkflowError
            When no node works and none is to be expected.
        """
        now = self.clock()
        present = [node for node in nodes if node.state not in LEAVING]
        lost = self._lost_nodes(present, now, describe)
        errors = self._resize_errors(pool)
        reasons = [describe_resize_error(error) for error in errors]
        short = self.target_nodes is not None and len(present) < self.target_nodes
        if len(lost) == len(present):
            # nodes that have worked and were reclaimed may come back
            quota = not self.has_worked and any(error.code in QUOTAS for error in errors)
            if quota or (present and not short):
                raise WorkflowError(_final_message("The pool has no working node.", [*reasons, *lost]))
        warnings = [*lost, *(reasons if not short else [])]
        warnings += self._check_working(present, now, [*reasons, *lost])
        steady = pool.allocation_state == AllocationState.steady
        if not short:
            self.pause, self.next_resize = FIRST_PAUSE, None
        elif steady:
            warnings.append(self._describe_shortage(reasons))
            return warnings, self._is_resize_due(now, bool(pool.resize_errors) and not errors)
        return warnings, False

    def _lost_nodes(
        self, nodes: list[ComputeNode], now: float, describe: Callable[[ComputeNode], str]
    ) -> list[str]:
        """Describe the nodes that have been down for so long that they are given up."""
        down = {node.id: node for node in nodes if is_down(node)}
        self.down_since = {name: self.down_since.get(name, now) for name in down}
        self.reported = {name: text for name, text in self.reported.items() if name in down}
        for name, node in down.items():
            overdue = now - self.down_since[name] >= NODE_MINUTES * MINUTE
            if name not in self.reported and (overdue or start_task_failed(node)):
                self.reported[name] = describe(node)
        return list(self.reported.values())

    def _resize_errors(self, pool: CloudPool) -> list:
        """Return why the pool got no nodes, unless that was before this run."""
        transition = pool.allocation_state_transition_time
        if not self.checked:
            self.checked, self.first_transition = True, transition if self.reused else None
        stale = self.reused and transition == self.first_transition
        return [] if stale else list(pool.resize_errors or [])

    def _check_working(self, nodes: list[ComputeNode], now: float, reasons: list[str]) -> list[str]:
        """Warn when no node works; after some hours end the run."""
        if any(node.state in WORKING for node in nodes):
            self.has_worked, self.idle_since = True, None
            return []
        if self.idle_since is None:
            self.idle_since = now
        counts = Counter(getattr(node.state, "value", node.state) for node in nodes)
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no nodes"
        if now - self.idle_since >= self.hours * 60 * MINUTE:
            raise WorkflowError(
                _final_message(
                    f"The pool has had no working node for {self.hours:g} hours ({states}).", reasons
                )
            )
        if now - self.idle_since < SILENT_MINUTES * MINUTE:
            return []
        return [
            f"The pool has had no working node for {SILENT_MINUTES} minutes ({states}); the run ends after "
            f"{self.hours:g} hours without one (azure-capacity-hours)."
        ]

    def _describe_shortage(self, reasons: list[str]) -> str:
        cause = " ".join(dict.fromkeys(reasons)) or "Azure has reclaimed the others, or never allocated them."
        spot = ", as may dedicated instead of spot nodes (azure-spot: false)" if self.spot else ""
        return (
            f"The pool has fewer than its {self.target_nodes} nodes. {cause} They are requested again after a "
            f"minute, then at intervals that double up to {LONGEST_PAUSE} minutes; without any working node the run "
            f"ends after {self.hours:g} hours (azure-capacity-hours). {HELP}{spot}."
        )

    def _is_resize_due(self, now: float, at_once: bool) -> bool:
        """Whether to request the nodes again; `at_once` when the only known errors are from before this run."""
        if self.next_resize is None:
            self.next_resize = now if at_once else now + self.pause * MINUTE
        if now < self.next_resize:
            return False
        if not at_once:
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
        self.next_resize = now + self.pause * MINUTE
        return True


def _final_message(text: str, reasons: list[str]) -> str:
    return " ".join(
        [text, *dict.fromkeys(reasons), "Finished results are kept; start the run again to continue."]
    )
