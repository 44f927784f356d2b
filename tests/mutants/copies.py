"""Copies of the project, one per worker, into which faults are put; tests are forked from a process with warm imports."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fabricate import ROOT

# modules that unit tests import, besides the project's
IMPORTED = (
    "botocore.session", "cv2", "hypothesis", "matplotlib.pyplot", "netCDF4", "networkx", "numpy", "pandas", "pyarrow.parquet",
    "pystac_client", "pytest", "rasterio", "requests", "scipy.optimize", "scipy.stats", "snakemake.workflow",
    "statsmodels.api", "statsmodels.tsa.api", "xarray", "yaml",
)  # fmt: skip
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# limit of memory: a fault may allocate without end
BYTES = 8_000_000_000


@dataclass(frozen=True)
class Copy:
    """A copy of the files that git tracks or would add, in their current state."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Copy":
        """Copy the project to a folder, with links to the environment and to ../shared."""
        names = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split("\0")
        for name in filter(None, names):
            if (ROOT / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
        # for tests that list tracked files
        (folder / ".git").write_text(f"gitdir: {_git_directory()}\n")
        (folder / ".venv").symlink_to(ROOT / ".venv")
        if (ROOT.parent / "shared").exists() and not (folder.parent / "shared").exists():
            (folder.parent / "shared").symlink_to(ROOT.parent / "shared")
        return cls(folder)

    def run_tests(self, path: Path, content: bytes, tests: list[str], seconds: float) -> int | None:
        """Replace the content of a file, run tests until one fails, and restore the file.

        Returns
        -------
        int or None
            pytest's exit code; None when the tests do not end in time.
        """
        changed = self.folder / path
        original = changed.read_bytes()
        changed.write_bytes(content)
        try:
            return _wait(_fork(self.folder, tests), seconds)
        finally:
            changed.write_bytes(original)


def import_all() -> None:
    """Import what the tests import, so that forks do not have to."""
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg", **ONE_THREAD}
    sys.dont_write_bytecode = True
    for name in IMPORTED:
        with contextlib.suppress(ImportError):
            __import__(name)
    for name in [name for name in sys.modules if name.split(".")[0] in ("tigerbush", "fabricate", "mutants")]:
        del sys.modules[name]


def _git_directory() -> str:
    command = ["git", "-C", ROOT, "rev-parse", "--absolute-git-dir"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def _fork(folder: Path, tests: list[str]) -> int:
    if child := os.fork():
        return child
    code = 70
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.chdir(folder)
        sys.path[:] = [entry for entry in sys.path if not entry.startswith(str(ROOT)) or ".venv" in entry]
        import pytest

        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
    finally:
        os._exit(code)


def _wait(child: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
