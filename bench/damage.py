"""Rows for checking JPEG 2000 files for damage: its cost, and the damage that it detects.

The band is synthetic, encoded like ESA's own: tiles of 1024 pixels, precincts of 256, packet lengths (PLT).
"""

import struct
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from bench.stream import write_band
from bench.table import Row, cpu_seconds
from tigerbush.jp2 import check_codestream
from tigerbush.jp2_header import DamagedError
from tigerbush.raster import GDAL_ERRORS

ESA = {"plt": "YES", "precincts": ",".join(["{256,256}"] * 5), "resolutions": 5, "nbits": 14}
SITE, HOLE = 132, 4096

Part = tuple[int, int]
Box = tuple[int, int, int, int]
Kind = Callable[[bytearray, Part, np.random.Generator], None]


def flip(content: bytearray, part: Part, random: np.random.Generator) -> None:
    """Flip a bit."""
    content[random.integers(*part)] ^= 1 << random.integers(8)


def cut(content: bytearray, part: Part, random: np.random.Generator) -> None:
    """Zero the rest of a tile, like a transfer that broke off."""
    start = random.integers(*part)
    content[start : part[1]] = bytes(part[1] - start)


def hole(content: bytearray, part: Part, random: np.random.Generator) -> None:
    """Zero a block, like a bad block of a disk."""
    start = random.integers(part[0], part[1] - HOLE)
    content[start : start + HOLE] = bytes(HOLE)


def mix(content: bytearray, part: Part, random: np.random.Generator) -> None:
    """Replace a block by one from elsewhere in the tile."""
    start, other = random.integers(part[0], part[1] - HOLE, 2)
    content[start : start + HOLE] = content[other : other + HOLE]


KINDS: dict[str, Kind] = {
    "a bit flipped": flip,
    "zeros to the end of a tile": cut,
    "4 kB of zeros": hole,
    "4 kB from elsewhere": mix,
}


def tiles(content: bytes) -> list[Part]:
    """Return start and end of the data of each tile."""
    parts, position = [], content.index(b"\xff\x90\x00\x0a")
    while content[position : position + 2] == b"\xff\x90":
        (length,) = struct.unpack(">I", content[position + 6 : position + 10])
        parts.append((content.index(b"\xff\x93", position) + 2, position + length))
        position += length
    return parts


def check(content: bytes, window: Box | None = None) -> str:
    """Check a file in memory."""
    return check_codestream(lambda start, length: content[start : start + length], len(content), window)


def decode(content: bytes, window: Box | None = None) -> np.ndarray:
    """Decode a file in memory."""
    with rasterio.MemoryFile(content) as file, file.open() as image:
        return image.read(window=Window(*window) if window else None)


def outcome(whole: bytes, window: Box, pixels: np.ndarray, kind: Kind, random: np.random.Generator) -> str:
    """Damage the tile of a window; tell whether that is detected, harmless to its pixels, or silent."""
    content = bytearray(whole)
    kind(content, tiles(whole)[0], random)
    content = bytes(content)
    try:
        check(content, window)
        same = np.array_equal(decode(content, window), pixels)
    except (DamagedError, *GDAL_ERRORS):
        return "detected"
    return "harmless" if same else "silent"


def damage(small: bool) -> Iterator[Row]:
    """Measure the check against decoding, for a window and a band; then count how much damage is detected."""
    # these files have no georeference
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    side, trials = (600, 3) if small else (5490, 200)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "band.jp2"
        write_band(path, side, **ESA)
        content = path.read_bytes()
        middle = (side // 2, side // 2, SITE, SITE)
        for name, window, repeats in (("a window of 132 x 132", middle, 9), ("a whole band", None, 1)):
            checking, decoding = cpu_seconds(
                lambda window=window: check(content, window),
                lambda window=window: decode(content, window),
                repeats=repeats,
            )
            title = f"checking {name} for damage" + ("" if window else f", {side} x {side}")
            yield Row(title, checking, f"{checking / decoding:.2%} of decoding it, target 3 %")
        for name, options in (("with packet lengths", ESA), ("without", {})):
            write_band(path, 1020, **options)
            whole, window = path.read_bytes(), (444, 444, SITE, SITE)
            pixels, random = decode(whole, window), np.random.default_rng(0)
            for text, kind in KINDS.items():
                start = time.process_time()
                counts = Counter(outcome(whole, window, pixels, kind, random) for _ in range(trials))
                outcomes = ", ".join(f"{counts[key]} {key}" for key in ("detected", "harmless", "silent"))
                yield Row(f"  {text}, {name}", time.process_time() - start, outcomes)
