"""GeoTIFFs are read back as written, with overviews; strips and placeholders of scenes."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from fabricate import CORNER, name_of, scene_of
from tigerbush.errors import KeptError, TigerbushError
from tigerbush.grid import Grid
from tigerbush.placeholder import product_tags
from tigerbush.raster import (
    CODESTREAM,
    LINEAGE,
    PRODUCT,
    REASON,
    STATUS,
    Raster,
    _overviews,
    image_driver,
    read_raster,
    read_tags,
    write_raster,
    write_strips,
)
from tigerbush.scenes import scene
from tigerbush.scenes.scene import (
    SceneOptions,
    product_raster,
    read_bands,
    scene_outside,
    scene_placeholder,
    write_scene,
)
from tigerbush.sentinel2.names import parse_name
from tigerbush.sentinel2.sensor import SENSOR
from tigerbush.version import __version__

GRID = Grid(465_180, 5_080_260, 20, 7, 5)


def raster(**changes):
    data = np.arange(70, dtype=np.uint16).reshape(2, 5, 7)
    fields = {
        "data": data,
        "grid": GRID,
        "epsg": 32633,
        "bands": ("B2", "B8A"),
        "nodata": 3,
        "scale": (1e-4, 2e-4),
        "offset": (-0.1, 0.25),
        "units": ("reflectance", "1"),
        "tags": {"A": "x", "B": "y z"},
    }
    return Raster(**fields | changes)


def test_a_raster_is_read_back_unchanged(tmp_path):
    written = raster()
    write_raster(tmp_path / "a.tif", written)
    result = read_raster(tmp_path / "a.tif")
    np.testing.assert_array_equal(result.data, written.data)
    assert result.data.dtype == np.uint16
    assert (result.grid, result.epsg, result.bands, result.nodata) == (GRID, 32633, ("B2", "B8A"), 3)
    assert (result.scale, result.offset, result.units) == (written.scale, written.offset, written.units)
    assert {key: result.tags[key] for key in "AB"} == {"A": "x", "B": "y z"}
    assert {key: read_tags(tmp_path / "a.tif")[key] for key in "AB"} == {"A": "x", "B": "y z"}
    np.testing.assert_array_equal(result.band("B8A"), written.data[1])
    with rasterio.open(tmp_path / "a.tif") as image:
        assert image.transform == GRID.transform == rasterio.Affine(20, 0, 465_180, 0, -20, 5_080_260)
        assert image.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert image.compression.name == "deflate"
    # without scale and units: those of GDAL
    write_raster(tmp_path / "a.tif", raster(scale=(), offset=(), units=(), nodata=0))
    result = read_raster(tmp_path / "a.tif")
    assert (result.scale, result.offset, result.units, result.nodata) == ((1, 1), (0, 0), (None, None), 0)


def test_strips_are_put_in_their_place_by_band_and_row(tmp_path):
    expected = np.random.default_rng(0).integers(1, 99, (3, 5, 7)).astype(np.uint16)

    def strips():
        for first, bands in ((2, 1), (0, 2)):
            for top, height in ((2, 3), (0, 2)):
                grid = Grid(GRID.x, GRID.y - 20 * top, 20, 7, height)
                yield grid, first, expected[first : first + bands, top : top + height]

    like = raster(data=np.empty((3, 0, 0), np.uint16), bands=("a", "b", "c"), scale=(), offset=(), units=())
    write_strips(tmp_path / "a.tif", like, strips())
    np.testing.assert_array_equal(read_raster(tmp_path / "a.tif").data, expected)


def test_overviews_fit_into_a_block():
    assert [_overviews(side) for side in (1, 512, 513, 1024, 1025, 5490)] == [
        [], [], [2], [2], [2, 4], [2, 4, 8, 16]
    ]  # fmt: skip


def test_overviews_repeat_pixels(tmp_path):
    data = np.random.default_rng(0).integers(1, 9, (1, 30, 1030)).astype(np.uint8)
    grid = Grid(0, 0, 10, 1030, 30)
    write_raster(tmp_path / "a.tif", Raster(data, grid, 32633, ("class",), 0))
    with rasterio.open(tmp_path / "a.tif") as image:
        assert image.overviews(1) == [2, 4]
        assert image.block_shapes == [(512, 512)]
    with rasterio.open(tmp_path / "a.tif", overview_level=0) as image:
        small = image.read(1)
        # each is one of the four below it, and no mean of them
        blocks = data[0].reshape(15, 2, 515, 2)
        assert small.shape == (15, 515)
        assert (blocks == small[:, None, :, None]).any(axis=(1, 3)).all()


def test_an_incomplete_file_has_a_name_that_is_cleaned_up(tmp_path, monkeypatch):
    """Lost ranks leave it behind, and the next ones remove `.*.tif`."""
    seen, copy = [], rasterio.shutil.copy

    def noted(source, target, **options):
        seen.append((source, target, options))
        copy(source, target, **options)

    monkeypatch.setattr("rasterio.shutil.copy", noted)
    target = tmp_path / f"{'x' * 60}.tif"
    write_raster(target, raster())
    ((source, cog, options),) = seen
    assert source.startswith(f"{tmp_path}/.{'x' * 40}.") and source.endswith(".tif")
    assert cog.parent == tmp_path and cog != target
    assert options == {"driver": "COG", "compress": "DEFLATE", "level": 1, "predictor": "YES"}
    assert list(tmp_path.iterdir()) == [target]


def test_drivers_are_chosen_by_suffix():
    assert [image_driver(name) for name in ("a.jp2", "a.tif", "a.jp2.tif")] == [
        "JP2OpenJPEG",
        "GTiff",
        "GTiff",
    ]


def test_an_invalid_file(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"no")
    with pytest.raises(TigerbushError) as error:
        read_raster(path)
    sentence = str(error.value)
    assert sentence.startswith(f"{path} cannot be read (") and sentence.endswith(
        "); delete it and run again."
    )


def test_names_of_tags_are_those_in_files():
    """They are needed to read files of earlier runs."""
    assert (PRODUCT, STATUS, REASON) == ("TIGERBUSH_PRODUCT", "TIGERBUSH_STATUS", "TIGERBUSH_REASON")
    assert (CODESTREAM, LINEAGE) == ("TIGERBUSH_CODESTREAM", "TIGERBUSH_LINEAGE")
    assert raster().band("B2").shape == (5, 7)


# scenes


def test_tags_of_a_product():
    name = "S2B_MSIL2A_20190203T040506_N0211_R007_T33TVL_20190203T070809"
    assert product_tags(parse_name(name), "failed", "because") == {
        "TIGERBUSH_PRODUCT": name,
        "TIGERBUSH_STATUS": "failed",
        "TIGERBUSH_REASON": "because",
        "TIGERBUSH_VERSION": __version__,
        "SENSING_TIME": "2019-02-03T04:05:06Z",
        "PROCESSING_BASELINE": "02.11",
    }


@pytest.mark.parametrize(
    ("tile", "epsg"),
    [("33TVL", 32633), ("33NAA", 32633), ("33MAA", 32733), ("01CAA", 32701), ("60XAA", 32660)],
)
def test_placeholders_of_scenes(tile, epsg):
    name = name_of(tile=tile)
    for raster, status, reason in (
        (scene_placeholder(name, "bad", ["B4", "B2"], 20), "failed", "bad"),
        (scene_outside(name, ["B4", "B2"], 20), "outside", "the product does not reach the region"),
    ):
        assert raster.data.tolist() == [[[0]], [[0]]] and raster.data.dtype == np.uint16
        assert (raster.grid, raster.epsg, raster.bands, raster.nodata) == (
            Grid(0, 0, 20, 1, 1),
            epsg,
            ("B4", "B2"),
            0,
        )
        assert raster.tags == product_tags(parse_name(name), status, reason)


def test_scale_and_offset_convert_stored_values_to_reflectance():
    offsets = {"B2": -1000, "B4": 250}
    product = SimpleNamespace(
        reflectance=lambda band: (1 / 5000, offsets[band] / 5000),
        epsg=32633,
        codestream="checked",
        name=parse_name(name_of()),
    )
    data = np.ones((2, 5, 7), np.uint16)
    raster = product_raster(product, ["B4", "B2"], GRID, data)
    assert raster.data is data
    assert (raster.grid, raster.epsg, raster.bands, raster.nodata) == (GRID, 32633, ("B4", "B2"), 0)
    assert (raster.scale, raster.offset, raster.units) == ((0.0002,) * 2, (0.05, -0.2), ("reflectance",) * 2)
    assert raster.tags == product_tags(parse_name(name_of()), "ok", "") | {CODESTREAM: "checked"}
    product.codestream = None
    assert product_raster(product, ["B4"], GRID, data).tags == product_tags(parse_name(name_of()), "ok", "")


def test_bands_without_a_method_use_those_of_snap():
    calls = []
    product = SimpleNamespace(read_band=lambda *call: calls.append(call) or np.zeros((1, 1)))
    for up, down in (({"B1": "Bicubic"}, {"B4": "Mean"}), ("Bilinear", "Median")):
        assert read_bands(product, ["B1", "B4"], GRID, up, down).shape == (2, 1, 1)
    assert calls == [
        ("B1", GRID, "Bicubic", "First"),
        ("B4", GRID, "Nearest", "Mean"),
        ("B1", GRID, "Bilinear", "Median"),
        ("B4", GRID, "Bilinear", "Median"),
    ]


@pytest.mark.parametrize(
    ("resolution", "first", "height", "heights"),
    [
        # rows of 51,200 m: 5120 of 10 m, 2560 of 20 m; at 60 m the common multiple is 153,600 m, 2560 rows
        (10, 0, 10_980, [5120, 5120, 740]),
        (10, 5119, 5122, [1, 5120, 1]),
        (10, 5120, 5120, [5120]),
        (20, 100, 2460, [2460]),
        (20, 100, 2461, [2460, 1]),
        (60, 0, 1830, [1830]),
    ],
)
def test_strips_end_where_tiles_end(resolution, first, height, heights):
    tile = Grid(300_000, 5_100_000, 10, 10_980, 10_980)
    assert SENSOR.strip_metres == math.lcm(10_240, 12_800) == 51_200
    grid = Grid(300_400, 5_100_000 - first * resolution, resolution, 33, height)
    strips = list(scene._strips(tile, grid, SENSOR.strip_metres))
    assert [strip.height for strip in strips] == heights
    tops = [grid.y - resolution * sum(heights[:i]) for i in range(len(heights))]
    assert [(strip.x, strip.y, strip.resolution, strip.width) for strip in strips] == [
        (300_400, top, resolution, 33) for top in tops
    ]


def test_a_region_outside_the_product_replaces_no_pixels(product, tmp_path):
    safe, target = product(scene=scene_of(place=CORNER | {"width": 12, "height": 12})), tmp_path / "a.tif"
    options = SceneOptions(bands=["B4"], resolution=10)
    write_scene(safe, target, replace(options, region=[12, 0, 1, 1]))
    assert read_tags(target)["TIGERBUSH_STATUS"] == "outside"
    write_scene(safe, target, replace(options, region=[11, 0, 1, 1]))
    assert read_raster(target).grid == Grid(CORNER["x"] + 110, CORNER["y"], 10, 1, 1)
    before = target.read_bytes()
    with pytest.raises(KeptError) as error:
        write_scene(safe, target, replace(options, region=[0, 12, 1, 1]))
    assert error.value.reason == "the product does not reach the region"
    assert target.read_bytes() == before
