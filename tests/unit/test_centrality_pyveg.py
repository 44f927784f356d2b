"""Feature vectors of real sub-images must equal those that pyveg published."""

import json

import cv2
import pytest

from tigerbush.centrality import feature_vector, metrics

pytestmark = pytest.mark.data
EXACT = ("feature_vec", "mean", "slope", "offset", "offset50")


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "pyveg" / "subimages_2018-03-01"


@pytest.fixture(scope="module")
def sub_images(folder):
    """Signal (bare ground) of each sub-image, by the two coordinates in its name."""
    images = {}
    for path in sorted(folder.glob("*_BWNDVI.png")):
        _, first, second, _ = path.stem.split("_")
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert image.shape == (50, 50)
        images[frozenset((float(first), float(second)))] = image == 255
    return images


@pytest.fixture(scope="module")
def records(folder):
    """Results of pyveg by the two coordinates, whose order differs from that in file names."""
    content = json.loads((folder / "network_centralities.json").read_text())
    return {frozenset((record["latitude"], record["longitude"])): record for record in content}


def differences(signal, record, method):
    computed = metrics(feature_vector(signal, method=method))
    differing = {key: (computed[key], record[key]) for key in EXACT if computed[key] != record[key]}
    if abs(computed["std"] - record["std"]) > 1e-9:
        differing["std"] = computed["std"], record["std"]
    return differing


def test_all_sub_images_equal_pyveg(sub_images, records):
    assert sub_images.keys() == records.keys()
    wrong = {place: differences(sub_images[place], records[place], "exact") for place in records}
    assert len(wrong) == 11
    assert not {place: differing for place, differing in wrong.items() if differing}


@pytest.mark.parametrize("number", [0, 7])
def test_networkx_equals_pyveg(sub_images, records, number):
    place = list(records)[number]
    assert differences(sub_images[place], records[place], "networkx") == {}
