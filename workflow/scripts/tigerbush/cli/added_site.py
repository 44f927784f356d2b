"""Add a site to an existing table of sites; everything else in the table stays as it is."""

import csv
from collections.abc import Mapping
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.files import atomic_write
from tigerbush.planning.tables import SITE_COLUMNS, read_sites, read_table


def add_site(table: Path, site: Mapping[str, object], side: float) -> None:
    """Append a row to a table of sites, atomically; columns that the site lacks are left empty.

    Parameters
    ----------
    table : Path
    site : mapping
        With a value for each of `SITE_COLUMNS`.
    side : float
        Side of a sub-image in metres.

    Raises
    ------
    TigerbushError
        When the table is not one, or has the site, or the workflow would refuse the new table.
    """
    for line, row in read_table(table, SITE_COLUMNS):
        if row["site"] == site["site"]:
            raise TigerbushError(
                f"site {site['site']} is already in {table}, line {line}; choose another name, or edit that line."
            )
    # links stay links
    target = table.resolve()
    with atomic_write(target) as temporary:
        temporary.write_bytes(with_row(target.read_bytes(), site))
        try:
            read_sites(temporary, side)
        except TigerbushError as error:
            raise TigerbushError(str(error).replace(str(temporary), str(table))) from None


def with_row(content: bytes, site: Mapping[str, object]) -> bytes:
    """Return the content of a table with one more row, which ends like the lines that are there."""
    end = next((end for end in (b"\r\n", b"\n", b"\r") if end in content), b"\n")
    header = next(csv.reader(content.decode("utf-8-sig").splitlines(), delimiter="\t"))
    row = "\t".join(str(site.get(column, "")) for column in header)
    last = b"" if content.endswith((b"\n", b"\r")) else end
    return content + last + row.encode() + end
