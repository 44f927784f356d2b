"""Subgraph centrality and feature vectors, against closed forms, dense algebra and networkx."""

import itertools
import math
import tracemalloc
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tigerbush import centrality as module
from tigerbush.centrality import euler_characteristics, feature_vector, metrics, subgraph_centrality

images = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=13))
both = pytest.mark.parametrize("neighbours", [4, 8])

SYMMETRIES = [
    lambda image, turns=turns, flip=flip: np.rot90(np.fliplr(image) if flip else image, turns)
    for turns in range(4)
    for flip in (False, True)
]


def random_image(seed=0, shape=(30, 37), density=0.7):
    return np.random.default_rng(seed).random(shape) < density


def adjacency(signal, neighbours):
    """Adjacency matrix from the distances between all pairs of pixels."""
    pixels = np.argwhere(signal)
    distance = np.abs(pixels[:, None] - pixels)
    reach = distance.sum(axis=2) if neighbours == 4 else distance.max(axis=2, initial=0)
    return (reach == 1).astype(float)


def dense_centrality(signal, neighbours):
    values, vectors = np.linalg.eigh(adjacency(signal, neighbours))
    return vectors**2 @ np.exp(values)


def euler_by_networkx(signal, centrality, neighbours, quantiles):
    graph = nx.from_numpy_array(adjacency(signal, neighbours))
    n = len(centrality)
    order = sorted(range(n), key=lambda node: (-centrality[node], node))
    graphs = [graph.subgraph(order[: round(i * n / quantiles)]) for i in range(quantiles)]
    return [graph.number_of_nodes() - graph.number_of_edges() for graph in graphs]


def as_image(signal, values):
    image = np.zeros(signal.shape)
    image[signal] = values
    return image


# ---- subgraph centrality: closed forms


@both
def test_a_lone_pixel_has_centrality_one(neighbours):
    assert subgraph_centrality(np.ones((1, 1), bool), neighbours) == pytest.approx([1.0], abs=2e-16)


@both
def test_two_neighbouring_pixels(neighbours):
    assert subgraph_centrality(np.ones((1, 2), bool), neighbours) == pytest.approx(
        [math.cosh(1)] * 2, abs=4e-16
    )


def test_diagonal_pixels_are_joined_only_with_8_neighbours():
    signal = np.eye(2, dtype=bool)
    assert subgraph_centrality(signal, 4) == pytest.approx([1.0, 1.0], abs=2e-16)
    assert subgraph_centrality(signal, 8) == pytest.approx([math.cosh(1)] * 2, abs=4e-16)


@both
@pytest.mark.parametrize("turn", [False, True])
def test_path(neighbours, turn):
    n = 40
    signal = np.ones((n, 1) if turn else (1, n), bool)
    i, j = np.arange(1, n + 1)[:, None], np.arange(1, n + 1)
    angle = np.pi * j / (n + 1)
    expected = (2 / (n + 1) * np.sin(i * angle) ** 2 * np.exp(2 * np.cos(angle))).sum(axis=1)
    assert subgraph_centrality(signal, neighbours) == pytest.approx(expected, abs=1e-14)


def test_cycle():
    signal = np.ones((6, 9), bool)
    signal[1:-1, 1:-1] = False
    n = signal.sum()
    expected = np.exp(2 * np.cos(2 * np.pi * np.arange(n) / n)).mean()
    assert subgraph_centrality(signal) == pytest.approx([expected] * n, abs=1e-14)


def test_full_image_is_the_product_of_two_paths():
    rows, columns = (subgraph_centrality(np.ones((1, n), bool)) for n in (14, 25))
    expected = np.outer(rows, columns).ravel()
    assert subgraph_centrality(np.ones((14, 25), bool)) == pytest.approx(expected, abs=1e-14)


def test_block_of_four_with_8_neighbours_is_a_complete_graph():
    expected = (math.exp(3) + 3 * math.exp(-1)) / 4
    assert subgraph_centrality(np.ones((2, 2), bool), 8) == pytest.approx([expected] * 4, abs=2e-15)


@both
@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (7, 9)])
def test_no_signal(neighbours, shape):
    signal = np.zeros(shape, bool)
    centrality = subgraph_centrality(signal, neighbours)
    assert centrality.shape == (0,)
    assert centrality.dtype == np.float64
    for method in ("exact", "networkx"):
        vector = feature_vector(signal, neighbours, method=method)
        assert vector.dtype == np.int64
        assert vector.tolist() == [0] * 20


# ---- subgraph centrality: references


@both
@settings(max_examples=150, deadline=None)
@given(signal=images)
def test_equals_dense_exponential(neighbours, signal):
    expected = dense_centrality(signal, neighbours)
    np.testing.assert_allclose(subgraph_centrality(signal, neighbours), expected, rtol=0, atol=1e-12)


@both
def test_is_accurate_to_the_last_digits(neighbours):
    # The exponential series in fractions: 80 terms leave less than 1e-40.
    signal = random_image(seed=3, shape=(5, 6), density=0.8)
    step = adjacency(signal, neighbours).astype(int).astype(object)
    power = np.eye(len(step), dtype=int).astype(object)
    expected = [Fraction(0)] * len(step)
    for k in range(80):
        expected = [total + Fraction(power[i, i], math.factorial(k)) for i, total in enumerate(expected)]
        power = power @ step
    for value, exact in zip(subgraph_centrality(signal, neighbours).tolist(), expected, strict=True):
        assert abs(Fraction(value) - exact) <= Fraction(math.ulp(value)) / 2 + Fraction(2e-16)


@both
@pytest.mark.parametrize("density", [0.2, 0.6, 0.9])
def test_equals_networkx(neighbours, density):
    signal = random_image(7, (18, 23), density)
    graph = nx.from_numpy_array(adjacency(signal, neighbours))
    expected = nx.subgraph_centrality(graph)
    centralities = dict(enumerate(subgraph_centrality(signal, neighbours)))
    assert centralities == pytest.approx(expected, abs=1e-9)


def test_bessel_values():
    # Abramowitz & Stegun, tables 9.8 and 9.9, and a series of its own: e^x = I_0(x) + 2 sum I_n(x)
    assert float(module._bessel(0, 2)) == 11.301921952136330
    assert float(module._bessel(1, 2)) == 9.7594651537044499
    assert float(module._bessel(0, 3)) == 67.234406976477976
    for half in (2, 3):
        total = module._bessel(0, half) + 2 * sum(module._bessel(n, half) for n in range(1, 70))
        assert abs(total - module._exponential(2 * half)) < Fraction(1, 10**33)


# ---- subgraph centrality: the same bits, always


@both
@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_the_same_bits_for_every_orientation_of_the_image(neighbours, symmetry):
    signal = random_image()
    expected = symmetry(as_image(signal, subgraph_centrality(signal, neighbours)))
    turned = symmetry(signal)
    assert np.array_equal(as_image(turned, subgraph_centrality(turned, neighbours)), expected)


@both
def test_the_same_bits_for_equal_neighbourhoods(neighbours):
    signal = np.zeros((90, 120), bool)
    patch = random_image(5, (17, 19))
    places = [(0, 0), (73, 101), (31, 50)]
    for y, x in places:
        signal[y : y + 17, x : x + 19] = patch
    values = as_image(signal, subgraph_centrality(signal, neighbours))
    alone = as_image(patch, subgraph_centrality(patch, neighbours))
    for y, x in places:
        assert np.array_equal(values[y : y + 17, x : x + 19], alone)


@both
@pytest.mark.parametrize(
    "values", [np.uint8(255), np.uint8(1), np.int16(-3), np.int64(2**40), np.float32(0.25), np.float64(7)]
)
def test_the_same_bits_for_any_type(neighbours, values):
    signal = random_image()
    expected = subgraph_centrality(signal, neighbours)
    assert np.array_equal(subgraph_centrality(signal * values, neighbours), expected)


@both
def test_the_same_bits_for_any_memory_layout(neighbours):
    signal = random_image(shape=(40, 60))
    expected = subgraph_centrality(signal[3::2, ::-1].copy(), neighbours)
    assert np.array_equal(subgraph_centrality(signal[3::2, ::-1], neighbours), expected)
    assert np.array_equal(subgraph_centrality(signal[3::2, ::-1].tolist(), neighbours), expected)


@both
@pytest.mark.parametrize("values", [1, 5_000, 50_000, 10**7])
def test_the_same_bits_for_any_chunk(neighbours, values, monkeypatch):
    signal = random_image(shape=(18, 21))
    expected = subgraph_centrality(signal, neighbours)
    monkeypatch.setattr(module, "CHUNK_VALUES", values)
    assert np.array_equal(subgraph_centrality(signal, neighbours), expected)


def test_a_large_image_needs_little_memory():
    signal = np.ones((300, 300), bool)
    tracemalloc.start()
    try:
        subgraph_centrality(signal)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10e6  # without chunks it would be more than 100e6


@both
def test_the_integer_bounds_hold(neighbours, monkeypatch):
    """Columns and moments are the same in wider types, so nothing overflows or is rounded."""
    signals = [np.ones((1, 1)), np.ones((1, 2)), np.ones((31, 31)), np.eye(30), random_image()]
    narrow = [subgraph_centrality(signal, neighbours) for signal in signals]
    wide = module._LATTICES[neighbours]._replace(integers=np.int64, floats=np.float64)
    monkeypatch.setitem(module._LATTICES, neighbours, wide)
    for signal, expected in zip(signals, narrow, strict=True):
        assert np.array_equal(subgraph_centrality(signal, neighbours), expected)


# ---- Euler characteristics and feature vectors


@both
@pytest.mark.parametrize("quantiles", [2, 7, 20, 100])
@settings(max_examples=25, deadline=None)
@given(signal=images, seed=st.integers(0, 2**32 - 1))
def test_euler_characteristics_by_brute_force(neighbours, quantiles, signal, seed):
    # few levels, so that ties span the cuts
    centrality = np.random.default_rng(seed).integers(0, 6, signal.sum()) / 2
    characteristics = euler_characteristics(signal, centrality, neighbours, quantiles)
    assert characteristics.dtype == np.int64
    assert characteristics.tolist() == euler_by_networkx(signal, centrality, neighbours, quantiles)


def test_cuts_round_half_to_even():
    # 10 lone pixels in 4 steps: 0, 2.5 -> 2, 5, 7.5 -> 8
    signal = np.zeros((1, 19), bool)
    signal[0, ::2] = True
    assert euler_characteristics(signal, np.ones(10), 4, 4).tolist() == [0, 2, 5, 8]


def test_ties_in_row_major_order():
    # 2 x 2 block, all equal: the first two pixels are the upper row
    signal = np.ones((2, 2), bool)
    assert euler_characteristics(signal, np.ones(4), 4, 4).tolist() == [0, 1, 1, 1]
    # the diagonal first: two pixels that are not joined, then one that is joined to both
    assert euler_characteristics(signal, [2, 1, 1, 2], 4, 4).tolist() == [0, 1, 2, 1]
    assert euler_characteristics(signal, [2, 1, 1, 2], 8, 4).tolist() == [0, 1, 1, 0]


def test_feature_vector_by_hand():
    # The middle, the middles of the edges, the corners; every group in row-major order. Each middle of an edge
    # is joined to the middle only, so it adds a pixel and an edge; each corner adds a pixel and two edges.
    assert feature_vector(np.ones((3, 3), bool), quantiles=9).tolist() == [0, 1, 1, 1, 1, 1, 0, -1, -2]


@both
@settings(max_examples=40, deadline=None)
@given(signal=images)
def test_feature_vector_combines_its_two_steps(neighbours, signal):
    expected = euler_by_networkx(signal, subgraph_centrality(signal, neighbours), neighbours, 20)
    assert feature_vector(signal, neighbours).tolist() == expected


@both
@pytest.mark.parametrize("seed", range(4))
def test_networkx_gives_the_same_vector(neighbours, seed):
    signal = random_image(seed, (25, 25), 0.75)
    exact = feature_vector(signal, neighbours)
    reference = feature_vector(signal, neighbours, method="networkx")
    # Where ties span a cut, the rounding errors of networkx choose among them.
    ranked = np.sort(subgraph_centrality(signal, neighbours))[::-1]
    cuts = [round(i * len(ranked) / 20) for i in range(20)]
    sure = [cut == 0 or ranked[cut - 1] - ranked[cut] > 1e-9 for cut in cuts]
    assert sum(sure) > 15
    assert np.array_equal(exact[sure], reference[sure])


# ---- metrics


def test_metrics_are_pyvegs():
    vector = [0, *range(-3, -60, -3)]
    summary = metrics(np.array(vector))
    assert list(summary) == ["slope", "offset", "offset50", "mean", "std", "feature_vec"]
    assert summary["offset"] == -57.0
    assert summary["slope"] == -57 / 20
    assert summary["offset50"] == -57 + 30
    assert summary["mean"] == np.mean(vector)
    assert summary["std"] == pytest.approx(np.std(vector), abs=1e-12)
    assert summary["feature_vec"] == vector
    assert all(
        type(value) is float for value in itertools.chain(summary["feature_vec"], list(summary.values())[:5])
    )


def test_metrics_of_any_length():
    summary = metrics([1, 5, 2, 4, 9])
    assert (summary["slope"], summary["offset"], summary["offset50"], summary["mean"]) == (8 / 5, 8, 7, 4.2)


def test_metrics_without_signal():
    summary = metrics(feature_vector(np.zeros((50, 50), bool)))
    assert summary.pop("feature_vec") == [0.0] * 20
    assert set(summary.values()) == {0.0}


# ---- errors


@pytest.mark.parametrize("shape", [(), (4,), (2, 3, 4)])
@pytest.mark.parametrize(
    "call", [subgraph_centrality, feature_vector, lambda s: euler_characteristics(s, [])]
)
def test_signal_must_have_two_dimensions(call, shape):
    with pytest.raises(ValueError, match="two-dimensional"):
        call(np.ones(shape, bool))


@pytest.mark.parametrize("neighbours", [0, 6, "4", None])
@pytest.mark.parametrize("method", ["exact", "networkx"])
def test_neighbours_must_be_4_or_8(neighbours, method):
    signal = np.ones((2, 2), bool)
    with pytest.raises(ValueError, match="neighbours must be 4 or 8"):
        feature_vector(signal, neighbours, method=method)
    with pytest.raises(ValueError, match="neighbours must be 4 or 8"):
        subgraph_centrality(signal, neighbours)
    with pytest.raises(ValueError, match="neighbours must be 4 or 8"):
        euler_characteristics(signal, np.ones(4), neighbours)


@pytest.mark.parametrize("quantiles", [1, 0, -3])
def test_quantiles_must_be_two_or_more(quantiles):
    with pytest.raises(ValueError, match="at least 2"):
        feature_vector(np.ones((2, 2), bool), quantiles=quantiles)


def test_method_must_be_known():
    with pytest.raises(ValueError, match="method must be"):
        feature_vector(np.ones((2, 2), bool), method="eigh")


@pytest.mark.parametrize("centrality", [[], [1, 2, 3], [[1, 2], [3, 4]]])
def test_centrality_must_fit_the_signal(centrality):
    with pytest.raises(ValueError, match="one value per signal pixel"):
        euler_characteristics(np.ones((2, 2), bool), centrality)


@pytest.mark.parametrize("vector", [[], [1], [[1, 2], [3, 4]]])
def test_a_feature_vector_is_one_row(vector):
    with pytest.raises(ValueError, match="at least 2 values"):
        metrics(vector)
