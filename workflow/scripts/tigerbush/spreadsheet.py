"""CSV tables for people, safe to open in a spreadsheet program (OWASP: CSV injection).

Tables that tigerbush reads back are not written here: their cells are stored unescaped.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

# U+2212 is the minus sign; full-width forms are found by compatibility normalisation
_FORMULA_SIGNS = "=+-@\u2212"
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def escape_cell(value: object) -> object:
    """Return a value as a cell, with an apostrophe before text that a spreadsheet might take for a formula.

    That is text that begins with a control character, or, after any invisible characters, with = + - or @.
    Numbers, including those stored as text, are not escaped.
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    first = next((character for character in value if not _is_invisible(character)), "")
    formula = first and unicodedata.normalize("NFKC", first)[0] in _FORMULA_SIGNS
    return f"'{value}" if formula or unicodedata.category(value[:1] or "x") == "Cc" else value


def format_table(rows: Iterable[Mapping], columns: Sequence[str], delimiter: str = ",") -> str:
    """Return a table as text: a header, then one line per row; None becomes an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: escape_cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _is_invisible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in {"Cc", "Cf", "Mn"}
