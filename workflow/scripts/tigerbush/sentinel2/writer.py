"""Write small, valid Sentinel-2 products in SAFE format, for simulated scenes and tests.

The products follow the Sentinel-2 Products Specification Document as far as readers need it:
GDAL's SENTINEL2 driver and `tigerbush.sentinel2.safe` can open them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import rasterio

from tigerbush.grid import Grid
from tigerbush.product import ProductName
from tigerbush.sentinel2.names import BANDS, parse_name

_NAMESPACE = "https://psd-14.sentinel2.eo.esa.int/PSD/"


@dataclass(frozen=True)
class Scene:
    """The content of a product.

    Attributes
    ----------
    bands : mapping of str to (h, w) uint16 array
        Stored DN (offset not yet added) per band, each at its native resolution; 0 is nodata.
    x, y : float
        Upper-left corner in metres.
    epsg : int
        UTM zone, EPSG 326xx or 327xx.
    width, height : int
        Pixels at 10 m; coarser grids have ceil(size / 2) and ceil(size / 6).
    offsets : mapping of str to int, optional
        Per band, RADIO_ADD_OFFSET or BOA_ADD_OFFSET; None writes no offsets, as before baseline 04.00.
    quantification : int
    cloud_percent : float
    classi : (3, h, w) uint8 array, optional
        Opaque clouds, cirrus, snow at 60 m (L1C from baseline 04.00).
    clouds : sequence of rings, optional
        Cloud polygons, rings of (x, y) in metres (L1C before baseline 04.00); may be empty.
    scl : (h, w) uint8 array, optional
        Scene classification at 20 m (L2A).
    """

    bands: Mapping[str, np.ndarray]
    x: float
    y: float
    epsg: int
    width: int
    height: int
    offsets: Mapping[str, int] | None = None
    quantification: int = 10_000
    cloud_percent: float = 0.0
    classi: np.ndarray | None = None
    clouds: Sequence[Sequence[tuple[float, float]]] | None = None
    scl: np.ndarray | None = field(default=None)

    def grid(self, resolution: int) -> Grid:
        """Return the tile's grid at 10, 20 or 60 m."""
        factor = resolution // 10
        return Grid(
            self.x, self.y, resolution, math.ceil(self.width / factor), math.ceil(self.height / factor)
        )


def write_product(folder: Path, product: str, scene: Scene) -> Path:
    """Write a product.

    Parameters
    ----------
    folder : Path
        Folder in which the `.SAFE` folder is created.
    product : str
        Product name; its level determines the layout.
    scene : Scene

    Returns
    -------
    Path
        The `.SAFE` folder.

    Raises
    ------
    ValueError
        When the size of a band or mask is not that of its grid.
    """
    name = parse_name(product)
    safe = Path(folder) / f"{name.product}.SAFE"
    stamp = f"{name.sensing_time:%Y%m%dT%H%M%S}"
    granule = safe / "GRANULE" / f"{name.level}_T{name.tile}_A000001_{stamp}"
    # a product has all four; SNAP's reader refuses one without DATASTRIP
    for subfolder in (granule / "IMG_DATA", granule / "QI_DATA", granule / "AUX_DATA", safe / "DATASTRIP"):
        subfolder.mkdir(parents=True, exist_ok=True)
    images = [
        _write_band(granule, name, stamp, scene, band, data).relative_to(safe).with_suffix("")
        for band, data in scene.bands.items()
    ]
    _write_masks(granule, name, stamp, scene)
    _write_xml(safe / f"MTD_MSI{name.level}.xml", _product_metadata(name, scene, granule.name, images))
    _write_xml(granule / "MTD_TL.xml", _tile_metadata(name, scene))
    return safe


def _write_band(
    granule: Path, name: ProductName, stamp: str, scene: Scene, band: str, data: np.ndarray
) -> Path:
    number = f"B{int(band[1:]):02d}" if band[1:].isdigit() else band
    resolution = BANDS[band]
    stem = f"T{name.tile}_{stamp}_{number}"
    if name.level == "L2A":
        path = granule / "IMG_DATA" / f"R{resolution}m" / f"{stem}_{resolution}m.jp2"
    else:
        path = granule / "IMG_DATA" / f"{stem}.jp2"
    _write_jp2(path, np.asarray(data, np.uint16)[None], scene.grid(resolution), scene.epsg)
    return path


def _write_masks(granule: Path, name: ProductName, stamp: str, scene: Scene) -> None:
    if scene.classi is not None:
        path = granule / "QI_DATA" / "MSK_CLASSI_B00.jp2"
        _write_jp2(path, np.asarray(scene.classi, np.uint8), scene.grid(60), scene.epsg)
    if scene.clouds is not None:
        _write_xml(granule / "QI_DATA" / "MSK_CLOUDS_B00.gml", _cloud_polygons(scene))
    if scene.scl is not None:
        path = granule / "IMG_DATA" / "R20m" / f"T{name.tile}_{stamp}_SCL_20m.jp2"
        _write_jp2(path, np.asarray(scene.scl, np.uint8)[None], scene.grid(20), scene.epsg)


def _write_jp2(path: Path, data: np.ndarray, grid: Grid, epsg: int) -> None:
    if data.shape[1:] != (grid.height, grid.width):
        raise ValueError(
            f"{path.name} has {data.shape[2]} x {data.shape[1]} pixels, expected {grid.width} x {grid.height}."
        )
    path.parent.mkdir(exist_ok=True)
    profile = {
        "driver": "JP2OpenJPEG",
        "width": grid.width,
        "height": grid.height,
        "count": len(data),
        "dtype": data.dtype.name,
        "crs": f"EPSG:{epsg}",
        "transform": grid.transform,
        "quality": 100,
        "reversible": "YES",
        "ycbcr420": "NO",
    }
    with rasterio.open(path, "w", **profile) as out:
        out.write(data)


def _product_metadata(
    name: ProductName, scene: Scene, granule: str, images: Sequence[Path]
) -> ElementTree.Element:
    time, stamp = f"{name.sensing_time.isoformat()}.000Z", name.product[11:26]
    level = f"Level-{name.level[1:]}"
    root = _root(f"{level}_User_Product", f"User_Product_{level}.xsd")
    general = _add(root, "n1:General_Info")
    info = _add(general, "Product_Info")
    _add(info, "PRODUCT_START_TIME", time)
    _add(info, "PRODUCT_STOP_TIME", time)
    _add(info, "PRODUCT_URI", f"{name.product}.SAFE")
    _add(info, "PROCESSING_LEVEL", level)
    _add(info, "PRODUCT_TYPE", f"S2MSI{name.level[1:]}")
    _add(info, "PROCESSING_BASELINE", name.baseline)
    _add(info, "GENERATION_TIME", time)
    datatake = _add(info, "Datatake", datatakeIdentifier=f"G{name.platform}_{stamp}_000001_N{name.baseline}")
    _add(datatake, "SPACECRAFT_NAME", f"Sentinel-{name.platform[1:]}")
    _add(datatake, "DATATAKE_SENSING_START", time)
    _add(datatake, "SENSING_ORBIT_NUMBER", str(name.relative_orbit))
    options = _add(info, "Query_Options", completeSingleTile="true")
    _add(options, "PRODUCT_FORMAT", "SAFE_COMPACT")
    organisation = _add(_add(info, "Product_Organisation"), "Granule_List")
    identifier = (
        f"{name.platform}_OPER_MSI_{name.level}_TL_TEST__{stamp}_A000001_T{name.tile}_N{name.baseline}"
    )
    item = _add(organisation, "Granule", granuleIdentifier=identifier, imageFormat="JPEG2000")
    for image in images:
        _add(item, "IMAGE_FILE", image.as_posix())
    _characteristics(_add(general, "Product_Image_Characteristics"), name, scene)
    quality = _add(root, "n1:Quality_Indicators_Info")
    _add(quality, "Cloud_Coverage_Assessment", f"{scene.cloud_percent:g}")
    return root


def _characteristics(parent: ElementTree.Element, name: ProductName, scene: Scene) -> None:
    for text, value in (("NODATA", 0), ("SATURATED", 65535)):
        special = _add(parent, "Special_Values")
        _add(special, "SPECIAL_VALUE_TEXT", text)
        _add(special, "SPECIAL_VALUE_INDEX", str(value))
    if name.level == "L2A":
        values = _add(parent, "QUANTIFICATION_VALUES_LIST")
        _add(values, "BOA_QUANTIFICATION_VALUE", str(scene.quantification), unit="none")
        list_tag, tag = "BOA_ADD_OFFSET_VALUES_LIST", "BOA_ADD_OFFSET"
    else:
        _add(parent, "QUANTIFICATION_VALUE", str(scene.quantification), unit="none")
        list_tag, tag = "Radiometric_Offset_List", "RADIO_ADD_OFFSET"
    if scene.offsets is not None:
        offsets = _add(parent, list_tag)
        for band_id, band in enumerate(BANDS):
            _add(offsets, tag, str(scene.offsets.get(band, 0)), band_id=str(band_id))
    spectral = _add(parent, "Spectral_Information_List")
    for band_id, (band, resolution) in enumerate(BANDS.items()):
        item = _add(spectral, "Spectral_Information", bandId=str(band_id), physicalBand=band)
        _add(item, "RESOLUTION", str(resolution))


def _tile_metadata(name: ProductName, scene: Scene) -> ElementTree.Element:
    level = f"Level-{name.level[1:]}"
    root = _root(f"{level}_Tile_ID", f"S2_PDI_{level}_Tile_Metadata.xsd")
    general = _add(root, "n1:General_Info")
    _add(general, "SENSING_TIME", f"{name.sensing_time.isoformat()}.000Z")
    geocoding = _add(_add(root, "n1:Geometric_Info"), "Tile_Geocoding")
    hemisphere = "N" if scene.epsg < 32700 else "S"
    _add(geocoding, "HORIZONTAL_CS_NAME", f"WGS84 / UTM zone {scene.epsg % 100}{hemisphere}")
    _add(geocoding, "HORIZONTAL_CS_CODE", f"EPSG:{scene.epsg}")
    for resolution in (10, 20, 60):
        grid = scene.grid(resolution)
        size = _add(geocoding, "Size", resolution=str(resolution))
        _add(size, "NROWS", str(grid.height))
        _add(size, "NCOLS", str(grid.width))
    for resolution in (10, 20, 60):
        position = _add(geocoding, "Geoposition", resolution=str(resolution))
        for tag, value in (("ULX", scene.x), ("ULY", scene.y), ("XDIM", resolution), ("YDIM", -resolution)):
            _add(position, tag, f"{value:g}" if abs(value) < 1000 else f"{value:.0f}")
    quality = _add(_add(root, "n1:Quality_Indicators_Info"), "Image_Content_QI")
    _add(quality, "CLOUDY_PIXEL_PERCENTAGE", f"{scene.cloud_percent:g}")
    return root


def _cloud_polygons(scene: Scene) -> ElementTree.Element:
    eop, gml = "{http://www.opengis.net/eop/2.0}", "{http://www.opengis.net/gml/3.2}"
    root = ElementTree.Element(f"{eop}Mask")
    members = _add(root, f"{eop}maskMembers")
    for ring in scene.clouds or ():
        feature = _add(members, f"{eop}MaskFeature")
        _add(feature, f"{eop}maskType", "OPAQUE")
        polygon = _add(_add(feature, f"{eop}extentOf"), f"{gml}Polygon")
        exterior = _add(_add(polygon, f"{gml}exterior"), f"{gml}LinearRing")
        positions = " ".join(f"{x:.0f} {y:.0f}" for x, y in [*ring, ring[0]])
        _add(exterior, f"{gml}posList", positions, srsDimension="2")
    return root


def _root(tag: str, schema: str) -> ElementTree.Element:
    # GDAL recognises a product by the string "<n1:Level-1C_User_Product", so the prefix is written literally
    return ElementTree.Element(f"n1:{tag}", {"xmlns:n1": _NAMESPACE + schema})


def _add(
    parent: ElementTree.Element, tag: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = text
    return element


def _write_xml(path: Path, root: ElementTree.Element) -> None:
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)
