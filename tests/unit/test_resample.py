"""tigerbush.resample on small arrays, with answers by hand; test_resample_snap.py compares it with SNAP."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from tigerbush.grid import Grid
from tigerbush.resample import resample, target_grid

AGGREGATES = ["Min", "Max", "Mean", "Median"]
INTERPOLATIONS = ["Bilinear", "Bicubic"]
METHODS = ["First", "Nearest", *AGGREGATES, *INTERPOLATIONS]

X, Y = (
    300000,
    7200040,
)  # a tile of the southern hemisphere: northings count from the pole, rows still go south


def grid(resolution, width, height, dx=0, dy=0):
    """A grid whose corner lies dx metres east and dy metres south of the tile's."""
    return Grid(X + dx, Y - dy, resolution, width, height)


def run(pixels, source, target, method, dtype=np.uint16, **options):
    result = resample(np.array(pixels, dtype), source, target, method, **options)
    assert result.dtype == dtype
    assert result.shape == (target.height, target.width)
    return result


def pixel(pixels, source, target, method, dtype=np.uint16, **options):
    """The single pixel of a result."""
    ((value,),) = run(pixels, source, target, method, dtype, **options)
    return value


# Target grids


def test_several_resolutions_keep_the_corner_and_round_the_size_up():
    bands = [grid(10, 65, 61), grid(20, 33, 31), grid(60, 11, 11)]
    assert target_grid(bands[0], bands, 20) == grid(20, 33, 31)
    assert target_grid(bands[0], bands, 60) == grid(60, 11, 11)
    assert target_grid(bands[0], bands, 10) == bands[0]
    assert target_grid(bands[0], bands, 25) == grid(25, 26, 25)


def test_a_tile():
    bands = [grid(10, 10980, 10980), grid(20, 5490, 5490), grid(60, 1830, 1830)]
    assert target_grid(bands[0], bands, 20) == grid(20, 5490, 5490)


def test_a_single_resolution_is_aligned_to_the_centre():
    fine, coarse = grid(10, 61, 57), grid(60, 10, 10)
    assert target_grid(fine, [fine, fine], 20) == grid(20, 31, 29, dx=-5, dy=-5)
    assert target_grid(coarse, [coarse], 20) == grid(20, 30, 30, dx=20, dy=20)
    assert target_grid(fine, [fine], 10) == fine


def test_bands_without_common_corner_or_centre_are_refused():
    with pytest.raises(ValueError, match="no common upper-left corner"):
        target_grid(grid(10, 6, 6), [grid(10, 6, 6), grid(20, 3, 3, dx=10)], 20)
    with pytest.raises(ValueError, match="no common upper-left corner"):
        target_grid(grid(10, 6, 6), [], 20)


@pytest.mark.parametrize("resolution", [0, -10])
def test_resolution_must_be_positive(resolution):
    with pytest.raises(ValueError, match="must be positive"):
        target_grid(grid(10, 6, 6), [grid(10, 6, 6)], resolution)


# Copies and crops


@pytest.mark.parametrize("method", METHODS)
def test_a_band_on_the_target_grid_is_copied_unmasked(method):
    band = np.array([[0, 1], [2, 3]], np.uint16)
    source = grid(10, 2, 2)
    result = resample(band, source, source, method, valid=np.zeros((2, 2), bool))
    np.testing.assert_array_equal(result, band)
    assert not np.shares_memory(result, band)


@pytest.mark.parametrize("method", METHODS)
def test_an_aligned_window_is_cut_out_and_padded_with_nodata(method):
    band = np.arange(12).reshape(3, 4)
    source = grid(10, 4, 3)
    assert run(band, source, grid(10, 2, 2, dx=10, dy=10), method).tolist() == [[5, 6], [9, 10]]
    window = grid(10, 3, 3, dx=20, dy=-10)
    assert run(band, source, window, method, nodata=99).tolist() == [[99, 99, 99], [2, 3, 99], [6, 7, 99]]


@pytest.mark.parametrize("dx", [-100, 100])
@pytest.mark.parametrize(
    ("method", "resolution"), [("First", 20), ("Mean", 20), ("Bicubic", 5), ("First", 10)]
)
def test_a_target_beside_the_band_is_nodata(method, resolution, dx):
    result = run(np.ones((4, 4)), grid(10, 4, 4), grid(resolution, 2, 3, dx=dx), method, nodata=7)
    assert result.tolist() == [[7, 7]] * 3


# First and Nearest


@pytest.mark.parametrize("method", ["First", "Nearest"])
def test_the_pixel_below_the_corner_is_taken(method):
    band = np.arange(36).reshape(6, 6)
    source = grid(10, 6, 6)
    assert run(band, source, grid(20, 3, 3), method).tolist() == band[::2, ::2].tolist()
    assert run(band, source, grid(60, 1, 1), method).tolist() == [[0]]
    index = [0, 1, 3, 4]  # floor(d * 15 / 10)
    assert run(band, source, grid(15, 4, 4), method).tolist() == band[np.ix_(index, index)].tolist()
    index = [0, 0, 1, 2, 2]  # floor(d * 40 / 60)
    assert run(band, grid(60, 6, 6), grid(40, 5, 5), method).tolist() == band[np.ix_(index, index)].tolist()


def test_upsampling_repeats_pixels():
    assert run([[1, 2]], grid(60, 2, 1), grid(20, 6, 3), "Nearest").tolist() == [[1, 1, 1, 2, 2, 2]] * 3
    # a window that begins within a source pixel
    window = grid(20, 3, 1, dx=40, dy=20)
    assert run([[1, 2]], grid(60, 2, 1), window, "Nearest").tolist() == [[1, 2, 2]]


def test_centre_aligned_first_takes_0_1_3_5():
    source = grid(10, 8, 7)
    target = target_grid(source, [source], 20)
    band = np.arange(56).reshape(7, 8)
    assert run(band, source, target, "First").tolist() == band[np.ix_([0, 1, 3, 5], [0, 1, 3, 5])].tolist()


def test_centre_aligned_upsampling_ignores_its_own_shift():
    source = grid(60, 2, 1)
    target = target_grid(source, [source], 20)
    assert (target.x, target.y) == (X + 20, Y - 20)
    assert run([[1, 2]], source, target, "Nearest").tolist() == [[1, 1, 1, 2, 2, 2]] * 3


def test_masked_pixels_of_first_are_zero_or_nan():
    valid = np.array([[False, True]] * 2)
    source, target = grid(20, 2, 2), grid(10, 4, 1)
    assert run([[5, 6]] * 2, source, target, "Nearest", valid=valid, nodata=9).tolist() == [[0, 0, 6, 6]]
    result = run([[5, 6]] * 2, source, target, "Nearest", np.float32, valid=valid)
    np.testing.assert_array_equal(result, [[np.nan, np.nan, 6, 6]])


def test_indices_are_exact():
    # 45 * 14 / 10 = 63, but 62.99... in floating point
    result = run([np.arange(100)], grid(10, 100, 1), grid(14, 71, 1), "First")
    assert result[0, 45] == 63


# Min, Max, Mean, Median


@pytest.mark.parametrize(("method", "expected"), [("Min", 3), ("Max", 10), ("Mean", 6), ("Median", 6)])
def test_aggregates_of_whole_pixels(method, expected):
    # the mean 6.5 and the median (5 + 8) / 2 are truncated
    assert pixel([[3, 10], [8, 5]], grid(10, 2, 2), grid(20, 1, 1), method) == expected


@pytest.mark.parametrize(("method", "expected"), [("Min", 3), ("Max", 9), ("Mean", 5), ("Median", 5)])
def test_aggregates_of_integers_skip_nodata_even_if_unused(method, expected):
    assert pixel([[3, 0], [9, 5]], grid(10, 2, 2), grid(20, 1, 1), method) == expected


@pytest.mark.parametrize("method", AGGREGATES)
def test_aggregates_skip_masked_pixels(method):
    valid = np.array([[True, False], [False, False]])
    source, target = grid(10, 2, 2), grid(20, 1, 1)
    assert pixel([[3, 1], [9, 5]], source, target, method, valid=valid) == 3
    assert pixel([[3, 1], [9, 5]], source, target, method, nodata=8, valid=~valid & valid) == 8


@pytest.mark.parametrize("method", AGGREGATES)
def test_aggregates_of_floats(method):
    source, target = grid(10, 2, 2), grid(20, 1, 1)
    nan = np.nan
    assert pixel([[0.25, nan], [nan, nan]], source, target, method, np.float32) == 0.25
    assert np.isnan(pixel([[nan] * 2] * 2, source, target, method, np.float32))
    # a declared no-data value is invalid, and stands for an empty result; it need not be exact in float32
    used = {"nodata": -9999.1, "nodata_used": True}
    assert pixel([[0.25, -9999.1], [nan, nan]], source, target, method, np.float32, **used) == 0.25
    assert pixel([[-9999.1] * 2, [nan] * 2], source, target, method, np.float32, **used) == np.float32(
        -9999.1
    )
    # an undeclared one is a value
    zero = pixel([[0, 0], [0, 8]], source, target, method, np.float32)
    assert zero == {"Max": 8, "Mean": 2}.get(method, 0)


def test_mean_weighs_by_the_covered_share():
    # from 10 to 15 m the second pixel covers half of column 1 and the whole of column 2
    assert (
        pixel([[8, 2], [4, 0]], grid(10, 2, 2), grid(15, 1, 1), "Mean", np.float64, nodata=-1)
        == (8 + 1 + 2) / 2.25
    )
    window = grid(15, 1, 1, dx=15)
    assert pixel([[9, 8, 2]], grid(10, 3, 1), window, "Mean", np.float64) == pytest.approx((8 / 2 + 2) / 1.5)


def test_mean_of_integers_truncates_every_weighted_value():
    # 5 + 5 / 2 + 5 / 2 + 5 / 4 = 5 + 2 + 2 + 1 = 10, over 2.25: 4.4, not 5
    assert pixel([[5, 5], [5, 5]], grid(10, 2, 2), grid(15, 1, 1), "Mean") == 4


def test_mean_counts_what_lies_before_the_band_for_its_first_pixel():
    source = grid(10, 4, 4)
    target = target_grid(source, [source], 20)  # the first pixel covers [-0.5, 1.5)
    band = np.zeros((4, 4))
    band[0] = [4, 8, 0, 0]
    result = run(band, source, target, "Mean", np.float64, nodata=-1)
    assert result[0, 0] == 1.5 * (4 * 1.5 + 8 * 0.5) / 4
    # what lies beyond the other end counts for nothing
    assert run(np.eye(1, 3, 2) * 9, grid(10, 3, 1), grid(20, 2, 1), "Mean").tolist() == [[0, 9]]


def test_median_does_not_weigh():
    assert pixel([[1, 2, 30]], grid(10, 3, 1), grid(25, 1, 1), "Median") == 2


# Bilinear and Bicubic


def test_bilinear_integers_mix_with_nodata_at_the_border():
    result = run([[100, 200], [300, 400]], grid(20, 2, 2), grid(10, 4, 4), "Bilinear")
    assert result.tolist() == [
        [25, 50, 75, 100],
        [50, 100, 150, 200],
        [100, 200, 250, 300],
        [150, 300, 350, 400],
    ]


def test_bilinear_integers_have_8_bit_fractions():
    # the corner of the third pixel lies 1/6 past the first centre: 42/256; the exact answer is 10000
    window = grid(10, 1, 1, dx=40, dy=30)
    assert pixel([[0, 60000], [0, 60000]], grid(60, 2, 2), window, "Bilinear") == 9844


def test_fractions_are_rounded_down_also_before_the_first_centre():
    """At -1/3 of a pixel that is 170/256 on from the pixel before, which is no-data."""
    band = [[6000, 30, 900]] * 3
    middle = run(band, grid(60, 3, 3), grid(10, 18, 18), "Bilinear")[9]  # on a row of centres
    expected, row = [], {-1: 0, 0: 6000, 1: 30, 2: 900, 3: 0}
    for d in range(18):
        steps = floor(256 * (Fraction(d, 6) - Fraction(1, 2)))
        before, part = steps // 256, steps % 256
        expected.append((256 * (row[before] * (256 - part) + row[before + 1] * part) + 2**15) // 2**16)
    assert middle.tolist() == expected


def test_bilinear_of_masked_integers_is_zero_beside_a_masked_pixel():
    valid = np.array([[True, True, False]])
    result = run([[8, 4, 4]], grid(20, 3, 1), grid(10, 6, 2), "Bilinear", valid=valid)
    assert result.tolist() == [[2, 4, 3, 0, 0, 0], [4, 8, 6, 0, 0, 0]]


def test_bilinear_of_floats_is_invalid_beside_an_invalid_pixel():
    band = [[8, 4, -1]]
    source, target = grid(20, 3, 1), grid(10, 6, 2)
    nan = np.nan
    result = run(band, source, target, "Bilinear", np.float32, nodata=-1, nodata_used=True)
    assert result.tolist() == [[-1] * 6, [-1] * 6]  # declared no-data also surrounds the band
    band = np.vstack([[8, 4, 4, nan]] * 3)
    result = run(band, grid(20, 4, 3), grid(10, 8, 6), "Bilinear", np.float32)
    np.testing.assert_array_equal(result[2], [4, 8, 6, 4, 4, nan, nan, nan])


def test_bicubic_weights():
    window = grid(10, 1, 1, dx=40, dy=50)  # halfway between the second and third column, on the third row
    band = np.zeros((5, 4))
    band[2] = [160, 320, 480, 1600]
    expected = -160 / 16 + 320 * 9 / 16 + 480 * 9 / 16 - 1600 / 16
    assert pixel(band, grid(20, 4, 5), window, "Bicubic", np.float32) == expected
    assert pixel(band, grid(20, 4, 5), window, "Bicubic") == expected


def test_bicubic_clips_overshoot():
    band = [[0, 0, 0, 65535, 65535, 65535]] * 5
    for valid in (None, np.ones((5, 6), bool)):
        result = run(band, grid(20, 6, 5), grid(10, 6, 1, dx=30, dy=50), "Bicubic", valid=valid)
        assert result.tolist() == [[0, 0, 0, 32768 if valid is None else 32767, 65535, 65535]]


# Errors


@pytest.mark.parametrize("method", AGGREGATES)
@pytest.mark.parametrize(("resolution", "dx"), [(5, 0), (10, 5)])
def test_aggregates_only_downsample(method, resolution, dx):
    with pytest.raises(ValueError, match=f"{method} only downsamples"):
        run(np.ones((4, 4)), grid(10, 4, 4), grid(resolution, 2, 2, dx=dx), method)


@pytest.mark.parametrize("method", INTERPOLATIONS)
@pytest.mark.parametrize(("resolution", "dx"), [(20, 0), (10, 5)])
def test_interpolations_only_upsample(method, resolution, dx):
    with pytest.raises(ValueError, match=f"{method} only upsamples"):
        run(np.ones((4, 4)), grid(10, 4, 4), grid(resolution, 2, 2, dx=dx), method)


def test_wrong_arguments():
    source, target = grid(10, 4, 4), grid(20, 2, 2)
    with pytest.raises(ValueError, match="unknown resampling method 'Mode'"):
        run(np.ones((4, 4)), source, target, "Mode")
    with pytest.raises(ValueError, match=r"band has shape \(4, 3\), its grid \(4, 4\)"):
        run(np.ones((4, 3)), source, target, "First")
    with pytest.raises(ValueError, match=r"valid has shape \(2, 2\), its grid \(4, 4\)"):
        run(np.ones((4, 4)), source, target, "First", valid=np.ones((2, 2), bool))
    for nodata in (-1, 70000, np.nan):
        with pytest.raises(ValueError, match="does not fit uint16"):
            run(np.ones((4, 4)), source, target, "First", nodata=nodata)


# Rounding errors of SNAP, which show because it truncates


def mean_by_pixels(band, ratio, masked):
    """The means of target pixels that begin with the band, computed pixel by pixel in binary floats."""
    size = floor(len(band) / ratio)
    out = np.zeros((size, size), int)
    for row, column in np.ndindex(out.shape):
        total = weight = 0.0
        for y, height in covered(row * ratio, ratio):
            for x, width in covered(column * ratio, ratio):
                total += height * width * int(band[y, x])
                total = total if masked else float(int(total))
                weight += height * width
        out[row, column] = int(total / weight)
    return out


def covered(begin, length):
    """Pixels from `begin` on and the shares that are covered; the last share is that of the end, without rounding off."""
    end = begin + length
    last, share = int(end), end - int(end)
    if share < 1e-10:
        last, share = last - 1, 1.0
    return [
        (i, 1 - (begin - i) if i == int(begin) else share if i == last else 1.0)
        for i in range(int(begin), last + 1)
    ]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("fine", "coarse"), [(60, 100), (10, 15), (20, 30), (10, 25), (30, 70), (10, 12.5)])
def test_mean_with_shares_in_binary_floats(fine, coarse, masked):
    ratio = coarse * (1 / fine)
    # the shares repeat where the corners of pixels meet again
    size = Fraction(coarse) / fine
    width = int(size * size.denominator)
    band = np.random.default_rng(width).integers(1, 9, (width, width)).astype(np.uint8)
    target = grid(coarse, size.denominator, size.denominator)
    valid = np.ones(band.shape, bool) if masked else None
    ours = run(band, grid(fine, width, width), target, "Mean", np.uint8, valid=valid)
    np.testing.assert_array_equal(ours, mean_by_pixels(band, ratio, masked))


@pytest.mark.parametrize(
    ("share", "steps"), [(Fraction(1, 6), 42), (Fraction(1, 2), 128), (Fraction(5, 6), 213)]
)
def test_bicubic_weights_are_rounded_to_float32(share, steps):
    """Keys' kernel in steps of 1/256 pixel, each operation rounded to 24 bits, on masked integers."""
    f = np.float32

    def near(x):
        return f(f(f(f(f(1.5) * x) - f(2.5)) * x) * x) + f(1)

    def far(x):
        return f(f(f(f(f(f(-0.5) * x) + f(2.5)) * x) - f(4)) * x) + f(2)

    x = f(steps / 256)
    weights = [float(w) for w in (far(f(1) + x), near(x), near(f(1) - x), far(f(2) - x))]
    x = steps / 256
    exact = [
        ((1 - x / 2) * x - 0.5) * x,
        (1.5 * x - 2.5) * x**2 + 1,
        ((2 - 1.5 * x) * x + 0.5) * x,
        (x - 1) / 2 * x**2,
    ]
    rows = np.random.default_rng(steps).integers(20000, 40000, (100_000, 4))
    if steps == 213:
        # where it matters; the other weights need no more than 24 bits
        rows = rows[(rows @ weights).astype(int) != (rows @ exact).astype(int)]
    # target pixels of 1/6 of a pixel: the one at 1 + 1/2 + share is between the second and the third pixel
    place = grid(10, 1, 1, dx=int((Fraction(3, 2) + share) * 60), dy=90)
    for row in rows[:20]:
        # all rows alike: down the columns the weights at distance 0 are 0, 1, 0, 0
        ours = pixel([row] * 4, grid(60, 4, 4), place, "Bicubic", valid=np.ones((4, 4), bool))
        total = sum(weight * value for weight, value in zip(weights, map(float, row), strict=True))
        assert ours == int(total)
    assert len(rows) > 10
