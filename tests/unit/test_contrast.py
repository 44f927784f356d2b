"""Contrast: the standard deviation of a pattern of known variance over that of known noise."""

import numpy as np
import pytest
from scipy import ndimage

from tigerbush.contrast import LEAST_CONTRAST, contrast, contrasts, local_deviations, noise
from tigerbush.spatial import METRICS, measure_pattern, without_contrast

ROWS, COLUMNS = np.mgrid[:100, :120]
WAVES = np.sqrt(2) * np.cos(2 * np.pi * COLUMNS / 12) + 0 * ROWS  # of variance 1


def white(seed, shape=(100, 120)):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("ratio", [1.5, 3, 10])
def test_the_ratio_of_pattern_and_noise(ratio):
    ndvi = 0.3 + 0.02 * (ratio * WAVES + white(1))
    assert noise(ndvi) == pytest.approx(0.02, rel=0.12)
    assert contrast(ndvi) == pytest.approx(ratio, rel=0.15)
    # nothing depends on level or scale
    assert contrast(5 * ndvi - 1) == pytest.approx(contrast(ndvi), rel=1e-6)


def test_white_noise_has_no_contrast():
    assert max(contrast(0.01 * white(seed)) for seed in range(40)) < 0.8
    assert max(contrast(0.01 * white(seed, (50, 50))) for seed in range(40)) < LEAST_CONTRAST


def test_a_pattern_of_few_pixels_is_not_taken_for_noise():
    """Spots of six pixels' distance pass any filter of neighbours; their long waves have little power."""
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, WAVES.shape), indexing="ij"))
    ring = np.real(np.fft.ifft2(np.fft.fft2(white(2)) * np.exp(-(((frequency - 0.17) / 0.02) ** 2))))
    assert contrast(ring / ring.std() + 0.1 * white(3)) > 5


def test_noise_is_at_least_one_step_of_reflectance():
    assert noise(WAVES) == noise(np.full((100, 120), 0.3)) == 1e-4
    assert contrast(0.1 * WAVES) == pytest.approx(1000, rel=0.08)
    assert contrast(np.full((100, 120), 0.3)) == 0


def test_too_few_pixels_have_no_contrast():
    few = np.full((20, 20), np.nan)
    few.ravel()[:199] = white(4).ravel()[:199]
    assert contrast(few) is None and noise(few) is None
    few.ravel()[199] = 0.1
    assert contrast(few) is not None


def test_pixels_of_one_row_are_enough_for_noise():
    line = np.full((20, 300), np.nan)
    line[4] = white(15, (300,))
    assert np.isfinite(noise(line)) and np.isfinite(contrast(line))
    assert measure_pattern(line, np.zeros(line.shape, np.uint8), 10.0).pattern_class is None


def test_deviations_are_from_the_valid_surroundings():
    """Of 51 x 51 pixels, mirrored at the border without its own line (OpenCV's BORDER_REFLECT_101)."""
    values = white(5)
    np.testing.assert_allclose(
        local_deviations(values), values - ndimage.uniform_filter(values, 51, mode="mirror"), atol=1e-12
    )
    holes = values.copy()
    holes[30:40, 50:80] = np.nan
    whole = np.isfinite(holes)
    around = whole[10:61, 35:86]
    expected = (
        holes[35, 60 - 25 + 24] - holes[10:61, 34:85][whole[10:61, 34:85]].mean() if around.any() else None
    )
    assert np.isnan(expected)  # the pixel itself is masked
    place = 29, 60
    window = holes[place[0] - 25 : place[0] + 26, place[1] - 25 : place[1] + 26]
    assert local_deviations(holes)[place] == pytest.approx(holes[place] - np.nanmean(window), abs=1e-12)
    np.testing.assert_array_equal(np.isnan(local_deviations(holes)), np.isnan(holes))


def test_parts_have_their_own_contrast():
    ndvi = 0.3 + 0.01 * white(6)
    ndvi[:50, :60] += 0.1 * WAVES[:50, :60]
    parts = [np.s_[:50, :60], np.s_[:50, 60:], np.s_[50:, :60]]
    patterned, *rest = contrasts(ndvi, parts)
    assert patterned > 5 and max(rest) < LEAST_CONTRAST
    assert without_contrast(ndvi, parts) == [False, True, True]


def test_a_date_without_contrast_has_no_other_number():
    ndvi = (0.1 + 0.01 * white(10)).astype(np.float32)
    split = np.where(ndvi > 0.1, 0, 255).astype(np.uint8)
    pattern = measure_pattern(ndvi, split, 10.0)
    assert pattern.metrics == dict.fromkeys(METRICS) | {"contrast": pytest.approx(contrast(ndvi))}
    assert (pattern.reason, pattern.wavelength_reason, pattern.pattern_class) == (
        "contrast",
        "contrast",
        "none",
    )
    # a wavelength shows that there is a pattern, whatever the noise
    faint = measure_pattern(ndvi + 0.007 * WAVES, split, 10.0)
    assert faint.metrics["contrast"] < LEAST_CONTRAST
    assert faint.metrics["wavelength"] == pytest.approx(120, rel=0.05) and faint.metrics["cover"] is not None
    assert (faint.reason, faint.wavelength_reason, faint.pattern_class) == (None, None, "bands")


def test_why_there_are_no_numbers():
    split = np.zeros((100, 120), np.uint8)
    nothing = np.full((100, 120), np.nan)
    measured = [measure_pattern(image, split, 10.0) for image in (nothing, np.full((100, 120), 0.2))]
    assert [(one.reason, one.wavelength_reason, one.pattern_class) for one in measured] == [
        ("no_pixels", "no_pixels", None), ("constant", "constant", "none")
    ]  # fmt: skip
    ground = ndimage.gaussian_filter(white(12), 4)
    forest = measure_pattern(0.8 + ground / ground.std() * 0.02 + 0.001 * white(13), split, 10.0)
    assert (forest.reason, forest.wavelength_reason, forest.pattern_class) == (None, "no_peak", "none")
    assert forest.metrics["contrast"] > 5 and forest.metrics["morans_i"] > 0.9
    half = 0.1 * WAVES + 0.001 * white(14)
    half[:26] = np.nan
    cut = measure_pattern(half, split, 10.0)
    assert (cut.reason, cut.wavelength_reason, cut.pattern_class) == (None, "masked", None)
