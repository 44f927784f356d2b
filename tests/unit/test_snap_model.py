"""The stand-in for SNAP compared with output recorded from real SNAP, which makes tests with it meaningful."""

import json
from collections import Counter

import numpy as np
import pytest
import rasterio

from snap_model import Band, Java, Product, operate, resampled

pytestmark = pytest.mark.data

X, Y = 600000, 5900040  # upper-left corner of every recorded product
# all recorded bands per method; interpolation, which no test asks of the stand-in, is not restated in it
COMPARED = {
    "copy": 112, "First": 87, "Nearest": 110, "Mean": 29, "Median": 29, "Min": 29, "Max": 29, "interpolation": 44,
}  # fmt: skip
INTERPOLATION = ("Bilinear", "Bicubic")


def texts(**parameters):
    return {key: Java("java.lang.String", value) for key, value in parameters.items()}


def recorded_bands(snap, run):
    with np.load(snap / f"{run['case']}.npz") as arrays:
        for band in run["bands"]:
            pixels = arrays[f"in_{band['name']}"]
            valid = pixels > 0 if "vpe" in band else None
            yield band["name"], Band(pixels, band["res"], valid), arrays[f"out{run['k']}_{band['name']}"]


def test_resample_is_that_of_snap(shared_data):
    snap, compared = shared_data / "snap", Counter()
    for run in json.loads((snap / "index.json").read_text()):
        rows = list(recorded_bands(snap, run))
        product = Product({name: band for name, band, _ in rows}, X, Y, *run["scene"], 32631)
        target = int(run["params"]["targetResolution"])
        step, _, x, y = run["out"]["i2m"]
        result = operate("Resample", texts(targetResolution=str(target)), product)
        assert (result.resolution, result.x, result.y) == (step, x, y)
        for name, band, expected in rows:
            finer = band.resolution < target
            method = run["params"].get(*(("downsampling", "First") if finer else ("upsampling", "Nearest")))
            if method in INTERPOLATION and band.resolution != target:
                compared["interpolation"] += 1
                continue
            pixels = resampled(band, product, target, method, method)
            np.testing.assert_array_equal(pixels, expected, err_msg=f"{run}, {name}")
            compared["copy" if band.resolution == target else method] += 1
    assert compared == COMPARED


@pytest.mark.parametrize(
    ("name", "region"),
    [("plain", {}), ("region", {"region": "5,3,10,8"}), ("georegion", {"geoRegion": None})],
)
def test_the_chain_is_that_of_snap(shared_data, name, region):
    snap = shared_data / "snap"
    if "geoRegion" in region:
        region = {"geoRegion": json.loads((snap / "script_georegion.json").read_text())["geoRegion"]}
    with np.load(snap / "script_chain_inputs.npz") as arrays:
        bands = {
            name: Band(arrays[name], resolution)
            for name, resolution in (("B2", 10), ("B3", 10), ("B4", 10), ("B5", 20), ("B1", 60))
        }
    product = operate("Resample", texts(targetResolution="20"), Product(bands, X, Y, 60, 60, 10, 32631))
    product = operate("Subset", texts(sourceBands="B2,B3,B4", copyMetadata="true", **region), product)
    with rasterio.open(snap / f"script_{'chain_' if name == 'plain' else ''}{name}.tif") as image:
        np.testing.assert_array_equal([band.pixels for band in product.bands.values()], image.read())
        assert (product.x, product.y) == (image.transform.c, image.transform.f)
