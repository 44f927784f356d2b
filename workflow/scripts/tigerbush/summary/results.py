"""The results of a date and of a site, in the form that pyveg's own reader loads."""

from collections.abc import Iterable, Mapping, Sequence

from tigerbush.site import numbered
from tigerbush.variables import indices_in, units_of_vegetation, units_of_weather
from tigerbush.version import __version__

VEGETATION_COLLECTION = "COPERNICUS/S2"
WEATHER_COLLECTION = "ECMWF/ERA5/MONTHLY"

SOFTWARE = {"name": "tigerbush", "version": __version__}

# beside those of the variables
UNITS = {
    "feature_vec": "Euler characteristic (vertices - edges)",
    "n_obs": "observations per pixel",
    "masked_fraction": "1",
    "latitude": "degree",
    "longitude": "degree",
}


def units(indices: Iterable[str]) -> dict[str, str]:
    """Return the unit of each key of the records, with those of some indices (`tigerbush.variables`)."""
    return units_of_vegetation(indices) | UNITS | units_of_weather()


def merge_records(*lists: Sequence[Mapping]) -> list[dict]:
    """Merge dictionaries of one sub-image: equal latitude, longitude and date.

    Of several sub-images at one place, the first of each list belong together, and so on.

    Parameters
    ----------
    *lists : sequences of dict

    Returns
    -------
    list of dict
        In the order of first appearance.
    """
    merged: dict[tuple, dict] = {}
    for records in lists:
        keys = numbered((record["latitude"], record["longitude"], record["date"]) for record in records)
        for key, record in zip(keys, records, strict=True):
            merged.setdefault(key, {}).update(record)
    return list(merged.values())


def summarise_date(
    date: str,
    centrality: Sequence[Mapping],
    ndvi: Sequence[Mapping],
    lineage: Mapping,
    weather: Mapping | None = None,
) -> dict:
    """Gather what is known of a date.

    Parameters
    ----------
    date : str
    centrality, ndvi : sequences of dict
        Per sub-image, from `tigerbush.sites.subimages`; a record with `unused` says why there are no numbers.
    lineage : dict
        Of the composite.
    weather : dict, optional

    Returns
    -------
    dict
        date, vegetation (list, or None with the reason in `missing`), unused (the other sub-images),
        weather, lineage, units, software.
    """
    vegetation = merge_records(centrality, [record for record in ndvi if "unused" not in record]) or None
    return {
        "date": date,
        "vegetation": vegetation,
        "missing": None if vegetation else _why_missing(lineage),
        "unused": [record for record in ndvi if "unused" in record],
        "weather": weather,
        "lineage": lineage,
        "units": units(indices_in(key for record in ndvi for key in record)),
        "software": SOFTWARE,
    }


def _why_missing(lineage: Mapping) -> str:
    if lineage["products"]:
        number = len(lineage["products"])
        products = "the only product" if number == 1 else f"{number} products"
        return f"too few clear pixels in every sub-image of {products}"
    if lineage["failed"]:
        return f"no product left: {len(lineage['failed'])} failed, {len(lineage['left_out'])} left out"
    return _all_left_out(lineage["left_out"])


def summarise_site(
    site: Mapping,
    dates: Sequence[Mapping],
    periods: Sequence[str],
    left_out: Mapping[str, Mapping[str, str]],
    weather: Mapping[str, Mapping | None],
    config: Mapping,
    config_files: Sequence[str],
) -> dict:
    """Build results_summary.json.

    Parameters
    ----------
    site : dict
        site, longitude, latitude, region_size.
    dates : sequence of dict
        From `summarise_date`.
    periods : sequence of str
        Every date of the range; one without data gets null.
    left_out : dict of date to dict of product to reason
        Products that were not processed at all.
    weather : dict of date to dict or None
        Of the dates that have no summary of their own.
    config : dict
        The resolved configuration.
    config_files : sequence of str
        Names of the files it came from.

    Returns
    -------
    dict
        pyveg's schema; `metadata` also holds software, configuration, units, the products of each
        date, `missing` (date to reason) and `failed_products` (product to reason).
    """
    by_date = {summary["date"]: summary for summary in dates}
    vegetation = {date: by_date.get(date, {}).get("vegetation") for date in periods}
    climate = {date: by_date[date]["weather"] if date in by_date else weather.get(date) for date in periods}
    return {
        WEATHER_COLLECTION: {"type": "weather", "time-series-data": climate},
        VEGETATION_COLLECTION: {"type": "vegetation", "time-series-data": vegetation},
        "metadata": {
            "start_date": config["period"]["start"],
            "end_date": config["period"]["end"],
            "time_per_point": config["period"]["step"],
            "longitude": site["longitude"],
            "latitude": site["latitude"],
            "collection": VEGETATION_COLLECTION,
            # pyveg counts dates with both; without any weather, those of the vegetation
            "num_data_points": sum(
                bool(vegetation[date] and (climate[date] or not any(climate.values()))) for date in periods
            ),
            "config_filename": ", ".join(config_files),
            "coords_id": site["site"],
            "tag": config["run"]["name"],
            "region_size": site["region_size"],
            "software": SOFTWARE,
            "config": config,
            "units": units(config.get("composite", {}).get("indices", ())),
            "products": {date: _products(by_date.get(date), left_out.get(date, {})) for date in periods},
            "missing": {
                date: by_date[date]["missing"] if date in by_date else _why_not_processed(left_out.get(date))
                for date in periods
                if not vegetation[date]
            },
            "failed_products": {
                product: reason
                for summary in dates
                for product, reason in sorted(summary["lineage"]["failed"].items())
            },
        },
    }


def _products(summary: Mapping | None, left_out: Mapping[str, str]) -> dict:
    lineage = dict(summary["lineage"]) if summary else {"products": [], "left_out": {}}
    return lineage | {"left_out": {**left_out, **lineage["left_out"]}}


def _why_not_processed(left_out: Mapping[str, str] | None) -> str:
    if not left_out:
        return "no product in the period"
    return _all_left_out(left_out)


def _all_left_out(left_out: Mapping[str, str]) -> str:
    products = "the only product" if len(left_out) == 1 else f"all {len(left_out)} products"
    return f"{products} left out: {'; '.join(sorted(set(left_out.values())))}"
