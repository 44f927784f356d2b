"""STAC items as metadata: the same values as from SAFE, or a sentence."""

import copy
import json

import pytest

from fabricate import name_of
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.sentinel2.names import parse_name
from tigerbush.sentinel2.stac_item import band_of, product_of, read_item, resolution_of
from tigerbush.stac import cloud_percent

NAME = name_of(level="L2A", baseline="0500")


def band(resolution=10, offset=-0.1, shape=(126, 126), x=465180):
    return {
        "href": "https://example.org/B02.tif",
        "proj:shape": list(shape),
        "proj:transform": [resolution, 0, x, 0, -resolution, 5080260],
        "raster:bands": [{"scale": 0.0001, "offset": offset}],
    }


ITEM = {
    "id": "S2A_33TVL_20170116_0_L2A",
    "collection": "sentinel-2-c1-l2a",
    "properties": {"s2:product_uri": f"{NAME}.SAFE", "proj:epsg": 32633, "eo:cloud_cover": 12.5},
    "assets": {
        "blue": band(),
        "nir08": band(20, shape=(63, 63)),
        "scl": {"href": "x"},
        "visual": {"href": "x"},
    },
}


def read(item, name=NAME):
    return read_item(json.dumps(item).encode(), "stac.json", parse_name(name))


def changed(path, value, item=ITEM):
    item = copy.deepcopy(item)
    place = item
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return item


def test_values_of_an_item():
    item = read(ITEM)
    assert (item.epsg, item.quantification, item.cloud_percent) == (32633, 10_000, 12.5)
    assert item.offsets == {"B2": -1000, "B8A": -1000}
    assert item.grids == {
        10: Grid(465180, 5080260, 10, 126, 126),
        20: Grid(465180, 5080260, 20, 63, 63),
        60: Grid(465180, 5080260, 60, 21, 21),
    }


def test_field_names_of_stac_1_1():
    asset = band()
    del asset["raster:bands"]
    for place in (
        {"raster:scale": 0.0001, "raster:offset": -0.1},
        {"bands": [{"raster:scale": 0.0001, "raster:offset": -0.1}]},
    ):
        item = changed(["assets"], {"B02_10m": asset | place})
        del item["properties"]["proj:epsg"]
        item["properties"]["proj:code"] = "EPSG:32733"
        metadata = read(item)
        assert (metadata.epsg, metadata.offsets) == (32733, {"B2": -1000})


def test_an_applied_offset_is_not_applied_again():
    """Earth Search's older collection states the offset although it has been applied to the pixels."""
    assert read(changed(["properties", "earthsearch:boa_offset_applied"], True)).offsets == {
        "B2": 0,
        "B8A": 0,
    }
    assert read(changed(["properties", "earthsearch:boa_offset_applied"], False)).offsets["B2"] == -1000


def test_there_is_no_offset_before_baseline_4():
    old = name_of(level="L2A", baseline="0214")
    item = changed(["properties", "s2:product_uri"], f"{old}.SAFE")
    for asset in (band(offset=0), {key: value for key, value in band().items() if key != "raster:bands"}):
        assert read(changed(["assets"], {"blue": asset}, item), old).offsets == {"B2": 0}
    with pytest.raises(TigerbushError, match=r"offset -0\.1 of raster:bands contradicts baseline 02\.14"):
        read(item, old)


def read_band(asset, properties=None, name=NAME):
    """Read an item whose only asset is the blue band, with changed properties."""
    item = changed(["assets"], {"blue": band() | asset})
    item["properties"] |= {"s2:product_uri": f"{name}.SAFE"} | (properties or {})
    return read(item, name)


@pytest.mark.parametrize(
    ("scale", "quantification"),
    [
        (1, 1),
        (0.5, 2),
        (0.0001, 10_000),
        (0.00010000001, 10_000),
        (1 / 65535, 65535),
        (1 / 3, 3),
        (0.3333334, 3),
    ],
)
def test_scales(scale, quantification):
    metadata = read_band({"raster:bands": [{"scale": scale, "offset": -2 * scale}]})
    assert (metadata.quantification, metadata.offsets) == (quantification, {"B2": -2})


@pytest.mark.parametrize("scale", [1.0001, 1 / 65536, 1 / 65535.6, 0.33333, 0.4, -0.0001, "0.0001", True])
def test_invalid_scales(scale):
    with pytest.raises(TigerbushError) as error:
        read_band({"raster:bands": [{"scale": scale, "offset": 0}]})
    assert str(error.value) == (
        f"stac.json: scale {scale!r} of raster:bands is not 1 / a whole number up to 65535."
    )


def test_places_of_scale_and_offset():
    """In the first band of raster:bands, else in bands, else in the asset, else in the item."""
    old, new = {"scale": 0.01, "offset": -0.03}, {"raster:scale": 0.1, "raster:offset": -0.4}
    for asset, properties, expected in (
        ({"raster:bands": [old, new], "bands": [new]}, new, (100, -3)),
        ({"raster:bands": [], "bands": [new, old]}, old, (10, -4)),
        ({"raster:bands": ["x"], "bands": [{"offset": -0.5}], **new}, {}, (10, -5)),
        ({"raster:bands": {}, **new}, {"raster:scale": 0.5}, (10, -4)),
        ({"raster:bands": None}, new, (10, -4)),
        ({"raster:bands": [{}]}, {"raster:offset": -0.0007}, (10_000, -7)),
    ):
        metadata = read_band(asset, properties)
        assert (metadata.quantification, metadata.offsets) == (expected[0], {"B2": expected[1]})


@pytest.mark.parametrize(
    ("offset", "baseline", "expected"),
    [
        (-0.1, "0400", -1000), (-0.1000000999, "0400", -1000), (0.0001, "0511", 1), (6.5535, "0500", 65535), (-6.5535, "0500", -65535),
        (0, "0399", 0), (None, "0399", 0),
        (-0.10000011, "0400", "is not a whole number of DN."),
        (6.5536, "0500", "is not a number of at most 65535 DN, though baseline 05.00 has one; choose another collection in source.collections."),
        (None, "0400", "is not a number of at most 65535 DN, though baseline 04.00 has one; choose another collection in source.collections."),
        (-0.1, "0399", "contradicts baseline 03.99, and the item does not say that it was applied; choose another collection in source.collections."),
        (0.0, "0400", "contradicts baseline 04.00, and the item does not say that it was applied; choose another collection in source.collections."),
    ],
)  # fmt: skip
def test_offsets(offset, baseline, expected):
    asset, name = (
        {"raster:bands": [{"scale": 0.0001, "offset": offset}]},
        name_of(level="L2A", baseline=baseline),
    )
    if isinstance(expected, int):
        assert read_band(asset, name=name).offsets == {"B2": expected}
        return
    with pytest.raises(TigerbushError) as error:
        read_band(asset, name=name)
    assert str(error.value) == f"stac.json: offset {offset!r} of raster:bands {expected}"


@pytest.mark.parametrize(
    ("properties", "asset", "epsg"),
    [
        ({"proj:code": "EPSG:32601", "proj:epsg": 32602}, {"proj:code": 32603}, 32601),
        ({"proj:code": None, "proj:epsg": 32602}, {"proj:code": "EPSG:32603"}, 32602),
        ({"proj:epsg": None}, {"proj:code": "EPSG:32760"}, 32760),
        ({"proj:epsg": None}, {"proj:epsg": 32759}, 32759),
        ({"proj:code": "32610", "proj:epsg": None}, {}, 32610),
    ],
)
def test_the_zone(properties, asset, epsg):
    assert read_band(asset, properties).epsg == epsg


@pytest.mark.parametrize("code", ["EPSG:32661", "EPSG:32600", "epsg:32633", 4326, "EPSG:326330", None])
def test_invalid_zones(code):
    with pytest.raises(TigerbushError) as error:
        read_band({}, {"proj:epsg": None, "proj:code": code})
    assert str(error.value) == (
        f"stac.json: proj:code or proj:epsg {code!r} is not the EPSG code of a UTM zone."
    )


def test_grids_without_an_asset_are_derived_from_that_of_10_m():
    """Sizes are rounded up; the item itself may state the grid, and the transform may have nine numbers."""
    place = {"proj:transform": None, "proj:shape": None}
    at = {"proj:transform": [10.0, 0, 300000, 0, -10, 4000020.0, 0, 0, 1], "proj:shape": [127, 10_980]}
    metadata = read_band(place, at)
    assert metadata.grids == {
        10: Grid(300000, 4000020, 10, 10_980, 127),
        20: Grid(300000, 4000020, 20, 5490, 64),
        60: Grid(300000, 4000020, 60, 1830, 22),
    }
    with pytest.raises(TigerbushError) as error:
        read_band({}, at)
    assert str(error.value) == "stac.json: proj:transform and proj:shape differ between bands."


@pytest.mark.parametrize(
    ("transform", "shape", "good"),
    [
        ([10, 0, 7, 0, -10, 8], [1, 10_980], True), ([10, 0, 7, 0, -10, 8], [10_981, 1], False), ([10, 0, 7, 0, -10, 8], [0, 5], False),
        ([10, 0, 7, 0, -10, 8], [5, 2.5], False), ([10, 0, 7, 0, -10, 8], [5.0, 2.0], True), ([10, 0, 7, 0, -10, 8], [5], False),
        ([10, 0, 7, 0, -10, 8], [5, 5, 5], False), ([10, 0, 7, 0, 10, 8], [5, 5], False), ([10, 0, 7, 1, -10, 8], [5, 5], False),
        ([10, 0, 7, 0, -20, 8], [5, 5], False), ([5, 0, 7, 0, -5, 8], [5, 5], False), ([0, 0, 7, 0, 0, 8], [5, 5], False),
        ([-10, 0, 7, 0, 10, 8], [5, 5], False), ([10, 0, 7, 0, -10], [5, 5], False), ([10, 0, 7, 0, -10, 8, 0, 0], [5, 5], False),
        ([10, 0, True, 0, -10, 8], [5, 5], False),
    ],
)  # fmt: skip
def test_grids(transform, shape, good):
    place = {"proj:transform": transform, "proj:shape": shape}
    if good:
        assert read_band(place).grids[10] == Grid(7, 8, 10, int(shape[1]), int(shape[0]))
        return
    with pytest.raises(TigerbushError) as error:
        read_band(place)
    assert str(error.value) == (
        f"stac.json: proj:transform {transform!r} and proj:shape {shape!r} are not the grid of a tile at 10, 20 or 60 m."
    )


@pytest.mark.parametrize(
    ("value", "percent"), [(0, 0.0), (100, 100.0), (12.5, 12.5), (-0.1, None), (100.1, None), ("5", None), (True, None), (None, None)]
)  # fmt: skip
def test_cloud_cover(value, percent):
    assert cloud_percent({"eo:cloud_cover": value}) == percent
    assert read(changed(["properties", "eo:cloud_cover"], value)).cloud_percent == percent


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["assets", "blue", "raster:bands"], [{"scale": 0.0001}], "offset None of raster:bands is not a number"),
        (["assets", "blue", "raster:bands", 0, "offset"], float("nan"), "offset nan of raster:bands is not a number"),
        (["assets", "blue", "raster:bands", 0, "offset"], float("inf"), "offset inf of raster:bands is not a number"),
        (["assets", "blue", "raster:bands", 0, "offset"], "-0.1", "offset '-0.1' of raster:bands is not a number"),
        (["assets", "blue", "raster:bands", 0, "offset"], 1e9, "not a number of at most 65535 DN"),
        (["assets", "blue", "raster:bands", 0, "offset"], -0.10004, "not a whole number of DN"),
        (["assets", "blue", "raster:bands", 0, "offset"], 0, "contradicts baseline 05.00"),
        (["assets", "blue", "raster:bands", 0, "scale"], float("nan"), "scale nan of raster:bands"),
        (["assets", "blue", "raster:bands", 0, "scale"], 0, "scale 0 of raster:bands"),
        (["assets", "blue", "raster:bands", 0, "scale"], 0.001, "the scale of raster:bands differs between bands"),
        (["assets", "blue", "proj:transform"], [10, 0, float("nan"), 0, -10, 5080260], "are not the grid of a tile"),
        (["assets", "blue", "proj:transform"], [10, 1, 465180, 0, -10, 5080260], "are not the grid of a tile"),
        (["assets", "blue", "proj:transform"], "10", "are not the grid of a tile"),
        (["assets", "blue", "proj:shape"], [126, 10**9], "are not the grid of a tile"),
        (["assets", "blue", "proj:shape"], None, "are not the grid of a tile"),
        (["assets", "nir08", "proj:shape"], [64, 63], "the grid of 20 m is not that of 10 m"),
        (["assets", "blue", "proj:transform"], None, "no asset has a proj:transform of 10 m"),
        (["properties", "proj:epsg"], 4326, "proj:code or proj:epsg 4326 is not the EPSG code of a UTM zone"),
        (["properties", "s2:product_uri"], f"{name_of('20170117', level='L2A')}.SAFE", "expected S2A_MSIL2A_20170116"),
        (["properties"], None, "is not a STAC item"),
    ],
)  # fmt: skip
def test_a_bad_item_ends_in_a_sentence(path, value, sentence):
    with pytest.raises(TigerbushError, match=r"^stac\.json") as error:
        read(changed(path, value))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("number", [10**400, -(10**400), 10**350, 5e-324, 1e308])
@pytest.mark.parametrize(
    "path",
    [
        ("assets", "blue", "raster:bands", 0, "offset"),
        ("assets", "blue", "raster:bands", 0, "scale"),
        ("assets", "blue", "proj:transform", 0),
        ("assets", "blue", "proj:transform", 2),
        ("assets", "blue", "proj:shape", 0),
        ("properties", "proj:epsg"),
    ],
)
def test_numbers_of_any_size_are_refused_in_sentences(path, number):
    item = changed(path, number)
    if "offset" in path and number == 5e-324:
        item["properties"]["proj:epsg"] = 4326
    if path[-2:] == ("proj:transform", 2) and abs(number) == 1e308:
        item["properties"]["proj:epsg"] = 4326
    with pytest.raises(TigerbushError, match=r"^stac\.json: ") as error:
        read(item)
    assert "\n" not in str(error.value)


def test_numbers_that_python_does_not_parse():
    """Python parses integers of up to some thousands of digits; longer ones become infinite."""
    text = json.dumps(changed(["properties", "eo:cloud_cover"], 77777)).replace("77777", "7" * 5000)
    assert read_item(text.encode(), "stac.json", parse_name(NAME)).cloud_percent is None
    text = json.dumps(changed(["properties", "proj:epsg"], 77777)).replace("77777", "7" * 5000)
    with pytest.raises(TigerbushError, match="proj:epsg inf is not the EPSG code of a UTM zone"):
        read_item(text.encode(), "stac.json", parse_name(NAME))


def test_invalid_json():
    for content in (b"", b"<xml/>", b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(TigerbushError, match=r"stac\.json is not a STAC item"):
            read_item(content, "stac.json", parse_name(NAME))


def test_keys_of_assets():
    common = {
        "coastal": "B1", "blue": "B2", "green": "B3", "red": "B4", "rededge1": "B5", "rededge2": "B6", "rededge3": "B7", "nir": "B8",
        "nir08": "B8A", "nir09": "B9", "cirrus": "B10", "swir16": "B11", "swir22": "B12", "scl": "SCL", "SCL_20m": "SCL", "SCL": "SCL",
    }  # fmt: skip
    assert {key: band_of(key) for key in common} == common
    numbers = {f"B{number:02}": f"B{number}" for number in range(1, 13)} | {"B8A": "B8A"}
    for end in ("", "_10m", "_20m", "_60m"):
        assert {key: band_of(f"{key}{end}") for key in numbers} == numbers
    others = ("blue-jp2", "B13", "B00", "B2", "../B02", "visual", "B02_30m", "B02_10", "b02", "SCL_20m_x", "")
    assert [band_of(key) for key in others] == [None] * len(others)


def test_the_resolution_of_an_asset():
    """From its transform if that is one of a tile, else from its key, else the band's own."""
    for key, transform, expected in (
        ("blue", None, 10), ("B02_20m", None, 20), ("B02_60m", [10, 0], 10), ("blue", [60, 0, 0], 60), ("blue", [20.0], 20),
        ("blue", [7], 10), ("B02_60m", [30], 60), ("B02_20m", [], 20), ("blue", "60", 10), ("visual_20m", None, 10),
    ):  # fmt: skip
        assert resolution_of(key, {"proj:transform": transform}, 10) == expected
    assert resolution_of("blue", {}, 60) == 60


def test_the_product_of_an_item():
    other = name_of("20170117", level="L2A")
    assert product_of({"id": NAME}).product == NAME
    assert product_of({"id": NAME, "properties": {"s2:product_uri": f"{other}.SAFE"}}).product == other
    assert product_of({"id": NAME, "properties": {"s2:product_uri": "x"}}).product == NAME
    assert product_of({"id": "../../etc/passwd", "properties": {"s2:product_uri": None}}) is None
    assert product_of({"properties": None}) is None
