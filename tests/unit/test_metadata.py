"""A product's two metadata files, field by field, and what is refused."""

import pytest

from fabricate import name_of
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.sentinel2.metadata import Xml, read_cloud_percent, read_metadata
from tigerbush.sentinel2.names import BANDS, parse_name

SIZES = {10: (10980, 10979), 20: (5490, 5489), 60: (1830, 1829)}


def product_xml(level="L1C", quantification="10000", offsets=None, cloud="12.5"):
    """MTD_MSI*.xml, with the fields of both levels."""
    tags = {
        "L1C": ("QUANTIFICATION_VALUE", "RADIO_ADD_OFFSET"),
        "L2A": ("BOA_QUANTIFICATION_VALUE", "BOA_ADD_OFFSET"),
    }
    other_tags = tags["L2A" if level == "L1C" else "L1C"]
    value, offset = tags[level]
    rows = "".join(
        f'<{offset} band_id="{number}">{text}</{offset}>' for number, text in (offsets or {}).items()
    )
    return (
        f'<n1:P xmlns:n1="https://psd/"><{other_tags[0]}>77</{other_tags[0]}><{value}>{quantification}</{value}>{rows}'
        f"<Cloud_Coverage_Assessment>{cloud}</Cloud_Coverage_Assessment></n1:P>"
    ).encode()


def tile_xml(epsg="EPSG:32633", sizes=SIZES, places=None, cloud="3.25"):
    """MTD_TL.xml, with resolutions out of order."""
    places = places or dict.fromkeys(SIZES, (399960, 5100000))
    rows = "".join(
        f'<Size resolution="{resolution}"><NROWS>{height}</NROWS><NCOLS>{width}</NCOLS></Size>'
        for resolution, (width, height) in reversed(sizes.items())
    ) + "".join(
        f'<Geoposition resolution="{resolution}"><ULX>{x}</ULX><ULY>{y}</ULY><XDIM>{resolution}</XDIM></Geoposition>'
        for resolution, (x, y) in places.items()
    )
    return (
        f'<n1:T xmlns:n1="https://psd/"><HORIZONTAL_CS_CODE>{epsg}</HORIZONTAL_CS_CODE>{rows}'
        f"<CLOUDY_PIXEL_PERCENTAGE>{cloud}</CLOUDY_PIXEL_PERCENTAGE></n1:T>"
    ).encode()


def read(product=None, tile=None, *, level="L1C", baseline="0204"):
    name = parse_name(name_of(level=level, baseline=baseline))
    return read_metadata(Xml("MTD", product or product_xml(level)), Xml("TL", tile or tile_xml()), name)


# a different one for each band, in the order of bands, B8A after B8
OFFSETS = {number: -1000 - number for number in range(13)}


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_values_of_the_metadata(level):
    metadata = read(product_xml(level, "9999", OFFSETS), level=level, baseline="0400")
    assert (metadata.epsg, metadata.quantification, metadata.cloud_percent) == (32633, 9999, 3.25)
    assert metadata.grids == {
        10: Grid(399960, 5100000, 10, 10980, 10979),
        20: Grid(399960, 5100000, 20, 5490, 5489),
        60: Grid(399960, 5100000, 60, 1830, 1829),
    }
    assert list(metadata.offsets.items()) == [
        ("B1", -1000), ("B2", -1001), ("B3", -1002), ("B4", -1003), ("B5", -1004), ("B6", -1005), ("B7", -1006), ("B8", -1007),
        ("B8A", -1008), ("B9", -1009), ("B10", -1010), ("B11", -1011), ("B12", -1012),
    ]  # fmt: skip


MISSING = (
    "MTD: field RADIO_ADD_OFFSET of band_id {} is missing or not a whole number, though baseline {} has an offset; "
    "report this product, or delete its line from the table of products to leave it out."
)


def test_offsets_by_baseline():
    """Before baseline 04.00 there are none, but those that are written are used."""
    assert read(baseline="0399").offsets == dict.fromkeys(BANDS, 0)
    assert read(product_xml(offsets=OFFSETS), baseline="0209").offsets["B12"] == -1012
    # made by Sen2Cor outside ESA's production: the metadata alone say whether there is an offset
    assert read(baseline="9999").offsets == dict.fromkeys(BANDS, 0)
    assert read(product_xml(offsets=OFFSETS), baseline="9999").offsets["B12"] == -1012
    for baseline in ("0400", "0511"):
        with pytest.raises(TigerbushError) as error:
            read(baseline=baseline)
        assert str(error.value) == MISSING.format(0, f"{baseline[:2]}.{baseline[2:]}")


@pytest.mark.parametrize(("text", "number"), [(" -1000\n", -1000), ("+5", 5), ("99999", 99999), ("0", 0)])
def test_offsets_are_whole_numbers(text, number):
    assert read(product_xml(offsets=OFFSETS | {12: text}), baseline="0400").offsets["B12"] == number


@pytest.mark.parametrize("text", ["", "-1000.0", "100000", "1 0", "x"])
def test_invalid_offsets(text):
    with pytest.raises(TigerbushError) as error:
        read(product_xml(offsets=OFFSETS | {12: text}), baseline="0400")
    assert str(error.value) == MISSING.format(12, "04.00")


def test_every_band_needs_an_offset():
    with pytest.raises(TigerbushError) as error:
        read(product_xml(offsets={0: -1000}), baseline="0204")
    assert str(error.value) == MISSING.format(1, "02.04")


NUMBER = "MTD: field QUANTIFICATION_VALUE is missing or not a number; report this product, or delete its line from the table of products to leave it out."
RANGE = "MTD: field QUANTIFICATION_VALUE is {}, expected a whole number from 1 to 65535; report this product, or delete its line from the table of products to leave it out."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1), ("65535", 65535), ("10000.0", 10000), ("1e4", 10000),
        ("0", RANGE.format("0")), ("0.5", RANGE.format("0.5")), ("65536", RANGE.format("65536")), ("1.5", RANGE.format("1.5")),
        ("-1", RANGE.format("-1")), ("", NUMBER), ("x", NUMBER), ("nan", NUMBER), ("inf", NUMBER),
    ],
)  # fmt: skip
def test_the_quantification(text, expected):
    if isinstance(expected, int):
        assert read(product_xml(quantification=text)).quantification == expected
        return
    with pytest.raises(TigerbushError) as error:
        read(product_xml(quantification=text))
    assert str(error.value) == expected


@pytest.mark.parametrize(
    ("text", "epsg"),
    [
        ("EPSG:32601", 32601), (" EPSG:32760\n", 32760), ("EPSG:32610", 32610), ("EPSG:32659", 32659), ("EPSG:32600", None),
        ("EPSG:32661", None), ("EPSG:32800", None), ("EPSG:32533", None), ("32633", None), ("EPSG:326330", None), ("", None),
    ],
)  # fmt: skip
def test_the_zone(text, epsg):
    if epsg:
        assert read(tile=tile_xml(epsg=text)).epsg == epsg
        return
    for tile in (tile_xml(epsg=text), tile_xml().replace(b"HORIZONTAL_CS_CODE", b"OTHER")):
        with pytest.raises(TigerbushError) as error:
            read(tile=tile)
        assert str(error.value) == "TL: field HORIZONTAL_CS_CODE is not the EPSG code of a UTM zone."


def size_sentence(resolution, width, height):
    most = 109_800 // resolution
    return (
        f"TL: Size of resolution {resolution} is {width} x {height}, expected at most {most} pixels a side."
    )


@pytest.mark.parametrize(
    ("resolution", "size", "expected"),
    [
        (10, (1, 1), None), (10, (10980, 10980), None), (60, (1830, 1830), None),
        (10, (10981, 1), size_sentence(10, 10981, 1)), (20, (1, 5491), size_sentence(20, 1, 5491)),
        (60, (0, 5), size_sentence(60, 0, 5)), (60, (5, 1831), size_sentence(60, 5, 1831)), (20, (7, 2.5), size_sentence(20, 7, 2.5)),
        (20, ("x", 5), "TL: field NCOLS is missing or not a number; report this product, or delete its line from the table of products to leave it out."),
        (20, (5, ""), "TL: field NROWS is missing or not a number; report this product, or delete its line from the table of products to leave it out."),
    ],
)  # fmt: skip
def test_the_size_of_a_tile(resolution, size, expected):
    tile = tile_xml(sizes=SIZES | {resolution: size})
    if expected is None:
        grid = read(tile=tile).grids[resolution]
        assert (grid.width, grid.height) == size
        return
    with pytest.raises(TigerbushError) as error:
        read(tile=tile)
    assert str(error.value) == expected


def test_the_place_of_a_tile():
    place = (300000.5, 4000020)
    assert {grid.x for grid in read(tile=tile_xml(places=dict.fromkeys(SIZES, place))).grids.values()} == {
        300000.5
    }
    for corner in ((399960, 5100020), (399980, 5100000)):
        with pytest.raises(TigerbushError) as error:
            read(tile=tile_xml(places=dict.fromkeys(SIZES, (399960, 5100000)) | {60: corner}))
        assert (
            str(error.value)
            == "TL: Geoposition differs between resolutions; report this product, or delete its line from the table of products to leave it out."
        )
    for field in ("Size", "Geoposition"):
        tile = tile_xml().replace(
            f'<{field} resolution="20">'.encode(), f'<{field} resolution="30">'.encode()
        )
        with pytest.raises(TigerbushError) as error:
            read(tile=tile)
        assert str(error.value) == "TL: Size or Geoposition of resolution 20 is missing."


@pytest.mark.parametrize(
    ("tile", "product", "cloud"),
    [
        ("0", "5", 0), ("100", "5", 100), ("3.5", "5", 3.5), ("100.1", "5", 5), ("-0.1", "5", 5), ("x", "5", 5), ("nan", "100", 100),
        ("x", "101", None), ("", "", None),
    ],
)  # fmt: skip
def test_cloud_cover(tile, product, cloud):
    """That of the tile, else of the product, if it is a percentage."""
    assert read(product_xml(cloud=product), tile_xml(cloud=tile)).cloud_percent == cloud


def test_cloud_cover_of_the_main_file_only():
    assert read_cloud_percent("MTD", product_xml(cloud="7.5")) == 7.5
    assert read_cloud_percent("MTD", tile_xml(cloud="8.5")) == 8.5
    assert read_cloud_percent("MTD", b"<x/>") is None
    with pytest.raises(TigerbushError, match=r"^MTD is not well-formed XML \(no element found"):
        read_cloud_percent("MTD", b"<x>")


def test_elements_of_an_xml_file():
    """Anywhere and in any namespace; `number` returns that of the first."""
    xml = Xml("X", b'<a xmlns:n="y"><n:b>1</n:b><c><b>2</b><b>3</b></c><d/></a>')
    assert [element.text for element in xml.all("b")] == ["1", "2", "3"]
    assert (xml.all("e"), xml.number("b"), xml.number("b", within=xml.all("c")[0])) == ([], 1, 2)
    for tag, within in (("d", None), ("e", None), ("b", xml.all("d")[0])):
        with pytest.raises(
            TigerbushError,
            match=f"^X: field {tag} is missing or not a number; report this product, or delete its line from the table of products to leave it out",
        ):
            xml.number(tag, within=within)


@pytest.mark.parametrize("start", [b"<!DOCTYPE a>", b'<!DOCTYPE a [<!ENTITY b "c">]>'])
def test_a_document_type_is_refused(start):
    with pytest.raises(TigerbushError, match=r"^X is not well-formed XML \("):
        Xml("X", start + b"<a/>")
