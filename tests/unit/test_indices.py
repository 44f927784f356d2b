"""Indices beside NDVI, against numbers worked out by hand."""

import numpy as np
import pytest

from test_added_index import add
from tigerbush.errors import TigerbushError
from tigerbush.grid import Grid
from tigerbush.indices import compute_indices, msavi
from tigerbush.raster import Raster

GRID = Grid(461_080, 1_460_280, 10, 3, 1)


def composite(*bands):
    """A composite of one row of three pixels."""
    return Raster(
        data=np.array([[band] for band in (*bands, [2, 2, 2])], np.float32),
        grid=GRID,
        epsg=32631,
        bands=(*(f"band {i}" for i in range(len(bands))), "n_obs"),
        nodata=np.nan,
    )


@pytest.mark.parametrize(
    ("nir", "red", "value"),
    [
        # the root is of (2 NIR - 1)^2 + 8 red: of 0 + 1, 1 + 1.25, 0.16 + 1.28, 0.16 + 3.84
        (0.5, 0.125, 0.5),
        (1.0, 0.15625, 0.75),
        (0.3, 0.16, 0.2),
        (0.3, 0.48, -0.2),
        # as much of one as of the other
        (0.2, 0.2, 0.0),
        (1.3, 1.3, 0.0),
        # of 0.04 + 1.6: (2 x 0.4 + 1 - 1.28062) / 2
        (0.4, 0.2, 0.25969),
    ],
)
def test_msavi(nir, red, value):
    index = msavi(np.array([[nir]]), np.array([[red]]))
    assert index.dtype == np.float32 and index.shape == (1, 1)
    assert index[0, 0] == pytest.approx(value, abs=1e-5)


def test_msavi_of_what_is_no_reflectance_of_ground():
    nir = np.array([[0.3, np.nan, 0.3, 0.0, -0.1, 0.3, 0.3]], np.float32)
    red = np.array([[0.16, 0.16, np.nan, 0.16, 0.16, 0.0, -0.1]], np.float32)
    np.testing.assert_allclose(msavi(nir, red), np.float32([[0.2] + 6 * [np.nan]]), rtol=1e-6)


def test_msavi_stays_between_minus_1_and_1():
    nir, red = np.meshgrid(np.geomspace(1e-4, 1, 80), np.geomspace(1e-4, 1, 80))
    index = msavi(nir, red)
    assert (np.abs(index) <= 1).all()
    # more green with more near infrared, less with more red
    assert (np.diff(index, axis=1) > 0).all() and (np.diff(index, axis=0) < 0).all()


def test_msavi_of_integers_does_not_wrap():
    # (2 + 1 - sqrt(9 - 8 (1 - 2))) / 2
    assert msavi(np.array([[1]], np.uint8), np.array([[2]], np.uint8))[0, 0] == pytest.approx(
        (3 - 17**0.5) / 2
    )


@pytest.mark.parametrize("others", [1, 2])
def test_red_and_near_infrared_are_the_last_bands(others):
    red, nir = [0.16, 0.125, np.nan], [0.3, 0.5, 0.5]
    bands = [[0.9, 0.9, 0.9]] * others
    indices = compute_indices(composite(*bands, red, nir), ["ndvi", "msavi"])
    assert list(indices) == ["msavi"]
    np.testing.assert_allclose(indices["msavi"], [[0.2, 0.5, np.nan]], atol=1e-6)
    assert compute_indices(composite(*bands, red, nir), []) == {}


def test_an_index_of_a_band_that_a_sensor_has_not(monkeypatch):
    add(monkeypatch, bands=("nir", "blue"))
    four, three = (composite(*[[0.25, 0.5, 1.0]] * number) for number in (4, 3))
    np.testing.assert_array_equal(compute_indices(four, ["toy"])["toy"], [[0, 0, 0]])
    with pytest.raises(TigerbushError) as error:
        compute_indices(three, ["toy"])
    assert str(error.value) == (
        "composite.indices: toy needs blue, which the sensor of these products lacks; remove it."
    )
