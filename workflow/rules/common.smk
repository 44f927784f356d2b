"""The library's modules, the products of each date, and what the rules ask for.

Like config.smk and tables.smk it is read by every job, so that nothing heavier than numpy (through utm) is imported, and
never the library.
"""

from bisect import bisect_right
from functools import lru_cache
from pathlib import Path

MODES = from_library("pyveg").MODES
SENSOR_OF = from_library("sensors").sensor_of
# Attempts after the first one; then trouble that might have passed becomes a placeholder.
RETRIES = 2
SITE_BANDS = ["B2", "B3", "B4", "B8"]

# Dates (results/site/date) and scenes whose results of an earlier run stay, because products are gone (on_gone: keep).
KEPT = {}


wildcard_constraints:
    site=SITE,
    date=r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    product=PRODUCT,


TEMPLATES = fingerprint(
    source(f"scripts/tigerbush/report/templates/{name}.html") for name in ("base", "site", "sites")
)
# An edit of what lists and fetches must not make anything again: their modules are no parameter.
bring("discover_products", "download_product", "stream_product", "publish_scene")


def scene_parameters():
    """How a scene is made, whoever makes it."""
    return {key: value for key, value in config["scene"].items() if key != "mpi"}


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


def plan(site):
    """What to do for a site: per date with products, which to process and why others are left out."""
    return _plan(site, *_stamped(products_path()))


@lru_cache(maxsize=None)
def _plan(site, path, stamp):
    spans = list(PERIODS.items())
    starts = [start for _, (start, _) in spans]
    dates = {}
    table = _products_table(path, stamp)
    for row in sorted(products_of(site, table), key=lambda row: row["product"]):
        day = row["sensing_time"][:10]
        i = bisect_right(starts, day) - 1
        if i < 0 or day >= spans[i][1][1]:
            continue
        todo = dates.setdefault(spans[i][0], {"products": [], "left_out": {}})
        if reason := why_left_out(row):
            todo["left_out"][row["product"]] = reason
        else:
            todo["products"].append(row["product"])
    for day, todo in dates.items():
        if why := KEPT.get(f"results/{site}/{day}"):
            todo["left_out"] |= dict.fromkeys(todo["products"], why)
            todo["products"] = []
    if limit := config["composite"]["max_takes"]:
        for todo in dates.values():
            leave_out_cloudier(todo, table, limit)
    return dates


def scenes():
    """The products of the target `scenes`, without those whose scenes are kept as they are."""
    return [name for name in products_table() if f"results/scenes/{name}" not in KEPT]


def leave_out_cloudier(todo, table, limit):
    """Keep so many data takes of a date, those with the least cloud; a take may be several products."""
    takes = {}
    for product in todo["products"]:
        row = table[product]
        takes.setdefault((row["sensing_time"], row["platform"]), []).append(product)

    def cloud(take):
        return sum(table[product]["cloud_percent"] for product in takes[take]) / len(takes[take])

    clearest = sorted(takes, key=lambda take: (cloud(take), take))
    for product in (product for take in clearest[limit:] for product in takes[take]):
        todo["products"].remove(product)
        todo["left_out"][product] = "more cloud than the data takes that are used (composite.max_takes)"


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
    if reason := MODES[config["mode"]].too_cloudy(row["cloud_percent"]):
        return reason
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


def sensors_of(wildcards):
    """The folders of the sensors whose products a job is made of: one, those of a date, or all."""
    if hasattr(wildcards, "product"):
        return sensors_of_products([wildcards.product])
    if hasattr(wildcards, "date"):
        return sensors_of_products(plan(wildcards.site).get(wildcards.date, {}).get("products", []))
    return sensors_of_products(products_table())


def sensors_of_products(products):
    """The folders of the sensors of some products."""
    return tuple(sorted({SENSOR_OF(name).package.replace(".", "/") for name in products}))


def simulated_products(product="*"):
    """The products of the sample, or one of them; none where products are real."""
    if config["source"]["kind"] != "sample":
        return []
    names = products_table() if product == "*" else [product]
    return [f"{config['source']['path']}/{name}.zip" for name in names]


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
    rows = files_of(SITE_BANDS + config["scene"]["bands"])(wildcards)
    if REMOTE and SNAP:
        # a whole product is listed and fetched by the job itself
        check_safe(wildcards.product, rows)
        return []
    if not REMOTE or config["source"]["access"] == "stream":
        return []
    # what lies on web servers is fetched by the job itself
    if any(row["key"].startswith("http") for row in rows):
        return []
    for row in rows[:1]:
        ask_store(row["key"])
    return [storage.source(address_of(row["key"])) for row in rows]


def check_safe(product, rows):
    """Refuse a source of single files: SNAP reads nothing but whole .SAFE folders."""
    if not any(
        row["key"].endswith(f"{product}.SAFE/{row['name']}") and "://" not in row["key"] for row in rows
    ):
        raise WorkflowError(
            f"{product} does not lie as a .SAFE folder in source.bucket, and SNAP reads nothing else; set scene.engine: "
            "rasterio."
        )


def address_of(key):
    return key if "://" in key else f"s3://{config['source']['bucket']}/{key}"


def files_of(bands):
    """The rows of a product's files: metadata, masks, and some bands at their finest resolution."""

    def rows(wildcards):
        table = files_table() if REMOTE else {}
        others, finest = [], {}
        if any(not row["key"].startswith("http") for row in table.get(wildcards.product, [])):
            refuse_keyless(f"{wildcards.product}, which lies in an object store,")
        for row in table.get(wildcards.product, []):
            if row["role"] != "band":
                others.append(row)
            elif row["band"] in bands:
                # sorted by name: R10m is before R20m
                finest.setdefault(row["band"], row)
        return others + [finest[band] for band in dict.fromkeys(bands) if band in finest]

    return rows


def files_table():
    """The rows of the table of files by product."""
    return _files_table(*_stamped(checkpoints.discover_products.get().output.files))


@lru_cache(maxsize=1)
def _files_table(path, _):
    return read_files(path)


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
    # one's own file is read here and not looked for in a default storage
    place = (lambda file: file) if config["source"]["kind"] == "sample" else local
    return lambda wildcards: place(path.replace("{site}", wildcards.site))


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


def in_report(path, caption, category, **labels):
    """A file that Snakemake's own report shows."""
    return report(
        path, caption=f"../report/{caption}.rst", category=category, labels={"site": "{site}"} | labels
    )


def ndvi_of_dates(wildcards):
    """The NDVI of every date of a site that has products."""
    return expand(
        "results/{site}/{date}/ndvi.tif", site=wildcards.site, date=dates_with_products(wildcards.site)
    )


def dates_without_products(wildcards):
    return sorted(set(PERIODS) - set(dates_with_products(wildcards.site)))


check_depth()
check_secrets()
check_config()
check_cloud()
check_engine(source("scripts/tigerbush/scenes/snap_worker.py"))
SITES = read_sites(config["sites"])
check_files(SITES)
PERIODS = read_periods(**config["period"])
# SNAP resamples: it reads whole products, and its Java takes more than arrays do (estimated, never measured)
SNAP = config["scene"]["engine"] != "rasterio"
SCENE_ENVIRONMENT = f"../envs/{'snap' if SNAP else 'tigerbush'}.yaml"
SCENE_THREADS, SCENE_MB = (2, 6000) if SNAP else (1, 1000)
# products are in an object store or on web servers, not in a folder
REMOTE = config["source"]["kind"] not in ("sample", "local")
STORE = {
    key: config["source"][key]
    for key in ("kind", "bucket", "endpoint_url", "region", "anonymous", "requester_pays")
}
# what nodes without the disk of this machine cannot do, or should not
LOCAL_RULES = config["run"]["local_rules"] + (
    ["download_product"] if config["source"]["kind"] == "local" else []
)
# with the names that they have when the workflow is a module of another one
workflow.localrules(*map(workflow.modifier.modify_rulename, LOCAL_RULES))
# What the table of products depends on; a folder is listed for all sites and dates alike.
DISCOVERY = {
    "source": (
        STORE | {key: config["source"][key] for key in ("level", "prefixes", "catalogue", "collections")}
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
