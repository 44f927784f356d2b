"""Tables for readers, of which a spreadsheet calculates nothing (OWASP: CSV injection).

Tables that tigerbush reads back are not written here: their cells stay as they are.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

# the minus sign is one, too; full-width forms are found by their compatible character
_SIGNS = "=+-@\u2212"
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def cell(value: object) -> object:
    """Return a value as a cell: with an apostrophe before a text that a spreadsheet might take for a formula.

    That is a text that begins with a control character, or, after whatever is not seen, with = + - or @.
    Numbers, also those written as text, stay as they are.
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    first = next((character for character in value if not _unseen(character)), "")
    formula = first and unicodedata.normalize("NFKC", first)[0] in _SIGNS
    return f"'{value}" if formula or unicodedata.category(value[:1] or "x") == "Cc" else value


def rows_text(rows: Iterable[Mapping], columns: Sequence[str], delimiter: str = ",") -> str:
    """Return the text of a table: a header, then one line per row; None is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _unseen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in {"Cc", "Cf", "Mn"}
