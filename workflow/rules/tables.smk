"""The tables of sites, products and files, checked field by field, and the tiles that reach a site."""

import csv
import re
from datetime import datetime
from pathlib import Path

import utm

SITE_COLUMNS = ("site", "longitude", "latitude", "region_size")
PRODUCT_COLUMNS = (
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
FILE_COLUMNS = ("product", "role", "band", "name", "key", "size", "etag")
PRODUCT = (
    r"S2[A-D]_MSIL(?:1C|2A)_[0-9]{8}T[0-9]{6}_N[0-9]{4}_R[0-9]{3}"
    r"_T(?:0[1-9]|[1-5][0-9]|60)[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]_[0-9]{8}T[0-9]{6}"
)
# what a key or name in files.tsv may be: plain characters, and no folder that leads upwards
KEY = r"(?!.*(?:^|/)\.{1,2}(?:/|$))[A-Za-z0-9_.=+-]+(?:/[A-Za-z0-9_.=+-]+)*"
ADDRESS = r"(?:(?:s3|https?)://[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?/)?" + KEY
FILE_PATTERNS = {
    "product": PRODUCT,
    "role": "band|metadata|mask",
    "band": "(?:B[0-9]{1,2}A?)?",
    "name": KEY,
    "key": ADDRESS,
    "size": "[0-9]{1,15}",
    "etag": "[A-Za-z0-9-]{0,200}",
}
SITE = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
RESERVED = ("analysis", "downloads", "fingerprints", "scenes")


def read_table(path, columns):
    """The rows of a tab-separated table as dictionaries, with their line numbers.

    `path` is a Path, or a file of Snakemake's, which fetches it from the storage when it is not here.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, delimiter="\t")
            for column in columns:
                if column not in (reader.fieldnames or ()):
                    raise WorkflowError(f"{path} has no column {column!r}; expected {', '.join(columns)}.")
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WorkflowError(f"{path} cannot be read as a table: {error}.")
    for line, row in rows:
        if None in row or None in row.values():
            raise WorkflowError(f"{path}, line {line}: expected {len(columns)} fields separated by tabs.")
        # one look at the whole line: the table of files is long, and every job reads it
        if gives_away("\t".join(row.values())):
            for column, text in row.items():
                refuse_credentials(text, f"{path}, line {line}: {column}")
    return rows


def read_sites(path):
    """The sites by name: longitude, latitude and region_size in degrees."""
    sites = {}
    for line, row in read_table(Path(path), SITE_COLUMNS):
        name = row["site"]
        if not re.fullmatch(SITE, name) or name in RESERVED or name in sites:
            raise WorkflowError(
                f"{path}, line {line}: site name {name[:80]!r} is reserved, used twice or not made of letters, "
                "digits, - and _; choose another."
            )
        sites[name] = {"site": name}
        for column, low, high in (
            ("longitude", -180, 180),
            ("latitude", -80, 84),
            ("region_size", 1e-6, 0.5),
        ):
            try:
                sites[name][column] = float(row[column])
            except ValueError:
                sites[name][column] = float("nan")
            if not low <= sites[name][column] <= high:
                raise WorkflowError(
                    f"{path}, line {line}: {column} {row[column][:40]!r} of site {name} is not a number from "
                    f"{low:g} to {high:g}; correct it."
                )
        side = config["subimages"]["size"] * config["composite"]["resolution"]
        if sites[name]["region_size"] * 111_320 < side:
            raise WorkflowError(
                f"{path}, line {line}: site {name} of {row['region_size'][:40]} degrees is smaller than one sub-image "
                f"of {side} m; make it at least {side / 111_320:.4f} or subimages.size smaller."
            )
    if not sites:
        raise WorkflowError(f"{path} names no site; add a line with {', '.join(SITE_COLUMNS)}.")
    return sites


def read_products(path):
    """The rows of products.tsv by product name, checked field by field."""
    products = {}
    refresh = "correct it or run ./tigerbush discover to write the table anew"
    for line, row in read_table(path, PRODUCT_COLUMNS):
        name = row["product"]
        fields = name.split("_")
        if not re.fullmatch(PRODUCT, name):
            raise WorkflowError(
                f"{path}, line {line}: {name[:80]!r} is not a Sentinel-2 product name; {refresh}."
            )
        if name in products:
            raise WorkflowError(f"{path}, line {line}: product {name} is there twice; {refresh}.")
        stamp = fields[2]
        expected = {
            "platform": fields[0],
            "level": fields[1][3:],
            "sensing_time": f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:]}",
            "tile": fields[5][1:],
            "relative_orbit": str(int(fields[4][1:])),
        }
        for column, value in expected.items():
            if row[column] != value:
                raise WorkflowError(
                    f"{path}, line {line}: {column} is {row[column][:40]!r} but the product name says {value!r}; {refresh}."
                )
        try:
            datetime.fromisoformat(row["sensing_time"])
            cloud = float(row["cloud_percent"] or 0)
        except ValueError:
            cloud = -1
        if not 0 <= cloud <= 100:
            raise WorkflowError(
                f"{path}, line {line}: cloud_percent {row['cloud_percent'][:40]!r} is not a number from 0 to 100, or "
                f"sensing_time {row['sensing_time']} is no date; {refresh}."
            )
        products[name] = row | {"cloud_percent": cloud}
    return products


def read_files(path):
    """The rows of files.tsv by product, sorted by name, checked field by field."""
    files = {}
    for line, row in sorted(read_table(path, FILE_COLUMNS), key=lambda item: item[1]["name"]):
        for column, pattern in FILE_PATTERNS.items():
            if len(row[column]) > 1024 or not re.fullmatch(pattern, row[column]):
                raise WorkflowError(
                    f"{path}, line {line}: {column} {row[column][:80]!r} is not one that discovery writes; run "
                    "./tigerbush discover to write the table anew."
                )
        files.setdefault(row["product"], []).append(row)
    return files


def touches(site, tile):
    """Whether the 109.8 km square of an MGRS tile reaches a site, in the site's own UTM zone.

    Columns of 100 km are lettered in three sets by zone, rows from A (odd zones) or F (even zones) in
    a cycle of 2000 km; tiles overhang their square to the east and south by 9.8 km.
    """
    zone, band, column, row = int(tile[:2]), tile[2], tile[3], tile[4]
    x, y, site_zone, _ = utm.from_latlon(site["latitude"], site["longitude"])
    x, y = float(x), float(y)
    sets = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")[zone % 3]
    if zone != site_zone or (band >= "N") != (site["latitude"] >= 0) or column not in sets:
        return False
    # rows come again every 2000 km, so the band of latitude (8 degrees, the last one 12) has to be near
    bottom = -80 + 8 * "CDEFGHJKLMNPQRSTUVWX".index(band)
    if not bottom - 2 < site["latitude"] < bottom + (12 if band == "X" else 8) + 2:
        return False
    west = 100_000 * (sets.index(column) + 1)
    rows = "ABCDEFGHJKLMNPQRSTUV"
    south = 100_000 * ((rows.index(row) - (0 if zone % 2 else 5)) % 20)
    south += 2_000_000 * round((y - south) / 2_000_000)
    half = site["region_size"] * 111_320 / 2
    return west - 60 - half < x < west + 109_860 + half and south - 9_860 - half < y < south + 100_060 + half
