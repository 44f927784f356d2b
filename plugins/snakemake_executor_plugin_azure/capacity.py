"""Whether a pool has nodes for its tasks; when it is asked for them again, what is said meanwhile, when a run ends."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from azure.batch.models import AllocationState, CloudPool, ComputeNode, ComputeNodeState
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_azure import batch_errors

# in seconds; tests have shorter ones
MINUTE = 60
# in minutes: until a pool is asked for its nodes again, which doubles to the longest
FIRST_PAUSE, LONGEST_PAUSE = 1, 10
# until a node that does not work is given up and named: some come back by themselves
NODE_MINUTES = 5
# until it is said that no node works
SILENT_MINUTES = 10

WORKING = {ComputeNodeState.idle, ComputeNodeState.running}
# taken away by Azure, or about to go
LEAVING = {ComputeNodeState.preempted, ComputeNodeState.leaving_pool}
HELP = "Another VM size or region, or fewer nodes help"


@dataclass
class Capacity:
    """What is known of the nodes of a pool from one look to the next.

    Attributes
    ----------
    wanted : int
        Nodes that the pool is to have; None when Batch decides (autoscale).
    hours : float
        That a run waits for a node that works.
    spot : bool
    kept : bool
        Whether the pool was there before the run: what went wrong then does not count.
    clock : callable
    """

    wanted: int | None
    hours: float
    spot: bool = False
    kept: bool = False
    clock: Callable[[], float] = time.monotonic
    bad_since: dict[str, float] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    idle_since: float | None = None
    pause: float = FIRST_PAUSE
    next_try: float | None = None
    before: object = None
    looked: bool = False
    worked: bool = False

    def look(
        self, pool: CloudPool, nodes: list[ComputeNode], why: Callable[[ComputeNode], str]
    ) -> tuple[list[str], bool]:
        """Judge a pool and its nodes.

        Parameters
        ----------
        pool : CloudPool
        nodes : list of ComputeNode
        why : callable
            Says what is wrong with a node.

        Returns
        -------
        list of str
            Sentences for the user, each to be said once.
        bool
            Whether the pool is to be asked for its nodes again.

        Raises
        ------
        WorkflowError
            When no node works and none is to be expected.
        """
        now = self.clock()
        present = [node for node in nodes if node.state not in LEAVING]
        lost = self._lost(present, now, why)
        errors = self._errors(pool)
        reasons = [batch_errors.of_pool(error) for error in errors]
        short = self.wanted is not None and len(present) < self.wanted
        if len(lost) == len(present):
            # nodes that have worked and were taken away may come back
            quota = not self.worked and any(error.code in batch_errors.QUOTAS for error in errors)
            if quota or (present and not short):
                raise WorkflowError(_ended("The pool has no node that works.", [*reasons, *lost]))
        said = [*lost, *(reasons if not short else [])]
        said += self._waiting(present, now, [*reasons, *lost])
        steady = pool.allocation_state == AllocationState.steady
        if not short:
            self.pause, self.next_try = FIRST_PAUSE, None
        elif steady:
            said.append(self._shortage(len(present), reasons))
            return said, self._due(now, bool(pool.resize_errors) and not errors)
        return said, False

    def _lost(self, nodes: list[ComputeNode], now: float, why: Callable[[ComputeNode], str]) -> list[str]:
        """Say what is wrong with each node that has not worked for so long that nobody waits for it."""
        bad = {node.id: node for node in nodes if batch_errors.is_useless(node)}
        self.bad_since = {name: self.bad_since.get(name, now) for name in bad}
        self.named = {name: text for name, text in self.named.items() if name in bad}
        for name, node in bad.items():
            over = now - self.bad_since[name] >= NODE_MINUTES * MINUTE
            if name not in self.named and (over or batch_errors.has_failed(node)):
                self.named[name] = why(node)
        return list(self.named.values())

    def _errors(self, pool: CloudPool) -> list:
        """Return why the pool got no nodes, unless that was before this run."""
        changed = pool.allocation_state_transition_time
        if not self.looked:
            self.looked, self.before = True, changed if self.kept else None
        stale = self.kept and changed == self.before
        return [] if stale else list(pool.resize_errors or [])

    def _waiting(self, nodes: list[ComputeNode], now: float, reasons: list[str]) -> list[str]:
        """Say that no node works; after hours that is the end."""
        if any(node.state in WORKING for node in nodes):
            self.worked, self.idle_since = True, None
            return []
        if self.idle_since is None:
            self.idle_since = now
        states = Counter(getattr(node.state, "value", node.state) for node in nodes)
        named = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "it has none"
        if now - self.idle_since >= self.hours * 60 * MINUTE:
            raise WorkflowError(
                _ended(f"No node of the pool has worked for {self.hours:g} hours ({named}).", reasons)
            )
        if now - self.idle_since < SILENT_MINUTES * MINUTE:
            return []
        return [
            f"No node of the pool has worked for {SILENT_MINUTES} minutes ({named}); the run ends after {self.hours:g} "
            "hours without one (azure-capacity-hours)."
        ]

    def _shortage(self, count: int, reasons: list[str]) -> str:
        cause = " ".join(dict.fromkeys(reasons)) or "Azure has taken the others away, or never had them."
        spot = ", and so do ordinary instead of spot nodes (azure-spot: false)" if self.spot else ""
        return (
            f"The pool has not all of its {self.wanted} nodes. {cause} It is asked for them again after a minute, then "
            f"after twice as long, up to {LONGEST_PAUSE} minutes; without any node that works the run ends after "
            f"{self.hours:g} hours (azure-capacity-hours). {HELP}{spot}."
        )

    def _due(self, now: float, at_once: bool) -> bool:
        """Whether it is time to ask again; at once when all that is known is what went wrong before this run."""
        if self.next_try is None:
            self.next_try = now if at_once else now + self.pause * MINUTE
        if now < self.next_try:
            return False
        if not at_once:
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
        self.next_try = now + self.pause * MINUTE
        return True


def _ended(what: str, reasons: list[str]) -> str:
    return " ".join(
        [what, *dict.fromkeys(reasons), "What is finished is kept; start the run again to go on."]
    )
