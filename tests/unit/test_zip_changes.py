"""Zips that were replaced by others with files of the same sizes: by the checksums that zips have, without reading them."""

import shutil
import zipfile

import pytest

from test_source_changes import UNCHANGED, A, B, C, folder, listed, pack, products, rewrite_time, told

__all__ = ["folder", "products"]


def change_pixels(safe):
    """Another image of the same size and other times, as of a band that was damaged or processed again."""
    path = next(safe.rglob("*_B08.jp2"))
    content = bytearray(path.read_bytes())
    content[-400] ^= 1
    path.write_bytes(content)
    return path


@pytest.mark.input(
    "Changes",
    "a zip replaced by another with files of the same sizes",
    "noticed by the checksums that the zip has of its files",
)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_with_other_pixels_of_the_same_sizes(folder, tmp_path, compression):
    safe = shutil.copytree(folder / f"{B}.SAFE", tmp_path / f"{B}.SAFE")
    pack(folder / f"{B}.SAFE")
    tables = listed(folder)
    first = tables[0][1]
    # packed again, with other times and another compression
    shutil.copytree(safe, folder / f"{B}.SAFE")
    pack(folder / f"{B}.SAFE", compression)
    assert told(folder, *tables) == UNCHANGED
    assert listed(folder, *tables)[0][1]["etag"] == first["etag"]
    path = change_pixels(safe)
    shutil.copytree(safe, folder / f"{B}.SAFE")
    pack(folder / f"{B}.SAFE", compression)
    assert told(folder, *tables) == [
        f"replaced: {B} ({path.relative_to(safe).as_posix()} has another content)",
        "Products: 0 new, 1 replaced, 0 gone, 2 unchanged.",
    ]
    replaced = listed(folder, *tables)[0][1]
    assert (replaced["product"], replaced["first_etag"]) == (B, first["etag"])
    assert replaced["etag"] != first["etag"]


def test_zips_that_were_listed_without_checksums_stay_the_same(folder):
    """Their versions stay until they differ, so that no result is made again."""
    for name in (A, B, C):
        pack(folder / f"{name}.SAFE")
    rows, files = listed(folder)
    assert {row["etag"][:6] for row in files if row["role"] == "band"} == {"crc32-"}
    old_files = [row if row["role"] == "metadata" else row | {"etag": ""} for row in files]
    old = [row | {"etag": "recorded", "first_etag": "recorded"} for row in rows]
    assert told(folder, old, old_files) == UNCHANGED
    new, new_files = listed(folder, old, old_files)
    assert {(row["etag"], row["first_etag"]) for row in new} == {("recorded", "recorded")}
    # from then on a change is noticed
    with zipfile.ZipFile(folder / f"{C}.zip") as archive:
        archive.extractall(folder)
    change_pixels(folder / f"{C}.SAFE")
    pack(folder / f"{C}.SAFE")
    assert told(folder, new, new_files)[-1] == "Products: 0 new, 1 replaced, 0 gone, 2 unchanged."


def test_a_zip_and_a_folder_in_place_of_each_other(folder, tmp_path):
    """Samples and checksums are not compared; metadata are."""
    tables = listed(folder)
    kept = shutil.copytree(folder / f"{A}.SAFE", tmp_path / f"{A}.SAFE")
    pack(folder / f"{A}.SAFE")
    assert told(folder, *tables) == UNCHANGED
    tables = listed(folder, *tables)
    (folder / f"{A}.zip").unlink()
    rewrite_time(next(kept.glob("MTD_MSIL1C.xml")))
    shutil.copytree(kept, folder / f"{A}.SAFE")
    assert told(folder, *tables)[0] == f"replaced: {A} (MTD_MSIL1C.xml has another content)"


@pytest.mark.input(
    "Changes",
    "a product whose `manifest.safe` alone was replaced or deleted",
    "unchanged: no number depends on it",
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_manifest_is_no_part_of_the_version(folder, packed):
    safe = folder / f"{A}.SAFE"
    copy = shutil.copytree(safe, folder.parent / "copy")
    if packed:
        pack(safe)
    tables = listed(folder)
    (copy / "manifest.safe").write_text("<another/>")
    shutil.rmtree(safe, ignore_errors=True)
    copy.rename(safe)
    if packed:
        pack(safe)
    assert told(folder, *tables) == UNCHANGED
