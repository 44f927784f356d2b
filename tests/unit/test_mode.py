"""The mode of a run: where it is implemented, and the mode of the analysis."""

import ast
import re
from math import inf, nextafter
from types import SimpleNamespace

import pytest
import yaml

from fabricate import ROOT
from tigerbush.cli.configuration import read_configuration
from tigerbush.pyveg import MODES

WORKFLOW = ROOT / "workflow"
LIBRARY = WORKFLOW / "scripts" / "tigerbush"


def test_only_one_module_implements_mode_pyveg():
    names = [
        path.relative_to(LIBRARY).as_posix()
        for path in sorted(LIBRARY.rglob("*.py"))
        if any(
            isinstance(node, ast.Constant) and node.value == "pyveg"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]
    assert names == ["pyveg.py"]
    # the rules name the module, to import it
    rules = [WORKFLOW / "Snakefile", *sorted((WORKFLOW / "rules").glob("*.smk"))]
    assert [path.name for path in rules if re.search(r'(?<!from_library\()"pyveg"', path.read_text())] == []


def test_the_modes_are_those_of_the_schema():
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())["properties"]
    assert list(MODES) == schema["mode"]["enum"] == ["default", "pyveg"]
    assert schema["analysis"]["properties"]["mode"]["enum"] == [*MODES, None]
    assert [mode.name for mode in MODES.values()] == list(MODES)


def test_products_with_too_much_cloud():
    assert [MODES["default"].too_cloudy(percent) for percent in (0, 50, 100)] == [None] * 3
    assert [MODES["pyveg"].too_cloudy(percent) for percent in (0, nextafter(50, -inf))] == [None] * 2
    assert [MODES["pyveg"].too_cloudy(percent) for percent in (50, 100)] == [
        "50 % cloud or more (mode: pyveg)"
    ] * 2


@pytest.mark.parametrize(
    ("text", "run", "analysis"),
    [
        ("run: {name: mine}", "default", "default"),
        ("mode: pyveg", "pyveg", "pyveg"),
        ("analysis: {mode: pyveg}", "default", "pyveg"),
        ("analysis: {mode: default}\nmode: pyveg", "pyveg", "default"),
        ("analysis: {mode: null}\nmode: pyveg", "pyveg", "pyveg"),
    ],
)
@pytest.mark.parametrize("folder", ["own", "root"], ids=["alone", "on top of config.yaml"])
def test_the_analysis_follows_the_mode_of_the_run_unless_it_has_its_own(
    tmp_path, text, run, analysis, folder
):
    """Snakemake's record of the section is the same as when both keys had to be set."""
    file = tmp_path / "mine.yaml"
    alone = "sites: s.tsv\nperiod: {start: '2020-01-01', end: '2021-01-01', step: 1m}\nsource: {kind: local, path: x}\n"
    file.write_text(f"{alone if folder == 'own' else ''}{text}\n")
    directory = tmp_path if folder == "own" else ROOT
    config = read_configuration(SimpleNamespace(configfile=[file], config=[], directory=directory))
    assert (config["mode"], config["analysis"]["mode"]) == (run, analysis)
    assert list(config["analysis"]) == [
        "mode", "primary", "minimum_dates", "window", "detrending", "bandwidth", "harmonics", "equal_n",
        "repetitions", "observation_noise", "surrogates", "seed", "fdr",
    ]  # fmt: skip


def test_an_earlier_configuration_sets_both(tmp_path):
    """A configuration from the time when each part had its own mode."""
    text = (ROOT / "config" / "config.yaml").read_text()
    assert text.count("  mode: null ") == 1 and text.count("\nmode: default ") == 1
    for run, analysis in (("default", "default"), ("pyveg", "default"), ("default", "pyveg")):
        old = text.replace("  mode: null ", f"  mode: {analysis} ").replace(
            "\nmode: default ", f"\nmode: {run} "
        )
        (tmp_path / "old.yaml").write_text(old)
        options = SimpleNamespace(configfile=[tmp_path / "old.yaml"], config=[], directory=tmp_path)
        config = read_configuration(options)
        assert (config["mode"], config["analysis"]["mode"]) == (run, analysis)
        given = yaml.safe_load(old)["analysis"]
        assert repr(config["analysis"]) == repr(given)
