"""Codestreams of one tile made by hand: packets at right and wrong positions, one byte on either side of each limit."""

import struct

import pytest

from test_jp2_header import EOC, SOC, SOD, SOT, box, cod, reader, segment, siz
from tigerbush.jp2 import check_codestream
from tigerbush.jp2_header import DamagedError, ceil_div


def part(data, header=b"", tile=0, number=0, total=1):
    length = 12 + len(header) + 2 + len(data)
    return SOT + struct.pack(">HHIBB", 10, tile, length, number, total) + header + SOD + data


def stream(*parts, head=None):
    main = siz((0, 0, 64, 48), (0, 0, 64, 48)) + cod() if head is None else head
    return box(b"jp2c", SOC + main + b"".join(parts) + EOC)


def check(content):
    return check_codestream(reader(content), len(content))


@pytest.mark.parametrize(("octet", "most"), [(b"\0", 64), (b"\xff", 63)])
def test_runs_of_one_byte_at_the_limit(octet, most):
    """64 equal bytes are too many; for zeros, one more for each packet, which may be empty; here there is one packet."""
    assert check(stream(part(b"\x80" + octet * most + b"\x01"))) == "unchecked"
    with pytest.raises(DamagedError) as error:
        check(stream(part(b"\x80" + octet * (most + 1) + b"\x01")))
    assert str(error.value) == (
        f"tile 0 holds {most + 1} bytes of 0x{octet.hex()} in a row, 15 bytes from its start"
    )


@pytest.mark.parametrize(
    ("options", "most"),
    [
        # 64 + packets; + an eighth of the 4 x 3 blocks of 16 pixels with layers; + 2 bytes a pixel of a block as it is
        ({"layers": 1}, 65),
        ({"layers": 5}, 64 + 5 + 1),
        ({"layers": 5, "block": (0, 0)}, 64 + 5 + 16 * 12 // 8),
        ({"modes": 1}, 65 + 2 * 64 * 64),
        ({"modes": 0x40, "block": (1, 2)}, 65 + 2 * 8 * 16),
        ({"modes": 2}, 65),
        ({"levels": 3}, 64 + 4),
    ],
)
def test_the_limit_of_zeros(options, most):
    options = {"block": (2, 2)} | options if "modes" not in options else options
    head = siz((0, 0, 64, 48), (0, 0, 64, 48)) + cod(**options)
    assert check(stream(part(b"\x80" + bytes(most - 1) + b"\x01"), head=head)) == "unchecked"
    with pytest.raises(DamagedError, match=rf"^tile 0 holds {most} bytes of 0x00 in a row"):
        check(stream(part(b"\x80" + bytes(most) + b"\x01"), head=head))


def packets_by_loops(bounds, steps, levels, exponents, layers):
    """Precincts that contain a sample of a resolution, counted sample by sample."""
    number = 0
    for dx, dy in steps:
        for level in range(levels + 1):
            scale = 2 ** (levels - level)
            xs = range(ceil_div(ceil_div(bounds[0], dx), scale), ceil_div(ceil_div(bounds[2], dx), scale))
            ys = range(ceil_div(ceil_div(bounds[1], dy), scale), ceil_div(ceil_div(bounds[3], dy), scale))
            number += len({(x >> exponents[level][0], y >> exponents[level][1]) for x in xs for y in ys})
    return layers * number


@pytest.mark.parametrize(
    ("area", "steps", "levels", "precincts", "layers"),
    [
        ((5, 9, 64, 48), ((1, 1),), 2, b"\x21\x32\x43", 1),
        ((5, 9, 64, 48), ((1, 1), (2, 3)), 1, b"\x34\x25", 2),
        ((8, 16, 64, 48), ((3, 2),), 3, b"\x11\x11\x22\x54", 3),
        ((63, 40, 64, 48), ((1, 1), (1, 1)), 2, b"\x22\x22\x22", 1),  # resolutions without any sample
    ],
)
def test_numbers_of_packets(area, steps, levels, precincts, layers):
    exponents = [(octet & 15, octet >> 4) for octet in precincts]
    number = packets_by_loops(area, steps, levels, exponents, layers)
    assert 1 < number < 4000
    head = siz(area, (0, 0, 64, 48), steps) + cod(flags=5, layers=layers, levels=levels, precincts=precincts)
    empty = b"\x00\xff\x92"
    assert check(stream(part(empty * number), head=head)) == "checked"
    for other in (number - 1, number + 1):
        with pytest.raises(DamagedError) as error:
            check(stream(part(empty * other), head=head))
        assert str(error.value) == f"tile 0 has {other} packets, expected {number}"


def plt(*lengths, index=0):
    """A segment of packet lengths below 16,384, in groups of 7 bits; the eighth bit of the last is not set."""
    groups = b"".join(
        bytes([length >> 7 | 0x80, length & 0x7F] if length > 127 else [length]) for length in lengths
    )
    return segment(0xFF58, bytes([index]) + groups)


# three packets, without markers and with one at the end of each header
LAYERS = {
    name: siz((0, 0, 64, 48), (0, 0, 64, 48)) + cod(flags=flags, layers=3)
    for name, flags in (("plain", 0), ("ends", 4))
}
LONGER = "the packet lengths of tile 0 do not add up to the length of its data"


@pytest.mark.parametrize(
    ("head", "lengths", "data", "sentence"),
    [
        ("plain", (3, 200, 1), b"\x81ab" + b"\x82" + b"c" * 199 + b"\x00", None),
        ("plain", (3, 200, 2), b"\x81ab" + b"\x82" + b"c" * 199 + b"\x00", LONGER),
        ("plain", (3, 199, 1), b"\x81ab" + b"\x82" + b"c" * 199 + b"\x00", LONGER),
        # every packet has at least one byte
        ("plain", (3, 0, 1), b"\x81ab\x00", LONGER),
        # a packet begins with a bit that is set, or is one byte without it
        ("plain", (3, 2, 1), b"\x81ab\x01b\x00", "packet 1 of tile 0 is not where it should be"),
        ("plain", (3, 1, 1), b"\x81ab\x01\x00", "packet 1 of tile 0 is not where it should be"),
        ("plain", (3, 1, 1), b"\x81ab\x00\x00", None),
        # a packet's header has a byte before its end
        ("ends", (4, 3, 3), b"\x81\xff\x92a\x80\xff\x92\x00\xff\x92", None),
        ("ends", (4, 2, 3), b"\x81\xff\x92a\xff\x92\x00\xff\x92", "packet 1 of tile 0 is not where it should be"),
        ("ends", (4, 3, 3), b"\x81\xff\x92a\x00\xff\x92\x00\xff\x92", None),
        ("ends", (4, 4, 3), b"\x81\xff\x92a\x00\xff\x92b\x00\xff\x92", "packet 1 of tile 0 is not where it should be"),
        ("ends", (4, 3, 2), b"\x81\xff\x92a\x80\xff\x92\x81\xff\x92", LONGER),
        ("ends", (1, 5, 3), b"\x81\xff\x92\x80\xff\x92\x00\xff\x92", "packet 0 of tile 0 is not where it should be"),
        # no end of its header, and one in the previous packet
        ("ends", (4, 3, 2), b"\x81\xff\x92a\x80\xff\x92\x81b", "packet 0 of tile 0 is not where it should be"),
        ("ends", (7, 2, 3), b"\x81\xff\x92a\x80\xff\x92\x81b\x80\xff\x92", "packet 1 of tile 0 is not where it should be"),
        ("plain", (3, 2, 1), b"\x81a\xff\x95\x80\x00", "tile 0 holds a code that no encoder writes, 2 bytes into its data"),
        ("plain", (3, 2, 1), b"\x81a\xff\x8f\x80\x00", None),
    ],
)  # fmt: skip
def test_packets_by_their_lengths(head, lengths, data, sentence):
    content = stream(part(data, plt(*lengths)), head=LAYERS[head])
    if sentence is None:
        assert check(content) == "checked"
        return
    with pytest.raises(DamagedError) as error:
        check(content)
    assert str(error.value) == sentence


def test_a_tile_with_a_part_without_packet_positions_is_unchecked():
    first, second = part(b"\x81ab", total=2), part(b"\x81ab\x80b", plt(3, 2), number=1, total=2)
    assert check(stream(first, second, head=LAYERS["plain"])) == "unchecked"
    third = part(b"\x81ab", number=1, total=2)
    assert check(stream(part(b"\x81ab\x80b", plt(3, 2), total=2), third, head=LAYERS["plain"])) == "unchecked"
    # and parts of which each tells are counted together
    parts = part(b"\x81ab", plt(3), total=2), part(b"\x81ab\x80b", plt(3, 2), number=1, total=2)
    assert check(stream(*parts, head=LAYERS["plain"])) == "checked"


def sop(number, data):
    return struct.pack(">HHH", 0xFF91, 4, number) + data


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [((0, 1, 2), None), ((0, 2, 2), 1), ((1, 1, 2), 0), ((0, 1, None), None), ((0, 1, 3), 2)],
)
@pytest.mark.parametrize("lengths", [True, False])
def test_packets_by_their_numbers(numbers, wrong, lengths):
    """A packet may lack its number, but then only lengths or ends of headers reveal the position of all packets."""
    packets = [b"\x81ab" if number is None else sop(number, b"\x81ab") for number in numbers]
    head = siz((0, 0, 64, 48), (0, 0, 64, 48)) + cod(flags=2, layers=3)
    content = stream(part(b"".join(packets), plt(*map(len, packets)) if lengths else b""), head=head)
    if wrong is None:
        assert check(content) == ("checked" if lengths or None not in numbers else "unchecked")
        return
    with pytest.raises(DamagedError) as error:
        check(content)
    assert str(error.value) == f"packet {wrong} of tile 0 is not where it should be"


def test_a_packet_number_is_followed_by_a_packet():
    """Six bytes, four of which are the length of the segment and the number."""
    head = siz((0, 0, 64, 48), (0, 0, 64, 48)) + cod(flags=2)
    for data, fine in (
        (sop(0, b"\x80"), True),
        (sop(0, b"\x00"), True),
        (sop(0, b""), False),
        (sop(0, b"\x01"), False),
    ):
        content = stream(part(data), head=head)
        if fine:
            assert check(content) == "checked"
            continue
        with pytest.raises(DamagedError, match=r"^packet 0 of tile 0 is not where it should be$"):
            check(content)


def test_a_tile_may_have_its_own_coding():
    """Its header takes precedence over the main header, including the styles of components there."""
    two = siz((0, 0, 64, 48), (0, 0, 64, 48), ((1, 1), (1, 1)))
    own = segment(0xFF53, b"\x01\x00" + cod(levels=2)[9:])
    head = two + cod(layers=3) + own
    # 1 and 3 resolutions of three layers; of the tile's own two layers 2 resolutions each
    assert check(stream(part(b"\x80" * 12, plt(*[1] * 12)), head=head)) == "checked"
    assert check(stream(part(b"\x80" * 8, cod(layers=2, levels=1) + plt(*[1] * 8)), head=head)) == "checked"
    assert (
        check(stream(part(b"\x80" * 10, cod(layers=2, levels=1) + own + plt(*[1] * 10)), head=head))
        == "checked"
    )
    with pytest.raises(DamagedError) as error:
        check(stream(part(b"\x80" * 12, cod(layers=2, levels=1) + plt(*[1] * 12)), head=head))
    assert str(error.value) == "tile 0 has 12 packets, expected 8"


def test_one_part_states_their_number():
    first, second = part(b"\x80a", plt(2), total=3), part(b"\x80a", plt(2), number=1, total=0)
    third = part(b"\x80a", plt(2), number=2, total=0)
    head = LAYERS["plain"]
    assert check(stream(first, second, third, head=head)) == "checked"
    with pytest.raises(DamagedError) as error:
        check(stream(first, second, head=head))
    assert str(error.value) == "tile 0 is incomplete"
    # when none does, all existing parts are assumed
    first = part(b"\x80a\x80b\x00", plt(2, 2, 1), total=0)
    assert check(stream(first, head=head)) == "checked"


def test_the_last_part_may_reach_to_the_end_of_the_codestream():
    whole = part(b"\x80a\x80b\x00", plt(2, 2, 1))
    open_end = whole[:6] + bytes(4) + whole[10:]
    assert check(stream(open_end, head=LAYERS["plain"])) == "checked"
