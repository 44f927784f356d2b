"""The schema, the table in config/README.md and the files in config/ say the same."""

import re
import runpy

import pytest
import yaml
from jsonschema import Draft202012Validator
from snakemake.utils import update_config, validate

from fabricate import ROOT

TABLE = runpy.run_path(str(ROOT / "docs" / "config_table.py"))
SCHEMA = yaml.safe_load(TABLE["SCHEMA"].read_text())
KEYS = {name: child for name, child, _ in TABLE["keys"](SCHEMA)}
# the table as it is read: meaning, values, default, example
TEXT = TABLE["README"].read_text().partition("\n## ")[0]
ROWS = {
    name: cells
    for name, *cells in re.findall(r"^\| `(\S+)`" + 4 * r" \| (.+?)" + r" \|$", TEXT, re.MULTILINE)
}
# azure*.yaml name resources; they configure no workflow
CONFIGS = sorted(path for path in (ROOT / "config").glob("*.yaml") if not path.name.startswith("azure"))
# what config.yaml sets for the example that it holds
OWN = re.compile(r"sites|products|(period|source|weather)\..*")


def nested(name, text):
    """The YAML that sets one key."""
    parts = name.split(".")
    return "".join(f"{'  ' * i}{part}:\n" for i, part in enumerate(parts)).rstrip("\n") + f" {text}\n"


def objects(schema):
    """Every mapping with named keys in a schema."""
    if "properties" in schema:
        yield schema
        for child in schema["properties"].values():
            yield from objects(child)


def leaves(node, prefix=""):
    """The path and value of every key in a YAML document, repeated ones too."""
    for key, child in node.value:
        name = f"{prefix}{key.value}"
        if isinstance(child, yaml.MappingNode) and name not in KEYS:
            yield from leaves(child, f"{name}.")
        else:
            yield name, yaml.SafeLoader("").construct_document(child)


def test_the_table_is_that_of_the_schema():
    text = TABLE["README"].read_text()
    assert text == TABLE["with_table"](text, SCHEMA), "config/README.md is behind the schema: run make docs"


def test_every_key_is_in_the_table_once():
    """Against the schema directly, not by the code that writes the table."""
    assert list(ROWS) == list(KEYS)
    assert len(re.findall(r"^\| `", TEXT, re.MULTILINE)) == len(ROWS)
    for name, (_, allowed, default, _) in ROWS.items():
        child = KEYS[name]
        if "default" in child:
            assert yaml.safe_load(default.strip("`")) == child["default"], name
        else:
            assert default in {"required", "none"}, name
        # the values of every type that it may have
        assert re.match(r"\S", allowed) and not allowed.startswith(","), name
        assert ("`true`, `false`" in allowed) == ("boolean" in str(child.get("type"))), name
        assert ("`null`" in allowed) == Draft202012Validator(child).is_valid(None), name
        for value in child.get("enum", ()):
            assert f"`{yaml.safe_dump(value).split()[0]}`" in allowed, (name, value)
        for limit in ("minimum", "exclusiveMinimum", "maximum"):
            if limit in child:
                assert str(child[limit]) in allowed, (name, limit)


@pytest.mark.parametrize(
    ("schema", "allowed", "default"),
    [
        ({"enum": [10, 20, None], "unit": "m", "default": None}, "`10`, `20`, `null` m", "`null`"),
        ({"type": "array", "items": {"type": "string", "names": "indices"}, "default": ["ndvi"]}, "list of `ndvi`, `msavi`", "`[ndvi]`"),
        ({"type": "string", "names": "vegetation"}, "`offset50`, `ndvi`, `ndvi_veg`, `msavi`", "required"),
        ({"type": ["boolean", "null"], "default": None}, "`true`, `false`, or `null`", "`null`"),
        ({"type": ["null", "boolean"], "default": True}, "`true`, `false`, or `null`", "`true`"),
        ({"type": ["object", "null"], "unit": "of size to price", "default": None}, "a mapping of size to price, or `null`", "`null`"),
        ({"type": ["array", "null"], "items": {"type": "boolean"}, "default": None}, "list of `true`, `false`, or `null`", "`null`"),
        ({"type": "boolean", "default": False}, "`true`, `false`", "`false`"),
        ({"type": "number", "minimum": 0, "maximum": 0.5, "unit": "%", "default": 0.1}, "0 to 0.5 %", "`0.1`"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "above 0 up to 1", "required"),
        ({"type": ["integer", "null"], "minimum": 1, "default": 3}, "1 or more, or `null`", "`3`"),
        ({"type": "string", "unit": "path | URL", "default": "a b"}, r"path \| URL", "`a b`"),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "default": ["a"]}, "list of `a`, `b`", "`[a]`"),
        (
            {"type": "array", "prefixItems": [{"minimum": 0}, {"minimum": 1, "maximum": 9}], "unit": "pixels"},
            "list of 2: 0 or more, 1 to 9 pixels",
            "required",
        ),
        (
            {"oneOf": [{"enum": ["x"]}, {"type": "object", "additionalProperties": {"enum": ["x"]}}], "default": "x"},
            "`x`, or a mapping to these",
            "`x`",
        ),
    ],
)  # fmt: skip
def test_a_row(schema, allowed, default):
    schema |= {"description": "What it is.", "examples": [1, {"b": "2"}]}
    table = TABLE["table"](
        {"required": ["here"], "properties": {"in": {"required": ["here"], "properties": {"here": schema}}}}
    )
    assert table.splitlines()[2:] == [
        f"| `in.here` | What it is | {allowed} | {default} | `1`, `{{b: '2'}}` |"
    ]


def test_a_key_that_is_neither_required_nor_has_a_default():
    table = TABLE["table"](
        {"properties": {"key": {"type": "string", "description": "It.", "examples": ["a"]}}}
    )
    assert table.endswith("| `key` | It |  | none | `a` |\n")


def test_the_schema_is_valid_and_strict():
    Draft202012Validator.check_schema(SCHEMA)
    for part in objects(SCHEMA):
        assert part["additionalProperties"] is False
        assert part is SCHEMA or part["description"]


@pytest.mark.parametrize("name", KEYS)
def test_examples_are_valid_as_they_are_read(name):
    """Each example of the table, pasted under its key, is what the schema means and allows."""
    examples = KEYS[name]["examples"]
    cell = ROWS[name][-1]
    pasted = [yaml.safe_load(nested(name, text)) for text in re.findall(r"`(.+?)`(?:, |$)", cell)]
    schema, fragments = SCHEMA, pasted
    for part in name.split("."):
        schema, fragments = schema["properties"][part], [fragment[part] for fragment in fragments]
    assert fragments == examples and examples
    for value in fragments:
        Draft202012Validator(schema).validate(value)


@pytest.mark.parametrize("name", [name for name, child in KEYS.items() if "default" in child])
def test_defaults_are_valid(name):
    Draft202012Validator(KEYS[name]).validate(KEYS[name]["default"])


def test_the_default_configuration_holds_every_key_once():
    keys = list(leaves(yaml.compose((ROOT / "config" / "config.yaml").read_text())))
    names = [name for name, _ in keys]
    assert [name for name in set(names) if names.count(name) > 1] == []
    assert set(names) <= set(KEYS)
    # without a default a key may have no value that is valid for every source
    assert [name for name, child in KEYS.items() if "default" in child and name not in names] == []
    for name, value in keys:
        if not OWN.fullmatch(name):
            assert value == KEYS[name]["default"], name


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_configuration_is_valid(path):
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    text = path.read_text()
    update_config(config, yaml.safe_load(text))
    names = [name for name, _ in leaves(yaml.compose(text))]
    assert [name for name in set(names) if names.count(name) > 1] == []
    validate(config, str(TABLE["SCHEMA"]))
