"""What Snakemake knows about a run: its jobs, and its records in `.snakemake`."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tigerbush.runs.lock_file import read_mark
from tigerbush.runs.mark import MARK_FILE, liveness

# in the log of a run: the error of a job (alone or in a group), and the events that cancel it
_EVENT = re.compile(
    r"^Error in (?P<group>group)"
    r"|^\s+jobid: (?P<failed>\d+)\n(?:\s+input: .+\n)?\s+output: (?P<outputs>.+)\n\s+log: (?P<log>.+?) \(check log file"
    r"|^Trying to restart job (?P<restarted>\S+?)\.?$"
    r"|^Finished jobid: (?P<finished>\d+)",
    re.MULTILINE,
)
_RUN_ID = re.compile(r"^SLURM run ID: (\S+)$", re.MULTILINE)
# what Snakemake adds to the name of a file in remote storage
_STORED = re.compile(r" \((?:send to|retrieve from) storage\)")
# printed by a run, but not by a dry run or a summary
_RUN_STARTED = "Select jobs to execute"

# outputs and inputs of a date
_COMPOSITE = re.compile(r"results/([^/]+)/[^/]+/composite\.tif")
_BUNDLE = re.compile(r"results/windows/([^/]+)/[0-9]+\.zip")


@dataclass
class Job:
    """A job of the workflow.

    Attributes
    ----------
    rule : str
    inputs, outputs : set of str
    pending : bool
        Whether it has to run (again).
    missing : bool
        Whether an output is missing, even if nothing needs it: older results may depend on it.
    windows : set of (site, product)
        Those that it measures in memory.
    """

    rule: str
    inputs: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    pending: bool = False
    missing: bool = False
    windows: set[tuple[str, str]] = field(default_factory=set)


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
        Whether it has locked the folder, and whether its process is running here, or sends heartbeats from elsewhere.
    slurm_failed, slurm_refused : dict of str to int
        Reasons why jobs failed in SLURM, and why SLURM accepted none for a while, each with its count.
    """

    log: Path | None
    failed: Mapping[str, str]
    slurm_id: str | None
    locked: bool
    alive: bool
    slurm_failed: Mapping[str, int] = field(default_factory=dict)
    slurm_refused: Mapping[str, int] = field(default_factory=dict)


def read_jobs(lines: str) -> list[Job]:
    """Read the jobs with outputs that `tigerbush.cli.status.jobs` has printed."""
    rows = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    return [
        Job(
            **row
            | {"inputs": set(row["inputs"]), "outputs": set(row["outputs"])}
            | {"windows": set(map(tuple, row.get("windows", ())))}
        )
        for row in rows
        if row["outputs"]
    ]


def wanted_windows(jobs: Iterable[Job]) -> set[str]:
    """Return the windows that dates are made of, and what is fetched for them, as `failed_outputs` names them."""
    return {
        f"results/{folder}/{product}/{site}"
        for job in jobs
        for site, product in windows_of_date(job)
        for folder in ("windows", "downloads")
    }


def windows_of_date(job: Job) -> Iterator[tuple[str, str]]:
    """Yield site and product of the windows that a composite is made of, or measures; nothing of any other job."""
    yield from sorted(job.windows)
    site = next((match[1] for name in job.outputs if (match := _COMPOSITE.fullmatch(name))), None)
    for name in sorted(job.inputs) if site else ():
        if match := _BUNDLE.fullmatch(name):
            yield site, match[1]


def is_discovering(jobs: Iterable[Job]) -> bool:
    """Tell whether a run lists the products first: which jobs follow is only known after that."""
    return any(job.rule == "discover_products" and (job.pending or job.missing) for job in jobs)


def read_run(directory: Path) -> Run:
    """Read the records of the newest run of a folder."""
    folder = directory / ".snakemake"
    log = _newest_log(folder / "log")
    text = log.read_text(errors="replace") if log else ""
    match = _RUN_ID.search(text)
    slurm_id = match[1] if match else None
    record = _slurm_record(folder / "slurm.json", log, slurm_id)
    return Run(
        log=log,
        failed=failures(text),
        slurm_id=slurm_id,
        locked=any((folder / "locks").glob("*.lock")),
        alive=any(_main_processes(directory)) or _marked_alive(directory / "results" / MARK_FILE),
        slurm_failed=record.get("failed", {}),
        slurm_refused=record.get("refused_for_now", {}),
    )


def _slurm_record(path: Path, log: Path | None, run_id: str | None) -> dict:
    """Return the record of the executor slurm-batch, if it is of the newest run, or of one that could not start."""
    try:
        record = json.loads(path.read_text())
        current = (
            record.get("run") == run_id
            if "run" in record
            else log is None or path.stat().st_mtime > log.stat().st_mtime
        )
    except (OSError, ValueError):
        return {}
    return record if current else {}


def failures(text: str) -> dict[str, str]:
    """Return the outputs of the jobs that failed for good, with their log files, from the text of a run's log."""
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
            # a number is a job, anything else the group with the latest error
            for job in [event["restarted"]] if event["restarted"].isdigit() else group:
                errors.pop(job, None)
    return {name: log for outputs, log in errors.values() for name in _STORED.sub("", outputs).split(", ")}


def _newest_log(folder: Path) -> Path | None:
    logs = sorted(folder.glob("*.snakemake.log"), reverse=True)
    return next((path for path in logs if _RUN_STARTED in path.read_text(errors="replace")), None)


def unfinished(directory: Path) -> set[str]:
    """Return the files that jobs were writing when Snakemake last updated its records."""
    folder = directory / ".snakemake" / "incomplete"
    # Snakemake names a marker by the file's name in base64, split into parts of which all but the last begin with @
    markers = (path.relative_to(folder).parts for path in folder.rglob("*") if path.is_file())
    return set(_decode("".join(part.removeprefix("@") for part in parts) for parts in markers))


def _decode(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        try:
            yield base64.urlsafe_b64decode(name).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue


def _marked_alive(path: Path) -> bool:
    """Whether the mark beside the results belongs to a run that is alive, perhaps of another folder or machine."""
    try:
        return liveness(*read_mark(path)) == "alive"
    except OSError:
        return False


def _main_processes(directory: Path) -> Iterator[int]:
    """Find the main processes of runs in a folder on this machine (Linux; none are found elsewhere)."""
    folder = directory.resolve()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = (process / "cwd").readlink() == folder
        except OSError:
            continue
        no_run = {b"--dry-run", b"-n", b"--summary", b"--detailed-summary", b"--mode", b"--unlock"} & set(
            words
        )
        if (
            here
            and not no_run
            and any(word.endswith((b"snakemake", b"snakemake/__main__.py")) for word in words)
        ):
            yield int(process.name)
