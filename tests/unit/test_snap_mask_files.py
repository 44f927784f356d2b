"""The masks of single bands, MSK_DETFOO and MSK_QUALIT: listed and copied only for `scene.snap_masks`."""

import zipfile

import pytest

from fabricate import name_of, scene_of, write_product
from stores_in_memory import Bucket, without_waiting
from test_store_products import L2A, listed, objects_of, tile_of
from tigerbush.sentinel2.archive import tile_file_name
from tigerbush.sentinel2.names import BANDS, parse_name, role
from tigerbush.sources.folder import copy_product
from tigerbush.sources.listing import list_products


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return without_waiting(monkeypatch)


def masks(files):
    return [row["name"].rpartition("/")[2] for row in files if row["role"] == "mask" and row["band"]]


def test_a_bucket_lists_them_on_request(monkeypatch):
    names = [name_of(f"2017020{day}", baseline="0400") for day in (1, 2, 3)]
    bucket = Bucket({key: content for name in names for key, content in objects_of(name).items()}, page=100)
    rows, files = listed(monkeypatch, bucket, "L/")
    assert masks(files) == []
    more, more_files = listed(monkeypatch, bucket, "L/", masks=True)
    assert more == rows
    assert masks(more_files) == ["MSK_DETFOO_B04.jp2"] * 3
    assert [row for row in more_files if not (row["role"] == "mask" and row["band"])] == files
    # a product that was listed without them is listed again, others are not
    known = [row for row in more_files if row["product"] != names[1]]
    known += [row for row in files if row["product"] == names[1]]
    bucket.read.clear()
    again = listed(monkeypatch, bucket, "L/", masks=True, old=rows, old_files=known)
    assert again == (more, more_files)
    assert [request["Key"].split("/")[4] for request in bucket.read] == [f"{names[1]}.SAFE"]


def test_a_bucket_of_tiles_lists_them_on_request(monkeypatch):
    """The size of a product does not depend on it, so that its row stays the same."""
    bucket = Bucket(tile_of(L2A), page=100)
    rows, files = listed(monkeypatch, bucket, "L2A/tiles/", level="L2A")
    assert masks(files) == []
    more, more_files = listed(monkeypatch, bucket, "L2A/tiles/", level="L2A", masks=True)
    assert masks(more_files) == ["MSK_DETFOO_B04.jp2"]
    assert int(more[0]["size_bytes"]) == int(rows[0]["size_bytes"]) + 1


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("qi/MSK_DETFOO_B04.jp2", "GRANULE/L2A_T33TVL/QI_DATA/MSK_DETFOO_B04.jp2"),
        ("qi/QUALIT_B8A.jp2", "GRANULE/L2A_T33TVL/QI_DATA/MSK_QUALIT_B8A.jp2"),
        ("qi/MSK_CLASSI_B00.jp2", "GRANULE/L2A_T33TVL/QI_DATA/MSK_CLASSI_B00.jp2"),
        ("qi/MSK_DETFOO_B04.gml", None),
        ("qi/MSK_DETFOO_B04.jp2.aux", None),
    ],
)
def test_names_in_a_bucket_of_tiles(file, expected):
    assert tile_file_name(parse_name(L2A), file) == expected


@pytest.fixture
def safe(tmp_path):
    return write_product(tmp_path / "products", name_of(baseline="0400"), scene_of(offset=-1000))


def test_a_folder_lists_them_on_request(safe):
    source = {"kind": "local", "path": str(safe.parent), "level": None}
    rows, files = list_products(source, [], ["2017-01-01", "2017-02-01"], [], [])
    assert masks(files) == []
    more, more_files = list_products(source, [], ["2017-01-01", "2017-02-01"], [], [], masks=True)
    assert more == rows
    assert len(masks(more_files)) == 2 * len(BANDS)
    assert [row for row in more_files if row["role"] != "mask" or not row["band"]] == files


@pytest.mark.parametrize(
    ("bands", "expected"),
    [((), []), (("B8A", "B2"), ["DETFOO_B02", "DETFOO_B8A", "QUALIT_B02", "QUALIT_B8A"])],
)
def test_a_copy_has_those_of_the_bands(safe, tmp_path, bands, expected):
    target = tmp_path / f"{name_of(baseline='0400')}.zip"
    copy_product(safe, target, ["B2", "B4", "B8", "B8A"], bands)
    names = [name.partition("/")[2] for name in zipfile.ZipFile(target).namelist()]
    assert [name[-14:-4] for name in names if "QI_DATA" in name] == expected
    assert {role(name)[1] for name in names if role(name)[0] == "band"} == {"B2", "B4", "B8", "B8A"}
    # a whole product has all
    copy_product(safe, tmp_path / "whole" / target.name, None)
    names = zipfile.ZipFile(tmp_path / "whole" / target.name).namelist()
    assert sum("/QI_DATA/MSK_" in name and name.endswith(".jp2") for name in names) == 2 * len(BANDS)
