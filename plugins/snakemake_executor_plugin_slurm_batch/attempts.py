"""What an attempt of a job requests from SLURM: more memory or time than the last only if that was too little."""

import re
import shlex
import subprocess
from dataclasses import dataclass, replace

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

SINFO_SECONDS = 20
_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


@dataclass(frozen=True)
class Scaling:
    """Factors by which an attempt scales what its rules declare, and how many attempts failed for unknown reasons."""

    memory: int = 1
    time: int = 1
    unknown: int = 0

    def after(self, reason: str) -> "Scaling":
        """Return the factors of the next attempt, from what `states.failure_reason` says of the last.

        If the reason is unknown the same is requested again, and once more memory: not every site reports it.
        """
        match reason:
            case "memory":
                return replace(self, memory=self.memory + 1)
            case "time":
                return replace(self, time=self.time + 1)
            case "unknown":
                return replace(self, unknown=self.unknown + 1, memory=self.memory + (self.unknown == 1))
        return self


@dataclass(frozen=True)
class Limits:
    """The most that a job may request: MB on a node, and minutes; None where there is no limit."""

    mem_mb: int | None = None
    runtime: int | None = None


class ScaledJob:
    """A job that requests more than its rules declare."""

    def __init__(self, job: JobExecutorInterface, scaling: Scaling, limits: Limits) -> None:
        self._job = job
        resources = dict(job.resources.items())
        for name, factor in (("mem_mb", scaling.memory), ("runtime", scaling.time)):
            if factor > 1 and resources.get(name):
                resources[name] = scaled(resources[name], factor, getattr(limits, name))
        self.resources = type(job.resources)(fromdict=resources)

    def __getattr__(self, name: str) -> object:
        """Return any other attribute of the job."""
        return getattr(self._job, name)


def scaled(amount: int, factor: int, limit: int | None) -> int:
    """Multiply an amount by a factor, up to a limit, but never below the amount itself."""
    return max(amount, min(factor * amount, limit or factor * amount))


def query_limits(partition: str) -> Limits | None:
    """Ask SLURM for the memory of a partition's largest node and its time limit; None without an answer.

    Parameters
    ----------
    partition : str
        The argument for sbatch (` -p name`), or an empty string for the default partition.
    """
    names = shlex.split(partition)[1:]
    command = [
        "sinfo",
        "--noheader",
        "--exact",
        "--format=%P|%m|%l",
        *(f"--partition={name}" for name in names),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SINFO_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_limits(done.stdout, default=not names)


def parse_limits(output: str, default: bool) -> Limits:
    """Parse the output of `sinfo --format=%P|%m|%l`: only the default partition (`name*`), or all lines."""
    rows = [line.split("|") for line in output.splitlines() if line.count("|") == 2]
    rows = [row for row in rows if row[0].endswith("*") or not default]
    memory = [int(match[0]) for _, text, _ in rows if (match := re.match(r"\d+", text))]
    times = [parse_minutes(text) for _, _, text in rows]
    return Limits(
        mem_mb=max(memory, default=None),
        # 0 is a time limit that sinfo does not report
        runtime=None if None in times else max(times, default=0) or None,
    )


def parse_minutes(text: str) -> int | None:
    """Return a time in SLURM's notation (`1-12:00:00`, `30:00`) in minutes; None for `infinite`."""
    match = _TIME.fullmatch(text.strip())
    if not match:
        return None
    days, first, second, third = (int(part) if part is not None else None for part in match.groups())
    if days is not None:
        return (days * 24 + first) * 60 + (second or 0)
    return first * 60 + second if third is not None else first
