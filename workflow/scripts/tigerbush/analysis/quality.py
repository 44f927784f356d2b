"""What the numbers of a site rest on: levels and masks of its products, and a table of its dates."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from tigerbush.errors import TigerbushError
from tigerbush.product import Sensor
from tigerbush.sensors import parse_name, sensor_of
from tigerbush.spreadsheet import format_table

COLUMNS = (
    "date", "missing", "n_products", "n_takes", "platforms", "relative_orbits", "levels", "n_unmasked", "n_sub_images",
    "n_obs", "masked", "contrast", "products",
)  # fmt: skip


def data_quality(products: Mapping[str, Mapping]) -> dict:
    """Count the products of a site by what limits their use.

    Parameters
    ----------
    products : dict of date to dict
        `metadata.products` of a summary: the lineage of each date.

    Returns
    -------
    dict
        products: how many are used, a product of two dates twice. levels: how many are of each processing level;
        `unknown` where no sensor knows the name. top_of_atmosphere: how many are not corrected for the atmosphere.
        unmasked: how many have no cloud mask. without_shadow: how many have a mask without cloud shadows. dates: those
        with a product. dates_unmasked: those with an unmasked one. None where the summary does not tell of masks.
    """
    names = [name for lineage in products.values() for name in lineage.get("products", ())]
    told = [lineage for lineage in products.values() if "unmasked" in lineage]
    masked = [
        name for lineage in told for name in lineage.get("products", ()) if name not in lineage["unmasked"]
    ]
    return {
        "products": len(names),
        "levels": _levels(names),
        "top_of_atmosphere": _number_of(names, attrgetter("top_of_atmosphere")),
        "unmasked": sum(len(lineage["unmasked"]) for lineage in told) if told else None,
        "without_shadow": _number_of(masked, attrgetter("without_shadow")) if told else None,
        "dates": sum(bool(lineage.get("products")) for lineage in products.values()),
        "dates_unmasked": sum(bool(lineage["unmasked"]) for lineage in told) if told else None,
    }


def date_rows(analysis: Mapping) -> list[dict]:
    """List what the numbers of each date rest on.

    Parameters
    ----------
    analysis : dict
        Contents of analysis.json.

    Returns
    -------
    list of dict
        A row for each date with the keys of `COLUMNS`, None where nothing is known. missing: why the date has no data.
        n_takes: datatakes. platforms, relative_orbits: each with its number of datatakes. levels: each with its number
        of products. n_unmasked: products without a cloud mask. n_sub_images: used ones. n_obs: observations per pixel,
        mean of these. masked: share of the site's pixels without NDVI. contrast: that of the pattern.
    """
    metadata, completeness = analysis["metadata"], analysis["completeness"]
    lineages, reasons = metadata.get("products") or {}, metadata.get("missing") or {}
    dates = next(iter(analysis["series"].values()))["dates"]
    observations = completeness["n_obs"] or [None] * len(dates)
    contrast = analysis["spatial"].get("contrast", {"dates": (), "values": ()})
    of_pattern = dict(zip(contrast["dates"], contrast["values"], strict=True))
    return [
        {
            "date": day,
            "missing": reasons.get(day),
            **_of_products(lineages.get(day) or {}),
            "n_sub_images": number,
            "n_obs": n_obs,
            "masked": completeness.get("masked", {}).get(day),
            "contrast": of_pattern.get(day),
        }
        for day, number, n_obs in zip(dates, completeness["n_sub_images"], observations, strict=True)
    ]


def dates_table(analysis: Mapping) -> str:
    """Return dates.csv: `date_rows`, with an empty cell where nothing is known."""
    return format_table(date_rows(analysis), COLUMNS)


def _of_products(lineage: Mapping) -> dict:
    names = lineage.get("products", ())
    return {
        "n_products": len(names),
        "n_takes": lineage.get("n_takes"),
        "platforms": _counts(lineage.get("platforms", {})),
        "relative_orbits": _counts(lineage.get("relative_orbits", {})),
        "levels": _counts(_levels(names)),
        "n_unmasked": len(lineage["unmasked"]) if "unmasked" in lineage else None,
        "products": " ".join(names) or None,
    }


def _counts(numbers: Mapping[str, int]) -> str | None:
    """Write counts, such as `S2A 2, S2B 1`."""
    return ", ".join(f"{name} {number}" for name, number in sorted(numbers.items())) or None


def _levels(names: Sequence[str]) -> dict[str, int]:
    levels = Counter(_sensor_and_level(name)[1] for name in names)
    return dict(sorted(levels.items()))


def _number_of(names: Sequence[str], levels_of: Callable[[Sensor], Sequence[str]]) -> int:
    """Count the products whose level is among some of its sensor's."""
    kinds = map(_sensor_and_level, names)
    return sum(sensor is not None and level in levels_of(sensor) for sensor, level in kinds)


def _sensor_and_level(name: str) -> tuple[Sensor | None, str]:
    try:
        return sensor_of(name), parse_name(name).level
    except TigerbushError:
        # of a sensor that this version does not have
        return None, "unknown"
