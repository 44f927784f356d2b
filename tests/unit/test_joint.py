"""Windows that are cut from a larger one are those that are read one by one."""

from dataclasses import replace

import numpy as np
import pytest

from fabricate import scene_of
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.masks import MaskOptions
from tigerbush.sentinel2 import safe
from tigerbush.site import Site
from tigerbush.sites.joint import JointProduct, joint_products, joint_windows
from tigerbush.sites.product import resample_site

HERE = Site(14.5593, 45.8694, 0.0037, size=20, resolution=10)
SITES = {
    "here": HERE,
    "east": replace(HERE, longitude=14.5597),
    "south": replace(HERE, latitude=45.8690),
    "coarse": replace(HERE, resolution=20, size=10),
    "edge": replace(HERE, longitude=14.5520),
    "far": replace(HERE, longitude=14.9),
}
CORNER = (300_000.0, 5_000_040.0)


def window(column, row, width=100, height=None):
    return Grid(CORNER[0] + 10 * column, CORNER[1] - 10 * row, 10, width, height or width)


def groups(**windows):
    return [(whole, sorted(sites)) for whole, sites in joint_windows(windows, CORNER)]


def test_windows_that_overlap_are_read_together():
    whole = Grid(CORNER[0] + 1000, CORNER[1] - 2000, 10, 130, 90)
    assert groups(a=window(100, 200, 100, 80), b=window(130, 205, 100, 85)) == [(whole, ["a", "b"])]


def test_windows_far_from_each_other_are_read_one_by_one():
    assert groups(a=window(0, 0), b=window(900, 900)) == [(None, ["a", "b"])]


def test_many_windows_of_a_cell_are_read_together():
    # with what is decoded around each, 4 in the corners are 85 km2, all 25 are 529 km2, and what is around them 159 km2
    many = {f"{x}{y}": window(200 * x + 5, 200 * y + 5) for x in range(5) for y in range(5)}
    corners = {name: many[name] for name in ("00", "04", "40", "44")}
    assert groups(**corners) == [(None, sorted(corners))]
    assert groups(**many) == [(window(5, 5, 900), sorted(many))]


def test_a_window_belongs_to_the_cell_of_its_corner():
    found = groups(a=window(1023, 0), b=window(1023, 0), c=window(1024, 0), d=window(1024, 1024))
    assert found == [(window(1023, 0), ["a", "b"]), (None, ["c"]), (None, ["d"])]


def test_no_window_is_no_group():
    assert joint_windows({}, CORNER) == []


@pytest.mark.parametrize("buffer", [0, 2])
def test_windows_are_those_that_are_read_one_by_one(product, buffer):
    path = product(
        baseline="0400",
        scene=scene_of(3, offset=-1000, classi=np.random.default_rng(5).integers(0, 2, (3, 21, 21))),
    )
    options = MaskOptions(cirrus=True, snow=True, buffer=buffer)
    kinds = {}
    for name, source in joint_products(path, SITES, buffer):
        kinds[name] = type(source)
        expected = resample_site(path, SITES[name], options, 0.9)
        for own, other in zip(resample_site(source, SITES[name], options, 0.9), expected, strict=True):
            np.testing.assert_array_equal(own.data, other.data)
            assert own.data.dtype == other.data.dtype
            assert replace(own, data=None) == replace(other, data=None)
    together = {"here", "east", "south", "coarse", "edge"}
    assert {name for name, kind in kinds.items() if kind is JointProduct} <= together
    assert {"here", "east", "south"} <= {name for name, kind in kinds.items() if kind is JointProduct}
    assert kinds.keys() == SITES.keys()


def test_an_image_is_decoded_once_for_sites_that_are_together(product, monkeypatch):
    path, read = product(), []
    original = safe.read_window
    monkeypatch.setattr(safe, "read_window", lambda *values: read.append(values[1]) or original(*values))
    sites = {name: SITES[name] for name in ("here", "east", "south")}
    for name, source in joint_products(path, sites, 0):
        resample_site(source, sites[name])
    assert len(read) == len(set(read)) == 4


class Torn:
    """A product that cannot be read east of a column, and has land in the west."""

    def __init__(self, column):
        self.column = column

    def data_of(self, target):
        left, top = round((target.x - CORNER[0]) / 10), round((CORNER[1] - target.y) / 10)
        if left + target.width > self.column:
            raise TigerbushError("torn")
        rows, columns = np.indices(target.shape)
        return (rows + top) * 1000 + columns + left

    def read_band(self, band, target, upsampling="Nearest", downsampling="First"):
        return self.data_of(target)

    def read_mask(self, target, options):
        return self.data_of(target), "mask"

    def read_land(self, target):
        return self.data_of(target) > 0


@pytest.mark.parametrize(("column", "refused"), [(200, []), (100, ["b"]), (10, ["a", "b"])])
def test_what_is_damaged_for_one_is_no_damage_for_the_others(column, refused):
    expected = Torn(1000).data_of
    together = JointProduct(Torn(column), window(0, 0, 150))
    for name, each in (("a", window(20, 5, 50)), ("b", window(90, 0, 60))):
        calls = (
            lambda each=each: together.read_band("B4", each),
            lambda each=each: together.read_mask(each, MaskOptions())[0],
            lambda each=each: together.read_land(each).astype(int) * expected(each),
        )
        for call in calls:
            if name in refused:
                with pytest.raises(TigerbushError, match="torn"):
                    call()
            else:
                np.testing.assert_array_equal(call(), expected(each))


def test_a_product_that_cannot_be_opened_is_the_error_of_each_site(tmp_path):
    path = tmp_path / "S2A_MSIL1C_20170105T100402_N0204_R122_T33TVL_20170105T100405.SAFE"
    path.mkdir()
    assert dict(joint_products(path, SITES, 0)) == dict.fromkeys(SITES, path)
