"""Flow length against paths followed pixel by pixel, and the values of Rodriguez et al. 2018 (spatialwarnings)."""

import numpy as np
import pytest

from tigerbush.flow_length import flow_length

# of the same images in the R package, slope 0.6 degrees, cells of 0.223 m
PUBLISHED = {
    "AU-P1": 1.1231,
    "AU-P3": 5.1928,
    "AU-P5": 4.6266,
    "AZ-P1": 1.5144,
    "AZ-P3": 3.3909,
    "AZ-P5": 11.631,
}


def paths(vegetation):
    """The length in pixels of the path down from every pixel."""
    lengths = np.zeros(vegetation.shape)
    for row, column in np.ndindex(vegetation.shape):
        below = row
        while below < len(vegetation) and not vegetation[below, column]:
            below += 1
        lengths[row, column] = below - row
    return lengths


def test_paths_are_followed_down_to_vegetation_or_the_border():
    random = np.random.default_rng(1)
    for share in (0, 0.1, 0.5, 1):
        image = random.random((13, 17)) < share
        expected = paths(image).mean() * 10 / np.cos(np.radians(5))
        assert flow_length(image, 10.0, 5.0) == pytest.approx(expected, rel=1e-12)
        assert flow_length(image[::-1], 10.0, 5.0) == pytest.approx(expected, rel=1e-12)


def test_by_hand():
    image = np.array([[0, 1], [0, 0], [1, 0]], bool)
    # left 2, 1, 0; right 0, 2, 1
    assert flow_length(image, 1.0) == 1
    # along the rows: 1, 0; 2, 1; 0, 1
    assert flow_length(image.T, 1.0) == pytest.approx(5 / 6)
    np.testing.assert_allclose(flow_length(np.stack([image, ~image]), 6.0), [6, 2])


@pytest.mark.data
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(shared_data, name):
    with np.load(shared_data / "patterns" / "aerial" / f"{name}.npz") as contents:
        image = contents["vegetation"] > 0
    assert flow_length(image, 0.223, 0.6) == pytest.approx(PUBLISHED[name], abs=5.001e-5)
