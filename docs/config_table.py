"""Write the table of keys in config/README.md from workflow/schemas/config.schema.yaml (`make docs`)."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from tigerbush.variables import VEGETATION, in_collection, index_names

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
README = ROOT / "config" / "README.md"
# what the schema calls names of variables
NAMES = {"indices": index_names(), "vegetation": [row.name for row in in_collection(VEGETATION)]}
HEAD = "| key | meaning | unit, values | default | example |\n|---|---|---|---|---|\n"


def keys(schema: dict, prefix: str = "") -> Iterator[tuple[str, dict, bool]]:
    """Yield the path of every key that holds a value, its schema, and whether its parent requires it."""
    for name, child in schema["properties"].items():
        if "properties" in child:
            yield from keys(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child, name in schema.get("required", ())


def code(value: object) -> str:
    """Show a value as YAML on one line."""
    # without the end-of-document mark that follows a bare scalar
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf")).removesuffix("\n...\n")
    return f"`{text.rstrip()}`"


def values(schema: dict) -> str:
    """Say which values a key may have, with its unit."""
    kinds = schema.get("type", [])
    # a single type, or several of which one is null
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "enum" in schema:
        text = ", ".join(map(code, schema["enum"]))
    elif "names" in schema:
        text = ", ".join(map(code, NAMES[schema["names"]]))
    elif "oneOf" in schema:
        text = ", or ".join(values(choice) for choice in schema["oneOf"])
    elif "boolean" in kinds:
        text = "`true`, `false`"
    elif "object" in kinds:
        text = "a mapping" if "unit" in schema else "a mapping to these"
    elif "prefixItems" in schema:
        text = f"list of {len(schema['prefixItems'])}: {', '.join(map(values, schema['prefixItems']))}"
    elif "items" in schema:
        text = f"list of {values(schema['items'])}"
    else:
        text = span(schema)
    text = f"{text} {schema.get('unit', '')}".strip()
    return f"{text}, or `null`" if "null" in kinds and "enum" not in schema else text


def span(schema: dict) -> str:
    """Say the range of a number."""
    low, above, high = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    start = f"above {above}" if above is not None else f"{low}" if low is not None else ""
    end = (
        f"{'up ' if above is not None else ''}to {high}"
        if high is not None
        else "or more"
        if low is not None
        else ""
    )
    return f"{start} {end}".strip()


def default(schema: dict, required: bool) -> str:
    """Show the default; a key without one has to be given, or is absent."""
    return code(schema["default"]) if "default" in schema else "required" if required else "none"


def table(schema: dict) -> str:
    """Render the table, one row per key."""
    rows = []
    for name, child, required in keys(schema):
        examples = ", ".join(code(value) for value in child["examples"])
        meaning = child["description"].strip().removesuffix(".")
        cells = (f"`{name}`", meaning, values(child), default(child, required), examples)
        rows.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n")
    return HEAD + "".join(rows)


def with_table(text: str, schema: dict) -> str:
    """Replace the table of keys in a text."""
    new, replaced = re.subn(re.escape(HEAD) + r"(?:\|.*\n)*", lambda _: table(schema), text)
    if replaced != 1:
        raise SystemExit(f"config/README.md has no table that begins with: {HEAD.splitlines()[0]}")
    return new


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(), yaml.safe_load(SCHEMA.read_text())))
