"""Read a product's metadata: UTM zone, grids, quantification, offsets and cloud cover.

`MTD_MSI*.xml` describes the product, `MTD_TL.xml` its tile (Sentinel-2 Products Specification Document). Both are
untrusted input: no entity is expanded, and every field is checked.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
import numpy as np
from defusedxml.common import DefusedXmlException

from tigerbush.errors import LEAVE_OUT, TigerbushError, one_sentence
from tigerbush.grid import Grid
from tigerbush.product import ProductName
from tigerbush.sentinel2.names import BANDS, PROVISIONAL, TILE_METRES

# the largest real metadata file is 1.5 MB
MAX_XML_BYTES = 64_000_000
# what the parser raises: malformed or forbidden content, unknown encoding, too deep nesting
XML_ERRORS = (ParseError, DefusedXmlException, LookupError, RecursionError, UnicodeError)


@dataclass(frozen=True)
class Metadata:
    """The metadata of a product.

    Attributes
    ----------
    epsg : int
        UTM zone of the tile, EPSG 326xx or 327xx.
    grids : mapping of int to Grid
        The tile's grid per resolution in metres (10, 20, 60).
    quantification : int
        DN per unit of reflectance.
    offsets : mapping of str to int
        Per band, added to the DN before it is divided by `quantification`; 0 before baseline 04.00.
    cloud_percent : float or None
    """

    epsg: int
    grids: Mapping[int, Grid]
    quantification: int
    offsets: Mapping[str, int]
    cloud_percent: float | None


class Xml:
    """A metadata file whose errors name the file and the field."""

    def __init__(self, label: str, content: bytes) -> None:
        self.label = label
        root = parse_xml(label, content, "well-formed XML")
        self.elements: dict[str, list[Element]] = {}
        for element in root.iter():
            self.elements.setdefault(element.tag.rpartition("}")[2], []).append(element)

    def all(self, tag: str) -> list[Element]:
        """Return all elements `tag` of the file."""
        return self.elements.get(tag, [])

    def number(self, tag: str, *, within: Element | None = None) -> float:
        """Return the number in the first element `tag` (of the file, or of the element `within`)."""
        elements = within.findall(tag) if within is not None else self.all(tag)
        with suppress(IndexError, TypeError, ValueError):
            value = float(elements[0].text)
            if np.isfinite(value):
                return value
        raise TigerbushError(f"{self.label}: field {tag} is missing or not a number; {LEAVE_OUT}.")

    def first(self, *tags: str) -> str:
        """Return the first of several names of a field that the file has; the first name when it has none."""
        return next((tag for tag in tags if self.all(tag)), tags[0])


def parse_xml(label: str, content: bytes, kind: str) -> Element:
    """Parse a file of a product, and refuse entities and declarations.

    Raises
    ------
    TigerbushError
        When it is cut off, or not XML.
    """
    try:
        return defusedxml.ElementTree.fromstring(content, forbid_dtd=True)
    except (*XML_ERRORS, ValueError) as error:
        advice = LEAVE_OUT
        if content.lstrip()[:1] in (b"", b"<") and not content.rstrip().endswith(b">"):
            advice = "it is cut off: fetch the product again, then run ./tigerbush retry"
        raise TigerbushError(f"{label} is not {kind} ({one_sentence(str(error), 200)}); {advice}.") from error


def granules_in(xml: Xml) -> set[str]:
    """Return the granule folders of the images that a product's main metadata file lists."""
    # IMAGE_FILE_2A: L2A until March 2018
    paths = [element.text or "" for tag in ("IMAGE_FILE", "IMAGE_FILE_2A") for element in xml.all(tag)]
    return {path.strip().split("/")[1] for path in paths if path.count("/") > 1}


def read_metadata(product: Xml, tile: Xml, name: ProductName) -> Metadata:
    """Read a product's two metadata files.

    Parameters
    ----------
    product, tile : Xml
        MTD_MSI*.xml and MTD_TL.xml.
    name : ProductName

    Raises
    ------
    TigerbushError
        When a field is missing or malformed; the message names file and field.
    """
    # the second name is that of L2A until March 2018, and of Sen2Cor up to 2.5
    names = ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE")
    tag = product.first(*names) if name.level == "L2A" else "QUANTIFICATION_VALUE"
    quantification = product.number(tag)
    if not 1 <= quantification <= 65535 or quantification != int(quantification):
        raise TigerbushError(
            f"{product.label}: field {tag} is {quantification:g}, expected a whole number from 1 to 65535; {LEAVE_OUT}."
        )
    return Metadata(
        epsg=_epsg(tile),
        grids=_grids(tile),
        quantification=int(quantification),
        offsets=_offsets(product, name),
        cloud_percent=_cloud_percent(tile, product),
    )


def _epsg(xml: Xml) -> int:
    texts = [element.text or "" for element in xml.all("HORIZONTAL_CS_CODE")]
    match = re.fullmatch(r"EPSG:(32[67](?:0[1-9]|[1-5]\d|60))", texts[0].strip()) if texts else None
    if not match:
        raise TigerbushError(f"{xml.label}: field HORIZONTAL_CS_CODE is not the EPSG code of a UTM zone.")
    return int(match[1])


def _grids(xml: Xml) -> dict[int, Grid]:
    sizes = {element.get("resolution"): element for element in xml.all("Size")}
    positions = {element.get("resolution"): element for element in xml.all("Geoposition")}
    grids = {}
    for resolution in (10, 20, 60):
        size, position = sizes.get(str(resolution)), positions.get(str(resolution))
        if size is None or position is None:
            raise TigerbushError(f"{xml.label}: Size or Geoposition of resolution {resolution} is missing.")
        width, height = (xml.number(tag, within=size) for tag in ("NCOLS", "NROWS"))
        if not all(1 <= side <= TILE_METRES / resolution and side == int(side) for side in (width, height)):
            raise TigerbushError(
                f"{xml.label}: Size of resolution {resolution} is {width:g} x {height:g}, expected at most "
                f"{TILE_METRES // resolution} pixels a side."
            )
        x, y = (xml.number(tag, within=position) for tag in ("ULX", "ULY"))
        grids[resolution] = Grid(x, y, resolution, int(width), int(height))
    if len({(grid.x, grid.y) for grid in grids.values()}) > 1:
        raise TigerbushError(f"{xml.label}: Geoposition differs between resolutions; {LEAVE_OUT}.")
    return grids


def _offsets(xml: Xml, name: ProductName) -> dict[str, int]:
    tag = "BOA_ADD_OFFSET" if name.level == "L2A" else "RADIO_ADD_OFFSET"
    offsets = dict.fromkeys(BANDS, 0)
    elements = {element.get("band_id"): element.text for element in xml.all(tag)}
    if not elements and (name.baseline < "04.00" or name.baseline in PROVISIONAL):
        return offsets
    for band_id, band in enumerate(BANDS):
        text = elements.get(str(band_id)) or ""
        if not re.fullmatch(r"\s*[-+]?\d{1,5}\s*", text):
            raise TigerbushError(
                f"{xml.label}: field {tag} of band_id {band_id} is missing or not a whole number, though baseline "
                f"{name.baseline} has an offset; {LEAVE_OUT}."
            )
        offsets[band] = int(text)
    return offsets


def read_cloud_percent(label: str, content: bytes) -> float | None:
    """Read the cloud cover from a product's main metadata file, MTD_MSI*.xml; None when it is not stated.

    Raises
    ------
    TigerbushError
        When the content is not XML.
    """
    xml = Xml(label, content)
    return _cloud_percent(xml, xml)


def _cloud_percent(tile: Xml, product: Xml) -> float | None:
    for xml, tag in (
        # of L2A until March 2018, which state the clouds of their L1C by the second name
        (tile, "CLOUD_COVERAGE_PERCENTAGE"),
        (tile, "CLOUDY_PIXEL_PERCENTAGE"),
        (product, "Cloud_Coverage_Assessment"),
    ):
        with suppress(TigerbushError):
            percent = xml.number(tag)
            if 0 <= percent <= 100:
                return percent
    return None
