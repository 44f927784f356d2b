"""Which products the target `scenes` takes: keys of `scene`, period, level, clouds, number."""

import copy

import numpy as np
import pytest
import utm
import yaml

from fabricate import ROOT, name_of
from tigerbush.errors import TigerbushError
from tigerbush.planning.configuration import periods_of
from tigerbush.planning.fingerprints import mask_parameters, recorded, scene_parameters
from tigerbush.planning.scenes import (
    Selection,
    boxes_around,
    check_scenes,
    makes_masks,
    refuse_empty_selection,
    scene_folder,
    select_scenes,
    selection_parameters,
    tile_reaches,
    tiles_reaching,
)
from tigerbush.planning.source import discovery_parameters
from tigerbush.planning.tables import table_row
from tigerbush.sensors import parse_name
from tigerbush.sentinel2.sensor import SENSOR
from tigerbush.sentinel2.tiles import site_tiles, tile_corners

DEFAULTS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
LJUBLJANA = [14.45, 46.0, 14.55, 46.05]


def configured(*, sites=None, source=None, **sections):
    """The tracked configuration, with a folder as its source, and changes."""
    config = copy.deepcopy(DEFAULTS) | {"sites": sites, "products": "results/products.tsv"}
    config["source"] |= {"kind": "local", "path": "data"} | (source or {})
    config["period"] = {"start": "2017-01-01", "end": "2017-03-01", "step": "1m"}
    for key, changes in sections.items():
        config[key] |= changes
    return config


def product(day="20170110", *, cloud=0, folder="data", **options):
    name = name_of(day, **options)
    return table_row(
        parse_name(name), url=f"{folder}/{name}.SAFE", granule="", size_bytes=1, cloud_percent=cloud
    )


ROWS = [
    product("20170101", folder="data/2017/01"),
    product("20170110", cloud=50.1),
    product("20170110", tile="33TVM", cloud=50),
    product("20170228", tile="33TWL", cloud=None),
    # the day after the last, and the day before the first
    product("20170301"),
    product("20161231"),
    product("20170110", tile="60KYF", level="L2A", platform="S2B", cloud=100),
]


def chosen(rows=None, **changes):
    table = {row["product"]: row for row in rows or reversed(ROWS)}
    for row in table.values():
        # as `read_products` returns it
        row["cloud_percent"] = float(row["cloud_percent"] or 0)
    return select_scenes(table, configured(**changes)), table


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [
        ({}, [0, 2, 3]),
        ({"composite": {"max_cloud_percent": 60}}, [0, 1, 2, 3]),
        ({"composite": {"max_cloud_percent": 100}}, [0, 1, 2, 3, 6]),
        ({"composite": {"max_cloud_percent": 0}}, [0, 3]),
        ({"composite": {"max_cloud_percent": 100}, "source": {"level": "L2A"}}, [6]),
        ({"scene": {"tiles": ["33TVL", "60KYF"]}}, [0]),
        ({"scene": {"tiles": ["33TVM", "33TWL", "33TVK"]}}, [2, 3]),
        ({"scene": {"limit": 1}}, [0]),
        ({"scene": {"limit": 2}}, [0, 2]),
        ({"scene": {"limit": 9}}, [0, 2, 3]),
        ({"scene": {"prefixes": ["2017/"]}}, [0]),
        ({"scene": {"prefixes": ["2017/01/", "2018/"]}}, [0]),
        # whole folders, not beginnings of their names
        ({"scene": {"prefixes": ["20/"]}}, []),
        ({"scene": {"products": [ROWS[3]["product"], ROWS[2]["product"]]}}, [2, 3]),
        ({"scene": {"products": [ROWS[1]["product"]]}}, []),
        ({"scene": {"bbox": LJUBLJANA}}, [0, 2]),
        ({"scene": {"bbox": LJUBLJANA, "tiles": ["33TVM"]}}, [2]),
        ({"scene": {"bbox": [179, -18, 180, -17]}, "composite": {"max_cloud_percent": 100}}, [6]),
        # as with sites, whose dates have no say
        ({"sites": "sites.tsv"}, [0, 2, 3]),
    ],
)
def test_what_fits_every_key(changes, numbers):
    selected, _ = chosen(**changes)
    assert selected["products"] == sorted(ROWS[number]["product"] for number in numbers)


def test_why_a_product_is_left_out():
    selected, _ = chosen(composite={"max_cloud_percent": 49.5})
    reason = "more than 49.5 % cloud (composite.max_cloud_percent)"
    assert selected["left_out"] == {ROWS[number]["product"]: reason for number in (1, 2, 6)}
    # only of those that fit otherwise
    selected, _ = chosen(scene={"tiles": ["33TVM"]}, composite={"max_cloud_percent": 20})
    assert selected == {
        "products": [],
        "left_out": {ROWS[2]["product"]: "more than 20 % cloud (composite.max_cloud_percent)"},
    }


def test_a_product_that_is_gone_becomes_no_scene():
    """Unless it is one already; a limit counts only products that are there."""
    rows = [
        product(day) | {"gone": gone}
        for day, gone in (("20170110", "2026-11-30 unused"), ("20170111", "2026-11-30"), ("20170112", ""))
    ]
    selected, table = chosen(rows, scene={"limit": 2})
    reason = "no longer in the source since 2026-11-30, and nothing was made of it before"
    assert selected == {
        "products": [rows[1]["product"], rows[2]["product"]],
        "left_out": {rows[0]["product"]: reason},
    }
    selected, table = chosen(rows[:1])
    with pytest.raises(TigerbushError) as error:
        refuse_empty_selection(selected, table, configured())
    assert str(error.value) == (
        f"none of the 1 products of results/products.tsv is chosen for the target scenes, 1 left out: {reason}; check "
        "source.level, the period 2017-01-01 to 2017-03-01 and composite.max_cloud_percent (50)."
    )


def test_a_product_in_a_bucket_is_found_by_its_address():
    key = "Sentinel-2/MSI/L1C/2017/01/10"
    rows = [product(folder=f"s3://eodata/{key}"), product("20170111", folder=f"s3://other/{key}")]
    for prefixes, number in (
        ([f"{key}/"], 1),
        (["Sentinel-2/"], 1),
        (["MSI/"], 0),
        (["Sentinel-2/MSI/L1C/2017/01/1/"], 0),
    ):
        source = {"kind": "s3", "bucket": "eodata", "level": "L1C"}
        selected, _ = chosen(rows, source=source, scene={"prefixes": prefixes})
        assert selected["products"] == [row["product"] for row in rows[:number]]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"scene": {"tiles": ["33TVM"], "bbox": [0, 0, 1, 1]}},
            "none of the 7 products of results/products.tsv is chosen for the target scenes; check scene.tiles, scene.bbox, "
            "the period 2017-01-01 to 2017-03-01 and composite.max_cloud_percent (50).",
        ),
        (
            {
                "period": {"start": "2017-01-02", "end": "2017-02-01"},
                "composite": {"max_cloud_percent": 12.5},
            },
            "none of the 7 products of results/products.tsv is chosen for the target scenes, 3 left out: more than 12.5 % "
            "cloud (composite.max_cloud_percent); check source.level, the period 2017-01-02 to 2017-02-01 and composite.max_cloud_percent (12.5).",
        ),
        (
            {"scene": {"products": [ROWS[0]["product"], name_of("20200101"), name_of("20190101")]}},
            f"scene.products: {name_of('20190101')} and 1 more not in results/products.tsv: the source does not have it in "
            "the period 2017-01-01 to 2017-03-01, or has a newer baseline of it; correct scene.products or period, or run "
            "./tigerbush discover.",
        ),
    ],
)
def test_nothing_is_chosen(changes, sentence):
    selected, table = chosen(**changes)
    with pytest.raises(TigerbushError) as error:
        refuse_empty_selection(selected, table, configured(**changes))
    assert str(error.value) == sentence


def refused(**changes):
    with pytest.raises(TigerbushError) as error:
        check_scenes(configured(**changes))
    return str(error.value)


@pytest.mark.input(
    "Scenes",
    "a tile that does not exist; a box that is empty or crosses the antimeridian",
    "refused before the first job; what to write instead",
)
@pytest.mark.parametrize(
    ("scene", "sentence"),
    [
        ({"tiles": ["33TVL", "33TV"]}, "scene.tiles: '33TV' is not the name of a tile, such as 33TVL; correct it."),
        ({"tiles": ["T33TVL"]}, "scene.tiles: 'T33TVL' is not the name of a tile, such as 33TVL; correct it."),
        # columns A to H are of other zones
        ({"tiles": ["33TAL"]}, "scene.tiles: '33TAL' is not the name of a tile, such as 33TVL; correct it."),
        ({"bbox": [14, 46, 15, 45]}, "scene.bbox: south 46 must be less than north 45; write [west, south, east, north]."),
        ({"bbox": [14, 45, 15, 45]}, "scene.bbox: south 45 must be less than north 45; write [west, south, east, north]."),
        (
            {"bbox": [179.5, -18, -179.5, -17]},
            "scene.bbox: west 179.5 must be less than east -179.5; write [west, south, east, north], and for a box across "
            "the antimeridian (180 degrees) use one run on each side, or scene.tiles.",
        ),
        (
            {"products": ["S2A_nothing"]},
            "scene.products: 'S2A_nothing' is not a Sentinel-2 product name; expected the form "
            "S2A_MSIL1C_<time>_N<baseline>_R<orbit>_T<tile>_<time>.",
        ),
    ],
)  # fmt: skip
def test_wrong_keys(scene, sentence):
    assert refused(scene=scene) == sentence


def test_a_remote_source_needs_sites_or_a_choice():
    bucket = {"kind": "s3", "bucket": "eodata", "level": "L1C"}
    assert refused(source=bucket) == (
        "sites is null, and nothing chooses products for the target scenes; set scene.prefixes, scene.tiles, scene.bbox or "
        "scene.products, or name a table of sites."
    )
    for scene in ({"limit": 8}, {"prefixes": ["a/"]}, {"tiles": ["33TVL"]}, {"bbox": LJUBLJANA}):
        check_scenes(configured(source=bucket, scene=scene))
    check_scenes(configured(source=bucket, sites="sites.tsv"))
    check_scenes(configured())
    assert refused(source={"kind": "stac", "bucket": None}, scene={"prefixes": ["a/"]}) == (
        "scene.prefixes are prefixes in source.bucket, which is not set; use scene.tiles, scene.bbox or scene.products."
    )


def test_the_suffix_of_a_name_is_accepted():
    config = configured(scene={"products": [f"{name_of()}.SAFE", name_of("20170201")]})
    check_scenes(config)
    assert config["scene"]["products"] == [name_of(), name_of("20170201")]


def test_results_of_earlier_versions_are_up_to_date():
    """None of the new keys is recorded; with sites and without a choice, discovery depends on what it depended on."""
    assert set(scene_parameters(configured())) == {
        "engine", "resolution", "bands", "upsampling", "downsampling", "region", "geo_region"
    }  # fmt: skip
    changed = configured(scene={"limit": 3, "mask": True, "layout": "by_tile_and_date", "tiles": ["33TVL"]})
    assert scene_parameters(changed) == scene_parameters(configured())
    assert recorded(changed) == recorded(configured())
    assert set(recorded(configured())["scene"]) == {*scene_parameters(configured()), "mpi"}
    bucket = configured(source={"kind": "s3", "level": "L1C"})["source"]
    periods = {"2017-01-16": ("2017-01-01", "2017-02-01")}
    assert set(discovery_parameters(bucket, {}, periods, selection_parameters(configured()))) == {
        "source", "sites", "period"
    }  # fmt: skip
    # of a folder the whole is listed, whatever is chosen
    folder = configured()["source"]
    assert discovery_parameters(folder, {}, periods, selection_parameters(changed)) == discovery_parameters(
        folder, {}, periods
    )


def test_what_discovery_depends_on():
    scene = {"tiles": ["33TVL"]}
    choice = {"prefixes": None, "tiles": ["33TVL"], "bbox": None, "products": None, "limit": None}
    assert selection_parameters(configured(scene=scene)) == choice
    # clouds decide how many products are looked at
    assert selection_parameters(configured(scene=scene | {"limit": 2})) == choice | {
        "limit": 2,
        "max_cloud_percent": 50,
    }
    config = configured(source={"kind": "s3", "level": "L1C"}, scene=scene)
    parameters = discovery_parameters(config["source"], {}, periods_of(config), selection_parameters(config))
    assert parameters["scenes"] == choice
    assert (parameters["sites"], parameters["period"]) == ([], ["2017-01-01", "2017-03-01"])


def test_masks_and_their_parameters():
    for sites, mask, made in ((None, None, True), (None, False, False), ("sites.tsv", None, False)):
        assert makes_masks(configured(sites=sites, scene={"mask": mask})) is made
    assert makes_masks(configured(sites="sites.tsv", scene={"mask": True}))
    config = configured(scene={"region": [1, 2, 3, 4]}, composite={"mask_buffer": 3, "mask_snow": True})
    assert mask_parameters(config) == {
        "grid": {"resolution": 20, "region": [1, 2, 3, 4], "geo_region": None},
        "masks": {"cirrus": True, "snow": True, "buffer": 3},
    }


def test_folders():
    assert scene_folder(ROWS[3], "flat") == ""
    assert scene_folder(ROWS[3], "by_tile_and_date") == "33TWL/2017-02-28/"


def test_the_corners_of_tiles():
    """Upper left corners as in the metadata of real products: of zone 33 north, and of the south."""
    for tile, zone, x, y, north in (
        ("33TVL", 33, 399960, 5100000, True),
        ("31TCJ", 31, 300000, 4900020, True),
        ("32UQD", 32, 699960, 5900040, True),
        # Manaus, 9657 km of 10000 km; Canberra, 691 km east and 6091 km of 10000 km, in the overhang
        ("20MRB", 20, 799980, 9700000, False),
        ("55HFA", 55, 600000, 6100000, False),
    ):
        corners = tile_corners(tile)
        for (dx, dy), (longitude, latitude) in zip(((0, 0), (1, 0), (1, 1), (0, 1)), corners, strict=True):
            expected = utm.to_latlon(x + 109_800 * dx, y - 109_800 * dy, zone, northern=north, strict=False)
            # the corners of tiles are multiples of 60 m
            assert (latitude, longitude) == pytest.approx(expected, abs=0.001), tile
    assert tile_corners("33TAL") is None
    # 5100 km are not at 48 to 56 degrees north
    assert tile_corners("33UVL") is None
    # 800 km are 4 degrees east of the central meridian there
    assert tile_corners("32TRR") is None
    assert tile_corners("../up") is None


def test_tiles_are_where_sites_find_them():
    random = np.random.default_rng(3)
    for longitude, latitude in zip(random.uniform(-180, 180, 300), random.uniform(-79, 83, 300), strict=True):
        box = (longitude - 0.001, latitude - 0.001, longitude + 0.001, latitude + 0.001)
        reached = {tile for tile in site_tiles(longitude, latitude, 0.002) if tile_reaches(SENSOR, tile, box)}
        assert reached, (longitude, latitude)


def test_a_box_in_the_corner_beside_a_tilted_tile():
    """At 77 degrees north the left edge runs obliquely across 0.3 degrees."""
    west, south, east, north = next(boxes_around(tile_corners("33XVG")))
    beside = (10.6, 77.37, 10.65, 77.38)
    assert west < beside[0] and east > beside[2] and south < beside[1] and north > beside[3]
    assert utm.from_latlon(77.37, 10.65, force_zone_number=33)[0] < 399_000
    assert not tile_reaches(SENSOR, "33XVG", beside)
    assert tile_reaches(SENSOR, "33XVG", (10.95, 77.37, 11.0, 77.38))
    assert tile_reaches(SENSOR, "33XVG", (-180, -90, 180, 90))
    assert not tile_reaches(SENSOR, "33XVG", (10.95, -77.38, 11.0, -77.37))


def test_tiles_on_the_antimeridian():
    """01KAB lies on both sides; a catalogue is searched on each."""
    corners = tile_corners("01KAB")
    assert corners[0][0] == pytest.approx(-180.74, abs=0.01)
    east, west = sorted(boxes_around(corners), reverse=True)
    assert east[0] == pytest.approx(179.24, abs=0.01) and east[2] == 180
    assert west[0] == -180 and west[2] == pytest.approx(-179.72, abs=0.01)
    assert tile_reaches(SENSOR, "01KAB", (179.5, -17, 179.6, -16.9))
    assert tile_reaches(SENSOR, "01KAB", (-179.9, -17, -179.8, -16.9))
    assert not tile_reaches(SENSOR, "01KAB", (178.5, -17, 179.0, -16.9))


def test_the_tiles_of_a_box():
    assert tiles_reaching(SENSOR, (14.4, 45.5, 14.5, 45.6)) == {"33TVL"}
    # on the border of two zones, tiles of both
    border = tiles_reaching(SENSOR, (11.95, 45.5, 12.05, 45.55))
    assert border == {"32TQR", "33TTL"}
    box = (13.0, 44.5, 16.5, 47.0)
    expected = {
        tile
        for zone in (32, 33)
        for band in "TU"
        for column in "ABCDEFGHJKLMNPQRSTUVWXYZ"
        for row in "ABCDEFGHJKLMNPQRSTUV"
        if tile_corners(tile := f"{zone}{band}{column}{row}") and tile_reaches(SENSOR, tile, box)
    }
    assert tiles_reaching(SENSOR, box) == expected and len(expected) > 8


def test_the_areas_of_a_search():
    selection = Selection(bbox=tuple(LJUBLJANA))
    assert selection.boxes == [tuple(LJUBLJANA)]
    assert Selection(limit=8).boxes == [None]
    assert len(Selection(tiles=frozenset({"33TVL", "01KAB"})).boxes) == 3
    of_product = Selection(products=frozenset({name_of(tile="33TWL")}))
    assert of_product.boxes == list(boxes_around(tile_corners("33TWL")))
    assert of_product.tiles_in_reach(SENSOR) == {"33TWL"}
    assert Selection(limit=1).tiles_in_reach(SENSOR) == frozenset()
