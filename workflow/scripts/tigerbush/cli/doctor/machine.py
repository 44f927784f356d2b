"""Checks of the machine: disk, engines, SLURM."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import rasterio
from rasterio.env import GDALVersion

from tigerbush.cli.doctor.finding import Finding
from tigerbush.scenes.snap import check_engine

MIN_FREE_BYTES = 5e9
# of one program; several fit into the time limit of all checks
SECONDS = 3


def check_disk(directory: Path) -> Iterator[Finding]:
    """Measure the free disk space for results."""
    # the first run creates them
    results = (directory / "results").absolute()
    folder = next(path for path in (results, *results.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    enough = free >= MIN_FREE_BYTES
    advice = (
        ""
        if enough
        else f"; free at least {MIN_FREE_BYTES / 1e9:g} GB (./tigerbush plan says how much a run needs)"
    )
    yield Finding("disk", enough, f"{free / 1e9:.1f} GB free in {folder}{advice}")


def check_gdal() -> Iterator[Finding]:
    """Check that GDAL can read JPEG 2000 and write cloud-optimised GeoTIFFs."""
    with rasterio.Env() as environment:
        drivers = environment.drivers()
    missing = sorted({"JP2OpenJPEG", "COG", "GTiff"} - set(drivers))
    text = f"rasterio {rasterio.__version__}, GDAL {GDALVersion.runtime()}"
    if missing:
        text += f" without {', '.join(missing)}; install the environment again with 'make env'"
    yield Finding("rasterio", not missing, text)


def check_snap(name: str) -> Iterator[Finding]:
    """Start ESA SNAP in a separate process: its Java virtual machine may kill the process that loads it."""
    works, text = check_engine(name, 3 * SECONDS)
    yield Finding(name, works, text)


def check_slurm(profile: dict) -> Iterator[Finding]:
    """Query the SLURM controller for its partitions."""
    try:
        for command in (["scontrol", "ping"], ["sinfo", "--noheader", "--format=%R"]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
            down = done.returncode or (command[0] == "scontrol" and " UP" not in done.stdout)
            if down:
                text = " ".join((done.stderr or done.stdout).split())
                yield Finding("slurm", False, f"{command[0]}: {text}; is the SLURM controller running?")
                return
    except FileNotFoundError as error:
        yield Finding(
            "slurm", False, f"{error.filename} is not on the PATH; run this on a login node of the cluster"
        )
        return
    except subprocess.TimeoutExpired as error:
        yield Finding("slurm", False, f"{error.cmd[0]} did not respond within {SECONDS} s; try it by hand")
        return
    partitions = done.stdout.split()
    yield Finding("slurm", True, f"controller is up, partitions {', '.join(partitions)}")
    wanted = _default_resource(profile, "slurm_partition")
    if wanted and wanted not in partitions:
        yield Finding(
            "slurm", False, f"the profile's slurm_partition {wanted} is not one of them; correct it"
        )


def _default_resource(profile: dict, name: str) -> str | None:
    """Return a default resource of a profile, which is a list of name=value or a mapping."""
    resources = profile.get("default-resources") or []
    if isinstance(resources, list):
        resources = dict(str(entry).partition("=")[::2] for entry in resources)
    value = resources.get(name)
    return None if value is None else str(value).strip("'\"")
