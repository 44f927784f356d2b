"""JPEG 2000 files that look damaged but are not: odd images, empty layers, real products."""

import re

import numpy as np
import pytest

from test_jp2 import HEIGHT, SMALL, WAYS, WIDTH, check
from test_jp2 import write as write

ODD = {
    "nodata": lambda y, x: 0 * x,
    "constant": lambda y, x: 0 * x + 1234,
    "half": lambda y, x: np.where(x < 150, 0, 1000 + (x * y) % 97),
    "multiples": lambda y, x: (x * 7 + y * 13) % 250 * 16,
    "one pixel": lambda y, x: (x == 130) & (y == 5),
    "checks": lambda y, x: (x + y) % 2 * 65535,
    "noise": lambda y, x: np.random.default_rng(0).integers(0, 4096, x.shape),
}


@pytest.mark.parametrize("image", ODD)
@pytest.mark.parametrize("way", ["layers", "PLT, precincts", "PLT, raw bits", "SOP, layers in parts", "EPH"])
def test_no_alarm_for_odd_images(write, image, way):
    options, expected = WAYS[way]
    if "layers" in way:
        options = (
            options | SMALL
        )  # a packet tells of each of thousands of blocks, by a bit, that it adds nothing
    data = ODD[image](*np.mgrid[:HEIGHT, :WIDTH]).astype(np.uint16)
    assert check(write(data, **options)) == expected


def longest(content, octet):
    return max(len(run) for run in re.findall(octet + b"+", content[content.index(b"\xff\x93") :]))


def test_no_alarm_for_layers_that_add_nothing(write):
    """One bit for each of 1,024 blocks of a tile without further data."""
    noise = ODD["noise"](*np.mgrid[:HEIGHT, :WIDTH]).astype(np.uint16)
    options = SMALL | {"PLT": "YES", "RESOLUTIONS": "1", "REVERSIBLE": "NO", "QUALITY": "50,50.001,50.002"}
    content = write(noise, **options)
    assert longest(content, b"\0") > 100
    assert check(content) == "checked"


def test_no_alarm_for_raw_bits(write):
    """Selective bypass: the lower bits of multiples of 256 are zeros, 512 bytes of each block of 64 x 64."""
    data = (np.random.default_rng(0).integers(128, 256, (HEIGHT, WIDTH)) * 256).astype(np.uint16)
    content = write(data, PLT="YES", RESOLUTIONS="1", CODEBLOCK_STYLE="1")
    assert max(longest(content, b"\0"), longest(content, b"\xff")) > 100
    assert check(content) == "checked"


@pytest.mark.data
def test_no_alarm_for_real_products(shared_data):
    """All bands and masks of 51 products; their encoder, OpenJPEG, wrote no packet positions."""
    paths = sorted((shared_data / "sentinel2").rglob("*.jp2"))
    assert len(paths) == 740
    assert {check(path.read_bytes()) for path in paths} == {"unchecked"}
