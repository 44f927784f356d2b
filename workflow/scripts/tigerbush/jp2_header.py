"""Headers of JPEG 2000 files (ISO/IEC 15444-1, annexes A and I), as far as needed to find tiles and their packets."""

import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

SOT, SOD, COD, PLT = 0xFF90, 0xFF93, 0xFF52, 0xFF58
_SOC, _SIZ, _COC, _TLM, _PPM, _PPT = b"\xff\x4f", 0xFF51, 0xFF53, 0xFF55, 0xFF60, 0xFF61
# COD, COC, PLT, QCD, QCC, RGN, POC, PPT, COM
IN_TILE = {COD, _COC, PLT, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, _PPT, 0xFF64}

Read = Callable[[int, int], bytes]


class DamagedError(ValueError):
    """A codestream that no encoder writes; the message says what is wrong and where, for the caller's sentence."""


@dataclass(frozen=True)
class Style:
    """How a component is coded: decomposition levels, code blocks, exponents of precinct sizes by resolution."""

    levels: int
    block: tuple[int, int]
    modes: int
    precincts: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Coding:
    """Contents of COD, COC and PPM or PPT: markers in packets, layers, styles; whether packet headers are packed."""

    sop: bool = False
    eph: bool = False
    layers: int = 1
    default: Style | None = None
    components: Mapping[int, Style] = field(default_factory=dict)
    packed: bool = False


@dataclass(frozen=True)
class Header:
    """The main header.

    Attributes
    ----------
    area, tile : (x0, y0, x1, y1) and (x0, y0, width, height)
        Image area and first tile on the reference grid.
    steps : sequence of (dx, dy)
        Sampling steps of each component.
    coding : Coding
    lengths : sequence of (tile, length)
        Tile and length of the tile-parts, in order, as far as TLM segments list them.
    stop : int
        Position of the first tile-part.
    """

    area: tuple[int, int, int, int]
    tile: tuple[int, int, int, int]
    steps: Sequence[tuple[int, int]]
    coding: Coding
    lengths: Sequence[tuple[int, int]]
    stop: int

    @property
    def columns(self) -> int:
        """Number of tiles in a row."""
        return ceil_div(self.area[2] - self.tile[0], self.tile[2])

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return self.columns * ceil_div(self.area[3] - self.tile[1], self.tile[3])

    def tiles_in(self, window: tuple[int, int, int, int] | None) -> Collection[int]:
        """Return the tiles that intersect a window (column, row, width, height); None is the whole image."""
        if window is None:
            return range(self.tiles)
        spans = []
        for axis in (0, 1):
            low, high = self.area[axis], self.area[axis + 2]
            first = low + window[axis] * self.steps[0][axis]
            last = first + window[axis + 2] * self.steps[0][axis] - 1
            first, last = (min(max(edge, low), high - 1) - self.tile[axis] for edge in (first, last))
            spans.append(range(first // self.tile[axis + 2], last // self.tile[axis + 2] + 1))
        return [row * self.columns + column for row in spans[1] for column in spans[0]]

    def bounds(self, tile: int) -> tuple[int, int, int, int]:
        """Return x0, y0, x1, y1 of a tile on the reference grid."""
        row, column = divmod(tile, self.columns)
        x, y = self.tile[0] + column * self.tile[2], self.tile[1] + row * self.tile[3]
        x0, y0, x1, y1 = self.area
        return max(x, x0), max(y, y0), min(x + self.tile[2], x1), min(y + self.tile[3], y1)


def ceil_div(number: int, divisor: int) -> int:
    """Divide and round up."""
    return -(-number // divisor)


def find_codestream(read: Read, size: int) -> tuple[int, int]:
    """Return where the codestream begins and ends (annex I.4: boxes with lengths of 32 or 64 bits)."""
    position = 0
    while position < size:
        length, kind = struct.unpack(">I4s", read(position, 8))
        head = 8
        if length == 1:
            head, length = 16, struct.unpack(">Q", read(position + 8, 8))[0]
        elif length == 0:
            length = size - position
        if kind == b"jp2c":
            return position + head, min(position + length, size)
        if length < head:
            break
        position += length
    raise DamagedError("it has no complete codestream")


def marker_segments(read: Read, position: int, end: int, stop: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield code, content and end of each marker segment, and last the marker `stop`, which has no content."""
    while position + 2 <= end:
        code = int.from_bytes(read(position, 2), "big")
        if code == stop:
            yield code, b"", position + 2
            return
        length = int.from_bytes(read(position + 2, 2), "big")
        if code < 0xFF00 or length < 2 or position + 2 + length > end:
            break
        content = read(position + 4, length - 2)
        position += 2 + length
        yield code, content, position
    raise DamagedError("a header is not a list of marker segments")


def read_header(read: Read, start: int, end: int) -> Header:
    """Read the main header of a codestream.

    Raises
    ------
    DamagedError, struct.error, IndexError, ValueError
        When it is not a main header, or a marker segment is truncated.
    """
    if read(start, 2) != _SOC:
        raise DamagedError("its codestream does not start with SOC")
    coding, lengths = Coding(), []
    area = tile = steps = None
    for code, content, segment_end in marker_segments(read, start + 2, end, SOT):
        stop = segment_end - 2
        if code == _SIZ:
            x1, y1, x0, y0, width, height, left, top, count = struct.unpack(">8IH", content[2:36])
            area, tile = (x0, y0, x1, y1), (left, top, width, height)
            steps = [(content[37 + 3 * i], content[38 + 3 * i]) for i in range(count)]
            fits = left <= x0 < x1 and top <= y0 < y1 and width and height
            if not fits or not steps or not all(map(all, steps)):
                raise DamagedError("the image size in its header is invalid")
        elif code == _TLM:
            lengths += _tile_lengths(content, len(lengths))
        elif steps:
            coding = apply_segment(coding, code, content, len(steps))
    if steps is None or coding.default is None:
        raise DamagedError("its main header is incomplete")
    return Header(area, tile, steps, coding, lengths, stop)


def _tile_lengths(content: bytes, first: int) -> list[tuple[int, int]]:
    """Return tile and length of the tile-parts in a TLM segment; without tile numbers, tiles are in order."""
    number_format = {0: "", 1: "B", 2: "H"}.get(content[1] >> 4 & 3)
    if number_format is None:
        raise DamagedError("its TLM segment is invalid")
    entries = list(struct.iter_unpack(f">{number_format}{'I' if content[1] & 0x40 else 'H'}", content[2:]))
    return [(entry[0] if number_format else first + i, entry[-1]) for i, entry in enumerate(entries)]


def apply_segment(coding: Coding, code: int, content: bytes, components: int) -> Coding:
    """Return the coding of a tile updated by one more marker segment of its header."""
    if code == COD:
        return replace(
            coding,
            # the main header alone may announce the markers
            sop=coding.sop or bool(content[0] & 2),
            eph=coding.eph or bool(content[0] & 4),
            layers=struct.unpack(">H", content[2:4])[0],
            default=_style(content[5:], content[0]),
        )
    if code == _COC:
        wide = components > 256
        component = int.from_bytes(content[: 1 + wide], "big")
        style = _style(content[2 + wide :], content[1 + wide])
        return replace(coding, components={**coding.components, component: style})
    return replace(coding, packed=True) if code in {_PPM, _PPT} else coding


def _style(content: bytes, flags: int) -> Style:
    levels, width, height, modes = content[:4]
    if levels > 32 or max(width, height) > 8:
        raise DamagedError("a COD or COC segment is invalid")
    # without sizes, precincts have their maximum size
    sizes = [content[5 + i] for i in range(levels + 1)] if flags & 1 else [0xFF] * (levels + 1)
    return Style(levels, (4 << width, 4 << height), modes, [(size & 15, size >> 4) for size in sizes])
