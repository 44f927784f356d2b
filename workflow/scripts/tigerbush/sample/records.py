"""Long records of the sample's ecosystem: one that dries out towards its collapse, and one under a steady mean rain.

They are measured without images and products, so that decades take seconds. Besides the rain, the losses to grazing and
fire vary from month to month: were rain all that disturbs the plants, its memory would explain their fluctuations.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tigerbush.grid import Grid
from tigerbush.images import black_white, grey_ndvi, ndvi
from tigerbush.pattern import Fields, evolve, random_pattern, start_states
from tigerbush.planning.periods import read_periods
from tigerbush.sample.simulate import (
    CELL,
    EPSG,
    NOISE,
    PLANTS,
    RAIN_CV,
    SEED,
    SPIN_UP,
    TILE,
    fractional_cover,
    reflectance,
)
from tigerbush.site import METRES_PER_DEGREE
from tigerbush.sites.layout import sub_images
from tigerbush.sites.subimages import (
    coverage,
    ndvi_of_sub_images,
    usable_sub_images,
)
from tigerbush.summary.results import summarise_site

# name of the record to its rain in the first and in the last month, mm/day
RECORDS = {"drying": (1.2, 0.45), "steady": (1.2, 1.2)}
PERIOD = {"start": "1990-01-01", "end": "2025-01-01", "step": "1m"}
# coefficient of variation of the losses to grazing and fire; those that do not vary are a quarter of all
GRAZING_CV = 0.1
# share of the months without data
GAPS = 0.1
SIZE = 50  # pixels of 10 m of a sub-image
GRID = Grid(TILE.x, TILE.y, 10, 2 * SIZE, 2 * SIZE)
MAX_MASKED = 0.05

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Month:
    """A month of a record.

    Attributes
    ----------
    date : str
        Its middle day.
    first, following : date
        Its first day, and that of the next.
    rain : float
        mm/day
    losses : float
        Those to grazing and fire, relative to their mean.
    """

    date: str
    first: date
    following: date
    rain: float
    losses: float


def months_of(name: str, seed: int = SEED) -> list[Month]:
    """List the months of a record: rain and losses are means times gamma factors of mean 1.

    Parameters
    ----------
    name : str
        Of `RECORDS`.
    seed : int
        Records of one seed have their own factors, but start from one state.
    """
    periods = read_periods(**PERIOD)
    random = np.random.default_rng([seed, 6, list(RECORDS).index(name)])
    rain = np.linspace(*RECORDS[name], len(periods)) * _gamma(random, RAIN_CV, len(periods))
    losses = _gamma(random, GRAZING_CV, len(periods))
    return [
        Month(day, *map(date.fromisoformat, period), float(rain[i]), float(losses[i]))
        for i, (day, period) in enumerate(periods.items())
    ]


def _gamma(random: np.random.Generator, variation: float, size: int) -> Image:
    return random.gamma(1 / variation**2, variation**2, size)


def simulate_plants(name: str, seed: int = SEED) -> Iterator[Image]:
    """Simulate the ecosystem of a record, and yield its plants in the middle of each month.

    Yields
    ------
    (50, 50) float64 array
        Biomass on cells of 20 m, g/m2.
    """
    fields = _spin_up(RECORDS[name][0], seed)
    for month in months_of(name, seed):
        middle = date.fromisoformat(month.date)
        fields = _evolve(fields, month.rain, month.losses, (middle - month.first).days)
        yield fields[0]
        fields = _evolve(fields, month.rain, month.losses, (month.following - middle).days)


def _spin_up(rain: float, seed: int) -> Fields:
    shape = (GRID.height * GRID.resolution // CELL, GRID.width * GRID.resolution // CELL)
    fields = start_states(random_pattern(shape, seed), rain, PLANTS)
    random = np.random.default_rng([seed, 7])
    factors = (_gamma(random, variation, SPIN_UP) for variation in (RAIN_CV, GRAZING_CV))
    for factor, losses in zip(*factors, strict=True):
        fields = _evolve(fields, rain * factor, losses, 30)
    return fields


def _evolve(fields: Fields, rain: float, losses: float, days: int) -> Fields:
    plants, soil, surface = fields
    parameters = replace(PLANTS, beta=PLANTS.beta * losses)
    return evolve(plants, rain, days, parameters=parameters, soil_water=soil, surface_water=surface)


def observe(plants: Image, random: np.random.Generator) -> Image:
    """Return the NDVI of plants as a sensor measures it, with the noise of the sample.

    Parameters
    ----------
    plants : (50, 50) float64 array
        Biomass on cells of 20 m, g/m2.
    random : Generator

    Returns
    -------
    (100, 100) float32 array
        On pixels of 10 m.
    """
    cover = fractional_cover(plants)
    near_infrared, red = (
        reflectance(band, cover) + random.normal(0, NOISE, cover.shape) for band in ("B8", "B4")
    )
    return ndvi(near_infrared, red)


def simulate_record(name: str, seed: int = SEED) -> dict:
    """Simulate a record, and summarise it as sites are.

    Parameters
    ----------
    name : str
        Of `RECORDS`.
    seed : int
        The same seed gives the same numbers.

    Returns
    -------
    dict
        Contents of results_summary.json, with the rain of every month and, but for gaps, one observation of 2 x 2
        sub-images of 500 m. No products are named, as there are none.
    """
    random = np.random.default_rng([seed, 8, list(RECORDS).index(name)])
    months = months_of(name, seed)
    parts = sub_images(GRID, EPSG, SIZE)
    dates = [
        _summarise(month, None if random.random() < GAPS else observe(plants, random), parts)
        for month, plants in zip(months, simulate_plants(name, seed), strict=True)
    ]
    return summarise_site(
        {
            "site": name,
            "longitude": round(float(np.mean([part.longitude for part in parts])), 4),
            "latitude": round(float(np.mean([part.latitude for part in parts])), 4),
            "region_size": round(GRID.width * GRID.resolution / METRES_PER_DEGREE, 5),
        },
        dates=dates,
        periods=[month.date for month in months],
        left_out={},
        weather={},
        config={"period": PERIOD, "run": {"name": "sample"}, "source": {"kind": "sample"}},
        config_files=[],
    )


def _summarise(month: Month, index: Image | None, parts: list) -> Mapping:
    """Summarise a month as a date is; without an image it is a gap."""
    days = (month.following - month.first).days
    vegetation = None
    if index is not None:
        grey = grey_ndvi(index)
        classes, covered = black_white(grey), coverage(index, grey)
        used = usable_sub_images(parts, covered, MAX_MASKED)
        vegetation = ndvi_of_sub_images(index, grey, classes, np.ones(index.shape), covered, used, month.date)
    return {
        "date": month.date,
        "vegetation": vegetation,
        "missing": None if vegetation else "a gap of the simulated record",
        "weather": {"total_precipitation": month.rain * days / 1000},
        "lineage": {"products": [], "failed": {}, "left_out": {}},
    }
