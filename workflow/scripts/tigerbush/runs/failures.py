"""What failed in a run, in the sentence that a failed run ends with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# of an error that is quoted
MAX_LENGTH = 300
_ERROR = "ERROR: "


@dataclass(frozen=True)
class FailedJob:
    """A job that failed.

    Attributes
    ----------
    rule : str
    wildcards : mapping of str to str
    log : Path or None
        The file that its script logs to.
    """

    rule: str
    wildcards: Mapping[str, str]
    log: Path | None


def failure_sentence(jobs: Sequence[FailedJob]) -> str:
    """Return what failed first in a run, why, and what to do.

    Parameters
    ----------
    jobs : sequence of FailedJob
        At least one, in the order in which they failed. The jobs of a group fail together: those that never began have
        no error in their logs.
    """
    errors = [(job, final_error(job.log)) for job in jobs]
    job, error = next(((job, error) for job, error in errors if error), errors[0])
    wildcards = ", ".join(f"{name} {value}" for name, value in job.wildcards.items())
    name = f"{job.rule} ({wildcards})" if wildcards else job.rule
    subject = f"{name} failed" if len(jobs) == 1 else f"{len(jobs)} jobs failed, the first is {name}"
    killed = "its log holds no error, so it was killed or never began."
    reason = f"{error} Its log is {job.log}." if error else killed
    return (
        f"{subject}: {reason} ./tigerbush status, with the options of this run, lists what failed; the next run "
        "continues where this one ended."
    )


def final_error(log: Path | None) -> str | None:
    """Return the error that ended a job, as a sentence of limited length; None if its log has none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace") if log else ""
    except OSError:
        return None
    _, error, message = text.rpartition(_ERROR)
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if not (error and lines):
        return None
    # the last line of a traceback names the exception
    sentence = "".join(character for character in lines[-1] if character.isprintable())[:MAX_LENGTH]
    return sentence if sentence.endswith(".") else f"{sentence}."
