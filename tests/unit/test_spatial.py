"""Spatial metrics of patterns with known values."""

import numpy as np
import pytest

from tigerbush.patches import CLASSES, patch_areas, patch_classes
from tigerbush.spatial import METRICS, morans_i, spatial_metrics
from tigerbush.spectrum import dominant_wave, r_spectrum

ROWS, COLUMNS = np.mgrid[:160, :200].astype(float)


def stripes(wavelength, direction):
    """Bands of a wavelength (pixels) with a normal in degrees clockwise from north."""
    angle = np.radians(direction)
    along = COLUMNS * np.sin(angle) - ROWS * np.cos(angle)
    return 0.4 + 0.2 * np.cos(2 * np.pi * along / wavelength)


def test_morans_i_by_hand():
    chess = np.indices((6, 6)).sum(axis=0) % 2 * 1.0
    assert morans_i(chess) == pytest.approx(-1)
    # columns 0, 0, 1, 1: 8 of 12 pairs within rows are equal, all pairs within columns
    halves = np.repeat([[0.0, 0, 1, 1]], 4, axis=0)
    assert morans_i(halves) == pytest.approx((8 - 4 + 12) / 24)
    assert abs(morans_i(np.random.default_rng(0).standard_normal((200, 200)))) < 0.02


def test_morans_i_leaves_out_pairs_with_missing_pixels():
    halves = np.repeat([[0.0, 0, 1, 1]], 4, axis=0)
    wider = np.pad(halves, 3, constant_values=np.nan)
    assert morans_i(wider) == pytest.approx(morans_i(halves))


@pytest.mark.parametrize("wavelength", [6, 10, 17])
@pytest.mark.parametrize("direction", [0, 30, 90, 135])
def test_wavelength_and_direction_of_stripes(wavelength, direction):
    noise = np.random.default_rng(1).normal(0, 0.02, ROWS.shape)
    wave = dominant_wave(stripes(wavelength, direction) + noise, 10.0)
    assert wave["wavelength"] == pytest.approx(10 * wavelength, rel=0.05)
    assert min(abs(wave["direction"] - direction), 180 - abs(wave["direction"] - direction)) < 2
    assert wave["anisotropy"] > 0.95


def test_a_pattern_without_direction():
    random = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(200), np.fft.fftfreq(200)))
    ring = np.exp(-(((frequency - 0.1) / 0.01) ** 2)) * np.fft.fft2(random.standard_normal((200, 200)))
    wave = dominant_wave(np.real(np.fft.ifft2(ring)), 10.0)
    assert wave["wavelength"] == pytest.approx(100, rel=0.03)
    assert wave["anisotropy"] < 0.3


def test_no_wavelength_without_a_pattern():
    noise = np.random.default_rng(0).standard_normal((200, 200))
    assert dominant_wave(noise, 10.0)["wavelength"] is None
    # a slope and long waves are a trend
    assert dominant_wave(ROWS + np.cos(2 * np.pi * COLUMNS / 200) * 30, 10.0)["wavelength"] is None
    assert dominant_wave(np.eye(4), 10.0)["wavelength"] is None


def test_white_noise_has_a_flat_spectrum():
    frequency, power = r_spectrum(np.random.default_rng(0).standard_normal((256, 256)))
    assert frequency[0] == 1 / 256 and frequency[-1] == 0.5
    assert power[20:].mean() == pytest.approx(1, abs=0.03)


def test_patches_by_hand():
    plants = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1], [1, 0, 0, 0]], bool)
    assert sorted(patch_areas(plants).tolist()) == [1, 2, 3]
    assert len(patch_areas(plants & False)) == 0
    counts = patch_classes(np.where(plants, 0, 255).astype(np.uint8))
    assert counts[:3] == [1, 2, 0] and len(counts) == len(CLASSES)


def test_the_metrics_of_a_date():
    ndvi = stripes(10, 90)
    black_white = np.where(ndvi > 0.4, 0, 255).astype(np.uint8)
    metrics = spatial_metrics(ndvi, black_white, 10.0)
    assert set(metrics) == set(METRICS)
    assert metrics["spatial_variance"] == pytest.approx(0.02, rel=0.01)
    assert metrics["spatial_skewness"] == pytest.approx(0, abs=1e-6)
    assert metrics["cover"] == (black_white == 0).mean()
    # every band is a patch; the border cuts the first
    assert metrics["patch_count"] == pytest.approx(21 / 3.2)
    assert metrics["patch_largest_area"] == 160 * 100 * max(
        np.bincount(np.cumsum(np.diff(black_white[0]) != 0))[1:-1]
    )


def test_too_many_missing_pixels_leave_no_patches_or_wavelength():
    ndvi = stripes(10, 90)
    black_white = np.where(ndvi > 0.4, 0, 255).astype(np.uint8)
    masked = np.s_[:50]
    ndvi[masked], black_white[masked] = np.nan, 127
    metrics = spatial_metrics(ndvi, black_white, 10.0)
    assert metrics["wavelength"] is None and metrics["patch_mean_area"] is None
    assert metrics["cover"] == (black_white[50:] == 0).mean()
    assert set(
        spatial_metrics(np.full((20, 20), np.nan), np.full((20, 20), 127, np.uint8), 10.0).values()
    ) == {None}


def test_labels_and_units():
    assert METRICS == {
        "contrast": ("contrast of the pattern to the noise", "1"),
        "morans_i": ("Moran's I of NDVI, neighbours at an edge", "1"),
        "spatial_variance": ("spatial variance of NDVI", "1"),
        "spatial_skewness": ("spatial skewness of NDVI", "1"),
        "cover": ("share of pixels darker than their surroundings", "1"),
        "patch_count": ("patches of vegetation", "1/km2"),
        "patch_mean_area": ("mean area of a patch", "m2"),
        "patch_largest_area": ("largest patch", "m2"),
        "wavelength": ("wavelength of the pattern", "m"),
        "direction": ("direction across the bands, from north by east", "degree"),
        "anisotropy": ("strength of the direction, 0 none to 1", "1"),
    }
    assert CLASSES.tolist() == [2**power for power in range(17)]
    assert list(spatial_metrics(np.zeros((5, 5)), np.zeros((5, 5), np.uint8), 10.0)) == list(METRICS)
