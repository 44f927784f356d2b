"""ESA SNAP in a process of its own: its Java virtual machine lives as long as one product, and may die alone.

Run as a file, with nothing but the standard library and esa_snappy:

    snap_worker.py check snap|gpt       prints SNAP's version and Sentinel-2 reader, or what is missing (status 1)
    snap_worker.py process JOB REPORT   JSON in, JSON out
"""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

# what importing esa_snappy raises: not installed, not configured, SNAP not there or not startable
IMPORT_ERRORS = (ImportError, OSError, RuntimeError)
ADVICE = "install and configure it as docs/snap.md tells, or set scene.engine: rasterio"


def check(engine: str) -> tuple[bool, str]:
    """Start SNAP; return whether it starts, and its version and reader or what to do."""
    try:
        version, jars = (_gpt_version if engine == "gpt" else _snappy_version)()
    except IMPORT_ERRORS as error:
        what = (
            "gpt cannot be run" if engine == "gpt" else f"esa_snappy cannot be imported by {sys.executable}"
        )
        return False, f"{what} ({first_line(error)}); {ADVICE}."
    reader = _reader(jars)
    if reader is None:
        return False, f"SNAP {version} has no reader of Sentinel-2 products; install its Optical Toolbox."
    return True, f"SNAP {version}, {reader}"


def _snappy_version() -> tuple[str, list[Path]]:
    import esa_snappy

    path = esa_snappy.jpy.get_type("java.lang.System").getProperty("java.class.path")
    return str(esa_snappy.SystemUtils.getReleaseVersion()), [Path(entry) for entry in path.split(":")]


def _gpt_version() -> tuple[str, list[Path]]:
    # S607: where SNAP lies only the PATH knows
    done = subprocess.run(["gpt", "--diag"], capture_output=True, text=True, check=False)  # noqa: S607
    text = done.stdout + done.stderr
    version = re.search(r"SNAP Release version (\S+)", text)
    home = re.search(r"SNAP home: (.+)", text)
    if done.returncode or not version or not home:
        raise RuntimeError(text.strip() or f"it ends with {done.returncode}")
    return version[1], [*Path(home[1].strip()).rglob("*.jar")]


def _reader(jars: Iterable[Path]) -> str | None:
    """Name the module that reads Sentinel-2 products, with its version where it says so."""
    found = sorted(jar for jar in jars if "s2msi-reader" in jar.name and not jar.stem.endswith("-ui"))
    if not found:
        return None
    try:
        with zipfile.ZipFile(found[0]) as jar:
            manifest = jar.read("META-INF/MANIFEST.MF").decode(errors="replace")
    except (OSError, KeyError, zipfile.BadZipFile):
        manifest = ""
    version = re.search(r"^OpenIDE-Module-Specification-Version: (\S+)", manifest, re.MULTILINE)
    return found[0].stem + (f" {version[1]}" if version else "")


def process(job: dict) -> dict[str, str]:
    """Read a product, run operators on it without a file between them, write the result.

    Parameters
    ----------
    job : dict
        `product`, `target` and `format`, and `steps`, a list of operator and parameters, which are text.

    Returns
    -------
    {status, reason}
        `status` is ok, unavailable (SNAP does not start) or failed.
    """
    try:
        from esa_snappy import GPF, HashMap, ProductIO
    except IMPORT_ERRORS as error:
        return {"status": "unavailable", "reason": first_line(error)}
    products = []
    try:
        products.append(ProductIO.readProduct(job["product"]))
        if products[-1] is None:
            return {"status": "failed", "reason": "no reader takes it"}
        for operator, parameters in job["steps"]:
            table = HashMap()
            for name, value in parameters.items():
                table.put(name, value)
            products.append(GPF.createProduct(operator, table, products[-1]))
        ProductIO.writeProduct(products[-1], job["target"], job["format"])
    except Exception as error:
        # jpy raises RuntimeError for whatever Java throws
        reason = first_line(error)
        own = isinstance(error, (ImportError, MemoryError))
        return {"status": "failed", "reason": f"{type(error).__name__}: {reason}" if own else reason}
    finally:
        for product in reversed(products):
            if product is not None:
                product.dispose()
    return {"status": "ok", "reason": ""}


def first_line(error: object) -> str:
    """Return the first line of a message, Java's stack left out."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def main(arguments: list[str]) -> int:
    """Run one of the two commands; return the exit status."""
    if arguments[0] == "check":
        fine, text = check(arguments[1])
        print(text)
        return int(not fine)
    job, report = map(Path, arguments[1:])
    outcome = process(json.loads(job.read_text()))
    report.write_text(json.dumps(outcome))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
