"""Classes of patterns that rain and slope give in the model, and of images drawn by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tigerbush.pattern import PYVEG, evolve, random_pattern, start_states
from tigerbush.pattern_class import pattern_class, pieces
from tigerbush.spatial import measure_pattern

# cells of 10 m; the pattern has the same size in cells as with pyveg's of 21 m
CELLS = replace(PYVEG, cell=10.0, dif_o=100 * (10 / 21) ** 2)
SIDE = 80


def ndvi_of(rainfall, slope, seed):
    """NDVI of plants after ten years, with the noise of reflectances."""
    parameters = replace(CELLS, v=slope, frac=0.5 if slope else 0.9)
    dt = 0.5 if slope else 1.0
    plants, soil, surface = start_states(
        random_pattern((SIDE, SIDE), seed, parameters).astype(float), rainfall, parameters
    )
    grown = evolve(plants, rainfall, int(3650 / dt), dt, parameters, soil, surface)[0]
    cover, random = 1 - np.exp(-0.12 * grown), np.random.default_rng(seed)
    nir = 0.33 + 0.04 * cover + 0.002 * random.standard_normal(cover.shape)
    red = 0.25 - 0.20 * cover + 0.002 * random.standard_normal(cover.shape)
    return (nir - red) / (nir + red)


@pytest.mark.parametrize(
    ("rainfall", "slope", "expected"),
    [(0.75, 0, "spots"), (1.05, 0, "labyrinths"), (1.4, 0, "gaps"), (1.1, 5, "bands"), (3.0, 0, "none")],
)
def test_rain_and_slope_give_the_class(rainfall, slope, expected):
    for seed in (31, 32):
        ndvi = ndvi_of(rainfall, slope, seed)
        split = np.where(ndvi > np.median(ndvi), 0, 255).astype(np.uint8)
        pattern = measure_pattern(ndvi, split, 10.0)
        assert pattern.pattern_class == expected
        assert (pattern.metrics["wavelength"] is None) == (expected == "none")
        if slope:
            # water runs down the rows, bands lie across
            assert min(pattern.metrics["direction"], 180 - pattern.metrics["direction"]) < 15


ROWS, COLUMNS = np.mgrid[:90, :90]
DOTS = np.hypot((ROWS + 5) % 10 - 5, (COLUMNS + 5) % 10 - 5)


def test_pieces_by_hand():
    """Discs on a square lattice of ten pixels: each in the middle of one square of the wavelength, but at the border."""
    plants, bare = pieces(np.where(DOTS <= 3, 0.6, 0.2), 0.1)
    area = (DOTS[45:55, 45:55] <= 3).sum() / 100
    # edges are blurred by the waves that are left out
    assert plants == pytest.approx(area, rel=0.15)
    assert bare == pytest.approx(81 * (1 - area), rel=0.15)
    assert pieces(np.where(DOTS <= 3, 0.2, 0.6), 0.1) == pytest.approx((bare, plants), rel=0.05)


@pytest.mark.parametrize("noise", [0, 0.05])
def test_the_shape_decides_and_not_the_level(noise):
    random = np.random.default_rng(2)
    grain = noise * random.standard_normal(DOTS.shape)
    slope = 0.002 * ROWS
    for level in (0.1, 0.6):
        assert pattern_class(level + 0.2 * (DOTS <= 3) + grain + slope, 0.1, 0.1) == "spots"
        assert pattern_class(level - 0.2 * (DOTS <= 3) + grain + slope, 0.1, 0.1) == "gaps"
        # pieces of four discs in a row
        worms = (DOTS <= 3) | ((np.abs((ROWS + 5) % 10 - 5) <= 2) & (COLUMNS % 40 < 32))
        assert pattern_class(level + 0.2 * worms + grain, 0.1, 0.2) == "labyrinths"
    assert pattern_class(DOTS, 0.1, 0.35) == "bands"
    assert pattern_class(DOTS, None, None) == "none"


def test_masked_pixels_are_neither():
    image = np.where(DOTS <= 3, 0.6, 0.2)
    image[:20, :30] = np.nan
    assert pattern_class(image, 0.1, 0.1) == "spots"
    plants, bare = pieces(image, 0.1)
    whole = pieces(np.where(DOTS <= 3, 0.6, 0.2), 0.1)
    assert plants == pytest.approx(whole[0], rel=0.1)
    assert bare == pytest.approx(whole[1] * (1 - 600 / 8100), rel=0.1)
