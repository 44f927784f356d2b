"""Items of a STAC catalogue as metadata: the same numbers as from SAFE, or a sentence."""

import copy
import json

import pytest

from fabricate import name_of
from tigerbush.errors import TigerbushError
from tigerbush.products import parse_name
from tigerbush.resample import Grid
from tigerbush.stac_item import band_of, product_of, read_item, resolution_of

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


def test_what_an_item_says():
    item = read(ITEM)
    assert (item.epsg, item.quantification, item.cloud_percent) == (32633, 10_000, 12.5)
    assert item.offsets == {"B2": -1000, "B8A": -1000}
    assert item.grids == {
        10: Grid(465180, 5080260, 10, 126, 126),
        20: Grid(465180, 5080260, 20, 63, 63),
        60: Grid(465180, 5080260, 60, 21, 21),
    }


def test_stac_1_1_says_it_with_other_names():
    asset = band()
    del asset["raster:bands"]
    for place in (
        {"raster:scale": 0.0001, "raster:offset": -0.1},
        {"bands": [{"raster:scale": 0.0001, "raster:offset": -0.1}]},
    ):
        item = changed(["assets"], {"B02_10m": asset | place})
        del item["properties"]["proj:epsg"]
        item["properties"]["proj:code"] = "EPSG:32733"
        found = read(item)
        assert (found.epsg, found.offsets) == (32733, {"B2": -1000})


def test_an_offset_that_is_applied_is_not_applied_again():
    """Earth Search's older collection names the offset though its pixels have it already."""
    assert read(changed(["properties", "earthsearch:boa_offset_applied"], True)).offsets == {
        "B2": 0,
        "B8A": 0,
    }
    assert read(changed(["properties", "earthsearch:boa_offset_applied"], False)).offsets["B2"] == -1000


def test_before_baseline_4_there_is_no_offset():
    old = name_of(level="L2A", baseline="0214")
    item = changed(["properties", "s2:product_uri"], f"{old}.SAFE")
    for asset in (band(offset=0), {key: value for key, value in band().items() if key != "raster:bands"}):
        assert read(changed(["assets"], {"blue": asset}, item), old).offsets == {"B2": 0}
    with pytest.raises(TigerbushError, match=r"offset -0\.1 of raster:bands contradicts baseline 02\.14"):
        read(item, old)


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
        (["properties"], None, "is not an item of a STAC catalogue"),
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
def test_numbers_of_any_size_are_sentences(path, number):
    item = changed(path, number)
    if "offset" in path and number == 5e-324:
        item["properties"]["proj:epsg"] = 4326
    if path[-2:] == ("proj:transform", 2) and abs(number) == 1e308:
        item["properties"]["proj:epsg"] = 4326
    with pytest.raises(TigerbushError, match=r"^stac\.json: ") as error:
        read(item)
    assert "\n" not in str(error.value)


def test_numbers_that_python_does_not_read():
    """It reads whole numbers up to some thousands of digits; longer ones are infinite."""
    text = json.dumps(changed(["properties", "eo:cloud_cover"], 77777)).replace("77777", "7" * 5000)
    assert read_item(text.encode(), "stac.json", parse_name(NAME)).cloud_percent is None
    text = json.dumps(changed(["properties", "proj:epsg"], 77777)).replace("77777", "7" * 5000)
    with pytest.raises(TigerbushError, match="proj:epsg inf is not the EPSG code of a UTM zone"):
        read_item(text.encode(), "stac.json", parse_name(NAME))


def test_what_is_no_json():
    for content in (b"", b"<xml/>", b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(TigerbushError, match=r"stac\.json is not an item of a STAC catalogue"):
            read_item(content, "stac.json", parse_name(NAME))


def test_keys_of_assets():
    keys = (
        "blue",
        "B02",
        "B02_10m",
        "B8A_20m",
        "B12",
        "nir08",
        "scl",
        "SCL_20m",
        "blue-jp2",
        "B13",
        "../B02",
        "visual",
    )
    assert [band_of(key) for key in keys] == [
        "B2", "B2", "B2", "B8A", "B12", "B8A", "SCL", "SCL", None, None, None, None
    ]  # fmt: skip
    assert resolution_of("B02_20m", {}, 10) == 20
    assert resolution_of("blue", {"proj:transform": [60, 0, 0]}, 10) == 60
    assert resolution_of("blue", {"proj:transform": [7]}, 10) == 10


def test_the_product_of_an_item():
    assert product_of({"id": NAME}).product == NAME
    assert product_of({"id": "../../etc/passwd", "properties": {"s2:product_uri": None}}) is None
    assert product_of({}) is None
