"""What the scripts import is in pyproject.toml, in the lock and in the conda environment, at one version."""

import importlib.metadata
import re
import tomllib
from functools import cache

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fabricate import ROOT
from third_party import third_party
from tigerbush.planning.code import closure, discovered_files, imported_files

WORKFLOW = ROOT / "workflow"
# what the repository itself brings
PLUGINS = {path.stem for path in (ROOT / "plugins").iterdir()}
ENVIRONMENT = WORKFLOW / "envs" / "tigerbush.yaml"
# scenes by SNAP, by a job each or by ranks, start with these
SNAP_ENVIRONMENT = WORKFLOW / "envs" / "snap.yaml"
# what sites need of modules that scenes import too; tests/unit/test_imports.py has them load nothing of it
OF_SITES = {"opencv-python-headless", "utm"}
SNAP_SCRIPTS = ("resample_scene", "resample_scenes", "resample_scenes_rank", "publish_scene")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
# the names that conda-forge gives to distributions
CONDA_NAMES = {
    "opencv-python-headless": "py-opencv",
    "matplotlib": "matplotlib-base",
}
# never imported here, but by the package that is named as soon as it is used as we use it
BEHIND = {"scipy": "networkx"}
# what conda-forge divides into packages of their own, and the package whose wheel contains them
DIVIDED = {"libgdal-grib": "rasterio"}


def names(requirements):
    """The distributions that a list of requirements names."""
    return {canonicalize_name(Requirement(line).name) for line in requirements}


@cache
def imported(jobs_only=False):
    """The third-party modules that scripts and library import, each with the files that do.

    The command line and the main process run in the environment of `make env` alone, so that no job imports what they do.
    """
    users = {}
    scripts = WORKFLOW / "scripts"
    for path in scripts.rglob("*.py"):
        if jobs_only and {"cli", "runs"} & set(path.relative_to(scripts).parts):
            continue
        for top in third_party(path) - PLUGINS:
            users.setdefault(top, set()).add(path.name)
    return users


@cache
def used(jobs_only=False):
    """The distributions behind the imports: sets of alternatives, since a namespace may have several."""
    providers = importlib.metadata.packages_distributions()
    return {
        top: {canonicalize_name(name) for name in providers.get(top, [top])} for top in imported(jobs_only)
    }


@cache
def conda_environment(path=ENVIRONMENT):
    """The packages of a conda environment by name, with the version or None; those that pip installs are listed last."""
    packages = {}
    lines = yaml.safe_load(path.read_text())["dependencies"]
    by_pip = [line for lines_of in lines if isinstance(lines_of, dict) for line in lines_of["pip"]]
    for line in [line for line in lines if isinstance(line, str)] + by_pip:
        match = re.fullmatch(r"([a-z0-9-]+)(?: ==?([0-9.]+))?", line)
        assert match, f"{path.name}: write {line!r} as 'name' or 'name =version'"
        packages[match[1]] = match[2]
    return packages


@cache
def imported_by(script):
    """The third-party modules that a script imports, directly or through the library, sensors included."""
    scripts = WORKFLOW / "scripts"
    of_sensors = [
        path.relative_to(scripts).as_posix()
        for folder in scripts.glob("tigerbush/*/sensor.py")
        for path in folder.parent.glob("*.py")
    ]
    files = closure(
        [script],
        lambda name: imported_files((scripts / name).read_text()) | discovered_files(name, of_sensors),
    )
    return {top for name in files for top in third_party(scripts / name) - PLUGINS}


@cache
def locked(python):
    """The versions of requirements.txt for a Python version."""
    marker = {"python_version": python, "python_full_version": f"{python}.0"}
    versions = {}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if re.match(r"[a-z0-9]", line):
            requirement = Requirement(line.removesuffix("\\"))
            if requirement.marker is None or requirement.marker.evaluate(marker):
                versions[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return versions


def group(name):
    """The distributions that a dependency group names itself, and the groups that it includes."""
    lines = PYPROJECT["dependency-groups"][name]
    included = {line["include-group"] for line in lines if isinstance(line, dict)}
    return names(line for line in lines if isinstance(line, str)), included


# the library, its extras, and what the workflow needs beside them
DEPENDENCIES = names(PROJECT["dependencies"]) | group("workflow")[0]
DEPENDENCIES |= names(line for lines in PROJECT["optional-dependencies"].values() for line in lines)
OPTIONAL = group("snap")[0]


@pytest.mark.parametrize("module", sorted(imported()))
def test_an_import_is_a_dependency(module):
    distributions = used()[module]
    files = ", ".join(sorted(imported()[module]))
    names = " or ".join(sorted(distributions))
    assert distributions & (DEPENDENCIES | OPTIONAL), (
        f"{files} imports {module}: add {names} to pyproject.toml"
    )
    if module in imported(jobs_only=True) and not distributions & OPTIONAL:
        conda = {CONDA_NAMES.get(name, name) for name in distributions}
        assert conda & set(conda_environment()), (
            f"{files} imports {module}: add {' or '.join(sorted(conda))} to workflow/envs/{ENVIRONMENT.name}"
        )


def test_the_conda_environment_holds_nothing_else():
    needed = set().union(*used(jobs_only=True).values())
    needed |= {name for name, user in BEHIND.items() if user in needed}
    needed |= {name for name, user in DIVIDED.items() if user in needed}
    conda = {CONDA_NAMES.get(name, name) for name in needed} | {"python"}
    assert set(conda_environment()) <= conda, f"nothing imports these: {set(conda_environment()) - conda}"


def test_the_environment_of_snap_holds_what_its_scripts_import_and_nothing_else():
    modules = set().union(*(imported_by(f"{name}.py") for name in SNAP_SCRIPTS))
    needed = set().union(*(used()[module] for module in modules))
    assert {"esa-snappy", "rasterio", "mpi4py"} <= needed
    packages = conda_environment(SNAP_ENVIRONMENT)
    assert set(packages) == needed - OF_SITES | {"python", "pip"}
    others = conda_environment()
    assert all(packages[name] == others[name] for name in set(packages) & set(others))
    lock = (ROOT / "requirements-snap.txt").read_text()
    assert f"esa-snappy=={packages['esa-snappy']} " in lock


@pytest.mark.parametrize(("name", "user"), BEHIND.items())
def test_a_package_behind_another_is_one_of_its_requirements(name, user):
    assert name in names(importlib.metadata.requires(user))
    assert name in DEPENDENCIES


def test_pinned_versions_are_those_of_the_lock():
    environment = conda_environment()
    python = environment.pop("python")
    assert PROJECT["requires-python"] == f">={python}"
    versions = locked(python)
    distribution = {conda: name for name, conda in CONDA_NAMES.items()}
    pinned = {name: version for name, version in environment.items() if version}
    assert pinned == {name: versions[distribution.get(name, name)] for name in pinned}
    assert pinned


def test_the_lock_holds_every_dependency():
    for python in ("3.11", "3.12", "3.13"):
        assert set(locked(python)) >= DEPENDENCIES


def test_the_locks_are_of_the_library_and_a_group_with_the_workflow():
    lock = re.findall(r"^\t\$\(LOCK\) (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    sources = "pyproject.toml --extra parquet --group"
    assert lock == [
        f"{sources} workflow -o requirements.txt",
        f"{sources} dev -c requirements.txt -o requirements-dev.txt",
        f"{sources} snap -c requirements.txt -o requirements-snap.txt",
    ]
    assert set(PROJECT["optional-dependencies"]) == {"parquet"}
    assert {name: group(name)[1] for name in PYPROJECT["dependency-groups"]} == {
        "workflow": set(), "dev": {"workflow"}, "snap": {"workflow"}
    }  # fmt: skip
    [backend] = PYPROJECT["build-system"]["requires"]
    assert backend in PYPROJECT["dependency-groups"]["dev"]


def test_nothing_is_named_twice():
    """What the library needs, the workflow has."""
    library = names(PROJECT["dependencies"])
    assert not library & (group("workflow")[0] | group("dev")[0] | group("snap")[0])


def test_the_environment_of_every_rule_exists():
    for path in [WORKFLOW / "Snakefile", *(WORKFLOW / "rules").glob("*.smk")]:
        directives = re.findall(r"^\s+conda:\s*(.+)$", path.read_text(), re.MULTILINE)
        for text in directives:
            if text == "SCENE_ENVIRONMENT":
                # by the engine
                assert ENVIRONMENT.is_file() and SNAP_ENVIRONMENT.is_file()
                continue
            assert re.fullmatch(r'"[\w./-]+"', text), f"{path.name}: conda: {text} is no plain path"
            assert (path.parent / text.strip('"')).is_file(), f"{path.name}: {text} does not exist"
