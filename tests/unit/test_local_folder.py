"""The products of a local folder, and the local copy of a product."""

import shutil
import zipfile

import numpy as np
import pytest

from fabricate import name_of, scene_of
from tigerbush.errors import TigerbushError, WriteError
from tigerbush.placeholder import write_placeholder_zip
from tigerbush.sentinel2.names import role
from tigerbush.sentinel2.safe import open_product
from tigerbush.sources.folder import copy_product, list_local, refuse_smaller_copy


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
        ("GRANULE/G/QI_DATA/MSK_DETFOO_B04.jp2", ("mask", "B4")),
        ("GRANULE/G/QI_DATA/MSK_QUALIT_B8A.jp2", ("mask", "B8A")),
        ("GRANULE/G/QI_DATA/MSK_DETFOO_B04.gml", None),
        ("GRANULE/G/QI_DATA/MSK_TECQUA_B04.jp2", None),
        ("GRANULE/G/QI_DATA/MSK_CLASSI_B00.jp2.aux.xml", None),
        ("GRANULE/G/IMG_DATA/T33TVL_20170116T100000_B04.jp2.ovr", None),
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


def zipped(safe):
    """The zip of a product beside its folder."""
    path = safe.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(entry for entry in safe.rglob("*") if entry.is_file()):
            archive.write(file, f"{safe.name}/{file.relative_to(safe).as_posix()}")
    return path


def test_rows_of_a_folder(product):
    """Complete rows; a folder takes precedence over its zip, and only files with a role are listed."""
    safe = product(cloud_percent=30.5, clouds=[])
    (safe / "GRANULE" / "note.txt").write_text("12345")
    zipped(safe)
    folder = safe.parent
    rows, files = list_local(folder)
    size = sum(path.stat().st_size for path in safe.rglob("*") if path.is_file())
    assert rows == [
        {
            "product": name_of(), "platform": "S2A", "level": "L1C", "sensing_time": "2017-01-16T10:00:00", "tile": "33TVL",
            "relative_orbit": "122", "baseline": "02.04", "cloud_percent": "30.5", "url": str(safe),
            "granule": "L1C_T33TVL_A000001_20170116T100000", "size_bytes": str(size),
        }
    ]  # fmt: skip
    inside = [path.relative_to(safe).as_posix() for path in safe.rglob("*") if path.is_file()]
    needed = sorted(name for name in inside if not name.endswith((".txt", ".safe", "MTD_DS.xml", ".ovr")))
    assert len(needed) == 13 + 2 + 1
    assert sorted(tuple(row.values()) for row in files) == sorted(
        (name_of(), *role(name), name, name, str((safe / name).stat().st_size), "") for name in needed
    )
    shutil.rmtree(safe)
    [row], _ = list_local(folder)
    assert (row["url"], row["size_bytes"]) == (str(safe.with_suffix(".zip")), str(size))


def test_names_that_are_skipped_in_a_folder(product, caplog):
    folder = product("20170116").parent
    product("20170117", level="L2A", baseline="0214", scene=scene_of(level="L2A"))
    for name in ("a.SAFE", "b.zip", "c.txt", f"{name_of()}.tif"):
        (folder / name).touch()
    for level, days in ((None, ("16", "17")), ("L1C", ("16",)), ("L2A", ("17",))):
        caplog.clear()
        rows, files = list_local(folder, level)
        assert [row["product"][17:19] for row in rows] == list(days)
        assert {row["product"][17:19] for row in files} == set(days)
        assert [message.partition(": ")[0] for message in caplog.messages] == [f"skipped {folder}/{name}" for name in ("a.SAFE", "b.zip")]  # fmt: skip


def test_an_invalid_zip_is_kept_as_failed(product, caplog):
    folder = product().parent
    path = folder / f"{name_of('20170117')}.zip"
    path.write_bytes(b"none")
    rows, files = list_local(folder)
    assert [(row["product"], row["url"], row["size_bytes"], row["granule"], row["cloud_percent"]) for row in rows[1:]] == [
        (name_of("20170117"), str(path), "0", "", "")
    ]  # fmt: skip
    assert {row["product"] for row in files} == {name_of()}
    assert len(caplog.messages) == 1


def test_a_product_with_damaged_metadata_is_kept(product, tmp_path, caplog):
    safe = product()
    (safe / "MTD_MSIL1C.xml").write_text("<x")
    rows, _ = list_local(tmp_path / "products")
    assert (rows[0]["product"], rows[0]["cloud_percent"]) == (name_of(), "")
    assert caplog.messages == [
        f"{safe}/MTD_MSIL1C.xml is not well-formed XML (unclosed token: line 1, column 0); it is cut off: fetch the product "
        "again, then run ./tigerbush retry."
    ]


def test_an_empty_or_missing_folder(tmp_path):
    with pytest.raises(TigerbushError, match="contains no products"):
        list_local(tmp_path)
    with pytest.raises(TigerbushError, match="is not a folder"):
        list_local(tmp_path / "missing")


def test_a_folder_without_the_level(product, tmp_path):
    product()
    with pytest.raises(TigerbushError, match="contains no L2A products"):
        list_local(tmp_path / "products", "L2A")


def test_copy_product(product, tmp_path):
    scene = scene_of(4, offset=-1000, classi=np.zeros((3, 21, 21)))
    safe = product(baseline="0400", scene=scene)
    target = tmp_path / "copies" / f"{name_of(baseline='0400')}.zip"
    copy_product(safe, target, ["B4", "B8"])
    copied = open_product(target)
    np.testing.assert_array_equal(copied.read_band("B4", copied.grids[10]), scene.bands["B4"])
    assert sorted(file.rpartition("/")[2] for file in copied.files) == [
        "MSK_CLASSI_B00.jp2",
        "MTD_MSIL1C.xml",
        "MTD_TL.xml",
        "T33TVL_20170116T100000_B04.jp2",
        "T33TVL_20170116T100000_B08.jp2",
    ]
    with zipfile.ZipFile(target) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_order_of_a_copy(product, tmp_path):
    """Metadata and masks, then the requested bands at their finest resolution; all files of a whole product."""
    safe = product(
        level="L2A", baseline="0214", scene=scene_of(level="L2A", scl=np.zeros((63, 63), np.uint8))
    )
    [image] = safe.glob("GRANULE/*/IMG_DATA/R10m/*_B02_10m.jp2")
    coarse = image.parent.parent / "R20m" / image.name.replace("10m", "20m")
    shutil.copyfile(image, coarse)
    (safe / "manifest.safe").write_text("of no use")
    target = tmp_path / "copy" / f"{safe.stem}.zip"
    copy_product(safe, target, iter(["B8", "B10", "B2"]))
    with zipfile.ZipFile(target) as archive:
        names = [name.rpartition("/")[2] for name in archive.namelist()]
        assert archive.read(archive.namelist()[-1]) == image.read_bytes()
    stamp = "T33TVL_20170116T100000"
    assert sorted(names[:3]) == ["MTD_MSIL2A.xml", "MTD_TL.xml", f"{stamp}_SCL_20m.jp2"]
    assert names[3:] == [f"{stamp}_B08_10m.jp2", f"{stamp}_B02_10m.jp2"]
    whole = tmp_path / "whole" / target.name
    copy_product(safe, whole, None)
    with zipfile.ZipFile(whole) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    inside = {f"{safe.name}/{path.relative_to(safe).as_posix()}": path for path in safe.rglob("*")}
    assert {name for name in contents if not name.endswith("/")} == {
        name for name, path in inside.items() if path.is_file()
    }
    assert {name.rstrip("/") for name in contents if name.endswith("/")} >= {f"{safe.name}/DATASTRIP"}
    assert all(
        content == inside[name].read_bytes() for name, content in contents.items() if not name.endswith("/")
    )


@pytest.mark.parametrize(
    ("lost", "bands", "sentence"),
    [
        ("_B04.jp2", ("B4", "B8"), "the file of band B4 is"), ("_B04.jp2", None, "the file of band B4 is"), ("_B04.jp2", ("B8",), None),
        (".xml", ("B8",), "metadata are"), ("B_B00.jp2", None, None), ("note.txt", None, None), ("", None, None),
    ],
)  # fmt: skip
def test_files_that_a_copy_may_lose(tmp_path, lost, bands, sentence):
    """A mask, a band that is not requested, and files without a role."""
    names = ["MTD_MSIL1C.xml", "GRANULE/G/MTD_TL.xml", "GRANULE/G/IMG_DATA/T_B04.jp2", "GRANULE/G/IMG_DATA/T_B08.jp2", "GRANULE/G/QI_DATA/MSK_CLASSI_B_B00.jp2", "note.txt"]  # fmt: skip
    target = tmp_path / f"{name_of()}.zip"
    left = [name for name in names if not (lost and name.endswith(lost))]
    # nothing is known of a copy that is missing or damaged
    refuse_smaller_copy(target, left, bands)
    target.write_bytes(b"none")
    refuse_smaller_copy(target, left, bands)
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(f"{name_of()}.SAFE/{name}", "x")
    if sentence is None:
        refuse_smaller_copy(target, left, bands)
        return
    with pytest.raises(TigerbushError) as error:
        refuse_smaller_copy(target, left, bands)
    assert (
        str(error.value)
        == f"{name_of()}: {sentence} missing; restore the product, then run ./tigerbush retry."
    )


def test_a_band_missing_from_a_copy_is_reported_when_it_is_read(product, tmp_path):
    safe = product()
    next(safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2")).unlink()
    target = tmp_path / "copies" / f"{name_of()}.zip"
    copy_product(safe, target, ["B8", "B4"])
    copied = open_product(target)
    with pytest.raises(TigerbushError, match="band B4 is missing"):
        copied.read_band("B4", copied.grids[10])


def test_copy_product_leaves_no_incomplete_file(product, tmp_path):
    """An error while the source is read is one of the source, not of the target."""
    safe = product()
    path = next(safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2"))
    path.unlink()
    (safe / "manifest.safe").unlink(missing_ok=True)
    path.symlink_to("/proc/self/mem")  # reading it is an input/output error
    with pytest.raises(OSError, match="Input/output error") as error:
        copy_product(safe, tmp_path / "copies" / f"{name_of()}.zip", ["B8", "B4"])
    assert not isinstance(error.value, WriteError)
    assert not list(tmp_path.glob("copies/*"))


def test_opening_a_failed_copy_gives_the_reason(tmp_path):
    for folder in ("results/downloads", "results/here/downloads"):
        path = tmp_path / folder / f"{name_of()}.zip"
        write_placeholder_zip(path, "the archive was asleep")
        with pytest.raises(TigerbushError, match=r"^the archive was asleep$"):
            open_product(path)


def test_the_reason_of_a_copy_is_one_limited_printable_line(tmp_path):
    path = tmp_path / "results" / "downloads" / f"{name_of()}.zip"
    write_placeholder_zip(path, "a\n\x1b[31mb" + "c" * 2_000_000)
    with pytest.raises(TigerbushError) as error:
        open_product(path)
    assert str(error.value) == "a \\x1b[31mb" + "c" * (1200 - 11) + " ..."


@pytest.mark.input(
    "Hostile input",
    "a zip with a file `TIGERBUSH_FAILED.txt` that is no copy of a run",
    "its text is not believed",
)
def test_no_other_zip_says_why_it_failed(tmp_path):
    """What a stranger's zip says would else be the reason in the summary."""
    path = tmp_path / f"{name_of()}.zip"
    write_placeholder_zip(path, "all is well")
    with pytest.raises(TigerbushError) as error:
        open_product(path)
    assert str(error.value) == (
        f"{path} holds no product: neither its top nor a folder in it has a file MTD_MSIL1C.xml or MTD_MSIL2A.xml; zip "
        f"the whole folder {name_of()}.SAFE, or unpack the zip."
    )
