"""Names of Sentinel-2 products, files and bands."""

import re
from datetime import datetime

from tigerbush.errors import TigerbushError
from tigerbush.product import ProductName
from tigerbush.stac import STAC_ITEM

# Sentinel-2 Products Specification Document, compact naming convention (since December 2016)
NAME = re.compile(
    r"(?P<platform>S2[A-D])_MSI(?P<level>L1C|L2A)_(?P<sensing_time>[0-9]{8}T[0-9]{6})"
    r"_N(?P<baseline>[0-9]{4})_R(?P<relative_orbit>[0-9]{3})"
    r"_T(?P<tile>(?:0[1-9]|[1-5][0-9]|60)[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V])_[0-9]{8}T[0-9]{6}"
)
# the same without named groups, for use in other patterns
PATTERN = re.sub(r"\?P<\w+>", "?:", NAME.pattern)
# the same for messages
FORM = "S2A_MSIL1C_<time>_N<baseline>_R<orbit>_T<tile>_<time>"

_BAND = re.compile(r"GRANULE/[^/]+/IMG_DATA/(?:R\d\dm/)?[^/]+_(B\d[\dA])(?:_\d\dm)?\.(?:jp2|tif)")
_MASK = re.compile(
    r"GRANULE/[^/]+/(?:QI_DATA/[^/]*MSK_(?:CLASSI|CLOUDS)[^/]*\.(?:jp2|gml|tif)|IMG_DATA/R\d\dm/[^/]+_SCL_\d\dm\.(?:jp2|tif))"
)
# how messages about a product name a band: as "band B4", or by its file
_NAMED_BAND = re.compile(r"\bband (B1?[0-9]A?)\b|_B([01][0-9]|8A)(?:_[0-9]{2}m)?\.(?:jp2|tif)")
# masks of one band, which only SNAP 14 and later uses
_BAND_MASK = re.compile(r"GRANULE/[^/]+/QI_DATA/MSK_(?:DETFOO|QUALIT)_(B\d[\dA])\.jp2")
_METADATA = re.compile(rf"MTD_MSIL(?:1C|2A)\.xml|GRANULE/[^/]+/MTD_TL\.xml|{re.escape(STAC_ITEM)}")
# what Sen2Cor writes outside ESA's production, with or without an offset: no baseline
PROVISIONAL = ("99.99",)
# products before December 2016, and what Sen2Cor made of them: several tiles in one product
OLD_FORMAT = re.compile(r"S2[A-D]_(?:OPER|USER)_PRD_MSIL(?:1C|2A)_.*")
# side of a tile in metres
TILE_METRES = 109_800
# in the order of band_id / bandId (0..12) in the PSD, with the native resolution in metres
BANDS = {
    "B1": 60, "B2": 10, "B3": 10, "B4": 10, "B5": 20, "B6": 20, "B7": 20,
    "B8": 10, "B8A": 20, "B9": 60, "B10": 60, "B11": 20, "B12": 20,
}  # fmt: skip
# the atmospheric correction uses the band of cirrus and does not deliver it
ABSENT_BANDS = {"L2A": ("B10",)}
# the bands that sites need: blue, green, red and near infrared
SITE_BANDS = ("B2", "B3", "B4", "B8")


def parse_name(name: str) -> ProductName:
    """Parse a product name such as `S2A_MSIL1C_20160824T100607_N0204_R122_T33TVL_20160824T100607`.

    Raises
    ------
    TigerbushError
        When the name does not follow the Sentinel-2 Products Specification Document.
    """
    product = name.removesuffix(".SAFE")
    match = NAME.fullmatch(product)
    try:
        return ProductName(
            product=product,
            platform=match["platform"],
            level=match["level"],
            sensing_time=datetime.fromisoformat(match["sensing_time"]),
            tile=match["tile"],
            baseline=f"{match['baseline'][:2]}.{match['baseline'][2:]}",
            relative_orbit=int(match["relative_orbit"]),
        )
    except (TypeError, ValueError):
        raise TigerbushError(
            f"{name[:120]!r} is not a Sentinel-2 product name; expected the form {FORM}."
        ) from None


def role(name: str) -> tuple[str, str] | None:
    """Return the role (band, metadata, mask) and the band of a product's file, or None when it is not needed."""
    if "/." in f"/{name}":
        # added by macOS, beside a file of the same name
        return None
    for kind, pattern in (("band", _BAND), ("mask", _BAND_MASK)):
        if match := pattern.fullmatch(name):
            number = match[1][1:]
            return kind, "B" + (number if number == "8A" else str(int(number)))
    if _MASK.fullmatch(name):
        return "mask", ""
    if _METADATA.fullmatch(name):
        return "metadata", ""
    return None


def band_number(band: str) -> str:
    """Return a band as in the names of files: B02 for B2, B8A for B8A."""
    return f"B{int(band[1:]):02d}" if band[1:].isdigit() else band


def why_not_read(name: str) -> str | None:
    """Return why a product that was named by an earlier convention is not read; None for other names."""
    if not OLD_FORMAT.fullmatch(name):
        return None
    return (
        "it has the old format of 2015 and 2016, with many tiles in one product, which is not supported; get the "
        "reprocessed products of the same dates instead, whose names contain _N0500_"
    )


def band_in(sentence: str) -> str:
    """Return the band (B1 .. B12, B8A) named in a message about a product, or an empty string."""
    match = _NAMED_BAND.search(sentence)
    if not match:
        return ""
    return match[1] or "B" + match[2].lstrip("0")
