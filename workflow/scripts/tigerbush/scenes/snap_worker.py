"""Run ESA SNAP in a separate process: its Java virtual machine lasts for one product, and may crash by itself.

Run as a script, with nothing but the standard library and esa_snappy:

    snap_worker.py check snap|gpt       print SNAP's version and Sentinel-2 reader, or what is missing (exit status 1)
    snap_worker.py process JOB REPORT   JSON in, JSON out
"""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

# what importing esa_snappy raises when it is not installed or configured, or SNAP is missing or does not start
IMPORT_ERRORS = (ImportError, OSError, RuntimeError)
ADVICE = "install and configure it as described in docs/snap.md, or set scene.engine: rasterio"


def check(engine: str) -> tuple[bool, str]:
    """Start SNAP; return whether it starts, and either its version and reader or what to do."""
    try:
        version, jars = (_gpt_version if engine == "gpt" else _snappy_version)()
    except IMPORT_ERRORS as error:
        problem = (
            "gpt cannot be run" if engine == "gpt" else f"esa_snappy cannot be imported by {sys.executable}"
        )
        return False, f"{problem} ({first_line(error)}); {ADVICE}."
    reader = _reader(jars)
    if reader is None:
        return False, f"SNAP {version} has no reader for Sentinel-2 products; install its Optical Toolbox."
    return True, f"SNAP {version}, {reader}"


def _snappy_version() -> tuple[str, list[Path]]:
    import esa_snappy

    path = esa_snappy.jpy.get_type("java.lang.System").getProperty("java.class.path")
    return str(esa_snappy.SystemUtils.getReleaseVersion()), [Path(entry) for entry in path.split(":")]


def _gpt_version() -> tuple[str, list[Path]]:
    # S607: SNAP is found on the PATH
    gpt = subprocess.run(["gpt", "--diag"], capture_output=True, text=True, check=False)  # noqa: S607
    text = gpt.stdout + gpt.stderr
    version = re.search(r"SNAP Release version (\S+)", text)
    home = re.search(r"SNAP home: (.+)", text)
    if gpt.returncode or not version or not home:
        raise RuntimeError(text.strip() or f"exit status {gpt.returncode}")
    return version[1], [*Path(home[1].strip()).rglob("*.jar")]


def _reader(jars: Iterable[Path]) -> str | None:
    """Return the name of the module that reads Sentinel-2 products, with its version if it states one."""
    readers = sorted(jar for jar in jars if "s2msi-reader" in jar.name and not jar.stem.endswith("-ui"))
    if not readers:
        return None
    try:
        with zipfile.ZipFile(readers[0]) as jar:
            manifest = jar.read("META-INF/MANIFEST.MF").decode(errors="replace")
    except (OSError, KeyError, zipfile.BadZipFile):
        manifest = ""
    version = re.search(r"^OpenIDE-Module-Specification-Version: (\S+)", manifest, re.MULTILINE)
    return readers[0].stem + (f" {version[1]}" if version else "")


def process(job: dict) -> dict[str, str]:
    """Read a product, apply operators to it without intermediate files, and write the result.

    Parameters
    ----------
    job : dict
        `product`, `target` and `format`, and `steps`, a list of operators with parameters, whose values are text.

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
            return {"status": "failed", "reason": "no reader for this product"}
        for operator, parameters in job["steps"]:
            table = HashMap()
            for name, value in parameters.items():
                table.put(name, value)
            products.append(GPF.createProduct(operator, table, products[-1]))
        ProductIO.writeProduct(products[-1], job["target"], job["format"])
    except Exception as error:
        # jpy raises RuntimeError for all Java exceptions
        reason = first_line(error)
        from_python = isinstance(error, (ImportError, MemoryError))
        return {"status": "failed", "reason": f"{type(error).__name__}: {reason}" if from_python else reason}
    finally:
        for product in reversed(products):
            if product is not None:
                product.dispose()
    return {"status": "ok", "reason": ""}


def first_line(error: object) -> str:
    """Return the first line of a message, without Java's stack trace."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def main(arguments: list[str]) -> int:
    """Run one of the two commands; return the exit status."""
    if arguments[0] == "check":
        works, text = check(arguments[1])
        print(text)
        return int(not works)
    job, report = map(Path, arguments[1:])
    outcome = process(json.loads(job.read_text()))
    report.write_text(json.dumps(outcome))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
