"""Damage in JPEG 2000 files that decoders pass over in silence (ISO/IEC 15444-1, annexes A, B and I).

The format has no checksum, and a decoder takes zeros for packets without data. What a codestream itself tells is
checked: its tile-parts follow each other as their lengths say, none holds long runs of zeros or ones, and, where there
are packet lengths (PLT) or markers in the packets (SOP, EPH), every packet lies where it should.
"""

import struct
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise, repeat
from operator import itemgetter

import numpy as np

from tigerbush.errors import TigerbushError
from tigerbush.jp2_header import (
    COD,
    IN_TILE,
    PLT,
    SOD,
    Coding,
    DamagedError,
    Header,
    Read,
    ceil_div,
    find_codestream,
    read_header,
    segments,
    with_segment,
)

JP2_HEAD, JP2_TAIL = 12, 2
CHECKED, UNCHECKED = "checked", "unchecked"
# So many equal bytes in a row are damage; the longest run of zeros in 215,449 packets of 50 real files is 8.
RUN = 64
# scanned at once, so that what numpy makes of it stays in the processor's cache
_CHUNK = 1 << 18

_SOT, _EOC, _SOP, _EPH = b"\xff\x90", b"\xff\xd9", 0x91, 0x92  # packets' markers without their 0xFF
# styles of code blocks with bits as they are: selective bypass, and high throughput (part 15)
_RAW_BITS = 0x41


@dataclass
class Tile:
    """What is known of a tile.

    Attributes
    ----------
    number : int
    coding : Coding
    packets : int or None
        Found so far; None when they cannot be told apart.
    by_sop : bool
        They were told apart by markers that a packet may do without.
    """

    number: int
    coding: Coding
    packets: int | None = 0
    by_sop: bool = False


def check_jp2(head: bytes, tail: bytes, label: str) -> None:
    """Refuse a JP2 that was cut short: decoders fill the lost part without an error.

    ISO/IEC 15444-1: a file of boxes, of which the codestream box comes last in Sentinel-2 products
    and ends with the marker EOC (FF D9).

    Parameters
    ----------
    head, tail : bytes
        The first JP2_HEAD and the last JP2_TAIL bytes of the file.
    label : str
        The file, for the sentence.
    """
    if head != b"\x00\x00\x00\x0cjP  \r\n\x87\n" or tail != b"\xff\xd9":
        raise TigerbushError(
            f"{label} is not a whole JP2 file (cut short?); fetch the product again, then run ./tigerbush retry."
        )


def check_codestream(read: Read, size: int, window: tuple[int, int, int, int] | None = None) -> str:
    """Look for damage in the tiles of a JP2 file that a window touches.

    Parameters
    ----------
    read : callable
        Returns the bytes from a position, so many, less at the end of the file.
    size : int
        Of the file.
    window : (column, row, width, height), optional
        Pixels; without it the whole image.

    Returns
    -------
    str
        "checked", or "unchecked" where the file does not tell where its packets lie: then only the markers and lengths
        of tiles and long runs of zeros and ones were looked at.

    Raises
    ------
    DamagedError
    """
    try:
        start, end = find_codestream(read, size)
        header = read_header(read, start, end)
        if not 0 < header.tiles <= 65535:
            raise DamagedError(f"it has {header.tiles} tiles")
        tiles = {number: Tile(number, header.coding) for number in header.touched(window)}
        for number, position, length in _tile_parts(read, header, end, tiles.keys()):
            _check_part(read(position, length), header, tiles[number])
    except DamagedError:
        raise
    except (struct.error, IndexError, ValueError) as error:
        raise DamagedError("a marker segment is cut short") from error
    found = [_all_packets(header, tile) for tile in tiles.values()]
    return CHECKED if all(found) else UNCHECKED


def _all_packets(header: Header, tile: Tile) -> bool:
    """Tell whether all packets of a tile were found, or refuse one with more or less than there have to be."""
    expected = _packets(header, tile)
    if tile.packets is None or (tile.by_sop and tile.packets < expected):
        return False
    if tile.packets != expected:
        raise DamagedError(f"tile {tile.number} has {tile.packets} packets, expected {expected}")
    return True


def _tile_parts(
    read: Read, header: Header, end: int, wanted: Collection[int]
) -> Iterator[tuple[int, int, int]]:
    """Yield tile, position and length of the tile-parts of some tiles; each has to follow the one before it."""
    missing, parts, totals = set(wanted), Counter(), {}
    position, hints = header.stop, chain(header.lengths, repeat(None))
    while missing:
        hint = next(hints)
        if hint and hint[0] not in wanted:
            position += hint[1]
            continue
        start = read(position, 12)
        if start[:2] == _EOC:
            break
        tile, length, number, total = _tile_part(start, position, end)
        if hint not in (None, (tile, length)) or tile >= header.tiles or number != parts[tile]:
            raise DamagedError(f"part {number} of tile {tile} lies where another one should")
        if tile in wanted:
            yield tile, position, length
        parts[tile] += 1
        # only one of the parts need tell how many they are
        totals[tile] = total or totals.get(tile, 0)
        if parts[tile] == totals[tile]:
            missing.discard(tile)
        position += length
    if read(position, 2) not in {_SOT, _EOC}:
        raise DamagedError(f"a tile does not end where it should, at byte {position}")
    if lost := [tile for tile in sorted(missing) if parts[tile] < max(totals.get(tile, 0), 1)]:
        raise DamagedError(f"tile {lost[0]} is not whole")


def _tile_part(start: bytes, position: int, end: int) -> tuple[int, int, int, int]:
    """Return tile, length, number among the tile's parts, and their number (0: not told) from a segment SOT."""
    code, size, tile, length, number, total = struct.unpack(">2sHHIBB", start)
    # 0: to the end of the codestream, whose marker stays
    length = length or end - 2 - position
    if code != _SOT or size != 10 or length < 14 or position + length > end:
        raise DamagedError(f"a tile does not begin where it should, at byte {position}")
    return tile, length, number, total


def _check_part(part: bytes, header: Header, tile: Tile) -> None:
    """Check a tile-part, and count its packets."""
    lengths, begin = _read_part_header(part, header, tile)
    for octet, most in ((b"\x00", _zeros(header, tile)), (b"\xff", RUN)):
        found = part.find(octet * most, begin)
        if found >= 0:
            raise DamagedError(
                f"tile {tile.number} holds {most} bytes of 0x{octet.hex()} in a row, {found} bytes from its start"
            )
    coding, data = tile.coding, memoryview(part)[begin:]
    if coding.packed or tile.packets is None or not (lengths or coding.sop or coding.eph or not len(data)):
        tile.packets = None
        return
    marks = _marks(data, tile)
    starts = [position for position, code in marks if code == _SOP]
    ends = [position for position, code in marks if code == _EPH]
    number = len(ends) if coding.eph else len(starts)
    if lengths:
        starts = _starts(lengths, len(data), tile)
        number = len(starts)
    elif len(starts) < number:
        # a packet may do without SOP, but not without EPH
        starts = []
    tile.by_sop = not (lengths or coding.eph)
    if starts:
        _check_packets(data, starts, ends, tile)
    tile.packets += number


def _read_part_header(part: bytes, header: Header, tile: Tile) -> tuple[bytes, int]:
    """Return the packet lengths that the header of a tile-part gives, as they stand there, and where it ends."""

    def read(position: int, length: int) -> bytes:
        return part[position : position + length]

    lengths, begin = [], 0
    for code, content, after in segments(read, 12, len(part), SOD):
        begin = after
        if code not in {*IN_TILE, SOD}:
            raise DamagedError(f"the header of tile {tile.number} holds what does not belong there")
        if code == COD:
            # goes before what the main header says of components
            tile.coding = replace(tile.coding, components={})
        if code == PLT:
            lengths.append((content[0], content[1:]))
        tile.coding = with_segment(tile.coding, code, content, len(header.steps))
    return b"".join(text for _, text in sorted(lengths, key=itemgetter(0))), begin


def _zeros(header: Header, tile: Tile) -> int:
    """Return how many zero bytes in a row are damage."""
    x0, y0, x1, y1 = header.bounds(tile.number)
    # a packet without data may be a zero byte
    most = RUN + _packets(header, tile)
    for style in (tile.coding.default, *tile.coding.components.values()):
        width, height = style.block
        if tile.coding.layers > 1:
            # a layer may tell of every block, by a bit, that it adds nothing
            most += ceil_div(x1 - x0, width) * ceil_div(y1 - y0, height) // 8
        if style.modes & _RAW_BITS:
            most += 2 * width * height
    return most


def _marks(data: memoryview, tile: Tile) -> list[tuple[int, int]]:
    """Return position and code of the markers among packets: 0xFF before 0x90 or more is never coded data."""
    allowed = {code for code, used in ((_SOP, tile.coding.sop), (_EPH, tile.coding.eph)) if used}
    octets, marks, stop = np.frombuffer(data, np.uint8), [], 0
    for first in range(0, len(octets) - 1, _CHUNK):
        part = octets[first : first + _CHUNK + 1]
        at = np.flatnonzero(part[:-1] == 0xFF)
        at = at[part[at + 1] >= 0x90] + first
        for position, code in zip(at.tolist(), octets[at + 1].tolist(), strict=True):
            if position < stop:
                continue
            if code not in allowed:
                raise DamagedError(
                    f"tile {tile.number} holds a code that no encoder writes, {position} bytes into its data"
                )
            marks.append((position, code))
            # the number of a packet may look like a marker
            stop = position + (6 if code == _SOP else 2)
    return marks


def _starts(lengths: bytes, size: int, tile: Tile) -> list[int]:
    """Return where packets begin: lengths come in groups of 7 bits, of which the last has no eighth (annex A.7.3)."""
    starts, position, length = [], 0, 0
    for octet in lengths:
        length = length << 7 | octet & 0x7F
        if not octet & 0x80:
            starts.append(position)
            position += length
            if not 0 < length <= size:
                break
            length = 0
    if position != size or length:
        raise DamagedError(f"the packets of tile {tile.number} are longer or shorter than its data")
    return starts


def _check_packets(data: memoryview, starts: Sequence[int], ends: Sequence[int], tile: Tile) -> None:
    """Check the beginning of each packet, and the end of its header where that is marked (annexes A.8 and B.10)."""
    coding, bounds = tile.coding, [*starts, len(data)]
    whole = bounds[0] == 0 and (not coding.eph or len(ends) == len(starts))
    for i, (start, stop) in enumerate(pairwise(bounds)):
        number = (tile.packets + i) & 0xFFFF
        if coding.sop and data[start : start + 2] == b"\xff\x91":
            whole &= data[start + 2 : start + 6] == struct.pack(">HH", 4, number)
            start += 6
        header = stop
        if whole and coding.eph:
            header = ends[i]
            whole = start < header <= stop - 2
        # the first bit tells whether there is more than this byte
        empty = header == start + 1 and data[start:stop] in (b"\0", b"\0\xff\x92")
        if not (whole and start < stop and (data[start] & 0x80 or empty)):
            raise DamagedError(
                f"packet {tile.packets + i} of tile {tile.number} does not lie where it should"
            )


def _packets(header: Header, tile: Tile) -> int:
    """Return how many packets a tile has (annex B.5 to B.7): layers times precincts of all resolutions."""
    bounds, precincts = header.bounds(tile.number), 0
    for component, (dx, dy) in enumerate(header.steps):
        style = tile.coding.components.get(component, tile.coding.default)
        for level, exponents in enumerate(style.precincts):
            number = 1
            for axis, (step, exponent) in enumerate(zip((dx, dy), exponents, strict=True)):
                low, high = (
                    ceil_div(ceil_div(bounds[axis + side], step), 1 << (style.levels - level))
                    for side in (0, 2)
                )
                number *= ceil_div(high, 1 << exponent) - (low >> exponent) if high > low else 0
            precincts += number
    return tile.coding.layers * precincts
