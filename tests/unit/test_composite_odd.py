"""Composites of unusual periods: more failures than products, other grids and scales, no-data anywhere, odd times."""

import json
from itertools import product

import numpy as np
import pytest

from fabricate import name_of
from test_composite import GRID, write_pair
from tigerbush import masks
from tigerbush.grid import Grid
from tigerbush.raster import LINEAGE, Raster, read_raster, write_raster
from tigerbush.sites.composite import (
    Observation,
    composite_products,
    datatake_and_tile,
    harmonise,
    lost_products,
    median,
    mosaic,
)
from tigerbush.sites.lost import CLOUD, OBSERVED
from tigerbush.version import __version__

PIXEL = Grid(0, 0, 10, 1, 1)
DIFFERS = "its grid or quantification differs from that of the other products of the date"


def lineage_of(composite):
    return json.loads(composite.tags[LINEAGE])


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_placeholders_do_not_decide_the_common_grid(tmp_path, order):
    """One good product beside two failed ones, whose placeholders lie elsewhere and are of another scale."""
    good, *failed = (name_of(f"2017011{day}") for day in range(3))
    pairs = [write_pair(tmp_path, good, 1500, offset=-1000)]
    pairs += [
        write_pair(
            tmp_path,
            name,
            0,
            masks.MASK_NODATA,
            status="failed",
            reason=f"{name} is bad",
            grid=GRID_OF_FAILED,
        )
        for name in failed
    ]
    composite, _ = composite_products([pairs[i] for i in order])
    assert (composite.grid, composite.epsg) == (GRID, 32633)
    assert lineage_of(composite) == {
        "products": [good],
        "unmasked": [],
        "codestream": {},
        "left_out": {},
        "failed": {name: f"{name} is bad" for name in failed},
        "n_takes": 1,
        "acquisition_time": "2017-01-10T10:00:00+00:00",
        "platforms": {"S2A": 1},
        "relative_orbits": {"122": 1},
    }
    np.testing.assert_array_equal(composite.data[:4], np.full((4, 2, 3), np.float32(0.05)))
    np.testing.assert_array_equal(composite.data[4], np.ones((2, 3)))


GRID_OF_FAILED = Grid(465000, 5080260, 10, 3, 2)


def rewritten(pair, **changes):
    """The same pair with fields of its image changed."""
    image = read_raster(pair[0])
    fields = {name: getattr(image, name) for name in vars(image)} | changes
    write_raster(pair[0], Raster(**fields))
    return pair


@pytest.mark.parametrize(
    "change", [{"epsg": 32632}, {"scale": (2e-4,) * 4}, {"grid": Grid(465180, 5080250, 10, 3, 2)}]
)
def test_grid_zone_and_scale_must_be_those_of_most_products(tmp_path, change):
    names = [name_of(f"2017011{day}") for day in range(4)]
    pairs = [write_pair(tmp_path, name, 1000 * (i + 1)) for i, name in enumerate(names)]
    rewritten(pairs[0], **change)
    composite, _ = composite_products(pairs)
    lineage = lineage_of(composite)
    assert lineage["failed"] == {names[0]: DIFFERS}
    assert lineage["products"] == names[1:]
    # the median of 0.2, 0.3 and 0.4
    np.testing.assert_array_equal(composite.data[:4], np.full((4, 2, 3), np.float32(0.3)))


def test_a_composite_describes_itself(tmp_path):
    composite, _ = composite_products([write_pair(tmp_path, name_of(), 1000)])
    assert composite.bands == ("B2", "B3", "B4", "B8", "n_obs")
    assert composite.units == ("reflectance", "reflectance", "reflectance", "reflectance", "count")
    assert np.isnan(composite.nodata) and composite.data.dtype == np.float32
    assert composite.tags["TIGERBUSH_VERSION"] == __version__
    assert (composite.scale, composite.offset) == ((), ())


def test_the_composite_of_a_period_without_pixels_has_the_grid_of_its_first_product(tmp_path):
    pairs = [
        write_pair(
            tmp_path, name_of("20170110"), 0, status="outside", reason="elsewhere", grid=GRID_OF_FAILED
        ),
        write_pair(tmp_path, name_of("20170111"), 0, status="failed", reason="gone"),
    ]
    composite, _ = composite_products(pairs)
    assert composite.grid == GRID_OF_FAILED
    assert np.isnan(composite.data[:4]).all() and not composite.data[4].any()
    assert lineage_of(composite) == {
        "products": [],
        "unmasked": [],
        "codestream": {},
        "left_out": {name_of("20170110"): "elsewhere"},
        "failed": {name_of("20170111"): "gone"},
        "n_takes": 0,
        "acquisition_time": None,
        "platforms": {},
        "relative_orbits": {},
    }


def stamped(time, platform="S2A", tile="33TVL", made="20170117T000000"):
    return f"{platform}_MSIL1C_{time}_N0204_R122_T{tile}_{made}"


def test_datatakes_are_distinguished_by_time_and_platform(tmp_path):
    """In any order; within a datatake, the part that comes first takes precedence."""
    names = [
        stamped("20170110T100031"),
        stamped("20170109T095502", "S2B"),
        stamped("20170109T095502"),
        stamped("20170110T100031", tile="33TWL"),
    ]
    dn = [[[0, 2000, 2000], [2000] * 3], 8000, 4000, 1000]
    composite, _ = composite_products([write_pair(tmp_path, *pair) for pair in zip(names, dn, strict=True)])
    lineage = lineage_of(composite)
    assert lineage["products"] == names
    assert (lineage["n_takes"], lineage["platforms"]) == (3, {"S2A": 2, "S2B": 1})
    # the mean of 9:55:02 twice on the 9th and 10:00:31 on the 10th: 17:56:51.67
    assert lineage["acquisition_time"] == "2017-01-09T17:56:52+00:00"
    # medians of 0.1, 0.8, 0.4 and of 0.2, 0.8, 0.4
    np.testing.assert_array_equal(composite.band("B3"), np.full((2, 3), np.float32(0.4)))
    # without the product of 0.4: means of the middle two
    two, _ = composite_products([(tmp_path / f"{n}.tif", tmp_path / f"{n}_mask.tif") for n in (names[3], names[0], names[1])])  # fmt: skip
    np.testing.assert_allclose(two.band("B3"), np.full((2, 3), 0.45), rtol=1e-7)
    other, _ = composite_products([(tmp_path / f"{n}.tif", tmp_path / f"{n}_mask.tif") for n in (names[0], names[3], names[1])])  # fmt: skip
    np.testing.assert_allclose(other.band("B3"), [[0.45, 0.5, 0.5], [0.5] * 3], rtol=1e-7)


def test_bands_keep_their_own_offsets(tmp_path):
    pair = rewritten(write_pair(tmp_path, name_of(), 1500), offset=(-0.1, 0.0, -0.0501, 0.02))
    composite, _ = composite_products([pair])
    np.testing.assert_array_equal(composite.data[:4, 0, 0], np.float32([0.05, 0.15, 0.0999, 0.17]))


def test_a_mask_with_unknown_pixels_counts_as_none(tmp_path):
    partly = [[masks.CLEAR, masks.UNKNOWN, masks.CLEAR], [masks.CLEAR] * 3]
    pairs = [write_pair(tmp_path, name_of(), 1000, partly), write_pair(tmp_path, name_of("20170117"), 3000)]
    lineage = lineage_of(composite_products(pairs, "required")[0])
    assert lineage["left_out"] == {name_of(): "no cloud mask (composite.mask: required)"}
    assert (lineage["products"], lineage["unmasked"]) == ([name_of("20170117")], [])
    lineage = lineage_of(composite_products(pairs)[0])
    assert (lineage["products"], lineage["unmasked"]) == ([name_of(), name_of("20170117")], [name_of()])


def test_blocks_of_rows_are_assembled(tmp_path, monkeypatch):
    monkeypatch.setattr("tigerbush.sites.composite.ROWS", 2)
    grid = Grid(465180, 5080260, 10, 2, 5)
    tags = {"TIGERBUSH_PRODUCT": name_of(), "TIGERBUSH_STATUS": "ok", "TIGERBUSH_REASON": ""}
    dn = np.arange(1, 41).reshape(4, 5, 2).astype(np.uint16)
    scale, offset = (1e-4,) * 4, (0.0,) * 4
    write_raster(
        tmp_path / "a.tif", Raster(dn, grid, 32633, ("B2", "B3", "B4", "B8"), 0, scale, offset, tags=tags)
    )
    cloud = Raster(np.zeros((1, 5, 2), np.uint8), grid, 32633, ("mask",), masks.MASK_NODATA, tags=tags)
    write_raster(tmp_path / "b.tif", cloud)
    composite, _ = composite_products([(tmp_path / "a.tif", tmp_path / "b.tif")])
    np.testing.assert_array_equal(composite.data[:4], (dn * 1e-4).astype(np.float32))


@pytest.mark.parametrize("number", [3, 4])
def test_the_median_of_every_combination_of_observations(number):
    """Each observation usable or not, in each combination; offsets make some DN negative."""
    values = [900, -40, 7000, 2500][:number]
    usable = list(product([True, False], repeat=number))
    dn = np.array([[[values[i]] * len(usable)] for i in range(number)], np.int32)
    observations = [
        Observation(row[None], np.array([[OBSERVED if use[i] else CLOUD for use in usable]]))
        for i, row in enumerate(dn)
    ]
    medians, count = median(observations)
    expected = [np.median([v for v, used in zip(values, use, strict=True) if used]) if any(use) else np.nan for use in usable]  # fmt: skip
    np.testing.assert_array_equal(medians[0, 0], expected)
    assert count[0].tolist() == [sum(use) for use in usable]
    assert medians.dtype == np.float64


def test_a_part_fills_only_pixels_that_earlier_parts_lack():
    """With two bands: a pixel comes from the same part in all bands."""
    usable = [[True, False, False, False], [True, True, False, False], [True, True, True, False]]
    parts = [
        Observation(
            np.array([[[i + 1] * 4], [[10 * (i + 1)] * 4]], np.int32), np.where([use], OBSERVED, CLOUD)
        )
        for i, use in enumerate(usable)
    ]
    merged = mosaic(parts)
    assert merged.dn[:, 0, :3].tolist() == [[1, 2, 3], [10, 20, 30]]
    assert merged.usable.tolist() == [[True, True, True, False]]
    assert parts[0].dn[0].tolist() == [[1] * 4] and parts[0].usable.tolist() == [usable[0]]


def test_a_pixel_is_usable_when_every_band_has_it():
    stored = np.array([[[0, 1, 65535, 5, 65534]], [[3, 0, 4, 65535, 1]]], np.uint16)
    observation = harmonise(stored, [-10, 20], np.zeros((1, 5), np.uint8), 65535)
    assert observation.usable.tolist() == [[False, False, False, False, True]]
    assert observation.dn.tolist() == [[[-10, -9, 65525, -5, 65524]], [[23, 20, 24, 65555, 21]]]
    assert observation.dn.dtype == np.int32


# products that a new composite would lose


def tags_of(products, failed=()):
    return {LINEAGE: json.dumps({"products": list(products), "failed": dict(failed)})}


OLD, NEXT = "S2A_MSIL1C_20170116T100000_N0204_R122_T33TVL_20170116T110000", "S2A_MSIL1C_20170117T100000_N0204_R122_T33TVL_20170117T110000"  # fmt: skip
AGAIN = "S2A_MSIL1C_20170116T100000_N0500_R122_T33TVL_20230116T110000"


@pytest.mark.parametrize(
    ("used", "new", "failed", "lost"),
    [
        ([OLD, NEXT], [NEXT], {OLD: "gone"}, {OLD: "gone"}),
        # another baseline of the same datatake and tile replaces it
        ([OLD, NEXT], [NEXT], {AGAIN: "bad"}, {AGAIN: "bad"}),
        ([OLD, NEXT], [NEXT, AGAIN], {OLD: "gone"}, {OLD: "gone"}),
        ([OLD], [OLD], {NEXT: "new and bad"}, {}),
        ([NEXT], [NEXT], {OLD: "gone"}, {}),
        ([NEXT, AGAIN], [NEXT, OLD], {AGAIN.replace("N0500", "N0510"): "bad"}, {}),
        # nothing is left
        ([NEXT], [], {OLD: "bad"}, {OLD: "bad"}),
        ([], [], {OLD: "bad"}, {}),
    ],
)
def test_products_that_a_new_composite_would_lose(used, new, failed, lost):
    assert lost_products(tags_of(used), tags_of(new, failed)) == lost


@pytest.mark.parametrize("old", [{}, {LINEAGE: "{"}, {LINEAGE: "[]"}, {LINEAGE: '{"products": 5}'}])
def test_a_composite_without_lineage_loses_nothing(old):
    assert lost_products(old, tags_of([NEXT], {OLD: "bad"})) == {}


def test_two_baselines_share_datatake_and_tile():
    assert datatake_and_tile(OLD) == datatake_and_tile(AGAIN)
    for old, new in (("S2A", "S2B"), ("L1C", "L2A"), ("T100000_N", "T100001_N"), ("33TVL", "33TWL")):
        assert datatake_and_tile(OLD) != datatake_and_tile(OLD.replace(old, new))
