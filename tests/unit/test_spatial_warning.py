"""Spatial indicators of a date against plain loops, and what their nulls find in fields of known kind."""

import numpy as np
import pytest
from scipy import ndimage, stats

from tigerbush import spatial_warning
from tigerbush.flow_length import flow_length
from tigerbush.patches import patch_areas
from tigerbush.spatial import morans_i
from tigerbush.spatial_warning import INDICATORS, NULLS, Fields, measure, permuted, red, spatial_indicators

SHAPE = (47, 52)
EXACT = {"rel": 2e-5, "abs": 1e-6}  # of float32


def field_of(seed, smooth=1.5):
    return ndimage.gaussian_filter(np.random.default_rng(seed).exponential(1, SHAPE), smooth)


def indicators_of(ndvi, vegetation, seed=0):
    return spatial_indicators(ndvi, vegetation, 10.0, np.random.default_rng(seed))


def test_values_are_those_of_plain_loops():
    ndvi = field_of(1)
    ndvi[3:9, 10:22] = ndvi[-1, -1] = np.nan
    vegetation = ndvi > np.nanquantile(ndvi, 0.6)
    found = {name: row["value"] for name, row in indicators_of(ndvi, vegetation).items()}
    means = []
    for row in range(0, 45, 5):
        for column in range(0, 50, 5):
            square = ndvi[row : row + 5, column : column + 5]
            if np.isfinite(square).sum() >= 13:
                means.append(np.nanmean(square))
    assert len(means) < 90
    assert found["coarse_variance"] == pytest.approx(np.var(means, ddof=1), **EXACT)
    assert found["coarse_skewness"] == pytest.approx(stats.skew(means), rel=1e-4)
    assert found["morans_i"] == pytest.approx(morans_i(ndvi), **EXACT)
    valid = np.isfinite(ndvi)
    ends = vegetation | ~valid
    ways = [flow_length(image, 10.0) for image in (ends, ends.T)]
    assert found["flow_length"] == pytest.approx(np.mean(ways) * ndvi.size / valid.sum(), **EXACT)
    assert found["patch_area"] == pytest.approx(patch_areas(vegetation).mean() * 100, **EXACT)


def test_the_ratio_of_long_and_short_waves():
    ndvi = field_of(2)
    power = np.abs(np.fft.fft2(ndvi - ndvi.mean())) ** 2
    rings = {}
    for index in np.ndindex(SHAPE):
        cycles = [min(place, size - place) / size for place, size in zip(index, SHAPE, strict=True)]
        ring = round(float(np.hypot(*cycles)) * 47)
        if 0 < ring <= 23:
            rings.setdefault(ring, []).append(power[index])
    means = [np.mean(rings[ring]) for ring in range(1, 24)]
    # a fifth of 23 rings are 5
    expected = np.mean(means[:5]) / np.mean(means[-5:])
    found = indicators_of(ndvi, ndvi > 1)["spectral_ratio"]["value"]
    assert found == pytest.approx(expected, rel=1e-3)


def fields_of(ndvi, vegetation):
    valid = np.isfinite(ndvi)
    deviations = np.where(valid, ndvi - np.nanmean(ndvi), 0).astype(np.float32)
    return Fields(deviations[None], (vegetation & valid)[None], valid, 10.0)


def test_permuted_images_have_the_same_pixels_elsewhere():
    ndvi = field_of(3)
    ndvi[:4] = np.nan
    date = fields_of(ndvi, ndvi > 1)
    drawn = permuted(date, 4, np.random.default_rng(1))
    pairs = {
        (value, bool(plant))
        for value, plant in zip(date.deviations[0].ravel(), date.vegetation[0].ravel(), strict=True)
    }
    assert not drawn.deviations[:, :4].any() and not drawn.vegetation[:, :4].any()
    for image, plants in zip(drawn.deviations, drawn.vegetation, strict=True):
        np.testing.assert_array_equal(np.sort(image.ravel()), np.sort(date.deviations.ravel()))
        assert {
            (value, bool(plant)) for value, plant in zip(image.ravel(), plants.ravel(), strict=True)
        } == pairs
        assert (image != date.deviations[0]).mean() > 0.8
    assert len({image.tobytes() for image in drawn.deviations}) == 4


def test_red_fields_have_the_spectrum_and_the_cover_of_the_image():
    ndvi = field_of(4)
    date = fields_of(ndvi, ndvi > np.quantile(ndvi, 0.7))
    drawn = red(date, 201, np.random.default_rng(1))
    power = (np.abs(np.fft.fft2(drawn.deviations)) ** 2).mean(axis=0)
    expected = np.abs(np.fft.fft2(date.deviations[0])) ** 2
    ratio = (power / expected)[expected > expected.max() * 1e-4]
    # of 201 exponential powers each
    assert np.median(ratio) == pytest.approx(1, abs=0.05) and np.all(np.abs(ratio - 1) < 0.5)
    assert set(drawn.vegetation.sum(axis=(1, 2))) == {int(date.vegetation.sum())}
    assert drawn.deviations[drawn.vegetation].min() > -date.deviations.std()
    assert abs(stats.skew(drawn.deviations.ravel())) < 0.1 < stats.skew(ndvi.ravel())


def test_fields_of_white_noise_are_like_permuted_ones():
    """At 5 % of each indicator and null; of 120 more than 13 would be a matter of one in a hundred."""
    alarms = {(name, null): 0 for name in INDICATORS for null in NULLS[name]}
    for seed in range(120):
        ndvi = np.random.default_rng(seed).standard_normal(SHAPE)
        for name, row in indicators_of(ndvi, ndvi > 0.5, seed).items():
            for null in NULLS[name]:
                alarms[name, null] += row[null]["p"] <= 0.05
    assert max(alarms.values()) <= 14
    assert sum(alarms.values()) >= 20


def test_red_noise_differs_from_permuted_pixels_and_not_from_red_noise():
    alarms = 0
    for seed in range(60):
        ndvi = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 1.2, mode="wrap")
        rows = indicators_of(ndvi, ndvi > np.quantile(ndvi, 0.6), seed)
        for name in ("coarse_variance", "morans_i", "spectral_ratio", "patch_area"):
            assert rows[name]["permuted"]["p"] < 1e-4 and rows[name]["permuted"]["z"] > 8
        alarms += sum(
            rows[name]["red"]["p"] <= 0.05 for name in ("coarse_skewness", "flow_length", "patch_area")
        )
    # of 180
    assert alarms <= 20


def test_discs_are_no_red_noise():
    """Random fields of their spectrum break into more pieces, between which water runs less far."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    discs = np.hypot((rows + 5) % 10 - 5, (columns + 5) % 10 - 5) <= 2.5
    found = indicators_of(discs + 0.1 * np.random.default_rng(5).standard_normal(SHAPE), discs)
    for name in ("flow_length", "patch_area"):
        assert found[name]["red"]["p"] < 0.01 and found[name]["red"]["z"] > 3


def test_the_seed_gives_the_numbers():
    ndvi = field_of(6)
    first, again, other = (indicators_of(ndvi, ndvi > 1, seed) for seed in (1, 1, 2))
    assert first == again
    assert first["flow_length"]["red"] != other["flow_length"]["red"]
    assert first["flow_length"]["value"] == other["flow_length"]["value"]


def test_large_images_are_drawn_few_at_a_time(monkeypatch):
    ndvi = field_of(9)
    whole = indicators_of(ndvi, ndvi > 1)
    held = []
    monkeypatch.setattr(spatial_warning, "BATCH", 4 * ndvi.size + 1)
    monkeypatch.setattr(
        spatial_warning,
        "permuted",
        lambda date, number, random: held.append(number) or permuted(date, number, random),
    )
    parts = indicators_of(ndvi, ndvi > 1)
    assert held == [4, 4, 4, 4, 3]
    for name, row in parts.items():
        assert row["value"] == whole[name]["value"]
        for null in NULLS[name]:
            assert np.isfinite(row[null]["z"])


def test_nothing_grows():
    found = indicators_of(field_of(7), np.zeros(SHAPE, bool))
    assert found["patch_area"]["value"] == 0
    assert found["flow_length"]["value"] == pytest.approx(10 * (48 + 53) / 4)
    for name in ("patch_area", "flow_length"):
        assert {found[name][null]["p"] for null in NULLS[name]} == {None}
    assert found["morans_i"]["permuted"]["p"] < 1e-6


@pytest.mark.data
def test_along_the_cellular_automaton(shared_data):
    """With growing b bare ground, which is connected at first, breaks up: every indicator but the patches' area falls."""
    values = {name: [] for name in INDICATORS}
    for path in sorted((shared_data / "patterns" / "ca").glob("*.npz")):
        with np.load(path) as contents:
            occupied = contents["occupied"] > 0
        found = measure(fields_of(occupied.astype(float), occupied))
        for name, row in values.items():
            row.append(found[name][0])
    taus = {name: stats.kendalltau(range(17), row)[0] for name, row in values.items()}
    assert taus["patch_area"] > 0.9
    assert taus["coarse_skewness"] < -0.5
    for name in ("coarse_variance", "morans_i", "spectral_ratio", "flow_length"):
        assert taus[name] < -0.8
