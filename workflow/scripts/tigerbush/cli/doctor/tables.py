"""Checks of the tables of sites and products, of weather files, and of the tiles of products against the sites."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tigerbush.cli.configuration import sites_of, stale_table
from tigerbush.cli.doctor.finding import Finding
from tigerbush.errors import TigerbushError
from tigerbush.planning.dates import products_of
from tigerbush.planning.paths import QUANTITIES
from tigerbush.planning.periods import period_warning, read_periods
from tigerbush.planning.tables import SITE_COLUMNS, read_files, read_products
from tigerbush.planning.zones import count_uncovered, read_zones, tiles_of, zones_of
from tigerbush.sensors import parse_name
from tigerbush.site import Site
from tigerbush.sources.tree import find_products
from tigerbush.weather.read import read_weather

Rows = dict[str, dict[str, Any]]


def check_tables(config: dict, directory: Path) -> Iterator[Finding]:
    """Read the tables and the weather as a run does, and compare them with each other."""
    sites = sites_of(config, directory)
    without = "none, for the target scenes alone (sites is null)"
    yield Finding("sites", True, f"{len(sites)} in {directory / config['sites']}" if sites else without)
    yield from check_weather(config, sites, directory)
    table = directory / config["products"]
    stale = stale_table(config, sites, directory)
    products: Rows = {}
    if table.exists():
        products = read_products(table)
        if table.with_name("files.tsv").exists():
            read_files(table.with_name("files.tsv"))
        yield Finding("products", True, stale or f"{len(products)} in {table}", warning=bool(stale))
    else:
        yield Finding("products", True, f"{table} will be written by ./tigerbush discover")
    days = [row["sensing_time"][:10] for row in products.values()]
    if sites and (warning := period_warning(**config["period"], days=days)):
        yield Finding("period", True, warning, warning=True)
    place = config["products"]
    if config["source"]["kind"] == "local" and (stale or not products):
        products, place = products_in(directory / config["source"]["path"]), config["source"]["path"]
    if sites and products:
        yield from check_tiles(config | {"products": place}, sites, products, read_zones(table))


def check_weather(config: Mapping, sites: Mapping[str, Mapping], directory: Path) -> Iterator[Finding]:
    """Read the weather of the first period from each file, with the reader of the run."""
    weather = config["weather"]
    if not weather["path"] or config["source"]["kind"] == "sample":
        return
    first = next(iter(read_periods(**config["period"]).values()))
    readable = set()
    for name, site in sites.items():
        files = tuple(
            directory / (weather[quantity]["path"] or weather["path"]).replace("{site}", name)
            for quantity in QUANTITIES
        )
        # those of earlier results may be gone
        if files in readable or not all(file.exists() for file in files):
            continue
        quantities = {
            quantity: weather[quantity] | {"path": file}
            for quantity, file in zip(QUANTITIES, files, strict=True)
        }
        try:
            covered = read_weather(files[0], *first, site=site, date=weather["date"], **quantities)
        except TigerbushError as error:
            yield Finding("weather", False, str(error))
            continue
        readable.add(files)
        if covered is None:
            text = (
                f"{files[0]} does not cover the first period, {first[0]} to {first[1]}, whose weather is null"
            )
            yield Finding("weather", True, text, warning=True)
    if readable:
        yield Finding("weather", True, f"{len(readable)} file(s) can be read")


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
