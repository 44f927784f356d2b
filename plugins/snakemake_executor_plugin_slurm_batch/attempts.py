"""What an attempt of a job asks SLURM for: more memory or time than the one before only when that was too little."""

import re
import shlex
import subprocess
from dataclasses import dataclass, replace

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

SECONDS = 20
_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


@dataclass(frozen=True)
class Request:
    """How many times what the rules declare an attempt asks for, and how many attempts failed for no known reason."""

    memory: int = 1
    time: int = 1
    unknown: int = 0

    def after(self, why: str) -> "Request":
        """Return what the next attempt asks for, from what `states.why` says of the last.

        Without a reason the same is asked for again, and once more memory: not every site tells.
        """
        match why:
            case "memory":
                return replace(self, memory=self.memory + 1)
            case "time":
                return replace(self, time=self.time + 1)
            case "unknown":
                return replace(self, unknown=self.unknown + 1, memory=self.memory + (self.unknown == 1))
        return self


@dataclass(frozen=True)
class Most:
    """The most that a job may ask for: MB of a node, and minutes; None where there is no limit."""

    mem_mb: int | None = None
    runtime: int | None = None


class Asked:
    """A job that asks for more than its rules declare."""

    def __init__(self, job: JobExecutorInterface, request: Request, most: Most) -> None:
        self._job = job
        declared = dict(job.resources.items())
        for name, times in (("mem_mb", request.memory), ("runtime", request.time)):
            if times > 1 and declared.get(name):
                declared[name] = within(declared[name], times, getattr(most, name))
        self.resources = type(job.resources)(fromdict=declared)

    def __getattr__(self, name: str) -> object:
        """Return whatever else the job has."""
        return getattr(self._job, name)


def within(amount: int, times: int, most: int | None) -> int:
    """Return so many times an amount, but no more than the most, and no less than the amount."""
    return max(amount, min(times * amount, most or times * amount))


def limits_of(partition: str) -> Most | None:
    """Ask SLURM what a partition gives: the memory of its largest node, and its time limit; None without an answer.

    Parameters
    ----------
    partition : str
        The argument for sbatch (` -p name`), or nothing for the default partition.
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
        told = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return read_limits(told, default=not names)


def read_limits(told: str, default: bool) -> Most:
    """Read what `sinfo --format=%P|%m|%l` prints; of the default partition alone (`name*`), or of all lines."""
    rows = [line.split("|") for line in told.splitlines() if line.count("|") == 2]
    rows = [row for row in rows if row[0].endswith("*") or not default]
    memory = [int(found[0]) for _, text, _ in rows if (found := re.match(r"\d+", text))]
    times = [minutes(text) for _, _, text in rows]
    return Most(
        mem_mb=max(memory, default=None),
        # 0 is a time limit that sinfo does not tell
        runtime=None if None in times else max(times, default=0) or None,
    )


def minutes(text: str) -> int | None:
    """Return the minutes of a time as SLURM writes it (`1-12:00:00`, `30:00`); None when it is `infinite`."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        return None
    days, first, second, third = (int(part) if part is not None else None for part in found.groups())
    if days is not None:
        return (days * 24 + first) * 60 + (second or 0)
    return first * 60 + second if third is not None else first
