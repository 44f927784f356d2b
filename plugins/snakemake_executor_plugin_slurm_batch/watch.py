"""Jobs that SLURM will never start or no longer knows: reported at once, given up after some minutes."""

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SQUEUE_SECONDS = 20
# squeue(1), "JOB REASON CODES": reasons that neither a free node, nor another job's end, nor time will remove
_NEVER_STARTS = re.compile(
    r"held|JobHold|PartitionTimeLimit|PartitionNodeLimit|PartitionConfig|BadConstraints|Invalid(?:Account|QOS)|"
    r"(?:Account|QOS)NotAllowed|DependencyNeverSatisfied|DeadLine|MaxMemPerLimit|QOSMin\w+|\w+PerJob(?:Limit)?|"
    r"MaxWallDuration\w*|ReservationDeleted|JobLaunchFailure",
    re.IGNORECASE,
)
_HELD_STATES = {"REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
ADVICE = (
    (re.compile("Time|Duration", re.IGNORECASE), "lower group-components or runtime, or choose another partition"),
    (re.compile("held|hold|SPECIAL_EXIT", re.IGNORECASE), "to release it, run scontrol release {job_id}"),
    (re.compile("Account|QOS|Assoc", re.IGNORECASE), "check slurm_account and qos in the profile"),
    (re.compile(""), "check constraint, mem_mb, cores and slurm_partition in the profile"),
)  # fmt: skip
# the last line that the Snakemake of a job prints when everything is made
_DONE = re.compile(r"\(100%\) done")


@dataclass(frozen=True)
class Verdict:
    """What to report of a job, and whether it is over: failed, or done although SLURM no longer knows it."""

    text: str
    ended: bool = False
    done: bool = False


@dataclass
class Watch:
    """What is known of jobs that make no progress.

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

    def check(self, job_id: str, jobs: dict[str, tuple[str, str]], log: Path | None) -> Verdict | None:
        """Judge a job that SLURM has not reported as ended; None when there is nothing to report.

        Parameters
        ----------
        job_id : str
        jobs : dict of str to (str, str)
            State and reason of the jobs that the controller knows.
        log : Path or None
            The job's output.
        """
        reason = self._reason_to_worry(job_id, jobs)
        for key in [key for key in self._since if key[0] == job_id and key[1] != reason]:
            del self._since[key]
        if reason is None:
            return None
        key, is_new = (job_id, reason), (job_id, reason) not in self._since
        since = self._since.setdefault(key, self.now())
        if self.now() - since >= 60 * self.minutes:
            del self._since[key]
            return self._give_up(job_id, reason, log)
        if not is_new or not reason:
            return None
        return Verdict(
            f"SLURM cannot start job {job_id}: {reason}; {advice_for(job_id, reason)}. It will be cancelled if nothing "
            f"changes within {self.minutes:g} minutes."
        )

    def _reason_to_worry(self, job_id: str, jobs: dict[str, tuple[str, str]]) -> str | None:
        """Return why a job can never start, "" when SLURM does not know it, None when all is well."""
        if job_id not in jobs:
            return ""
        state, reason = jobs[job_id]
        if state in _HELD_STATES:
            return state if reason in ("", "None") else f"{state} ({reason})"
        return reason if state == "PENDING" and _NEVER_STARTS.search(reason) else None

    def _give_up(self, job_id: str, reason: str, log: Path | None) -> Verdict:
        if reason:
            return Verdict(
                f"SLURM could not start the job within {self.minutes:g} minutes: {reason}; "
                f"{advice_for(job_id, reason)}.",
                ended=True,
            )
        if _DONE.search(read_end(log)[-2000:]):
            return Verdict(
                f"SLURM no longer knows job {job_id}; its output says that it is done.", ended=True, done=True
            )
        return Verdict(f"SLURM no longer knows job {job_id}.", ended=True)


def advice_for(job_id: str, reason: str) -> str:
    """Return what to do about a job that cannot start."""
    return next(text for pattern, text in ADVICE if pattern.search(reason)).format(job_id=job_id)


def list_jobs(run_id: str, clusters: bool) -> dict[str, tuple[str, str]] | None:
    """Ask the controller (or those of all clusters) for the states and reasons of a run's jobs.

    None when it does not answer.
    """
    command = ["squeue", "--noheader", "--states=all", "--name", run_id, "--format=%i|%T|%r"]
    command += ["--clusters=all"] * clusters
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SQUEUE_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.strip().split("|", 2) for line in done.stdout.splitlines() if line.count("|") >= 2]
    return {job_id: (state, reason) for job_id, state, reason in rows}


def read_end(log: Path | None, size: int = 20_000) -> str:
    """Return the end of a job's output; an empty string when there is none."""
    try:
        with Path(log or "").open("rb") as file:
            file.seek(max(0, Path(log).stat().st_size - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
