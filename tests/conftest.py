"""Fixtures of all tests: the real data, and small products that the tests write."""

import os
from pathlib import Path

import numpy as np
import pytest
from tigerbush.safe import BANDS
from tigerbush.safe_writer import Scene, write_product

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


def pytest_report_header():
    found = "found" if SHARED.is_dir() else "absent, tests marked data are skipped"
    return f"real data (../shared/data): {found}"


def pytest_collection_modifyitems(items):
    """Real data may be missing on a clone of one's own, but never in CI."""
    if SHARED.is_dir() or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(pytest.mark.skip(reason="the real data in ../shared/data is not here"))


@pytest.fixture(scope="session")
def shared_data():
    assert SHARED.is_dir(), "../shared/data is absent; CI must have it"
    return SHARED


def name_of(
    day="20170116", *, level="L1C", baseline="0204", orbit="122", tile="33TVL", platform="S2A", made=None
):
    """A product name; `made` is the last time stamp."""
    return f"{platform}_MSI{level}_{day}T100000_N{baseline}_R{orbit}_T{tile}_{made or day + 'T110000'}"


# a corner of tile 33TVL: 126 x 126 pixels of 10 m, so that 60 m pixels fit
CORNER = {"x": 465180, "y": 5080260, "epsg": 32633, "width": 126, "height": 126}


def scene_of(seed=0, *, offset=0, level="L1C", place=CORNER, **options):
    """A scene of random reflectance; with an offset the stored DN are shifted by it."""
    random = np.random.default_rng(seed)
    empty = Scene({}, **place)
    bands = {}
    for band, resolution in BANDS.items():
        if level == "L2A" and band == "B10":
            continue
        grid = empty.grid(resolution)
        dn = random.integers(200, 4000, (grid.height, grid.width))
        bands[band] = (dn - offset).astype(np.uint16)
    if offset:
        options["offsets"] = dict.fromkeys(BANDS, offset)
    return Scene(bands, **place, **options)


@pytest.fixture
def product(tmp_path):
    """Write a product: `product(day, scene options...)` gives its folder."""

    def write(
        day="20170116", *, folder=tmp_path / "products", level="L1C", baseline="0204", scene=None, **options
    ):
        names = {key: options.pop(key) for key in ("orbit", "tile", "platform", "made") if key in options}
        name = name_of(day, level=level, baseline=baseline, **names)
        return write_product(folder, name, scene or scene_of(level=level, **options))

    return write
