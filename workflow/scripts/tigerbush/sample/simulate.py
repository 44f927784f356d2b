"""The embedded sample: a patterned ecosystem that dries out, as Sentinel-2 would observe it.

`tigerbush.pattern` simulates plants under declining, noisy rainfall; their fractional cover mixes the reflectances of
plants and soil in every band; clouds, the edge of the swath and sensor noise are added. The output is what an archive
holds: valid products, of two baselines, on one day in two parts. All of it is synthetic.

With these parameters the model changes slowly (in the equation of the plants alone, growth, losses and spread are
multiplied by 0.3), on cells of 20 m, so that the pattern has a scale of some 100 m.
"""

import io
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import cv2
import numpy as np
import rasterio.features
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from scipy import ndimage

from tigerbush.files import write_bytes
from tigerbush.grid import Grid
from tigerbush.pattern import PYVEG, Fields, evolve, random_pattern, start_states
from tigerbush.sentinel2.names import BANDS
from tigerbush.sentinel2.writer import Scene, write_product
from tigerbush.sources.folder import copy_product

SEED = 20200101
FIRST_MONTH, MONTHS = (2020, 1), 39
# mm/day in the first and the last month; coefficient of variation of the factor of each month
RAIN, RAIN_CV = (1.2, 0.45), 0.10
SPIN_UP = 200  # months at the initial rainfall
CELL = 20  # m
SLOW = 0.3
PLANTS = replace(
    PYVEG,
    c=PYVEG.c * SLOW,
    d=PYVEG.d * SLOW,
    beta=PYVEG.beta * SLOW,
    dif_p=PYVEG.dif_p * SLOW,
    cell=CELL,
    # scaled so that the pattern has the same wavelength in cells, and steps of a day remain stable
    dif_o=PYVEG.dif_o * (CELL / PYVEG.cell) ** 2,
)

# a corner of tile 31PDQ (south-west Niger), on its grid: 252 pixels of 10 m
TILE = Grid(460_800, 1_460_520, 10, 252, 252)
TILE_NAME, EPSG = "31PDQ", 32631
# share of the remaining bare ground that each g/m2 of plants covers
COVER = 0.12
# top-of-atmosphere reflectance of dense plants, bare laterite and opaque cloud
PLANT_SOIL_CLOUD = {
    "B1": (0.11, 0.16, 0.52),
    "B2": (0.08, 0.15, 0.54),
    "B3": (0.08, 0.18, 0.55),
    "B4": (0.05, 0.25, 0.56),
    "B5": (0.11, 0.28, 0.57),
    "B6": (0.27, 0.30, 0.58),
    "B7": (0.34, 0.32, 0.59),
    "B8": (0.37, 0.33, 0.60),
    "B8A": (0.39, 0.34, 0.60),
    "B9": (0.14, 0.12, 0.30),
    "B10": (0.002, 0.003, 0.05),
    "B11": (0.22, 0.44, 0.40),
    "B12": (0.12, 0.38, 0.35),
}
NOISE = 0.002  # standard deviation of the reflectance of a pixel
QUANTIFICATION = 10_000
# first day of baseline 04.00, which shifted stored DN by 1000
NEW_BASELINE, OFFSET = date(2022, 1, 25), -1000

# months, numbered from 0
MISSING = (16,)
TWO_PARTS = (12,)
TWO_PASSES = (5, 20, 23, 33)
# cloud cover, and the width of clouds in pixels of 60 m
CLOUDS = {3: (0.2, 5), 8: (0.78, 5), 14: (0.12, 4), 19: (0.3, 5), 20: (0.4, 5), 28: (0.25, 4), 30: (0.35, 1)}

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Overpass:
    """An overpass of the satellite, from which one product is simulated.

    Attributes
    ----------
    product : str
        Name of the product.
    month : int
        Month of the sample, from 0.
    time : datetime
        Sensing time, UTC.
    edge : tuple of float or None
        (a, b, c): pixels with a x + b y > c have no data; x and y from 0 to 1, from the upper-left corner.
    cloud : tuple of float
        Cloud cover of the product, width of clouds in pixels of 60 m; (0, 0) without clouds.
    """

    product: str
    month: int
    time: datetime
    edge: tuple[float, float, float] | None
    cloud: tuple[float, float]


def overpasses() -> list[Overpass]:
    """List the overpasses of the sample, by sensing time."""
    return [overpass for month in range(MONTHS) if month not in MISSING for overpass in _overpasses_of(month)]


def _overpasses_of(month: int) -> Iterator[Overpass]:
    day = 3 + month * 7 % 20
    cloud = CLOUDS.get(month, (0.0, 0.0))
    # every other month from the orbit whose swath ends in the upper-right corner
    orbit, edge = (("R065", (1.0, -1.0, 0.72)), ("R022", None))[month % 2]
    if month in TWO_PARTS:
        # the two parts of a datatake that two ground stations received; they overlap a little
        yield _overpass("S2A", month, day, "R022", (0.3, 1.0, 0.75), cloud, hour_of_processing=12)
        yield _overpass("S2A", month, day, "R022", (-0.3, -1.0, -0.65), cloud, hour_of_processing=13)
        return
    yield _overpass("S2A", month, day, orbit, edge, cloud)
    if month in TWO_PASSES:
        yield _overpass("S2B", month, day + 5, orbit, edge, cloud)


def _overpass(
    platform: str,
    month: int,
    day: int,
    orbit: str,
    edge: tuple[float, float, float] | None,
    cloud: tuple[float, float],
    hour_of_processing: int = 12,
) -> Overpass:
    first = month_start(month)
    time = datetime(first.year, first.month, day, 10, 20, 21, tzinfo=UTC)
    baseline = "0400" if time.date() >= NEW_BASELINE else "0300"
    processed = f"{time:%Y%m%d}T{hour_of_processing}0000"
    product = f"{platform}_MSIL1C_{time:%Y%m%dT%H%M%S}_N{baseline}_{orbit}_T{TILE_NAME}_{processed}"
    return Overpass(product, month, time, edge, cloud)


def month_start(month: int) -> date:
    """Return the first day of a month of the sample."""
    year, number = divmod(FIRST_MONTH[1] - 1 + month, 12)
    return date(FIRST_MONTH[0] + year, number + 1, 1)


def rainfall(seed: int = SEED) -> NDArray[np.float64]:
    """Return the rainfall of each month, mm/day: a linear decline times a gamma factor of mean 1."""
    return np.linspace(*RAIN, MONTHS) * _gamma(np.random.default_rng([seed, 1]), MONTHS)


def temperature(seed: int = SEED) -> NDArray[np.float64]:
    """Return the mean air temperature of each month, degrees Celsius."""
    months = np.arange(MONTHS) + FIRST_MONTH[1] - 1
    noise = np.random.default_rng([seed, 2]).normal(0, 0.6, MONTHS)
    return 29 + 4.5 * np.cos(2 * np.pi * (months - 4) / 12) + noise


def _gamma(random: np.random.Generator, size: int) -> NDArray[np.float64]:
    return random.gamma(1 / RAIN_CV**2, RAIN_CV**2, size)


def simulate_plants(days: Sequence[date], seed: int = SEED) -> Iterator[Image]:
    """Simulate the ecosystem, and yield its plants on each of the given days.

    Parameters
    ----------
    days : sequence of date
        In ascending order, within the months of the sample.
    seed : int

    Yields
    ------
    (126, 126) float64 array
        Biomass on cells of 20 m, g/m2.
    """
    rain = rainfall(seed)
    fields, today = _spin_up(seed), month_start(0)
    for day in days:
        while today < day:
            month = (today.year - FIRST_MONTH[0]) * 12 + today.month - FIRST_MONTH[1]
            until = min(day, month_start(month + 1))
            fields = _evolve(fields, rain[month], (until - today).days)
            today = until
        yield fields[0]


def _spin_up(seed: int) -> Fields:
    side = TILE.width * int(TILE.resolution) // CELL
    fields = start_states(random_pattern((side, side), seed), RAIN[0], PLANTS)
    for rain in RAIN[0] * _gamma(np.random.default_rng([seed, 3]), SPIN_UP):
        fields = _evolve(fields, rain, 30)
    return fields


def _evolve(fields: Fields, rain: float, days: int) -> Fields:
    plants, soil, surface = fields
    return evolve(plants, rain, days, parameters=PLANTS, soil_water=soil, surface_water=surface)


def fractional_cover(plants: Image) -> Image:
    """Return the fractional vegetation cover, on pixels of 10 m.

    f = 1 - exp(-0.12 P), with the biomass P (g/m2, cells of 20 m) interpolated linearly.
    """
    height, width = (side * CELL // 10 for side in plants.shape)
    fine = cv2.resize(plants, (width, height), interpolation=cv2.INTER_LINEAR)
    return 1 - np.exp(-COVER * fine)


def reflectance(band: str, cover: Image) -> Image:
    """Mix the reflectances of plants and soil in a band, on pixels of 10 m."""
    plant, soil, _ = PLANT_SOIL_CLOUD[band]
    return cover * plant + (1 - cover) * soil


def noise_free_ndvi(cover: Image) -> Image:
    """Return the NDVI that a sensor without noise would measure, on pixels of 10 m."""
    red, infrared = reflectance("B4", cover), reflectance("B8", cover)
    return (infrared - red) / (infrared + red)


def cloud_opacity(overpass: Overpass, seed: int = SEED) -> Image:
    """Return the opacity of the clouds of a product on pixels of 60 m, 0 where it is clear."""
    share, width = overpass.cloud
    shape = (TILE.height // 6, TILE.width // 6)
    if not share:
        return np.zeros(shape)
    random = np.random.default_rng([seed, 4, overpass.time.toordinal()])
    field = ndimage.gaussian_filter(random.standard_normal(shape), width, mode="wrap")
    edge = np.quantile(field, 1 - share)
    # holes are filled, since the cloud polygons of older baselines are written without holes
    cloudy = ndimage.binary_fill_holes(field > edge)
    return np.where(cloudy, 0.45 + 0.5 * np.clip((field - edge) / (field.max() - edge), 0, 1), 0)


def _scene(overpass: Overpass, cover: Image, seed: int) -> Scene:
    opacity = cloud_opacity(overpass, seed)
    random = np.random.default_rng([seed, 5, overpass.time.toordinal(), int(overpass.product[-6:])])
    new = overpass.time.date() >= NEW_BASELINE
    bands = {
        band: _stored_band(band, cover, opacity, overpass.edge, OFFSET if new else 0, random)
        for band in PLANT_SOIL_CLOUD
    }
    cloudy = opacity > 0
    return Scene(
        bands,
        x=TILE.x,
        y=TILE.y,
        epsg=EPSG,
        width=TILE.width,
        height=TILE.height,
        offsets=dict.fromkeys(BANDS, OFFSET) if new else None,
        quantification=QUANTIFICATION,
        cloud_percent=round(100 * float(cloudy.mean()), 4),
        classi=np.stack([cloudy, np.zeros_like(cloudy), np.zeros_like(cloudy)]).astype(np.uint8)
        if new
        else None,
        clouds=None if new else _cloud_polygons(cloudy),
    )


def _stored_band(
    band: str,
    cover: Image,
    opacity: Image,
    edge: tuple[float, float, float] | None,
    offset: int,
    random: np.random.Generator,
) -> NDArray[np.uint16]:
    """Return the stored DN of a band at its native resolution; 0 outside the swath."""
    factor = BANDS[band] // 10
    clouds = opacity.repeat(6, axis=0).repeat(6, axis=1)
    ground = (1 - clouds) * reflectance(band, cover) + clouds * PLANT_SOIL_CLOUD[band][2]
    height, width = (size // factor for size in ground.shape)
    observed = ground.reshape(height, factor, width, factor).mean(axis=(1, 3))
    observed += random.normal(0, NOISE, observed.shape)
    # 0 is no-data, so the darkest valid DN is 1
    dn = np.maximum(np.rint(observed * QUANTIFICATION) - offset, 1)
    if edge:
        dn[outside_swath(edge, observed.shape)] = 0
    return dn.astype(np.uint16)


def outside_swath(edge: tuple[float, float, float], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which pixels lie outside the swath, beyond the edge of an `Overpass`."""
    y, x = ((np.arange(size) + 0.5) / size for size in shape)
    return edge[0] * x + edge[1] * y[:, None] > edge[2]


def _cloud_polygons(cloudy: NDArray[np.bool_]) -> list[list[tuple[float, float]]]:
    """Return the outlines of clouds as open rings of coordinates in metres."""
    grid = Grid(TILE.x, TILE.y, 60, cloudy.shape[1], cloudy.shape[0])
    shapes = rasterio.features.shapes(cloudy.astype(np.uint8), mask=cloudy, transform=grid.transform)
    # GDAL returns closed rings, and the writer closes them itself
    return [polygon["coordinates"][0][:-1] for polygon, _ in shapes]


def simulate_products(folder: Path, seed: int = SEED) -> None:
    """Write the sample: a zip per product, `weather.csv`, and the simulated truth, `truth.npz`.

    Parameters
    ----------
    folder : Path
    seed : int
        The same seed gives the same pixels.

    Notes
    -----
    `truth.npz` holds, per product (`product`, in the order of `overpasses`): `biomass` (n, 126, 126) float32, g/m2 on
    cells of 20 m; `ndvi` (n, 252, 252) float32 without noise, clouds and edge; `cloud` (n, 42, 42) bool on pixels of
    60 m; `valid` (n, 252, 252) bool, within the swath; and per month `rainfall`, mm/day.
    """
    planned = overpasses()
    days = sorted({overpass.time.date() for overpass in planned})
    plants = dict(zip(days, simulate_plants(days, seed), strict=True))
    covers = {day: fractional_cover(biomass) for day, biomass in plants.items()}
    with (
        tempfile.TemporaryDirectory() as scratch,
        ThreadPoolExecutor() as threads,
        warnings.catch_warnings(),
    ):
        # raised for the arrays from which cloud polygons are drawn
        warnings.simplefilter("ignore", NotGeoreferencedWarning)

        def write(overpass: Overpass) -> None:
            scene = _scene(overpass, covers[overpass.time.date()], seed)
            safe = write_product(Path(scratch), overpass.product, scene)
            # whole, so that SNAP can read it, too
            copy_product(safe, folder / f"{overpass.product}.zip", None)

        list(threads.map(write, planned))
    write_bytes(folder / "weather.csv", _weather_csv(seed))
    truth = io.BytesIO()
    np.savez_compressed(
        truth,
        product=[overpass.product for overpass in planned],
        biomass=np.float32([plants[overpass.time.date()] for overpass in planned]),
        ndvi=np.float32([noise_free_ndvi(covers[overpass.time.date()]) for overpass in planned]),
        cloud=[cloud_opacity(overpass, seed) > 0 for overpass in planned],
        valid=[
            ~outside_swath(overpass.edge, (TILE.height, TILE.width))
            if overpass.edge
            else np.ones((TILE.height, TILE.width), bool)
            for overpass in planned
        ],
        rainfall=rainfall(seed),
    )
    write_bytes(folder / "truth.npz", truth.getvalue())


def _weather_csv(seed: int) -> bytes:
    """Return the rainfall sum and the mean temperature of each month as CSV."""
    lines = ["date,precipitation,temperature"]
    for month, (rain, celsius) in enumerate(zip(rainfall(seed), temperature(seed), strict=True)):
        first = month_start(month)
        days = (month_start(month + 1) - first).days
        lines.append(f"{first:%Y-%m},{rain * days:.3f},{celsius:.3f}")
    return ("\n".join(lines) + "\n").encode()
