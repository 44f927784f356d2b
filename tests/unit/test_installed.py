"""`pip install .`: the library as a wheel, which needs what it declares and never Snakemake; docs/python.md shows it."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fabricate import ROOT, name_of, scene_of, write_product
from third_party import third_party
from tigerbush.version import __version__

LIBRARY = ROOT / "workflow" / "scripts" / "tigerbush"
# what is installed beside the modules of the library itself and the folders of sensors
PACKAGES = {"analysis"}
PAGE = ROOT / "docs" / "python.md"
# every module, and what was loaded from where
IMPORT_ALL = """
import importlib, json, pkgutil, sys
sys.path[:0] = sys.argv[1:]
import tigerbush
names = sorted(module.name for module in pkgutil.walk_packages(tigerbush.__path__, "tigerbush."))
for name in names:
    importlib.import_module(name)
print(json.dumps({"library": names, "loaded": sorted(sys.modules), "file": tigerbush.__file__}))
"""
RUN_PAGE = """
import doctest, sys
page, *sys.path[:0] = sys.argv[1:]
result = doctest.DocTestRunner().run(doctest.DocTestParser().get_doctest(sys.stdin.read(), {}, "python.md", page, 0))
assert "snakemake" not in sys.modules
sys.exit(result.failed or not result.attempted)
"""
WRITE_SERIES = """
import sys
sys.path[:0] = sys.argv[1:]
from pathlib import Path
from tigerbush.analysis.series import write_series
write_series([], Path("series.csv"), Path("series.parquet"))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built as pip does it, but by the backend of requirements-dev.txt, without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel):
    """The folder of the unpacked wheel."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(wheel.parent / "installed")
    return wheel.parent / "installed"


def requirements(installed):
    """What the wheel declares: each requirement, and the extra that it is of."""
    (metadata,) = installed.glob("*.dist-info")
    for line in importlib.metadata.PathDistribution(metadata).requires:
        requirement = Requirement(line)
        extra = re.search(r'extra == "(\w+)"', str(requirement.marker))
        yield requirement, extra and extra[1]


@pytest.fixture(scope="module")
def declared(installed):
    """A folder like site-packages with what the wheel declares without extras, and what that needs, and nothing else."""
    folder = installed.parent / "declared"
    folder.mkdir()
    waiting = {
        canonicalize_name(requirement.name) for requirement, extra in requirements(installed) if not extra
    }
    seen = set()
    while waiting:
        seen.add(name := waiting.pop())
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(distribution.locate_file(top))
        needed = map(Requirement, distribution.requires or ())
        waiting |= {
            canonicalize_name(each.name)
            for each in needed
            if each.marker is None or each.marker.evaluate({"extra": ""})
        } - seen
    return folder


def run(code, *arguments, site=False, **options):
    """Run code in a Python that knows the standard library, and site-packages on request."""
    command = [sys.executable, "-I", *([] if site else ["-S"]), "-c", code, *map(str, arguments)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **options)


def test_the_wheel_holds_the_library_without_the_workflow(installed):
    sensors = {path.parent.name for path in LIBRARY.glob("*/sensor.py")}
    folders = sensors | PACKAGES
    expected = {path.name for path in LIBRARY.glob("*.py")}
    expected |= {
        f"{folder}/{path.name}"
        for folder in folders
        for path in (LIBRARY / folder).iterdir()
        if path.is_file()
    }
    package = installed / "tigerbush"
    assert {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()} == expected
    # the version is in one place
    assert {path.name for path in installed.iterdir()} == {"tigerbush", f"tigerbush-{__version__}.dist-info"}
    assert "sentinel2/safe.py" in expected and "analysis/early_warning.py" in expected


def test_every_module_is_imported_with_what_is_declared(installed, declared, tmp_path):
    done = run(IMPORT_ALL, installed, declared, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check_imported(done.stdout, installed)


def test_no_module_imports_snakemake_where_it_is_installed(installed, tmp_path):
    done = run(IMPORT_ALL, installed, site=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check_imported(done.stdout, installed)


def check_imported(text, installed):
    imported = json.loads(text)
    files = [path.relative_to(installed).with_suffix("") for path in (installed / "tigerbush").rglob("*.py")]
    modules = {".".join(path.parts).removesuffix(".__init__") for path in files}
    assert {"tigerbush", *imported["library"]} == modules
    assert imported["file"] == str(installed / "tigerbush" / "__init__.py")
    assert not {name for name in imported["loaded"] if name.partition(".")[0] == "snakemake"}


def test_what_is_declared_is_what_is_imported(installed):
    """Also by functions."""
    providers = importlib.metadata.packages_distributions()
    modules = set().union(*(third_party(path) for path in (installed / "tigerbush").rglob("*.py")))
    imported = {canonicalize_name(name) for module in modules for name in providers[module]}
    assert imported == {canonicalize_name(requirement.name) for requirement, _ in requirements(installed)}
    assert {requirement.name: extra for requirement, extra in requirements(installed) if extra} == {
        "pyarrow": "parquet"
    }


def test_without_pyarrow_a_sentence(installed, declared, tmp_path):
    done = run(WRITE_SERIES, installed, declared, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "tigerbush.errors.MachineError: series.csv and series.parquet are written with pyarrow, which is not installed here; "
        "run 'pip install pyarrow' (in a checkout: make env)."
    )
    assert list(tmp_path.iterdir()) == []


def test_the_examples_of_the_page(installed, declared, tmp_path):
    """With what is declared; of the product the page says what stands there: DN of 1000 and 3000, and 10 x 5 pixels of cloud."""
    west, north = 465380, 5079960
    cloud = [(west, north), (west + 200, north), (west + 200, north - 100), (west, north - 100)]
    scene = scene_of(clouds=[cloud])
    scene.bands["B4"][:], scene.bands["B8"][:] = 1000, 3000
    write_product(tmp_path, name_of(), scene)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5 and all(block.startswith(">>> ") for block in blocks)
    done = run(RUN_PAGE, PAGE, installed, declared, cwd=tmp_path, input="\n".join(blocks))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_requirements_of_the_page_are_those_of_the_wheel(installed):
    (line,) = re.findall(
        r"^pip install \. +# Python 3.11 or later; (.+); no Snakemake$", PAGE.read_text(), re.MULTILINE
    )
    titles = {"opencv": "opencv-python-headless"}
    named = {titles.get(name.lower(), name.lower()) for name in line.split(", ")}
    small = {"defusedxml", "utm"}
    assert named | small == {requirement.name for requirement, extra in requirements(installed) if not extra}
