"""Cover and patches by one threshold of NDVI."""

import numpy as np
import pytest

from tigerbush.analysis.cover import (
    COVER_METRICS,
    EDGES,
    classes_of_ndvi,
    cover_metrics,
    ndvi_histogram,
    ndvi_of_classes,
    ndvi_threshold,
)


def threshold_of(*images):
    return ndvi_threshold([ndvi_histogram(np.asarray(image, float)) for image in images])


def ground(random, low, high, share, noise=0.02, size=4000):
    """NDVI of two classes."""
    plants = np.arange(size) < share * size
    return np.where(plants, high, low) + random.normal(0, noise, size)


def slow_otsu(images):
    """Threshold and separability by trying every class edge, from the pixels themselves."""
    images = [np.floor(image * 200) / 200 + 0.0025 for image in images]
    total = sum(((image - image.mean()) ** 2).sum() for image in images)
    shares = {}
    for edge in np.arange(-200, 201) / 200:
        between = 0.0
        for image in images:
            for part in (image[image > edge], image[image <= edge]):
                between += len(part) * (part.mean() - image.mean()) ** 2 if len(part) else 0.0
        shares[edge] = between / total
    best = max(shares, key=shares.get)
    return best, shares[best]


def test_the_threshold_is_that_of_otsu_summed_over_dates():
    random = np.random.default_rng(1)
    images = [
        ground(random, low, high, share, 0.05) for low, high, share in ((0.1, 0.5, 0.4), (0.15, 0.6, 0.2))
    ]
    edge, separability = slow_otsu(images)
    found = threshold_of(*images)
    assert found == {
        "value": pytest.approx(edge, abs=1e-9), "separability": pytest.approx(separability, rel=1e-6), "least": 0.7,
        "why": [],
    }  # fmt: skip
    # the date of twice as many pixels counts twice
    assert threshold_of(images[0], images[1], images[1]) == threshold_of(images[0], np.tile(images[1], 2))


def test_the_season_is_no_class_of_ground():
    """NDVI of a uniform site that is green for half of the year: all together two classes, on each date one."""
    random = np.random.default_rng(2)
    images = [random.normal(level, 0.02, 5000) for level in (0.2, 0.7)]
    assert slow_otsu([np.concatenate(images)])[1] > 0.98
    found = threshold_of(*images)
    assert (found["value"], found["why"]) == (None, ["one_class"])


@pytest.mark.parametrize(
    ("image", "separability"),
    [
        # the mean of a half of a normal distribution is sqrt(2 / pi) standard deviations away
        (lambda random: random.normal(0.8, 0.03, 100_000), 2 / np.pi),
        (lambda random: 0.1 + random.exponential(0.05, 100_000), 0.648),
    ],
    ids=["forest", "sparse"],
)
def test_a_forest_and_bare_soil_have_no_threshold(image, separability):
    found = threshold_of(image(np.random.default_rng(3)))
    assert found["why"] == ["one_class"] and found["value"] is None
    assert found["separability"] == pytest.approx(separability, abs=0.01)


@pytest.mark.parametrize(("apart", "known"), [(2.2, False), (2.6, True)])
def test_two_normal_classes_are_told_apart_at_some_distance(apart, known):
    random = np.random.default_rng(4)
    image = ground(random, 0.3, 0.3 + apart * 0.1, 0.5, 0.1, 100_000)
    assert (threshold_of(image)["value"] is not None) == known


def test_without_pixels_or_of_one_number():
    assert threshold_of()["why"] == ["no_data"]
    assert threshold_of(np.full((3, 3), np.nan))["why"] == ["no_data"]
    assert threshold_of(np.full(9, 0.3))["why"] == ["one_class"]
    assert threshold_of(np.full(9, 0.3))["separability"] is None
    counts = ndvi_histogram(np.array([[np.nan, -1.0], [1.0, 0.0024]]))
    assert np.flatnonzero(counts).tolist() == [0, 200, 399]


def test_cover_and_patches_by_hand():
    """Two patches of 3 and 1 pixels, of which one touches a masked pixel; pixels of 20 m."""
    high, low, lost = 0.5, 0.2, np.nan
    image = np.array(
        [[high, high, low, low], [high, low, lost, high], [low, low, low, 0.4], [low, low, low, low]]
    )
    assert cover_metrics(image, 0.4, 20) == {
        "cover_ndvi": pytest.approx(4 / 15, rel=1e-12),
        # in 6000 m2
        "patch_count_ndvi": pytest.approx(2 / 0.006, rel=1e-12),
        "patch_mean_area_ndvi": 800.0,
    }
    assert cover_metrics(np.full((3, 3), low), 0.4, 20) == {
        "cover_ndvi": 0.0, "patch_count_ndvi": 0.0, "patch_mean_area_ndvi": None,
    }  # fmt: skip
    # a quarter may be masked, but no more
    image[0] = lost
    assert cover_metrics(image, 0.4, 20)["patch_count_ndvi"] is None
    assert cover_metrics(image, 0.4, 20)["cover_ndvi"] == pytest.approx(2 / 11, rel=1e-12)
    image[1, 2] = low
    assert cover_metrics(image, 0.4, 20)["patch_count_ndvi"] == pytest.approx(2 / 0.0048, rel=1e-12)
    nothing = dict.fromkeys(COVER_METRICS)
    assert cover_metrics(image, None, 20) == cover_metrics(np.full((2, 2), lost), 0.4, 20) == nothing


def test_classes_have_the_cover_and_the_histogram_of_their_ndvi():
    """At the edges as float32 and beside them, too: in one the values are compared as float32, in the other as float64."""
    random, edges = np.random.default_rng(4), EDGES.astype(np.float32)
    beside = [np.nextafter(edges, np.float32(toward)) for toward in (-2, 2)]
    ndvi = np.clip(np.concatenate([edges, *beside, random.uniform(-1, 1, 3000)]), -1, 1).astype(np.float32)
    ndvi[random.random(len(ndvi)) < 0.1] = np.nan
    classes = classes_of_ndvi(ndvi.reshape(3, -1))
    assert classes.dtype == np.uint16
    again = ndvi_of_classes(classes)
    assert again.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(again), np.isnan(ndvi.reshape(3, -1)))
    np.testing.assert_array_equal(ndvi_histogram(again), ndvi_histogram(ndvi))
    for edge in EDGES.tolist():
        np.testing.assert_array_equal(again > edge, ndvi.reshape(3, -1) > edge)
        assert cover_metrics(again, edge, 10) == cover_metrics(ndvi.reshape(3, -1), edge, 10)
