"""Check everything a run depends on: tables, weather, keys, endpoints, disk, engines, clusters. Nothing is run.

Each line says ok, warning or failed, and what to do; the exit status is 1 if a check failed. Use the options of the
run:
./tigerbush doctor --configfile config/cdse.yaml --profile profiles/slurm

With --results it opens every result instead, which may take minutes, and names each that is damaged, with what makes
it again.
"""

import argparse
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from time import monotonic

from tigerbush.cli.configuration import (
    add_run_arguments,
    configuration_files,
    read_configuration,
    read_profile,
    read_run_configuration,
    refuse_folders,
    refuse_missing_configuration,
)
from tigerbush.cli.damage import damaged_results
from tigerbush.cli.doctor.azure import check_azure
from tigerbush.cli.doctor.finding import Finding
from tigerbush.cli.doctor.machine import check_disk, check_gdal, check_slurm, check_snap
from tigerbush.cli.doctor.source import check_source
from tigerbush.cli.doctor.tables import check_tables
from tigerbush.cli.doctor.weather import check_weather
from tigerbush.cli.remedies import ADVICE, find_remedies
from tigerbush.errors import TigerbushError
from tigerbush.planning.nodes import check_nodes

# for all checks together; one that has not ended by then has failed
SECONDS = 10
# of checks that only take long
_LATE = {
    "weather": "reading takes longer than {:g} s, and not all of it was checked; the run checks what it reads"
}
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL|CONNECTION_STRING", re.IGNORECASE)

Check = Callable[[], Iterable[Finding]]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_run_arguments(command)
    command.add_argument(
        "--create", action="store_true", help="create the Blob container of the profile if it does not exist"
    )
    command.add_argument(
        "--results", action="store_true", help="open every result, and name the damaged ones"
    )


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Run all checks at the same time; print one line per finding."""
    if rest:
        raise TigerbushError(f"doctor does not know {' '.join(rest)!r}; see ./tigerbush doctor --help.")
    if vars(options).get("results"):
        return _print_findings(check_results(options))
    try:
        refuse_missing_configuration(options)
        config = read_configuration(options)
        profile = read_profile(options.profile)
        refuse_folders(options)
    except TigerbushError as error:
        findings = [Finding("configuration", False, str(error))]
    else:
        files = ", ".join(configuration_files(options))
        findings = [Finding("configuration", True, files), *run_checks(checks(options, config, profile))]
    return _print_findings(findings)


def _print_findings(findings: Iterable[Finding]) -> int:
    """Print one line per finding; return the exit status."""
    status = 0
    for finding in findings:
        print(f"{finding.state:7} {finding.name:15} {redacted(finding.text)}", flush=True)
        status |= not finding.ok
    return int(status)


def check_results(options: argparse.Namespace) -> Iterator[Finding]:
    """Open every result of a run, and name each that was damaged after it was finished, with what to do about it."""
    results = options.directory / "results"
    if not results.is_dir():
        yield Finding(
            "results", False, f"{results} does not exist; run the workflow, or name its --directory"
        )
        return
    damaged = damaged_results(results)
    if not damaged:
        yield Finding("results", True, f"every result in {results} can be read")
        return
    try:
        paths = [path.relative_to(options.directory) for path in damaged]
        remedies = find_remedies(options, read_run_configuration(options), paths)
    except TigerbushError as error:
        yield from (Finding("results", False, f"{path}: {reason}") for path, reason in damaged.items())
        yield Finding(
            "results", False, f"{len(damaged)} damaged; what makes them again is not known: {error}"
        )
        return
    for (path, reason), remedy in zip(damaged.items(), remedies.values(), strict=True):
        yield Finding("results", False, f"{path}: {reason}; {ADVICE[remedy]}")


def checks(options: argparse.Namespace, config: dict, profile: dict) -> dict[str, Check]:
    """Return the checks that the configuration and the profile need, by name."""
    chosen = {
        "sites": lambda: check_tables(config, options.directory),
        "weather": lambda: check_weather(config, options.directory),
        "disk": lambda: check_disk(options.directory),
        "rasterio": check_gdal,
        "source": lambda: check_source(config, options.directory),
    }
    if "sources" not in (profile.get("shared-fs-usage") or "sources"):
        chosen["nodes"] = lambda: check_files_of_nodes(config)
    if config["scene"]["engine"] != "rasterio":
        chosen["engine"] = lambda: check_snap(config["scene"]["engine"])
    if profile.get("executor") in ("slurm", "slurm-batch"):
        chosen["slurm"] = lambda: check_slurm(profile)
    if "azure" in f"{profile.get('executor')} {profile.get('default-storage-provider')}":
        chosen["azure"] = lambda: check_azure(profile, options.create)
    return chosen


def check_files_of_nodes(config: dict) -> Iterable[Finding]:
    """Check that nodes without the disk of this machine get what they need, as a run does."""
    check_nodes(config)
    table = f"get {config['sites']}, and " if config["sites"] else ""
    yield Finding("nodes", True, f"they {table}need no keys")


def run_checks(chosen: dict[str, Check], seconds: float = SECONDS) -> list[Finding]:
    """Run checks in parallel; return the findings made in time, in the order of the checks.

    Parameters
    ----------
    chosen : dict of str to callable
        Each yields its findings.
    seconds : float
        For all of them together. A check that has not ended by then adds a finding that says so.
    """
    findings: dict[str, list[Finding]] = {name: [] for name in chosen}

    def work(name: str) -> None:
        try:
            for finding in chosen[name]():
                findings[name].append(finding)
        except TigerbushError as error:
            findings[name].append(Finding(name, False, str(error)))
        except Exception as error:  # a check that crashes must not hide the others
            findings[name].append(Finding(name, False, f"{type(error).__name__}: {error}"))

    # daemon threads, which are abandoned: one that hangs must not delay the end
    threads = {name: threading.Thread(target=work, args=(name,), daemon=True) for name in chosen}
    for thread in threads.values():
        thread.start()
    end = monotonic() + seconds
    for name, thread in threads.items():
        thread.join(max(end - monotonic(), 0))
        if thread.is_alive():
            text = _LATE.get(name, "no answer within {:g} s; try again.").format(seconds)
            findings[name] = [*findings[name], Finding(name, name in _LATE, text, warning=True)]
    return [finding for name in chosen for finding in findings[name]]


def redacted(text: str) -> str:
    """Return a text as one line, without the values of secret environment variables."""
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= 4:
            text = text.replace(value, f"<{name}>")
    return " ".join(text.split())
