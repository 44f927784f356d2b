"""What checking JPEG 2000 files for damage costs, and what it notices.

The band is synthetic, coded as ESA codes its own: tiles of 1024 pixels, precincts of 256, packet lengths (PLT).
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
    """Lose the rest of a tile, as a transfer that broke off."""
    start = random.integers(*part)
    content[start : part[1]] = bytes(part[1] - start)


def hole(content: bytearray, part: Part, random: np.random.Generator) -> None:
    """Lose a block of a disk."""
    start = random.integers(part[0], part[1] - HOLE)
    content[start : start + HOLE] = bytes(HOLE)


def mix(content: bytearray, part: Part, random: np.random.Generator) -> None:
    """Take a block from elsewhere in the tile."""
    start, other = random.integers(part[0], part[1] - HOLE, 2)
    content[start : start + HOLE] = content[other : other + HOLE]


KINDS: dict[str, Kind] = {
    "a bit flipped": flip,
    "zeros from somewhere to the end of a tile": cut,
    "4 kB of zeros": hole,
    "4 kB from elsewhere": mix,
}


def tiles(content: bytes) -> list[Part]:
    """Return beginning and end of the data of each tile."""
    found, position = [], content.index(b"\xff\x90\x00\x0a")
    while content[position : position + 2] == b"\xff\x90":
        (length,) = struct.unpack(">I", content[position + 6 : position + 10])
        found.append((content.index(b"\xff\x93", position) + 2, position + length))
        position += length
    return found


def check(content: bytes, window: Box | None = None) -> str:
    """Check a file in memory."""
    return check_codestream(lambda start, length: content[start : start + length], len(content), window)


def decode(content: bytes, window: Box | None = None) -> np.ndarray:
    """Decode a file in memory."""
    with rasterio.MemoryFile(content) as file, file.open() as image:
        return image.read(window=Window(*window) if window else None)


def outcome(whole: bytes, window: Box, pixels: np.ndarray, kind: Kind, random: np.random.Generator) -> str:
    """Damage the tile of a window; tell whether that is noticed, harmless to its pixels, or silent."""
    content = bytearray(whole)
    kind(content, tiles(whole)[0], random)
    content = bytes(content)
    try:
        check(content, window)
        same = np.array_equal(decode(content, window), pixels)
    except (DamagedError, *GDAL_ERRORS):
        return "noticed"
    return "harmless" if same else "silent"


def damage(small: bool) -> Iterator[Row]:
    """Measure the check against decoding, for a window and a band; then count what is noticed."""
    # these files have no place on earth
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    side, trials = (600, 3) if small else (5490, 200)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "band.jp2"
        write_band(path, side, **ESA)
        content = path.read_bytes()
        middle = (side // 2, side // 2, SITE, SITE)
        for name, window, repeats in (("a window of 132 x 132", middle, 9), ("a whole band", None, 1)):
            ours, theirs = cpu_seconds(
                lambda window=window: check(content, window),
                lambda window=window: decode(content, window),
                repeats=repeats,
            )
            title = f"damage looked for in {name}" + ("" if window else f", {side} x {side}")
            yield Row(title, ours, f"{ours / theirs:.2%} of decoding it, target 3 %")
        for name, options in (("with packet lengths", ESA), ("without", {})):
            write_band(path, 1020, **options)
            whole, window = path.read_bytes(), (444, 444, SITE, SITE)
            pixels, random = decode(whole, window), np.random.default_rng(0)
            for text, kind in KINDS.items():
                start = time.process_time()
                counts = Counter(outcome(whole, window, pixels, kind, random) for _ in range(trials))
                found = ", ".join(f"{counts[key]} {key}" for key in ("noticed", "harmless", "silent"))
                yield Row(f"  {text}, {name}", time.process_time() - start, found)
