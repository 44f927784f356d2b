"""The lines of a table of products that list no product; they follow its rows.

They are part of the table because every machine that plans with it needs them, and only the table reaches them all.
"""

import csv
import re
from pathlib import Path

from tigerbush.sensors import product_pattern

# a site, and the UTM zone it is measured in
ZONE_LINE = "# zone"
# a product that is not listed, and the one that takes its place
REPLACED_LINE = "# replaced"
# an entry of a catalogue that cannot be used, and why
SKIPPED_LINE = "# skipped"
_KINDS = (ZONE_LINE, REPLACED_LINE, SKIPPED_LINE)

# the kind of a line, and its two fields
Note = tuple[str, str, str]


def is_note(first: str | None) -> bool:
    """Tell by its first field whether a line lists no product."""
    return first in _KINDS


def read_notes(table: Path, kind: str) -> list[tuple[str, str]]:
    """Read the lines of one kind; none without a readable table, which is the error of whoever reads its rows.

    Parameters
    ----------
    table : Path
    kind : {ZONE_LINE, REPLACED_LINE, SKIPPED_LINE}
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, delimiter="\t")
            of_kind = [line[1:] for line in lines if line[:1] == [kind]]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    # some programs pad lines to the number of columns
    return [(fields[0], fields[1]) for fields in of_kind if len(fields) > 1 and not any(fields[2:])]


def read_replaced(table: Path) -> dict[str, str]:
    """Read which products discovery left out of a table of products, with those that take their place."""
    is_product = re.compile(product_pattern()).fullmatch
    return {
        older: product
        for older, product in read_notes(table, REPLACED_LINE)
        if is_product(older) and is_product(product)
    }
