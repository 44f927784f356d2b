"""The windows of a product that a site needs: what is fetched, what is kept after an error, and what the zip holds."""

import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import rasterio

from fabricate import name_of, scene_of
from stores_in_memory import Bucket, md5, refusal, store_of, without_waiting
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.grid import Grid
from tigerbush.masks import MaskOptions
from tigerbush.planning.tables import file_row
from tigerbush.raster import CODESTREAM
from tigerbush.sentinel2.safe import open_product
from tigerbush.sentinel2.writer import write_product
from tigerbush.site import Site
from tigerbush.sites import stream
from tigerbush.sites.product import resample_site
from tigerbush.sites.stream import shared_windows, stream_product
from tigerbush.sources.folder import list_local
from tigerbush.sources.ranges import RemoteFiles

# 2 x 2 sub-images of 20 pixels around 465795 m east, 5079632 m north
SITE = Site(14.5593, 45.8694, 0.0037, size=20, resolution=10)
# 465600 m to 466000 m, grown to whole 60 m from the tile's corner and by two of them more: 300 m to 960 m
WINDOW = Grid(465480, 5079960, 10, 66, 66)
KINDS = {
    "polygons": ("L1C", {"clouds": [[(465600, 5079800), (465900, 5079800), (465900, 5079500), (465600, 5079800)]]}),
    "classes": ("L1C", {"classi": np.random.default_rng(2).integers(0, 2, (3, 21, 21))}),
    "scenes": ("L2A", {"scl": np.random.default_rng(3).integers(0, 12, (63, 63))}),
    "none": ("L1C", {}),
}  # fmt: skip


class Shelf:
    """A product on the disk and in a bucket, with the rows that describe it there."""

    def __init__(self, folder, kind, baseline="0204"):
        level, masks = KINDS[kind]
        self.product = name_of(level=level, baseline=baseline)
        scene = scene_of(7, level=level, **masks)
        bands = {band: scene.bands[band] for band in ("B1", "B2", "B3", "B4", "B8", "B8A")}
        self.safe = write_product(folder, self.product, replace(scene, bands=bands))
        _, rows = list_local(folder)
        files = {row["name"]: (self.safe / row["name"]).read_bytes() for row in rows}
        self.objects = {f"L/{self.safe.name}/{name}": content for name, content in files.items()}
        self.rows = [
            row | {"key": f"L/{self.safe.name}/{row['name']}", "etag": md5(files[row["name"]])}
            for row in rows
        ]

    def requested(self, bucket):
        """The files of the product that were read, sorted."""
        return sorted(options["Key"].removeprefix(f"L/{self.safe.name}/") for options in bucket.read)


@pytest.fixture(scope="module")
def shelves(tmp_path_factory):
    return {
        kind: Shelf(tmp_path_factory.mktemp(kind), kind, "0214" if kind == "scenes" else "0204")
        for kind in KINDS
    }


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return without_waiting(monkeypatch)


IMAGES = {
    "L1C": [f"IMG_DATA/T33TVL_20170116T100000_{band}.jp2" for band in ("B02", "B03", "B04", "B08")],
    "L2A": [f"IMG_DATA/R10m/T33TVL_20170116T100000_{band}_10m.jp2" for band in ("B02", "B03", "B04", "B08")],
}
MASKS = {
    "polygons": ["QI_DATA/MSK_CLOUDS_B00.gml"],
    "classes": ["QI_DATA/MSK_CLASSI_B00.jp2"],
    "scenes": ["IMG_DATA/R20m/T33TVL_20170116T100000_SCL_20m.jp2"],
    "none": [],
}


def needed(kind):
    level = KINDS[kind][0]
    granule = f"GRANULE/{level}_T33TVL_A000001_20170116T100000"
    inside = [*IMAGES[level], *MASKS[kind], "MTD_TL.xml"]
    return sorted([f"MTD_MSI{level}.xml", *(f"{granule}/{end}" for end in inside)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_zip_is_read_to_the_same_pixels(shelves, monkeypatch, tmp_path, kind):
    """Four bands, metadata and mask are fetched once each; images become georeferenced windows."""
    shelf, bucket = shelves[kind], Bucket(shelves[kind].objects)
    store = store_of(monkeypatch, bucket, connections=3)
    target = tmp_path / "downloads" / f"{shelf.product}.zip"
    stream_product(store, shelf.product, shelf.rows, target, site=SITE)
    assert shelf.requested(bucket) == needed(kind)
    with zipfile.ZipFile(target) as archive:
        entries = archive.infolist()
        assert [entry.filename for entry in entries] == sorted(
            f"{shelf.safe.name}/{name.replace('.jp2', '.tif')}" for name in needed(kind)
        )
        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    for streamed, local in zip(resample_site(target, SITE), resample_site(shelf.safe, SITE), strict=True):
        np.testing.assert_array_equal(streamed.data, local.data)
        tags = {name: text.replace(".tif", ".jp2") for name, text in streamed.tags.items()}
        assert (streamed.grid, streamed.epsg, tags) == (local.grid, local.epsg, local.tags)
    assert resample_site(shelf.safe, SITE)[0].grid == WINDOW


def test_a_window_is_a_small_geotiff(shelves, monkeypatch, tmp_path):
    shelf = shelves["scenes"]
    target = tmp_path / f"{shelf.product}.zip"
    stream_product(store_of(monkeypatch, Bucket(shelf.objects)), shelf.product, shelf.rows, target, site=SITE)
    granule = f"{shelf.safe.name}/GRANULE/L2A_T33TVL_A000001_20170116T100000/IMG_DATA"
    profiles = {}
    for end in ("R10m/T33TVL_20170116T100000_B03_10m", "R20m/T33TVL_20170116T100000_SCL_20m"):
        with rasterio.open(f"/vsizip/{target}/{granule}/{end}.tif") as image:
            assert image.tags()[CODESTREAM] == "unchecked"
            assert image.tags(ns="IMAGE_STRUCTURE") == {
                "COMPRESSION": "DEFLATE",
                "INTERLEAVE": "BAND",
                "PREDICTOR": "2",
            }
            profiles[end[-3:]] = image.width, image.height, image.dtypes, tuple(image.transform)[:6]
    # 300 m to 960 m from the corner at 465180 m, 5080260 m
    assert profiles == {
        "10m": (66, 66, ("uint16",), (10, 0, 465480, 0, -10, 5079960)),
        "20m": (33, 33, ("uint8",), (20, 0, 465480, 0, -20, 5079960)),
    }


@pytest.mark.parametrize(
    ("kind", "resolution", "buffer", "band", "mask"),
    [
        ("polygons", 10, 0, WINDOW, None),
        # in pixels of 60 m and 20 m: 300 m to 960 m
        ("classes", 10, 0, WINDOW, Grid(465480, 5079960, 60, 11, 11)),
        ("scenes", 10, 0, WINDOW, Grid(465480, 5079960, 20, 33, 33)),
        # 7 pixels of 10 m more are two of 60 m
        ("scenes", 10, 7, Grid(465360, 5080080, 10, 90, 90), Grid(465360, 5080080, 20, 45, 45)),
        # 6 are one; 900 m are 1020 m after that
        ("classes", 10, 6, Grid(465420, 5080020, 10, 78, 78), Grid(465420, 5080020, 60, 13, 13)),
    ],
)  # fmt: skip
def test_what_is_needed_of_each_file(shelves, kind, resolution, buffer, band, mask):
    product = open_product(shelves[kind].safe)
    _, window = stream.site_window(product, SITE, buffer)
    level = KINDS[kind][0]
    granule = f"GRANULE/{level}_T33TVL_A000001_20170116T100000"
    tile = Grid(465180, 5080260, 10, 126, 126)
    expected = [(f"{granule}/{end}", tile, band) for end in IMAGES[level]]
    masks = [f"{granule}/{end}" for end in MASKS[kind]]
    if mask is None:
        expected += [(name, None, None) for name in masks]
    else:
        side = 126 * 10 // int(mask.resolution)
        expected += [(name, Grid(465180, 5080260, mask.resolution, side, side), mask) for name in masks]
    assert [part[:3] for part in stream._parts_to_fetch(product, window)] == expected


def test_a_band_at_20_m_only(shelves):
    product = open_product(shelves["scenes"].safe)
    files = {
        name.replace("R10m", "R20m").replace("_B03_10m", "_B03_20m"): size
        for name, size in product.files.items()
    }
    files = {name: size for name, size in files.items() if "_B03_" in name} | {
        name: size for name, size in product.files.items() if "_B03_" not in name
    }
    parts = stream._parts_to_fetch(replace(product, files=files), WINDOW)
    [part] = [part for part in parts if "_B03_" in part[0]]
    assert part[1:3] == (Grid(465180, 5080260, 20, 63, 63), Grid(465480, 5079960, 20, 33, 33))
    # on a coarser target, too
    parts = stream._parts_to_fetch(product, Grid(465480, 5079960, 20, 33, 33))
    assert {part[2] for part in parts if "_B0" in part[0]} == {WINDOW}


def test_a_buffered_mask_needs_a_larger_window(shelves, monkeypatch, tmp_path):
    """As far as buffers may reach into the site from outside."""
    shelf, target = shelves["classes"], tmp_path / f"{shelves['classes'].product}.zip"
    stream_product(
        store_of(monkeypatch, Bucket(shelf.objects)), shelf.product, shelf.rows, target, site=SITE, buffer=7
    )
    options = MaskOptions(buffer=7)
    image, mask = resample_site(target, SITE, options=options)
    local, local_mask = resample_site(shelf.safe, SITE, options=options)
    assert image.grid == Grid(465360, 5080080, 10, 90, 90)
    np.testing.assert_array_equal(image.data, local.data)
    np.testing.assert_array_equal(mask.data, local_mask.data)


def test_only_metadata_of_a_product_that_does_not_reach_the_site(shelves, monkeypatch, tmp_path):
    shelf = shelves["polygons"]
    bucket, target = Bucket(shelf.objects), tmp_path / f"{shelf.product}.zip"
    far = replace(SITE, longitude=14.9)
    stream_product(store_of(monkeypatch, bucket), shelf.product, shelf.rows, target, site=far)
    assert shelf.requested(bucket) == [name for name in needed("polygons") if "MTD" in name]
    image, _ = resample_site(target, far)
    assert image.tags == resample_site(shelf.safe, far)[0].tags
    assert not image.data.any()


def parts_of(folder):
    return sorted(path.name for path in folder.glob(".*.part"))


SITES = {"here": SITE, "far": replace(SITE, longitude=14.9)} | {
    f"near{place}": replace(SITE, longitude=SITE.longitude + 0.0002 * place) for place in range(1, 9)
}


@pytest.mark.parametrize("kind", ["classes", "scenes"])
def test_windows_that_lie_close_together_are_decoded_once(shelves, monkeypatch, tmp_path, kind):
    """Their zips are those of sites that are fetched by themselves."""
    shelf = shelves[kind]
    remote = RemoteFiles(store_of(monkeypatch, Bucket(shelf.objects)))
    decoded, read_part = [], stream.read_part
    monkeypatch.setattr(stream, "read_part", lambda *a, **k: decoded.append(a[1]) or read_part(*a, **k))
    targets = {}
    for name, shared in shared_windows(remote, shelf.product, shelf.rows, SITES, 0):
        assert (shared is None) == (name == "far")
        targets[name] = tmp_path / name / f"{shelf.product}.zip"
        stream_product(remote, shelf.product, shelf.rows, targets[name], site=SITES[name], shared=shared)
    # four bands and the mask
    assert len(decoded) == len(set(decoded)) == 5
    assert targets.keys() == SITES.keys()
    for name, target in targets.items():
        alone = tmp_path / "alone" / name / f"{shelf.product}.zip"
        stream_product(remote, shelf.product, shelf.rows, alone, site=SITES[name])
        assert members(target) == members(alone)


def members(path):
    with zipfile.ZipFile(path) as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def test_parts_are_read_by_themselves_where_the_whole_cannot_be():
    whole, part = Grid(0, 1000, 10, 50, 50), Grid(100, 900, 10, 5, 4)
    asked = []

    def read(grid):
        asked.append(grid)
        if grid == whole:
            raise RemoteError("damaged")
        return np.ones((1, 4, 5))

    shared = stream.SharedWindow(whole)
    for _ in range(2):
        np.testing.assert_array_equal(shared.cut("B02", whole, part, read), np.ones((1, 4, 5)))
    assert asked == [whole, part, part]
    pixels = np.arange(2500).reshape(1, 50, 50)
    cut = shared.cut("B03", whole, part, lambda grid: pixels if grid == whole else None)
    np.testing.assert_array_equal(cut, pixels[:, 10:14, 10:15])


def test_files_fetched_before_an_error_are_kept(shelves, monkeypatch, tmp_path):
    shelf, bucket = shelves["classes"], Bucket(shelves["classes"].objects)
    store = store_of(monkeypatch, bucket, tries=1)
    target = tmp_path / f"{shelf.product}.zip"
    b03, mask = (
        f"L/{shelf.safe.name}/{name}" for name in needed("classes") if "_B03" in name or "CLASSI" in name
    )
    right, get = dict(bucket.objects), bucket.get_object

    def broken(**options):
        if options["Key"] == b03:
            bucket.read.append(options)
            raise refusal(503)
        return get(**options)

    monkeypatch.setattr(bucket, "get_object", broken)
    with pytest.raises(RemoteError, match=r"B03\.jp2: AWS is overloaded"):
        stream_product(store, shelf.product, shelf.rows, target, site=SITE)
    # everything else was requested
    assert shelf.requested(bucket) == needed("classes")
    assert not target.exists()
    bucket.read.clear()
    monkeypatch.setattr(bucket, "get_object", get)
    stream_product(store, shelf.product, shelf.rows, target, site=SITE)
    assert [options["Key"] for options in bucket.read] == [b03]
    assert parts_of(tmp_path) == []
    # a permanent error is raised before transient ones, whichever came first
    bucket.objects = {key: content for key, content in right.items() if key != mask}
    monkeypatch.setattr(bucket, "get_object", broken)
    with pytest.raises(TigerbushError, match=r"MSK_CLASSI_B00\.jp2 does not exist"):
        stream_product(store, shelf.product, shelf.rows, target, site=replace(SITE, latitude=45.8695))


def test_the_folder_of_partial_downloads_is_unique_to_files_and_window(tmp_path):
    target, rows = (
        tmp_path / "a.b.zip",
        [file_row("p", ("band", "B4"), "n", "k", 3), file_row("p", ("mask", ""), "m", "l", 4)],
    )
    first = stream._part_folder(target, rows, SITE, 0)
    assert (first.parent, first.name[:5], first.name[-5:], len(first.name)) == (
        tmp_path,
        ".a.b.",
        ".part",
        22,
    )
    assert stream._part_folder(target, [dict(reversed(row.items())) for row in rows], SITE, 0) == first
    others = [
        stream._part_folder(target, rows, SITE, 1),
        stream._part_folder(target, rows, replace(SITE, size=21), 0),
        stream._part_folder(target, [rows[0] | {"etag": "x"}, rows[1]], SITE, 0),
        stream._part_folder(target, rows[:1], SITE, 0),
        stream._part_folder(tmp_path / "c.zip", rows, SITE, 0),
    ]
    assert len({first, *others}) == 6


def test_all_items_are_processed_and_the_first_error_is_raised():
    """A permanent error before transient ones."""
    processed = []

    def work(item):
        processed.append(item)
        if isinstance(item, Exception):
            raise item

    transient, permanent = RemoteError("transient"), TigerbushError("permanent")
    with ThreadPoolExecutor(1) as pool:
        stream._run_all(pool, work, [1, 2])
        for items, first in (
            ([transient, 3, permanent, 4], permanent),
            ([5, RemoteError("a"), RemoteError("b")], "a"),
            ([TigerbushError("c"), TigerbushError("d"), 6], "c"),
        ):
            with pytest.raises((RemoteError, TigerbushError)) as error:
                stream._run_all(pool, work, items)
            assert first in (error.value, str(error.value))
    assert [item for item in processed if isinstance(item, int)] == [1, 2, 3, 4, 5, 6]


def test_windows_of_another_granule_are_not_fetched(shelves, monkeypatch, tmp_path):
    """Of the product, processed twice into one folder: the metadata name one of them."""
    shelf = shelves["polygons"]
    own, other = "L1C_T33TVL_A000001_20170116T100000", "L1C_T33TVL_A000000_20170101T000000"
    rows, objects = list(shelf.rows), dict(shelf.objects)
    for row in shelf.rows:
        if own in row["key"]:
            again = row | {field: row[field].replace(own, other) for field in ("name", "key")}
            rows.append(again)
            objects[again["key"]] = objects[row["key"]]
    bucket = Bucket(objects)
    target = tmp_path / f"{shelf.product}.zip"
    stream_product(store_of(monkeypatch, bucket), shelf.product, rows, target, site=SITE)
    fetched = shelf.requested(bucket)
    assert [name for name in fetched if other not in name] == needed("polygons")
    assert [name for name in fetched if other in name] == [f"GRANULE/{other}/MTD_TL.xml"]
    np.testing.assert_array_equal(
        resample_site(target, SITE)[0].data, resample_site(shelf.safe, SITE)[0].data
    )
