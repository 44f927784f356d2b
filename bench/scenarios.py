"""Records of vegetation whose truth is known, as many at a time as wanted: what slows down, and what only looks so.

All are monthly, in standard deviations of the fluctuations of a constant site, with a season of 2 (two harmonics).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Random = np.random.Generator

MONTHS = 12
# steps of Euler's method in a month
FINE = 20


@dataclass(frozen=True)
class Records:
    """Records of one kind.

    Attributes
    ----------
    values : (b, n) float64 array
    n_obs : (n,) float64 array or None
    rain : (b, n) float64 array or None
    steps : (b, k) int array
        Indices of the first values after the steps of the mean, in order of time.
    """

    values: Array
    n_obs: Array | None = None
    rain: Array | None = None
    steps: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 0), int))


def autoregressive(
    phi: Array | float, deviation: Array | float, size: int, number: int, random: Random
) -> Array:
    """Draw AR(1) series, (size, number) float64, of courses of the coefficient and of the innovations' deviation."""
    phi, deviation = np.broadcast_to(phi, number), np.broadcast_to(deviation, number)
    series = random.standard_normal((number, size)) * deviation[:, None]
    series[0] /= np.sqrt(1 - phi[0] ** 2)
    for i in range(1, number):
        series[i] += phi[i] * series[i - 1]
    return series.T


def season(number: int, height: float = 2.0) -> Array:
    """Return a season whose peak is in September, (number,) float64."""
    angle = 2 * np.pi * (np.arange(number) - 8) / MONTHS
    return height * (np.cos(angle) + 0.4 * np.cos(2 * angle))


def rainy_season(number: int) -> Array:
    """Return five green months of a year that is bare otherwise, (number,) float64, at most 1."""
    month = np.arange(number) % MONTHS
    return np.where(month < 6, np.sin(np.pi * month / 6), 0.0)


def steady(size: int, number: int, random: Random, phi: float = 0.5) -> Array:
    """Draw a site that does not change."""
    return autoregressive(phi, np.sqrt(1 - phi**2), size, number, random) + season(number)


def constant(size: int, number: int, random: Random, phi: float = 0.5) -> Records:
    """Draw a site that does not change."""
    return Records(steady(size, number, random, phi))


def more_observations(
    size: int, number: int, random: Random, noise: float = 1.0, last: float = 6.0
) -> Records:
    """Draw a constant site with more and more satellites: noise of a variance of noise² / n_obs."""
    share = np.arange(number) / number
    n_obs = np.where(share < 0.3, 1.0, np.where(share < 0.6, last / 2, last))
    return Records(
        steady(size, number, random) + noise * random.standard_normal((size, number)) / np.sqrt(n_obs), n_obs
    )


def step(
    size: int, number: int, random: Random, height: float = -4.0, where: tuple[float, float] = (0.5, 0.85)
) -> Records:
    """Draw a constant site that burns, or is cleared, at a random time between two shares of the record."""
    place = random.integers(int(where[0] * number), int(where[1] * number) + 1, (size, 1))
    return Records(steady(size, number, random) + height * (np.arange(number) >= place), steps=place)


def two_steps(size: int, number: int, random: Random) -> Records:
    """Draw a constant site that burns in the first half of the record and is back in the second."""
    burnt = step(size, number, random, -3.0, (0.15, 0.4))
    place = random.integers(number // 2, int(0.85 * number), (size, 1))
    values = burnt.values + 3.0 * (np.arange(number) >= place)
    return Records(values, steps=np.hstack([burnt.steps, place]))


def varying_season(
    size: int, number: int, random: Random, variation: float = 0.35, height: float = 4.0
) -> Records:
    """Draw a constant site whose wet season has another strength each year, of a coefficient of variation."""
    strengths = np.maximum(1 + variation * random.standard_normal((size, number // MONTHS + 1)), 0)
    fluctuations = steady(size, number, random) - season(number)
    return Records(fluctuations + height * strengths[:, np.arange(number) // MONTHS] * rainy_season(number))


def changing_noise(
    size: int, number: int, random: Random, first: float = 0.6, last: float = 1.5, at: float | None = None
) -> Records:
    """Draw a constant site whose noise grows or falls: slowly, or at once at a share of the record."""
    share = np.linspace(0, 1, number)
    deviation = first + (last - first) * (share if at is None else share > at)
    return Records(autoregressive(0.5, deviation * np.sqrt(0.75), size, number, random) + season(number))


def curved(size: int, number: int, random: Random, height: float = 4.0) -> Records:
    """Draw a constant site on a trend that curves."""
    return Records(steady(size, number, random) - height * np.linspace(-1, 1, number) ** 2)


def heavy_tails(size: int, number: int, random: Random) -> Records:
    """Draw a constant site whose noise is of Student's t distribution with 3 degrees of freedom."""
    series = random.standard_t(3, (number, size)) / np.sqrt(3) * np.sqrt(0.75)
    for i in range(1, number):
        series[i] += 0.5 * series[i - 1]
    return Records(series.T + season(number))


def seasonal_noise(size: int, number: int, random: Random) -> Records:
    """Draw a constant site whose noise is five times greater in the wet season."""
    deviation = np.where(np.arange(number) % MONTHS < 5, 1.25, 0.25)
    return Records(autoregressive(0.5, deviation, size, number, random) + season(number))


def rain_of_growing_memory(size: int, number: int, random: Random, last: float = 0.7) -> Records:
    """Draw a constant site driven by rain whose own autocorrelation grows from 0."""
    memory = np.linspace(0, last, number)
    rain = autoregressive(memory, np.sqrt(1 - memory**2), size, number, random)
    values = rain + 0.5 * random.standard_normal((size, number))
    for i in range(1, number):
        values[:, i] += 0.5 * values[:, i - 1]
    return Records(values + season(number), rain=rain)


def slowing(
    size: int, number: int, random: Random, growth: float = 1.0, first: float = 0.3, last: float = 0.9
) -> Records:
    """Draw a site whose autocorrelation grows under constant noise, with a season that grows by a factor."""
    phi = np.linspace(first, last, number)
    return Records(
        autoregressive(phi, 1.0, size, number, random) + season(number) * np.linspace(1, growth, number)
    )


def grazing(
    size: int, number: int, random: Random, last: float = 2.6, multiplicative: bool = True
) -> Records:
    """Draw May's grazing model on its way to the fold at a grazing of 2.604 (May 1977, Nature 269, 471).

    dx = (x (1 - x / 10) - c x² / (1 + x²)) dt + noise, c from 1; with `last` 1 the model stays where it is.
    """
    state, dt = np.full(size, 8.9), 1 / FINE
    deviation = np.sqrt(dt) * (0.1 if multiplicative else 0.3)
    values = np.empty((size, number))
    for i in range(-5 * MONTHS, number):
        grazed = 1.0 + (last - 1.0) * max(i, 0) / (number - 1)
        for _ in range(FINE):
            noise = deviation * random.standard_normal(size) * (state if multiplicative else 1.0)
            state = np.maximum(
                state + dt * (state * (1 - state / 10) - grazed * state**2 / (1 + state**2)) + noise, 1e-3
            )
        if i >= 0:
            values[:, i] = state
    return Records(values)


def fold(size: int, number: int, random: Random, last: float = 0.0025, first: float = 0.36) -> Records:
    """Draw the normal form of a fold with red noise and a season, on its way to the fold at 0.

    dx = (distance - x² + noise + season) dt; the noise forgets at a rate of 1 per month.
    """
    state, red, dt = np.full(size, np.sqrt(first)), np.zeros(size), 1 / FINE
    values = np.empty((size, number))
    for i in range(-5 * MONTHS, number):
        distance = first + (last - first) * max(i, 0) / (number - 1)
        for j in range(FINE):
            forcing = 0.15 * first * np.cos(2 * np.pi * (i + j * dt) / MONTHS)
            red += -dt * red + 0.05 * np.sqrt(2 * dt) * random.standard_normal(size)
            state = np.clip(state + dt * (distance - state**2 + red + forcing), -1.0, 3.0)
        if i >= 0:
            values[:, i] = state
    return Records(values)


def with_gaps(records: Records, random: Random, share: float = 0.2) -> Records:
    """Take dates away, the same of all records; NaN stands for them."""
    values = records.values.copy()
    number = values.shape[1]
    values[:, random.choice(np.arange(1, number - 1), int(share * number), replace=False)] = np.nan
    return replace(records, values=values)


def anomalies(values: Array) -> Array:
    """Return what differs from the mean of the same months, (n,) float64, of one record without gaps, (n,) float64."""
    month = np.arange(len(values)) % MONTHS
    return values - (np.bincount(month, values) / np.bincount(month))[month]


Draw = Callable[..., Records]
# what does not slow down
CALM: dict[str, tuple[Draw, dict]] = {
    "constant, AR(1) 0.0": (constant, {"phi": 0.0}),
    "constant, AR(1) 0.3": (constant, {"phi": 0.3}),
    "constant, AR(1) 0.5": (constant, {"phi": 0.5}),
    "constant, AR(1) 0.7": (constant, {"phi": 0.7}),
    "constant, AR(1) 0.9": (constant, {"phi": 0.9}),
    "observations 1 to 6": (more_observations, {}),
    "observations 1 to 12, noisier": (more_observations, {"noise": 1.5, "last": 12.0}),
    "step of -4 at 50-85 %": (step, {}),
    "step of -2 at 50-85 %": (step, {"height": -2.0}),
    "step of +4 at 50-85 %": (step, {"height": 4.0}),
    "step of -4 at 15-50 %": (step, {"where": (0.15, 0.5)}),
    "step of -8 at 50-85 %": (step, {"height": -8.0}),
    "two steps of 3": (two_steps, {}),
    "wet seasons, CV 0.35": (varying_season, {}),
    "wet seasons, CV 0.35, strong": (varying_season, {"height": 10.0}),
    "wet seasons, CV 0.7": (varying_season, {"variation": 0.7}),
    "season doubles": (slowing, {"growth": 2.0, "last": 0.3}),
    "noise 0.6 to 1.5": (changing_noise, {}),
    "noise 0.5 to 2": (changing_noise, {"first": 0.5, "last": 2.0}),
    "noise 1.5 to 0.6": (changing_noise, {"first": 1.5, "last": 0.6}),
    "noise 0.6 to 1.5 at once": (changing_noise, {"at": 0.6}),
    "rain's memory 0 to 0.7": (rain_of_growing_memory, {}),
    "trend that curves": (curved, {}),
    "heavy tails": (heavy_tails, {}),
    "noise of the wet season": (seasonal_noise, {}),
    "May, constant": (grazing, {"last": 1.0}),
    "fold, constant": (fold, {"last": 0.36}),
}
# what slows down, and the same without
SLOWING: dict[str, tuple[Draw, dict, str]] = {
    "AR(1) 0.3 to 0.9": (slowing, {}, "constant, AR(1) 0.3"),
    "AR(1) 0.3 to 0.9, season doubles": (slowing, {"growth": 2.0}, "season doubles"),
    "May to its fold": (grazing, {}, "May, constant"),
    "fold": (fold, {}, "fold, constant"),
}


def record_of(name: str, number: int, seed: int, gaps: float = 0.0) -> Records:
    """Draw one record of a scenario; the same name, length and seed give the same record."""
    draw, options = (CALM | SLOWING)[name][:2]
    random = np.random.default_rng([number, seed, *name.encode()])
    record = draw(1, number, random, **options)
    return with_gaps(record, random, gaps) if gaps else record
