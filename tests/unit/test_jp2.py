"""Damage in JPEG 2000 files: what is detected, where, and that nothing else is taken for damage."""

import re
import struct
from collections import Counter

import numpy as np
import pytest
import rasterio

from tigerbush.errors import RemoteError
from tigerbush.jp2 import check_codestream
from tigerbush.jp2_header import DamagedError
from tigerbush.sources.ranges import check_decodes

WIDTH, HEIGHT, SIDE = 384, 380, 128  # 3 x 3 tiles
LOSSLESS = {"REVERSIBLE": "YES", "QUALITY": "100", "RESOLUTIONS": "6"}
LAYERS = {"REVERSIBLE": "NO", "QUALITY": "1,2,5,50"}
SMALL = {"CODEBLOCK_WIDTH": "4", "CODEBLOCK_HEIGHT": "4"}
PRECINCTS = {"PRECINCTS": "{64,64},{32,64}", "RESOLUTIONS": "3"}
# how a file is written, and whether it tells where its packets lie
WAYS = {
    "nothing": ({}, "unchecked"),
    "layers": (LAYERS, "unchecked"),
    "PLT": ({"PLT": "YES"}, "checked"),
    "SOP": ({"SOP": "YES"}, "checked"),
    "EPH": ({"EPH": "YES"}, "checked"),
    "all of them, precincts": ({"PLT": "YES", "SOP": "YES", "EPH": "YES", **PRECINCTS}, "checked"),
    "PLT, precincts": ({"PLT": "YES", **PRECINCTS}, "checked"),
    "PLT, parts": ({"PLT": "YES", "TILEPARTS": "RESOLUTIONS"}, "checked"),
    "SOP, layers in parts": ({"SOP": "YES", "TILEPARTS": "LAYERS", **LAYERS}, "checked"),
    "EPH, parts": ({"EPH": "YES", "TILEPARTS": "RESOLUTIONS", "PROGRESSION": "RLCP"}, "checked"),
    "PLT, TLM": ({"PLT": "YES", "TLM": "YES"}, "checked"),
    "PLT, raw bits": (
        {"PLT": "YES", "CODEBLOCK_STYLE": "1", "CODEBLOCK_WIDTH": "16", "CODEBLOCK_HEIGHT": "16"},
        "checked",
    ),
    "SOP, three bands": ({"SOP": "YES", "bands": 3}, "checked"),
}


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    """Write an image with GDAL and return the bytes of the file."""
    folder = tmp_path_factory.mktemp("jp2")

    def written(data, bands=1, **options):
        path = folder / f"{len(list(folder.iterdir()))}.jp2"
        size = {"width": data.shape[1], "height": data.shape[0], "count": bands, "dtype": "uint16"}
        tiles = {"BLOCKXSIZE": str(SIDE), "BLOCKYSIZE": str(SIDE), "tiled": True}
        with rasterio.open(path, "w", driver="JP2OpenJPEG", **size, **tiles, **(LOSSLESS | options)) as image:
            for band in range(bands):
                image.write(data, band + 1)
        return path.read_bytes()

    return written


def pixels():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    noise = np.random.default_rng(0).normal(0, 12, (HEIGHT, WIDTH))
    return (1500 + 400 * np.sin(x / 30) * np.cos(y / 20) + noise).astype(np.uint16)


@pytest.fixture(scope="module")
def files(write):
    return {name: write(pixels(), **options) for name, (options, _) in WAYS.items()}


def check(content, window=None):
    return check_codestream(
        lambda start, length: bytes(content[start : start + length]), len(content), window
    )


def parts(content):
    """Position, length and tile of each tile-part, from the SOT segments only."""
    tile_parts, position = [], content.index(b"\xff\x90\x00\x0a")
    while content[position : position + 2] == b"\xff\x90":
        tile, length = struct.unpack(">HI", content[position + 4 : position + 10])
        tile_parts.append((position, length, tile))
        position += length
    return tile_parts


def changed(content, start, new):
    return content[:start] + new + content[start + len(new) :]


def refused(content, window=None):
    with pytest.raises(DamagedError) as error:
        check(content, window)
    return str(error.value)


@pytest.mark.parametrize("way", WAYS)
def test_an_intact_file(files, way):
    assert check(files[way]) == WAYS[way][1]
    assert check(files[way], (10, 10, 20, 20)) == WAYS[way][1]
    assert check(files[way], (120, 370, 900, 900)) == WAYS[way][1]  # beyond the image


@pytest.mark.parametrize("way", WAYS)
def test_a_tail_of_zeros(files, way):
    """A decoder takes it for packets without data; only tiles in the window are checked."""
    content = files[way]
    start, length, tile = parts(content)[-1]
    assert tile == 8
    size = length // 3
    damaged = changed(content, start + length - size, bytes(size))
    assert re.fullmatch(
        r"tile 8 holds \d+ bytes of 0x00 in a row, \d+ bytes from its start", refused(damaged)
    )
    refused(damaged, (380, 370, 1, 1))
    assert check(damaged, (0, 0, 256, 256)) == WAYS[way][1]


@pytest.mark.parametrize("way", ["nothing", "PLT", "SOP", "EPH"])
@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (bytes(200), r"tile 4 holds \d+ bytes of 0x00 in a row, 5000 bytes from its start"),
        (b"\xff" * 100, r"tile 4 holds 64 bytes of 0xff in a row, 5000 bytes from its start"),
    ],
)
def test_a_hole(files, way, new, sentence):
    content = files[way]
    start = next(start for start, _, tile in parts(content) if tile == 4)
    at = start + 5000 - content[start + 4999 : start + 5000].count(new[:1])
    assert content[at - 1] != new[0] and content[at + len(new)] != new[0]
    assert re.fullmatch(sentence, refused(changed(content, start + 5000, new), (128, 128, 1, 1)))


PAGE = b"<html><head><title>503 Service Unavailable</title></head>" * 100


def test_a_page_of_text_in_a_tile(files):
    """It may go undetected in a file that does not reveal its packets, but not in others."""
    start, length, _ = parts(files["PLT, precincts"])[0]
    packet = start + 200
    assert re.fullmatch(
        r"packet \d+ of tile 0 is not where it should be",
        refused(changed(files["PLT, precincts"], packet, PAGE[: length - 200])),
    )
    start, _, _ = parts(files["EPH"])[0]
    assert refused(changed(files["EPH"], start + 30, PAGE)) == "tile 0 has 1 packets, expected 6"
    assert check(changed(files["nothing"], parts(files["nothing"])[0][0] + 30, PAGE)) == "unchecked"


def test_codes_that_no_encoder_writes(files):
    start, _, _ = parts(files["PLT"])[0]
    assert re.fullmatch(
        r"tile 0 holds a code that no encoder writes, \d+ bytes into its data",
        refused(changed(files["PLT"], start + 3000, b"\x00\xff\x90\x00")),
    )


@pytest.mark.parametrize(
    ("way", "marker"), [("PLT", b"\xff\x91"), ("SOP", b"\xff\x92"), ("EPH", b"\xff\x91")]
)
def test_markers_that_the_header_does_not_announce(files, way, marker):
    start, _, _ = parts(files[way])[0]
    assert re.fullmatch(
        r"tile 0 holds a code that no encoder writes, \d+ bytes into its data",
        refused(changed(files[way], start + 3000, b"\x00" + marker + b"\x00")),
    )


def test_a_packet_number_that_looks_like_a_marker(files):
    """One pixel in 65,535 empty layers."""
    content = files["SOP"]
    head = changed(content, content.index(b"jp2c") - 4, bytes(4))
    size, cod = head.index(b"\xff\x51"), head.index(b"\xff\x52")
    head = changed(head, size + 6, struct.pack(">II", 1, 1))
    layers = struct.pack(">HHBBHB", 0xFF52, 12, 2, 0, 65535, 0) + bytes([0, 4, 4, 0, 1])
    packets = b"".join(struct.pack(">HHHB", 0xFF91, 4, number, 0) for number in range(65535))
    assert b"\xff\x90\x00\xff\x91" in packets
    tile = struct.pack(">HHHIBBH", 0xFF90, 10, 0, 14 + len(packets), 0, 1, 0xFF93) + packets
    rest = head[cod + 2 + 18 : parts(content)[0][0]]
    assert check(head[:cod] + layers + rest + tile + b"\xff\xd9") == "checked"


def test_wrong_lengths_of_tiles(files):
    """TLM, in the main header: tile and length of each part."""
    content = files["PLT, TLM"]
    entry = struct.pack(">BI", 8, parts(content)[8][1])
    at = content.index(entry, content.index(b"\xff\x55"))
    other = changed(content, at + 1, struct.pack(">I", parts(content)[8][1] - 1))
    assert refused(other, (380, 370, 1, 1)) == "part 0 of tile 8 is at the position of another one"
    assert check(other, (0, 0, 256, 256)) == "checked"


def test_a_header_end_in_another_packet(files):
    """There are as many EPH markers as packets, but one is in the data of the next packet."""
    content = files["all of them, precincts"]
    start = parts(content)[0][0]
    first = content.index(b"\xff\x92", start)
    second = content.index(b"\xff\x92", first + 2)
    moved = changed(changed(content, first, b"\x12\x34"), second + 2, b"\xff\x92")
    assert refused(moved) == "packet 0 of tile 0 is not where it should be"


def test_the_coding_of_a_tile_overrides_that_of_a_component_in_the_main_header(files):
    content = files["PLT"]
    cod = content[content.index(b"\xff\x52") :][:20]
    assert cod[2:4] == struct.pack(">H", 18)
    first = parts(content)[0][0]
    # one level less, with which the number of packets would differ
    component = struct.pack(">HHBB", 0xFF53, 9, 0, 0) + bytes([cod[9] - 1]) + cod[10:14]
    head = changed(content, content.index(b"jp2c") - 4, bytes(4))[:first] + component
    tiles = [content[start : start + length] for start, length, _ in parts(content)]
    assert refused(head + b"".join(tiles) + b"\xff\xd9") == "tile 0 has 6 packets, expected 5"
    longer = [
        tile[:6] + struct.pack(">I", len(tile) + len(cod)) + tile[10:12] + cod + tile[12:] for tile in tiles
    ]
    assert check(head + b"".join(longer) + b"\xff\xd9") == "checked"


def test_swapped_tiles(files):
    (first, size, _), (second, other, _) = parts(files["PLT"])[:2]
    content = files["PLT"]
    front, back = content[first : first + size], content[second : second + other]
    # a decoder puts them where they belong
    assert check(content[:first] + back + front + content[second + other :]) == "checked"
    twice = changed(content, second + 4, b"\0\0")
    assert refused(twice) == "part 0 of tile 0 is at the position of another one"
    outside = changed(content, second + 4, b"\0\x09")
    assert refused(outside) == "part 0 of tile 9 is at the position of another one"


def test_gaps_between_tiles(files):
    content = files["nothing"]
    listed = parts(content)
    start, length, _ = listed[4]
    lies = f"a tile does not start where it should, at byte {start}"
    assert refused(changed(content, start, bytes(12))) == lies
    assert refused(changed(content, start + 6, bytes(3) + b"\x0d")) == lies
    assert refused(changed(content, start + 6, b"\x7f\xff\xff\xff")) == lies
    longer = struct.pack(">I", length + 1)
    assert refused(changed(content, start + 6, longer)) == (
        f"a tile does not start where it should, at byte {start + length + 1}"
    )
    # the data after the last tile that is read
    assert refused(changed(content, start + 6, longer), (128, 128, 1, 1)) == (
        f"a tile does not end where it should, at byte {start + length + 1}"
    )
    cut = content[: listed[8][0]] + b"\xff\xd9"
    assert refused(cut) == "tile 8 is incomplete"
    assert check(cut, (0, 0, 256, 256)) == "unchecked"
    cut = content[: listed[8][0] + 500] + b"\xff\xd9"
    assert refused(cut) == f"a tile does not start where it should, at byte {listed[8][0]}"


def test_a_missing_part(files):
    content = files["EPH, parts"]
    start = [start for start, _, tile in parts(content) if tile == 8][-1]
    assert refused(content[:start] + b"\xff\xd9") == "tile 8 is incomplete"


def test_wrong_packet_lengths(files):
    content = files["PLT"]
    plt = content.index(b"\xff\x58")
    end = plt + 2 + struct.unpack(">H", content[plt + 2 : plt + 4])[0]
    last = content[end - 1]
    for new in (last ^ 1, last ^ 0x40, last | 0x80):
        assert refused(changed(content, end - 1, bytes([new]))) == (
            "the packet lengths of tile 0 do not add up to the length of its data"
        )
    assert refused(changed(content, plt + 1, b"\x59")) == (
        "the header of tile 0 contains a segment that does not belong there"
    )
    assert refused(changed(content, plt + 2, b"\x7f\xff")) == "a header is not a list of marker segments"


def test_packet_lengths_in_several_segments(files):
    """A length may start in one segment and end in the next, and segments may be out of order."""
    content = files["PLT"]
    start, length, _ = parts(content)[0]
    plt = content.index(b"\xff\x58")
    size = struct.unpack(">H", content[plt + 2 : plt + 4])[0]
    lengths = content[plt + 5 : plt + 2 + size]
    cut = next(i for i, octet in enumerate(lengths) if octet & 0x80) + 1
    for order in ((0, 1), (1, 0)):
        pieces = [lengths[:cut], lengths[cut:]]
        split = b"".join(struct.pack(">HHB", 0xFF58, 3 + len(pieces[i]), i) + pieces[i] for i in order)
        longer = changed(content, start + 6, struct.pack(">I", length + 5))
        box = content.index(b"jp2c") - 4
        longer = changed(longer, box, bytes(4))  # to the end of the file
        assert check(longer[:plt] + split + longer[plt + 2 + size :]) == "checked"


def test_markers_in_packets(files):
    content = files["SOP"]
    at = content.index(b"\xff\x91\x00\x04\x00\x03")
    assert refused(changed(content, at + 5, b"\x04")) == "packet 3 of tile 0 is not where it should be"
    # a packet may do without one, and then the others do not tell where all lie
    start, length, _ = parts(content)[-1]
    last = content.rindex(b"\xff\x91\x00\x04")
    shorter = changed(content, start + 6, struct.pack(">I", length - 6))
    shorter = changed(shorter, content.index(b"jp2c") - 4, bytes(4))
    assert check(shorter[:last] + shorter[last + 6 :]) == "unchecked"


def test_the_last_tile_may_reach_to_the_end(files):
    for way in ("nothing", "PLT"):
        start, _, _ = parts(files[way])[-1]
        assert check(changed(files[way], start + 6, bytes(4))) == WAYS[way][1]


def test_a_box_with_a_64_bit_length(files):
    content = files["PLT"]
    box = content.index(b"jp2c") - 4
    head = struct.pack(">I4sQ", 1, b"jp2c", len(content) - box + 8)
    assert check(content[:box] + head + content[box + 8 :]) == "checked"


def test_packed_packet_headers_are_not_checked(files):
    """With PPM, packets start with data."""
    content = files["PLT"]
    first = parts(content)[0][0]
    box = content.index(b"jp2c") - 4
    ppm = struct.pack(">HHB", 0xFF60, 8, 0) + bytes(5)
    assert check(changed(content, box, bytes(4))[:first] + ppm + content[first:]) == "unchecked"


@pytest.mark.parametrize(
    ("at", "new", "sentence"),
    [
        (b"jp2c", b"jp2x", "it has no complete codestream"),
        (b"\xff\x4f\xff\x51", b"\xff\x4e", "its codestream does not start with SOC"),
        (b"\xff\x51", b"\xff\x50", "its main header is incomplete"),
        (b"\xff\x52", b"\xff\x51", "a marker segment is truncated"),
        (b"\xff\x52", b"\x00\x52", "a header is not a list of marker segments"),
    ],
)
def test_an_invalid_header(files, at, new, sentence):
    content = files["nothing"]
    assert refused(changed(content, content.index(at), new)) == sentence


def test_too_many_tiles(files):
    content = files["nothing"]
    size = content.index(b"\xff\x51") + 6
    huge = changed(content, size, struct.pack(">II", 2**31 - 1, 2**31 - 1))
    assert refused(huge) == f"it has {(2**24) ** 2} tiles"


def test_random_damage_raises_no_other_exception(files):
    """Wherever bytes change, even in headers: an error with a sentence, or one of the two results."""
    random, outcomes = np.random.default_rng(0), Counter()
    for content in files.values():
        first = content.index(b"jp2c")
        for number in range(60):
            damaged = bytearray(content)
            at = int(random.integers(first, first + 300 if number % 2 else len(content)))
            damaged[at : at + 4] = random.integers(0, 256, 4, np.uint8).tobytes()
            try:
                outcomes[check(damaged)] += 1
            except DamagedError as error:
                outcomes["noticed"] += 1
                assert "\n" not in str(error)
    assert outcomes.keys() == {"checked", "unchecked", "noticed"}


def test_a_whole_file_without_a_checksum(files):
    """An upload in several parts: an image that can be decoded may still be damaged."""
    content = files["nothing"]
    row = {"name": "IMG_DATA/a_B04.jp2", "etag": "0123-2"}
    check_decodes("s3://b/a", row, content)
    start, length, _ = parts(content)[4]
    damaged = changed(content, start + length - 1000, bytes(1000))
    with pytest.raises(RemoteError) as error:
        check_decodes("s3://b/a", row, damaged)
    assert re.fullmatch(
        r"s3://b/a: the data received are damaged: tile 4 holds 70 bytes of 0x00 in a row, \d+ bytes from its start",
        str(error.value),
    )
