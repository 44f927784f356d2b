"""Windows of JPEG 2000 images: bit for bit those of GDAL, from the tiles that they touch alone."""

import struct
import warnings

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from tigerbush import jp2_window
from tigerbush.jp2_header import find_codestream, read_header
from tigerbush.jp2_window import decode_window, library

WIDTH, HEIGHT = 301, 275
ESA = {"blocksize": 128, "codeblock": 16, "precincts": 32, "PLT": "YES", "NBITS": 14}
# as ESA writes bands of 10 m and of 20 m, in small; masks; markers in packets; lossy; a tile of its own
ENCODINGS = {
    "10 m": ESA,
    "20 m": ESA | {"codeblock": 8, "precincts": 64},
    "mask": {"blocksize": 128, "codeblock": 64, "kind": "uint8"},
    "bits": {"blocksize": 128, "codeblock": 64, "kind": "uint8", "NBITS": 1},
    "classes": {"blocksize": 96, "codeblock": 32, "kind": "uint8", "bands": 3},
    "markers": {"blocksize": 128, "codeblock": 32, "SOP": "YES", "EPH": "YES", "PROGRESSION": "RPCL"},
    "lossy": {"blocksize": 128, "codeblock": 32, "REVERSIBLE": "NO", "QUALITY": 20},
    "one tile": {"blocksize": 512, "codeblock": 64},
    "tile parts": {"blocksize": 128, "codeblock": 32, "TILEPARTS": "RESOLUTIONS", "TLM": "YES"},
}
WINDOWS = [
    (0, 0, 1, 1),
    (300, 274, 1, 1),
    (127, 100, 2, 60),
    (130, 140, 90, 50),
    (95, 95, 206, 180),
    (0, 0, WIDTH, HEIGHT),
]


def pixels(kind, bands, bits):
    random = np.random.default_rng(8)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    smooth = (
        0.5 + np.sin(rows / 23) * np.cos(columns / 31) / 3 + random.normal(0, 0.04, (bands, HEIGHT, WIDTH))
    )
    return np.clip(smooth * 2**bits, 0, 2**bits - 1).astype(kind)


def write(path, blocksize=128, codeblock=64, precincts=None, kind="uint16", bands=1, **options):
    data = pixels(kind, bands, int(options.get("NBITS", 8 * np.dtype(kind).itemsize)))
    levels = 5
    if precincts:
        options["PRECINCTS"] = ",".join(levels * [f"{{{precincts},{precincts}}}"])
    profile = {"REVERSIBLE": "YES", "QUALITY": 100} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="JP2OpenJPEG", tiled=True, width=WIDTH, height=HEIGHT, count=bands, dtype=kind,
            BLOCKXSIZE=blocksize, BLOCKYSIZE=blocksize, CODEBLOCK_WIDTH=codeblock, CODEBLOCK_HEIGHT=codeblock,
            RESOLUTIONS=levels, **profile,
        ) as image:  # fmt: skip
            image.write(data)
    return data


def reader(content, asked=None):
    def read(position, length):
        if asked is not None:
            asked.append((position, length))
        return content[position : position + length]

    return read


def gdal(path, window):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as image:
            return image.read(window=Window(*window))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jp2")
    data = {name: write(folder / f"{name}.jp2", **options) for name, options in ENCODINGS.items()}
    return {name: (folder / f"{name}.jp2", array) for name, array in data.items()}


def test_the_library_is_that_of_rasterio():
    assert "rasterio" in library()._name


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", ENCODINGS)
def test_windows_are_those_of_gdal(files, name, window):
    path, data = files[name]
    content = path.read_bytes()
    found, expected = decode_window(reader(content), len(content), window), gdal(path, window)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    if name != "lossy":
        column, row, width, height = window
        np.testing.assert_array_equal(found, data[:, row : row + height, column : column + width])


def test_an_image_whose_area_begins_elsewhere(files):
    """The codestream of some tiles alone is one: its area and its tiles begin at 128, 128."""
    path, data = files["10 m"]
    content = path.read_bytes()
    start, end = find_codestream(reader(content), len(content))
    header = read_header(reader(content), start, end)
    some = jp2_window._stream_of(reader(content), start, end, header, (140, 150, 150, 120))
    boxed = struct.pack(">I4s", 0, b"jp2c") + some
    assert read_header(reader(boxed), 8, len(boxed)).area == (128, 128, WIDTH, HEIGHT)
    found = decode_window(reader(boxed), len(boxed), (5, 9, 160, 130))
    np.testing.assert_array_equal(found, data[:, 137:267, 133:293])


def test_only_the_tiles_touched_are_read(files):
    """9 tiles of 128 pixels in 3 rows: of the others no more than the 12 bytes that say how long they are."""
    content = files["10 m"][0].read_bytes()
    asked = []
    decode_window(reader(content, asked), len(content), (140, 10, 30, 20))
    long = [length for position, length in asked if length > 200 and position > 200]
    assert len(long) == 1
    assert sum(length for _, length in asked) < len(content) / 4


def test_gdal_reads_what_it_alone_can(files, tmp_path, monkeypatch):
    path = files["10 m"][0]
    content, window = path.read_bytes(), (0, 0, 9, 9)
    write(tmp_path / "signed.jp2", kind="int16", NBITS=12)
    signed = (tmp_path / "signed.jp2").read_bytes()
    assert decode_window(reader(signed), len(signed), window) is None
    palette = content.replace(b"ihdr", b"pclr", 1)
    assert decode_window(reader(palette), len(palette), window) is None
    for broken in (content[: len(content) // 8], content[:300], b"", content.replace(b"jp2c", b"none")):
        assert decode_window(reader(broken), len(broken), (200, 200, 9, 9)) is None
    for limit in ("MOST_BANDS", "MOST_TILES"):
        with monkeypatch.context() as patched:
            patched.setattr(jp2_window, limit, {"MOST_BANDS": 0, "MOST_TILES": 8}[limit])
            assert decode_window(reader(content), len(content), window) is None
    monkeypatch.setattr(jp2_window, "MOST_PIXELS", 80)
    assert decode_window(reader(content), len(content), window) is None
    monkeypatch.setattr(jp2_window, "MOST_PIXELS", 81)
    assert decode_window(reader(content), len(content), window) is not None
    monkeypatch.setattr(jp2_window, "library", lambda: None)
    assert decode_window(reader(content), len(content), window) is None


def test_without_a_library(monkeypatch):
    """Neither a wheel's nor the system's; one that is no OpenJPEG."""
    for paths in ([], ["/nowhere/libopenjp2.so"], ["libc.so.6"]):
        monkeypatch.setattr(jp2_window, "_libraries", lambda paths=paths: iter(paths))
        assert library.__wrapped__() is None


def outcome(path, window):
    try:
        return gdal(path, window)
    except rasterio.errors.RasterioError:
        return None


def test_damage_is_what_gdal_makes_of_it(files, tmp_path):
    """Whatever is flipped: the pixels of GDAL, or None, so that GDAL reads and says what is wrong."""
    content, path = files["markers"][0].read_bytes(), tmp_path / "damaged.jp2"
    random, window, decoded = np.random.default_rng(5), (100, 90, 150, 120), 0
    begin = content.index(b"jp2c") + 4
    for _ in range(150):
        damaged = bytearray(content)
        place, size = random.integers(begin, len(content)), random.integers(1, 9)
        damaged[place : place + size] = random.bytes(size)
        path.write_bytes(damaged)
        found = decode_window(reader(bytes(damaged)), len(damaged), window)
        if found is not None:
            np.testing.assert_array_equal(found, outcome(path, window), strict=True)
            decoded += 1
    assert 50 < decoded < 150


@pytest.mark.data
def test_windows_of_real_products(shared_data):
    """Of all bands and masks of 51 products."""
    random = np.random.default_rng(6)
    paths = sorted((shared_data / "sentinel2").rglob("*.jp2"))
    assert len(paths) == 740
    for path in paths:
        content = path.read_bytes()
        start, end = find_codestream(reader(content), len(content))
        sides = np.array(read_header(reader(content), start, end).area[2:])
        low, high = np.sort(random.integers(0, sides + 1, (2, 2)), axis=0)
        size = np.maximum(high - low, 1)
        window = (*np.minimum(low, sides - size).tolist(), *size.tolist())
        found = decode_window(reader(content), len(content), window)
        np.testing.assert_array_equal(found, gdal(path, window), strict=True)
