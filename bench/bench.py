"""Measure what tigerbush exists for against references in the same process.

Ratios are what counts: machines differ, and shared ones differ from minute to minute. Nothing here
fails on a slow machine.
"""

import platform
import statistics
import time
import warnings
from collections.abc import Callable

import networkx as nx
import numpy as np

from tigerbush.centrality import feature_vector, subgraph_centrality
from tigerbush.composite import Observation, median
from tigerbush.grid import sub_images
from tigerbush.images import render
from tigerbush.measures import centrality_of_sub_images, coverage, ndvi_of_sub_images, usable_sub_images
from tigerbush.raster import Raster
from tigerbush.resample import Grid
from tigerbush.summary import summarise_date

GRID = Grid(600000, 5900040, 10, 800, 800)


def cpu_seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median CPU time of a call, after one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


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


def bench_centrality() -> None:
    """Measure one 50 x 50 sub-image against networkx and dense diagonalisation."""
    grey = pattern(50)
    signal = grey < np.quantile(grey, 0.76)  # as much bare ground as pyveg's Sahelian sub-images have
    ours = cpu_seconds(lambda: feature_vector(signal), 50)
    for name, reference in (
        ("networkx", lambda: nx.subgraph_centrality(graph(signal))),
        ("dense eigh", lambda: dense(signal)),
    ):
        row(
            f"centrality of a sub-image ({signal.sum()} pixels), against {name}",
            ours,
            cpu_seconds(reference, 1),
        )
    row("the same with 8 neighbours", cpu_seconds(lambda: subgraph_centrality(signal, 8), 5))


def bench_date() -> None:
    """Measure a date of 800 x 800 pixels, from the composite in memory to the summary."""
    ndvi = pattern(800).astype(float) / 255 * 2 - 1
    nir = np.full(ndvi.shape, 0.3)
    red = nir * (1 - ndvi) / (1 + ndvi)
    data = np.stack([red, red, red, nir, np.ones_like(nir)]).astype(np.float32)
    composite = Raster(data, GRID, 32631, ("B2", "B3", "B4", "B8", "n_obs"), np.nan)
    parts = sub_images(GRID, 32631, 50)

    def whole() -> None:
        images = render(composite)
        index = images.ndvi.data[0]
        covered = coverage(index, images.rgb)
        used = usable_sub_images(parts, covered, 0.05)
        centrality = centrality_of_sub_images(images.black_white, covered, used, "2020-01-16")
        means = ndvi_of_sub_images(
            index, images.grey, images.black_white, data[4], covered, used, "2020-01-16"
        )
        summarise_date("2020-01-16", centrality, means, {})

    row("a date of 800 x 800 pixels (256 sub-images), composite to summary", cpu_seconds(whole, 5))


def bench_composite() -> None:
    """Measure the composite of 6 products, against numpy's nanmedian."""
    random = np.random.default_rng(0)
    observations = [
        Observation(random.integers(1, 4000, (4, 800, 800)).astype(np.int32), random.random((800, 800)) < 0.8)
        for _ in range(6)
    ]

    def reference() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pixels without any observation
            return np.nanmedian([np.where(one.usable, one.dn, np.nan) for one in observations], axis=0)

    ours = cpu_seconds(lambda: median(observations), 3)
    row("median of 6 products of 800 x 800 pixels, against nanmedian", ours, cpu_seconds(reference, 1))


def row(name: str, seconds: float, reference: float | None = None) -> None:
    """Print a line of the table."""
    ratio = f"{reference / seconds:8.1f} x" if reference else ""
    print(f"{name:<75} {seconds * 1000:9.1f} ms {ratio:>10}", flush=True)


if __name__ == "__main__":
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}; CPU time\n")
    bench_centrality()
    bench_date()
    bench_composite()
