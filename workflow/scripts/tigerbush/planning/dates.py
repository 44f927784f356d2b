"""The products of a site and of each of its dates, and why the others are left out."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tigerbush.errors import TigerbushError
from tigerbush.planning.tables import SITE_BOUNDS, why_unused
from tigerbush.planning.zones import place_of
from tigerbush.product import Sensor
from tigerbush.pyveg import MODES
from tigerbush.sensors import sensor_of
from tigerbush.site import Place

Product = Mapping[str, Any]
# per date: the products to process, and the reason for each product that is left out
Plan = dict[str, dict[str, Any]]


class ProductsByTile:
    """The products of a table by tile: thousands of sites ask which ones cover them.

    Attributes
    ----------
    rows : list of rows of products.tsv
    """

    def __init__(self, products: Mapping[str, Product]) -> None:
        self.rows = list(products.values())
        self._number = {row["product"]: number for number, row in enumerate(self.rows)}
        self._tiles: dict[tuple[Sensor, str], list[Product]] = {}
        for row in self.rows:
            self._tiles.setdefault((sensor_of(row["product"]), row["tile"]), []).append(row)
        self._of_tiles: dict[tuple, list[Product]] = {}

    def covering(self, place: Place, level: str | None) -> list[Product]:
        """Return the rows of the tiles that reach a place, in order; the same list for places of the same tiles."""
        tiles = tuple(tile for tile in self._tiles if tile[0].reaches(place, tile[1]))
        if (tiles, level) not in self._of_tiles:
            rows = [row for tile in tiles for row in self._tiles[tile] if level in (None, row["level"])]
            self._of_tiles[tiles, level] = sorted(rows, key=lambda row: self._number[row["product"]])
        return self._of_tiles[tiles, level]


def products_of(
    site: Mapping[str, Any], products: Mapping[str, Product] | ProductsByTile, config: Mapping
) -> list[Product]:
    """Return the rows of the products that cover a site, wholly or partly.

    Parameters
    ----------
    site : mapping
        As `read_sites` returns it, with the zone that it is measured in if that is not the one of its centre.
    products : mapping or ProductsByTile
        As `read_products` returns them.
    config : mapping
        The resolved configuration.

    Raises
    ------
    TigerbushError
        When there are none, or products of two levels.
    """
    place = place_of(site, site.get("zone"))
    level = config["source"]["level"]
    by_tile = products if isinstance(products, ProductsByTile) else ProductsByTile(products)
    rows = by_tile.covering(place, level)
    if not rows:
        at_level = [row for row in by_tile.rows if level in (None, row["level"])]
        raise TigerbushError(_outside(site["site"], place, at_level, config))
    if len({row["level"] for row in rows}) > 1:
        raise TigerbushError(
            f"site {site['site']} has products of two levels (L1C and L2A) in {config['products']}; set source.level "
            "to the one to use."
        )
    return rows


def _outside(site: str, place: Place, products: Iterable[Product], config: Mapping) -> str:
    """Return the sentence for a site outside every tile of the products."""
    subject = f"site {site} at {place.longitude:g}, {place.latitude:g} lies outside every tile of {config['products']}"
    low, high = SITE_BOUNDS["latitude"]
    if low <= place.longitude <= high:
        exchanged = Place(place.latitude, place.longitude, place.region_size)
        if any(sensor_of(row["product"]).reaches(exchanged, row["tile"]) for row in products):
            return f"{subject}, and inside with longitude and latitude exchanged; correct them in {config['sites']}."
    return f"{subject}; correct it in {config['sites']}, or add products that cover it and run ./tigerbush discover."


def plan_dates(
    rows: Iterable[Product],
    periods: Mapping[str, tuple[str, str]],
    config: Mapping,
    kept: Mapping[str, str] | None = None,
    replaced: Mapping[str, str] | None = None,
) -> Plan:
    """Return for each date with products which ones to process, and why the others are left out.

    Parameters
    ----------
    rows : iterable of rows of products.tsv
        Those of one site.
    periods : mapping
        First day, and day after the last, of each date; in order and without gaps.
    config : mapping
        The resolved configuration.
    kept : mapping, optional
        Dates whose results are kept as they are, with the reason.
    replaced : mapping, optional
        Products of older baselines that were not listed, with those that take their place.
    """
    rows = sorted(rows, key=lambda row: row["product"])
    days = list(periods)
    starts = [start for start, _ in periods.values()]
    dates: Plan = {}
    older_of: dict[str, list[str]] = {}
    for older, product in (replaced or {}).items():
        older_of.setdefault(product, []).append(older)
    for row in rows:
        day = row["sensing_time"][:10]
        i = bisect_right(starts, day) - 1
        if i < 0 or day >= periods[days[i]][1]:
            continue
        todo = dates.setdefault(days[i], {"products": [], "left_out": {}})
        if reason := why_left_out(row, config):
            todo["left_out"][row["product"]] = reason
        else:
            todo["products"].append(row["product"])
        for older in older_of.get(row["product"], ()):
            todo["left_out"][older] = f"{row['product']} takes its place (another baseline of the same data)"
    for day in dates.keys() & (kept or {}).keys():
        dates[day]["left_out"] |= dict.fromkeys(dates[day]["products"], kept[day])
        dates[day]["products"] = []
    if limit := config["composite"]["max_takes"]:
        table = {row["product"]: row for row in rows}
        for todo in dates.values():
            cloudier = cloudier_products([table[product] for product in todo["products"]], limit)
            todo["products"] = [product for product in todo["products"] if product not in cloudier]
            todo["left_out"] |= dict.fromkeys(
                cloudier, "more cloud than the data takes that are used (composite.max_takes)"
            )
    return dates


def why_left_out(row: Product, config: Mapping) -> str | None:
    """Return why a product is not used, regardless of the others of its date; None if it is used."""
    limit, orbits = config["composite"]["max_cloud_percent"], config["composite"]["relative_orbits"]
    if reason := why_unused(row):
        return reason
    if reason := MODES[config["mode"]].too_cloudy(row["cloud_percent"]):
        return reason
    if row["cloud_percent"] > limit:
        return f"more than {limit:g} % cloud (composite.max_cloud_percent)"
    if orbits and int(row["relative_orbit"]) not in orbits:
        return "another orbit (composite.relative_orbits)"
    return None


def cloudier_products(rows: Collection[Product], limit: int) -> list[str]:
    """Return the products of a date beyond the datatakes with the least cloud; a datatake may have several products."""
    datatakes: dict[tuple[str, str], list[Product]] = {}
    for row in rows:
        datatakes.setdefault((row["sensing_time"], row["platform"]), []).append(row)

    def mean_cloud(datatake: tuple[str, str]) -> float:
        return sum(row["cloud_percent"] for row in datatakes[datatake]) / len(datatakes[datatake])

    clearest = sorted(datatakes, key=lambda datatake: (mean_cloud(datatake), datatake))
    return [row["product"] for datatake in clearest[limit:] for row in datatakes[datatake]]
