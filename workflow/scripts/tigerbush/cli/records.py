"""What Snakemake has written down about a run: in `.snakemake`, and in its summary of what there is to do."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tigerbush.errors import TigerbushError

# a run's log: an error of a job (alone or in a group), and what takes it back
_EVENT = re.compile(
    r"^Error in (?P<group>group)"
    r"|^\s+jobid: (?P<failed>\d+)\n(?:\s+input: .+\n)?\s+output: (?P<outputs>.+)\n\s+log: (?P<log>.+?) \(check log file"
    r"|^Trying to restart job (?P<restarted>\S+?)\.?$"
    r"|^Finished jobid: (?P<finished>\d+)",
    re.MULTILINE,
)
_PRODUCT = re.compile(r"S2[A-Z]_MSI\w+_T\w{5}_\d{8}T\d{6}")
_RUN_ID = re.compile(r"^SLURM run ID: (\S+)$", re.MULTILINE)
# what a run prints, but neither a dry run nor a summary
_WORKS = "Select jobs to execute"


@dataclass
class Job:
    """A job of the workflow.

    Attributes
    ----------
    rule : str
    inputs, outputs : set of str
    pending : bool
        Whether it has to run (again).
    """

    rule: str
    inputs: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    pending: bool = False


@dataclass(frozen=True)
class Run:
    """The newest run of a folder.

    Attributes
    ----------
    log : Path or None
    failed : dict of str to str
        Outputs of jobs that had an error, and their log files.
    slurm_id : str or None
        The name of its jobs in SLURM.
    locked, alive : bool
        Whether it has locked the folder, and whether its process runs on this machine.
    """

    log: Path | None
    failed: Mapping[str, str]
    slurm_id: str | None
    locked: bool
    alive: bool


def read_jobs(summary: str) -> list[Job]:
    """Read the jobs from `snakemake --detailed-summary`.

    Raises
    ------
    TigerbushError
        When it is not the table that Snakemake 9 prints.
    """
    lines = [line.split("\t") for line in summary.splitlines() if "\t" in line]
    needed = {"output_file", "rule", "input-file(s)", "plan"}
    if not lines or not needed <= set(lines[0]):
        raise TigerbushError(f"snakemake --detailed-summary gave no table but {summary[:200]!r}.")
    jobs: dict[tuple[str, str, str], Job] = {}
    for line in lines[1:]:
        row = dict(zip(lines[0], line, strict=False))
        folder, _, name = row["output_file"].rpartition("/")
        # the table has a line per file: those of one rule, folder and product are of one job
        product = _PRODUCT.match(name)
        job = jobs.setdefault((row["rule"], folder, product[0] if product else ""), Job(row["rule"]))
        job.outputs.add(row["output_file"])
        job.inputs |= {name for name in row["input-file(s)"].split(",") if name}
        job.pending |= "pending" in row["plan"]
    return list(jobs.values())


def read_run(directory: Path) -> Run:
    """Read what the newest run of a folder has left."""
    records = directory / ".snakemake"
    found = _newest_log(records / "log")
    text = found.read_text(errors="replace") if found else ""
    slurm = _RUN_ID.search(text)
    return Run(
        log=found,
        failed=failures(text),
        slurm_id=slurm[1] if slurm else None,
        locked=any((records / "locks").glob("*.lock")),
        alive=any(_main_processes(directory)),
    )


def failures(text: str) -> dict[str, str]:
    """Return the outputs of the jobs that failed for good, with their log files, from the log of a run."""
    errors: dict[str, tuple[str, str]] = {}
    group: set[str] = set()
    for event in _EVENT.finditer(text):
        if event["group"]:
            group = set()
        elif job := event["failed"]:
            errors[job] = (event["outputs"], event["log"])
            group.add(job)
        elif event["finished"]:
            errors.pop(event["finished"], None)
        elif event["restarted"]:
            # a number is a job, anything else the group whose error came last
            for job in [event["restarted"]] if event["restarted"].isdigit() else group:
                errors.pop(job, None)
    return {name: log for outputs, log in errors.values() for name in outputs.split(", ")}


def _newest_log(folder: Path) -> Path | None:
    logs = sorted(folder.glob("*.snakemake.log"), reverse=True)
    return next((path for path in logs if _WORKS in path.read_text(errors="replace")), None)


def unfinished(directory: Path) -> set[str]:
    """Return the files that jobs had begun to write when they were last heard of."""
    folder = directory / ".snakemake" / "incomplete"
    # Snakemake names a marker by the file's name in base64, in parts of which all but the last begin with @
    parts = (path.relative_to(folder).parts for path in folder.rglob("*") if path.is_file())
    return set(_decoded("".join(part.removeprefix("@") for part in one) for one in parts))


def _decoded(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        try:
            yield base64.urlsafe_b64decode(name).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue


def _main_processes(directory: Path) -> Iterator[int]:
    """Find the processes on this machine that steer a run in a folder (Linux; elsewhere none is found)."""
    place = directory.resolve()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = (process / "cwd").readlink() == place
        except OSError:
            continue
        asks = {b"--dry-run", b"-n", b"--summary", b"--detailed-summary", b"--mode", b"--unlock"} & set(words)
        if (
            here
            and not asks
            and any(word.endswith((b"snakemake", b"snakemake/__main__.py")) for word in words)
        ):
            yield int(process.name)
