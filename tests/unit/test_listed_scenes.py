"""Discovery of the products that become scenes, in a bucket and in catalogues; all in memory."""

import logging

import pytest

from catalogues_in_memory import ODATA, Stac, encoded, entry, item, page
from catalogues_in_memory import listed as search
from fabricate import name_of
from stores_in_memory import Bucket, Servers, without_waiting
from test_kept_results import script
from test_store_products import DAYS, listed, objects_of, products, tile_of
from tigerbush.errors import TigerbushError
from tigerbush.planning.scenes import Selection
from tigerbush.planning.tables import read_products
from tigerbush.planning.zones import read_zones
from tigerbush.sources import store as remote
from tigerbush.sources.listing import list_products

DAY = "2017/02/01"
TILES = ("33TUL", "33TVL", "33TVM", "33TWL", "33TWM")
NAMES = sorted(name_of("20170201", tile=tile) for tile in TILES)


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return without_waiting(monkeypatch)


def put(*names, clouds=(), **options):
    bucket = Bucket(page=3)
    for name in names:
        cloud = b"80" if name in clouds else b"12.5"
        bucket.objects |= objects_of(name, cloud=cloud, **options)
    return bucket


def choose(monkeypatch, bucket, *prefixes, keys=(), **options):
    keys = {"prefixes": tuple(f"s3://eodata/{prefix}" for prefix in prefixes), **dict(keys)}
    return listed(monkeypatch, bucket, "L/", tiles=(), scenes=Selection(**keys), **options)


def asked(bucket):
    return sorted({request["Prefix"] for request in bucket.listed})


def test_products_below_the_prefix_of_a_day(monkeypatch, caplog):
    """Any tile; another day is not listed, and what is no product is skipped by number."""
    bucket = put(*NAMES, name_of("20170202"))
    bucket.objects |= {f"L/{DAY}/notes/x": b"1", f"L/{DAY}/index.html": b"1", f"L/{DAY}/../x/y": b"1"}
    rows, files = choose(monkeypatch, bucket, f"L/{DAY}/")
    assert products(rows) == NAMES
    assert {row["product"] for row in files} == set(NAMES)
    assert [prefix for prefix in asked(bucket) if ".SAFE" not in prefix] == [f"L/{DAY}/"]
    assert caplog.messages[0] == f"L/{DAY}/: skipped 2 name(s) that are not product names"


@pytest.mark.parametrize("prefix", ["L/", "L/2017/", "L/2017/02/"])
def test_a_prefix_above_the_days_of_the_period(monkeypatch, prefix):
    """Folders outside the period, from 29 January to 4 February 2017, are not listed."""
    inside = [name_of("20170129"), name_of("20170204", tile="60KYF")]
    outside = [name_of(day) for day in ("20160131", "20170128", "20170205", "20170301", "20180201")]
    bucket = put(*inside, *outside)
    rows, _ = choose(monkeypatch, bucket, prefix)
    assert products(rows) == (inside if prefix != "L/2017/02/" else inside[1:])
    folders = {
        "L/", "L/2017/", "L/2017/01/", "L/2017/02/", "L/2017/01/29/", "L/2017/02/04/",
    }  # fmt: skip
    listed_folders = {name for name in asked(bucket) if ".SAFE" not in name}
    assert listed_folders == {name for name in folders if name.startswith(prefix)}


def test_without_a_prefix_the_days_of_the_period_are_listed(monkeypatch):
    bucket = put(*NAMES, name_of("20170131", tile="60KYF"))
    rows, _ = choose(monkeypatch, bucket, keys={"tiles": frozenset({"33TVL", "60KYF"})})
    assert products(rows) == [name_of("20170131", tile="60KYF"), NAMES[1]]
    assert [prefix for prefix in asked(bucket) if ".SAFE" not in prefix] == [f"L/{day}/" for day in DAYS]


def test_only_the_days_of_named_products_are_listed(monkeypatch):
    bucket = put(*NAMES, name_of("20170131"))
    rows, _ = choose(monkeypatch, bucket, keys={"products": frozenset({NAMES[2], name_of("20160131")})})
    assert products(rows) == [NAMES[2]]
    assert [prefix for prefix in asked(bucket) if ".SAFE" not in prefix] == [f"L/{DAY}/"]


def test_a_box(monkeypatch):
    rows, _ = choose(monkeypatch, put(*NAMES), f"L/{DAY}/", keys={"bbox": (14.4, 45.5, 14.5, 45.6)})
    assert products(rows) == [name_of("20170201", tile="33TVL")]


def described(bucket):
    """The products whose metadata were read, in order."""
    return [request["Key"].split("/")[4].removesuffix(".SAFE") for request in bucket.read]


@pytest.mark.parametrize(
    ("limit", "clouds", "numbers"),
    [
        (1, [], [0]),
        (3, [], [0, 1, 2]),
        # until there are enough that are not too cloudy
        (2, [0], [0, 1, 2]),
        (2, [0, 1, 2], [0, 1, 2, 3, 4]),
        (1, [0, 1], [0, 1, 2]),
        (9, [1], [0, 1, 2, 3, 4]),
    ],
)
def test_no_more_products_are_described_than_the_limit_needs(monkeypatch, limit, clouds, numbers):
    bucket = put(*NAMES, clouds=[NAMES[number] for number in clouds])
    keys = {"limit": limit, "max_cloud_percent": 50}
    rows, files = choose(monkeypatch, bucket, f"L/{DAY}/", keys=keys)
    names = [NAMES[number] for number in numbers]
    assert products(rows) == names == described(bucket)
    assert sorted({row["product"] for row in files}) == names


def test_what_is_known_counts(monkeypatch):
    """A listing with a larger limit describes the rest only, and one with a smaller limit forgets nothing."""
    bucket = put(*NAMES, clouds=NAMES[:1])
    rows, files = choose(monkeypatch, bucket, f"L/{DAY}/", keys={"limit": 2, "max_cloud_percent": 50})
    for limit, new in ((3, NAMES[3:4]), (1, [])):
        bucket.read.clear()
        again, _ = choose(
            monkeypatch,
            bucket,
            f"L/{DAY}/",
            keys={"limit": limit, "max_cloud_percent": 50},
            old=rows,
            old_files=files,
        )
        assert described(bucket) == new
        assert products(again) == NAMES[:4] if limit == 3 else products(rows)


def test_buckets_by_tile(monkeypatch):
    """Tiles come from tiles, names, or a box; a prefix may be that of a tile."""
    level = {"level": "L2A"}
    here, there = name_of("20170201", level="L2A"), name_of("20170201", level="L2A", tile="33TWL")
    objects = tile_of(here) | tile_of(there, "L2A/tiles/33/T/WL/2017/2/1/0")
    for prefix, keys, names in (
        ("L2A/tiles/", {"tiles": frozenset({"33TVL"})}, [here]),
        ("L2A/tiles/", {"products": frozenset({there})}, [there]),
        ("L2A/tiles/", {"bbox": (14.4, 45.5, 14.5, 45.6)}, [here]),
        ("L2A/tiles/", {"bbox": (14.4, 45.5, 15.6, 45.6)}, [here, there]),
        ("L2A/tiles/33/T/WL/", {}, [there]),
        ("L2A/tiles/33/T/WL/2017/2/", {}, [there]),
    ):
        bucket = Bucket(objects, page=100)
        assert products(choose(monkeypatch, bucket, prefix, keys=keys, **level)[0]) == names, prefix
    with pytest.raises(TigerbushError) as error:
        choose(monkeypatch, Bucket(objects, page=100), "L2A/tiles/", keys={"limit": 8}, **level)
    assert str(error.value) == (
        "s3://eodata/L2A/tiles/ keeps products by tile, and nothing says which tiles; set scene.tiles, scene.bbox or "
        "scene.products."
    )


L2A = [name_of("20170201", level="L2A", tile=tile) for tile in TILES]


def searched(monkeypatch, keys, *answers, **options):
    servers = Stac(*answers)
    rows, _ = search(monkeypatch, servers, *L2A, sites=[], tiles=(), scenes=Selection(**keys), **options)
    return products(rows), [request.get("bbox") for request in servers.searches]


def test_a_stac_api_is_searched_around_each_tile(monkeypatch):
    answers = [page([item(name) for name in L2A]), page([item(name) for name in L2A[2:]])]
    names, boxes = searched(monkeypatch, {"tiles": frozenset({"33TVL", "33TVM"})}, *answers)
    assert names == [L2A[1], L2A[2]]
    # their corners are those of 5000 to 5100 km and of 5100 to 5200 km, at 400 km
    assert boxes == [
        pytest.approx([13.71, 45.06, 15.13, 46.05], abs=0.01),
        pytest.approx([13.68, 45.96, 15.13, 46.95], abs=0.02),
    ]


@pytest.mark.parametrize(
    ("keys", "box", "names"),
    [
        ({"bbox": (14.4, 45.5, 14.5, 45.6)}, [14.4, 45.5, 14.5, 45.6], L2A[1:2]),
        ({"limit": 2}, None, L2A[:2]),
        ({"prefixes": ("s3://eodata/L/",)}, None, L2A),
        ({"prefixes": ("s3://eodata/L/",), "products": frozenset(L2A[3:4])}, [14.98, 45.04, 16.42, 46.05], L2A[3:4]),
    ],
)  # fmt: skip
def test_a_stac_api_is_searched_in_a_box_or_everywhere(monkeypatch, keys, box, names):
    found, [asked_box] = searched(monkeypatch, keys, page([item(name) for name in L2A]))
    assert found == names
    assert asked_box == (box and pytest.approx(box, abs=0.02))


def test_an_odata_catalogue(monkeypatch):
    answer = encoded({"value": [entry(name) for name in L2A]})
    servers = Servers({None: answer})
    for keys, area in (({"limit": 5}, False), ({"bbox": (14.4, 45.5, 14.5, 45.6)}, True)):
        servers.asked.clear()
        rows, _ = search(
            monkeypatch, servers, *L2A, address=ODATA, sites=[], tiles=(), scenes=Selection(**keys)
        )
        [(_, address, _)] = servers.asked
        assert ("Intersects" in address) is area
        assert products(rows) == (L2A[1:2] if area else L2A)
    assert "POLYGON%28%2814.4+45.5%2C14.5+45.5%2C14.5+45.6%2C14.4+45.6%2C14.4+45.5%29%29" in address


SOURCE = {
    "kind": "s3", "level": "L1C", "bucket": "eodata", "endpoint_url": None, "region": None, "anonymous": True,
    "requester_pays": False, "prefixes": ["L/"], "hosts": [], "catalogue": None, "collections": None, "path": None,
}  # fmt: skip
KEYS = {"prefixes": None, "tiles": ["33TUL"], "bbox": None, "products": None, "limit": None}
SITE = {"longitude": 14.5593, "latitude": 45.8694, "region_size": 0.0037}
PERIOD = ("2017-01-29", "2017-02-05")


@pytest.mark.parametrize(
    ("sites", "scenes", "numbers"),
    [([], KEYS, [0]), ([SITE], KEYS, [0, 1]), ([SITE], {}, [1]), ([SITE], KEYS | {"tiles": ["33TVL"]}, [1])],
)
def test_products_of_sites_and_of_scenes(monkeypatch, sites, scenes, numbers):
    bucket = put(*NAMES)
    monkeypatch.setattr(remote, "_client", lambda **options: bucket)
    rows, files = list_products(SOURCE, sites, PERIOD, [], [], scenes=scenes)
    assert products(rows) == [NAMES[number] for number in numbers]
    assert len(files) == 4 * len(rows)


def test_a_bucket_without_a_chosen_product(monkeypatch):
    bucket = put(*NAMES)
    monkeypatch.setattr(remote, "_client", lambda **options: bucket)
    for sites in ([], [SITE]):
        with pytest.raises(TigerbushError) as error:
            list_products(SOURCE, sites, PERIOD, [], [], scenes=KEYS | {"tiles": ["60KYF"]})
        assert str(error.value) == (
            "s3://eodata/ has no L1C products chosen by the keys of scene in the period; check source.prefixes, "
            "source.level, period and scene.prefixes, scene.tiles, scene.bbox, scene.products."
        )


def test_a_catalogue_without_a_chosen_product(monkeypatch):
    with pytest.raises(TigerbushError) as error:
        searched(monkeypatch, {"tiles": frozenset({"60KYF"})}, page([item(L2A[0])]))
    assert str(error.value) == (
        "https://stac.example/v1 has no L2A products chosen by the keys of scene from 2017-02-01 to 2017-03-01 (0 item(s) "
        "skipped); check period, source.level, source.bucket and source.collections."
    )


def test_a_product_that_is_gone_stays(monkeypatch, caplog):
    """As long as it would be chosen."""
    caplog.set_level(logging.WARNING)
    bucket = put(*NAMES)
    monkeypatch.setattr(remote, "_client", lambda **options: bucket)
    scenes = KEYS | {"tiles": list(TILES)}
    rows, files = list_products(SOURCE, [], PERIOD, [], [], scenes=scenes)
    bucket.objects = put(*NAMES[:2]).objects
    again, more = list_products(SOURCE, [], PERIOD, rows, files, scenes=scenes)
    assert (products(again), len(more)) == (NAMES, len(files))
    again, _ = list_products(SOURCE, [], PERIOD, rows, files, scenes=scenes | {"tiles": ["33TUL", "33TVM"]})
    assert products(again) == [NAMES[0], NAMES[2]]


def test_a_smaller_limit_makes_no_product_gone(monkeypatch):
    """Those beyond it are still in the source, and stay in the table as they are."""
    bucket = put(*NAMES)
    monkeypatch.setattr(remote, "_client", lambda **options: bucket)
    rows, files = list_products(SOURCE, [], PERIOD, [], [], scenes=KEYS | {"tiles": list(TILES)})
    del bucket.objects[next(key for key in bucket.objects if NAMES[3] in key and "MTD_MSI" in key)]
    for key in [key for key in bucket.objects if NAMES[4] in key]:
        del bucket.objects[key]
    scenes = KEYS | {"tiles": list(TILES), "limit": 1, "max_cloud_percent": 50}
    again, _ = list_products(SOURCE, [], PERIOD, rows, files, scenes=scenes)
    changed = {row["product"]: row["etag"] != row["first_etag"] for row in again if not row["gone"]}
    assert changed == dict.fromkeys(NAMES[:3], False) | {NAMES[3]: True}
    assert products(again) == NAMES


DISCOVER = script("discover_products")


@pytest.mark.parametrize(("scenes", "tiles"), [(None, ["33TTL"]), ({"tiles": ["32TQR"]}, ["32TQR", "33TTL"])])
def test_scenes_of_a_zone_in_which_a_site_is_not_measured(monkeypatch, tmp_path, scenes, tiles):
    """Tiles of 32T reach the site, too; its own zone covers it as well, and goes first."""
    names = [name_of("20170201", tile=tile) for tile in ("32TQR", "33TTL")]
    bucket = put(*names)
    monkeypatch.setattr(remote, "_client", lambda **options: bucket)
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "products.tsv"
    site = {"site": "a", "longitude": 12.2, "latitude": 45.6, "region_size": 0.0037}
    options = {"sites": {"a": site}, "period": PERIOD, "connections": 1}
    keys = scenes and KEYS | scenes
    DISCOVER(table, tmp_path / "files.tsv", source=SOURCE, **options, scenes=keys)
    assert sorted(row["tile"] for row in read_products(table).values()) == tiles
    assert read_zones(table) == {"a": 32633}
