"""Subgraph centrality of a pixel graph, and the feature vector of a spatial pattern made from it.

The pixels of a class are the nodes of a graph, and touching pixels are joined. Subgraph centrality
(Estrada & Rodríguez-Velázquez 2005, doi:10.1103/PhysRevE.71.056103), the diagonal of exp(A), ranks the
pixels; the Euler characteristics of the graphs induced by the first 0, 5, 10 ... 95 % of them describe the
pattern (Mander et al. 2017, doi:10.1098/rsos.160443).

The diagonal of exp(A) is taken from the Chebyshev series of the exponential, with integers as far as the
last sum. With w = 2 for 4 neighbours and w = 3 for 8, and d the middle of the spectrum of the lattice, the
eigenvalues of B = A - dI lie in [-2w, 2w] and, with I_n the modified Bessel functions,

    exp(A)_ii = e^d (I_0(2w) + 2 sum_n I_n(2w) T_n(B / 2w)_ii).

p_k = 2 w^k T_k(B / 2w) has integer entries: p_0 = 2, p_1 = B, p_{k+1} = B p_k - w^2 p_{k-1}. Its column p_k e_i is
zero outside a small square around pixel i, where A is a sum over a w by w box. Two columns give the
diagonal at twice the degree, because 2 T_m T_n = T_{m+n} + T_{|m-n|}:

    T_{2k}(B / 2w)_ii   = <p_k e_i, p_k e_i> / 2 w^{2k} - 1,
    T_{2k+1}(B / 2w)_ii = <p_k e_i, p_{k+1} e_i> / 2 w^{2k+1} - T_1(B / 2w)_ii.

Since nothing is rounded before the last sum, pixels with equal neighbourhoods get equal bits, whatever the
machine, the orientation of the image or the number of pixels worked on at once. No BLAS takes part.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from math import factorial
from statistics import fmean, pstdev
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Values per working array. About 1000 pixels at a time with 4 neighbours: many enough to hide the cost of a
# numpy call, few enough for the arrays to stay in cache.
CHUNK_VALUES = 144_000

# High parts of the weights are multiples of this: their products with the integer moments, and the sums of
# these, stay below 3 e^8 < 2^14 and so are exact in float64 (39 + 14 = 53 bits).
_HIGH_UNIT = Fraction(1, 2**39)


class _Lattice(NamedTuple):
    """A kind of neighbourhood.

    By Cauchy-Schwarz and ||p_k e_i|| <= 2 w^k, no intermediate of the recurrence exceeds 4 w^steps (8192 with
    4 neighbours, 2e7 with 8) and no partial sum of a moment exceeds 4 w^(2 steps) (2^24 and 9.2e13).
    """

    width: int  # w: side of the box of which A is the sum
    centre: int  # d: middle of the spectrum
    steps: int  # of the recurrence; the first degree left out weighs less than 1.5e-16
    integers: type  # holds the recurrence, and one bit per pixel of a row of the largest square
    floats: type  # holds the moments exactly

    @property
    def degrees(self) -> range:
        """Degrees of the series; the odd ones of a bipartite lattice (d = 0) have no diagonal."""
        return range(0, 2 * self.steps + 1, 1 if self.centre else 2)

    def size(self, step: int) -> int:
        """Side of the square that holds the column p_step e_i."""
        return 1 + step * (self.width - 1)

    def axes(self, row: int) -> tuple[int, int]:
        """Steps along the two axes of the square, for `row` pixels per image row.

        Four neighbours are a 2 by 2 box on the diagonals: the square is a diamond of the image, and only the
        pixels of one colour of the chessboard are in it.
        """
        return (row + 1, row - 1) if self.width == 2 else (row, 1)


_LATTICES = {
    4: _Lattice(width=2, centre=0, steps=11, integers=np.int16, floats=np.float32),
    8: _Lattice(width=3, centre=2, steps=14, integers=np.int32, floats=np.float64),
}


def subgraph_centrality(signal: ArrayLike, neighbours: int = 4) -> NDArray[np.float64]:
    """Subgraph centrality of every signal pixel, correct to the last bit or two.

    Parameters
    ----------
    signal : (h, w) array of bool
        True where a pixel is a node of the graph; any other type is read as non-zero.
    neighbours : {4, 8}
        Pixels that a pixel can be joined to.

    Returns
    -------
    (n,) array of float64
        Diagonal of exp(A), in row-major order of the n signal pixels.

    Raises
    ------
    ValueError
        If `signal` is not two-dimensional or `neighbours` is neither 4 nor 8.
    """
    signal = _checked(signal, neighbours)
    lattice = _LATTICES[neighbours]
    padded = np.pad(signal, lattice.steps)
    axes = lattice.axes(padded.shape[1])
    rows = _packed_rows(padded.ravel(), axes[1], lattice)
    pixels = np.flatnonzero(padded)
    chunk = max(1, CHUNK_VALUES // lattice.size(lattice.steps) ** 2)
    centrality = np.empty(len(pixels))
    for start in range(0, len(pixels), chunk):
        part = slice(start, start + chunk)
        masks = [_masks(rows, pixels[part], axes, lattice.size(lattice.steps - i)) for i in (0, 1)]
        centrality[part] = _weighted_sum(_moments(masks, lattice), lattice)
    return centrality


def euler_characteristics(
    signal: ArrayLike, centrality: ArrayLike, neighbours: int = 4, quantiles: int = 20
) -> NDArray[np.int64]:
    """Euler characteristics of the graphs induced by the most central pixels.

    Pixels of equal centrality are taken in row-major order.

    Parameters
    ----------
    signal : (h, w) array of bool
        True where a pixel is a node of the graph.
    centrality : (n,) array of float
        Centrality of the signal pixels, in row-major order.
    neighbours : {4, 8}
        Pixels that a pixel can be joined to.
    quantiles : int
        Number of graphs, at least 2.

    Returns
    -------
    (quantiles,) array of int64
        Nodes minus edges of the graph induced by the first round(i n / quantiles) pixels, i = 0 ... quantiles - 1;
        halves are rounded to even.

    Raises
    ------
    ValueError
        If `signal` is not two-dimensional, `neighbours` is neither 4 nor 8, `quantiles` is below 2, or
        `centrality` does not hold one value per signal pixel.
    """
    signal = _checked(signal, neighbours)
    if quantiles < 2:
        raise ValueError(f"quantiles must be at least 2, not {quantiles}.")
    centrality = np.asarray(centrality)
    n = np.count_nonzero(signal)
    if centrality.shape != (n,):
        raise ValueError(f"centrality must hold one value for each of the {n} signal pixels.")

    nodes = np.array([round(i * n / quantiles) for i in range(quantiles)], dtype=np.int64)
    # A pixel is born with the first graph that has it, an edge with the later of its ends. What belongs to no
    # graph, and every pixel without signal, is born after the last one.
    pixel_births = np.empty(n, dtype=np.int64)
    pixel_births[np.argsort(-centrality, kind="stable")] = np.searchsorted(nodes, np.arange(n), side="right")
    births = np.full(signal.shape, quantiles)
    births[signal] = pixel_births
    new_edges = np.zeros(quantiles + 1, dtype=np.int64)
    for one, other in _touching(births, neighbours):
        new_edges += np.bincount(np.maximum(one, other).ravel(), minlength=quantiles + 1)
    return nodes - np.cumsum(new_edges[:quantiles])


def feature_vector(
    signal: ArrayLike, neighbours: int = 4, quantiles: int = 20, method: str = "exact"
) -> NDArray[np.int64]:
    """Feature vector of a pattern: Euler characteristics in the order of subgraph centrality.

    Parameters
    ----------
    signal : (h, w) array of bool
        True where a pixel is a node of the graph.
    neighbours : {4, 8}
        Pixels that a pixel can be joined to.
    quantiles : int
        Length of the vector, at least 2.
    method : {"exact", "networkx"}
        "networkx" takes the centrality from `networkx.subgraph_centrality`: slower, and its rounding decides
        the order of pixels of equal centrality.

    Returns
    -------
    (quantiles,) array of int64
        See `euler_characteristics`; zeros if there is no signal pixel.

    Raises
    ------
    ValueError
        If `signal` is not two-dimensional, `neighbours` is neither 4 nor 8, `quantiles` is below 2, or `method`
        is unknown.
    """
    methods = {"exact": subgraph_centrality, "networkx": _networkx_centrality}
    if method not in methods:
        raise ValueError(f'method must be "exact" or "networkx", not {method!r}.')
    return euler_characteristics(signal, methods[method](signal, neighbours), neighbours, quantiles)


def metrics(feature_vector: Sequence[float] | NDArray) -> dict[str, Any]:
    """Summary numbers of a feature vector, under pyveg's names.

    Parameters
    ----------
    feature_vector : (quantiles,) sequence of numbers
        Euler characteristics from `feature_vector`.

    Returns
    -------
    dict
        `slope` (change per quantile), `offset` (last minus first value), `offset50` (last minus middle value),
        `mean`, `std` (of the population) as float, and `feature_vec` as list of float.

    Raises
    ------
    ValueError
        If the vector is not one-dimensional with at least 2 values.
    """
    values = np.asarray(feature_vector, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"A feature vector must have one dimension and at least 2 values, not shape {values.shape}."
        )
    vector = values.tolist()
    offset = vector[-1] - vector[0]
    return {
        "slope": offset / len(vector),
        "offset": offset,
        "offset50": vector[-1] - vector[len(vector) // 2],
        "mean": fmean(vector),
        "std": pstdev(vector),
        "feature_vec": vector,
    }


def _checked(signal: ArrayLike, neighbours: int) -> NDArray[np.bool_]:
    """`signal` as booleans, if it and `neighbours` are valid."""
    signal = np.asarray(signal)
    if signal.ndim != 2:
        raise ValueError(f"signal must be a two-dimensional array, not one of shape {signal.shape}.")
    if neighbours not in _LATTICES:
        raise ValueError(f"neighbours must be 4 or 8, not {neighbours}.")
    return signal.astype(bool)


def _touching(image: NDArray, neighbours: int) -> Iterator[tuple[NDArray, NDArray]]:
    """Pairs of views of `image` whose elements are the ends of all edges."""
    yield image[:, :-1], image[:, 1:]
    yield image[:-1], image[1:]
    if neighbours == 8:
        yield image[:-1, :-1], image[1:, 1:]
        yield image[:-1, 1:], image[1:, :-1]


def _networkx_centrality(signal: ArrayLike, neighbours: int) -> NDArray[np.float64]:
    """Subgraph centrality of every signal pixel by networkx, which diagonalises the whole graph."""
    import networkx as nx

    signal = _checked(signal, neighbours)
    n = np.count_nonzero(signal)
    if n == 0:  # networkx refuses a graph without nodes
        return np.empty(0)
    number = np.full(signal.shape, -1)
    number[signal] = np.arange(n)
    graph = nx.empty_graph(n)
    for one, other in _touching(number, neighbours):
        joined = (one >= 0) & (other >= 0)
        graph.add_edges_from(zip(one[joined].tolist(), other[joined].tolist(), strict=True))
    centrality = nx.subgraph_centrality(graph)
    return np.array([centrality[node] for node in range(n)])


def _packed_rows(pixels: NDArray[np.bool_], step: int, lattice: _Lattice) -> NDArray[np.integer]:
    """Bit b of element i is pixel i + b * step: a row of the largest square in one number."""
    rows = np.zeros(len(pixels), dtype=lattice.integers)
    for bit in range(lattice.size(lattice.steps)):
        start = bit * step
        rows[: len(pixels) - start] |= pixels[start:] * lattice.integers(1 << bit)
    return rows


def _masks(
    rows: NDArray[np.integer], pixels: NDArray[np.intp], axes: tuple[int, int], size: int
) -> NDArray[np.integer]:
    """Signal in the square around every pixel as 0 and 1, (size, size, pixels)."""
    # Fetching packed rows and unpacking them is several times faster than fetching every value.
    corner = -(size - 1) * sum(axes) // 2
    packed = rows[corner + axes[0] * np.arange(size)[:, None] + pixels]
    bits = packed[:, None] & (1 << np.arange(size, dtype=rows.dtype))[:, None]
    return np.minimum(bits, 1, out=bits)


def _centre(square: NDArray, size: int) -> NDArray:
    """View of the middle `size` rows and columns."""
    edge = (len(square) - size) // 2
    return square[edge : edge + size, edge : edge + size]


def _spread(source: NDArray, target: NDArray) -> None:
    """Write to `target` the sums of neighbouring rows of `source`, which has fewer rows."""
    size = len(source)
    target[:size] = source
    target[size:] = 0
    for shift in range(1, len(target) - size + 1):
        target[shift : shift + size] += source


def _box_sum(column: NDArray, size: int) -> NDArray:
    """Spread the values of a square over the boxes that hold them, (size, size, pixels)."""
    rows = np.empty((size, *column.shape[1:]), column.dtype)
    boxes = np.empty((size, size, column.shape[2]), column.dtype)
    _spread(column, rows)
    _spread(rows.swapaxes(0, 1), boxes.swapaxes(0, 1))
    return boxes


def _columns(masks: list[NDArray], lattice: _Lattice) -> Iterator[NDArray]:
    """Columns p_0 e_i, p_1 e_i ... of a chunk of pixels i, each (size, size, pixels) and valid until the next.

    The pixels are the last axis, so that a shift inside the square is a slice of whole runs of memory.
    """
    width, centre, steps = lattice[:3]
    before = np.full((1, 1, masks[0].shape[2]), 2, dtype=lattice.integers)
    yield before
    column = _centre(masks[(steps - 1) % 2], lattice.size(1)).copy()
    if centre:
        column[1, 1] = -centre
    yield column
    for step in range(2, steps + 1):
        after = _box_sum(column, lattice.size(step))
        after *= _centre(masks[(steps - step) % 2], len(after))
        if centre:  # the box of 8 neighbours holds the pixel itself: A = box - I
            inner = _centre(after, len(column))
            inner -= (centre + 1) * column
        before *= width**2
        inner = _centre(after, len(before))
        inner -= before
        before, column = column, after
        yield column


def _moments(masks: list[NDArray], lattice: _Lattice) -> NDArray[np.floating]:
    """Integers <p_k e_i, p_k e_i> and <p_k e_i, p_{k+1} e_i>, (degrees, pixels), by degree 2k and 2k + 1."""
    moments = []
    before = None
    for column in _columns(masks, lattice):
        # As exact as integers, because all partial sums are integers that the type holds, and much faster.
        column = column.astype(lattice.floats)
        if lattice.centre and before is not None:
            moments.append(np.einsum("abi,abi->i", before, _centre(column, len(before))))
        moments.append(np.einsum("abi,abi->i", column, column))
        before = column
    return np.stack(moments)


@cache
def _weights(lattice: _Lattice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """High and low parts of the weights of the moments, (degrees, 1); their sums are good to 1e-25."""
    width, centre, degrees = lattice.width, lattice.centre, lattice.degrees
    exponential = sum(Fraction(centre**j, factorial(j)) for j in range(60))
    terms = [(1 if n == 0 else 2) * exponential * _bessel(n, width) for n in degrees]
    weights = [term / (2 * width**n) for n, term in zip(degrees, terms, strict=True)]
    # What T_n subtracts, 1 or T_1 = -centre / 2w, is the same for all pixels: it joins moment 0, which is 4.
    weights[0] -= (
        sum(
            term * (1 if n % 2 == 0 else Fraction(-centre, 2 * width))
            for n, term in zip(degrees, terms, strict=True)
        )
        / 4
    )
    high = [round(weight / _HIGH_UNIT) * _HIGH_UNIT for weight in weights]
    low = [weight - part for weight, part in zip(weights, high, strict=True)]
    return tuple(np.array([[float(part)] for part in parts]) for parts in (high, low))


def _bessel(order: int, half: int) -> Fraction:
    """Modified Bessel function I_order(2 half) = sum_j half^(2j + order) / (j! (j + order)!), to 1e-50."""
    return sum(Fraction(half ** (2 * j + order), factorial(j) * factorial(j + order)) for j in range(60))


def _weighted_sum(moments: NDArray[np.floating], lattice: _Lattice) -> NDArray[np.float64]:
    """Sum of the series for every pixel, (pixels,)."""
    high, low = _weights(lattice)
    # The order of an exact sum does not matter; `accumulate` has a fixed one, which `sum` has not.
    return (high * moments).sum(axis=0) + np.add.accumulate(low * moments, axis=0)[-1]
