"""What one run says of another that has marked the results it wants."""

from dataclasses import dataclass
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.runs.mark import SILENT_SECONDS, Mark, jobs_here, machine, state, who
from tigerbush.runs.queue_slurm import QueueJob, slurm_queue

UNLOCK = "start snakemake with --unlock, then as usual; finished results stay"


@dataclass(frozen=True)
class Judge:
    """Whether a run may succeed others.

    Attributes
    ----------
    results : str
        What the runs work on.
    directory : Path
        Working directory of this run.
    unlocking : bool
        Whether it is `--unlock`, which is for what cannot be known.
    """

    results: str
    directory: Path
    unlocking: bool = False

    def at_work(self, other: Mark, age: float) -> TigerbushError:
        """Return the sentence for a run that is alive."""
        elsewhere = other.machine != machine()
        gone = (
            f"; if its machine is gone, wait for {SILENT_SECONDS // 60} minutes without a sign"
            if elsewhere
            else ""
        )
        return TigerbushError(
            f"another run is at work on {self.results} ({who(other, age)}): wait for its end, or interrupt it "
            f"there{gone}."
        )

    def known_dead(self, other: Mark, age: float) -> bool:
        """Whether the process of a run is known to be gone, with all its jobs.

        Raises
        ------
        TigerbushError
            When it is alive on this machine, or has left something.
        """
        if not other.token or other.machine != machine():
            return False
        # what cannot be told of a process here is not told by the time either
        if state(other, 0) == "alive":
            raise self.at_work(other, age)
        self.refuse_leftovers(other, age)
        return True

    def refuse_unless_gone(self, other: Mark, age: float) -> None:
        """Refuse to succeed a run that is alive, silent, or has left something.

        Raises
        ------
        TigerbushError
        """
        found = state(other, age)
        if found == "alive":
            raise self.at_work(other, age)
        self.refuse_leftovers(other, age)
        if found == "silent" and not self.unlocking:
            raise self._dead(other, age, f", and neither SLURM nor Batch has jobs of it: {UNLOCK}")

    def refuse_leftovers(self, other: Mark, age: float) -> None:
        """Refuse to succeed a dead run whose jobs go on, or whose folder Snakemake still takes for locked.

        Raises
        ------
        TigerbushError
        """
        if processes := jobs_here(other):
            named = ", ".join(map(str, processes))
            raise self._dead(
                other,
                age,
                f", but jobs of it still run here: wait for their end, or kill them (processes {named})",
            )
        self._refuse_slurm(other, age)
        if self.unlocking or Path(other.directory) != self.directory:
            return
        if any((self.directory / ".snakemake" / "locks").glob("*.lock")):
            if other.executor.startswith("azure"):
                raise self._dead(other, age, f": {UNLOCK}, and tasks of it that Batch still has are ended")
            raise self._dead(other, age, f", and neither SLURM nor Batch has jobs of it: {UNLOCK}")

    def _refuse_slurm(self, other: Mark, age: float) -> None:
        if not other.executor.startswith("slurm"):
            return
        try:
            jobs = slurm_jobs(other)
        except TigerbushError as error:
            if self.unlocking:
                return
            raise self._dead(
                other,
                age,
                f", and whether it has jobs in SLURM is not known: {error} If it has none, {UNLOCK}",
            ) from None
        if jobs:
            raise self._dead(
                other,
                age,
                f", but {len(jobs)} of its jobs are still in SLURM: wait until `squeue --name {other.slurm}` is empty, "
                f"or cancel them with `scancel --name {other.slurm}`, then start again",
            )

    def _dead(self, other: Mark, age: float, rest: str) -> TigerbushError:
        return TigerbushError(f"a run on {self.results} is dead ({who(other, age)}){rest}.")


def slurm_jobs(mark: Mark) -> list[QueueJob]:
    """Return the jobs of a run that wait or run in SLURM.

    Raises
    ------
    TigerbushError
        When it cannot be told.
    """
    if not mark.slurm:
        raise TigerbushError("it ended before it had named them.")
    return slurm_queue(mark.slurm)
