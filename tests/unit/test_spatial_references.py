"""Spatial metrics of skewed, cropped and uneven patterns against loops, direct sums and scipy."""

import numpy as np
import pytest
from scipy import ndimage, stats

from tigerbush.patches import patch_areas, patch_classes
from tigerbush.spatial import METRICS, morans_i, spatial_metrics
from tigerbush.spectrum import dominant_wave, r_spectrum, spectrum

BARE, VEGETATION, MASKED = 255, 0, 127
EXACT = {"rel": 1e-10, "abs": 1e-13}  # sums in another order


def skewed(shape=(13, 17), seed=4):
    """A field with a long tail, correlated with its neighbours, and holes at a corner, a border and in the middle."""
    random = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(random.exponential(0.2, shape) ** 1.5, 0.8)
    field[0, :2] = field[-1, 5] = field[6, 7] = field[6, 8] = np.nan
    return field


def morans_i_by_loops(field):
    mean = np.nanmean(field)
    total = pairs = 0
    for row, column in np.ndindex(field.shape):
        for neighbour in ((row + 1, column), (row, column + 1)):
            if neighbour[0] < field.shape[0] and neighbour[1] < field.shape[1]:
                product = (field[row, column] - mean) * (field[neighbour] - mean)
                if not np.isnan(product):
                    total, pairs = total + product, pairs + 1
    return total / pairs / np.nanmean((field - mean) ** 2)


def test_the_moments_of_a_skewed_pattern_are_those_of_scipy():
    field = skewed()
    values = field[~np.isnan(field)]
    metrics = spatial_metrics(field.astype(np.float32), np.full(field.shape, BARE, np.uint8), 10.0)
    single = values.astype(np.float32).astype(float)
    assert abs(stats.skew(single)) > 1
    assert metrics["spatial_skewness"] == pytest.approx(stats.skew(single), **EXACT)
    assert metrics["spatial_variance"] == pytest.approx(np.var(single), **EXACT)
    # of float32 as it is: sums of some 200 values
    assert metrics["morans_i"] == pytest.approx(morans_i_by_loops(field), rel=1e-5)
    assert morans_i(field) == pytest.approx(morans_i_by_loops(field), **EXACT)
    assert 0.2 < morans_i(field) < 0.9


def test_one_more_missing_pixel_leaves_no_patches_or_wavelength():
    rows, columns = np.mgrid[:24, :30]
    field = 0.4 + 0.2 * np.cos(2 * np.pi * columns / 5 + 0.3) + 0.001 * (rows * columns % 7)
    split = np.where(field > 0.45, VEGETATION, BARE).astype(np.uint8)
    field.ravel()[-180:] = np.nan  # a quarter of 720
    split.ravel()[-180:] = MASKED
    metrics = spatial_metrics(field, split, 20.0)
    # 18 rows of 7 bands, of which each is a patch; the border cuts the first and the last
    labels, number = ndimage.label(split == VEGETATION)
    sizes = np.bincount(labels.ravel())[1:]
    assert number == 7 and len(set(sizes)) > 1
    assert metrics["cover"] == (split == VEGETATION).sum() / 540
    assert metrics["patch_count"] == pytest.approx(7 / (540 * 400) * 1e6, **EXACT)
    assert metrics["patch_mean_area"] == pytest.approx(sizes.mean() * 400, **EXACT)
    assert metrics["patch_largest_area"] == sizes.max() * 400
    assert metrics["wavelength"] == pytest.approx(100, rel=0.1)
    field.ravel()[-181], split.ravel()[-181] = np.nan, MASKED
    fewer = spatial_metrics(field, split, 20.0)
    assert [name for name in METRICS if fewer[name] is None] == [
        "patch_count", "patch_mean_area", "patch_largest_area", "wavelength", "direction", "anisotropy"
    ]  # fmt: skip
    assert fewer["cover"] == (split == VEGETATION).sum() / 539


def test_too_few_or_constant_pixels():
    field = np.full((3, 4), np.nan)
    field.ravel()[:9] = [1, 2, 3, 5, 8, 13, 21, 34, 55]
    split = np.full((3, 4), BARE, np.uint8)
    metrics = spatial_metrics(field, split, 10.0)
    assert metrics["spatial_variance"] == pytest.approx(np.var(field[~np.isnan(field)]), **EXACT)
    assert metrics["cover"] == 0
    field[0, 0] = np.nan
    assert spatial_metrics(field, split, 10.0) == dict.fromkeys(METRICS)
    assert spatial_metrics(np.full((5, 5), 0.25), np.full((5, 5), BARE, np.uint8), 10.0) == dict.fromkeys(
        METRICS
    )


def test_bare_ground_has_no_patches():
    metrics = spatial_metrics(skewed(), np.full((13, 17), BARE, np.uint8), 10.0)
    assert (metrics["cover"], metrics["patch_count"]) == (0, 0)
    assert metrics["patch_mean_area"] is None and metrics["patch_largest_area"] is None


def test_patches_are_joined_at_edges_and_not_at_corners():
    plants = np.array([[1, 1, 0, 1], [1, 0, 1, 0], [0, 0, 1, 1]], bool)
    assert sorted(patch_areas(plants).tolist()) == [1, 3, 3]


def test_classes_of_patches_begin_at_powers_of_two():
    """Bands of 1, 2, 3, 4, 7, 8 pixels, and one of 2^16 + 5."""
    split = np.full((263, 262), BARE, np.uint8)
    for row, size in enumerate((1, 2, 3, 4, 7, 8)):
        split[2 * row, :size] = VEGETATION
    split[12:262] = VEGETATION
    split[262, :41] = VEGETATION
    assert 250 * 262 + 41 == 2**16 + 5
    assert patch_classes(split) == [1, 2, 2, 1] + [0] * 12 + [1]


def spectrum_by_sums(field):
    """Plane by normal equations, taper and Fourier transform by their definitions, frequency by frequency."""
    height, width = field.shape
    rows, columns = np.mgrid[:height, :width]
    valid = ~np.isnan(field)
    terms = np.array([np.ones(valid.sum()), rows[valid], columns[valid]])
    level, down, right = np.linalg.solve(terms @ terms.T, terms @ field[valid])
    residual = np.where(valid, field - level - down * rows - right * columns, 0)
    for axis, size in ((0, height), (1, width)):
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, size + 1) / (size + 1))
        residual = residual * np.expand_dims(hann, 1 - axis)
    power = np.empty(field.shape)
    south, east = np.empty(field.shape), np.empty(field.shape)
    for i, j in np.ndindex(field.shape):
        south[i, j] = (i if i < (height + 1) // 2 else i - height) / height
        east[i, j] = (j if j < (width + 1) // 2 else j - width) / width
        wave = np.exp(-2j * np.pi * (i * rows / height + j * columns / width))
        power[i, j] = abs((residual * wave).sum()) ** 2
    return power, south, east


def rings_by_loops(power, south, east):
    side = min(power.shape)
    rings = {}
    for index in np.ndindex(power.shape):
        number = round(float(np.hypot(south[index], east[index])) * side)
        if 0 < number <= side // 2:
            rings.setdefault(number, []).append(power[index])
    whole = np.mean([value for ring in rings.values() for value in ring])
    return np.array([np.mean(rings[number]) / whole for number in range(1, side // 2 + 1)])


@pytest.mark.parametrize("shape", [(13, 18), (16, 13)])
def test_spectra_of_uneven_images(shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    field = skewed(shape) + 0.05 * rows - 0.02 * columns
    expected = spectrum_by_sums(field)
    for array, reference in zip(spectrum(field), expected, strict=True):
        np.testing.assert_allclose(array, reference, rtol=1e-9, atol=1e-12)
    frequency, power = r_spectrum(field)
    side = min(shape)
    np.testing.assert_allclose(frequency, [number / side for number in range(1, side // 2 + 1)], rtol=1e-15)
    np.testing.assert_allclose(power, rings_by_loops(*expected), rtol=1e-9)


def wave_by_sums(field, resolution):
    """Wavelength, direction and anisotropy from the sums above."""
    power, south, east = spectrum_by_sums(field)
    rings, side = rings_by_loops(power, south, east), min(field.shape)
    peak = max(range(4, len(rings) + 1), key=lambda number: rings[number - 1])
    near = [peak - 1, peak, peak + 1]
    mean = np.average([number / side for number in near], weights=[rings[number - 1] for number in near])
    total = resultant = 0
    for index in np.ndindex(power.shape):
        if abs(np.hypot(south[index], east[index]) - peak / side) <= 1.5 / side:
            angle = np.arctan2(east[index], -south[index])
            total, resultant = total + power[index], resultant + power[index] * np.exp(2j * angle)
    direction = np.degrees(np.angle(resultant)) / 2 % 180
    return rings, {
        "wavelength": resolution / mean,
        "direction": direction,
        "anisotropy": abs(resultant) / total,
    }


def bands(shape, amplitude, wavelength=4.3, direction=70, seed=0):
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    angle = np.radians(direction)
    along = columns * np.sin(angle) - rows * np.cos(angle)
    noise = np.random.default_rng(seed).standard_normal(shape)
    return noise + amplitude * np.cos(2 * np.pi * along / wavelength)


@pytest.mark.parametrize(("shape", "direction"), [((22, 27), 70), ((27, 22), 160), ((25, 31), 15)])
def test_a_wave_in_an_uneven_image(shape, direction):
    field = bands(shape, 1.5, direction=direction)
    _, expected = wave_by_sums(field, 12.5)
    assert dominant_wave(field, 12.5) == pytest.approx(expected, rel=1e-9)
    assert abs(expected["direction"] - direction) < 8
    assert expected["wavelength"] == pytest.approx(4.3 * 12.5, rel=0.1)


NOTHING = {"wavelength": None, "direction": None, "anisotropy": None}


def test_a_wave_lies_between_half_of_the_side_and_two_pixels():
    """Waves that fit 1, 2, 6, 11 and 12 times into 24 pixels; an image of 11 has fewer than six rings."""
    columns = np.mgrid[:24, :24][1].astype(float)
    for cycles, found in ((1, False), (2, True), (6, True), (11, True), (12, False)):
        wave = dominant_wave(np.cos(2 * np.pi * columns * cycles / 24), 10.0)
        if not found:
            assert wave == NOTHING
            continue
        # the first ring weighs in that of the second
        assert wave["wavelength"] == pytest.approx(240 / cycles, rel=0.25 if cycles == 2 else 0.04)
        assert wave["direction"] == pytest.approx(90)
    fine = np.cos(2 * np.pi * 3 / 12 * columns)
    assert dominant_wave(fine[:12, :12], 10.0)["wavelength"] == pytest.approx(40, rel=0.1)
    assert dominant_wave(fine[:11, :12], 10.0) == NOTHING
    assert dominant_wave(np.full((24, 24), 0.3), 10.0) == NOTHING
