"""Write the tables of docs/inputs.md from the markers `input` of the tests (`make docs`)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "inputs.md"
HEAD = "| what people have | what happens | test |\n|---|---|---|\n"


def markers() -> Iterator[tuple[str, str, str, str]]:
    """Yield section, what people have, what happens, and the test, of each marker in order of files and lines."""
    for path in sorted((ROOT / "tests").glob("*/test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for call in node.decorator_list:
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.input":
                        section, have, happens = (argument.value for argument in call.args)
                        name = f"[{node.name.removeprefix('test_')}](../{path.relative_to(ROOT)})"
                        yield section, have, happens, name


def with_tables(text: str) -> str:
    """Replace the table below each heading in a text."""
    rows: dict[str, list[str]] = {}
    for section, *cells in markers():
        escaped = (cell.replace("|", r"\|") for cell in cells)
        rows.setdefault(section, []).append("| " + " | ".join(escaped) + " |\n")

    def table(match: re.Match) -> str:
        return f"{match[1]}{HEAD}{''.join(rows.pop(match[2]))}"

    pattern = rf"(^## (.+)\n\n(?:[^|#\n].*\n|\n)*?){re.escape(HEAD)}(?:\|.*\n)*"
    new = re.sub(pattern, table, text, flags=re.MULTILINE)
    if rows:
        raise SystemExit(f"docs/inputs.md has no heading and table for: {', '.join(rows)}")
    return new


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
