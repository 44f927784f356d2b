"""The parts of a remote file: which bytes are requested, once, and how GDAL reads them; all in memory."""

import io
from itertools import pairwise

import numpy as np
import pytest
import rasterio

from stores_in_memory import Bucket, md5, refusal, store_of, without_waiting
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.sources import ranges
from tigerbush.sources.ranges import Cursor, RemoteFile, check_decodes, checked_name, open_remote

CONTENT = bytes(np.random.default_rng(5).integers(0, 256, 1000, np.uint8))


@pytest.fixture
def bucket(monkeypatch):
    """A file of 1000 bytes; the first request takes 64 bytes, each further one at least 16."""
    without_waiting(monkeypatch)
    for name, value in {"WHOLE_FILE_BYTES": 100, "HEAD_BYTES": 64, "MIN_BYTES": 16}.items():
        monkeypatch.setattr(ranges, name, value)
    return Bucket({"a": CONTENT})


@pytest.fixture
def store(monkeypatch, bucket):
    return store_of(monkeypatch, bucket, tries=1)


def test_requested_bytes(store, bucket):
    """A header, then the bytes that are read, at least 16, but none that have been fetched already."""
    file = RemoteFile(store, "a", 1000, md5(CONTENT))
    for start, length, asked in (
        (0, 10, [(0, 63)]),
        (5, 59, []),
        (60, 10, [(64, 79)]),
        (200, 100, [(200, 299)]),
        # up to where the next part begins
        (190, 20, [(190, 199)]),
        (189, 1, [(189, 189)]),
        (299, 1, []),
        (299, 2, [(300, 315)]),
        (0, 400, [(80, 188), (316, 399)]),
        (990, 1, [(990, 999)]),
        (995, 100, []),
        (985, 100, [(985, 989)]),
        (400, 585, [(400, 984)]),
        (0, 1000, []),
        (1000, 5, []),
        (2000, 5, []),
        (7, 0, []),
    ):
        bucket.read.clear()
        assert file.read(start, length) == CONTENT[start : start + length]
        assert bucket.ranges == asked, (start, length)
        assert {options["IfMatch"] for options in bucket.read} <= {f'"{md5(CONTENT)}"'}


class Large:
    """A store with a file of zeros that records requests."""

    def __init__(self):
        self.asked = []

    def read(self, key, size, etag):
        self.asked.append(size)
        return bytes(size)

    def read_range(self, key, start, length, size, etag):
        self.asked.append((start, length))
        return bytes(length)


def test_sizes_of_parts():
    """A header of 16 kB, at least 1 kB later, and files up to 2 MB at once."""
    store = Large()
    file = RemoteFile(store, "a", 2_000_001, "")
    for start in (0, 1_000_000):
        file.read(start, 1)
    RemoteFile(store, "a", 2_000_000, "")
    assert store.asked == [(0, 16_384), (1_000_000, 1024), 2_000_000]


def test_the_header_is_requested_only_at_the_start(store, bucket):
    file = RemoteFile(store, "a", 1000, "")
    assert file.read(1, 3) == CONTENT[1:4]
    assert file.read(0, 500) == CONTENT[:500]
    # the start of the file has already been fetched
    assert bucket.ranges == [(1, 16), (0, 0), (17, 499)]


@pytest.mark.parametrize(("size", "asked"), [(99, [None]), (100, [None]), (101, [(0, 63), (64, 100)])])
def test_a_small_file_is_fetched_at_once(store, bucket, size, asked):
    bucket.objects["a"] = CONTENT[:size]
    file = RemoteFile(store, "a", size, md5(CONTENT[:size]))
    assert file.read(0, 7) + file.read(7, 1000) == CONTENT[:size]
    assert bucket.ranges == asked


def test_the_checksum_of_a_small_file_is_compared(store, bucket):
    bucket.objects["a"] = CONTENT[:99]
    bucket.answers = [{"Body": io.BytesIO(bytes(99))}]
    with pytest.raises(RemoteError) as error:
        RemoteFile(store, "a", 99, md5(CONTENT[:99]))
    assert str(error.value) == "s3://eodata/a: the data received do not match the store's checksum"


def test_a_position_in_a_file(store, bucket):
    cursor = Cursor(RemoteFile(store, "a", 1000, ""))
    assert (cursor.readable(), cursor.seekable(), cursor.writable(), cursor.tell()) == (True, True, False, 0)
    assert [cursor.seek(700), cursor.seek(-3, 1), cursor.seek(5, 1), cursor.seek(-10, 2), cursor.seek(4, 0)] == [700, 697, 702, 990, 4]  # fmt: skip
    assert bucket.read == []
    assert (cursor.read(6), cursor.tell(), cursor.read(0), cursor.read(2)) == (
        CONTENT[4:10],
        10,
        b"",
        CONTENT[10:12],
    )
    assert cursor.read() == CONTENT[12:]
    assert (cursor.tell(), cursor.read(), cursor.read(3), cursor.tell()) == (1000, b"", b"", 1000)
    cursor.seek(-1, 2)
    assert (cursor.read(9), cursor.tell()) == (CONTENT[-1:], 1000)


@pytest.mark.parametrize("error", [refusal(503), refusal(403)])
def test_nothing_is_requested_after_an_error(store, bucket, error):
    """GDAL does not pass on exceptions; all positions in the same file share the error."""
    file = RemoteFile(store, "a", 1000, "")
    first, second = Cursor(file), Cursor(file)
    assert first.read(10) == CONTENT[:10]
    bucket.answers = [error]
    second.seek(500)
    assert (second.read(10), second.tell(), first.read(10), first.tell()) == (b"", 500, b"", 10)
    assert bucket.ranges == [(0, 63), (500, 515)]
    assert isinstance(file.error, RemoteError if "503" in str(file.error) else TigerbushError)
    assert str(file.error).startswith("s3://eodata/a: AWS ")


def image(driver, **options):
    """An image of 300 x 300 pixels in blocks, and its pixels."""
    pixels = np.random.default_rng(1).integers(200, 4000, (300, 300), np.uint16)
    profile = {"width": 300, "height": 300, "count": 1, "dtype": "uint16", "transform": PLACE, "tiled": True}
    with rasterio.MemoryFile(ext=".jp2" if driver == "JP2OpenJPEG" else ".tif") as file:
        with file.open(driver=driver, **profile, **options) as out:
            out.write(pixels, 1)
        return file.read(), pixels


PLACE = rasterio.Affine(10, 0, 600000, 0, -10, 5900040)
JP2 = {"BLOCKXSIZE": "128", "BLOCKYSIZE": "128", "REVERSIBLE": "YES", "QUALITY": "100"}


@pytest.fixture(scope="module")
def tif():
    return image("GTiff", blockxsize=64, blockysize=64, compress="DEFLATE")


@pytest.fixture(scope="module")
def jp2():
    return image("JP2OpenJPEG", **JP2)


def test_gdal_reads_a_remote_image(monkeypatch, bucket, store, tif):
    """It looks for no sidecar files; no byte is requested twice, and few of other blocks."""
    content, pixels = tif
    bucket.objects["b.tif"] = content
    file = RemoteFile(store, "b.tif", len(content), "")
    with open_remote(file, "b.tif") as opened:
        np.testing.assert_array_equal(opened.read(1, window=((70, 120), (130, 190))), pixels[70:120, 130:190])
    assert {options["Key"] for options in bucket.read} == {"b.tif"}
    asked = sorted(bucket.ranges)
    assert all(before[1] < after[0] for before, after in pairwise(asked))
    # a block of 64 x 64 pixels of 12 random bits
    assert 64 < sum(last - first + 1 for first, last in asked) < 2 * 64 * 64 * 2


@pytest.mark.parametrize("error", [refusal(503), refusal(403)])
def test_errors_while_gdal_is_reading(store, bucket, tif, error):
    content, _ = tif
    bucket.objects["b.tif"] = content
    file = RemoteFile(store, "b.tif", len(content), "")
    bucket.answers = [None, error]
    with pytest.raises((TigerbushError, RemoteError)) as raised, open_remote(file, "b.tif") as opened:
        opened.read(1, window=((290, 300), (290, 300)))
    assert raised.value is file.error
    assert raised.value.__suppress_context__


def test_other_errors_and_errors_that_gdal_ignores(store, bucket, tif):
    bucket.objects["b.tif"], _ = tif
    file = RemoteFile(store, "b.tif", len(tif[0]), "")
    with pytest.raises(ZeroDivisionError), open_remote(file, "b.tif"):
        1 / 0  # noqa: B018
    error = RemoteError("late")
    with pytest.raises(RemoteError) as raised, open_remote(file, "b.tif"):
        file.error = error
    assert raised.value is error
    bucket.objects["c.tif"] = bytes(len(tif[0]))
    with (
        pytest.raises(rasterio.errors.RasterioIOError),
        open_remote(RemoteFile(store, "c.tif", len(tif[0]), ""), "c.tif"),
    ):
        pass


def row(name, etag="upload-2"):
    return {"name": name, "etag": etag}


def test_images_without_a_checksum_are_decoded(tif, jp2):
    """For other files nothing is known, or the checksum was compared."""
    for name, content in (("a/b.tif", tif[0]), ("a/b.jp2", jp2[0]), ("a/b.xml", b"junk"), ("a/b.gml", b"")):
        check_decodes("label", row(name), content)
    for name in ("a/b.tif", "a/b.jp2"):
        check_decodes("label", row(name, "0" * 32), b"junk")
        for etag in ("", "upload-2"):
            with pytest.raises(
                RemoteError, match=r"^label: the data received cannot be decoded \(.*not recogni[sz]ed"
            ):
                check_decodes("label", row(name, etag), b"junk")


def test_every_block_is_decoded(tif, jp2):
    """Damage in the last block; in JPEG 2000 the codestream reveals what decoders ignore."""
    content = bytearray(tif[0])
    with rasterio.MemoryFile(tif[0]) as file, file.open() as opened:
        offset = int(opened.get_tag_item("BLOCK_OFFSET_4_4", "TIFF", 1))
    content[offset : offset + 20] = bytes(20)
    with pytest.raises(RemoteError, match=r"^label: the data received cannot be decoded \("):
        check_decodes("label", row("b.tif"), bytes(content))
    content = bytearray(jp2[0])
    content[-1002:-2] = bytes(1000)
    with pytest.raises(RemoteError, match=r"^label: the data received are damaged: tile 8 holds \d+ bytes of 0x00 in a row, \d+ bytes from its start$"):  # fmt: skip
        check_decodes("label", row("b.jp2"), bytes(content))


def test_names_of_files():
    assert checked_name(row("GRANULE/x/IMG_DATA/T33TVL_B04.jp2")) == "GRANULE/x/IMG_DATA/T33TVL_B04.jp2"
    for name in ("../a", "/a", "a//b", "a\n", ""):
        with pytest.raises(TigerbushError) as error:
            checked_name(row(name))
        assert str(error.value) == f"files.tsv: {name!r} is not the name of a file in a product; run ./tigerbush discover."  # fmt: skip
