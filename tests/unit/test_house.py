"""Rules of the house that a machine can check: what ruff reads, sizes, and how the library imports its modules."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from fabricate import ROOT

SCRIPTS = ROOT / "workflow" / "scripts"
LIBRARY = sorted((SCRIPTS / "tigerbush").rglob("*.py"))
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 50


def python_files():
    """The Python of the repository, as git knows it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in done.stdout.splitlines() if (path := ROOT / name).exists()]


def test_ruff_reads_all_python():
    ruff = Path(sys.executable).with_name("ruff")
    done = subprocess.run(
        [ruff, "check", "--show-files", "."], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {Path(name) for name in done.stdout.splitlines()} >= set(python_files())


def test_no_file_is_long():
    lengths = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in python_files()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_long():
    """Without its docstring."""
    found = {}
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node, clean=False)
                lines = node.end_lineno - node.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)
                if lines > MOST_LINES_OF_A_FUNCTION:
                    found[f"{path.relative_to(ROOT)}: {node.name}"] = lines
    assert found == {}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_names_are_imported_and_never_modules(path):
    """The library of a rule is found by following `from package.module import name`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: a relative import"
            folder = SCRIPTS.joinpath(*node.module.split("."))
            modules = [
                one.name
                for one in node.names
                if (folder / one.name).is_dir() or (folder / f"{one.name}.py").exists()
            ]
            assert modules == [], f"line {node.lineno}"
