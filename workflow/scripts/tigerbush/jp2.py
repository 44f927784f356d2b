"""Find damage in JPEG 2000 files that decoders silently ignore (ISO/IEC 15444-1, annexes A, B and I).

The format has no checksum, and a decoder takes zeros for packets without data. What the codestream itself reveals is
checked: its tile-parts follow each other as their lengths say, none contains long runs of zeros or ones, and, where
there are packet lengths (PLT) or markers in the packets (SOP, EPH), every packet is at its expected position.
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
    apply_segment,
    ceil_div,
    find_codestream,
    marker_segments,
    read_header,
)

JP2_HEAD, JP2_TAIL = 12, 2
CHECKED, UNCHECKED = "checked", "unchecked"
# A run of this many equal bytes is damage; the longest run of zeros in 215,449 packets of 50 real files is 8.
RUN = 64
# bytes scanned at once, so that numpy's intermediate arrays stay in the processor's cache
_CHUNK = 1 << 18

_SOT, _EOC, _SOP, _EPH = b"\xff\x90", b"\xff\xd9", 0x91, 0x92  # markers in packets without their 0xFF
# code block styles with raw bits: selective bypass, and high throughput (part 15)
_RAW_BITS = 0x41


@dataclass
class Tile:
    """A tile while its tile-parts are checked.

    Attributes
    ----------
    number : int
    coding : Coding
    packets : int or None
        Number of packets found so far; None when they cannot be told apart.
    by_sop : bool
        Whether packets were told apart by SOP markers, which a packet may lack.
    """

    number: int
    coding: Coding
    packets: int | None = 0
    by_sop: bool = False


def check_jp2(head: bytes, tail: bytes, label: str) -> None:
    """Refuse a truncated JP2 file: decoders fill the missing part without an error.

    ISO/IEC 15444-1: the file consists of boxes; in Sentinel-2 products the codestream box is the last one
    and ends with the marker EOC (FF D9).

    Parameters
    ----------
    head, tail : bytes
        The first JP2_HEAD and the last JP2_TAIL bytes of the file.
    label : str
        Name of the file in the message.
    """
    start = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
    if head != start[: len(head)]:
        raise TigerbushError(
            f"{label} is not a JP2 file; restore it from an intact copy, then run ./tigerbush retry."
        )
    if head != start or tail != b"\xff\xd9":
        raise TigerbushError(
            f"{label} is not a complete JP2 file (truncated?); fetch the product again, then run ./tigerbush retry."
        )


def check_codestream(read: Read, size: int, window: tuple[int, int, int, int] | None = None) -> str:
    """Look for damage in the tiles of a JP2 file that intersect a window.

    Parameters
    ----------
    read : callable
        Maps a position and a length to the bytes there, fewer at the end of the file.
    size : int
        Size of the file in bytes.
    window : (column, row, width, height), optional
        Window in pixels; by default the whole image.

    Returns
    -------
    str
        "checked", or "unchecked" when the file does not reveal the positions of its packets: then only the markers and
        lengths of tiles were checked, and that there are no long runs of zeros or ones.

    Raises
    ------
    DamagedError
    """
    try:
        start, end = find_codestream(read, size)
        header = read_header(read, start, end)
        if not 0 < header.tiles <= 65535:
            raise DamagedError(f"it has {header.tiles} tiles")
        tiles = {number: Tile(number, header.coding) for number in header.tiles_in(window)}
        for number, position, length in tile_parts(read, header, end, tiles.keys()):
            _check_part(read(position, length), header, tiles[number])
    except DamagedError:
        raise
    except (struct.error, IndexError, ValueError) as error:
        raise DamagedError("a marker segment is truncated") from error
    complete = [_has_all_packets(header, tile) for tile in tiles.values()]
    return CHECKED if all(complete) else UNCHECKED


def _has_all_packets(header: Header, tile: Tile) -> bool:
    """Tell whether all packets of a tile were found; refuse a tile with too many or too few."""
    expected = _count_packets(header, tile)
    if tile.packets is None or (tile.by_sop and tile.packets < expected):
        return False
    if tile.packets != expected:
        raise DamagedError(f"tile {tile.number} has {tile.packets} packets, expected {expected}")
    return True


def tile_parts(
    read: Read, header: Header, end: int, wanted: Collection[int]
) -> Iterator[tuple[int, int, int]]:
    """Yield tile, position and length of the tile-parts of the wanted tiles; each must follow the previous one."""
    missing, parts, totals = set(wanted), Counter(), {}
    position, listed = header.stop, chain(header.lengths, repeat(None))
    while missing:
        tlm_entry = next(listed)
        if tlm_entry and tlm_entry[0] not in wanted:
            position += tlm_entry[1]
            continue
        start = read(position, 12)
        if start[:2] == _EOC:
            break
        tile, length, number, total = _tile_part(start, position, end)
        if tlm_entry not in (None, (tile, length)) or tile >= header.tiles or number != parts[tile]:
            raise DamagedError(f"part {number} of tile {tile} is at the position of another one")
        if tile in wanted:
            yield tile, position, length
        parts[tile] += 1
        # only one of the parts has to state their number
        totals[tile] = total or totals.get(tile, 0)
        if parts[tile] == totals[tile]:
            missing.discard(tile)
        position += length
    if read(position, 2) not in {_SOT, _EOC}:
        raise DamagedError(f"a tile does not end where it should, at byte {position}")
    if incomplete := [tile for tile in sorted(missing) if parts[tile] < max(totals.get(tile, 0), 1)]:
        raise DamagedError(f"tile {incomplete[0]} is incomplete")


def _tile_part(start: bytes, position: int, end: int) -> tuple[int, int, int, int]:
    """Parse an SOT segment: tile, length, index among the tile's parts, and their number (0 when not stated)."""
    code, size, tile, length, number, total = struct.unpack(">2sHHIBB", start)
    # 0: up to the marker at the end of the codestream
    length = length or end - 2 - position
    if code != _SOT or size != 10 or length < 14 or position + length > end:
        raise DamagedError(f"a tile does not start where it should, at byte {position}")
    return tile, length, number, total


def _check_part(part: bytes, header: Header, tile: Tile) -> None:
    """Check a tile-part and count its packets."""
    lengths, data_start = _read_part_header(part, header, tile)
    for octet, limit in ((b"\x00", _zero_run_limit(header, tile)), (b"\xff", RUN)):
        position = part.find(octet * limit, data_start)
        if position >= 0:
            raise DamagedError(
                f"tile {tile.number} holds {limit} bytes of 0x{octet.hex()} in a row, {position} bytes from its start"
            )
    coding, data = tile.coding, memoryview(part)[data_start:]
    if coding.packed or tile.packets is None or not (lengths or coding.sop or coding.eph or not len(data)):
        tile.packets = None
        return
    markers = _find_markers(data, tile)
    starts = [position for position, code in markers if code == _SOP]
    ends = [position for position, code in markers if code == _EPH]
    number = len(ends) if coding.eph else len(starts)
    if lengths:
        starts = _packet_starts(lengths, len(data), tile)
        number = len(starts)
    elif len(starts) < number:
        # a packet may lack SOP, but not EPH
        starts = []
    tile.by_sop = not (lengths or coding.eph)
    if starts:
        _check_packets(data, starts, ends, tile)
    tile.packets += number


def _read_part_header(part: bytes, header: Header, tile: Tile) -> tuple[bytes, int]:
    """Return the packet lengths in the header of a tile-part, still encoded, and where its data start."""

    def read(position: int, length: int) -> bytes:
        return part[position : position + length]

    lengths, data_start = [], 0
    for code, content, segment_end in marker_segments(read, 12, len(part), SOD):
        data_start = segment_end
        if code not in {*IN_TILE, SOD}:
            raise DamagedError(
                f"the header of tile {tile.number} contains a segment that does not belong there"
            )
        if code == COD:
            # takes precedence over the components' styles in the main header
            tile.coding = replace(tile.coding, components={})
        if code == PLT:
            lengths.append((content[0], content[1:]))
        tile.coding = apply_segment(tile.coding, code, content, len(header.steps))
    return b"".join(encoded for _, encoded in sorted(lengths, key=itemgetter(0))), data_start


def _zero_run_limit(header: Header, tile: Tile) -> int:
    """Return how many zero bytes in a row are damage."""
    x0, y0, x1, y1 = header.bounds(tile.number)
    # a packet without data may be a zero byte
    limit = RUN + _count_packets(header, tile)
    for style in (tile.coding.default, *tile.coding.components.values()):
        width, height = style.block
        if tile.coding.layers > 1:
            # a layer may state for every block, with one bit, that it adds nothing
            limit += ceil_div(x1 - x0, width) * ceil_div(y1 - y0, height) // 8
        if style.modes & _RAW_BITS:
            limit += 2 * width * height
    return limit


def _find_markers(data: memoryview, tile: Tile) -> list[tuple[int, int]]:
    """Return position and code of the markers among packets: 0xFF before 0x90 or more is never coded data."""
    allowed = {code for code, used in ((_SOP, tile.coding.sop), (_EPH, tile.coding.eph)) if used}
    octets, markers, stop = np.frombuffer(data, np.uint8), [], 0
    for first in range(0, len(octets) - 1, _CHUNK):
        chunk = octets[first : first + _CHUNK + 1]
        positions = np.flatnonzero(chunk[:-1] == 0xFF)
        positions = positions[chunk[positions + 1] >= 0x90] + first
        for position, code in zip(positions.tolist(), octets[positions + 1].tolist(), strict=True):
            if position < stop:
                continue
            if code not in allowed:
                raise DamagedError(
                    f"tile {tile.number} holds a code that no encoder writes, {position} bytes into its data"
                )
            markers.append((position, code))
            # the packet number that follows SOP may look like a marker
            stop = position + (6 if code == _SOP else 2)
    return markers


def _packet_starts(lengths: bytes, size: int, tile: Tile) -> list[int]:
    """Return where packets start; a length is encoded in groups of 7 bits, the last without the 8th (annex A.7.3)."""
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
        raise DamagedError(
            f"the packet lengths of tile {tile.number} do not add up to the length of its data"
        )
    return starts


def _check_packets(data: memoryview, starts: Sequence[int], ends: Sequence[int], tile: Tile) -> None:
    """Check the start of each packet, and the end of its header where that is marked (annexes A.8 and B.10)."""
    coding, bounds = tile.coding, [*starts, len(data)]
    valid = bounds[0] == 0 and (not coding.eph or len(ends) == len(starts))
    for i, (start, stop) in enumerate(pairwise(bounds)):
        number = (tile.packets + i) & 0xFFFF
        if coding.sop and data[start : start + 2] == b"\xff\x91":
            valid &= data[start + 2 : start + 6] == struct.pack(">HH", 4, number)
            start += 6
        header_end = stop
        if valid and coding.eph:
            header_end = ends[i]
            valid = start < header_end <= stop - 2
        # the first bit says whether the packet has more than this byte
        empty = header_end == start + 1 and data[start:stop] in (b"\0", b"\0\xff\x92")
        if not (valid and start < stop and (data[start] & 0x80 or empty)):
            raise DamagedError(f"packet {tile.packets + i} of tile {tile.number} is not where it should be")


def _count_packets(header: Header, tile: Tile) -> int:
    """Return the number of packets that a tile must have (annexes B.5 to B.7): layers times all precincts."""
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
