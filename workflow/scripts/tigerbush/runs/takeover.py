"""Whether a run may take over the results of another one, and the error if it may not."""

from dataclasses import dataclass
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.runs.mark import (
    SILENT_SECONDS,
    Mark,
    describe_run,
    leftover_processes,
    liveness,
    machine_id,
)
from tigerbush.runs.queue_slurm import QueueJob, slurm_queue

UNLOCK = "run snakemake with --unlock, then as usual; finished results are kept"


@dataclass(frozen=True)
class Takeover:
    """The attempt of a run to take over results.

    Attributes
    ----------
    results : str
        What the runs work on.
    directory : Path
        Working directory of this run.
    unlocking : bool
        Whether this is `--unlock`, which is for what cannot be determined.
    """

    results: str
    directory: Path
    unlocking: bool = False

    def still_running(self, other: Mark, age: float) -> TigerbushError:
        """Return the error for a run that is alive."""
        elsewhere = other.machine != machine_id()
        advice = (
            f"; if its machine is gone, wait until there has been no heartbeat for {SILENT_SECONDS // 60} minutes"
            if elsewhere
            else ""
        )
        return TigerbushError(
            f"another run is using {self.results} ({describe_run(other, age)}): wait until it ends, or interrupt it "
            f"there{advice}."
        )

    def known_dead(self, other: Mark, age: float) -> bool:
        """Whether a run is known to be dead, with all its jobs.

        Raises
        ------
        TigerbushError
            When it is alive on this machine, or has left jobs.
        """
        if not other.token or other.machine != machine_id():
            return False
        # where the process table of this machine does not tell, age does not either
        if liveness(other, 0) == "alive":
            raise self.still_running(other, age)
        self.refuse_leftovers(other, age)
        return True

    def refuse_unless_ended(self, other: Mark, age: float) -> None:
        """Refuse to take over from a run that is alive or silent, or has left jobs.

        Raises
        ------
        TigerbushError
        """
        state = liveness(other, age)
        if state == "alive":
            raise self.still_running(other, age)
        self.refuse_leftovers(other, age)
        if state == "silent" and not self.unlocking:
            raise self._died(other, age, f", and has no jobs left in SLURM or Batch: {UNLOCK}")

    def refuse_leftovers(self, other: Mark, age: float) -> None:
        """Refuse to take over from a dead run whose jobs are still running, or whose folder Snakemake has locked.

        Raises
        ------
        TigerbushError
        """
        if processes := leftover_processes(other):
            numbers = ", ".join(map(str, processes))
            raise self._died(
                other,
                age,
                f", but its jobs are still running here: wait until they end, or kill them (processes {numbers})",
            )
        self._refuse_slurm_jobs(other, age)
        if self.unlocking or Path(other.directory) != self.directory:
            return
        if any((self.directory / ".snakemake" / "locks").glob("*.lock")):
            if other.executor.startswith("azure"):
                raise self._died(other, age, f": {UNLOCK}, and tasks still in Batch are terminated")
            raise self._died(other, age, f", and has no jobs left in SLURM or Batch: {UNLOCK}")

    def _refuse_slurm_jobs(self, other: Mark, age: float) -> None:
        if not other.executor.startswith("slurm"):
            return
        try:
            jobs = slurm_jobs(other)
        except TigerbushError as error:
            if self.unlocking:
                return
            raise self._died(
                other,
                age,
                f", and it is unknown whether it has jobs left in SLURM: {error} If it has none, {UNLOCK}",
            ) from None
        if jobs:
            raise self._died(
                other,
                age,
                f", but {len(jobs)} of its jobs are still in SLURM: wait until `squeue --name {other.slurm}` is empty, "
                f"or cancel them with `scancel --name {other.slurm}`, then start again",
            )

    def _died(self, other: Mark, age: float, rest: str) -> TigerbushError:
        return TigerbushError(f"a run on {self.results} has died ({describe_run(other, age)}){rest}.")


def slurm_jobs(mark: Mark) -> list[QueueJob]:
    """Return the jobs of a run that are waiting or running in SLURM.

    Raises
    ------
    TigerbushError
        When that cannot be determined.
    """
    if not mark.slurm:
        raise TigerbushError("it died before it recorded their name.")
    return slurm_queue(mark.slurm)
