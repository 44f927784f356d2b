"""Checks of the tables of sites and products, of what the run takes of them, and of tiles against the sites."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tigerbush.cli.configuration import sites_of, stale_table
from tigerbush.cli.doctor.finding import Finding
from tigerbush.errors import TigerbushError
from tigerbush.planning.bands import refuse_site_bands
from tigerbush.planning.chosen import choose_scenes
from tigerbush.planning.dates import products_of
from tigerbush.planning.periods import period_warning
from tigerbush.planning.scenes import selection_parameters
from tigerbush.planning.source import check_snap_input, check_table, is_remote
from tigerbush.planning.tables import SITE_COLUMNS, read_files, read_products
from tigerbush.planning.zones import count_uncovered, read_zones, tiles_of, zones_of
from tigerbush.sensors import parse_name
from tigerbush.site import Site
from tigerbush.sources.tree import find_products

Rows = dict[str, dict[str, Any]]


def check_tables(config: dict, directory: Path) -> Iterator[Finding]:
    """Read the tables as a run does, and compare them with the configuration and with each other."""
    sites = sites_of(config, directory)
    without = "none, for the target scenes alone (sites is null)"
    yield Finding("sites", True, f"{len(sites)} in {directory / config['sites']}" if sites else without)
    table = directory / config["products"]
    products: Rows = {}
    if table.exists():
        products = read_products(table)
        if (files := table.with_name("files.tsv")).exists():
            read_files(files)
    days = [row["sensing_time"][:10] for row in products.values()]
    finding = _table_finding(table, products, config, stale_table(config, sites, directory))
    yield finding
    if finding.state != "ok":
        # the next run lists them
        products = {}
    elif table.exists():
        yield from check_scenes(config, products, table)
    if sites and (warning := period_warning(**config["period"], days=days)):
        yield Finding("period", True, warning, warning=True)
    place = config["products"]
    if config["source"]["kind"] == "local" and not products:
        products, place = products_in(directory / config["source"]["path"]), config["source"]["path"]
    if sites and products:
        yield from check_tiles(config | {"products": place}, sites, products, read_zones(table))


def _table_finding(table: Path, products: Rows, config: Mapping, stale: str | None) -> Finding:
    """Tell whether the run takes a table of products: it lists the source again if the settings are other ones."""
    if not table.exists():
        return Finding("products", True, f"{table} will be written by ./tigerbush discover")
    if stale:
        return Finding("products", True, stale, warning=True)
    try:
        check_table(config["products"], products, config["source"])
    except TigerbushError as error:
        return Finding("products", False, str(error))
    return Finding("products", True, f"{len(products)} in {table}")


def check_scenes(config: Mapping, products: Rows, table: Path) -> Iterator[Finding]:
    """Choose the products of the target `scenes` as a run does; a refusal is a warning if nothing asks for scenes."""
    is_wanted = config["sites"] is None or bool(selection_parameters(config))
    try:
        chosen = choose_scenes(products, config)["products"]
        if config["scene"]["engine"] != "rasterio" and is_remote(config["source"]):
            files = read_files(table.with_name("files.tsv"))
            for product in chosen:
                check_snap_input(product, files.get(product, ()))
    except TigerbushError as error:
        yield Finding("scenes", not is_wanted, str(error), warning=not is_wanted)
        return
    if is_wanted:
        yield Finding("scenes", True, f"{len(chosen)} of {len(products)} products are chosen")


def products_in(folder: Path) -> Rows:
    """Return what the names of the products in a folder say, as far as the plan of a site needs it."""
    rows: Rows = {}
    # what is not read has been named by the check of the source
    for product in find_products(folder, warn=lambda *_: None) if folder.is_dir() else ():
        name = parse_name(product)
        rows[product] = {"product": product, "level": name.level, "tile": name.tile}
    return rows


def check_tiles(
    config: Mapping, sites: Mapping[str, Mapping], products: Rows, recorded: Mapping[str, int] | None
) -> Iterator[Finding]:
    """Compare each site with the tiles of the products in its UTM zone: outside all of them, or partly inside."""
    zones = zones_of(sites, recorded, tiles_of(products.values()))
    inside = 0
    for name, site in sites.items():
        measured = dict(site) | ({"zone": zones[name]} if name in zones else {})
        try:
            rows = products_of(measured, products, config)
            refuse_site_bands(rows, config)
        except TigerbushError as error:
            yield Finding("tiles", False, str(error))
            continue
        inside += 1
        if uncovered := _uncovered(measured, rows, config):
            text = (
                f"site {name} lies only partly in the tiles of {config['products']}: {uncovered} of its sub-images are "
                "never used; add products of the missing tiles, move the site or make it smaller."
            )
            yield Finding("tiles", True, text, warning=True)
    if inside:
        yield Finding("tiles", True, f"{inside} of {len(sites)} sites lie in tiles of {config['products']}")


def _uncovered(site: Mapping[str, Any], products: Iterable[Mapping[str, Any]], config: Mapping) -> int:
    """Return how many sub-images of a site the tiles of products leave without data."""
    window = {key: site[key] for key in SITE_COLUMNS[1:]} | {"zone": site.get("zone")}
    pixels = {"size": config["subimages"]["size"], "resolution": config["composite"]["resolution"]}
    limit = config["subimages"]["max_masked_fraction"]
    return count_uncovered(Site(**window, **pixels), tiles_of(products), limit)
