"""The products that the writer writes, compared with what real products have and readers other than ours need."""

import hashlib
import re
from xml.etree.ElementTree import Element

import numpy as np
import pytest
import rasterio
from defusedxml import ElementTree

from fabricate import CORNER, Scene, name_of, scene_of, write_product
from tigerbush.sentinel2.files import list_files, list_folders
from tigerbush.sentinel2.names import BANDS


@pytest.mark.parametrize(
    ("level", "baseline", "algorithm", "digest"),
    [
        ("L1C", "0204", "MD5", hashlib.md5),
        ("L2A", "0301", "MD5", hashlib.md5),
        ("L1C", "0400", "SHA3-256", hashlib.sha3_256),
        ("L2A", "0510", "SHA3-256", hashlib.sha3_256),
    ],
)
def test_the_manifest_lists_every_other_file(tmp_path, level, baseline, algorithm, digest):
    offset = -1000 if baseline >= "0400" else 0
    safe = write_product(
        tmp_path, name_of(level=level, baseline=baseline), scene_of(level=level, offset=offset)
    )
    root = ElementTree.parse(safe / "manifest.safe").getroot()
    assert root.tag == "{urn:ccsds:schema:xfdu:1}XFDU"
    listed = {}
    for item in root.findall("dataObjectSection/dataObject"):
        (stream,) = item
        location, checksum = stream.find("fileLocation"), stream.find("checksum")
        assert location.get("locatorType") == "URL"
        assert location.get("href").startswith("./")
        assert item.get("ID")
        assert checksum.get("checksumName") == algorithm
        listed[location.get("href").removeprefix("./")] = int(stream.get("size")), checksum.text
    files = {path.relative_to(safe).as_posix(): path for path in safe.rglob("*") if path.is_file()}
    del files["manifest.safe"]
    assert len(files) >= 14
    assert listed == {
        name: (path.stat().st_size, digest(path.read_bytes()).hexdigest()) for name, path in files.items()
    }


# metadata as they are written


def texts(root: Element):
    """Tag (without namespace), attributes and text of all elements with text, in order."""
    return [
        (element.tag.rpartition("}")[2], dict(element.attrib), element.text)
        for element in root.iter()
        if element.text and element.text.strip()
    ]


def metadata(tmp_path, level, **options):
    name = f"S2B_MSI{level}_20190203T040506_N0211_R007_T33TVL_20190203T070809"
    place = {"x": 300_000, "y": 940, "epsg": 32733, "width": 31, "height": 13}
    safe = write_product(tmp_path, name, Scene({}, **place, **options))
    return safe, *(
        texts(ElementTree.parse(path).getroot())
        for path in (safe / f"MTD_MSI{level}.xml", next(safe.glob("GRANULE/*/MTD_TL.xml")))
    )


@pytest.mark.parametrize(("level", "offset"), [("L1C", None), ("L2A", {"B1": -5, "B12": -7})])
def test_complete_metadata(tmp_path, level, offset):
    safe, product, tile = metadata(tmp_path, level, offsets=offset, quantification=5000, cloud_percent=12.5)
    time, digit = "2019-02-03T04:05:06.000Z", level[1:]
    special = [
        ("SPECIAL_VALUE_TEXT", {}, "NODATA"),
        ("SPECIAL_VALUE_INDEX", {}, "0"),
        ("SPECIAL_VALUE_TEXT", {}, "SATURATED"),
        ("SPECIAL_VALUE_INDEX", {}, "65535"),
    ]
    tag = "QUANTIFICATION_VALUE" if level == "L1C" else "BOA_QUANTIFICATION_VALUE"
    offsets = [
        ("BOA_ADD_OFFSET", {"band_id": str(i)}, str((offset or {}).get(band, 0)))
        for i, band in enumerate(BANDS)
    ]
    assert product == [
        ("PRODUCT_START_TIME", {}, time),
        ("PRODUCT_STOP_TIME", {}, time),
        ("PRODUCT_URI", {}, safe.name),
        ("PROCESSING_LEVEL", {}, f"Level-{digit}"),
        ("PRODUCT_TYPE", {}, f"S2MSI{digit}"),
        ("PROCESSING_BASELINE", {}, "02.11"),
        ("GENERATION_TIME", {}, time),
        ("SPACECRAFT_NAME", {}, "Sentinel-2B"),
        ("DATATAKE_TYPE", {}, "INS-NOBS"),
        ("DATATAKE_SENSING_START", {}, time),
        ("SENSING_ORBIT_NUMBER", {}, "7"),
        ("SENSING_ORBIT_DIRECTION", {}, "DESCENDING"),
        ("PRODUCT_FORMAT", {}, "SAFE_COMPACT"),
        *special,
        (tag, {"unit": "none"}, "5000"),
        *(offsets if offset else []),
        *(("RESOLUTION", {}, str(resolution)) for resolution in BANDS.values()),
        ("Cloud_Coverage_Assessment", {}, "12.5"),
    ]
    assert tile == tile_texts(level, time)


def tile_texts(level, time):
    """The texts of MTD_TL.xml."""
    sizes = [("NROWS", 13), ("NCOLS", 31), ("NROWS", 7), ("NCOLS", 16), ("NROWS", 3), ("NCOLS", 6)]
    places = [[("ULX", "300000"), ("ULY", "940"), ("XDIM", str(r)), ("YDIM", str(-r))] for r in (10, 20, 60)]
    identifier = f"S2B_OPER_MSI_{level}_{{}}_SGS__20190203T040506_{{}}_N02.11"
    angles = [("COL_STEP", {"unit": "m"}, "5000"), ("ROW_STEP", {"unit": "m"}, "5000")]
    return [
        ("TILE_ID", {}, identifier.format("TL", "A000001_T33TVL")),
        ("DATASTRIP_ID", {}, identifier.format("DS", "S20190203T040506")),
        ("SENSING_TIME", {}, time),
        ("HORIZONTAL_CS_NAME", {}, "WGS84 / UTM zone 33S"),
        ("HORIZONTAL_CS_CODE", {}, "EPSG:32733"),
        *((name, {}, str(value)) for name, value in sizes),
        *((name, {}, value) for rows in places for name, value in rows),
        *[*angles, *[("VALUES", {}, " ".join(["38"] * 23))] * 23],
        *[*angles, *[("VALUES", {}, " ".join(["152"] * 23))] * 23],
        ("ZENITH_ANGLE", {"unit": "deg"}, "38"),
        ("AZIMUTH_ANGLE", {"unit": "deg"}, "152"),
        ("CLOUDY_PIXEL_PERCENTAGE", {}, "12.5"),
    ]


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_attributes_of_the_metadata(tmp_path, level):
    safe, *_ = metadata(tmp_path, level, offsets={})
    root = ElementTree.parse(safe / f"MTD_MSI{level}.xml").getroot()
    (granule,) = safe.glob("GRANULE/*")
    schema = f"https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level[1:]}.xsd"
    assert root.tag == f"{{{schema}}}Level-{level[1:]}_User_Product"
    attributes = {element.tag: element.attrib for element in root.iter() if element.attrib}
    assert attributes["Datatake"] == {"datatakeIdentifier": "GS2B_20190203T040506_000001_N02.11"}
    assert attributes["Query_Options"] == {"completeSingleTile": "true"}
    assert attributes["Granule"] == {
        "datastripIdentifier": f"S2B_OPER_MSI_{level}_DS_SGS__20190203T040506_S20190203T040506_N02.11",
        "granuleIdentifier": f"S2B_OPER_MSI_{level}_TL_SGS__20190203T040506_A000001_T33TVL_N02.11",
        "imageFormat": "JPEG2000",
    }
    assert [element.attrib for element in root.iter("Spectral_Information")] == [
        {"bandId": str(i), "physicalBand": band} for i, band in enumerate(BANDS)
    ]
    root = ElementTree.parse(granule / "MTD_TL.xml").getroot()
    schema = f"https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{level[1:]}_Tile_Metadata.xsd"
    assert root.tag == f"{{{schema}}}Level-{level[1:]}_Tile_ID"
    for tag in ("Size", "Geoposition"):
        assert [element.attrib for element in root.iter(tag)] == [
            {"resolution": r} for r in ("10", "20", "60")
        ]


def test_names_of_written_files(tmp_path):
    place = CORNER | {"width": 12, "height": 6}
    for level, folder in (("L1C", ""), ("L2A", "R{}m/")):
        scene = scene_of(
            level=level, offset=-1000, place=place, scl=np.zeros((3, 6)) if level == "L2A" else None
        )
        safe = write_product(tmp_path, name_of(level=level, baseline="0400"), scene)
        granule = f"GRANULE/{level}_T33TVL_A000001_20170116T100000"
        stem = f"{granule}/IMG_DATA/{{}}T33TVL_20170116T100000_"
        images = {
            stem.format(folder.format(r)) + ("B8A" if band == "B8A" else f"B{int(band[1:]):02}") + (f"_{r}m" if folder else "")
            for band, r in BANDS.items()
            if (level, band) != ("L2A", "B10")
        }  # fmt: skip
        listed = ElementTree.parse(safe / f"MTD_MSI{level}.xml").getroot().iter("IMAGE_FILE")
        assert {element.text for element in listed} == images
        masks = {f"{granule}/IMG_DATA/R20m/T33TVL_20170116T100000_SCL_20m"} if folder else set()
        masks |= {
            f"{granule}/QI_DATA/MSK_{kind}_{'B8A' if band == 'B8A' else f'B{int(band[1:]):02}'}"
            for kind in ("DETFOO", "QUALIT")
            for band in BANDS
            if (level, band) != ("L2A", "B10")
        }
        assert {name[:-4] for name in list_files(safe) if name.endswith(".jp2")} == images | masks
        assert sorted(folder for folder in list_folders(safe) if not folder.count("/")) == [
            "DATASTRIP",
            "GRANULE",
        ]
        assert {f"{granule}/{name}" for name in ("AUX_DATA", "IMG_DATA", "QI_DATA")} <= set(
            list_folders(safe)
        )


# What the reader of ESA SNAP (opttbx-s2msi-reader) wants of names and metadata. SNAP itself is not installed where the
# tests run; each line was found by running it.
GRANULE_FOLDER = r"(L1C|L2A)_T\w{5}_A\d{6}_\d{8}T\d{6}"
DATASTRIP_FOLDER = r"DS_\w{4}_\d{8}T\d{6}_S\d{8}T\d{6}"
TILE_ID = r"S2[ABC]_OPER_MSI_(L1C|L2A)_TL_\w{4}_\d{8}T\d{6}_A\d{6}_T\w{5}_N\d\d\.\d\d"
DATASTRIP_ID = r"S2[ABC]_OPER_MSI_(L1C|L2A)_DS_\w{4}_\d{8}T\d{6}_S\d{8}T\d{6}_N\d\d\.\d\d"


def numbers(root: Element, angle: str) -> np.ndarray:
    rows = root.findall(f".//Tile_Angles/Sun_Angles_Grid/{angle}/Values_List/VALUES")
    return np.array([[float(number) for number in row.text.split(" ")] for row in rows])


def levels(path) -> int:
    """Return how often the wavelet transform is applied: a byte of the marker COD (ISO 15444-1, A.6.1)."""
    content = path.read_bytes()
    return content[content.index(b"\xff\x52\x00") + 9]


@pytest.mark.parametrize(("level", "baseline"), [("L1C", "0204"), ("L1C", "0510"), ("L2A", "0400")])
def test_what_snap_wants_of_a_product(tmp_path, level, baseline):
    offset = -1000 if baseline >= "0400" else 0
    place = CORNER | {"width": 252, "height": 252}
    clouds = {} if offset else {"clouds": []}
    scene = scene_of(level=level, offset=offset, place=place, **clouds)
    safe = write_product(tmp_path, name_of(level=level, baseline=baseline), scene)
    (granule,), (datastrip,) = (safe / "GRANULE").iterdir(), (safe / "DATASTRIP").iterdir()
    assert re.fullmatch(GRANULE_FOLDER, granule.name)
    assert re.fullmatch(DATASTRIP_FOLDER, datastrip.name)
    assert (
        ElementTree.parse(datastrip / "MTD_DS.xml").getroot().tag.endswith(f"Level-{level[1:]}_DataStrip_ID")
    )
    product = ElementTree.parse(safe / f"MTD_MSI{level}.xml").getroot()
    tile = ElementTree.parse(granule / "MTD_TL.xml").getroot()
    identifier = tile.findtext(".//TILE_ID")
    assert re.fullmatch(TILE_ID, identifier)
    assert re.fullmatch(DATASTRIP_ID, tile.findtext(".//DATASTRIP_ID"))
    (listed,) = product.iter("Granule")
    assert listed.attrib == {
        "granuleIdentifier": identifier,
        "datastripIdentifier": tile.findtext(".//DATASTRIP_ID"),
        "imageFormat": "JPEG2000",
    }
    # names of images are made from the start of the datatake
    start = re.sub(r"[-:]", "", product.findtext(".//DATATAKE_SENSING_START"))[:15]
    assert all(f"_{start}_B" in image.text for image in product.iter("IMAGE_FILE"))
    zenith, azimuth = numbers(tile, "Zenith"), numbers(tile, "Azimuth")
    assert zenith.shape == azimuth.shape == (23, 23)
    assert 0 < zenith.min() <= zenith.max() < 90


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_masks_are_listed_as_snap_finds_them(tmp_path, level):
    scene = scene_of(level=level, offset=-1000, classi=np.zeros((3, 21, 21)))
    safe = write_product(tmp_path, name_of(level=level, baseline="0400"), scene)
    (tile,) = safe.glob("GRANULE/*/MTD_TL.xml")
    masks = {
        (mask.get("type"), mask.get("bandId")): mask.text
        for mask in ElementTree.parse(tile).getroot().iter("MASK_FILENAME")
    }
    numbers = [number for number, band in enumerate(BANDS) if band in scene.bands]
    assert masks.keys() == {
        *((kind, str(number)) for kind in ("MSK_DETFOO", "MSK_QUALIT") for number in numbers),
        ("MSK_CLASSI", None),
    }
    assert all((safe / file).is_file() for file in masks.values())
    assert masks["MSK_DETFOO", "8"].endswith("/QI_DATA/MSK_DETFOO_B8A.jp2")
    assert masks["MSK_QUALIT", "3"].endswith("/QI_DATA/MSK_QUALIT_B04.jp2")


def test_a_product_of_an_older_baseline_lists_its_cloud_polygons(tmp_path):
    safe = write_product(tmp_path, name_of(), scene_of(clouds=[]))
    (tile,) = safe.glob("GRANULE/*/MTD_TL.xml")
    (mask,) = ElementTree.parse(tile).getroot().iter("MASK_FILENAME")
    assert mask.attrib == {"type": "MSK_CLOUDS"}
    assert (safe / mask.text).name == "MSK_CLOUDS_B00.gml"
    assert (safe / mask.text).is_file()


def test_masks_of_a_band(tmp_path):
    scene = scene_of(offset=-1000)
    scene.bands["B5"][:, :9] = 0
    footprint, lost = np.full((126, 126), 3), np.zeros((126, 126), bool)
    footprint[:7], lost[-2:] = 0, True
    scene.footprints["B2"], scene.lost["B2"] = footprint, lost
    safe = write_product(tmp_path, name_of(baseline="0400"), scene)

    def read(name):
        with rasterio.open(next(safe.glob(f"GRANULE/*/QI_DATA/{name}.jp2"))) as image:
            return image.read()

    np.testing.assert_array_equal(read("MSK_DETFOO_B02"), footprint[None])
    quality = read("MSK_QUALIT_B02")
    assert quality.shape == (8, 126, 126) and quality.dtype == np.uint8
    np.testing.assert_array_equal(quality[5], lost)
    assert not quality[[0, 1, 2, 3, 4, 6, 7]].any()
    # the rest is what a swath looks like: one detector where there are pixels, and nothing lost
    detector = read("MSK_DETFOO_B05")[0]
    assert not detector[:, :9].any() and set(np.unique(detector[:, 9:])) == {7}
    assert not read("MSK_QUALIT_B05").any()


@pytest.mark.parametrize(
    ("side", "expected"), [(1300, 4), (252, 4), (126, 4), (42, 4), (18, 3), (6, 1), (3, 0), (1, 0)]
)
def test_levels_of_resolution(tmp_path, side, expected):
    """Four, as in real images, unless the image is smaller than the pixels of the coarsest."""
    place = CORNER | {"width": side, "height": side}
    scene = scene_of(place=place)
    band = scene.bands["B4"]
    scene.bands.clear()
    scene.bands["B4"] = band
    safe = write_product(tmp_path, name_of(), scene)
    (path,) = safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2")
    assert levels(path) == expected
    with rasterio.open(path) as image:
        np.testing.assert_array_equal(image.read(1), band)
        # as GDAL shows them, of which SNAP 15 wants one at least: in the image, or beside a small one
        assert image.overviews(1)
    assert (path.with_name(f"{path.name}.ovr")).exists() == (side <= 128)
