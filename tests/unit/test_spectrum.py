"""Wavelengths: none in random fields whose spectrum only falls, those of patterns in noise of any colour."""

import numpy as np
import pytest
from scipy import stats

from tigerbush.spectrum import dominant_wave, rises

SHAPE = (60, 72)


def random_field(random, transfer, shape=SHAPE):
    """A part of a periodic field twice as large, whose waves have amplitudes by frequency."""
    whole = [2 * size for size in shape]
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, whole), indexing="ij"))
    frequency[0, 0] = np.inf
    waves = np.fft.fft2(random.standard_normal(whole)) * transfer(frequency)
    return np.real(np.fft.ifft2(waves))[: shape[0], : shape[1]]


ROWS, COLUMNS = np.mgrid[: SHAPE[0], : SHAPE[1]] / max(SHAPE)
FIELDS = {
    "white": lambda random: random.standard_normal(SHAPE),
    "exponential covariance": lambda random: random_field(random, lambda f: (1 + (2 * np.pi * f * 3) ** 2) ** -0.75),
    "smooth": lambda random: random_field(random, lambda f: np.exp(-((2 * np.pi * f * 2) ** 2) / 2)),
    "fractal": lambda random: random_field(random, lambda f: f**-1.2),
    "gradient": lambda random: random.standard_normal(SHAPE) + 30 * ROWS + 9 * COLUMNS**2,
    "hill": lambda random: random.standard_normal(SHAPE) + 4 * np.exp(-9 * ((ROWS - 0.4) ** 2 + (COLUMNS - 0.5) ** 2)),
}  # fmt: skip


@pytest.mark.parametrize("kind", FIELDS)
def test_random_fields_have_no_wavelength(kind):
    """At most 5 %: of 200 fields more than 18 would be a matter of less than one in 100."""
    random = np.random.default_rng(3)
    found = sum(dominant_wave(FIELDS[kind](random), 10.0)["wavelength"] is not None for _ in range(200))
    assert found <= stats.binom.ppf(0.99, 200, 0.05)


def test_one_field_in_twenty_that_is_flat_may_rise_somewhere():
    """The bound is of all rings together, and not so wide that it never strikes; the ratio of 2 keeps most of the rest."""
    random = np.random.default_rng(8)
    assert 1 <= sum(rises(random.standard_normal((40, 40))).any() for _ in range(300)) <= 24


def bands(wavelength, angle, random):
    along = np.mgrid[: SHAPE[0], : SHAPE[1]]
    along = along[1] * np.sin(angle) - along[0] * np.cos(angle)
    return np.cos(2 * np.pi * along / wavelength + random.uniform(0, 6))


@pytest.mark.parametrize("share", [0.1, 0.15, 0.2, 0.25, 0.3])
def test_bands_are_found_up_to_a_third_of_the_site(share):
    random = np.random.default_rng(5)
    for angle in np.radians([0, 20, 75, 100, 160]):
        field = bands(share * 60, angle, random) + 0.5 * random.standard_normal(SHAPE)
        wave = dominant_wave(field, 10.0)
        assert wave["wavelength"] == pytest.approx(600 * share, rel=0.15)
        assert np.cos(2 * (np.radians(wave["direction"]) - angle)) > 0.97


def test_bands_of_half_the_site_are_found_in_many_directions():
    random = np.random.default_rng(6)
    waves = [
        dominant_wave(bands(30, angle, random) + 0.3 * random.standard_normal(SHAPE), 10.0)["wavelength"]
        for angle in np.linspace(0, np.pi, 20)
    ]
    assert sum(wave is not None for wave in waves) >= 8
    assert all(220 < wave < 420 for wave in waves if wave)


def test_a_pattern_on_red_ground_is_found():
    """The longest waves of the ground have more power than those of the pattern."""
    random = np.random.default_rng(7)
    for _ in range(5):
        ground = random_field(random, lambda f: (1 + (2 * np.pi * f * 15) ** 2) ** -0.75)
        pattern = random_field(random, lambda f: np.exp(-(((f - 0.17) / 0.03) ** 2)))
        field = ground / ground.std() + pattern / pattern.std() + 0.1 * random.standard_normal(SHAPE)
        assert dominant_wave(field, 10.0)["wavelength"] == pytest.approx(10 / 0.17, rel=0.12)


def test_masked_pixels_make_no_wavelength():
    random = np.random.default_rng(9)
    field = random_field(random, lambda f: (1 + (2 * np.pi * f * 3) ** 2) ** -0.75)
    field[10:20, 30:60] = field[40:, :9] = np.nan
    assert dominant_wave(field, 10.0) == {"wavelength": None, "direction": None, "anisotropy": None}
    field += 5 * bands(7, 0.4, random)
    assert dominant_wave(field, 10.0)["wavelength"] == pytest.approx(70, rel=0.05)
