"""Rows that measure functions on arrays: a sub-image, a date, a composite."""

import json
import warnings
from collections.abc import Iterator

import networkx as nx
import numpy as np

from bench.table import Row, cpu_seconds
from tigerbush.centrality import feature_vector, subgraph_centrality
from tigerbush.grid import Grid
from tigerbush.images import render
from tigerbush.raster import Raster
from tigerbush.sites.composite import Observation, median
from tigerbush.sites.layout import sub_images
from tigerbush.sites.subimages import (
    centrality_of_sub_images,
    coverage,
    ndvi_of_sub_images,
    usable_sub_images,
)
from tigerbush.summary.results import summarise_date

DAY = "2020-01-16"


def pattern(side: int, seed: int = 0) -> np.ndarray:
    """Return an 8-bit NDVI image of blotches some 60 m wide, with noise."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    spectrum = np.exp(-(((frequency - 1 / 6) / 0.05) ** 2)) * np.fft.fft2(
        random.standard_normal((side, side))
    )
    wave = np.real(np.fft.ifft2(spectrum))
    return np.clip(150 + 25 * wave / wave.std() + random.normal(0, 3, wave.shape), 0, 255).astype(np.uint8)


def dense(signal: np.ndarray) -> np.ndarray:
    """Return the subgraph centrality by diagonalising the whole adjacency matrix."""
    number = np.full(signal.shape, -1)
    number[signal] = np.arange(signal.sum())
    adjacency = np.zeros((signal.sum(),) * 2)
    for one, other in ((number[:, :-1], number[:, 1:]), (number[:-1], number[1:])):
        both = (one >= 0) & (other >= 0)
        adjacency[one[both], other[both]] = adjacency[other[both], one[both]] = 1
    values, vectors = np.linalg.eigh(adjacency)
    return (vectors**2) @ np.exp(values)


def graph(signal: np.ndarray) -> nx.Graph:
    """Return the 4-neighbour graph of the signal pixels."""
    return nx.grid_2d_graph(*signal.shape).subgraph(map(tuple, np.argwhere(signal).tolist())).copy()


def centrality(small: bool) -> Iterator[Row]:
    """Measure one sub-image against networkx and dense diagonalisation."""
    side = 12 if small else 50
    grey = pattern(side)
    signal = grey < np.quantile(grey, 0.76)  # as much bare ground as pyveg's Sahelian sub-images have
    (ours,) = cpu_seconds(lambda: feature_vector(signal), repeats=50)
    title = f"centrality of a sub-image of {side} x {side}, {signal.sum()} signal pixels"
    for name, target, reference in (
        ("networkx", ", target 400", lambda: nx.subgraph_centrality(graph(signal))),
        ("dense eigh", "", lambda: dense(signal)),
    ):
        (theirs,) = cpu_seconds(reference, repeats=1)
        yield Row(title, ours, f"{theirs / ours:.0f} x faster than {name} ({theirs:.2f} s){target}")
        title = "  the same"
    (eight,) = cpu_seconds(lambda: subgraph_centrality(signal, 8), repeats=5)
    yield Row("  with 8 neighbours", eight)


def composite_of(side: int) -> Raster:
    """Return a composite of the pattern: B2, B3, B4, B8 and n_obs."""
    ndvi = pattern(side).astype(float) / 255 * 2 - 1
    nir = np.full(ndvi.shape, 0.3)
    red = nir * (1 - ndvi) / (1 + ndvi)
    data = np.stack([red, red, red, nir, np.ones_like(nir)]).astype(np.float32)
    grid = Grid(600000, 5900040, 10, side, side)
    return Raster(data, grid, 32631, ("B2", "B3", "B4", "B8", "n_obs"), np.nan)


class Date:
    """The stages of a date, from the composite in memory to the text of its JSON."""

    stages = ("draw", "choose", "centrality", "ndvi", "summarise")

    def __init__(self, side: int) -> None:
        self.composite = composite_of(side)

    def draw(self) -> None:
        """NDVI, the 8-bit images and the split into bare and green."""
        self.images = render(self.composite)

    def choose(self) -> None:
        """Cut the image; find the sub-images that are used."""
        self.index = self.images.ndvi.data[0]
        self.covered = coverage(self.index, self.images.rgb)
        parts = sub_images(self.composite.grid, self.composite.epsg, 50)
        self.used = usable_sub_images(parts, self.covered, 0.05)

    def centrality(self) -> None:
        """Network centrality of each sub-image."""
        self.networks = centrality_of_sub_images(self.images.black_white, self.covered, self.used, DAY)

    def ndvi(self) -> None:
        """Mean NDVI of each sub-image."""
        n_obs, images = self.composite.data[4], self.images
        self.means = ndvi_of_sub_images(
            self.index, images.grey, images.black_white, n_obs, self.covered, self.used, DAY
        )

    def summarise(self) -> None:
        """Merge the records into the text of one JSON."""
        json.dumps(summarise_date(DAY, self.networks, self.means, {}), indent=1)


def date(small: bool) -> Iterator[Row]:
    """Measure a date, whole and by stages."""
    side = 100 if small else 800
    one = Date(side)
    seconds = cpu_seconds(*(getattr(one, stage) for stage in one.stages), repeats=5)
    title = f"a date of {side} x {side}, {len(one.used)} sub-images, composite in memory to JSON"
    yield Row(title, sum(seconds), "target 1.5 s")
    for stage, took in zip(one.stages, seconds, strict=True):
        yield Row(f"  {stage}", took, f"{took / sum(seconds):.1%}")


def composite(small: bool) -> Iterator[Row]:
    """Measure the composite of 6 products, against numpy's nanmedian."""
    side = 50 if small else 800
    random = np.random.default_rng(0)
    observations = [
        Observation(
            random.integers(1, 4000, (4, side, side)).astype(np.int32), random.random((side, side)) < 0.8
        )
        for _ in range(6)
    ]

    def reference() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pixels without any observation
            return np.nanmedian([np.where(one.usable, one.dn, np.nan) for one in observations], axis=0)

    ours, theirs = *cpu_seconds(lambda: median(observations), repeats=3), *cpu_seconds(reference, repeats=1)
    yield Row(
        f"median of 6 products of {side} x {side}", ours, f"{theirs / ours:.1f} x faster than nanmedian"
    )
