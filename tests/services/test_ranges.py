"""Windows of large images: only the bytes that are needed, fetched concurrently, and the same pixels."""

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from fabricate import name_of
from seaweedfs import PUBLIC
from tigerbush.errors import RemoteError, TigerbushError
from tigerbush.grid import Grid
from tigerbush.planning.tables import file_row
from tigerbush.sites import stream
from tigerbush.sites.stream import read_remote_window
from tigerbush.sources import retries
from tigerbush.sources.ranges import WHOLE_FILE_BYTES, RemoteFile, open_remote
from tigerbush.sources.store import Store

SIDE = 2400
GRID = Grid(600000, 5900040, 10, SIDE, SIDE)
OPTIONS = {
    "jp2": {"driver": "JP2OpenJPEG", "REVERSIBLE": "YES", "QUALITY": "100", "BLOCKXSIZE": "256", "BLOCKYSIZE": "256"},
    "tif": {"driver": "COG", "COMPRESS": "DEFLATE", "BLOCKSIZE": "256", "OVERVIEWS": "NONE"},
}  # fmt: skip


@pytest.fixture(scope="module")
def pixels():
    random = np.random.default_rng(0)
    return random.integers(200, 4000, (SIDE, SIDE), dtype=np.uint16)


@pytest.fixture(scope="module", params=OPTIONS)
def row(request, seaweedfs, pixels, tmp_path_factory):
    """The row of files.tsv for a band of 10 x 10 tiles of some 100 kB."""
    path = tmp_path_factory.mktemp("large") / f"T31UFU_20200116T100000_B04.{request.param}"
    profile = {"width": SIDE, "height": SIDE, "count": 1, "dtype": "uint16", "crs": "EPSG:32631"}
    transform = rasterio.Affine(10, 0, GRID.x, 0, -10, GRID.y)
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", transform=transform, **profile) as image:
            image.write(pixels, 1)
        with memory.open() as image:
            rasterio.shutil.copy(image, path, **OPTIONS[request.param])
    seaweedfs.put(PUBLIC, f"large/{path.name}", path.read_bytes())
    [band] = Store(PUBLIC, endpoint_url=seaweedfs.url, anonymous=True).objects(f"large/{path.name}")
    assert band.size > 3 * WHOLE_FILE_BYTES
    return file_row(name_of(), ("band", "B4"), f"IMG_DATA/{path.name}", band.key, band.size, band.etag)


def window(x, y, side):
    return Grid(GRID.x + 10 * x, GRID.y - 10 * y, 10, side, side)


def store(server, **options):
    return Store(PUBLIC, endpoint_url=server.url, anonymous=True, timeout=0.5, **options)


@pytest.mark.parametrize(
    ("x", "y", "side", "tiles"),
    [(1300, 1300, 50, 1), (1250, 1250, 100, 4), (0, 0, 10, 1), (2390, 2390, 10, 1)],
)
def test_a_window_fetches_its_tiles_only(proxy, row, pixels, x, y, side, tiles):
    data = read_remote_window(store(proxy), row, GRID, window(x, y, side), 32631)
    np.testing.assert_array_equal(data[0], pixels[y : y + side, x : x + side])
    fetched = sum(size for _, _, size in proxy.requests)
    # two headers of 16 kB and 1 kB for each tile before it; no tile is twice as large as another
    assert fetched < int(row["size"]) / 100 * tiles * 1.3 + 2 * 16384 + 100 * 1024
    assert {path.partition("?")[0] for _, path, _ in proxy.requests} == {f"/{PUBLIC}/{row['key']}"}


def test_windows_of_several_bands_are_fetched_concurrently(proxy, row):
    """Latency dominates the cost of a window; those of four bands are requested at the same time."""
    proxy.latency = 0.3
    connected = store(proxy)
    with stream.ThreadPoolExecutor(connected.connections) as pool:
        stream._run_all(
            pool, lambda row: read_remote_window(connected, row, GRID, window(300, 300, 50), 32631), [row] * 4
        )
    assert proxy.max_concurrent == 4


@pytest.mark.parametrize("fault", ["503", "429", "reset", "truncate", "stall"])
def test_faults_in_the_middle_of_a_window(proxy, row, pixels, monkeypatch, fault):
    monkeypatch.setattr(retries, "WAIT_SECONDS", 0.01)
    proxy.fault(fault, "B04", times=2)
    data = read_remote_window(store(proxy), row, GRID, window(300, 300, 50), 32631)
    np.testing.assert_array_equal(data[0], pixels[300:350, 300:350])
    proxy.fault(fault, "B04")
    with pytest.raises(RemoteError, match=r"B04\.(jp2|tif): (http://127|received \d+ of \d+ bytes)"):
        read_remote_window(store(proxy), row, GRID, window(300, 300, 50), 32631)


def test_an_image_that_changes_while_it_is_read(proxy, row):
    """Every request names the ETag of the table: a window never mixes two images."""
    with pytest.raises(TigerbushError, match="has changed since it was listed"):
        read_remote_window(store(proxy), row | {"etag": "0" * 32}, GRID, window(300, 300, 50), 32631)


def test_an_image_of_another_size(proxy, row):
    grid = Grid(GRID.x, GRID.y, 10, SIDE + 6, SIDE + 6)
    with pytest.raises(
        TigerbushError,
        match=r"has 2400 x 2400 pixels, but MTD_TL\.xml states 2406|does not contain the window",
    ):
        read_remote_window(store(proxy), row, grid, window(2380, 2380, 26), 32631)


def test_an_image_that_is_truncated_in_the_store(seaweedfs, row):
    cut = seaweedfs.admin.get_object(Bucket=PUBLIC, Key=row["key"])["Body"].read()[: int(row["size"]) // 3]
    suffix = row["key"][-4:]
    seaweedfs.put(PUBLIC, "large/cut" + suffix, cut)
    [truncated] = store(seaweedfs).objects("large/cut" + suffix)
    changed = row | {"key": truncated.key, "size": str(truncated.size), "etag": truncated.etag}
    with pytest.raises(TigerbushError, match=r"is not a complete JP2 file|cannot be decoded"):
        read_remote_window(store(seaweedfs), changed, GRID, window(2300, 2300, 50), 32631)


def test_damage_that_keeps_the_length(proxy, row, pixels):
    """It may go unnoticed, because JPEG 2000 has no checksum; in a COG the compression reveals it."""
    proxy.fault("corrupt", "B04")
    try:
        read_remote_window(store(proxy), row, GRID, window(300, 300, 50), 32631)
    except (TigerbushError, RemoteError) as error:
        assert "B04" in str(error)


@pytest.fixture
def damaged(seaweedfs, row):
    """Upload a copy of the band with changed bytes; return its row."""

    def put(name, change):
        content = bytearray(seaweedfs.admin.get_object(Bucket=PUBLIC, Key=row["key"])["Body"].read())
        change(content)
        key = f"large/{name}/{row['key'].rpartition('/')[2]}"
        seaweedfs.put(PUBLIC, key, bytes(content))
        [copy] = store(seaweedfs).objects(key)
        return row | {"key": copy.key, "etag": copy.etag}

    return put


def zeros_at_the_end_of_tile_11(content):
    start = content.index(b"\xff\x90\x00\x0a")
    for _ in range(11):
        start += int.from_bytes(content[start + 6 : start + 10], "big")
    end = start + int.from_bytes(content[start + 6 : start + 10], "big")
    content[end - 40_000 : end] = bytes(40_000)


@pytest.mark.parametrize("row", ["jp2"], indirect=True)
def test_a_tile_that_ends_in_zeros(seaweedfs, proxy, damaged, pixels):
    """Another attempt may fetch the right bytes; windows outside the tile are unaffected."""
    row = damaged("zeros", zeros_at_the_end_of_tile_11)
    with pytest.raises(
        RemoteError,
        match=rf"^s3://{PUBLIC}/{row['key']}: the data received are damaged: tile 11 holds 6\d bytes of 0x00 in a row, "
        r"\d+ bytes from its start$",
    ):
        read_remote_window(store(proxy), row, GRID, window(300, 300, 50), 32631)
    data = read_remote_window(store(proxy), row, GRID, window(560, 300, 50), 32631)
    np.testing.assert_array_equal(data[0], pixels[300:350, 560:610])


@pytest.mark.parametrize("row", ["jp2"], indirect=True)
def test_a_check_requests_little_more_than_the_decoder(proxy, row):
    """The end of the file, and the start of the tile after the last one."""
    with open_remote(RemoteFile(store(proxy), row["key"], int(row["size"]), row["etag"]), "a.jp2") as image:
        image.read(window=((1300, 1350), (1300, 1350)))
    decoder = len(proxy.requests)
    proxy.requests.clear()
    read_remote_window(store(proxy), row, GRID, window(1300, 1300, 50), 32631)
    assert decoder <= len(proxy.requests) <= decoder + 2
