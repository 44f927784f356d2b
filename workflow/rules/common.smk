"""The products of each date, and what the rules ask for.

Every job reads it, so that nothing heavier than numpy (through utm) is imported: of the library, `planning` alone.
"""

from functools import lru_cache
from pathlib import Path

SENSOR_OF = from_library("sensors").sensor_of
TABLES = from_library("planning.tables")
DATES = from_library("planning.dates")
SOURCE = from_library("planning.source")
FINGERPRINTS = from_library("planning.fingerprints")
VARIABLES = from_library("variables")

# Attempts after the first one; then trouble that might have passed becomes a placeholder.
RETRIES = 2

# Dates (results/site/date) and scenes whose results of an earlier run stay, because products are gone (on_gone: keep).
KEPT = {}


wildcard_constraints:
    site=TABLES.SITE,
    date=r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    product=TABLES.PRODUCT,


TEMPLATES = fingerprint(
    source(f"scripts/tigerbush/report/templates/{name}.html") for name in ("base", "site", "sites")
)
# An edit of what lists and fetches must not make anything again: their modules are no parameter.
bring("discover_products", "download_product", "stream_product", "publish_scene")


def scene_parameters():
    """How a scene is made, whoever makes it."""
    return FINGERPRINTS.scene_parameters(config)


def later(*keys):
    """Keys of the configuration that are parameters only where they have not their default."""
    return FINGERPRINTS.later(config, *keys)


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
    return refusing(TABLES.read_products, path)


def plan(site):
    """What to do for a site: per date with products, which to process and why others are left out."""
    return _plan(site, *_stamped(products_path()))


@lru_cache(maxsize=None)
def _plan(site, path, stamp):
    rows = refusing(DATES.products_of, SITES[site], _products_table(path, stamp), config)
    kept = {day: KEPT[name] for day in PERIODS if (name := f"results/{site}/{day}") in KEPT}
    return DATES.plan_dates(rows, PERIODS, config, kept)


def scenes():
    """The products of the target `scenes`, without those whose scenes are kept as they are."""
    return [name for name in products_table() if f"results/scenes/{name}" not in KEPT]


def dates_with_products(site):
    return [day for day, todo in plan(site).items() if todo["products"]]


def site_window(wildcards):
    """The keyword arguments that place a site on its grid."""
    site = SITES[wildcards.site]
    return {key: site[key] for key in TABLES.SITE_COLUMNS[1:]} | {
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
    """The folders of the sensors whose products a job is made of: one, those of a date or of a site, or all."""
    if hasattr(wildcards, "product"):
        return sensors_of_products([wildcards.product])
    if hasattr(wildcards, "date"):
        return sensors_of_products(plan(wildcards.site).get(wildcards.date, {}).get("products", []))
    if hasattr(wildcards, "site"):
        return sensors_of_products(
            name for todo in plan(wildcards.site).values() for name in (*todo["products"], *todo["left_out"])
        )
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
    rows = files_of(config["scene"]["bands"])(wildcards)
    if REMOTE and SNAP:
        # a whole product is listed and fetched by the job itself
        refusing(SOURCE.check_safe, wildcards.product, rows)
        return []
    # what lies on web servers is fetched by the job itself
    if not REMOTE or config["source"]["access"] == "stream" or SOURCE.is_web(rows):
        return []
    for row in rows[:1]:
        ask_store(row["key"])
    return [storage.source(SOURCE.address_of(row["key"], config["source"]["bucket"])) for row in rows]


def files_of(bands):
    """The rows of a product's files: metadata, masks, and bands of sites and some more at their finest resolution."""

    def rows(wildcards):
        files = files_table().get(wildcards.product, []) if REMOTE else []
        if on_nodes():
            local_rules = config["run"]["local_rules"]
            refusing(NODES.refuse_stored, wildcards.product, files, config["source"], local_rules)
        return SOURCE.chosen_files(files, [*SENSOR_OF(wildcards.product).site_bands, *bands])

    return rows


def files_table():
    """The rows of the table of files by product."""
    return _files_table(*_stamped(checkpoints.discover_products.get().output.files))


@lru_cache(maxsize=1)
def _files_table(path, _):
    return refusing(TABLES.read_files, path)


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


refusing(CONFIGURATION.check_depth, config)
check_secrets()
check_config()
check_nodes()
SITES = refusing(
    TABLES.read_sites,
    Path(config["sites"]),
    config["subimages"]["size"] * config["composite"]["resolution"],
)
if is_main_process():
    # tables of products, and weather
    refusing(PLACES.check_files, config, SITES)
PERIODS = refusing(from_library("planning.periods").read_periods, **config["period"])
# SNAP resamples: it reads whole products, and its Java takes more than arrays do (estimated, never measured)
SNAP = config["scene"]["engine"] != "rasterio"
SCENE_ENVIRONMENT = f"../envs/{'snap' if SNAP else 'tigerbush'}.yaml"
SCENE_THREADS, SCENE_MB = (2, 6000) if SNAP else (1, 1000)
REMOTE = SOURCE.is_remote(config["source"])
STORE = SOURCE.store_of(config["source"])
DISCOVERY = SOURCE.discovery_of(config["source"], SITES, PERIODS)
# what nodes without the disk of this machine cannot do, or should not
LOCAL_RULES = config["run"]["local_rules"] + (
    ["download_product"] if config["source"]["kind"] == "local" else []
)
# with the names that they have when the workflow is a module of another one
workflow.localrules(*map(workflow.modifier.modify_rulename, LOCAL_RULES))
# what every rule on sub-images needs to choose them
SUBIMAGES = {
    "site": site_window,
    "max_masked_fraction": config["subimages"]["max_masked_fraction"],
    "limit": config["subimages"]["limit"],
    "mode": config["mode"],
}
