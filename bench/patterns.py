"""Measure what the tests of patterns find where nothing is, and which class they give to patterns of known class.

`PYTHONPATH=workflow/scripts .venv/bin/python -m bench.patterns` prints the tables of docs/patterns.md as Markdown, in
some twenty minutes on one core. All seeds are fixed.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.surrogates import ornstein_uhlenbeck
from tigerbush.analysis.trend import TrendTest
from tigerbush.pattern import PYVEG, evolve, random_pattern, start_states
from tigerbush.pattern_class import PATTERN_CLASSES
from tigerbush.spatial import measure_pattern
from tigerbush.spatial_warning import NULLS, spatial_indicators
from tigerbush.spectrum import dominant_wave

Array = NDArray[np.float64]

LEVEL = 0.05
SITE = (200, 200)
SMALL = (100, 120)
# pyveg's parameters on cells of 10 m: the pattern has the same size in cells
CELLS = replace(PYVEG, cell=10.0, dif_o=100 * (10 / 21) ** 2)
# plants and soil water that spread faster, so that a patch has many cells
RESOLVED = replace(PYVEG, cell=10.0, dif_o=22.0, dif_p=1.0, dif_w=1.0)
SIDE, DAYS, SEEDS = 90, 4000, range(101, 107)
# parameters, rain (mm/day), slope (m/day), class
STATES = (
    (CELLS, 0.6, 0, "spots"),
    (CELLS, 0.7, 0, "spots"),
    (CELLS, 0.8, 0, "spots"),
    (CELLS, 1.0, 0, "labyrinths"),
    (CELLS, 1.1, 0, "labyrinths"),
    (CELLS, 1.3, 0, "gaps"),
    (CELLS, 1.4, 0, "gaps"),
    (CELLS, 1.0, 5, "bands"),
    (CELLS, 1.2, 5, "bands"),
    (CELLS, 3.0, 0, "none"),
    (RESOLVED, 1.1, 0, "spots"),
    (RESOLVED, 1.4, 0, "gaps"),
    (RESOLVED, 1.4, 1, "bands"),
)


def random_field(random: np.random.Generator, shape: tuple[int, int], transfer: Callable) -> Array:
    """Cut a field out of a periodic one twice as large, whose waves have amplitudes by frequency."""
    whole = [2 * size for size in shape]
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, whole), indexing="ij"))
    frequency[0, 0] = np.inf
    return np.real(np.fft.ifft2(np.fft.fft2(random.standard_normal(whole)) * transfer(frequency)))[
        : shape[0], : shape[1]
    ]


def fields() -> Iterator[tuple[str, Callable]]:
    """Yield kinds of random fields without a wavelength: name, function of generator and shape."""
    yield "white", lambda random, shape: random.standard_normal(shape)
    for length in (1, 3, 10, 30):
        yield (
            f"exponential covariance, {length} pixels",
            lambda random, shape, length=length: random_field(
                random, shape, lambda f: (1 + (2 * np.pi * f * length) ** 2) ** -0.75
            ),
        )
    for width in (1, 3, 8):
        yield (
            f"smooth (Gaussian covariance), {width} pixels",
            lambda random, shape, width=width: random_field(
                random, shape, lambda f: np.exp(-((2 * np.pi * f * width) ** 2) / 2)
            ),
        )
    for slope in (1, 2, 3):
        yield (
            f"fractal, spectrum f^-{slope}",
            lambda random, shape, slope=slope: random_field(random, shape, lambda f: f ** (-slope / 2)),
        )
    for rise in (5, 50):
        yield (
            f"white on a gradient of {rise} sd",
            lambda random, shape, rise=rise: (
                random.standard_normal(shape) + rise * np.linspace(0, 1, shape[0])[:, None]
            ),
        )


def false_wavelengths(number: int = 100) -> None:
    """Print the share of random fields in which a wavelength is found."""
    print(f"| field | {SMALL[0]} x {SMALL[1]} | {SITE[0]} x {SITE[1]} |\n|---|---|---|")
    for name, draw in fields():
        shares = []
        for shape in (SMALL, SITE):
            random = np.random.default_rng(11)
            found = [dominant_wave(draw(random, shape), 10.0)["wavelength"] for _ in range(number)]
            shares.append(f"{100 * np.mean([wave is not None for wave in found]):.1f} %")
        print(f"| {name} | {' | '.join(shares)} |", flush=True)


def ndvi_of(parameters, rain: float, slope: float, seed: int) -> Array:
    """Simulate NDVI with the noise of reflectances."""
    dt = 0.5 if slope else 1.0
    used = replace(parameters, v=slope, frac=0.5 if slope else 0.9)
    plants, soil, surface = start_states(random_pattern((SIDE, SIDE), seed, used).astype(float), rain, used)
    cover = 1 - np.exp(-0.12 * evolve(plants, rain, int(DAYS / dt), dt, used, soil, surface)[0])
    random = np.random.default_rng(seed)
    nir, red = 0.33 + 0.04 * cover, 0.25 - 0.20 * cover
    nir, red = (band + 0.002 * random.standard_normal(cover.shape) for band in (nir, red))
    return (nir - red) / (nir + red)


def confusion() -> None:
    """Print which class states of the model get, whose class is known by rain and slope."""
    print(f"| model | rain | slope | class | {' | '.join(PATTERN_CLASSES)} |\n|---|---|---|---|{'---|' * 5}")
    for parameters, rain, slope, known in STATES:
        given = Counter()
        for seed in SEEDS:
            ndvi = ndvi_of(parameters, rain, slope, seed)
            split = np.where(ndvi > np.median(ndvi), 0, 255).astype(np.uint8)
            given[measure_pattern(ndvi, split, 10.0).pattern_class] += 1
        model = "10 m" if parameters is CELLS else "10 m, fast spread"
        counts = " | ".join(str(given[name] or "") for name in PATTERN_CLASSES)
        print(f"| {model} | {rain} | {slope} | {known} | {counts} |", flush=True)


def null_alarms(number: int = 200) -> None:
    """Print how often fields without structure, and red noise, differ from their nulls at 5 %."""
    kinds = dict(fields())
    print("| indicator | null | white | exponential covariance, 3 pixels |\n|---|---|---|---|")
    alarms: dict[tuple[str, str, str], int] = Counter()
    for kind in ("white", "exponential covariance, 3 pixels"):
        for seed in range(number):
            random = np.random.default_rng(seed)
            ndvi = kinds[kind](random, SMALL)
            for name, row in spatial_indicators(ndvi, ndvi > np.quantile(ndvi, 0.6), 10.0, random).items():
                for null in NULLS[name]:
                    alarms[kind, name, null] += row[null]["p"] <= LEVEL
    for name, nulls in NULLS.items():
        for null in nulls:
            shares = [
                f"{100 * alarms[kind, name, null] / number:.1f} %"
                for kind in ("white", "exponential covariance, 3 pixels")
            ]
            print(f"| {name} | {null} | {' | '.join(shares)} |", flush=True)


def trend_alarms(number: int = 2000) -> None:
    """Print how often series without a trend, with a season, have a significant one, and the power on a trend."""
    step = 365.2425 / 12
    print(
        "| dates | AR(1) 0.02 | 0.3 | 0.7 | 0.9 | 0.97 | trend of 2 sd, AR(1) 0.5 |\n|---|---|---|---|---|---|---|"
    )
    for dates in (36, 60, 120, 240):
        days = np.arange(dates) * step
        test = TrendTest(days, step, np.random.default_rng(1))
        season = 1.5 * np.cos(2 * np.pi * days / 365.2425)
        shares = []
        for memory in (0.02, 0.3, 0.7, 0.9, 0.97):
            series = ornstein_uhlenbeck(days, -np.log(memory) / step, number, np.random.default_rng(2))
            shares.append(np.mean([test(values / series.std() + season)[1] <= LEVEL for values in series]))
        series = ornstein_uhlenbeck(days, np.log(2) / step, number // 4, np.random.default_rng(3))
        rising = np.linspace(0, 2, dates)
        shares.append(np.mean([test(values / series.std() + rising)[1] <= LEVEL for values in series]))
        print(f"| {dates} | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |", flush=True)


if __name__ == "__main__":
    for part in (confusion, false_wavelengths, null_alarms, trend_alarms):
        print(f"\n## {part.__doc__.partition('.')[0]}\n")
        part()
