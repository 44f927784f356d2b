"""Cropping before resampling gives what cropping after it gives, bit for bit: halo, windows, strips."""

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from test_resample import AGGREGATES, INTERPOLATIONS, METHODS, X, Y, grid, run
from tigerbush.grid import Grid
from tigerbush.resample import halo, resample, target_grid


def test_halo():
    assert [halo(method) for method in METHODS] == [0, 0, 0, 0, 0, 0, 1, 2]
    with pytest.raises(ValueError, match=r"unknown resampling method 'cubic', expected one of First, "):
        halo("cubic")


def crop(source, target, margin):
    """Rows and columns of `source` that `target` touches, with a margin; and their grid."""

    def span(offset, size, limit):
        begin = Fraction(offset) / Fraction(source.resolution)
        end = begin + size * Fraction(target.resolution) / Fraction(source.resolution)
        return slice(max(floor(begin) - margin, 0), min(ceil(end) + margin, limit))

    columns = span(target.x - source.x, target.width, source.width)
    rows = span(source.y - target.y, target.height, source.height)
    corner = source.x + columns.start * source.resolution, source.y - rows.start * source.resolution
    return (rows, columns), Grid(
        *corner, source.resolution, columns.stop - columns.start, rows.stop - rows.start
    )


def pixels_of(draw, dtype, shape):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    band = (random.integers(1, 12000, shape) * (random.random(shape) > 0.2)).astype(dtype)
    if band.dtype.kind == "f":
        band = np.where(band == 0, dtype(np.nan), band / dtype(7))
    return band, random.random(shape) > 0.1


@st.composite
def windows(draw):
    """A band, the target grid of its product, and a window of that."""
    method = draw(st.sampled_from(METHODS))
    resolution = draw(st.sampled_from([10, 20, 60]))
    wanted = [10, 12.5, 15, 20, 25, 30, 40, 60, 70, 90, 100]
    if method in AGGREGATES:
        wanted = [r for r in wanted if r >= resolution]
    if method in INTERPOLATIONS:
        wanted = [2.5, 7.5, *(r for r in wanted if r <= resolution)]
    wanted = draw(st.sampled_from(wanted))
    corner = draw(st.sampled_from([(X, Y), (199980, 10000000), (465180, 5080260)]))
    scene = Grid(*corner, 10, draw(st.integers(7, 61)), draw(st.integers(7, 61)))
    source = target_grid(scene, [scene, Grid(*corner, 20, 1, 1)], resolution)
    single = wanted > resolution and draw(st.booleans())
    target = target_grid(scene, [source] if single else [source, Grid(*corner, resolution + 1, 1, 1)], wanted)
    column, row = draw(st.integers(0, target.width - 1)), draw(st.integers(0, target.height - 1))
    window = Grid(
        target.x + column * wanted,
        target.y - row * wanted,
        wanted,
        draw(st.integers(1, target.width - column)),
        draw(st.integers(1, target.height - row)),
    )
    band, valid = pixels_of(
        draw,
        draw(st.sampled_from([np.uint8, np.uint16, np.int16, np.float32])),
        (source.height, source.width),
    )
    options = {"nodata": draw(st.sampled_from([0, 9])), "nodata_used": draw(st.booleans())}
    part = slice(row, row + window.height), slice(column, column + window.width)
    return method, band, source, target, window, part, options, valid if draw(st.booleans()) else None


@settings(max_examples=400, deadline=None)
@given(windows())
def test_cropping_before_equals_cropping_after(case):
    method, band, source, target, window, part, options, valid = case
    whole = resample(band, source, target, method, **options, valid=valid)
    cut, cropped = crop(source, window, halo(method))
    result = resample(
        band[cut], cropped, window, method, **options, valid=None if valid is None else valid[cut]
    )
    np.testing.assert_array_equal(result, whole[part])


@pytest.mark.parametrize("method", INTERPOLATIONS)
def test_a_smaller_halo_is_not_enough(method):
    band = np.random.default_rng(0).integers(1, 9999, (12, 12)).astype(np.uint16)
    source, target = grid(20, 12, 12), grid(10, 24, 24)
    window, part = grid(10, 4, 4, dx=100, dy=100), (slice(10, 14), slice(10, 14))
    cut, cropped = crop(source, window, halo(method) - 1)
    whole = resample(band, source, target, method)
    assert np.any(resample(band[cut], cropped, window, method) != whole[part])


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_single_resolution_is_upsampled_alike_in_crops_along_its_pixels(data):
    resolution, factor = data.draw(st.sampled_from([(60, 3), (60, 6), (20, 2)]))
    source = grid(resolution, data.draw(st.integers(1, 15)), data.draw(st.integers(1, 15)))
    band, _ = pixels_of(data.draw, np.uint16, (source.height, source.width))
    column, row = (
        data.draw(st.integers(0, source.width - 1)),
        data.draw(st.integers(0, source.height - 1)),
    )
    part = Grid(
        source.x + column * resolution,
        source.y - row * resolution,
        resolution,
        source.width - column,
        source.height - row,
    )
    wanted = resolution // factor
    whole = resample(band, source, target_grid(source, [source], wanted), "Nearest")
    result = resample(band[row:, column:], part, target_grid(part, [part], wanted), "Nearest")
    np.testing.assert_array_equal(result, whole[row * factor :, column * factor :])


def test_strips_do_not_show():
    # more rows than are computed at once
    band = np.random.default_rng(1).integers(1, 9999, (302, 2)).astype(np.uint16)
    result = run(band, grid(10, 2, 302), grid(20, 1, 151), "Max")
    np.testing.assert_array_equal(result[:, 0], band.reshape(151, 4).max(axis=1))
