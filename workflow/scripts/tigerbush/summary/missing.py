"""What was expected of a site and is not there, and why: missing.tsv."""

from collections.abc import Iterator, Mapping, Sequence

COLUMNS = ("site", "date", "product", "band", "sub_image", "reason")
MASK = "mask"


def missing_rows(summary: Mapping, dates: Sequence[Mapping]) -> list[dict[str, str]]:
    """List every expected date, product, band and sub-image that is absent from a site's summary.

    Parameters
    ----------
    summary : dict
        Of the site, from `tigerbush.summary.results.summarise_site`.
    dates : sequence of dict
        From `tigerbush.summary.results.summarise_date`, with the sub-images that are not used.

    Returns
    -------
    list of dict
        Rows of missing.tsv, by date. Empty fields mean: all of them. So a date without any numbers has one
        row of its own; a product that failed or was left out one, with the band where its reason names
        one; a product that was used without a cloud mask one with the band `mask`; and each sub-image
        that is not used, of a date with pixels, one (its longitude and latitude, as in the summary).
    """
    site = summary["metadata"]["coords_id"]
    unused = {date["date"]: date["unused"] for date in dates if date["lineage"]["products"]}
    return [
        dict.fromkeys(COLUMNS, "") | {"site": site, "date": date} | row
        for date, lineage in summary["metadata"]["products"].items()
        for row in _date_rows(summary["metadata"]["missing"].get(date), lineage, unused.get(date, ()))
    ]


def _date_rows(missing: str | None, lineage: Mapping, unused: Sequence[Mapping]) -> Iterator[dict[str, str]]:
    if missing:
        yield {"reason": missing}
    for product, reason in sorted(lineage.get("failed", {}).items()):
        yield {"product": product, "band": _band(product, reason), "reason": _one_line(reason)}
    for product, reason in sorted(lineage["left_out"].items()):
        yield {"product": product, "reason": _one_line(reason)}
    for product in sorted(lineage.get("unmasked", ())):
        yield {"product": product, "band": MASK, "reason": "no cloud mask; the product is used unmasked"}
    for part in unused:
        yield {"sub_image": f"{part['longitude']:.4f}_{part['latitude']:.4f}", "reason": part["unused"]}


def _band(product: str, reason: str) -> str:
    """Return the band that the reason of a product's failure names, or an empty string."""
    # most sites have no such product
    from tigerbush.sensors import sensor_of

    return sensor_of(product).band_in(reason)


def _one_line(reason: str) -> str:
    return " ".join(reason.split())
