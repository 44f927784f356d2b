"""The measures of pyveg's own 11 sub-images, from the images as pyveg shipped them."""

import json

import numpy as np
import pytest

from tigerbush.images import read_png
from tigerbush.sites.layout import SubImage
from tigerbush.sites.subimages import centrality_of_sub_images, coverage, ndvi_of_sub_images

pytestmark = pytest.mark.data

PART = [(SubImage(slice(0, 50), slice(0, 50), 0.0, 0.0), 0.0)]
COVERED = coverage(np.zeros((50, 50)), np.zeros((50, 50, 3), np.uint8))


@pytest.fixture(scope="module")
def shipped(shared_data):
    """Pairs of pyveg's record and the images of the same place."""
    folder = shared_data / "pyveg" / "subimages_2018-03-01"
    records = {
        (record["longitude"], record["latitude"]): record
        for record in json.loads((folder / "network_centralities.json").read_text())
    }
    pairs = []
    for path in sorted(folder.glob("*_BWNDVI.png")):
        _, *place, _ = path.stem.split("_")
        ndvi = path.with_name(path.name.replace("_BWNDVI", "_NDVI"))
        pairs.append((records[float(place[0]), float(place[1])], read_png(path), read_png(ndvi)[..., 0]))
    assert len(pairs) == 11
    return pairs


def test_ndvi_of_vegetation(shipped):
    for record, black_white, grey in shipped:
        ndvi = grey * np.float32(2 / 255) - 1
        [measured] = ndvi_of_sub_images(
            ndvi, grey, black_white, np.ones_like(ndvi), COVERED, PART, "2018-03-01"
        )
        assert measured["ndvi_veg"] == record["veg_ndvi_mean"]


def test_network_centrality(shipped):
    for record, black_white, _ in shipped:
        [measured] = centrality_of_sub_images(black_white, COVERED, PART, "2018-03-01")
        for key in ("feature_vec", "slope", "offset", "offset50", "mean"):
            assert measured[key] == record[key], key
        assert measured["std"] == pytest.approx(record["std"], abs=1e-9)
