"""The methods of tigerbush.resample against runs of SNAP's Resample on what its Sentinel-2 reader makes of products."""

import json
import re
from collections import Counter

import numpy as np
import pytest

from tigerbush.grid import Grid
from tigerbush.resample import resample, target_grid

pytestmark = pytest.mark.data

X, Y = 600000, 5900040
# what no Sentinel-2 product is: floats, no-data values in use, a single resolution
OTHER_KINDS = {"float", "nodata_used", "single_res"}
TERM = re.compile(r"(\w+?)(?:\.raw)? (>=|>|==) (-?[0-9.]+)")
COMPARE = {">=": np.greater_equal, ">": np.greater, "==": np.equal}


def valid_pixels(expression, arrays):
    """Evaluate a valid-pixel expression: comparisons joined by &&."""
    terms = [TERM.fullmatch(term).groups() for term in expression.split(" && ")]
    return np.all(
        [COMPARE[sign](arrays[f"in_{name}"].astype(float), float(number)) for name, sign, number in terms],
        axis=0,
    )


def grids_of(run, arrays):
    """Grids by band, and the target grid."""
    grids = {
        band["name"]: Grid(X, Y, band["res"], *arrays[f"in_{band['name']}"].shape[::-1])
        for band in run["bands"]
    }
    width, height, resolution = run["scene"]
    if "referenceBand" in run["params"]:
        return grids, grids[run["params"]["referenceBand"]]
    scene = Grid(X, Y, resolution, width, height)
    return grids, target_grid(scene, list(grids.values()), float(run["params"]["targetResolution"]))


def results(folder):
    """Yield per band that was resampled: kind, method, ratio of resolutions, ours, SNAP's."""
    for run in json.loads((folder / "index.json").read_text()):
        if run["kind"] in OTHER_KINDS:
            continue
        with np.load(folder / f"{run['case']}.npz") as file:
            arrays = dict(file)
        grids, target = grids_of(run, arrays)
        out = run["out"]
        assert (out["width"], out["height"], *out["i2m"][2:]) == (
            target.width,
            target.height,
            target.x,
            target.y,
        )
        for band in run["bands"]:
            name = band["name"]
            pixels, source = arrays[f"in_{name}"], grids[name]
            if source.resolution < target.resolution:
                method = run["params"].get("downsampling", "First")
            else:
                method = run["params"].get("upsampling", "Nearest")
            valid = valid_pixels(band["vpe"], arrays) if band.get("vpe") else None
            ours = resample(pixels, source, target, method, nodata=0, valid=valid)
            kind = "mask" if name.startswith("B_") else run["kind"]
            if source != target:
                yield (
                    kind,
                    method,
                    target.resolution / source.resolution,
                    ours,
                    arrays[f"out{run['k']}_{name}"],
                )
            else:
                np.testing.assert_array_equal(ours, pixels)


@pytest.fixture(scope="module")
def compared(shared_data):
    return list(results(shared_data / "snap2"))


def test_every_band_is_compared(compared):
    kinds = Counter(kind for kind, *_ in compared)
    assert kinds == {"mask": 730, "plain": 213, "s2_13": 270, "s2_14": 157, "s2_14_masks": 365}
    methods = Counter(method for _, method, *_ in compared)
    assert methods.keys() == {"First", "Nearest", "Min", "Max", "Mean", "Median", "Bilinear", "Bicubic"}
    assert min(methods.values()) > 100


def test_all_methods_but_bicubic_and_uneven_means(compared):
    for kind, method, ratio, ours, snap in compared:
        if method != "Bicubic" and not (method == "Mean" and ratio * 2 % 1):
            assert ours.dtype == snap.dtype
            np.testing.assert_array_equal(ours, snap, err_msg=f"{kind} {method} {ratio}")


def test_means_of_shares_that_binary_floats_cannot_hold(compared):
    """100 m from 60 m: SNAP's rounding depends on the distance from the corner of the image."""
    differing = Counter()
    for kind, method, ratio, ours, snap in compared:
        if method == "Mean" and ratio * 2 % 1:
            assert ratio == 100 / 60
            difference = np.abs(ours.astype(int) - snap)
            assert difference.max() <= 1
            differing[kind, bool(difference.any())] += 1
    assert differing == {
        ("mask", False): 4,
        **{
            (kind, differs): n
            for kind, differs, n in (("s2_13", True, 1), ("s2_14", True, 1), ("s2_14", False, 2))
        },
        **{("s2_14_masks", differs): 1 for differs in (False, True)},
    }


def test_bicubic_is_clipped_where_snap_wraps_round(compared):
    clipped = Counter()
    for kind, method, _, ours, snap in compared:
        if method == "Bicubic":
            differs = ours != snap
            top = np.iinfo(ours.dtype).max
            # below 0 SNAP wraps round to the top, above the top to the bottom
            assert np.all(
                (ours[differs] == 0) & (snap[differs] > top // 2)
                | (ours[differs] == top) & (snap[differs] < top // 2)
            )
            clipped[kind] += np.count_nonzero(differs)
    assert clipped == {"mask": 0, "plain": 2, "s2_13": 1189, "s2_14": 594, "s2_14_masks": 1187}
