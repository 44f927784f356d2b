"""The methods of tigerbush.resample against output recorded from SNAP's own Resample, bit for bit."""

import json
from collections import Counter
from math import ceil, floor

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform

from tigerbush.grid import Grid
from tigerbush.resample import resample, target_grid

pytestmark = pytest.mark.data

X, Y = 600000, 5900040  # upper-left corner of every recorded product


def counts(copy, first, nearest, interpolated, aggregated):
    return Counter(
        {
            "copy": copy,
            "First": first,
            "Nearest": nearest,
            **dict.fromkeys(("Bilinear", "Bicubic"), interpolated),
            **dict.fromkeys(("Mean", "Median", "Min", "Max"), aggregated),
        }
    )


# Bands compared per case and method: without them a test could pass by comparing nothing.
COMPARED = {
    "s2like_u16": counts(28, 15, 15, 3, 5),
    "s2like_vpe_masking": counts(21, 9, 15, 3, 3),
    "u16_nodata0_used": counts(21, 9, 15, 3, 3),
    "f32_nodataNaN_used": counts(21, 9, 15, 3, 3),
    "odd_multires": counts(21, 9, 15, 3, 3),
    "single_10m_odd": counts(0, 3, 0, 0, 1),
    "single_60m": counts(0, 0, 10, 2, 0),
    "ratio_noninteger": counts(0, 33, 25, 5, 11),
}


@pytest.fixture(scope="session")
def snap(shared_data):
    return shared_data / "snap"


@pytest.fixture(scope="session")
def runs(snap):
    return json.loads((snap / "index.json").read_text())


def recorded(snap, runs, case):
    """Yield the runs of a case: run, inputs, outputs and grids by band."""
    with np.load(snap / f"{case}.npz") as arrays:
        for run in (run for run in runs if run["case"] == case):
            bands = [band["name"] for band in run["bands"]]
            inputs = {name: arrays[f"in_{name}"] for name in bands}
            outputs = {name: arrays[f"out{run['k']}_{name}"] for name in bands}
            grids = {
                band["name"]: Grid(X, Y, band["res"], *inputs[band["name"]].shape[::-1])
                for band in run["bands"]
            }
            yield run, inputs, outputs, grids


def planned_target(run, grids):
    width, height, resolution = run["scene"]
    scene = Grid(X, Y, resolution, width, height)
    return target_grid(scene, list(grids.values()), int(run["params"]["targetResolution"]))


def test_every_recorded_case_is_compared(runs):
    assert {run["case"] for run in runs} == set(COMPARED)
    assert len(runs) == 154
    assert sum(COMPARED.values(), Counter()) == counts(112, 87, 110, 22, 29)


@pytest.mark.parametrize("case", COMPARED)
def test_target_grid(snap, runs, case):
    for run, _, _, grids in recorded(snap, runs, case):
        out = run["out"]
        step, _, x, y = out["i2m"]
        assert planned_target(run, grids) == Grid(x, y, step, out["width"], out["height"])


@pytest.mark.parametrize("case", COMPARED)
def test_pixels(snap, runs, case):
    compared = Counter()
    for run, inputs, outputs, grids in recorded(snap, runs, case):
        target = planned_target(run, grids)
        for band in run["bands"]:
            pixels, source, expected = (table[band["name"]] for table in (inputs, grids, outputs))
            finer = source.resolution < target.resolution
            method = run["params"].get(*(("downsampling", "First") if finer else ("upsampling", "Nearest")))
            masked = "vpe" in band
            if masked:
                assert band["vpe"] == f"{band['name']}.raw > 0"
            result = resample(
                pixels,
                source,
                target,
                method,
                nodata=float(band.get("nodata", 0)),
                nodata_used=band.get("nodata_used", False),
                valid=pixels > 0 if masked else None,
            )
            if method == "Bicubic" and masked:
                # SNAP wraps overshoot below zero round to the top of uint16; here it is clipped
                expected = np.where(expected > 60000, 0, expected).astype(expected.dtype)
            assert result.dtype == expected.dtype
            np.testing.assert_array_equal(
                result, expected, err_msg=f"run {run['k']}, {band['name']}, {method}"
            )
            compared["copy" if source.resolution == target.resolution else method] += 1
    assert compared == COMPARED[case]


# The whole chain of background/002 (Resample to 20 m, Subset, GeoTIFF)


@pytest.fixture(scope="session")
def chain(snap):
    with np.load(snap / "script_chain_inputs.npz") as arrays:
        return {band: arrays[band] for band in ("B2", "B3", "B4")}


def chain_scene():
    scene = Grid(X, Y, 10, 60, 60)
    return scene, target_grid(scene, [scene, Grid(X, Y, 20, 30, 30), Grid(X, Y, 60, 10, 10)], 20)


def read_tif(path):
    with rasterio.open(path) as tif:
        return (
            tif.read(),
            Grid(tif.transform.c, tif.transform.f, tif.transform.a, tif.width, tif.height),
            tif.crs,
        )


def test_whole_chain(snap, chain):
    pixels, grid, _ = read_tif(snap / "script_chain_plain.tif")
    scene, target = chain_scene()
    assert grid == target
    for band, expected in zip(chain.values(), pixels, strict=True):
        result = resample(band, scene, target, "First")
        np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(result, band[::2, ::2])


@pytest.mark.parametrize("name", ["script_region.tif", "script_georegion.tif"])
def test_regions_are_crops(snap, chain, name):
    pixels, window, _ = read_tif(snap / name)
    assert window == Grid(X + 100, Y - 60, 20, 10, 8)
    for band, expected in zip(chain.values(), pixels, strict=True):
        cropped = band[6:22, 10:30]  # before resampling
        source = Grid(window.x, window.y, 10, 20, 16)
        np.testing.assert_array_equal(resample(cropped, source, window, "First"), expected)
        np.testing.assert_array_equal(resample(band, Grid(X, Y, 10, 60, 60), window, "First"), expected)


def test_georegion_reaches_outward_to_whole_pixels(snap):
    _, window, crs = read_tif(snap / "script_georegion.tif")
    wkt = json.loads((snap / "script_georegion.json").read_text())["geoRegion"]
    corners = wkt.removeprefix("POLYGON((").removesuffix("))").split(",")
    longitudes, latitudes = zip(*(map(float, corner.split()) for corner in corners), strict=True)
    easting, northing = transform("EPSG:4326", crs, longitudes, latitudes)
    left, right = floor((min(easting) - X) / 20), ceil((max(easting) - X) / 20)
    top, bottom = floor((Y - max(northing)) / 20), ceil((Y - min(northing)) / 20)
    assert window == Grid(X + left * 20, Y - top * 20, 20, right - left, bottom - top)
