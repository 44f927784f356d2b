"""Zips and files that no parser expects: each is the failure of its product, in one sentence."""

import errno
import os
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabricate import CORNER, name_of, scene_of
from tigerbush.errors import TigerbushError
from tigerbush.masks import MaskOptions
from tigerbush.placeholder import placeholder_on_failure
from tigerbush.readers import open_product
from tigerbush.sentinel2.files import list_files
from tigerbush.sentinel2.writer import write_product

NAME = name_of()


@pytest.fixture
def safe(product):
    return product()


HOSTILE = [
    "name that is not UTF-8",
    "a header that lies",
    "a size that cannot be",
    "a gigabyte",
    "text of another kind",
]


def hostile(safe, kind):
    """Write a zip of a product that no parser expects."""
    path = safe.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for file in safe.rglob("*") if file.is_file()):
            archive.write(file, file.relative_to(safe.parent))
    content = bytearray(path.read_bytes())
    member = f"{NAME}.SAFE/MTD_MSIL1C.xml".encode()
    central = content.rindex(b"PK\1\2", 0, content.rindex(member))
    if kind == "name that is not UTF-8":
        content[central + 8 : central + 10] = (0x800).to_bytes(2, "little")
        content[central + 46 : central + 48] = b"\xff\xfe"
    elif kind == "a header that lies":
        content[central + 24 : central + 28] = (1000).to_bytes(4, "little")
    elif kind == "a size that cannot be":
        content[central + 24 : central + 28] = (60_000_000).to_bytes(4, "little")
    elif kind == "a gigabyte":
        content[central + 20 : central + 24] = (2_000_000_000).to_bytes(4, "little")
        content[central + 24 : central + 28] = (2_000_000_000).to_bytes(4, "little")
    else:
        content = bytearray(b"<html>log in</html>")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_a_sentence(safe, kind):
    path = hostile(safe, kind)
    with pytest.raises(TigerbushError) as error:
        open_product(path)
    sentence = str(error.value)
    assert sentence.startswith(str(path)) and sentence.isprintable() and sentence.endswith(".")
    assert ("fetch the product again" in sentence) == (kind == "a header that lies")


@pytest.mark.input(
    "Hostile input",
    "a member of a zip that claims to be larger than what is stored can hold",
    "refused before it is inflated",
)
def test_a_member_is_not_inflated_beyond_what_it_can_hold(safe):
    path = hostile(safe, "a size that cannot be")
    with zipfile.ZipFile(path) as archive:
        stored = archive.getinfo(f"{NAME}.SAFE/MTD_MSIL1C.xml").compress_size
    with pytest.raises(TigerbushError) as error:
        open_product(path)
    assert str(error.value) == (
        f"{path}/MTD_MSIL1C.xml has 60000000 bytes according to the zip, which stores {stored}: more than a file of a "
        "product can have; unpack the zip and look at that file."
    )


def test_an_image_larger_than_its_pixels_is_not_decoded(safe):
    [path] = safe.glob("GRANULE/*/IMG_DATA/*_B04.jp2")
    with path.open("r+b") as file:
        file.truncate(40_000_000)
    with pytest.raises(TigerbushError) as error:
        open_product(safe).check_band("B4")
    assert str(error.value) == (
        f"{path} has 40000000 bytes, more than an image of 126 x 126 pixels can have; report this product, or delete its "
        "line from the table of products to leave it out."
    )


@pytest.mark.input(
    "Hostile input",
    "a file that makes a parser raise any exception",
    "that product fails",
)
def test_any_exception_while_a_product_is_read_is_its_failure(safe):
    reasons = []
    for error in (
        ValueError("no\x1b[1m\nsense"),
        RecursionError("deep"),
        AssertionError(),
        IndexError("x" * 9000),
    ):

        def fail(error=error):
            raise error

        placeholder_on_failure(fail, reasons.append, last_attempt=False, source=safe)
    advice = "; report this product, or delete its line from the table of products to leave it out."
    assert reasons[:3] == [
        f"{safe} cannot be read (ValueError: no\\x1b[1m sense){advice}",
        f"{safe} cannot be read (RecursionError: deep){advice}",
        f"{safe} cannot be read (AssertionError: ){advice}",
    ]
    assert len(reasons[3]) <= 1200


def test_faults_of_the_machine_stay_its_own(safe):
    for error in (MemoryError(), ImportError("no module"), OSError(errno.ENOSPC, "No space left on device")):

        def fail(error=error):
            raise error

        with pytest.raises((MemoryError, ImportError, OSError)):
            placeholder_on_failure(fail, str, last_attempt=True, source=safe)


def test_a_name_in_a_folder_that_is_not_utf8_is_no_file_of_the_product(safe):
    names = list_files(safe)
    [granule] = (safe / "GRANULE").iterdir()
    for name in (b"T33TVL_\xff_B04.jp2", b"T33TVL_\n_B04.jp2"):
        (granule / "IMG_DATA" / os.fsdecode(name)).write_bytes(b"x")
    assert list_files(safe) == names


COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    """Small products in zips of each compression, with and without a folder."""
    folder = tmp_path_factory.mktemp("zips")
    safe = write_product(folder, NAME, scene_of(place=CORNER | {"width": 12, "height": 12}, clouds=[]))
    contents = []
    for number, compression in enumerate(COMPRESSIONS):
        with zipfile.ZipFile(folder / "a.zip", "w", compression) as archive:
            for file in sorted(file for file in safe.rglob("*") if file.is_file()):
                archive.write(file, file.relative_to(safe.parent if number % 2 else safe))
        contents.append((folder / "a.zip").read_bytes())
    return contents


def read_everything(path):
    product = open_product(path)
    product.read_mask(product.grids[10], MaskOptions())
    for name in product.files:
        product.read_bytes(name)
    return product.read_band("B4", product.grids[10])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_zips_are_refused_or_read(zips, tmp_path_factory, data):
    """A fuzz, mostly of the directory at the end: only our own sentences come out."""
    content = bytearray(data.draw(st.sampled_from(zips)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = content.find(b"PK\1\2") if data.draw(st.integers(0, 3)) else 0
        position = data.draw(st.integers(max(start, 0), len(content) - 1))
        length = data.draw(st.integers(0, 6))
        content[position : position + length] = data.draw(
            st.binary(min_size=length, max_size=length)
            | st.sampled_from([b"\xff" * length, bytes(length), b"../", b"\\", b""])
        )
    path = tmp_path_factory.mktemp("fuzz") / f"{NAME}.zip"
    path.write_bytes(content)
    try:
        assert read_everything(path).shape == (12, 12)
    except TigerbushError as error:
        assert str(error).isprintable() and str(error).endswith(".") and len(str(error)) < 1200


def test_errors_of_the_decompressor(zips, tmp_path):
    """Whatever compression: bzip2 raises an OSError, which would be taken for a disk that may recover."""
    path = tmp_path / f"{NAME}.zip"
    for content in zips:
        path.write_bytes(content)
        with zipfile.ZipFile(path) as archive:
            entry = next(entry for entry in archive.infolist() if entry.filename.endswith("MTD_MSIL1C.xml"))
            start = entry.header_offset + 30 + len(entry.filename)
        path.write_bytes(content[: start + 20] + bytes(60) + content[start + 80 :])
        with pytest.raises(TigerbushError, match="is not a readable zip file"):
            open_product(path)
