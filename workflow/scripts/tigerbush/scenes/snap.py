"""Make scenes with ESA SNAP: the engines `snap` (esa_snappy, its Python bridge) and `gpt` (its command line).

SNAP runs in a separate process for every product, with its own user directory, temporary files, memory and threads,
because Java virtual machines that share any of these interfere with each other. It reads the same product and writes a
plain GeoTIFF, which `tigerbush.scenes.snap_output` rewrites as the file that the engine `rasterio` would write.
"""

import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tigerbush.errors import LEAVE_OUT, EngineError, TigerbushError
from tigerbush.files import read_json, scratch_folder, write_json
from tigerbush.raster import write_raster
from tigerbush.readers import Product, open_product, unpack_product
from tigerbush.scenes.scene import SceneOptions, scene_grid, scene_outside, scene_region
from tigerbush.scenes.snap_graph import FORMAT, Step, graph_xml, scene_steps
from tigerbush.scenes.snap_output import rewrite_output
from tigerbush.scenes.snap_worker import __file__ as _worker
from tigerbush.sensors import sensor_of

log = logging.getLogger(__name__)

WORKER = Path(_worker)
# exit status of a shell for a command that is not executable, and for one that is not found
_NOT_STARTED = (126, 127)
# what gpt prints while it runs, such as 22%45%67%90% done., without ending the line before a message
_PROGRESS = re.compile(r"[.\s]*(?:\d{1,3}%[.\s]*)+(?:done\.?)?")
_NO_MESSAGES = ("", "Executing processing graph", "done.")
_OUT_OF_MEMORY = (
    "OutOfMemoryError",
    "MemoryError",
    "Java heap space",
    "GC overhead limit",
    "Cannot allocate memory",
    "insufficient memory",
    # by the image library, which drops the cause
    "Cannot construct DataBuffer",
)
# sentences for errors that are the machine's fault, and the messages of SNAP that indicate them
_MACHINE = {
    "ran out of memory; the next attempt gets more, or raise mem_mb of the rule": _OUT_OF_MEMORY,
    "found the disk full; free space in the folder for temporary files (TMPDIR)": (
        "No space left on device",
        "Disk quota exceeded",
        "File too large",
        "Read-only file system",
    ),
    "could not open enough files; raise the limit (ulimit -n)": ("Too many open files",),
    "lost a file system; mount it again": (
        "Stale file handle",
        "Transport endpoint is not connected",
        "Host is down",
    ),
    "does not start or is incomplete; check mem_mb of the rule and the installation (docs/snap.md)": (
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
    """Limits of one run of SNAP.

    Attributes
    ----------
    threads : int
    memory_mb : int
        Total memory in MB.
    """

    threads: int
    memory_mb: int

    @property
    def heap_mb(self) -> int:
        """Java's heap: three quarters of the memory; the virtual machine and its libraries need the rest."""
        return max(self.memory_mb * 3 // 4, 512)

    @property
    def cache_mb(self) -> int:
        """SNAP's cache of image tiles, which is part of the heap."""
        return self.heap_mb // 2

    def java_options(self, folder: Path) -> list[str]:
        """Return the options that can only be set when Java starts: folders and limits, and no more than warnings.

        Without the last one every new user directory asks ESA's server for the newest version.
        """
        return [
            f"-Dsnap.userdir={folder / 'user'}",
            f"-Djava.io.tmpdir={folder}",
            f"-Dsnap.jai.tileCacheSize={self.cache_mb}",
            f"-Dsnap.parallelism={self.threads}",
            "-Dsnap.log.level=WARNING",
            "-Dsnap.versionCheck.interval=NEVER",
        ]


def write_snap_scene(path: Path, target: Path, options: SceneOptions, limits: Limits) -> None:
    """Write a scene like `tigerbush.scenes.scene.write_scene`, but resampled and subset by SNAP.

    Parameters
    ----------
    path : Path
        Folder or zip of a whole product (with DATASTRIP/ and GRANULE/); a zip is unpacked temporarily.
    target : Path
        GeoTIFF.
    options : SceneOptions
        With engine `snap` or `gpt`, and one method for all bands.
    limits : Limits

    Raises
    ------
    TigerbushError
        When the product cannot be read, by SNAP or before; nothing is written to `target` then.
    EngineError
        When SNAP cannot be started, or the machine is to blame for its failure.
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
            # clipped, because SNAP's treatment of pixels outside the product is not documented
            options = replace(options, region=whole.pixels(grid))
        steps = scene_steps(options)
        run = _run_gpt if options.engine == "gpt" else _run_snappy
        failure = run(_product_folder(product, folder), plain, steps, folder, limits)
        if failure is not None:
            raise _snap_error(product, failure)
        rewrite_output(plain, target, product, options.bands)


def _product_folder(product: Product, folder: Path) -> Path:
    """Return the product folder for SNAP, unpacked if necessary."""
    path, sensor = product.path.absolute(), sensor_of(product.name.product)
    standard = f"{product.name.product}{sensor.suffix}"
    if not path.is_dir():
        safe = unpack_product(path, folder)
    elif path.name == standard:
        safe = path
    else:
        # SNAP reads a folder by its name
        safe = folder / standard
        safe.symlink_to(path, target_is_directory=True)
    for name in sensor.snap_folders:
        if not (safe / name).is_dir():
            raise TigerbushError(
                f"{product.path} has no folder {name}, without which SNAP cannot read it; fetch the whole product, "
                "then run ./tigerbush retry, or set scene.engine: rasterio."
            )
    return safe


def snappy_ini(folder: Path, limits: Limits) -> str:
    """Return the configuration of esa_snappy that overrides the installed one, except for its `snap_home`."""
    options = "|".join(limits.java_options(folder)).replace("%", "%%")
    return f"[DEFAULT]\njava_max_mem = {limits.heap_mb}M\njava_options = {options}\n"


def _run_snappy(safe: Path, plain: Path, steps: Sequence[Step], folder: Path, limits: Limits) -> str | None:
    """Run SNAP through esa_snappy; return the reason when it fails, else None."""
    (folder / "esa_snappy.ini").write_text(snappy_ini(folder, limits))
    job, report = folder / "job.json", folder / "report.json"
    write_json(job, {"product": str(safe), "target": str(plain), "format": FORMAT, "steps": steps})
    process = _run([sys.executable, "-P", str(WORKER), "process", str(job), str(report)], folder)
    if not report.exists():
        raise EngineError(
            f"SNAP ended with exit status {process.returncode} before it was done: {_last_line(process)}"
        )
    outcome = read_json(report)
    if outcome["status"] == "unavailable":
        raise EngineError(
            f"esa_snappy cannot be imported ({outcome['reason']}); docs/snap.md explains how to install it."
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
    """Run SNAP's command line on a graph; return the reason when it fails, else None."""
    graph = folder / "graph.xml"
    graph.write_bytes(graph_xml(safe, plain, steps))
    try:
        process = _run(gpt_command(graph, folder, limits), folder)
    except FileNotFoundError:
        raise EngineError("gpt is not on the PATH; docs/snap.md explains how to install ESA SNAP.") from None
    except OSError as error:
        raise EngineError(
            f"gpt cannot be started ({error.strerror}); docs/snap.md explains how to install it."
        ) from error
    # a shell returns 128 plus the number of the signal that ended its command
    if process.returncode < 0 or process.returncode > 128:
        raise EngineError(f"gpt was ended by signal {abs(process.returncode) % 128}; run again.")
    if process.returncode in _NOT_STARTED:
        raise EngineError(
            f"gpt cannot be started ({_last_line(process)}); docs/snap.md explains how to install it."
        )
    if process.returncode == 0 and plain.exists():
        return None
    lines = _messages(process)
    # a lack of memory may be reported after errors that follow from it
    for signs in (_OUT_OF_MEMORY, ("Error",)):
        for line in lines:
            if any(sign in line for sign in signs):
                return line
    if process.returncode == 0:
        raise EngineError(
            "gpt ended without an error and without a file, as it may with too little memory; run again, with more "
            "mem_mb of the rule if it happens again."
        )
    return _last_line(process)


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess:
    """Run a program in a folder; its output goes to the log."""
    process = subprocess.run(  # noqa: S603  a list of our own, no shell
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    for line in _messages(process):
        log.info("SNAP: %s", line)
    return process


def _messages(process: subprocess.CompletedProcess) -> list[str]:
    """Return the lines that a program printed, without its progress."""
    lines = (line.strip() for line in process.stdout.splitlines())
    messages = (line[match.end() :].strip() if (match := _PROGRESS.match(line)) else line for line in lines)
    return [message for message in messages if message not in _NO_MESSAGES]


def _last_line(process: subprocess.CompletedProcess) -> str:
    lines = _messages(process)
    return lines[-1] if lines else f"exit status {process.returncode}, no message"


def _snap_error(product: Product, reason: str) -> Exception:
    """Return the exception for SNAP's message, by whether the machine or the product is to blame."""
    for sentence, messages in _MACHINE.items():
        if any(message in reason for message in messages):
            return EngineError(f"{product.path}: SNAP {sentence} ({reason}).")
    return TigerbushError(
        f"{product.path}: SNAP failed ({reason}); set scene.engine: rasterio, which says what it cannot read, or "
        f"{LEAVE_OUT}."
    )


def check_engine(engine: str, seconds: float) -> tuple[bool, str]:
    """Check, in a separate process, that an engine starts.

    Parameters
    ----------
    engine : {"snap", "gpt"}
    seconds : float
        Time limit.

    Returns
    -------
    works : bool
    text : str
        SNAP's version and the module that reads Sentinel-2 products, or what to do.
    """
    with tempfile.TemporaryDirectory(prefix="tigerbush-snap-") as folder:
        command = [sys.executable, "-P", str(WORKER), "check", engine]
        try:
            process = subprocess.run(  # noqa: S603
                command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return False, f"SNAP does not start within {seconds:g} s; start it by hand to see why."
    lines = process.stdout.strip().splitlines() or process.stderr.strip().splitlines() or ["no message"]
    return process.returncode == 0, lines[-1]
