"""The library, and the fingerprint of what each rule runs of it; there is no list of modules."""

import hashlib
import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path

from snakemake.sourcecache import LocalSourceFile
from snakemake_interface_executor_plugins.settings import ExecMode

HERE = workflow.current_basedir


def source(name):
    """A file of workflow/, where this process finds it; of a workflow that lies elsewhere it is fetched first."""
    if isinstance(HERE, LocalSourceFile):
        return Path(HERE.get_path_or_uri(secret_free=True), "..", name).resolve()
    return Path(str(workflow.source_path(f"../{name}")))


@cache
def source_of_library(name):
    return source(f"scripts/{name}")


def loaded(path):
    """A file that needs nothing of the rest, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


CODE = loaded(source_of_library("tigerbush/planning/code.py"))
SCRIPTS = source_of_library("tigerbush/__init__.py").parents[1]
if str(SCRIPTS) not in sys.path:
    sys.path.append(str(SCRIPTS))


@cache
def modules_of(text):
    """The files of the library that a text imports, directly or through others; they are here now."""
    return CODE.modules_of(text, lambda name: source_of_library(name).read_text())


def from_library(name):
    """A module of the library."""
    modules_of(f"import tigerbush.{name}")
    return importlib.import_module(f"tigerbush.{name}")


# of today's code that makes the same numbers as an earlier one: by that one's fingerprint it is recorded
SAME_NUMBERS = CODE.read_same_numbers(source("same_numbers.tsv").read_text())
DIGESTS = CODE.Digests(SCRIPTS / "tigerbush" / "planning")


def code_of(script):
    """Fingerprint of a script and of what it imports."""
    files = modules_of(source_of_library(f"{script}.py").read_text())
    code = CODE.fingerprint([f"{script}.py", *files], lambda name: DIGESTS.of(source_of_library(name)))
    return SAME_NUMBERS.get(code, code)


def library(script):
    """Fingerprint of the code of a rule, as a parameter: an edit re-runs what uses it and nothing else.

    Not the files as inputs: those would re-run everything when the checkout moves. Jobs have no use for it.
    """
    if workflow.exec_mode == ExecMode.DEFAULT:
        return code_of(script)
    modules_of(source_of_library(f"{script}.py").read_text())
    return None


def fingerprint(paths):
    """Fingerprint of files as they are."""
    return hashlib.sha256(b"".join(Path(str(path)).read_bytes() for path in paths)).hexdigest()[:16]
