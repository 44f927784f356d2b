"""The folder of results, the library, and for each rule a fingerprint of the library code that it runs.

Imports are followed; no list is kept.
"""

import functools
import hashlib
import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path

from snakemake.sourcecache import HostingProviderFile, LocalGitFile, LocalSourceFile
from snakemake_interface_executor_plugins.settings import ExecMode

HERE = workflow.current_basedir
# also where the workflow is used as a module, with a prefix
RESULTS = Path(workflow.modifier.path_modifier.replace_prefix("results/products.tsv")).parent


@cache
def source(name):
    """Return the local path of a file of workflow/; it is fetched first when the workflow is deployed from elsewhere."""
    if isinstance(HERE, LocalSourceFile):
        return Path(HERE.get_path_or_uri(secret_free=True), "..", name).resolve()
    return Path(str(workflow.source_path(f"../{name}")))


def load_file(path):
    """Load a Python file that imports nothing of the library, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


CODE = load_file(source("scripts/tigerbush/planning/code.py"))
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
    """List the files in the sensors' folders, which no import names."""
    if isinstance(HERE, LocalSourceFile):
        names = [path.relative_to(SCRIPTS).as_posix() for path in SCRIPTS.glob("tigerbush/*/*.py")]
    else:
        root = HERE.join("../scripts").path
        listed = repository().git.ls_tree("-r", "--name-only", HERE.ref, "--", f"{root}/tigerbush/")
        names = [Path(name).relative_to(root).as_posix() for name in listed.splitlines()]
    return CODE.files_of_sensors(names)


def repository():
    """Return the git repository that the workflow is fetched from."""
    if isinstance(HERE, HostingProviderFile):
        return HERE.hosted_repo.repo
    if isinstance(HERE, LocalGitFile):
        import git

        return git.Repo(HERE.repo_path)
    raise WorkflowError(
        f"{HERE} is not in a git repository, so its files cannot be listed; use a local folder, github(...) or "
        "gitlab(...) for the workflow."
    )


@cache
def imports(name):
    """Return the library files that a file imports."""
    return CODE.imported_files(source(f"scripts/{name}").read_text(encoding="utf-8"))


@cache
def with_imports(*names, sensors=None):
    """Return files and the library files that they import, directly or indirectly, with their local paths.

    Where products are read, the modules of all sensors are included, or those of `sensors` only.
    """
    available = CODE.files_of_sensors(files_of_sensors(), sensors)
    files = CODE.closure(names, lambda name: imports(name) | CODE.discovered_files(name, available))
    return {name: source(f"scripts/{name}") for name in files}


def from_library(name):
    """Return a module of the library."""
    if not isinstance(HERE, LocalSourceFile):
        with_imports(*CODE.imported_files(f"import tigerbush.{name}"))
    return importlib.import_module(f"tigerbush.{name}")


@cache
def same_numbers():
    """Map the fingerprint of code to that of earlier code that gives the same numbers, under which results are recorded."""
    return CODE.read_same_numbers(source("same_numbers.tsv").read_text(encoding="utf-8"))


def recorded_as(code):
    """Return the fingerprint under which results of code are recorded."""
    return same_numbers().get(code, code)


@cache
def digests():
    return CODE.Digests(SCRIPTS / "tigerbush" / "planning")


@cache
def code_of(*scripts, sensors=()):
    """Return the fingerprint of scripts and their imports, for products of the given sensors."""
    files = with_imports(*(f"{script}.py" for script in scripts), sensors=sensors)
    return recorded_as(CODE.fingerprint(digests().of(files)))


def library(*scripts):
    """Return the fingerprint of a rule's code, as a parameter: an edit re-runs the rules that use it and nothing else.

    Were the files inputs, everything would run again when the checkout moves. Jobs do not use the fingerprint, but need
    the files.
    """
    if workflow.exec_mode != ExecMode.DEFAULT:
        fetch_imports(*scripts)
        return None
    files = with_imports(*(f"{script}.py" for script in scripts), sensors=())
    if CODE.DISCOVERED.keys().isdisjoint(files):
        return code_of(*scripts)
    # adding a sensor does not invalidate results of the others
    return lambda wildcards: code_of(*scripts, sensors=sensors_of(wildcards))


def fetch_imports(*scripts):
    """Fetch what scripts import, when the workflow is deployed from elsewhere."""
    if not isinstance(HERE, LocalSourceFile):
        with_imports(*(f"{script}.py" for script in scripts))


def fingerprint(paths):
    """Return the fingerprint of the contents of files."""
    return hashlib.sha256(b"".join(Path(str(path)).read_bytes() for path in paths)).hexdigest()[:16]


def wrap_method(owner, name):
    """Wrap a method or function of Snakemake in one that gets the original first; never twice, however often this is read."""

    def decorate(function):
        original = getattr(owner, name)
        original = getattr(original, "of_snakemake", original)

        @functools.wraps(original)
        def method(*args, **options):
            return function(original, *args, **options)

        method.of_snakemake = original
        setattr(owner, name, method)
        return function

    return decorate
