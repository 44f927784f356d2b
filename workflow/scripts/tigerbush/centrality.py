"""Subgraph centrality of a pixel graph, and the feature vector of a spatial pattern made from it.

The pixels of one class are the nodes of a graph; edges join neighbouring pixels. Subgraph centrality, the
diagonal of exp(A) (Estrada & Rodríguez-Velázquez 2005, doi:10.1103/PhysRevE.71.056103), ranks the pixels. The
Euler characteristics of the graphs of the first 0, 5, 10 ... 95 % of them describe the pattern (Mander et al.
2017, doi:10.1098/rsos.160443).

The diagonal is the Chebyshev series of the exponential, in integers up to the last sum. With w = 2 for 4
neighbours and 3 for 8, and d the middle of the lattice's spectrum, all eigenvalues of B = A - dI are in
[-2w, 2w], and with the modified Bessel functions I_n

    exp(A)_ii = e^d (I_0(2w) + 2 sum_n I_n(2w) T_n(B / 2w)_ii).

p_k = 2 w^k T_k(B / 2w) has integer entries: p_0 = 2, p_1 = B, p_{k+1} = B p_k - w^2 p_{k-1}. Its column p_k e_i
is zero outside a small square around pixel i, where A sums over a box of w by w. Two columns reach twice the
degree, since 2 T_m T_n = T_{m+n} + T_{|m-n|}:

    T_{2k}(B / 2w)_ii   = <p_k e_i, p_k e_i> / 2 w^{2k} - 1
    T_{2k+1}(B / 2w)_ii = <p_k e_i, p_{k+1} e_i> / 2 w^{2k+1} - T_1(B / 2w)_ii

Nothing is rounded before the last sum and no BLAS takes part, so equal neighbourhoods give equal bits on every
machine, however the image is turned and however many pixels are worked on at once.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from math import factorial
from statistics import fmean, pstdev
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Values per working array, about 1000 pixels of 4 neighbours: enough to make the overhead of numpy calls
# negligible, few enough for the arrays to stay in cache.
CHUNK_VALUES = 144_000

# The high parts of the weights are multiples of this. Their products with the integer moments and the sums of
# these stay below 3 e^8 < 2^14, so float64 holds them exactly (39 + 14 = 53 bits).
HIGH_UNIT = Fraction(1, 2**39)

# Until a block of this size has been freed, glibc returns every freed work array to the system and has to fetch new
# pages each time. This one is never touched; it halves the time of the first thousands of sub-images.
np.empty(1 << 24, dtype=np.uint8)


class _Lattice(NamedTuple):
    """A kind of neighbourhood.

    Since ||p_k e_i|| <= 2 w^k, Cauchy-Schwarz keeps the recurrence within 4 w^steps (8192 and 2e7) and the partial
    sums of a moment within 4 w^(2 steps) (2^24 and 9.2e13): the types below hold them exactly.
    """

    width: int  # w
    centre: int  # d; 0 if the graph is bipartite
    steps: int  # columns p_0 ... p_steps; the omitted degrees weigh less than 2e-16 in total
    integers: type  # of the columns, and of one bit per pixel of a row of the largest square
    floats: type  # of the moments

    @property
    def degrees(self) -> range:
        """Degrees of the series; on the diagonal of a bipartite graph the odd ones vanish."""
        return range(0, 2 * self.steps + 1, 1 if self.centre else 2)

    def size(self, step: int) -> int:
        """Return the side of the square that holds p_step e_i."""
        return 1 + step * (self.width - 1)

    def axes(self, row: int) -> tuple[int, int]:
        """Return the steps along the square's axes in a flat image with rows of `row` pixels.

        For 4 neighbours they are the diagonals: pixels of one colour of the chessboard, in a diamond.
        """
        return (row, 1) if self.centre else (row + 1, row - 1)


_LATTICES = {
    4: _Lattice(width=2, centre=0, steps=11, integers=np.int16, floats=np.float32),
    8: _Lattice(width=3, centre=2, steps=14, integers=np.int32, floats=np.float64),
}


def subgraph_centrality(signal: ArrayLike, neighbours: int = 4) -> NDArray[np.float64]:
    """Compute the subgraph centrality of every signal pixel.

    Parameters
    ----------
    signal : (h, w) array of bool
        The nodes of the graph; values that are not zero count as True.
    neighbours : {4, 8}
        Without or with diagonal neighbours.

    Returns
    -------
    (n,) array of float64
        Diagonal of exp(A) to a few 1e-16, in row-major order of the signal pixels.

    Raises
    ------
    ValueError
        If `signal` is not two-dimensional or `neighbours` is not 4 or 8.
    """
    signal = _check_signal(signal, neighbours)
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
    """Compute the Euler characteristics of the graphs of the most central pixels.

    Parameters
    ----------
    signal, neighbours
        See `subgraph_centrality`.
    centrality : (n,) array of float
        In row-major order of the signal pixels, which is also the order of ties.
    quantiles : int
        Number of graphs, at least 2.

    Returns
    -------
    (quantiles,) array of int64
        Nodes minus edges of the graph of the first round(i n / quantiles) pixels, i = 0 ... quantiles - 1, halves
        rounded to even.

    Raises
    ------
    ValueError
        If `signal` is not two-dimensional, `neighbours` is not 4 or 8, `quantiles` is below 2, or `centrality`
        does not have one value per signal pixel.
    """
    signal = _check_signal(signal, neighbours)
    if quantiles < 2:
        raise ValueError(f"quantiles must be at least 2, not {quantiles}.")
    n = np.count_nonzero(signal)
    centrality = np.asarray(centrality, dtype=np.float64)
    if centrality.shape != (n,):
        raise ValueError(
            f"centrality must have one value per signal pixel, {n}, not shape {centrality.shape}."
        )

    nodes = np.array([round(i * n / quantiles) for i in range(quantiles)], dtype=np.int64)
    # A pixel is born in the first graph that contains it, an edge with the later of its ends. Whatever is in no
    # graph, as pixels without signal, is born after the last.
    ranked = np.empty(n, dtype=np.int64)
    ranked[np.argsort(-centrality, kind="stable")] = np.searchsorted(nodes, np.arange(n), side="right")
    births = np.full(signal.shape, quantiles, dtype=np.int64)
    births[signal] = ranked
    edges = np.zeros(quantiles + 1, dtype=np.int64)
    for start, end in _edges(births, neighbours):
        edges += np.bincount(np.maximum(start, end).ravel(), minlength=quantiles + 1)
    return nodes - np.cumsum(edges[:quantiles])


def feature_vector(
    signal: ArrayLike, neighbours: int = 4, quantiles: int = 20, method: str = "exact"
) -> NDArray[np.int64]:
    """Compute the feature vector of a pattern: Euler characteristics in the order of subgraph centrality.

    Parameters
    ----------
    signal, neighbours, quantiles
        See `euler_characteristics`.
    method : {"exact", "networkx"}
        "networkx" calls `networkx.subgraph_centrality`: slow, and ties are ordered by rounding errors.

    Returns
    -------
    (quantiles,) array of int64
        See `euler_characteristics`; zeros if there is no signal.

    Raises
    ------
    ValueError
        If `method` is unknown, and as `euler_characteristics`.
    """
    methods = {"exact": subgraph_centrality, "networkx": networkx_centrality}
    if method not in methods:
        raise ValueError(f'method must be "exact" or "networkx", not {method!r}.')
    return euler_characteristics(signal, methods[method](signal, neighbours), neighbours, quantiles)


def metrics(feature_vector: Sequence[float] | NDArray) -> dict[str, Any]:
    """Summarise a feature vector, under pyveg's names.

    Parameters
    ----------
    feature_vector : (quantiles,) sequence of numbers

    Returns
    -------
    dict
        As float: `slope` (offset per quantile), `offset` (last minus first value), `offset50` (last minus middle
        value), `mean`, `std` (of the population); as list of float: `feature_vec`.

    Raises
    ------
    ValueError
        If the vector is not one-dimensional with at least 2 values.
    """
    values = np.asarray(feature_vector, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"a feature vector must be one row of at least 2 values, not shape {values.shape}.")
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


def _check_signal(signal: ArrayLike, neighbours: int) -> NDArray[np.bool_]:
    """Check the arguments that all functions share; return `signal` as bool."""
    signal = np.asarray(signal)
    if signal.ndim != 2:
        raise ValueError(f"signal must be a two-dimensional array, not one of shape {signal.shape}.")
    if neighbours not in _LATTICES:
        raise ValueError(f"neighbours must be 4 or 8, not {neighbours}.")
    return signal.astype(bool)


def _edges(image: NDArray, neighbours: int) -> Iterator[tuple[NDArray, NDArray]]:
    """Yield pairs of views: the values at both ends of every edge of the full lattice."""
    yield image[:, :-1], image[:, 1:]
    yield image[:-1], image[1:]
    if neighbours == 8:
        yield image[:-1, :-1], image[1:, 1:]
        yield image[:-1, 1:], image[1:, :-1]


def networkx_centrality(signal: ArrayLike, neighbours: int) -> NDArray[np.float64]:
    """Compute subgraph centrality with networkx, which diagonalises the adjacency matrix of the whole graph.

    Parameters
    ----------
    signal, neighbours
        See `subgraph_centrality`.

    Returns
    -------
    (n,) array of float64
        Equal to `subgraph_centrality` up to rounding.

    Raises
    ------
    ValueError
        As `subgraph_centrality`.
    """
    import networkx as nx

    signal = _check_signal(signal, neighbours)
    n = np.count_nonzero(signal)
    if n == 0:  # networkx refuses a graph without nodes
        return np.empty(0)
    number = np.full(signal.shape, -1)
    number[signal] = np.arange(n)
    graph = nx.empty_graph(n)
    for start, end in _edges(number, neighbours):
        joined = (start >= 0) & (end >= 0)
        graph.add_edges_from(zip(start[joined].tolist(), end[joined].tolist(), strict=True))
    centrality = nx.subgraph_centrality(graph)
    return np.array([centrality[node] for node in range(n)])


def _packed_rows(pixels: NDArray[np.bool_], step: int, lattice: _Lattice) -> NDArray[np.integer]:
    """Pack rows of the square: bit b of element i is pixel i + b * step."""
    rows = np.zeros(len(pixels), dtype=lattice.integers)
    for bit in range(lattice.size(lattice.steps)):
        start = bit * step
        rows[: len(pixels) - start] |= pixels[start:] * lattice.integers(1 << bit)
    return rows


def _masks(rows: NDArray, pixels: NDArray, axes: tuple[int, int], size: int) -> NDArray[np.integer]:
    """Cut the square around every pixel out of the image, as 0 and 1, (size, size, pixels).

    Fetching packed rows and unpacking them is several times faster than fetching single values.
    """
    corner = -(size - 1) * sum(axes) // 2
    packed = rows[corner + axes[0] * np.arange(size)[:, None] + pixels]
    bits = packed[:, None] & (1 << np.arange(size, dtype=rows.dtype))[:, None]
    return np.minimum(bits, 1, out=bits)


def _middle(square: NDArray, size: int) -> NDArray:
    """View the middle `size` rows and columns."""
    edge = (len(square) - size) // 2
    return square[edge : edge + size, edge : edge + size]


def _spread(source: NDArray, target: NDArray) -> None:
    """Write into `target` the sum of `source` over all shifts along its rows that fit."""
    size = len(source)
    target[:size] = source
    target[size:] = 0
    for shift in range(1, len(target) - size + 1):
        target[shift : shift + size] += source


def _box_sum(column: NDArray, size: int) -> NDArray:
    """Sum over the box around each position of a larger square, (size, size, pixels)."""
    rows = np.empty((size, *column.shape[1:]), dtype=column.dtype)
    boxes = np.empty((size, *rows.shape[::2]), dtype=column.dtype)
    _spread(column, rows)
    _spread(rows.swapaxes(0, 1), boxes.swapaxes(0, 1))
    return boxes


def _columns(masks: list[NDArray], lattice: _Lattice) -> Iterator[NDArray]:
    """Yield the columns p_0 e_i, p_1 e_i ... of a chunk of pixels i, (size, size, pixels).

    Pixels are the last axis: a shift within the square moves whole runs of memory. `masks` are those of the last
    step and the one before. A column is overwritten when the second column after it is requested.
    """
    before = np.full((1, 1, masks[0].shape[2]), 2, dtype=lattice.integers)
    yield before
    column = _middle(masks[(lattice.steps - 1) % 2], lattice.size(1)).copy()
    if lattice.centre:
        column[1, 1] = -lattice.centre
    yield column
    for step in range(2, lattice.steps + 1):
        after = _box_sum(column, lattice.size(step))
        after *= _middle(masks[(lattice.steps - step) % 2], len(after))
        if lattice.centre:  # the box has the pixel itself in it: A = box - I, B = box - I - dI
            _middle(after, len(column))[...] -= (1 + lattice.centre) * column
        before *= lattice.width**2
        _middle(after, len(before))[...] -= before
        yield after
        before, column = column, after


def _moments(masks: list[NDArray], lattice: _Lattice) -> NDArray[np.floating]:
    """Compute the products <p_k e_i, p_k e_i> and <p_k e_i, p_{k+1} e_i> by degree, (degrees, pixels)."""
    moments = []
    before = None
    for column in _columns(masks, lattice):
        # numpy sums floats much faster, and the type holds these integers exactly
        column = column.astype(lattice.floats)
        if before is not None:
            moments.append(np.einsum("abi,abi->i", before, _middle(column, len(before))))
        moments.append(np.einsum("abi,abi->i", column, column))
        before = column if lattice.centre else None
    return np.stack(moments)


def _weighted_sum(moments: NDArray[np.floating], lattice: _Lattice) -> NDArray[np.float64]:
    """Sum the series of every pixel, (pixels,)."""
    high, low = _weights(lattice)
    # the high parts sum exactly in any order, the low parts in the order of the degrees
    return (high * moments).sum(axis=0) + np.add.accumulate(low * moments, axis=0)[-1]


@cache
def _weights(lattice: _Lattice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the high and low parts of the weights of the moments, (degrees, 1) each."""
    width, centre, degrees = lattice.width, lattice.centre, lattice.degrees
    terms = [_exponential(centre) * _bessel(n, width) * (2 if n else 1) for n in degrees]
    weights = [term / (2 * width**n) for n, term in zip(degrees, terms, strict=True)]
    # moments give T_n plus 1, or plus T_1 = -d / 2w, the same for all pixels: subtracted through moment 0, which is 4
    excess = [Fraction(-centre, 2 * width) if n % 2 else 1 for n in degrees]
    weights[0] -= sum(term * part for term, part in zip(terms, excess, strict=True)) / 4
    high = [round(weight / HIGH_UNIT) * HIGH_UNIT for weight in weights]
    low = [weight - part for weight, part in zip(weights, high, strict=True)]
    return np.array([high], dtype=np.float64).T, np.array([low], dtype=np.float64).T


def _exponential(x: int) -> Fraction:
    """Compute e^x, to the precision of `_bessel`."""
    return Fraction(sum((x**j << 200) // factorial(j) for j in range(60)), 1 << 200)


def _bessel(n: int, half: int) -> Fraction:
    """Compute I_n(2 half) = sum_j half^(2j + n) / (j! (j + n)!) for `half` up to 3, to 190 bits after the point."""
    terms = ((half ** (2 * j + n) << 200) // (factorial(j) * factorial(j + n)) for j in range(60))
    return Fraction(sum(terms), 1 << 200)
