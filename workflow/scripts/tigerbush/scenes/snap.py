"""Scenes by ESA SNAP: the engines `snap` (esa_snappy, its bridge to Python) and `gpt` (its command).

SNAP runs in a process of its own for every product, with a user directory, temporary files, memory and threads of its
own: virtual machines that share any of them disturb each other. It reads the same product and writes a plain GeoTIFF,
which `tigerbush.scenes.snap_output` turns into the file that the engine `rasterio` writes.
"""

import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tigerbush.errors import EngineError, TigerbushError
from tigerbush.files import read_json, scratch_folder, write_json
from tigerbush.raster import write_raster
from tigerbush.readers import Product, open_product, unpack_product
from tigerbush.scenes.scene import SceneOptions, scene_grid, scene_outside, scene_region
from tigerbush.scenes.snap_graph import FORMAT, Step, graph_xml, scene_steps
from tigerbush.scenes.snap_output import rewrite
from tigerbush.scenes.snap_worker import __file__ as _worker
from tigerbush.sensors import sensor_of

log = logging.getLogger(__name__)

WORKER = Path(_worker)
# a shell's status for a command that may not be executed, and for one that is not there
_NOT_STARTED = (126, 127)
# what SNAP says when the machine is to blame, not the product
_MACHINE = {
    "ran out of memory; the next attempt gets more, or raise mem_mb of the rule": (
        "OutOfMemoryError",
        "MemoryError",
        "Java heap space",
        "GC overhead limit",
        "Cannot allocate memory",
        "insufficient memory",
    ),
    "found the disk full; make room in the folder for temporary files (TMPDIR)": (
        "No space left on device",
        "Disk quota exceeded",
        "File too large",
        "Read-only file system",
    ),
    "may not open enough files; raise the limit (ulimit -n)": ("Too many open files",),
    "lost a disk; mount it again": (
        "Stale file handle",
        "Transport endpoint is not connected",
        "Host is down",
    ),
    "does not start or is not complete; check mem_mb of the rule and the installation (docs/snap.md)": (
        "Java Virtual Machine",
        "initialization of VM",
        "NoClassDefFoundError",
        "ClassNotFoundException",
        "UnsatisfiedLinkError",
        "ImportError",
        "ModuleNotFoundError",
    ),
}


@dataclass(frozen=True)
class Limits:
    """What one run of SNAP may take.

    Attributes
    ----------
    threads : int
    memory_mb : int
        Of all, in MB.
    """

    threads: int
    memory_mb: int

    @property
    def heap_mb(self) -> int:
        """Java's heap: three quarters, because the virtual machine and its libraries need memory beside it."""
        return max(self.memory_mb * 3 // 4, 512)

    @property
    def cache_mb(self) -> int:
        """SNAP's cache of image tiles, which is part of the heap."""
        return self.heap_mb // 2

    def java_options(self, folder: Path) -> list[str]:
        """Return the options for places and limits that only the start of Java can set."""
        return [
            f"-Dsnap.userdir={folder / 'user'}",
            f"-Djava.io.tmpdir={folder}",
            f"-Dsnap.jai.tileCacheSize={self.cache_mb}",
            f"-Dsnap.parallelism={self.threads}",
        ]


def write_snap_scene(path: Path, target: Path, options: SceneOptions, limits: Limits) -> None:
    """Write a scene as `tigerbush.scenes.scene.write_scene` does, resampled and cut by SNAP.

    Parameters
    ----------
    path : Path
        Whole product (with DATASTRIP/ and GRANULE/), folder or zip; a zip is unpacked for the time of the run.
    target : Path
        GeoTIFF.
    options : SceneOptions
        Of the engine `snap` or `gpt`, with one method for all bands.
    limits : Limits

    Raises
    ------
    TigerbushError
        When the product cannot be read, by SNAP or before; nothing is left at `target` then.
    EngineError
        When SNAP cannot be started, or the machine is to blame for its end.
    """
    product = open_product(path)
    for band in options.bands:
        product.check_band(band)
    whole = scene_grid(product, options.resolution)
    grid = scene_region(whole, product.epsg, options.region, options.geo_region)
    if grid is None:
        write_raster(target, scene_outside(product.name.product, options.bands, options.resolution))
        return
    with scratch_folder("tigerbush-snap-") as folder:
        (folder / "user").mkdir()
        plain = folder / "scene.tif"
        if options.region is not None:
            # clipped: what SNAP makes of pixels beyond the product is not known
            options = replace(options, region=whole.pixels(grid))
        steps = scene_steps(options)
        run = _run_gpt if options.engine == "gpt" else _run_snappy
        failure = run(_whole_folder(product, folder), plain, steps, folder, limits)
        if failure is not None:
            raise _explain(product, failure)
        rewrite(plain, target, product, options.bands)


def _whole_folder(product: Product, folder: Path) -> Path:
    """Return the folder that SNAP reads."""
    path = product.path.resolve()
    safe = path if path.is_dir() else unpack_product(path, folder)
    for part in sensor_of(product.name.product).snap_folders:
        if not (safe / part).is_dir():
            raise TigerbushError(
                f"{product.path} has no folder {part}, without which SNAP does not read it; fetch the whole product, "
                "then run ./tigerbush retry, or set scene.engine: rasterio."
            )
    return safe


def snappy_ini(folder: Path, limits: Limits) -> str:
    """Return the configuration of esa_snappy that goes before the installed one, whose `snap_home` stays."""
    options = "|".join(limits.java_options(folder)).replace("%", "%%")
    return f"[DEFAULT]\njava_max_mem = {limits.heap_mb}M\njava_options = {options}\n"


def _run_snappy(safe: Path, plain: Path, steps: Sequence[Step], folder: Path, limits: Limits) -> str | None:
    """Run SNAP through esa_snappy; return why it failed, or None."""
    (folder / "esa_snappy.ini").write_text(snappy_ini(folder, limits))
    job, report = folder / "job.json", folder / "report.json"
    write_json(job, {"product": str(safe), "target": str(plain), "format": FORMAT, "steps": steps})
    done = _child([sys.executable, "-P", str(WORKER), "process", str(job), str(report)], folder)
    if not report.exists():
        raise EngineError(f"SNAP ended with {done.returncode} before it was done: {_last_line(done)}")
    outcome = read_json(report)
    if outcome["status"] == "unavailable":
        raise EngineError(
            f"esa_snappy cannot be imported ({outcome['reason']}); docs/snap.md tells how to install it."
        )
    return None if outcome["status"] == "ok" else outcome["reason"]


def gpt_command(graph: Path, folder: Path, limits: Limits) -> list[str]:
    """Return the command that runs a graph within limits."""
    options = [f"-Xmx{limits.heap_mb}M", *limits.java_options(folder)]
    return [
        "gpt",
        str(graph),
        "-q",
        str(limits.threads),
        "-c",
        f"{limits.cache_mb}M",
        *(f"-J{option}" for option in options),
    ]


def _run_gpt(safe: Path, plain: Path, steps: Sequence[Step], folder: Path, limits: Limits) -> str | None:
    """Run SNAP's command on a graph; return why it failed, or None."""
    graph = folder / "graph.xml"
    graph.write_bytes(graph_xml(safe, plain, steps))
    try:
        done = _child(gpt_command(graph, folder, limits), folder)
    except FileNotFoundError:
        raise EngineError("gpt is not on the PATH; docs/snap.md tells how to install ESA SNAP.") from None
    except OSError as error:
        raise EngineError(
            f"gpt cannot be started ({error.strerror}); docs/snap.md tells how to install it."
        ) from error
    # a shell adds 128 to the signal that ended what it had started
    if done.returncode < 0 or done.returncode > 128:
        raise EngineError(f"gpt was ended by signal {abs(done.returncode) % 128}; run again.")
    if done.returncode in _NOT_STARTED:
        raise EngineError(
            f"gpt cannot be started ({_last_line(done)}); docs/snap.md tells how to install it."
        )
    if done.returncode == 0 and plain.exists():
        return None
    lines = [line for line in done.stdout.splitlines() if "Error" in line]
    return lines[0].strip() if lines else _last_line(done)


def _child(command: list[str], folder: Path) -> subprocess.CompletedProcess:
    """Run a program in the folder of the job; what it prints goes to the log."""
    done = subprocess.run(  # noqa: S603  a list of our own, no shell
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    for line in done.stdout.splitlines():
        log.info("SNAP: %s", line)
    return done


def _last_line(done: subprocess.CompletedProcess) -> str:
    lines = done.stdout.strip().splitlines()
    return lines[-1].strip() if lines else f"it ended with {done.returncode} and no message"


def _explain(product: Product, reason: str) -> Exception:
    """Return the error for what SNAP says; the machine's faults are none of the product."""
    for sentence, signs in _MACHINE.items():
        if any(sign in reason for sign in signs):
            return EngineError(f"{product.path}: SNAP {sentence} ({reason}).")
    return TigerbushError(
        f"{product.path}: SNAP failed ({reason}); fetch the product again, then run ./tigerbush retry, or set "
        "scene.engine: rasterio."
    )


def check_engine(engine: str, seconds: float) -> tuple[bool, str]:
    """Start an engine in a process of its own.

    Parameters
    ----------
    engine : {"snap", "gpt"}
    seconds : float
        To wait for it.

    Returns
    -------
    fine : bool
    text : str
        SNAP's version and the module that reads Sentinel-2 products, or what to do.
    """
    with tempfile.TemporaryDirectory(prefix="tigerbush-snap-") as folder:
        command = [sys.executable, "-P", str(WORKER), "check", engine]
        try:
            done = subprocess.run(  # noqa: S603
                command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return False, f"SNAP does not start within {seconds:g} s; try it by hand."
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["no message"]
    return done.returncode == 0, lines[-1]
