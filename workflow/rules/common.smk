"""Configuration, sites, dates, the products of each date, and the library's modules.

Read by every job, so it imports nothing heavier than numpy (through utm), and never the library.
"""

import csv
import difflib
import hashlib
import re
from bisect import bisect_right
from calendar import monthrange
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import utm
from snakemake.utils import validate

# Attempts after the first one; then trouble that might have passed becomes a placeholder.
RETRIES = 2
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
RESERVED = ("scenes", "downloads")
SITE_BANDS = ["B2", "B3", "B4", "B8"]

# Registered one by one: only what is named here reaches jobs that run from the source archive.
LIBRARY = {
    Path(path).stem: path
    for path in (
        workflow.source_path("../scripts/tigerbush/__init__.py"),
        workflow.source_path("../scripts/tigerbush/centrality.py"),
        workflow.source_path("../scripts/tigerbush/composite.py"),
        workflow.source_path("../scripts/tigerbush/date_images.py"),
        workflow.source_path("../scripts/tigerbush/errors.py"),
        workflow.source_path("../scripts/tigerbush/failures.py"),
        workflow.source_path("../scripts/tigerbush/figures.py"),
        workflow.source_path("../scripts/tigerbush/files.py"),
        workflow.source_path("../scripts/tigerbush/grid.py"),
        workflow.source_path("../scripts/tigerbush/images.py"),
        workflow.source_path("../scripts/tigerbush/local.py"),
        workflow.source_path("../scripts/tigerbush/masks.py"),
        workflow.source_path("../scripts/tigerbush/measures.py"),
        workflow.source_path("../scripts/tigerbush/pattern.py"),
        workflow.source_path("../scripts/tigerbush/products.py"),
        workflow.source_path("../scripts/tigerbush/ranges.py"),
        workflow.source_path("../scripts/tigerbush/raster.py"),
        workflow.source_path("../scripts/tigerbush/remote.py"),
        workflow.source_path("../scripts/tigerbush/resample.py"),
        workflow.source_path("../scripts/tigerbush/s3.py"),
        workflow.source_path("../scripts/tigerbush/safe.py"),
        workflow.source_path("../scripts/tigerbush/safe_writer.py"),
        workflow.source_path("../scripts/tigerbush/sample.py"),
        workflow.source_path("../scripts/tigerbush/scene.py"),
        workflow.source_path("../scripts/tigerbush/site.py"),
        workflow.source_path("../scripts/tigerbush/sources.py"),
        workflow.source_path("../scripts/tigerbush/stream.py"),
        workflow.source_path("../scripts/tigerbush/summary.py"),
        workflow.source_path("../scripts/tigerbush/tiles.py"),
        workflow.source_path("../scripts/tigerbush/weather.py"),
        workflow.source_path("../scripts/tigerbush/weather_grids.py"),
    )
}


wildcard_constraints:
    site=SITE,
    date=r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    product=PRODUCT,


def library(*modules):
    """Fingerprint of library modules, as a parameter: an edit re-runs what uses them and nothing else.

    Not the files as inputs: those would re-run everything when the checkout moves.
    """
    content = b"".join(Path(LIBRARY[module]).read_bytes() for module in ("__init__", *modules))
    return hashlib.sha256(content).hexdigest()[:16]


def check_config():
    """Fill in the defaults; refuse what the schema does not know, in one sentence."""
    if isinstance(config.get("period"), dict):
        # YAML turns an unquoted 2016-01-01 into a date
        config["period"] = {key: str(value) for key, value in config["period"].items()}
    try:
        validate(config, "../schemas/config.schema.yaml")
    except WorkflowError as error:
        raise WorkflowError(config_sentence(error.__context__)) from None
    for keys, value in kind_defaults(config["source"]).items():
        *path, key = keys.split(".")
        section = config
        for name in path:
            section = section[name]
        if section[key] is None:
            section[key] = value


def kind_defaults(source):
    """What a key that is null becomes; the sample brings tables and weather of its own."""
    if source["kind"] == "sample":
        folder = source["path"] or "data/sample"
        return {
            "products": "config/sample/products.tsv",
            "source.path": folder,
            "weather.path": f"{folder}/weather.csv",
        }
    if source["kind"] == "local" and source["path"] is None:
        raise WorkflowError(
            "source.path is null; set it to the folder of your .SAFE products. See config/README.md."
        )
    return {"products": "results/products.tsv"}


def check_source():
    source = config["source"]
    if source["kind"] == "s3":
        for key in ("bucket", "level"):
            if source[key] is None:
                raise WorkflowError(
                    f"source.{key} is not set, but source.kind s3 needs it; see docs/sources.md."
                )
        if source["requester_pays"] and source["access"] == "storage":
            raise WorkflowError(
                "source.requester_pays cannot go with source.access storage, whose requests do not say who pays; set "
                "source.access: stream."
            )


def check_weather():
    for quantity in ("precipitation", "temperature"):
        if config["weather"][quantity]["path"] and not config["weather"]["path"]:
            raise WorkflowError(
                f"weather.{quantity}.path is set but weather.path is null, which means no weather; set weather.path too."
            )


def config_sentence(error):
    where = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    what = error.message
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = sorted(str(key) for key in error.instance if key not in known)[0]
        close = difflib.get_close_matches(unknown, known, 1)
        what = f"{unknown!r} is not a key" + (
            f", did you mean {close[0]!r}?" if close else f" (known: {known})."
        )
    return f"{where}: {what} See config/README.md."


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


def step_from(day, step):
    """The day one step later, as pyveg counts: months keep the day where the month has it."""
    number, unit = int(step[:-1]), step[-1]
    if unit in "dw":
        return day + timedelta(days=number * (7 if unit == "w" else 1))
    months = day.year * 12 + day.month - 1 + number * (12 if unit == "y" else 1)
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def read_periods(start, end, step):
    """Date (middle day) to (start, end) of each period of [start, end); an incomplete last one is dropped."""
    try:
        day, last = date.fromisoformat(start), date.fromisoformat(end)
    except ValueError as error:
        raise WorkflowError(f"period.start {start!r} and period.end {end!r} must be days: {error}.")
    if day >= last:
        raise WorkflowError(f"period.end {end} must be after period.start {start}.")
    periods = {}
    while len(periods) <= 100_000:
        try:
            following = step_from(day, step)
        except (ValueError, OverflowError):
            break
        if following > last:
            break
        middle = day + (following - day) // 2
        periods[middle.isoformat()] = (day.isoformat(), following.isoformat())
        day = following
    if not 0 < len(periods) <= 100_000:
        raise WorkflowError(
            f"period.step {step} cuts {start} to {end} into {len(periods)} dates; change one of them."
        )
    return periods


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


def products_table():
    """The rows of the table of products."""
    return _products_table(*_stamped(products_path()))


def products_path():
    """The table of products; until discovery has run, Snakemake waits for it. That of the sample is tracked."""
    if config["source"]["kind"] == "sample":
        return Path(config["products"])
    return checkpoints.discover_products.get().output.products


def _stamped(path):
    """A file and what changes when it does; in a remote storage it changes under no one's hands."""
    local = Path(path)
    return path, local.stat().st_mtime_ns if local.exists() else None


@lru_cache(maxsize=1)
def _products_table(path, _):
    return read_products(path)


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


def plan(site):
    """What to do for a site: per date with products, which to process and why others are left out."""
    return _plan(site, *_stamped(products_path()))


@lru_cache(maxsize=None)
def _plan(site, path, stamp):
    spans = list(PERIODS.items())
    starts = [start for _, (start, _) in spans]
    dates = {}
    for row in sorted(products_of(site, _products_table(path, stamp)), key=lambda row: row["product"]):
        day = row["sensing_time"][:10]
        i = bisect_right(starts, day) - 1
        if i < 0 or day >= spans[i][1][1]:
            continue
        todo = dates.setdefault(spans[i][0], {"products": [], "left_out": {}})
        if reason := why_left_out(row):
            todo["left_out"][row["product"]] = reason
        else:
            todo["products"].append(row["product"])
    return dates


def products_of(site, products):
    """The rows of the products that reach a site; refuse none at all and two levels."""
    tiles = {tile for tile in {row["tile"] for row in products.values()} if touches(SITES[site], tile)}
    level = config["source"]["level"]
    rows = [row for row in products.values() if row["tile"] in tiles and level in (None, row["level"])]
    if not rows:
        place = SITES[site]
        raise WorkflowError(
            f"site {site} at {place['longitude']:g}, {place['latitude']:g} lies outside every tile of "
            f"{config['products']}; correct it in {config['sites']}, or add products of its place and run "
            "./tigerbush discover."
        )
    if len({row["level"] for row in rows}) > 1:
        raise WorkflowError(
            f"site {site} has products of two levels (L1C and L2A) in {config['products']}; set source.level to the "
            "one to use."
        )
    return rows


def why_left_out(row):
    limit, orbits = config["composite"]["max_cloud_percent"], config["composite"]["relative_orbits"]
    if config["mode"] == "pyveg" and row["cloud_percent"] >= 50:
        return "50 % cloud or more (mode: pyveg)"
    if row["cloud_percent"] > limit:
        return f"more than {limit:g} % cloud (composite.max_cloud_percent)"
    if orbits and int(row["relative_orbit"]) not in orbits:
        return "another orbit (composite.relative_orbits)"
    return None


def dates_with_products(site):
    return [day for day, todo in plan(site).items() if todo["products"]]


def site_window(wildcards):
    """The keyword arguments that place a site on its grid."""
    site = SITES[wildcards.site]
    return {key: site[key] for key in SITE_COLUMNS[1:]} | {
        "size": config["subimages"]["size"],
        "resolution": config["composite"]["resolution"],
    }


def product_url(wildcards):
    """Where a product lies in the source."""
    return products_table()[wildcards.product]["url"]


def discovered(wildcards):
    """No file, but Snakemake learns that the job waits for the table of products."""
    products_table()
    return []


def simulated_products(product="*"):
    """The products of the sample, or one of them; none where products are real."""
    if config["source"]["kind"] != "sample":
        return []
    names = products_table() if product == "*" else [product]
    return [SAMPLE / f"{name}.zip" for name in names]


def product_of_site(wildcards):
    """What a site reads of a product. A product that is read in place is no input: results outlive it."""
    if REMOTE and config["source"]["access"] == "stream":
        return discovered(wildcards) + [f"results/{wildcards.site}/downloads/{wildcards.product}.zip"]
    return product_whole(wildcards)


def product_whole(wildcards):
    """The local copy of a whole product, unless it is read in place; what is simulated is a file of ours."""
    if REMOTE or config["source"]["access"] == "storage":
        return discovered(wildcards) + [f"results/downloads/{wildcards.product}.zip"]
    return discovered(wildcards) + simulated_products(wildcards.product)


def stored_files(wildcards):
    """The files that Snakemake's storage plugin fetches for a download."""
    products_table()
    if not REMOTE or config["source"]["access"] == "stream":
        return []
    rows = files_of(SITE_BANDS + config["scene"]["bands"])(wildcards)
    return [storage.source(address_of(row["key"])) for row in rows]


def address_of(key):
    return key if "://" in key else f"s3://{config['source']['bucket']}/{key}"


def files_of(bands):
    """The rows of a product's files: metadata, masks, and some bands at their finest resolution."""

    def rows(wildcards):
        table = files_table() if REMOTE else {}
        others, finest = [], {}
        for row in table.get(wildcards.product, []):
            if row["role"] != "band":
                others.append(row)
            elif row["band"] in bands:
                # sorted by name: R10m is before R20m
                finest.setdefault(row["band"], row)
        return others + [finest[band] for band in dict.fromkeys(bands) if band in finest]

    return rows


def files_table():
    """The rows of files.tsv by product, sorted by name."""
    return _files_table(*_stamped(checkpoints.discover_products.get().output.files))


@lru_cache(maxsize=1)
def _files_table(path, _):
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


def composited_products(pattern):
    """The files of the products that enter a date."""
    return lambda wildcards: expand(
        pattern,
        site=wildcards.site,
        product=plan(wildcards.site).get(wildcards.date, {}).get("products", []),
    )


def weather_file(quantity):
    """The file of a quantity for the site of a job."""
    path = config["weather"][quantity]["path"] or config["weather"]["path"]
    return lambda wildcards: path.replace("{site}", wildcards.site)


def weather_of(days):
    """The weather of some dates of a site; none when no weather is configured."""
    return lambda wildcards: (
        expand("results/{site}/{date}/weather.json", site=wildcards.site, date=days(wildcards))
        if config["weather"]["path"]
        else []
    )


def images_of_dates(image):
    """An image of every date of a site that has products."""
    return lambda wildcards: expand(
        "results/{site}/{date}/{image}.png",
        site=wildcards.site,
        date=dates_with_products(wildcards.site),
        image=image,
    )


def dates_without_products(wildcards):
    return sorted(set(PERIODS) - set(dates_with_products(wildcards.site)))


check_config()
check_source()
check_weather()
SAMPLE = Path(config["source"]["path"] or "data/sample")
SITES = read_sites(config["sites"])
PERIODS = read_periods(**config["period"])
# products are in an object store or on web servers, not in a folder
REMOTE = config["source"]["kind"] not in ("sample", "local")
STORE = {
    key: config["source"][key]
    for key in ("kind", "bucket", "endpoint_url", "region", "anonymous", "requester_pays")
}
# What the table of products depends on; a folder is listed for all sites and dates alike.
DISCOVERY = {
    "source": (
        STORE | {key: config["source"][key] for key in ("level", "prefixes")}
        if REMOTE
        else {key: config["source"][key] for key in ("kind", "path", "level")}
    ),
    "sites": [{key: site[key] for key in SITE_COLUMNS[1:]} for site in SITES.values()] if REMOTE else [],
    "period": [min(PERIODS.values())[0], max(PERIODS.values())[1]] if REMOTE else [],
}
# what every rule on sub-images needs to choose them
SUBIMAGES = {
    "site": site_window,
    "max_masked_fraction": config["subimages"]["max_masked_fraction"],
    "limit": config["subimages"]["limit"],
    "mode": config["mode"],
}

if REMOTE and config["source"]["access"] == "storage":
    import botocore

    storage source:
        provider="s3",
        endpoint_url=config["source"]["endpoint_url"],
        region=config["source"]["region"] or "us-east-1",
        signature_version=botocore.UNSIGNED if config["source"]["anonymous"] else None,
