"""The products of a site and of each of its dates, and why others are left out."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

from tigerbush.errors import TigerbushError
from tigerbush.planning.tables import SITE_COLUMNS
from tigerbush.pyveg import MODES
from tigerbush.sensors import sensor_of
from tigerbush.site import Place

Product = Mapping[str, Any]
# per date: products to process, and the reason for each that is left out
Plan = dict[str, dict[str, Any]]


def products_of(site: Mapping[str, Any], products: Mapping[str, Product], config: Mapping) -> list[Product]:
    """Return the rows of the products that reach a site.

    Parameters
    ----------
    site : mapping
        As `read_sites` returns it.
    products : mapping
        As `read_products` returns them.
    config : mapping
        The resolved configuration.

    Raises
    ------
    TigerbushError
        When there is none, and when there are two levels.
    """
    place = Place(**{column: site[column] for column in SITE_COLUMNS[1:]})
    level = config["source"]["level"]
    # of many products few tiles reach it
    reaching = cache(lambda sensor, tile: sensor.reaches(place, tile))
    rows = [
        row
        for row in products.values()
        if level in (None, row["level"]) and reaching(sensor_of(row["product"]), row["tile"])
    ]
    if not rows:
        raise TigerbushError(
            f"site {site['site']} at {place.longitude:g}, {place.latitude:g} lies outside every tile of "
            f"{config['products']}; correct it in {config['sites']}, or add products of its place and run "
            "./tigerbush discover."
        )
    if len({row["level"] for row in rows}) > 1:
        raise TigerbushError(
            f"site {site['site']} has products of two levels (L1C and L2A) in {config['products']}; set source.level "
            "to the one to use."
        )
    return rows


def plan_dates(
    rows: Iterable[Product],
    periods: Mapping[str, tuple[str, str]],
    config: Mapping,
    kept: Mapping[str, str] | None = None,
) -> Plan:
    """Return per date with products which to process, and why others are left out.

    Parameters
    ----------
    rows : iterable of rows of products.tsv
        Those of a site.
    periods : mapping
        Date to first day and the day after the last, one after the other.
    config : mapping
        The resolved configuration.
    kept : mapping, optional
        Dates whose results stay as they are, with the reason.
    """
    rows = sorted(rows, key=lambda row: row["product"])
    days = list(periods)
    starts = [start for start, _ in periods.values()]
    dates: Plan = {}
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
    """Return why a product is not used, whatever else there is of its date; None when it is."""
    limit, orbits = config["composite"]["max_cloud_percent"], config["composite"]["relative_orbits"]
    if reason := MODES[config["mode"]].too_cloudy(row["cloud_percent"]):
        return reason
    if row["cloud_percent"] > limit:
        return f"more than {limit:g} % cloud (composite.max_cloud_percent)"
    if orbits and int(row["relative_orbit"]) not in orbits:
        return "another orbit (composite.relative_orbits)"
    return None


def cloudier_products(rows: Collection[Product], limit: int) -> list[str]:
    """Name the products of a date beyond the data takes with the least cloud; a take may be several products."""
    takes: dict[tuple[str, str], list[Product]] = {}
    for row in rows:
        takes.setdefault((row["sensing_time"], row["platform"]), []).append(row)

    def cloud(take: tuple[str, str]) -> float:
        return sum(row["cloud_percent"] for row in takes[take]) / len(takes[take])

    clearest = sorted(takes, key=lambda take: (cloud(take), take))
    return [row["product"] for take in clearest[limit:] for row in takes[take]]
