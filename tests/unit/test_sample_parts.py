"""The parts of the simulation of the sample against their numerical description; no product is written."""

import io
from datetime import UTC, date, datetime
from itertools import pairwise

import cv2
import numpy as np
import pytest
from scipy import ndimage

from tigerbush.grid import Grid
from tigerbush.pattern import Parameters, evolve
from tigerbush.sample import simulate as sample
from tigerbush.sample.simulate import Overpass

PLANTS = Parameters(c=3.0, d=0.03, beta=0.09, dif_p=0.03, cell=20, dif_o=100 * (20 / 21) ** 2)
NO_CLOUD = (0.0, 0.0)
SWATH = (1.0, -1.0, 0.72)


def planned_products():
    """Month, platform, day, orbit, edge and time of processing of every product, by month."""
    products = []
    for month in range(39):
        if month == 16:
            continue
        day = 3 + month * 7 % 20
        if month == 12:
            products += [
                (month, "S2A", day, "022", (0.3, 1.0, 0.75), "120000"),
                (month, "S2A", day, "022", (-0.3, -1.0, -0.65), "130000"),
            ]
            continue
        orbit, edge = ("022", None) if month % 2 else ("065", SWATH)
        products.append((month, "S2A", day, orbit, edge, "120000"))
        if month in (5, 20, 23, 33):
            products.append((month, "S2B", day + 5, orbit, edge, "120000"))
    return products


def test_the_overpasses():
    clouds = {
        3: (0.2, 5),
        8: (0.78, 5),
        14: (0.12, 4),
        19: (0.3, 5),
        20: (0.4, 5),
        28: (0.25, 4),
        30: (0.35, 1),
    }
    expected = []
    for month, platform, day, orbit, edge, processed in planned_products():
        year, number = 2020 + month // 12, month % 12 + 1
        time = datetime(year, number, day, 10, 20, 21, tzinfo=UTC)
        baseline = "0400" if (year, number, day) >= (2022, 1, 25) else "0300"
        stamp = f"{year}{number:02}{day:02}"
        name = f"{platform}_MSIL1C_{stamp}T102021_N{baseline}_R{orbit}_T31PDQ_{stamp}T{processed}"
        expected.append(Overpass(name, month, time, edge, clouds.get(month, NO_CLOUD)))
    assert sample.overpasses() == expected
    # the last products before the new baseline, and the first after it
    baselines = {item.month: item.product[28:32] for item in expected if item.month in (23, 24, 25)}
    assert baselines == {23: "0300", 24: "0300", 25: "0400"}


def test_the_first_days_of_months():
    starts = [sample.month_start(month) for month in (0, 1, 11, 12, 23, 38, 39)]
    days = ["2020-01-01", "2020-02-01", "2020-12-01", "2021-01-01", "2021-12-01", "2023-03-01", "2023-04-01"]
    assert starts == [date.fromisoformat(day) for day in days]


def test_the_tile_is_a_corner_of_31pdq():
    assert Grid(460_800, 1_460_520, 10, 252, 252) == sample.TILE
    assert (sample.EPSG, sample.CELL, sample.QUANTIFICATION, sample.SEED) == (32631, 20, 10_000, 20200101)
    assert sample.PLANTS == PLANTS
    assert sample.fractional_cover(np.zeros((126, 126))).shape == (252, 252)


@pytest.mark.parametrize("seed", [20200101, 3])
def test_rainfall_declines_linearly_times_a_gamma_factor(seed):
    """CV of 0.1 and mean of 1: shape 100, scale 0.01."""
    factor = np.random.default_rng([seed, 1]).gamma(100, 0.01, 39)
    line = np.array([1.2 + (0.45 - 1.2) * month / 38 for month in range(39)])
    np.testing.assert_allclose(sample.rainfall(seed), line * factor, rtol=1e-12)


@pytest.mark.parametrize("seed", [20200101, 3])
def test_it_is_warmest_in_may(seed):
    noise = np.random.default_rng([seed, 2]).normal(0, 0.6, 39)
    season = [29 + 4.5 * np.cos(2 * np.pi * (month - 4) / 12) for month in range(39)]
    np.testing.assert_allclose(sample.temperature(seed), season + noise, rtol=1e-12)


def test_the_default_seed():
    np.testing.assert_array_equal(sample.rainfall(), sample.rainfall(20200101))
    np.testing.assert_array_equal(sample.temperature(), sample.temperature(20200101))


def test_plants_grow_under_the_rain_of_each_month(monkeypatch):
    """After a spin-up of two months, to days within months and across their ends."""
    monkeypatch.setattr(sample, "SPIN_UP", 2)
    days = [date(2020, 1, 1), date(2020, 1, 13), date(2020, 2, 2), date(2020, 4, 3)]
    simulated = list(sample.simulate_plants(days, seed=5))
    start = np.random.default_rng(5).random((126, 126)) >= 0.9
    # equilibrium on bare ground: R / rw and R / (alpha w0)
    fields = start * 90.0, np.full(start.shape, 1.2 / 0.1), np.full(start.shape, 1.2 / (0.1 * 0.15))
    rain = sample.rainfall(5)
    spin_up = 1.2 * np.random.default_rng([5, 3]).gamma(100, 0.01, 2)
    # None: a day on which plants are returned
    spells = [
        (spin_up[0], 30),
        (spin_up[1], 30),
        None,
        (rain[0], 12),
        None,
        (rain[0], 19),
        (rain[1], 1),
        None,
    ]
    spells += [(rain[1], 28), (rain[2], 31), (rain[3], 2), None]
    expected = []
    for spell in spells:
        if spell is None:
            expected.append(fields[0])
            continue
        amount, steps = spell
        fields = evolve(fields[0], amount, steps, 1.0, PLANTS, fields[1], fields[2])
    assert len(simulated) == len(expected) == 4
    for plants, expected_plants in zip(simulated, expected, strict=True):
        np.testing.assert_allclose(plants, expected_plants, rtol=1e-9, atol=1e-12)


def test_spin_up_and_period():
    assert (sample.SPIN_UP, sample.MONTHS, sample.FIRST_MONTH) == (200, 39, (2020, 1))
    assert sample.month_start(0) == date(2020, 1, 1)


def test_cover_reflectance_and_ndvi():
    plants = np.random.default_rng(0).exponential(8, (126, 126))
    fine = cv2.resize(plants, (252, 252), interpolation=cv2.INTER_LINEAR)
    cover = sample.fractional_cover(plants)
    np.testing.assert_allclose(cover, 1 - np.exp(-0.12 * fine), rtol=1e-12)
    red, infrared = 0.05 * cover + 0.25 * (1 - cover), 0.37 * cover + 0.33 * (1 - cover)
    np.testing.assert_allclose(sample.reflectance("B4", cover), red, rtol=1e-12)
    np.testing.assert_allclose(sample.reflectance("B8", cover), infrared, rtol=1e-12)
    np.testing.assert_allclose(sample.noise_free_ndvi(cover), (infrared - red) / (infrared + red), rtol=1e-12)


def test_reflectances_of_all_bands():
    table = """
        B1 0.11 0.16 0.52; B2 0.08 0.15 0.54; B3 0.08 0.18 0.55; B4 0.05 0.25 0.56; B5 0.11 0.28 0.57
        B6 0.27 0.30 0.58; B7 0.34 0.32 0.59; B8 0.37 0.33 0.60; B8A 0.39 0.34 0.60; B9 0.14 0.12 0.30
        B10 0.002 0.003 0.05; B11 0.22 0.44 0.40; B12 0.12 0.38 0.35
    """
    rows = [row.split() for row in table.replace("\n", ";").split(";") if row.strip()]
    assert {band: tuple(map(float, values)) for band, *values in rows} == sample.PLANT_SOIL_CLOUD
    assert list(sample.PLANT_SOIL_CLOUD) == [row[0] for row in rows]
    for band, plant, soil, _ in rows:
        unmixed = sample.reflectance(band, np.array([[1.0, 0.0]]))
        assert unmixed.tolist() == [[float(plant), float(soil)]]


def overpass(cloud=NO_CLOUD, edge=None, day=4, month=28, processed="120000"):
    time = datetime(2022, 5, day, 10, 20, 21, tzinfo=UTC)
    product = f"S2A_MSIL1C_202205{day:02}T102021_N0400_R022_T31PDQ_202205{day:02}T{processed}"
    return Overpass(product, month, time, edge, cloud)


@pytest.mark.parametrize("cloud", [(0.25, 4), (0.35, 1)])
def test_clouds_are_the_highest_values_of_a_smooth_field_without_holes(cloud):
    cloudy = overpass(cloud)
    share, width = cloud
    field = np.random.default_rng([9, 4, cloudy.time.toordinal()]).standard_normal((42, 42))
    field = ndimage.gaussian_filter(field, width, mode="wrap")
    edge = np.quantile(field, 1 - share)
    labels, _ = ndimage.label(field <= edge)
    rim = set(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    clear = np.isin(labels, list(rim - {0}))
    opacity = np.where(clear, 0, np.maximum(0.45, 0.45 + 0.5 * (field - edge) / (field.max() - edge)))
    np.testing.assert_allclose(sample.cloud_opacity(cloudy, 9), opacity, rtol=1e-12)
    assert opacity.max() == pytest.approx(0.95)
    assert share <= (opacity > 0).mean() < share + 0.15


def test_a_clear_overpass():
    np.testing.assert_array_equal(sample.cloud_opacity(overpass(), 9), np.zeros((42, 42)))


@pytest.mark.parametrize("edge", [SWATH, (0.3, 1.0, 0.75), (-0.3, -1.0, -0.65)])
@pytest.mark.parametrize("shape", [(6, 9), (42, 42)])
def test_pixels_outside_the_swath_by_their_centres(edge, shape):
    a, b, c = edge
    height, width = shape
    expected = [
        [a * (column + 0.5) / width + b * (row + 0.5) / height > c for column in range(width)]
        for row in range(height)
    ]
    np.testing.assert_array_equal(sample.outside_swath(edge, shape), expected)
    assert 0 < np.sum(expected) < height * width


@pytest.mark.parametrize(("band", "factor"), [("B4", 1), ("B11", 2), ("B9", 6)])
@pytest.mark.parametrize("offset", [0, -1000])
def test_stored_dn_of_a_band(band, factor, offset):
    """Clouds over the ground, the mean of each pixel, noise of 0.002, DN minus the offset, 0 outside the swath."""
    plant, soil, cloudy = sample.PLANT_SOIL_CLOUD[band]
    cover = np.random.default_rng(1).random((252, 252))
    opacity = sample.cloud_opacity(overpass((0.3, 5)), 9)
    stored = sample._stored_band(band, cover, opacity, SWATH, offset, np.random.default_rng(2))
    clouds = np.kron(opacity, np.ones((6, 6)))
    ground = (cover * plant + (1 - cover) * soil) * (1 - clouds) + cloudy * clouds
    side = 252 // factor
    mean = cv2.resize(ground, (side, side), interpolation=cv2.INTER_AREA)
    observed = mean + np.random.default_rng(2).normal(0, 0.002, (side, side))
    dn = np.rint(observed * 10_000) - offset
    dn[sample.outside_swath(SWATH, (side, side))] = 0
    # sums in another order may round to the other side of a half
    assert np.abs(stored.astype(int) - dn).max() <= 1 and (stored != dn).mean() < 1e-4
    assert stored.dtype == np.uint16


def test_the_darkest_ground_is_not_no_data():
    dark = np.full((252, 252), -0.5)
    stored = sample._stored_band("B12", dark, np.zeros((42, 42)), None, 0, np.random.default_rng(2))
    assert stored.min() >= 1
    # so much cover makes reflectance negative everywhere
    stored = sample._stored_band(
        "B10", np.full((252, 252), 40.0), np.zeros((42, 42)), None, 0, np.random.default_rng(2)
    )
    assert (stored == 1).all()


@pytest.mark.parametrize("old", [True, False])
def test_scenes_of_either_baseline(old):
    cloudy_pass = overpass((0.25, 4))
    if old:
        time = datetime(2022, 1, 24, 10, 20, 21, tzinfo=UTC)
        cloudy_pass = Overpass(cloudy_pass.product, 24, time, None, (0.25, 4))
    cover = np.full((252, 252), 0.4)
    scene = sample._scene(cloudy_pass, cover, 9)
    cloudy = sample.cloud_opacity(cloudy_pass, 9) > 0
    assert (scene.x, scene.y, scene.epsg, scene.width, scene.height) == (460_800, 1_460_520, 32631, 252, 252)
    assert scene.quantification == 10_000
    assert scene.cloud_percent == round(100 * cloudy.sum() / 42**2, 4)
    assert list(scene.bands) == list(sample.PLANT_SOIL_CLOUD)
    clear = ~np.kron(cloudy, np.ones((6, 6), bool))
    # 0.4 * 0.05 + 0.6 * 0.25, plus 1000 from the new baseline on; noise averages out over thousands of pixels
    assert scene.bands["B4"][clear].mean() == pytest.approx(1700 + (0 if old else 1000), abs=1)
    if old:
        assert scene.offsets is None and scene.classi is None
        assert sum(polygon_area(ring) for ring in scene.clouds) == cloudy.sum() * 3600
    else:
        assert set(scene.offsets.values()) == {-1000} and len(scene.offsets) == 13
        np.testing.assert_array_equal(scene.classi, np.stack([cloudy, 0 * cloudy, 0 * cloudy]))
        assert scene.clouds is None and scene.classi.dtype == np.uint8


def polygon_area(ring):
    """Square metres by the corners' coordinates."""
    assert ring[0] != ring[-1]
    corners = [*ring, ring[0]]
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(corners))) / 2


def test_each_product_has_its_own_noise():
    cover = np.full((252, 252), 0.4)
    scenes = [
        sample._scene(item, cover, 9).bands["B4"]
        for item in (overpass(), overpass(processed="130000"), overpass(day=5))
    ]
    again = sample._scene(overpass(), cover, 9).bands["B4"]
    np.testing.assert_array_equal(scenes[0], again)
    for i in range(3):
        assert (scenes[i] != scenes[(i + 1) % 3]).mean() > 0.9
    assert (sample._scene(overpass(), cover, 10).bands["B4"] != again).mean() > 0.9


def test_cloud_polygons_are_open_rings_in_metres():
    cloudy = np.zeros((42, 42), bool)
    cloudy[3:5, 7:10] = True
    (ring,) = sample._cloud_polygons(cloudy)
    xs, ys = zip(*ring, strict=True)
    assert len(ring) == 4
    assert (min(xs), max(xs)) == (460_800 + 7 * 60, 460_800 + 10 * 60)
    assert (max(ys), min(ys)) == (1_460_520 - 3 * 60, 1_460_520 - 5 * 60)
    assert sample._cloud_polygons(np.zeros((42, 42), bool)) == []


def test_the_monthly_weather():
    lines = io.StringIO(sample._weather_csv(7).decode()).read().splitlines()
    rain, warm = sample.rainfall(7), sample.temperature(7)
    days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, *([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] * 2), 31, 28, 31]  # fmt: skip
    months = [f"{2020 + month // 12}-{month % 12 + 1:02}" for month in range(39)]
    assert lines == [
        "date,precipitation,temperature",
        *(f"{name},{r * n:.3f},{w:.3f}" for name, r, n, w in zip(months, rain, days, warm, strict=True)),
    ]
    assert sample._weather_csv(7).endswith(b"\n")
