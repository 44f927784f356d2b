"""Checks of the machine: tables, disk, engines, SLURM."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import rasterio
from rasterio.env import GDALVersion

from tigerbush.cli.configuration import sites_of
from tigerbush.cli.doctor.finding import Finding
from tigerbush.scenes.snap import check_engine

LEAST_DISK = 5e9
# of one program or request: several fit into the doctor's limit
SECONDS = 3


def tables(config: dict, directory: Path) -> Iterator[Finding]:
    """Look for the tables of sites and of products."""
    yield Finding("sites", True, f"{len(sites_of(config, directory))} in {directory / config['sites']}")
    table = directory / config["products"]
    known = "is there" if table.exists() else "is made by the first run"
    yield Finding("products", True, f"{table} {known}")


def disk(directory: Path) -> Iterator[Finding]:
    """Measure the free disk where results go."""
    place = next(path for path in ((directory / "results").absolute(), directory.absolute()) if path.exists())
    free = shutil.disk_usage(place).free
    enough = free >= LEAST_DISK
    advice = (
        "" if enough else f"; make room for at least {LEAST_DISK / 1e9:g} GB (./tigerbush plan says how much)"
    )
    yield Finding("disk", enough, f"{free / 1e9:.1f} GB free in {place}{advice}")


def raster_library() -> Iterator[Finding]:
    """See that GDAL can read JPEG 2000 and write cloud-optimised GeoTIFFs."""
    with rasterio.Env() as environment:
        drivers = environment.drivers()
    missing = sorted({"JP2OpenJPEG", "COG", "GTiff"} - set(drivers))
    text = f"rasterio {rasterio.__version__}, GDAL {GDALVersion.runtime()}"
    if missing:
        text += f" without {', '.join(missing)}; make the environment again with 'make env'"
    yield Finding("rasterio", not missing, text)


def engine(name: str) -> Iterator[Finding]:
    """Start ESA SNAP in a process of its own: its Java virtual machine may end the process that loads it."""
    fine, text = check_engine(name, 3 * SECONDS)
    yield Finding(name, fine, text)


def slurm(profile: dict) -> Iterator[Finding]:
    """Ask the SLURM controller for its partitions."""
    try:
        for command in (["scontrol", "ping"], ["sinfo", "--noheader", "--format=%R"]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
            down = done.returncode or (command[0] == "scontrol" and " UP" not in done.stdout)
            if down:
                text = " ".join((done.stderr or done.stdout).split())
                yield Finding("slurm", False, f"{command[0]}: {text}; is the SLURM controller running?")
                return
    except FileNotFoundError as error:
        yield Finding("slurm", False, f"{error.filename} is not on the PATH; log in to a node of the cluster")
        return
    except subprocess.TimeoutExpired as error:
        yield Finding("slurm", False, f"{error.cmd[0]} does not answer within {SECONDS} s; try it by hand")
        return
    partitions = done.stdout.split()
    yield Finding("slurm", True, f"controller up, partitions {', '.join(partitions)}")
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
