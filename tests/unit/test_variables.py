"""The table of variables, and that nothing else lists them."""

import ast
import io
import re
import tokenize

import pytest
import yaml

from fabricate import ROOT
from tigerbush import indices, variables
from tigerbush.planning.code import closure, imported_files
from tigerbush.variables import (
    VARIABLES,
    VEGETATION,
    WEATHER,
    Variable,
    in_collection,
    index_names,
    indices_in,
    measured,
    number_in,
    row_of,
    units_of_vegetation,
    units_of_weather,
    with_subject,
)
from tigerbush.weather.read import NAMES

WORKFLOW = ROOT / "workflow"
SCRIPTS = WORKFLOW / "scripts"
TABLE = SCRIPTS / "tigerbush" / "variables.py"
GREY = "8-bit grey: NDVI = value * 2 / 255 - 1"


def names_of(rows):
    return [row.name for row in rows]


def test_what_files_say_of_each_variable():
    """In this order, label and unit are in analysis.json and series.csv, the label is in the tags of maps."""
    assert [(row.name, row.label, row.unit, row.collection) for row in VARIABLES.values()] == [
        ("offset50", "network centrality (offset50)", "1", "vegetation"),
        ("ndvi", "NDVI", "1", "vegetation"),
        ("ndvi_veg", "NDVI of vegetation", "1", "vegetation"),
        ("msavi", "MSAVI", "1", "vegetation"),
        ("total_precipitation", "precipitation", "mm", "weather"),
        ("temperature", "air temperature at 2 m", "degC", "weather"),
    ]
    assert list(VARIABLES) == names_of(VARIABLES.values())


def test_no_two_variables_look_alike():
    for field in ("label", "short", "colour"):
        values = [getattr(row, field) for row in VARIABLES.values()]
        assert all(values) and len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("name", "record", "value"),
    [
        ("offset50", {"offset50": -412}, -412.0),
        ("offset50", {"offset50": 0}, 0.0),
        ("offset50", {"offset50": None}, None),
        ("offset50", {"ndvi": 1.0, "offset50_mean": 5.0}, None),
        # 153 of 255 is 0.6 of the way from -1 to 1
        ("ndvi", {"ndvi": 153.0}, 0.2),
        ("ndvi", {"ndvi": 0, "ndvi_mean": 0.21}, 0.21),
        ("ndvi", {"ndvi": 153.0, "ndvi_mean": 0.0}, 0.0),
        ("ndvi", {"ndvi": 153.0, "ndvi_mean": None}, 0.2),
        ("ndvi", {"ndvi": 153.0, "ndvi_mean": float("nan")}, 0.2),
        ("ndvi", {"ndvi": float("inf")}, None),
        ("ndvi_veg", {"ndvi_veg": 204.0, "ndvi_veg_mean": 0.1}, 0.6),
        ("msavi", {"msavi_mean": 0.11}, 0.11),
        ("msavi", {"msavi": 0.11, "ndvi_mean": 0.3}, None),
        ("total_precipitation", {"total_precipitation": 0.25}, 250.0),
        ("temperature", {"mean_2m_air_temperature": 300.15}, 27.0),
        ("temperature", {"temperature": 300.15}, None),
        ("temperature", {}, None),
    ],
)
def test_the_value_in_a_record(name, record, value):
    assert VARIABLES[name].value_in(record) == (value if value is None else pytest.approx(value, abs=1e-12))


def test_what_is_no_number_is_refused():
    assert number_in({"a": 3}, "a") == 3.0 and isinstance(number_in({"a": 3}, "a"), float)
    for value, error in (("x", TypeError), ([1], TypeError), (10**400, OverflowError)):
        with pytest.raises(error):
            number_in({"a": value}, "a")


def test_units_of_records():
    weather = {"total_precipitation": "m", "mean_2m_air_temperature": "K"}
    always = {"ndvi": GREY, "ndvi_veg": GREY, "ndvi_mean": "1", "ndvi_std": "1"}
    for chosen in ((), ["ndvi"], ["offset50"]):
        assert list(units_of_vegetation(chosen).items()) == list(always.items())
    with_msavi = always | {"msavi_mean": "1", "msavi_std": "1"}
    assert list(units_of_vegetation(["ndvi", "msavi"]).items()) == list(with_msavi.items())
    assert units_of_weather() == weather


def test_which_variables_are_measured():
    assert index_names() == ["ndvi", "msavi"]
    assert names_of(measured(["ndvi"])) == names_of(measured([])) == ["offset50", "ndvi", "ndvi_veg"]
    assert names_of(measured(["msavi"])) == ["offset50", "ndvi", "ndvi_veg", "msavi"]
    assert names_of(in_collection(WEATHER)) == ["total_precipitation", "temperature"]
    assert indices_in(["msavi_std", "ndvi", "offset50_mean"]) == []
    assert indices_in(iter(["msavi_mean", "x", "ndvi_mean"])) == ["ndvi", "msavi"]


def test_changes_are_told_of_indices_first_and_of_the_weather_last():
    assert [(row.name, row.heading) for row in with_subject([])] == [
        ("ndvi", "NDVI"),
        ("offset50", "offset50"),
        ("total_precipitation", "rain (mm)"),
    ]
    assert names_of(with_subject(["ndvi", "msavi"])) == ["ndvi", "msavi", "offset50", "total_precipitation"]


def test_a_variable_of_another_version_is_shown_by_its_name():
    assert row_of("ndvi") is VARIABLES["ndvi"]
    assert row_of("evi") == Variable("evi", "evi", "evi", "1", "0.2")


def test_every_index_has_a_function_of_bands_that_there_are():
    for name in index_names():
        assert set(VARIABLES[name].bands) <= set(indices.ROLES)
        assert name == "ndvi" or callable(getattr(indices, name))


def test_the_weather_has_the_keys_that_are_read():
    """`tigerbush.weather.read` does not ask the table, or a new index would read the weather again."""
    assert list(units_of_weather()) == list(NAMES.values())


def test_a_new_index_makes_nothing_again_that_does_not_hold_it():
    """Rows and functions are read by what measures, gathers, analyses and shows indices."""

    def reads(script):
        return closure([script], lambda name: imported_files((SCRIPTS / name).read_text()))

    readers = {
        path.stem for path in SCRIPTS.glob("*.py") if "tigerbush/variables.py" in reads(f"{path.stem}.py")
    }
    assert readers == {
        "analyse_batch", "analyse_site", "compare_truth", "compute_ndvi", "map_site", "measure_batch", "plot_site",
        "report_batch", "report_site", "report_sites", "simulate_record", "summarise_batch", "summarise_date",
        "summarise_site",
    }  # fmt: skip
    holding = {name for name in readers if "tigerbush/indices.py" in reads(f"{name}.py")}
    assert holding == {"compute_ndvi", "measure_batch"}


def test_the_table_needs_the_standard_library_alone():
    tree = ast.parse(TABLE.read_text())
    modules = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
    }
    assert modules == {"collections.abc", "dataclasses", "math"}


def strings_by_bracket(text):
    """The strings that stand within the same brackets of Python or of a Snakefile."""
    brackets, closed = [set()], []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.OP and token.string in "([{":
            brackets.append(set())
        elif token.type == tokenize.OP and token.string in ")]}":
            closed.append(brackets.pop())
        elif token.type == tokenize.STRING:
            brackets[-1].add(token.string.strip("rbfu").strip("'\""))
    return [*closed, *brackets]


def strings_of_yaml(tree):
    """The strings of each list of a YAML document, and the keys of each mapping; without examples."""
    if isinstance(tree, dict | list):
        yield {str(item) for item in tree}
        children = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, child in children:
            if key != "examples":
                yield from strings_of_yaml(child)


def listed_in(path):
    if path.suffix == ".yaml":
        return strings_of_yaml(yaml.safe_load(path.read_text()))
    if path.suffix in {".py", ".smk"} or path.name == "Snakefile":
        return strings_by_bracket(path.read_text())
    # templates and captions: quoted, or a name of a file
    return [set(re.findall(r"[\"'/]([a-z0-9_]+)[\"'.]", path.read_text()))]


def test_how_lists_are_found():
    text = "a = {'ndvi': 1, \"offset50\": f('msavi')}\nb = ['ndvi']\nd = '''x'''\n"
    assert {"ndvi", "offset50"} in strings_by_bracket(text)
    assert {"msavi"} in strings_by_bracket(text)
    tree = {"a": ["x", {"ndvi": 1}], "examples": [["y"]]}
    assert list(strings_of_yaml(tree)) == [{"a", "examples"}, {"x", "{'ndvi': 1}"}, {"ndvi"}]


def test_no_other_file_lists_variables():
    """Two names of variables within the same brackets are a second table."""
    suffixes = {".py", ".smk", ".yaml", ".html", ".rst"}
    files = [path for path in WORKFLOW.rglob("*") if path.suffix in suffixes or path.name == "Snakefile"]
    assert len(files) > 150
    lists = {
        path.relative_to(WORKFLOW).as_posix(): sorted(names)
        for path in files
        if path != TABLE
        for strings in listed_in(path)
        if len(names := strings & set(VARIABLES)) > 1
    }
    # the record that it writes, see above
    assert lists == {"scripts/tigerbush/weather/plausible.py": ["temperature", "total_precipitation"]}
    assert VEGETATION == "vegetation" and variables.NDVI == "ndvi"
