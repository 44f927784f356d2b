"""The metadata files of a written Sentinel-2 product."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tigerbush.product import ProductName
from tigerbush.sentinel2.names import BANDS
from tigerbush.sentinel2.writer_scene import Scene

_NAMESPACE = "https://psd-14.sentinel2.eo.esa.int/PSD/"
# processing centre and absolute orbit; SNAP expects four and six characters
CENTRE, ORBIT = "SGS_", "000001"
# zenith and azimuth in degrees, everywhere in the tile
_SUN = {"Zenith": 38, "Azimuth": 152}
# nodes of the grid of angles, 5 km apart
_NODES = 23


@dataclass(frozen=True)
class Mask:
    """A mask that MTD_TL.xml lists: its type, its file within the product, and its band, if it has one."""

    kind: str
    file: str
    band: str | None


def _identifier(name: ProductName, subject: str, rest: str) -> str:
    """Return the identifier of a tile (TL) or datastrip (DS)."""
    stamp = f"{name.sensing_time:%Y%m%dT%H%M%S}"
    return f"{name.platform}_OPER_MSI_{name.level}_{subject}_{CENTRE}_{stamp}_{rest}_N{name.baseline}"


def _tile_id(name: ProductName) -> str:
    return _identifier(name, "TL", f"A{ORBIT}_T{name.tile}")


def _datastrip_id(name: ProductName) -> str:
    return _identifier(name, "DS", f"S{name.sensing_time:%Y%m%dT%H%M%S}")


def product_metadata(
    name: ProductName, scene: Scene, granule: str, images: Sequence[Path]
) -> ElementTree.Element:
    """Return MTD_MSI*.xml, the metadata of a product; `images` are paths within it, without suffix."""
    time, stamp = f"{name.sensing_time.isoformat()}.000Z", name.product[11:26]
    level = f"Level-{name.level[1:]}"
    root = _root(f"{level}_User_Product", f"User_Product_{level}.xsd")
    general = add(root, "n1:General_Info")
    info = add(general, "Product_Info")
    add(info, "PRODUCT_START_TIME", time)
    add(info, "PRODUCT_STOP_TIME", time)
    add(info, "PRODUCT_URI", f"{name.product}.SAFE")
    add(info, "PROCESSING_LEVEL", level)
    add(info, "PRODUCT_TYPE", f"S2MSI{name.level[1:]}")
    add(info, "PROCESSING_BASELINE", name.baseline)
    add(info, "GENERATION_TIME", time)
    datatake = add(info, "Datatake", datatakeIdentifier=f"G{name.platform}_{stamp}_{ORBIT}_N{name.baseline}")
    add(datatake, "SPACECRAFT_NAME", f"Sentinel-{name.platform[1:]}")
    add(datatake, "DATATAKE_TYPE", "INS-NOBS")
    add(datatake, "DATATAKE_SENSING_START", time)
    add(datatake, "SENSING_ORBIT_NUMBER", str(name.relative_orbit))
    add(datatake, "SENSING_ORBIT_DIRECTION", "DESCENDING")
    options = add(info, "Query_Options", completeSingleTile="true")
    add(options, "PRODUCT_FORMAT", "SAFE_COMPACT")
    organisation = add(add(info, "Product_Organisation"), "Granule_List")
    item = add(
        organisation,
        "Granule",
        datastripIdentifier=_datastrip_id(name),
        granuleIdentifier=_tile_id(name),
        imageFormat="JPEG2000",
    )
    for image in images:
        add(item, "IMAGE_FILE", image.as_posix())
    _characteristics(add(general, "Product_Image_Characteristics"), name, scene)
    quality = add(root, "n1:Quality_Indicators_Info")
    add(quality, "Cloud_Coverage_Assessment", f"{scene.cloud_percent:g}")
    return root


def _characteristics(parent: ElementTree.Element, name: ProductName, scene: Scene) -> None:
    for text, value in (("NODATA", 0), ("SATURATED", 65535)):
        special = add(parent, "Special_Values")
        add(special, "SPECIAL_VALUE_TEXT", text)
        add(special, "SPECIAL_VALUE_INDEX", str(value))
    if name.level == "L2A":
        values = add(parent, "QUANTIFICATION_VALUES_LIST")
        add(values, "BOA_QUANTIFICATION_VALUE", str(scene.quantification), unit="none")
        list_tag, tag = "BOA_ADD_OFFSET_VALUES_LIST", "BOA_ADD_OFFSET"
    else:
        add(parent, "QUANTIFICATION_VALUE", str(scene.quantification), unit="none")
        list_tag, tag = "Radiometric_Offset_List", "RADIO_ADD_OFFSET"
    if scene.offsets is not None:
        offsets = add(parent, list_tag)
        for band_id, band in enumerate(BANDS):
            add(offsets, tag, str(scene.offsets.get(band, 0)), band_id=str(band_id))
    spectral = add(parent, "Spectral_Information_List")
    for band_id, (band, resolution) in enumerate(BANDS.items()):
        item = add(spectral, "Spectral_Information", bandId=str(band_id), physicalBand=band)
        add(item, "RESOLUTION", str(resolution))


def tile_metadata(name: ProductName, scene: Scene, masks: Iterable[Mask]) -> ElementTree.Element:
    """Return MTD_TL.xml, the metadata of a tile."""
    level = f"Level-{name.level[1:]}"
    root = _root(f"{level}_Tile_ID", f"S2_PDI_{level}_Tile_Metadata.xsd")
    general = add(root, "n1:General_Info")
    add(general, "TILE_ID", _tile_id(name))
    add(general, "DATASTRIP_ID", _datastrip_id(name))
    add(general, "SENSING_TIME", f"{name.sensing_time.isoformat()}.000Z")
    geometry = add(root, "n1:Geometric_Info")
    geocoding = add(geometry, "Tile_Geocoding")
    hemisphere = "N" if scene.epsg < 32700 else "S"
    add(geocoding, "HORIZONTAL_CS_NAME", f"WGS84 / UTM zone {scene.epsg % 100}{hemisphere}")
    add(geocoding, "HORIZONTAL_CS_CODE", f"EPSG:{scene.epsg}")
    for resolution in (10, 20, 60):
        grid = scene.grid(resolution)
        size = add(geocoding, "Size", resolution=str(resolution))
        add(size, "NROWS", str(grid.height))
        add(size, "NCOLS", str(grid.width))
    for resolution in (10, 20, 60):
        position = add(geocoding, "Geoposition", resolution=str(resolution))
        for tag, value in (("ULX", scene.x), ("ULY", scene.y), ("XDIM", resolution), ("YDIM", -resolution)):
            add(position, tag, f"{value:g}" if abs(value) < 1000 else f"{value:.0f}")
    _add_angles(add(geometry, "Tile_Angles"))
    quality = add(root, "n1:Quality_Indicators_Info")
    content = add(quality, "Image_Content_QI")
    add(content, "CLOUDY_PIXEL_PERCENTAGE", f"{scene.cloud_percent:g}")
    levels = add(quality, "Pixel_Level_QI", geometry="FULL_RESOLUTION")
    for mask in masks:
        band = {} if mask.band is None else {"bandId": str(list(BANDS).index(mask.band))}
        add(levels, "MASK_FILENAME", mask.file, **band, type=mask.kind)
    return root


def _add_angles(parent: ElementTree.Element) -> None:
    grid = add(parent, "Sun_Angles_Grid")
    for name, degrees in _SUN.items():
        angle = add(grid, name)
        add(angle, "COL_STEP", "5000", unit="m")
        add(angle, "ROW_STEP", "5000", unit="m")
        values = add(angle, "Values_List")
        for _ in range(_NODES):
            add(values, "VALUES", " ".join([str(degrees)] * _NODES))
    mean = add(parent, "Mean_Sun_Angle")
    for name, degrees in _SUN.items():
        add(mean, f"{name.upper()}_ANGLE", str(degrees), unit="deg")


def datastrip_metadata(name: ProductName) -> ElementTree.Element:
    """Return MTD_DS.xml, the metadata of a datastrip."""
    level = f"Level-{name.level[1:]}"
    root = _root(f"{level}_DataStrip_ID", f"S2_PDI_{level}_Datastrip_Metadata.xsd")
    general = add(root, "n1:General_Info")
    info = add(general, "Datatake_Info")
    add(info, "SPACECRAFT_NAME", f"Sentinel-{name.platform[1:]}")
    add(info, "DATATAKE_SENSING_START", f"{name.sensing_time.isoformat()}.000Z")
    add(add(general, "Processing_Info"), "PROCESSING_BASELINE", name.baseline)
    return root


def cloud_polygons(scene: Scene) -> ElementTree.Element:
    """Return MSK_CLOUDS_B00.gml, the cloud mask before baseline 04.00."""
    eop, gml = "{http://www.opengis.net/eop/2.0}", "{http://www.opengis.net/gml/3.2}"
    root = ElementTree.Element(f"{eop}Mask")
    members = add(root, f"{eop}maskMembers")
    for ring in scene.clouds or ():
        feature = add(members, f"{eop}MaskFeature")
        add(feature, f"{eop}maskType", "OPAQUE")
        polygon = add(add(feature, f"{eop}extentOf"), f"{gml}Polygon")
        exterior = add(add(polygon, f"{gml}exterior"), f"{gml}LinearRing")
        positions = " ".join(f"{x:.0f} {y:.0f}" for x, y in [*ring, ring[0]])
        add(exterior, f"{gml}posList", positions, srsDimension="2")
    return root


def _root(tag: str, schema: str) -> ElementTree.Element:
    # GDAL recognises a product by the string "<n1:Level-1C_User_Product", so the prefix is written literally
    return ElementTree.Element(f"n1:{tag}", {"xmlns:n1": _NAMESPACE + schema})


def add(
    parent: ElementTree.Element, tag: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    """Append an element to another, and return it."""
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = text
    return element


def write_xml(path: Path, root: ElementTree.Element) -> None:
    """Write an indented XML file."""
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)
