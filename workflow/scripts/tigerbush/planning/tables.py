"""The tables `sites.tsv`, `products.tsv` and `files.tsv`: one row per site, product, and file of a product.

They come from outside (a bucket, a folder, a user's editor), so every row is checked when it is read.
"""

import csv
import io
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tigerbush.errors import TigerbushError
from tigerbush.files import write_bytes
from tigerbush.planning.addresses import KEY, MAX_KEY_LENGTH, is_address
from tigerbush.planning.credentials import refuse_credentials, reveals_secret
from tigerbush.planning.notes import Note, is_note
from tigerbush.planning.zones import place_of, read_zone
from tigerbush.product import ProductName
from tigerbush.sensors import parse_name, product_pattern, sensors, titles
from tigerbush.site import METRES_PER_DEGREE

log = logging.getLogger(__name__)

SITE_COLUMNS = ("site", "longitude", "latitude", "region_size")
# a column of the sites that may be left out
ZONE = "zone"
# becomes a folder of the results; RESERVED are the names of other folders there
SITE = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
RESERVED = ("analysis", "batches", "downloads", "fingerprints", "records", "scenes", "windows")
# degrees; UTM ends at 80 degrees south and 84 degrees north
SITE_BOUNDS = {"longitude": (-180, 180), "latitude": (-80, 84), "region_size": (1e-6, 0.5)}
PRODUCT = product_pattern()
COLUMNS = (
    "product",
    "platform",
    "level",
    "sensing_time",
    "tile",
    "relative_orbit",
    "baseline",
    "cloud_percent",
    "url",
    "granule",
    "size_bytes",
)
# when and as what a product was found: the time it was changed last, its version (`tigerbush.sources.changes`), that
# when versions were first recorded, and the day since when the source lacks it, with UNUSED if nothing was made of it;
# tables of earlier releases have none
CHANGE_COLUMNS = ("time", "etag", "first_etag", "gone")
UNUSED = " unused"
# name: path within the product; key: object in the bucket of the product's url, or a whole https:// address; for a
# local product the name again
FILE_COLUMNS = ("product", "role", "band", "name", "key", "size", "etag")
_FILE_CHECKS: dict[str, Callable[[str], object]] = {
    "product": re.compile(PRODUCT).fullmatch,
    "role": re.compile("band|metadata|mask").fullmatch,
    "band": {"", *(band for sensor in sensors() for band in sensor.bands)}.__contains__,
    "name": KEY.fullmatch,
    "key": is_address,
    "size": re.compile("[0-9]{1,15}").fullmatch,
    "etag": re.compile("[A-Za-z0-9-]{0,200}").fullmatch,
}
_REFRESH = "correct it, or run ./tigerbush discover to write a new table"

Row = dict[str, str]


def read_table(path: Path, columns: tuple[str, ...]) -> list[tuple[int, Row]]:
    """Read the rows of a tab-separated table, with their line numbers.

    Parameters
    ----------
    path : Path
        Or a file object of Snakemake, which fetches it from remote storage if need be.
    columns : tuple of str
        The required ones.

    Raises
    ------
    TigerbushError
        When it is not such a table, or contains a key or password.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter="\t")
            _check_header(path, list(reader.fieldnames or ()), columns)
            rows = [(reader.line_num, row) for row in reader if not is_note(row[columns[0]])]
    except UnicodeDecodeError:
        raise TigerbushError(
            f"{path} is not text in UTF-8; save it as UTF-8, with fields separated by tabs."
        ) from None
    except (OSError, csv.Error) as error:
        raise TigerbushError(f"{path} cannot be read as a table: {error}.") from None
    for line, row in rows:
        if None in row or None in row.values():
            raise TigerbushError(f"{path}, line {line}: expected {len(columns)} fields separated by tabs.")
        # the whole line at once: the table of files is long, and every job reads it
        if reveals_secret("\t".join(row.values())):
            for column, text in row.items():
                refuse_credentials(text, f"{path}, line {line}: {column}")
    return rows


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse a table in which a column is missing, or is there twice."""
    for column in columns:
        if header.count(column) != 1:
            fault = "has two columns" if column in header else "has no column"
            raise TigerbushError(
                f"{path} {fault} {column!r}; expected {', '.join(columns)}, separated by tabs."
            )


def read_sites(path: Path, side: float) -> dict[str, dict[str, Any]]:
    """Read the sites by name, with site, longitude, latitude and region_size, in degrees.

    A site has `zone`, the EPSG code of a UTM zone, if the table gives one.

    Parameters
    ----------
    path : Path
    side : float
        Side of a sub-image in metres: a smaller site is refused.

    Raises
    ------
    TigerbushError
    """
    sites: dict[str, dict[str, Any]] = {}
    for line, row in read_table(path, SITE_COLUMNS):
        name = row["site"]
        if not re.fullmatch(SITE, name) or name in RESERVED or name in sites:
            raise TigerbushError(
                f"{path}, line {line}: site name {name[:80]!r} is reserved, used twice or not made of letters, "
                "digits, - and _; choose another."
            )
        where = f"{path}, line {line}"
        sites[name] = {"site": name} | _degrees(row, where)
        if zone := row.get(ZONE):
            sites[name][ZONE] = read_zone(zone, place_of(sites[name]), f"{where}: site {name}")
        if sites[name]["region_size"] * METRES_PER_DEGREE < side:
            raise TigerbushError(
                f"{path}, line {line}: site {name} of {row['region_size'][:40]} degrees is smaller than one sub-image "
                f"of {side} m; make it at least {side / METRES_PER_DEGREE:.4f} or subimages.size smaller."
            )
    if not sites:
        raise TigerbushError(f"{path} contains no sites; add a line with {', '.join(SITE_COLUMNS)}.")
    return sites


def _degrees(row: Row, where: str) -> dict[str, float]:
    """Read the coordinates and size of a site."""
    numbers = {}
    for column, (low, high) in SITE_BOUNDS.items():
        try:
            numbers[column] = float(row[column])
        except ValueError:
            numbers[column] = float("nan")
        if not low <= numbers[column] <= high:
            exchanged = column == "latitude" and _may_be_exchanged(numbers["longitude"], numbers["latitude"])
            advice = "correct it" + " (are longitude and latitude exchanged?)" * exchanged
            raise TigerbushError(
                f"{where}: {column} {row[column][:40]!r} of site {row['site']} is not a number from "
                f"{low:g} to {high:g}; {advice}."
            )
    return numbers


def _may_be_exchanged(longitude: float, latitude: float) -> bool:
    """Tell whether two numbers are in bounds as latitude and longitude."""
    bounds = zip((longitude, latitude), (SITE_BOUNDS["latitude"], SITE_BOUNDS["longitude"]), strict=True)
    return all(low <= value <= high for value, (low, high) in bounds)


def read_products(path: Path) -> dict[str, dict[str, Any]]:
    """Read the rows of `products.tsv` by product name, checked field by field; cloud_percent is a number.

    Raises
    ------
    TigerbushError
    """
    pattern = re.compile(PRODUCT)
    products: dict[str, dict[str, Any]] = {}
    for line, row in read_table(path, COLUMNS):
        name = row["product"]
        where = f"{path}, line {line}"
        if not pattern.fullmatch(name):
            raise TigerbushError(f"{where}: {name[:80]!r} is not a {titles()} product name; {_REFRESH}.")
        if name in products:
            raise TigerbushError(f"{where}: product {name} is listed twice; {_REFRESH}.")
        try:
            fields = _fields_of_name(parse_name(name))
        except TigerbushError:
            # only its time is invalid
            fields = {}
        for column, value in fields.items():
            if row[column] != value:
                raise TigerbushError(
                    f"{where}: {column} is {row[column][:40]!r} but the product name says {value!r}; {_REFRESH}."
                )
        products[name] = row | {"cloud_percent": _cloud_percent(row, fields, where)}
    return products


def _cloud_percent(row: Row, fields: Row, where: str) -> float:
    """Return the cloud cover of a product whose name has a valid time; an unknown cover counts as none."""
    try:
        cloud = float(row["cloud_percent"] or 0) if fields else -1
    except ValueError:
        cloud = -1
    if not 0 <= cloud <= 100:
        raise TigerbushError(
            f"{where}: cloud_percent {row['cloud_percent'][:40]!r} is not a number from 0 to 100, or "
            f"sensing_time {row['sensing_time']} is not a date; {_REFRESH}."
        )
    return cloud


def read_files(path: Path) -> dict[str, list[Row]]:
    """Read the rows of `files.tsv` by product, sorted by name, checked field by field.

    Raises
    ------
    TigerbushError
    """
    files: dict[str, list[Row]] = {}
    for line, row in sorted(read_table(path, FILE_COLUMNS), key=lambda item: item[1]["name"]):
        for column, fits in _FILE_CHECKS.items():
            if len(row[column]) > MAX_KEY_LENGTH or not fits(row[column]):
                raise TigerbushError(
                    f"{path}, line {line}: {column} {row[column][:80]!r} was not written by discovery; run "
                    "./tigerbush discover to write a new table."
                )
        files.setdefault(row["product"], []).append(row)
    return files


def _fields_of_name(name: ProductName) -> Row:
    """Return the fields of a row that the product name contains."""
    return {
        "platform": name.platform,
        "level": name.level,
        "sensing_time": name.sensing_time.isoformat(),
        "tile": name.tile,
        "relative_orbit": str(name.relative_orbit),
    }


def table_row(
    name: ProductName, *, url: str, granule: str, size_bytes: int, cloud_percent: float | None
) -> Row:
    """Return the row of a product in `products.tsv`; an unknown cloud cover is an empty field."""
    row = {
        "product": name.product,
        **_fields_of_name(name),
        "baseline": name.baseline,
        "cloud_percent": "" if cloud_percent is None else f"{cloud_percent:g}",
        "url": url,
        "granule": granule,
        "size_bytes": str(size_bytes),
    }
    return {column: row[column] for column in COLUMNS}


def by_product(files: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows of files.tsv by product."""
    products: dict[str, list[Row]] = {}
    for row in files:
        products.setdefault(row["product"], []).append(row)
    return products


def file_row(product: str, kind: tuple[str, str], name: str, key: str, size: int, etag: str = "") -> Row:
    """Return the row of a file in `files.tsv`; `kind` is its role and band."""
    role, band = kind
    return dict(zip(FILE_COLUMNS, (product, role, band, name, key, str(size), etag), strict=True))


def observation(row: Mapping) -> tuple[str, str, str, str]:
    """Return what the products of the same data have in common, whatever their baseline."""
    return row["platform"], row["sensing_time"], row["tile"], row["level"]


def newest_baseline(rows: Iterable[Row], replaced: dict[str, str] | None = None) -> list[Row]:
    """Keep, per platform, sensing time, tile and level, the rows of the newest baseline.

    Several rows of that baseline are parts of one tile from different receiving stations (or a repeated delivery);
    all are kept, and merged when they are composited. A provisional baseline (`Sensor.provisional`) is older than any
    other.

    Parameters
    ----------
    rows : rows of products.tsv
    replaced : dict, optional
        Receives each product that is not kept, with a product that takes its place.

    Returns
    -------
    list of rows
        Sorted by product name.
    """
    groups = defaultdict(list)
    for row in rows:
        groups[observation(row)].append(row)
    provisional = {baseline for sensor in sensors() for baseline in sensor.provisional}

    def rank(row: Row) -> tuple[bool, str]:
        return row["baseline"] not in provisional, row["baseline"]

    kept = []
    for group in groups.values():
        newest = max(map(rank, group))
        kept += [row for row in group if rank(row) == newest]
        if replaced is not None:
            older = [row["product"] for row in group if rank(row) != newest]
            replaced |= dict.fromkeys(older, kept[-1]["product"])
    return sorted(kept, key=lambda row: row["product"])


def keep_removed_rows(
    old: Iterable[Row],
    new: Sequence[Row],
    belongs: Callable[[Row], bool],
    source: str,
    replaced: dict[str, str] | None = None,
) -> list[Row]:
    """Add the rows of products that a source no longer has: their results may be all that is left of them.

    Parameters
    ----------
    old, new : rows of products.tsv
    belongs : callable
        Whether an old row belongs to this source and configuration; others are dropped.
    source : str
        Name of the source, for the log.
    replaced : dict, optional
        As in `newest_baseline`.
    """
    listed = {row["product"] for row in new}
    removed = [row for row in old if row["product"] not in listed and belongs(row)]
    kept = newest_baseline([*new, *removed], replaced)
    names = [row["product"] for row in kept if row["product"] not in listed]
    if names:
        log.warning(
            "%d products of the table are no longer in %s; their rows stay. To remove one, delete its line from "
            "the table: %s",
            len(names),
            source,
            ", ".join(names[:5]) + (" ..." if len(names) > 5 else ""),
        )
    return kept


def why_unused(row: Mapping) -> str | None:
    """Return why a product that is gone is not used; None if it is there, or if something was made of it before."""
    since = row.get("gone", "")
    if not since.endswith(UNUSED):
        return None
    return f"no longer in the source since {since.removesuffix(UNUSED)}, and nothing was made of it before"


def is_row(row: Row) -> bool:
    """Whether a row of an old table was written by discovery."""
    try:
        name = parse_name(row["product"])
        known = {*COLUMNS, *CHANGE_COLUMNS}
        return (
            set(COLUMNS) <= set(row) <= known
            and row["baseline"] == name.baseline
            and row["tile"] == name.tile
        )
    except (KeyError, TigerbushError):
        return False


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a table written by discovery; none if there is no readable table."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return [row for row in rows if None not in row and None not in row.values() and row.get("product")]


def write_table(
    path: Path, rows: Iterable[Row], columns: tuple[str, ...], notes: Iterable[Note] = ()
) -> None:
    """Write rows as tab-separated values, and after them lines that are no rows, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    writer.writer.writerows(notes)
    write_bytes(path, text.getvalue().encode())
