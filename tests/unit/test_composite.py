"""The composite of a period against values worked out by hand and a slow reference."""

import json

import numpy as np
import pytest

from fabricate import name_of
from tigerbush import masks
from tigerbush.grid import Grid
from tigerbush.raster import CODESTREAM, LINEAGE, PRODUCT, REASON, STATUS, Raster, write_raster
from tigerbush.sentinel2.names import SITE_BANDS
from tigerbush.sites.composite import Observation, composite_products, harmonise, median, mosaic
from tigerbush.sites.lost import CLOUD, OBSERVED

GRID = Grid(465180, 5080260, 10, 3, 2)


def write_pair(folder, name, dn, mask=masks.CLEAR, *, offset=0, status="ok", reason="", grid=GRID, **more):
    """The files of one product: every band has the DN given (a number or (2, 3) array)."""
    tags = {PRODUCT: name, STATUS: status, REASON: reason, **more}
    data = np.broadcast_to(np.asarray(dn, np.uint16), (4, 2, 3)).copy()
    classes = np.broadcast_to(np.asarray(mask, np.uint8), (1, 2, 3)).copy()
    paths = folder / f"{name}.tif", folder / f"{name}_mask.tif"
    scale, offsets = (1e-4,) * 4, (offset / 10000,) * 4
    write_raster(paths[0], Raster(data, grid, 32633, SITE_BANDS, 0, scale, offsets, tags=tags))
    write_raster(paths[1], Raster(classes, grid, 32633, ("mask",), masks.MASK_NODATA, tags=tags))
    return paths


def test_the_offset_is_added_as_an_integer():
    stored = np.array([[[0, 65535, 900, 1500]], [[5, 5, 5, 5]]], np.uint16)
    observation = harmonise(stored, [-1000, 0], np.array([[0, 0, 0, 0]], np.uint8), 65535)
    assert observation.dn[0].tolist() == [[-1000, 64535, -100, 500]]
    assert observation.usable.tolist() == [[False, False, True, True]]


def test_unknown_pixels_are_used_but_not_masked_ones():
    stored = np.ones((1, 1, 4), np.uint16)
    mask = np.array([[masks.CLEAR, masks.MASKED, masks.UNKNOWN, masks.MASK_NODATA]], np.uint8)
    assert harmonise(stored, [0], mask, 65535).usable.tolist() == [[True, False, True, False]]


def observed(values):
    """One row of one band; None for an unusable pixel."""
    row = np.array([[[0 if value is None else value for value in values]]], np.int32)
    return Observation(
        row, np.array([[OBSERVED if value is not None else CLOUD for value in values]], np.uint8)
    )


def test_mosaic_takes_each_pixel_once():
    merged = mosaic([observed([1, None, None]), observed([9, 2, None]), observed([9, 9, 3])])
    assert merged.dn.tolist() == [[[1, 2, 3]]]
    assert merged.usable.all()


def test_median_by_hand():
    value, count = median(
        [observed([5, 1, None, None]), observed([3, None, None, -7]), observed([9, 4, None, None])]
    )
    np.testing.assert_array_equal(value, [[[5, 2.5, np.nan, -7]]])
    assert count.tolist() == [[3, 2, 0, 1]]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12, 36])
def test_median_equals_nanmedian(n):
    random = np.random.default_rng(n)
    dn = random.integers(-1000, 20000, (n, 4, 17, 13)).astype(np.int32)
    usable = random.random((n, 17, 13)) < 0.5
    value, count = median(
        [Observation(*pair) for pair in zip(dn, np.where(usable, OBSERVED, CLOUD), strict=True)]
    )
    with np.errstate(all="ignore"):
        expected = np.ma.median(np.ma.array(dn, mask=np.broadcast_to(~usable[:, None], dn.shape)), axis=0)
    np.testing.assert_array_equal(value, expected.filled(np.nan))
    np.testing.assert_array_equal(count, usable.sum(axis=0))


def test_products_of_a_period(tmp_path):
    pairs = [
        write_pair(tmp_path, name_of("20170110"), 1000),
        write_pair(tmp_path, name_of("20170120", platform="S2B", orbit="022"), 4000, offset=-1000),
        write_pair(tmp_path, name_of("20170115"), [[2000, 2000, 0], [2000, 2000, 0]]),
        write_pair(tmp_path, name_of("20170125"), 9000, masks.MASKED),
        write_pair(
            tmp_path, name_of("20170126"), 0, masks.MASK_NODATA, status="failed", reason="B4 is missing"
        ),
        write_pair(tmp_path, name_of("20170127"), 0, masks.MASK_NODATA, status="outside", reason="elsewhere"),
    ]
    composite, _ = composite_products(pairs)
    assert composite.bands == ("B2", "B3", "B4", "B8", "n_obs")
    assert composite.data.dtype == np.float32
    np.testing.assert_array_equal(composite.band("n_obs"), [[3, 3, 2], [3, 3, 2]])
    np.testing.assert_array_equal(composite.band("B8"), np.float32([[0.2, 0.2, 0.2], [0.2, 0.2, 0.2]]))
    lineage = json.loads(composite.tags[LINEAGE])
    assert lineage["products"] == [
        name_of("20170110"),
        name_of("20170120", platform="S2B", orbit="022"),
        name_of("20170115"),
        name_of("20170125"),
    ]
    assert lineage["failed"] == {name_of("20170126"): "B4 is missing"}
    assert lineage["left_out"] == {name_of("20170127"): "elsewhere"}
    assert lineage["n_takes"] == 4
    assert lineage["platforms"] == {"S2A": 3, "S2B": 1}
    assert lineage["relative_orbits"] == {"122": 3, "22": 1}
    assert lineage["acquisition_time"] == "2017-01-17T22:00:00+00:00"


def test_tiles_and_parts_of_one_datatake_count_once(tmp_path):
    left, right = [[1000, 1000, 0]] * 2, [[0, 3000, 3000]] * 2
    composite, _ = composite_products(
        [
            write_pair(tmp_path, name_of(tile="33TVL"), left),
            write_pair(tmp_path, name_of(tile="33TWL"), right),
            write_pair(tmp_path, name_of(tile="33TVL", made="20170117T000000"), right),
        ]
    )
    np.testing.assert_array_equal(composite.band("n_obs"), np.ones((2, 3)))
    np.testing.assert_array_equal(composite.band("B4"), np.float32([[0.1, 0.1, 0.3]] * 2))
    assert json.loads(composite.tags[LINEAGE])["n_takes"] == 1


@pytest.mark.parametrize("mode", ["if_present", "required"])
def test_a_missing_mask_is_recorded(tmp_path, mode):
    composite, _ = composite_products(
        [
            write_pair(tmp_path, name_of("20170110"), 1000),
            write_pair(tmp_path, name_of("20170120"), 3000, masks.UNKNOWN),
        ],
        mode,
    )
    lineage = json.loads(composite.tags[LINEAGE])
    if mode == "required":
        assert lineage["left_out"] == {name_of("20170120"): "no cloud mask (composite.mask: required)"}
        assert (composite.band("n_obs") == 1).all()
    else:
        assert lineage["unmasked"] == [name_of("20170120")]
        assert (composite.band("n_obs") == 2).all()


def test_a_period_without_any_pixel(tmp_path):
    composite, _ = composite_products(
        [write_pair(tmp_path, name_of(), 0, masks.MASK_NODATA, status="failed", reason="gone")]
    )
    assert np.isnan(composite.data[:4]).all()
    assert (composite.band("n_obs") == 0).all()
    assert json.loads(composite.tags[LINEAGE])["acquisition_time"] is None


def test_a_product_on_another_grid_fails_alone(tmp_path):
    pairs = [write_pair(tmp_path, name_of(f"2017011{day}"), 1000) for day in range(2)]
    odd = write_pair(tmp_path, name_of("20170105"), 3000, grid=Grid(465190, 5080260, 10, 3, 2))
    composite, _ = composite_products([odd, *pairs])
    assert (composite.band("n_obs") == 2).all()
    assert composite.grid == GRID
    lineage = json.loads(composite.tags[LINEAGE])
    assert list(lineage["failed"]) == [name_of("20170105")]
    assert "grid or quantification differs" in lineage["failed"][name_of("20170105")]


def test_blocks_of_rows_change_nothing(tmp_path, monkeypatch):
    pairs = [
        write_pair(tmp_path, name_of(f"2017011{day}"), [[day, 2, 3], [4, 5, day * 7]]) for day in range(1, 4)
    ]
    whole, _ = composite_products(pairs)
    monkeypatch.setattr("tigerbush.sites.composite.ROWS", 1)
    np.testing.assert_array_equal(composite_products(pairs)[0].data, whole.data)


def test_the_lineage_records_whose_packets_were_checked(tmp_path):
    """For the products that are used; GeoTIFFs of a catalogue have no packets."""
    names = [name_of(f"2017011{day}") for day in range(4)]
    pairs = []
    for name, outcome in zip(names, ("checked", "unchecked", "", "checked"), strict=True):
        status = "failed" if name == names[3] else "ok"
        tags = {CODESTREAM: outcome} if outcome else {}
        pairs.append(write_pair(tmp_path, name, 100, status=status, reason="why", **tags))
    lineage = json.loads(composite_products(pairs)[0].tags[LINEAGE])
    assert lineage["codestream"] == {names[0]: "checked", names[1]: "unchecked"}
