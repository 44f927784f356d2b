"""What Snakemake knows of a run: its jobs, and what it has written down in `.snakemake`."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tigerbush.runs.folder import read
from tigerbush.runs.mark import NAME, state

# a run's log: an error of a job (alone or in a group), and what takes it back
_EVENT = re.compile(
    r"^Error in (?P<group>group)"
    r"|^\s+jobid: (?P<failed>\d+)\n(?:\s+input: .+\n)?\s+output: (?P<outputs>.+)\n\s+log: (?P<log>.+?) \(check log file"
    r"|^Trying to restart job (?P<restarted>\S+?)\.?$"
    r"|^Finished jobid: (?P<finished>\d+)",
    re.MULTILINE,
)
_RUN_ID = re.compile(r"^SLURM run ID: (\S+)$", re.MULTILINE)
# what Snakemake adds to the name of a file in a storage
_STORED = re.compile(r" \((?:send to|retrieve from) storage\)")
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
    missing : bool
        Whether an output is not there, though nothing may need it: older results may hang on it.
    """

    rule: str
    inputs: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    pending: bool = False
    missing: bool = False


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
        Whether it has locked the folder, and whether its process runs here, or gives signs of life elsewhere.
    slurm_failed, slurm_refused : dict of str to int
        Why so many jobs failed in SLURM, and how often SLURM took none for now.
    """

    log: Path | None
    failed: Mapping[str, str]
    slurm_id: str | None
    locked: bool
    alive: bool
    slurm_failed: Mapping[str, int] = field(default_factory=dict)
    slurm_refused: Mapping[str, int] = field(default_factory=dict)


def read_jobs(lines: str) -> list[Job]:
    """Read the jobs that `tigerbush.cli.status.jobs` prints, those with outputs."""
    rows = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    return [
        Job(**row | {"inputs": set(row["inputs"]), "outputs": set(row["outputs"])})
        for row in rows
        if row["outputs"]
    ]


def read_run(directory: Path) -> Run:
    """Read what the newest run of a folder has left."""
    records = directory / ".snakemake"
    found = _newest_log(records / "log")
    text = found.read_text(errors="replace") if found else ""
    slurm = _RUN_ID.search(text)
    told = _slurm_record(records / "slurm.json", found, slurm[1] if slurm else None)
    return Run(
        log=found,
        failed=failures(text),
        slurm_id=slurm[1] if slurm else None,
        locked=any((records / "locks").glob("*.lock")),
        alive=any(_main_processes(directory)) or _marked_alive(directory / "results" / NAME),
        slurm_failed=told.get("failed", {}),
        slurm_refused=told.get("refused_for_now", {}),
    )


def _slurm_record(path: Path, log: Path | None, run_id: str | None) -> dict:
    """Return what the executor slurm-batch has noted, if it is of the newest run, or of one that could not begin."""
    try:
        told = json.loads(path.read_text())
        fresh = (
            told.get("run") == run_id
            if "run" in told
            else log is None or path.stat().st_mtime > log.stat().st_mtime
        )
    except (OSError, ValueError):
        return {}
    return told if fresh else {}


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
    return {name: log for outputs, log in errors.values() for name in _STORED.sub("", outputs).split(", ")}


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


def _marked_alive(path: Path) -> bool:
    """Whether the mark beside the results is that of a run that is alive, maybe of another folder or machine."""
    try:
        return state(*read(path)) == "alive"
    except OSError:
        return False


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
