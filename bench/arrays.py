"""Rows for functions on arrays: a sub-image, a date, a composite."""

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
from tigerbush.sites.lost import CLOUD, OBSERVED
from tigerbush.sites.subimages import (
    centrality_of_sub_images,
    coverage,
    ndvi_of_sub_images,
    usable_sub_images,
)
from tigerbush.summary.results import summarise_date

DAY = "2020-01-16"


def pattern(side: int, seed: int = 0) -> np.ndarray:
    """Return an 8-bit NDVI image of patches some 60 m wide, with noise."""
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
    for start, end in ((number[:, :-1], number[:, 1:]), (number[:-1], number[1:])):
        joined = (start >= 0) & (end >= 0)
        adjacency[start[joined], end[joined]] = adjacency[end[joined], start[joined]] = 1
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
    (seconds,) = cpu_seconds(lambda: feature_vector(signal), repeats=50)
    title = f"centrality of a sub-image of {side} x {side}, {signal.sum()} signal pixels"
    for name, target, reference in (
        ("networkx", ", target 400", lambda: nx.subgraph_centrality(graph(signal))),
        ("dense eigh", "", lambda: dense(signal)),
    ):
        (slower,) = cpu_seconds(reference, repeats=1)
        yield Row(title, seconds, f"{slower / seconds:.0f} x faster than {name} ({slower:.2f} s){target}")
        title = "  the same"
    (seconds,) = cpu_seconds(lambda: subgraph_centrality(signal, 8), repeats=5)
    yield Row("  with 8 neighbours", seconds)


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
        """Render NDVI, the 8-bit images and the black/white image."""
        self.images = render(self.composite)

    def choose(self) -> None:
        """Divide the image, and select the sub-images that are used."""
        self.index = self.images.ndvi.data[0]
        self.covered = coverage(self.index, self.images.rgb)
        parts = sub_images(self.composite.grid, self.composite.epsg, 50)
        self.used = usable_sub_images(parts, self.covered, 0.05)

    def centrality(self) -> None:
        """Compute the network centrality of each sub-image."""
        self.networks = centrality_of_sub_images(self.images.black_white, self.covered, self.used, DAY)

    def ndvi(self) -> None:
        """Compute the mean NDVI of each sub-image."""
        n_obs, images = self.composite.data[4], self.images
        self.means = ndvi_of_sub_images(
            self.index, images.grey, images.black_white, n_obs, self.covered, self.used, DAY
        )

    def summarise(self) -> None:
        """Merge the records into one JSON text."""
        json.dumps(summarise_date(DAY, self.networks, self.means, {}), indent=1)


def date(small: bool) -> Iterator[Row]:
    """Measure a date, in total and by stage."""
    side = 100 if small else 800
    example = Date(side)
    times = cpu_seconds(*(getattr(example, stage) for stage in example.stages), repeats=5)
    title = f"a date of {side} x {side}, {len(example.used)} sub-images, composite in memory to JSON"
    yield Row(title, sum(times), "target 1.5 s")
    for stage, seconds in zip(example.stages, times, strict=True):
        yield Row(f"  {stage}", seconds, f"{seconds / sum(times):.1%}")


def composite(small: bool) -> Iterator[Row]:
    """Measure the composite of 6 products, against numpy's nanmedian."""
    side = 50 if small else 800
    random = np.random.default_rng(0)
    observations = [
        Observation(
            random.integers(1, 4000, (4, side, side)).astype(np.int32),
            np.where(random.random((side, side)) < 0.8, OBSERVED, CLOUD),
        )
        for _ in range(6)
    ]

    def reference() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pixels without any observation
            stacked = [np.where(observation.usable, observation.dn, np.nan) for observation in observations]
            return np.nanmedian(stacked, axis=0)

    (seconds,) = cpu_seconds(lambda: median(observations), repeats=3)
    (slower,) = cpu_seconds(reference, repeats=1)
    yield Row(
        f"median of 6 products of {side} x {side}", seconds, f"{slower / seconds:.1f} x faster than nanmedian"
    )
