"""The tests that execute each line, from the contexts of coverage."""

import ast
import os
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import coverage
from defusedxml import ElementTree

from mutants.copies import ONE_THREAD

LIBRARY = Path("workflow/scripts/tigerbush")
# environment variable with the folder that mutants.recorder writes to
FOLDER = "TIGERBUSH_CONTEXTS"


class Contexts:
    """The tests of each line of the library.

    Parameters
    ----------
    folder : Path
        Copy of the project in which the tests ran.
    data : Path
        Folder that `mutants.recorder` has written to.
    """

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder = folder
        self._data = coverage.CoverageData(no_disk=True)
        for path in data.glob("*.data"):
            part = coverage.CoverageData(no_disk=True)
            part.loads(path.read_bytes())
            self._data.update(part)
        self._by_line = cache(self._data.contexts_by_lineno)
        self._importers = cache(self._find_importers)

    def tests(self, path: Path, lines: range) -> list[str]:
        """List the tests that execute any of the lines, as arguments of pytest, those that call them directly first.

        For a shared fixture coverage records only the first test that uses it, so its whole file is run. Lines executed
        on import belong to every test of the module and of the modules that import it.
        """
        executed = self._executed(path, lines)
        if "" in executed:
            executed = executed.union(
                *(self._executed(other, None) for other in (path, *self._importers(path)))
            ) - {""}
        nodes = {context.rpartition("|")[0] for context in executed if context}
        shared = {context.partition("::")[0] for context in executed if context.endswith("|setup")}
        return sorted(node for node in nodes if node.partition("::")[0] not in shared) + sorted(shared)

    def _executed(self, path: Path, lines: range | None) -> set[str]:
        by_line = self._by_line(str(self._folder / path))
        chosen = by_line.values() if lines is None else (by_line.get(line, ()) for line in lines)
        return {context for contexts in chosen for context in contexts}

    def _find_importers(self, path: Path) -> list[Path]:
        name = ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts)
        importers = []
        for other in (self._folder / LIBRARY).rglob("*.py"):
            nodes = ast.walk(ast.parse(other.read_bytes()))
            if any(isinstance(node, ast.ImportFrom) and node.module == name for node in nodes):
                importers.append(other.relative_to(self._folder))
        return importers


def run_with_contexts(folder: Path, data: Path, tests: list[str], workers: int) -> dict[str, float]:
    """Run tests with the coverage of each; return the duration of each file, in seconds.

    Raises
    ------
    SystemExit
        When a test fails without any fault.
    """
    data.mkdir()
    report = data / "report.xml"
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "mutants.recorder"),
        *("-n", str(workers), "-o", "junit_family=xunit1", f"--junitxml={report}", *tests),
    ]
    environment = os.environ | {FOLDER: str(data), **ONE_THREAD}
    completed = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if completed.returncode:
        sys.exit(f"{completed.stdout[-3000:]}\nThe tests have to pass before faults are put in.")
    seconds: dict[str, float] = defaultdict(float)
    for case in ElementTree.parse(report).iter("testcase"):
        seconds[case.get("file")] += float(case.get("time"))
    return seconds
