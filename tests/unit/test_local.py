"""What a local folder holds, and the local copy of a product."""

import zipfile

import numpy as np
import pytest

from fabricate import name_of, scene_of
from tigerbush.errors import TigerbushError, WriteError
from tigerbush.local import copy_product, list_local, write_failed_copy
from tigerbush.products import role
from tigerbush.safe import open_product, read_band


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GRANULE/G/IMG_DATA/T33TVL_20170116T100000_B04.jp2", ("band", "B4")),
        ("GRANULE/G/IMG_DATA/R20m/T33TVL_20170116T100000_B8A_20m.jp2", ("band", "B8A")),
        ("GRANULE/G/IMG_DATA/R20m/T33TVL_20170116T100000_SCL_20m.jp2", ("mask", "")),
        ("GRANULE/G/QI_DATA/MSK_CLASSI_B00.jp2", ("mask", "")),
        ("GRANULE/G/QI_DATA/MSK_CLOUDS_B00.gml", ("mask", "")),
        ("MTD_MSIL2A.xml", ("metadata", "")),
        ("GRANULE/G/MTD_TL.xml", ("metadata", "")),
        ("GRANULE/G/IMG_DATA/T33TVL_20170116T100000_TCI.jp2", None),
        ("GRANULE/G/IMG_DATA/../../T33TVL_20170116T100000_B04.jp2", None),
        ("GRANULE/G/QI_DATA/MSK_DETFOO_B04.jp2", None),
    ],
)
def test_role(name, expected):
    assert role(name) == expected


def test_list_local(product, tmp_path):
    folder = tmp_path / "products"
    product("20170116", cloud_percent=30.5)
    product("20170116", baseline="0500", scene=scene_of(offset=-1000))
    product("20170120", platform="S2B")
    product("20170120", level="L2A", baseline="0400", scene=scene_of(level="L2A", offset=-1000))
    (folder / "notes.txt").write_text("not a product")
    (folder / "holiday.zip").write_bytes(b"")
    rows, files = list_local(folder)
    assert [row["product"] for row in rows] == [
        name_of("20170116", baseline="0500"),
        name_of("20170120", level="L2A", baseline="0400"),
        name_of("20170120", platform="S2B"),
    ]
    assert rows[0]["url"] == str(folder / (name_of("20170116", baseline="0500") + ".SAFE"))
    assert rows[0]["cloud_percent"] == "0"
    assert rows[0]["granule"] == "L1C_T33TVL_A000001_20170116T100000"
    bands = {file["band"]: file for file in files if file["product"] == rows[0]["product"]}
    assert bands["B8A"]["key"].endswith("_B8A.jp2")
    assert int(bands["B8A"]["size"]) > 1000
    assert [row["level"] for row in list_local(folder, "L2A")[0]] == ["L2A"]


def test_a_product_with_damaged_metadata_is_kept(product, tmp_path, caplog):
    safe = product()
    (safe / "MTD_MSIL1C.xml").write_text("<x")
    rows, _ = list_local(tmp_path / "products")
    assert (rows[0]["product"], rows[0]["cloud_percent"]) == (name_of(), "")
    assert "MTD_MSIL1C.xml is not well-formed XML" in caplog.text


def test_an_empty_or_missing_folder(tmp_path):
    with pytest.raises(TigerbushError, match="holds no product"):
        list_local(tmp_path)
    with pytest.raises(TigerbushError, match="is not a folder"):
        list_local(tmp_path / "missing")


def test_a_folder_without_the_level(product, tmp_path):
    product()
    with pytest.raises(TigerbushError, match="holds no L2A product"):
        list_local(tmp_path / "products", "L2A")


def test_copy_product(product, tmp_path):
    scene = scene_of(4, offset=-1000, classi=np.zeros((3, 21, 21)))
    safe = product(baseline="0400", scene=scene)
    target = tmp_path / "copies" / f"{name_of(baseline='0400')}.zip"
    copy_product(safe, target, ["B4", "B8"])
    copied = open_product(target)
    np.testing.assert_array_equal(read_band(copied, "B4", copied.grids[10]), scene.bands["B4"])
    assert sorted(file.rpartition("/")[2] for file in copied.files) == [
        "MSK_CLASSI_B00.jp2",
        "MTD_MSIL1C.xml",
        "MTD_TL.xml",
        "T33TVL_20170116T100000_B04.jp2",
        "T33TVL_20170116T100000_B08.jp2",
    ]
    with zipfile.ZipFile(target) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_copy_without_a_band_misses_it_where_it_is_read(product, tmp_path):
    safe = product()
    next(safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2")).unlink()
    target = tmp_path / "copies" / f"{name_of()}.zip"
    copy_product(safe, target, ["B8", "B4"])
    copied = open_product(target)
    with pytest.raises(TigerbushError, match="band B4 is missing"):
        read_band(copied, "B4", copied.grids[10])


def test_copy_product_leaves_nothing_half_written(product, tmp_path):
    """A source that breaks while it is read is trouble of the source, not of the target."""
    safe = product()
    path = next(safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2"))
    path.unlink()
    path.symlink_to("/proc/self/mem")  # reading it is an input/output error
    with pytest.raises(OSError, match="Input/output error") as error:
        copy_product(safe, tmp_path / "copies" / f"{name_of()}.zip", ["B8", "B4"])
    assert not isinstance(error.value, WriteError)
    assert not list(tmp_path.glob("copies/*"))


def test_opening_a_failed_copy_gives_the_reason(tmp_path):
    write_failed_copy(tmp_path / f"{name_of()}.zip", "the archive was asleep")
    with pytest.raises(TigerbushError, match=r"^the archive was asleep$"):
        open_product(tmp_path / f"{name_of()}.zip")
