"""Headers of JPEG 2000 made by hand, every field at its limits."""

import struct

import pytest

from tigerbush.errors import TigerbushError
from tigerbush.jp2 import check_jp2
from tigerbush.jp2_header import (
    IN_TILE,
    Coding,
    DamagedError,
    Header,
    Style,
    apply_segment,
    ceil_div,
    find_codestream,
    marker_segments,
    read_header,
)

SOC, SOT, SOD, EOC = b"\xff\x4f", b"\xff\x90", b"\xff\x93", b"\xff\xd9"


def segment(code, content):
    return struct.pack(">HH", code, len(content) + 2) + content


def siz(area=(3, 5, 103, 85), tile=(2, 1, 40, 30), steps=((1, 1),)):
    """Image area (x0, y0, x1, y1), first tile (x0, y0, width, height), subsampling of the components."""
    numbers = (*area[2:], *area[:2], *tile[2:], *tile[:2])
    components = b"".join(bytes([15, dx, dy]) for dx, dy in steps)
    return segment(0xFF51, struct.pack(">H8IH", 0, *numbers, len(steps)) + components)


def style(levels=0, block=(4, 4), modes=0, precincts=b""):
    return bytes([levels, *block, modes, 1]) + precincts


def cod(flags=0, layers=1, **options):
    return segment(0xFF52, struct.pack(">BBHB", flags, 0, layers, 0) + style(**options))


def reader(content):
    return lambda position, length: content[position : position + length]


def header_of(*parts):
    content = b"\0" * 7 + SOC + b"".join(parts) + SOT + b"\0" * 20
    return read_header(reader(content), 7, len(content))


def test_the_main_header_field_by_field():
    header = header_of(siz(steps=((1, 2), (3, 4))), cod(flags=6, layers=258, levels=2, block=(1, 3), modes=8))
    assert header == Header(
        area=(3, 5, 103, 85),
        tile=(2, 1, 40, 30),
        steps=[(1, 2), (3, 4)],
        coding=Coding(True, True, 258, Style(2, (8, 32), 8, [(15, 15)] * 3)),
        lengths=[],
        stop=7 + 2 + (2 + 38 + 6) + (2 + 2 + 10),
    )


@pytest.mark.parametrize(
    ("area", "tile", "tiles", "columns"),
    [
        ((3, 5, 103, 85), (2, 1, 40, 30), 9, 3),  # to 122 and 91
        ((3, 5, 82, 61), (2, 1, 40, 30), 4, 2),  # to the pixel
        ((3, 5, 83, 61), (2, 1, 40, 30), 6, 3),
        ((3, 5, 82, 62), (2, 1, 40, 30), 6, 2),
    ],
)
def test_numbers_of_tiles(area, tile, tiles, columns):
    header = header_of(siz(area, tile), cod())
    assert (header.tiles, header.columns) == (tiles, columns)


def test_bounds_of_tiles_are_within_the_image():
    header = header_of(siz(), cod())
    assert [header.bounds(tile) for tile in range(9)] == [
        (max(2 + 40 * i, 3), max(1 + 30 * j, 5), min(42 + 40 * i, 103), min(31 + 30 * j, 85))
        for j in range(3)
        for i in range(3)
    ]


@pytest.mark.parametrize("steps", [(1, 1), (2, 3)])
def test_tiles_in_a_window(steps):
    """Windows at the edges of tiles, compared with the tile of each point of the reference grid that they cover."""
    header = header_of(siz(steps=(steps,)), cod())
    dx, dy = steps

    def tiles_of(window):
        column, row, width, height = window
        # a pixel reaches to the one after it
        return {
            (min(max(5 + y, 5), 84) - 1) // 30 * 3 + (min(max(3 + x, 3), 102) - 2) // 40
            for x in range(column * dx, (column + width) * dx)
            for y in range(row * dy, (row + height) * dy)
        }

    for column in (0, 37 // dx, 38 // dx, 39 // dx, 79 // dx, 99 // dx, 120):
        for row in (0, 25 // dy, 26 // dy, 56 // dy, 79 // dy, 100):
            for size in ((1, 1), (2, 1), (1, 3), (60, 2)):
                window = (column, row, *size)
                assert set(header.tiles_in(window)) == tiles_of(window), window
    assert header.tiles_in(None) == range(9)
    # rows of tiles one after the other
    assert header.tiles_in((0, 0, 100, 80)) == list(range(9))


@pytest.mark.parametrize(
    ("area", "tile", "steps"),
    [
        ((2, 5, 2, 85), (2, 1, 40, 30), ((1, 1),)),
        ((3, 5, 103, 5), (2, 1, 40, 30), ((1, 1),)),
        ((1, 5, 103, 85), (2, 1, 40, 30), ((1, 1),)),
        ((3, 0, 103, 85), (2, 1, 40, 30), ((1, 1),)),
        ((3, 5, 103, 85), (2, 1, 0, 30), ((1, 1),)),
        ((3, 5, 103, 85), (2, 1, 40, 0), ((1, 1),)),
        ((3, 5, 103, 85), (2, 1, 40, 30), ()),
        ((3, 5, 103, 85), (2, 1, 40, 30), ((1, 1), (0, 1))),
        ((3, 5, 103, 85), (2, 1, 40, 30), ((1, 0), (1, 1))),
    ],
)
def test_invalid_sizes(area, tile, steps):
    with pytest.raises(DamagedError, match=r"^the image size in its header is invalid$"):
        header_of(siz(area, tile, steps), cod())


def test_sizes_at_their_limits():
    header = header_of(siz((2, 1, 3, 2), (2, 1, 1, 1)), cod())
    assert (header.tiles, header.bounds(0)) == (1, (2, 1, 3, 2))


def test_incomplete_headers():
    for parts in ((siz(),), (cod(),), (cod(), siz())):
        with pytest.raises(DamagedError, match=r"^its main header is incomplete$"):
            header_of(*parts)


@pytest.mark.parametrize(
    ("kind", "form", "numbered"),
    [(0x00, "H", False), (0x40, "I", False), (0x10, "BH", True), (0x50, "BI", True), (0x20, "HH", True), (0x60, "HI", True)],
)  # fmt: skip
def test_lengths_of_tile_parts(kind, form, numbered):
    """Tiles without numbers are counted across segments."""
    entries = [(7, 300), (5, 200), (6, 100)]
    parts = []
    for index, chunk in enumerate((entries[:2], entries[2:])):
        packed = b"".join(struct.pack(f">{form}", *(entry if numbered else entry[1:])) for entry in chunk)
        parts.append(segment(0xFF55, bytes([index, kind]) + packed))
    lengths = header_of(siz(), *parts, cod()).lengths
    assert lengths == (entries if numbered else [(0, 300), (1, 200), (2, 100)])


def test_lengths_of_tile_parts_in_an_unknown_form():
    with pytest.raises(DamagedError, match=r"^its TLM segment is invalid$"):
        header_of(siz(), segment(0xFF55, b"\x00\x30" + bytes(8)), cod())


def test_styles_at_their_limits():
    coding = apply_segment(
        Coding(), 0xFF52, cod(flags=1, levels=2, block=(8, 0), modes=3, precincts=b"\x21\x43\x65")[4:], 1
    )
    assert coding == Coding(default=Style(2, (1024, 4), 3, [(1, 2), (3, 4), (5, 6)]))
    most = apply_segment(Coding(), 0xFF52, cod(levels=32, block=(0, 8))[4:], 1).default
    assert (most.levels, most.block, len(most.precincts)) == (32, (4, 1024), 33)
    for wrong in ({"levels": 33}, {"block": (9, 0)}, {"block": (0, 9)}):
        with pytest.raises(DamagedError, match=r"^a COD or COC segment is invalid$"):
            apply_segment(Coding(), 0xFF52, cod(**wrong)[4:], 1)
    with pytest.raises(IndexError):
        apply_segment(Coding(), 0xFF52, cod(flags=1, levels=2, precincts=b"\x21\x43")[4:], 1)


def test_either_header_announces_markers_in_packets():
    for before, flags, sop, eph in (((0, 0), 2, True, False), ((0, 0), 4, False, True), ((1, 0), 4, True, True), ((0, 1), 0, False, True)):  # fmt: skip
        coding = apply_segment(Coding(*map(bool, before)), 0xFF52, cod(flags=flags, layers=3)[4:], 1)
        assert (coding.sop, coding.eph, coding.layers) == (sop, eph, 3)


@pytest.mark.parametrize(("components", "head"), [(256, b"\x05"), (257, b"\x01\x05")])
def test_style_of_a_component(components, head):
    """The component number takes two bytes when there are more than 256."""
    before = Coding(layers=4, components={2: Style(0, (4, 4), 0, [(1, 1)])})
    content = head + b"\x01" + style(levels=1, block=(2, 1), modes=1, precincts=b"\x32\x54")
    coding = apply_segment(before, 0xFF53, content, components)
    number = int.from_bytes(head, "big")
    assert coding == Coding(
        layers=4,
        components={2: Style(0, (4, 4), 0, [(1, 1)]), number: Style(1, (16, 8), 1, [(2, 3), (4, 5)])},
    )


def test_packed_packet_headers_and_other_segments():
    for code in (0xFF60, 0xFF61):
        assert apply_segment(Coding(), code, b"\0", 1) == Coding(packed=True)
    for code in (0xFF5C, 0xFF64, 0xFF58):
        assert apply_segment(Coding(), code, b"\0", 1) == Coding()
    assert {0xFF52, 0xFF53, 0xFF58, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF61, 0xFF64} == IN_TILE


def box(kind, content, length=None):
    return struct.pack(">I4s", 8 + len(content) if length is None else length, kind) + content


def test_the_position_of_the_codestream():
    first = box(b"ftyp", bytes(4))
    stream = box(b"jp2c", bytes(10))
    long = struct.pack(">I4sQ", 1, b"jp2c", 26) + bytes(10)
    for content, place in (
        (first + stream, (20, 30)),
        (first + long, (28, 38)),
        (first + box(b"jp2c", bytes(10), 0), (20, 30)),
        (first + box(b"jp2c", bytes(10), 99), (20, 30)),  # longer than the file
        (first + stream + box(b"xml ", bytes(3)), (20, 30)),
        (struct.pack(">I4sQ", 1, b"uuid", 18) + bytes(2) + stream, (26, 36)),
        (box(b"free", b"") + stream, (16, 26)),
    ):
        assert find_codestream(reader(content), len(content)) == place
    for content in (
        first,
        first + box(b"free", b"", 7) + stream,
        struct.pack(">I4sQ", 1, b"uuid", 15) + stream,
        b"",
    ):
        with pytest.raises(DamagedError, match=r"^it has no complete codestream$"):
            find_codestream(reader(content), len(content))


def test_marker_segments():
    content = b"xx" + segment(0xFF64, b"abc") + segment(0xFF5C, b"") + SOD
    segments = [(0xFF64, b"abc", 9), (0xFF5C, b"", 13), (0xFF93, b"", 15)]
    assert list(marker_segments(reader(content), 2, 15, 0xFF93)) == segments
    for wrong, end in (
        (content, 14),
        (b"xx" + segment(0xFEFF, b"abc") + SOD, 11),
        (b"xx\xff\x64\x00\x01" + SOD, 8),
        (b"xx" + segment(0xFF64, b"abc"), 8),
    ):
        with pytest.raises(DamagedError, match=r"^a header is not a list of marker segments$"):
            list(marker_segments(reader(wrong), 2, end, 0xFF93))


def test_division_rounds_up():
    assert [ceil_div(number, 4) for number in (-5, -4, 0, 1, 4, 5)] == [-1, -1, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("head", "tail", "whole"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n", EOC, True),
        (b"\0\0\0\x0cjP  \r\n\x87\r", EOC, False),
        (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\xd8", False),
        (b"", b"", False),
    ],
)
def test_whole_files(head, tail, whole):
    if whole:
        check_jp2(head, tail, "a.jp2")
        return
    with pytest.raises(TigerbushError) as error:
        check_jp2(head, tail, "a.jp2")
    assert str(error.value) == (
        "a.jp2 is not a JP2 file; restore it from an intact copy, then run ./tigerbush retry."
        if head.endswith(b"\r")
        else "a.jp2 is not a complete JP2 file (truncated?); fetch the product again, then run ./tigerbush retry."
    )
