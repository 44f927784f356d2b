"""Tell what a run would trip over: keys, endpoints, disk, engines, clusters. Nothing is run.

Each line says ok, or what to do; the exit status is 1 when something is wrong. Give it the options of the run,
for example: ./tigerbush doctor --configfile config/cdse.yaml --profile profiles/slurm
"""

import argparse
import os
import re
import threading
from collections.abc import Callable, Iterable
from time import monotonic

from tigerbush.cli.configuration import (
    add_run_arguments,
    configuration_files,
    read_configuration,
    read_profile,
    refuse_folders,
)
from tigerbush.cli.doctor.azure import azure
from tigerbush.cli.doctor.finding import Finding
from tigerbush.cli.doctor.machine import disk, engine, raster_library, slurm, tables
from tigerbush.cli.doctor.source import source
from tigerbush.errors import TigerbushError

# no check takes longer; what has not answered by then is wrong
SECONDS = 10
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL|CONNECTION_STRING", re.IGNORECASE)

Check = Callable[[], Iterable[Finding]]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add_run_arguments(command)
    command.add_argument(
        "--create", action="store_true", help="make the Blob container of the profile when it is not there"
    )


def run(options: argparse.Namespace, rest: list[str]) -> int:
    """Check everything at once; print one line per finding."""
    if rest:
        raise TigerbushError(f"doctor does not know {' '.join(rest)!r}; see ./tigerbush doctor --help.")
    try:
        config = read_configuration(options)
        profile = read_profile(options.profile)
        refuse_folders(options)
    except TigerbushError as error:
        findings = [Finding("configuration", False, str(error))]
    else:
        read = ", ".join(configuration_files(options)) or "given values"
        findings = [Finding("configuration", True, read), *examine(checks(options, config, profile))]
    for finding in findings:
        print(f"{'ok' if finding.ok else 'wrong':6} {finding.name:15} {redacted(finding.text)}", flush=True)
    return int(not all(finding.ok for finding in findings))


def checks(options: argparse.Namespace, config: dict, profile: dict) -> dict[str, Check]:
    """Name the checks that fit the configuration and the profile."""
    chosen = {
        "sites": lambda: tables(config, options.directory),
        "disk": lambda: disk(options.directory),
        "rasterio": raster_library,
        "source": lambda: source(config, options.directory),
    }
    if config["scene"]["engine"] != "rasterio":
        chosen["engine"] = lambda: engine(config["scene"]["engine"])
    if profile.get("executor") in ("slurm", "slurm-batch"):
        chosen["slurm"] = lambda: slurm(profile)
    if "azure" in f"{profile.get('executor')} {profile.get('default-storage-provider')}":
        chosen["azure"] = lambda: azure(profile, options.create)
    return chosen


def examine(chosen: dict[str, Check], seconds: float = SECONDS) -> list[Finding]:
    """Run checks side by side; what they found until the time is up, in their order.

    Parameters
    ----------
    chosen : dict of str to callable
        Each gives its findings one by one.
    seconds : float
        For all of them together. A check that has not ended by then adds a finding that says so.
    """
    found: dict[str, list[Finding]] = {name: [] for name in chosen}

    def work(name: str) -> None:
        try:
            for finding in chosen[name]():
                found[name].append(finding)
        except TigerbushError as error:
            found[name].append(Finding(name, False, str(error)))
        except Exception as error:  # a check that breaks must not hide the others
            found[name].append(Finding(name, False, f"{type(error).__name__}: {error}"))

    # threads that may be left behind: one that hangs must not hold the end up
    threads = {name: threading.Thread(target=work, args=(name,), daemon=True) for name in chosen}
    for thread in threads.values():
        thread.start()
    end = monotonic() + seconds
    for name, thread in threads.items():
        thread.join(max(end - monotonic(), 0))
        if thread.is_alive():
            found[name] = [*found[name], Finding(name, False, f"no answer within {seconds:g} s; try again.")]
    return [finding for findings in found.values() for finding in findings]


def redacted(text: str) -> str:
    """Return one line in which no value of a secret environment variable is left."""
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= 4:
            text = text.replace(value, f"<{name}>")
    return " ".join(text.split())
