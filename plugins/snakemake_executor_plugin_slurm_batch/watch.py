"""Jobs that SLURM will never start, and jobs that it has forgotten: told at once, given up after some minutes."""

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 20
# squeue(1), "JOB REASON CODES": what no free node, no other job's end and no hour of the day will change
_NEVER = re.compile(
    r"held|JobHold|PartitionTimeLimit|PartitionNodeLimit|PartitionConfig|BadConstraints|Invalid(?:Account|QOS)|"
    r"(?:Account|QOS)NotAllowed|DependencyNeverSatisfied|DeadLine|MaxMemPerLimit|QOSMin\w+|\w+PerJob(?:Limit)?|"
    r"MaxWallDuration\w*|ReservationDeleted|JobLaunchFailure",
    re.IGNORECASE,
)
_HELD = {"REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
ADVICE = (
    (re.compile("Time|Duration", re.IGNORECASE), "lower group-components or runtime, or choose another partition"),
    (re.compile("held|hold|SPECIAL_EXIT", re.IGNORECASE), "scontrol release {number} lets it go on"),
    (re.compile("Account|QOS|Assoc", re.IGNORECASE), "check slurm_account and qos of the profile"),
    (re.compile(""), "check constraint, mem_mb, cores and slurm_partition of the profile"),
)  # fmt: skip
# the last that the Snakemake of a job prints when all is made
_DONE = re.compile(r"\(100%\) done")


@dataclass(frozen=True)
class Verdict:
    """What to say of a job, and whether it is at an end: failed, or done although SLURM no longer tells."""

    text: str
    ended: bool = False
    done: bool = False


@dataclass
class Watch:
    """What is known of jobs that do not go on.

    Attributes
    ----------
    minutes : float
        After which they are given up.
    now : callable
        Seconds.
    """

    minutes: float
    now: Callable[[], float] = time.monotonic
    _since: dict[tuple[str, str], float] = field(default_factory=dict)

    def look(self, number: str, listed: dict[str, tuple[str, str]], log: Path | None) -> Verdict | None:
        """Judge a job that SLURM has not called ended; None when it goes on, or may go on.

        Parameters
        ----------
        number : str
        listed : dict of str to (str, str)
            State and reason of the jobs that the controller knows.
        log : Path or None
            What the job prints.
        """
        trouble = self._trouble(number, listed)
        for key in [key for key in self._since if key[0] == number and key[1] != trouble]:
            del self._since[key]
        if trouble is None:
            return None
        key, first = (number, trouble), (number, trouble) not in self._since
        since = self._since.setdefault(key, self.now())
        if self.now() - since >= 60 * self.minutes:
            del self._since[key]
            return self._end(trouble, number, log)
        if not first or not trouble:
            return None
        return Verdict(
            f"SLURM cannot start the job {number}: {trouble}; {_advice(trouble, number)}. It is cancelled when nothing "
            f"has changed for {self.minutes:g} minutes."
        )

    def _trouble(self, number: str, listed: dict[str, tuple[str, str]]) -> str | None:
        """Return why a job cannot start, "" when SLURM does not know it, None when all is well."""
        if number not in listed:
            return ""
        state, reason = listed[number]
        if state in _HELD:
            return state if reason in ("", "None") else f"{state} ({reason})"
        return reason if state == "PENDING" and _NEVER.search(reason) else None

    def _end(self, trouble: str, number: str, log: Path | None) -> Verdict:
        if trouble:
            return Verdict(
                f"SLURM could not start it for {self.minutes:g} minutes: {trouble}; {_advice(trouble, number)}.",
                ended=True,
            )
        if _DONE.search(end_of(log)[-2000:]):
            return Verdict(f"SLURM has forgotten the job {number}, which is done.", ended=True, done=True)
        return Verdict(f"SLURM has forgotten the job {number}.", ended=True)


def _advice(trouble: str, number: str) -> str:
    # of a job that is gone, nothing can be released
    return next(text for pattern, text in ADVICE if pattern.search(trouble)).format(number=number)


def listed(run_id: str, clusters: bool) -> dict[str, tuple[str, str]] | None:
    """Ask the controller (or those of all clusters) for state and reason of the jobs of a run.

    None when it does not answer.
    """
    command = ["squeue", "--noheader", "--states=all", "--name", run_id, "--format=%i|%T|%r"]
    command += ["--clusters=all"] * clusters
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.strip().split("|", 2) for line in told.splitlines() if line.count("|") >= 2]
    return {number: (state, reason) for number, state, reason in rows}


def end_of(log: Path | None, size: int = 20_000) -> str:
    """Return the end of what a job has printed; nothing when there is nothing."""
    try:
        with Path(log or "").open("rb") as file:
            file.seek(max(0, Path(log).stat().st_size - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
