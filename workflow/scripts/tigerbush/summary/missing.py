"""What was expected of a site and is not there, and why: missing.tsv."""

import re
from collections.abc import Iterator, Mapping, Sequence

COLUMNS = ("site", "date", "product", "band", "sub_image", "reason")
MASK = "mask"

# how sentences about a product name a band: "band B4", or the file of it
_BAND = re.compile(r"\bband (B1?[0-9]A?)\b|_B([01][0-9]|8A)(?:_[0-9]{2}m)?\.(?:jp2|tif)")


def missing_rows(summary: Mapping, dates: Sequence[Mapping]) -> list[dict[str, str]]:
    """List every expected date, product, band and sub-image that is absent from a site's summary.

    Parameters
    ----------
    summary : dict
        Of the site, from `tigerbush.summary.summary.summarise_site`.
    dates : sequence of dict
        From `tigerbush.summary.summary.summarise_date`, with the sub-images that are not used.

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
        yield {"product": product, "band": band_in(reason), "reason": _one_line(reason)}
    for product, reason in sorted(lineage["left_out"].items()):
        yield {"product": product, "reason": _one_line(reason)}
    for product in sorted(lineage.get("unmasked", ())):
        yield {"product": product, "band": MASK, "reason": "no cloud mask; the product is used unmasked"}
    for part in unused:
        yield {"sub_image": f"{part['longitude']:.4f}_{part['latitude']:.4f}", "reason": part["unused"]}


def band_in(reason: str) -> str:
    """Return the band (B1 .. B12, B8A) that a sentence about a product names, or an empty string."""
    match = _BAND.search(reason)
    if not match:
        return ""
    return match[1] or "B" + match[2].lstrip("0")


def _one_line(reason: str) -> str:
    return " ".join(reason.split())
