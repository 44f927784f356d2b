"""Rules of the house that a machine can check: what ruff reads, sizes, and how the library imports its modules."""

import ast
import re
import subprocess
import sys
from importlib import import_module
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
    long = {}
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node, clean=False)
                lines = node.end_lineno - node.lineno + 1 - (docstring.count("\n") + 1 if docstring else 0)
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long[f"{path.relative_to(ROOT)}: {node.name}"] = lines
    assert long == {}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_names_are_imported_and_never_modules(path):
    """The library of a rule is found by following `from package.module import name`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: a relative import"
            folder = SCRIPTS.joinpath(*node.module.split("."))
            modules = [
                alias.name
                for alias in node.names
                if (folder / alias.name).is_dir() or (folder / f"{alias.name}.py").exists()
            ]
            assert modules == [], f"line {node.lineno}"


# from below to above: packages, `base` for the modules beside them, and what works on arrays alone
LAYERS = [
    "base", "arrays", "sensors", "planning", "sources", "weather", "scenes", "sites", "summary", "analysis", "measured", "report",
    "sample", "runs", "cli",
]  # fmt: skip
ARRAYS = {
    "resample", "images", "indices", "centrality", "spatial", "spectrum", "contrast", "patches", "flow_length",
    "pattern_class", "spatial_warning", "pattern",
}  # fmt: skip


def layer_of(module):
    """The layer of a module such as `tigerbush.sites.composite`; None of the library as a whole."""
    _, *parts = module.split(".")
    if not parts:
        return None
    folder = SCRIPTS / "tigerbush" / parts[0]
    if folder.is_dir():
        return "sensors" if (folder / "sensor.py").exists() else parts[0]
    return "arrays" if parts[0] in ARRAYS else "base"


def test_arrows_point_one_way():
    """From what a user asks for to what it is made of."""
    arrows, upwards = 0, []
    for path in LIBRARY:
        name = ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or node.module.split(".")[0] != "tigerbush":
                continue
            here, there = layer_of(name), layer_of(node.module)
            if here != there and here and there:
                arrows += 1
                if LAYERS.index(there) > LAYERS.index(here):
                    upwards.append(f"{name} -> {node.module}")
    assert upwards == []
    assert arrows > 200


def test_no_import_goes_round():
    """Not even one that a function makes."""
    arrows = {
        ".".join(path.relative_to(SCRIPTS).with_suffix("").parts): modules_imported(path) for path in LIBRARY
    }
    for start in arrows:
        seen, waiting = set(), set(arrows[start])
        while waiting:
            name = waiting.pop()
            seen.add(name)
            waiting |= arrows.get(name, set()) - seen
        assert start not in seen, start


def modules_imported(path):
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            modules.add(node.module)
        elif isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
    return {module for module in modules if module.startswith("tigerbush.")}


def test_a_package_is_one_sentence():
    for path in (SCRIPTS / "tigerbush").rglob("__init__.py"):
        tree = ast.parse(path.read_text())
        words = ast.get_docstring(tree)
        assert words and "\n\n" not in words, path
        # the library itself sees to it that boto3 is imported late
        assert len(tree.body) == (2 if path.parent.name == "tigerbush" else 1), path


def test_only_the_folder_of_a_sensor_names_it():
    """But for the sample, which simulates Sentinel-2."""
    folders = {path.parent.name for path in (SCRIPTS / "tigerbush").glob("*/sensor.py")}
    assert folders == {"sentinel2"}
    naming = []
    for path in [*LIBRARY, *SCRIPTS.glob("*.py"), *(ROOT / "workflow" / "rules").glob("*.smk")]:
        if path.parent.name in {*folders, "sample"}:
            continue
        naming += [
            f"{path.relative_to(SCRIPTS.parent)}: {folder}"
            for folder in folders
            if f"tigerbush.{folder}" in path.read_text()
        ]
    assert naming == []


# what nothing else may know: its bands, files and names
SENTINEL2 = re.compile(r"\bB(?:[1-9]|1[0-2]|8A)\b|\bB0[1-9]\b|\.SAFE|MTD_|GRANULE|MSIL|^S2|MSK_|_SCL_")


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_texts_of_a_sensor_are_in_its_folder(path):
    """But for docstrings, and the sample."""
    if path.parent.name in {"sentinel2", "sample"}:
        return
    tree = ast.parse(path.read_text())
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = {
        ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)
    }
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert [text for text in texts - docstrings if SENTINEL2.search(text)] == []


def test_names_that_other_tools_call():
    """Wherever they live: functions of arrays, and what tests bring for products of one's own."""
    names = {
        "tigerbush.centrality": ["feature_vector", "subgraph_centrality"],
        "tigerbush.images": ["black_white"],
        "tigerbush.resample": ["Grid", "resample", "target_grid"],
        "tigerbush.pattern": ["evolve"],
        "tigerbush.errors": ["TigerbushError"],
        "tigerbush.weather.read": ["read_weather"],
        "tigerbush.sources.catalogue": ["list_catalogue"],
        "tigerbush.sources.store": ["Store"],
        "tigerbush.sentinel2.tiles": ["site_tiles"],
        "fabricate": ["Scene", "name_of", "scene_of", "write_product"],
        "catalogues": ["images_of", "item_of", "serve", "write_cog"],
    }
    missing = [
        f"{module}.{name}"
        for module, wanted in names.items()
        for name in wanted
        if not callable(getattr(import_module(module), name, None))
    ]
    assert missing == []
