"""Windows of remote images: which bytes are fetched, to which pixels, and damage; all in memory."""

from itertools import pairwise

import numpy as np
import pytest
import rasterio

from fabricate import name_of
from stores_in_memory import Bucket, md5, store_of, without_waiting
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.grid import Grid
from tigerbush.planning.tables import file_row
from tigerbush.sites.stream import read_remote_window
from tigerbush.sources import ranges


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    return without_waiting(monkeypatch)


# an image larger than what is fetched at once
SIDE = 300
GRID = Grid(600000, 5900040, 10, SIDE, SIDE)
OPTIONS = {
    "jp2": {"driver": "JP2OpenJPEG", "REVERSIBLE": "YES", "QUALITY": "100", "blockxsize": 128, "blockysize": 128},
    "tif": {"driver": "GTiff", "compress": "DEFLATE", "blockxsize": 128, "blockysize": 128},
}  # fmt: skip


class Large:
    """An image of 3 x 3 tiles in a bucket."""

    def __init__(self, suffix):
        self.pixels = np.random.default_rng(4).integers(200, 4000, (SIDE, SIDE), np.uint16)
        profile = {"width": SIDE, "height": SIDE, "count": 1, "dtype": "uint16", "tiled": True}
        place = rasterio.Affine(10, 0, GRID.x, 0, -10, GRID.y)
        with rasterio.MemoryFile(ext=f".{suffix}") as file:
            with file.open(**profile, **OPTIONS[suffix], transform=place, crs="EPSG:32631") as out:
                out.write(self.pixels, 1)
            self.content = file.read()
        self.row = file_row(
            name_of(), ("band", "B4"), f"IMG_DATA/B04.{suffix}", "k", len(self.content), md5(self.content)
        )


@pytest.fixture(scope="module", params=OPTIONS)
def large(request):
    return Large(request.param)


@pytest.fixture
def small_parts(monkeypatch):
    for name, value in {"WHOLE_FILE_BYTES": 0, "HEAD_BYTES": 2048, "MIN_BYTES": 256}.items():
        monkeypatch.setattr(ranges, name, value)


def window(x, y, width, height):
    return Grid(GRID.x + 10 * x, GRID.y - 10 * y, 10, width, height)


@pytest.mark.parametrize(
    ("x", "y", "width", "height", "tiles"),
    [(130, 5, 20, 30, 1), (120, 250, 17, 9, 4), (0, 0, 300, 300, 9), (299, 299, 1, 1, 1)],
)
def test_a_window_fetches_only_its_tiles(monkeypatch, small_parts, large, x, y, width, height, tiles):
    """No byte comes twice; of a JPEG 2000 file also the header, the end, and where each tile begins."""
    bucket = Bucket({"k": large.content})
    store = store_of(monkeypatch, bucket)
    data = read_remote_window(store, large.row, GRID, window(x, y, width, height), 32631)
    np.testing.assert_array_equal(data, large.pixels[None, y : y + height, x : x + width])
    assert {(options["Key"], options["IfMatch"]) for options in bucket.read} == {
        ("k", f'"{md5(large.content)}"')
    }
    assert bucket.ranges[0] == (0, 2047)
    if large.row["name"].endswith("jp2"):
        assert bucket.ranges[1] == (len(large.content) - 2, len(large.content) - 1)
    asked = sorted(bucket.ranges)
    assert all(before[1] < after[0] for before, after in pairwise(asked))
    # 12 random bits a pixel do not compress to less
    largest = 128 * 128 * 2
    assert sum(last - first + 1 for first, last in asked) <= tiles * largest + 2048 + 2 + 9 * 256


def test_an_unknown_size_is_requested(monkeypatch, small_parts, large):
    bucket = Bucket({"k": large.content})
    store = store_of(monkeypatch, bucket)
    data = read_remote_window(store, large.row | {"size": "0"}, GRID, window(3, 4, 5, 6), 32631)
    np.testing.assert_array_equal(data[0], large.pixels[4:10, 3:8])
    assert bucket.ranges[0] == (0, 0)


def damaged(content, first, last):
    return content[:first] + bytes(last - first) + content[last:]


def refused(monkeypatch, large, content, place=(290, 290, 10, 10), grid=GRID):
    bucket = Bucket({"k": content})
    row = large.row | {"size": str(len(content)), "etag": "x-2"}
    bucket.get_object = lambda get=bucket.get_object, **options: get(**{k: v for k, v in options.items() if k != "IfMatch"})  # fmt: skip
    with pytest.raises((TigerbushError, RemoteError)) as error:
        read_remote_window(store_of(monkeypatch, bucket, tries=1), row, grid, window(*place), 32631)
    return error.value


@pytest.mark.parametrize("large", ["jp2"], indirect=True)
def test_damage_of_jpeg_2000(monkeypatch, large):
    """Only tiles that are touched count; another try may bring the right bytes, but not of a file that was cut short."""
    content = large.content
    error = refused(monkeypatch, large, content[:-9])
    assert isinstance(error, TigerbushError)
    assert str(error) == (
        "s3://eodata/k is not a complete JP2 file (truncated?); fetch the product again, then run ./tigerbush retry."
    )
    assert str(refused(monkeypatch, large, b"X" + content[1:])) == (
        "s3://eodata/k is not a JP2 file; restore it from an intact copy, then run ./tigerbush retry."
    )
    zeros = damaged(content, len(content) - 1000, len(content) - 2)
    error = refused(monkeypatch, large, zeros)
    assert isinstance(error, RemoteError)
    assert str(error).startswith("s3://eodata/k: the data received are damaged: tile 8 holds ")
    bucket = Bucket({"k": zeros})
    row = large.row | {"etag": md5(zeros)}
    data = read_remote_window(store_of(monkeypatch, bucket), row, GRID, window(0, 0, 7, 8), 32631)
    np.testing.assert_array_equal(data[0], large.pixels[:8, :7])


@pytest.mark.parametrize("large", ["tif"], indirect=True)
def test_damage_of_a_geotiff(monkeypatch, large):
    with rasterio.MemoryFile(large.content) as file, file.open() as image:
        last = int(image.get_tag_item("BLOCK_OFFSET_2_2", "TIFF", 1))
    error = refused(monkeypatch, large, damaged(large.content, last, last + 20))
    assert isinstance(error, TigerbushError)
    assert str(error).startswith("s3://eodata/k cannot be decoded (")
    assert str(error).endswith("); restore it from an intact copy, then run ./tigerbush retry.")
    wide = Grid(GRID.x, GRID.y, 10, SIDE + 20, SIDE + 20)
    assert str(refused(monkeypatch, large, large.content, (300, 300, 10, 10), wide)) == (
        "s3://eodata/k does not contain the window needed; report this product, or delete its line from the table of products to leave it out."
    )
