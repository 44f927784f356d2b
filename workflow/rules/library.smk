"""The library, and the fingerprint of what each rule runs of it; there is no list of modules."""

import hashlib
import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path

from snakemake.sourcecache import HostingProviderFile, LocalGitFile, LocalSourceFile
from snakemake_interface_executor_plugins.settings import ExecMode

HERE = workflow.current_basedir


@cache
def source(name):
    """A file of workflow/, where this process finds it; of a workflow that lies elsewhere it is fetched first."""
    if isinstance(HERE, LocalSourceFile):
        return Path(HERE.get_path_or_uri(secret_free=True), "..", name).resolve()
    return Path(str(workflow.source_path(f"../{name}")))


def loaded(path):
    """A file that needs nothing of the rest, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


CODE = loaded(source("scripts/tigerbush/planning/code.py"))
SCRIPTS = source("scripts/tigerbush/__init__.py").parents[1]


def prefer_own_library():
    """Have Python import the library from here, whatever version is installed, on PYTHONPATH or loaded by others."""
    sys.path[:] = [str(SCRIPTS), *(entry for entry in sys.path if entry != str(SCRIPTS))]
    package = getattr(sys.modules.get("tigerbush"), "__file__", None)
    if package is None or Path(package).resolve().parents[1] != SCRIPTS.resolve():
        for name in [name for name in sys.modules if name.partition(".")[0] == "tigerbush"]:
            del sys.modules[name]


prefer_own_library()


@cache
def files_of_sensors():
    """The files in the folders of sensors, which nothing names."""
    if isinstance(HERE, LocalSourceFile):
        names = [path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.glob("tigerbush/*/*.py")]
    else:
        root = HERE.join("../scripts").path
        listed = repository().git.ls_tree("-r", "--name-only", HERE.ref, "--", f"{root}/tigerbush/")
        names = [Path(name).relative_to(root).as_posix() for name in listed.splitlines()]
    return CODE.files_of_sensors(names)


def repository():
    """The git repository that the workflow is fetched from."""
    if isinstance(HERE, HostingProviderFile):
        return HERE.hosted_repo.repo
    if isinstance(HERE, LocalGitFile):
        import git

        return git.Repo(HERE.repo_path)
    raise WorkflowError(
        f"{HERE} is in no git repository, so that its files cannot be listed; take the workflow from a folder, or by "
        "github(...) or gitlab(...)."
    )


@cache
def imports(name):
    """The files of the library that a file imports."""
    return CODE.imported(source(f"scripts/{name}").read_text(encoding="utf-8"))


@cache
def modules_of(*names, sensors=None):
    """Some files and those of the library that they import, directly or through others; they are here now.

    With those of all sensors, or of some, where products are looked at.
    """
    there = CODE.files_of_sensors(files_of_sensors(), sensors)
    files = CODE.closure(names, lambda name: imports(name) | CODE.found(name, there))
    return {name: source(f"scripts/{name}") for name in files}


def from_library(name):
    """A module of the library."""
    if not isinstance(HERE, LocalSourceFile):
        modules_of(*CODE.imported(f"import tigerbush.{name}"))
    return importlib.import_module(f"tigerbush.{name}")


@cache
def same_numbers():
    """Of code that makes the numbers of an earlier one the fingerprint by which that is recorded."""
    return CODE.read_same_numbers(source("same_numbers.tsv").read_text(encoding="utf-8"))


@cache
def digests():
    return CODE.Digests(SCRIPTS / "tigerbush" / "planning")


@cache
def code_of(*scripts, sensors=()):
    """Fingerprint of scripts and of what they import, for products of some sensors."""
    files = modules_of(*(f"{script}.py" for script in scripts), sensors=sensors)
    code = CODE.fingerprint(digests().of(files))
    return same_numbers().get(code, code)


def library(*scripts):
    """Fingerprint of the code of a rule, as a parameter: an edit re-runs what uses it and nothing else.

    Not the files as inputs: those would re-run everything when the checkout moves. Jobs have no use for it, but need
    the files.
    """
    if workflow.exec_mode != ExecMode.DEFAULT:
        bring(*scripts)
        return None
    files = modules_of(*(f"{script}.py" for script in scripts), sensors=())
    if CODE.FOUND.keys().isdisjoint(files):
        return code_of(*scripts)
    # another sensor makes no result of this one again
    return lambda wildcards: code_of(*scripts, sensors=sensors_of(wildcards))


def bring(*scripts):
    """Fetch what scripts import, where the workflow lies elsewhere."""
    if not isinstance(HERE, LocalSourceFile):
        modules_of(*(f"{script}.py" for script in scripts))


def fingerprint(paths):
    """Fingerprint of files as they are."""
    return hashlib.sha256(b"".join(Path(str(path)).read_bytes() for path in paths)).hexdigest()[:16]
