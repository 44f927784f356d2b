"""The products of each date, and the input functions and constants that rules share.

Every job reads this file, so nothing heavier than numpy (through utm) is imported: of the library, `planning` alone.
"""

from functools import lru_cache
from pathlib import Path

from snakemake.exceptions import IncompleteCheckpointException
from snakemake.logging import logger

SENSOR_OF = from_library("sensors").sensor_of
TABLES = from_library("planning.tables")
DATES = from_library("planning.dates")
SCENES = from_library("planning.scenes")
BANDS = from_library("planning.bands")
ZONES = from_library("planning.zones")
SOURCE = from_library("planning.source")
FINGERPRINTS = from_library("planning.fingerprints")
VARIABLES = from_library("variables")

# Attempts after the first; a transient error of the last one becomes a placeholder.
RETRIES = 2

# of the sites of the same tiles
PLANS = {}
# Dates (results/site/date) and scenes that stay as an earlier run made them, because products are gone (on_gone: keep).
KEPT = {}


wildcard_constraints:
    site=TABLES.SITE,
    date=r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    product=TABLES.PRODUCT,
    tile="[A-Za-z0-9]+",


TEMPLATES = recorded_as(
    fingerprint(
        source(f"scripts/tigerbush/report/templates/{name}.html") for name in ("base", "site", "sites")
    )
)
# No parameter holds the code that lists and fetches products: an edit of it must not make results outdated.
fetch_imports("discover_products", "download_product", "stream_product", "publish_scene")


class Wanted(dict):
    """What the configuration wants, by name; any other name, of which results may be left over, is refused."""

    def __init__(self, items, sentence):
        super().__init__(items)
        self.sentence = sentence

    def __missing__(self, name):
        raise WorkflowError(self.sentence.format(name))


def scene_parameters():
    """Return the parameters of a scene, for either rule that makes one."""
    return FINGERPRINTS.scene_parameters(config)


def changed_added_keys(*keys):
    """Return keys that were added in a later release, where they differ from their defaults; results outlive new keys."""
    return FINGERPRINTS.changed_added_keys(config, *keys)


def products_table():
    """Return the rows of the table of products."""
    return _products_table(*products_key())


@lru_cache(maxsize=1)
def products_path():
    """Return the path of the table of products; Snakemake waits until discovery has run. The sample's is in git."""
    if config["source"]["kind"] == "sample":
        return Path(config["products"])
    return checkpoints.discover_products.get().output.products


@lru_cache(maxsize=1)
def products_key():
    """Return the key under which what is read of the table of products is cached; it is asked for some times a job."""
    return _path_and_time(products_path())


def _path_and_time(path):
    """Return the key under which a file is cached: its path and modification time, None in remote storage."""
    local = Path(path)
    return path, local.stat().st_mtime_ns if local.exists() else None


@lru_cache(maxsize=1)
def _products_table(path, _):
    products = translate_errors(TABLES.read_products, path)
    if is_main_process():
        # the home folder, which a path may begin with, is another one on nodes
        translate_errors(SOURCE.check_table, path, products, config["source"])
    return Wanted(products, f"{path} has no product {{}}; run ./tigerbush discover, or name another target.")


def plan(site):
    """Return which products of a site are processed at each date that has any, and why others are left out."""
    return _plan(site, *products_key())


@lru_cache(maxsize=None)
def _plan(site, path, time):
    rows = products_of_site(site, path, time)
    translate_errors(BANDS.refuse_site_bands, rows, config)
    warn_of_uncovered(site, frozenset(ZONES.tiles_of(rows)))
    kept = tuple((day, KEPT[name]) for day in PERIODS if (name := f"results/{site}/{day}") in KEPT)
    # sites of the same tiles share their rows, and so their plan
    key = id(rows), kept
    if key not in PLANS:
        replaced = from_library("planning.notes").read_replaced(Path(path))
        PLANS[key] = DATES.plan_dates(rows, PERIODS, config, dict(kept), replaced)
    return PLANS[key]


@lru_cache(maxsize=None)
def products_of_site(site, path, time):
    """Return the rows of the products that cover a site in its zone."""
    return translate_errors(
        DATES.products_of, SITES[site] | {"zone": zone_of(site)}, _products_by_tile(path, time), config
    )


@lru_cache(maxsize=1)
def _products_by_tile(path, time):
    return DATES.ProductsByTile(_products_table(path, time))


def zone_of(site):
    """Return the UTM zone (EPSG code) of a site: that of the table of sites, or the one decided by discovery.

    None for that of the site's centre.
    """
    try:
        zone = _zone(site, *products_key())
    except IncompleteCheckpointException:
        # the jobs that are planned before discovery are planned again after it
        zone = SITES[site].get(TABLES.ZONE)
    return None if zone == ZONES.place_of(SITES[site]).epsg else zone


@lru_cache(maxsize=None)
def _zone(site, path, time):
    return ZONES.zones_of({site: SITES[site]}, *_zones_and_tiles(path, time)).get(site)


@lru_cache(maxsize=1)
def _zones_and_tiles(path, time):
    return ZONES.read_zones(path), ZONES.tiles_of(_products_table(path, time).values())


@lru_cache(maxsize=None)
def warn_of_uncovered(site, tiles):
    """Name a site with sub-images that no tile of its zone covers, once."""
    if not is_main_process():
        return
    place = from_library("site").Site(**window_of(site))
    limit = config["subimages"]["max_masked_fraction"]
    if uncovered := ZONES.count_uncovered(place, tiles, limit):
        logger.warning(
            f"Site {site}: no tile of EPSG:{place.epsg} in {config['products']} covers {uncovered} of its "
            f"{place.sub_images**2} sub-images, which are never used; add products of the missing tiles, or choose "
            f"another zone in the column `zone` of {config['sites']}."
        )


def of_sites(pattern):
    """Return an input function that gives files of all sites; without sites the run ends with a sentence."""

    def files(wildcards):
        if not SITES:
            raise WorkflowError(
                "sites is null, and only the target `scenes` works without sites: add it to the command, or set "
                "sites to a table of sites."
            )
        return expand(pattern, site=SITES, allow_missing=True)

    return files


def left_out_of(site):
    """Return the products that are not processed at each date of a site, with the reasons."""
    return {day: planned["left_out"] for day, planned in plan(site).items() if planned["left_out"]}


def dates_with_products(site):
    return [day for day, planned in plan(site).items() if planned["products"]]


def site_window(wildcards):
    """Return the keyword arguments of `tigerbush.site.Site`."""
    return window_of(wildcards.site)


def tiles_of_site(wildcards, input):
    """Return the tiles that cover a site at any date, each with one of its products.

    With the argument `input` Snakemake does not compare it with that of earlier results, whose numbers it does not change.
    """
    return tiles_with_product(wildcards.site)


@lru_cache(maxsize=None)
def tiles_with_product(site):
    rows = products_of_site(site, *products_key())
    return {row["tile"]: row["product"] for row in rows}


def window_of(site):
    """Return the keyword arguments of `tigerbush.site.Site`; `zone` only if it is not that of the site's centre."""
    return _window_of(site, zone_of(site))


@lru_cache(maxsize=None)
def _window_of(site, zone):
    return (
        {key: SITES[site][key] for key in TABLES.SITE_COLUMNS[1:]}
        | {"size": config["subimages"]["size"], "resolution": config["composite"]["resolution"]}
        | ({"zone": zone} if zone else {})
    )


def site_row(wildcards):
    """Return the required columns of a site."""
    return {key: SITES[wildcards.site][key] for key in TABLES.SITE_COLUMNS}


def product_url(wildcards):
    """Return where a product is in the source."""
    return products_table()[wildcards.product]["url"]


def discovered(wildcards):
    """Return no file, but let the job wait for the table of products."""
    products_table()
    return []


def sensors_of(wildcards):
    """Return the folders of the sensors whose products a job uses: of one product, of a date, of a site, or of all."""
    if hasattr(wildcards, "product"):
        return sensors_of_products([wildcards.product])
    if hasattr(wildcards, "batch"):
        return sensors_of_products(
            product
            for products in products_at(wildcards.batch, wildcards.date).values()
            for product in products
        )
    if hasattr(wildcards, "date"):
        return sensors_of_products(plan(wildcards.site).get(wildcards.date, {}).get("products", []))
    if hasattr(wildcards, "site"):
        return sensors_of_products(
            name
            for planned in plan(wildcards.site).values()
            for name in (*planned["products"], *planned["left_out"])
        )
    return sensors_of_products(products_table())


def sensors_of_products(products):
    """Return the folders of the sensors of these products."""
    return tuple(sorted({SENSOR_OF(name).package.replace(".", "/") for name in products}))


def simulated_products(product="*"):
    """Return the files of the sample's products, or of one of them; none for a real source."""
    if config["source"]["kind"] != "sample":
        return []
    names = products_table() if product == "*" else [product]
    return [f"{config['source']['path']}/{name}.zip" for name in names]


def whole_product(wildcards):
    """Return the local copy of a whole product, or the simulated product; nothing when it is read in place."""
    if REMOTE or config["source"]["access"] == "storage":
        return discovered(wildcards) + [f"results/downloads/{wildcards.product}.zip"]
    return discovered(wildcards) + simulated_products(wildcards.product)


def stored_files(wildcards):
    """Return the files that Snakemake's storage plugin fetches for a download."""
    products_table()
    rows = files_of(config["scene"]["bands"], SCENE_MASKS)(wildcards)
    if REMOTE and SNAP:
        # the job itself lists and fetches a whole product
        translate_errors(SOURCE.check_snap_input, wildcards.product, rows)
        return []
    # the job itself fetches files from web servers
    if not REMOTE or config["source"]["access"] == "stream" or SOURCE.on_web_server(rows):
        return []
    for row in rows[:1]:
        check_access(row["key"])
    return [storage.source(SOURCE.address_of(row["key"], config["source"]["bucket"])) for row in rows]


def files_of(bands, masks=()):
    """Return a function that gives the rows of a product's files: metadata, masks, the bands of sites, and `bands`.

    Bands are those of the finest resolution; `masks` are bands of which their own masks are included.
    """

    def rows(wildcards):
        files = files_table().get(wildcards.product, []) if REMOTE else []
        if on_nodes():
            local_rules = config["run"]["local_rules"]
            translate_errors(
                NODES.refuse_product_on_nodes, wildcards.product, files, config["source"], local_rules
            )
        site_bands = SENSOR_OF(wildcards.product).site_bands if SITES else ()
        return SOURCE.select_files(files, [*site_bands, *bands], masks)

    return rows


def scene_memory(wildcards, attempt):
    """Return the memory of a scene in MB: for SNAP more in each attempt, since its heap is limited to a share of it."""
    return SCENE_MB * attempt if SNAP else SCENE_MB


def files_table():
    """Return the rows of the table of files by product."""
    return _files_table(*_path_and_time(checkpoints.discover_products.get().output.files))


@lru_cache(maxsize=1)
def _files_table(path, _):
    return translate_errors(TABLES.read_files, path)


def weather_file(quantity):
    """Return a function that gives the weather file of a site, of rainfall or temperature."""
    path = config["weather"][quantity]["path"] or config["weather"]["path"]
    # the user's file is on this machine, also when results are in a default storage
    located = (lambda file: file) if config["source"]["kind"] == "sample" else local
    return lambda wildcards: located(path.replace("{site}", wildcards.site))


def weather_of(days):
    """Return a function that gives the weather files of dates of a site; none when no weather is configured."""
    return lambda wildcards: (
        expand("results/{site}/{date}/weather.json", site=wildcards.site, date=days(wildcards))
        if config["weather"]["path"]
        else []
    )


def images_of_dates(image):
    """Return a function that gives one image of every date of a site that has products."""
    return lambda wildcards: expand(
        "results/{site}/{date}/{image}.png",
        site=wildcards.site,
        date=dates_with_products(wildcards.site),
        image=image,
    )


def in_report(path, caption, category, **labels):
    """Flag a file for Snakemake's own report."""
    return report(
        path, caption=f"../report/{caption}.rst", category=category, labels={"site": "{site}"} | labels
    )


def ndvi_of_dates(wildcards):
    """Return the NDVI of every date of a site that has products."""
    return expand(
        "results/{site}/{date}/ndvi.tif", site=wildcards.site, date=dates_with_products(wildcards.site)
    )


def dates_without_products(wildcards):
    return sorted(set(PERIODS) - set(dates_with_products(wildcards.site)))


translate_errors(CONFIGURATION.check_depth, config)
check_secrets()
check_config()
check_nodes()
SITES = Wanted(
    (
        translate_errors(
            TABLES.read_sites,
            Path(config["sites"]),
            config["subimages"]["size"] * config["composite"]["resolution"],
        )
        # none: for scenes alone
        if config["sites"]
        else {}
    ),
    f"{config['sites'] or 'sites: null'} has no site {{}}; add it, or name another target.",
)
if is_main_process():
    # the table of products and the weather files
    translate_errors(PATHS.check_files, config, SITES, results=RESULTS)
    translate_errors(BANDS.check_folder, config)
PERIODS = Wanted(
    translate_errors(CONFIGURATION.periods_of, config),
    "no period of the configuration has the date {}; correct period, or name another target.",
)
# In detail `numbers` the files of a whole site are made with those of its batch (rules/batches.smk).
NUMBERS = config["run"]["detail"] == "numbers"
SITE_OF_FILES = "(?!)" if NUMBERS else TABLES.SITE
# SNAP reads whole products, and Java keeps images in as much memory as it gets (docs/snap.md)
SNAP = config["scene"]["engine"] != "rasterio"
SCENE_ENVIRONMENT = f"../envs/{'snap' if SNAP else 'tigerbush'}.yaml"
SCENE_MASKS = config["scene"]["bands"] if config["scene"]["snap_masks"] else []
SCENE_THREADS, SCENE_MB = (2, 6000) if SNAP else (1, 1000)
MASK_MB = 1500
REMOTE = SOURCE.is_remote(config["source"])
STORE = SOURCE.store_settings(config["source"])
DISCOVERY = SOURCE.discovery_parameters(config["source"], SITES, PERIODS, SCENES.selection_parameters(config))
# folders of scenes, with wildcards
SCENE_FOLDER = "{tile}/{date}/" if config["scene"]["layout"] == "by_tile_and_date" else ""
MASKS = SCENES.makes_masks(config)
# rules that cannot, or should not, run on nodes that do not share this file system
LOCAL_RULES = config["run"]["local_rules"] + (
    ["download_product"] if config["source"]["kind"] == "local" else []
)
# by the names they have when the workflow is used as a module
workflow.localrules(*map(workflow.modifier.modify_rulename, LOCAL_RULES))
# parameters by which sub-images are chosen
SUBIMAGES = {
    "site": site_window,
    "max_masked_fraction": config["subimages"]["max_masked_fraction"],
    "limit": config["subimages"]["limit"],
    "mode": config["mode"],
}
