"""The pattern model against plain loops, its own symmetries, and pyveg's result."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tigerbush.pattern import PYVEG, RIETKERK_2002, Parameters, evolve, random_pattern, start_states

# diffusion only: no rain, no uptake, no infiltration, no losses
FLOW = Parameters(gmax=0, alpha=0, d=0, beta=0, rw=0, dif_p=90.0, dif_w=40.0, dif_o=110.0)
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))
RAIN = st.floats(0, 5)


def fields(greatest=200.0):
    values = st.floats(0, greatest)
    return SHAPES.flatmap(lambda shape: st.tuples(*[arrays(np.float64, shape, elements=values)] * 3))


def patterns():
    return SHAPES.flatmap(lambda shape: arrays(np.bool_, shape)).filter(np.any)


def plain(states, rainfall, dt, p):
    """The published equations, cell by cell, without clipping."""
    plants, soil, surface = (field.tolist() for field in states)
    height, width = len(plants), len(plants[0])

    def spread(field, dif, y, x):
        around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        neighbours = [field[j][i] for j, i in around if 0 <= j < height and 0 <= i < width]
        return dif * sum(value - field[y][x] for value in neighbours) / p.cell**2

    for rain in rainfall:
        new = [[[0.0] * width for _ in range(height)] for _ in range(3)]
        for y in range(height):
            for x in range(width):
                P, W, Q = plants[y][x], soil[y][x], surface[y][x]  # noqa: N806
                uptake = p.gmax * W / (W + p.k1) * P
                infiltration = p.alpha * Q * (P + p.k2 * p.w0) / (P + p.k2)
                change = (
                    p.c * uptake - (p.d + p.beta) * P + spread(plants, p.dif_p, y, x),
                    infiltration - uptake - p.rw * W + spread(soil, p.dif_w, y, x),
                    rain - infiltration + spread(surface, p.dif_o, y, x),
                )
                for field, value, rate in zip(new, (P, W, Q), change, strict=True):
                    field[y][x] = value + dt * rate
        plants, soil, surface = new
    return np.array([plants, soil, surface])


# --- pyveg ---


@pytest.mark.data
def test_defaults_are_pyvegs(shared_data):
    config = json.loads((shared_data / "pyveg" / "pattern" / "patternGenConfig.json").read_text())
    names = {
        "DeltaX": "cell",
        "DeltaY": "cell",
        "DifP": "dif_p",
        "DifW": "dif_w",
        "DifO": "dif_o",
        "W0": "w0",
    }
    for name, value in config.items():
        # rainfall and size of a run
        if name not in ("R", "m"):
            assert getattr(PYVEG, names.get(name, name)) == value


@pytest.mark.data
def test_result_is_pyvegs(shared_data):
    folder = shared_data / "pyveg" / "pattern"
    start = np.loadtxt(folder / "binary_labyrinths_50.csv", delimiter=",")
    expected = np.loadtxt(folder / "PG-1mm-100iterations.csv", delimiter=",")
    plants, soil, surface = start_states(start, 1.0)
    evolved, *_ = evolve(plants, 1.0, 100, soil_water=soil, surface_water=surface)
    # half a unit of the last of 6 decimals in the file
    np.testing.assert_allclose(evolved, expected, rtol=0, atol=5.001e-7)
    np.testing.assert_array_equal(evolved, evolve(plants, 1.0, 100)[0])


def test_parameters_of_pyveg():
    assert dataclasses.asdict(Parameters()) == dataclasses.asdict(PYVEG) == {
        "c": 10.0, "gmax": 0.05, "k1": 3.0, "d": 0.1, "beta": 0.3, "alpha": 0.1, "k2": 5.0, "w0": 0.15, "rw": 0.1,
        "dif_p": 0.1, "dif_w": 0.1, "dif_o": 100.0, "cell": 21.0, "vmass": 90.0, "frac": 0.9, "v": 0.0,
    }  # fmt: skip


def test_published_values():
    changed = {"k1": 5, "d": 0.25, "beta": 0, "alpha": 0.2, "w0": 0.2, "rw": 0.2, "cell": 2}
    assert dataclasses.asdict(RIETKERK_2002) == dataclasses.asdict(PYVEG) | changed
    plants = evolve(random_pattern((8, 8), 1) * 50.0, 1.0, 50, dt=0.009, parameters=RIETKERK_2002)[0]
    assert np.isfinite(plants).all()


# --- the equations ---


@given(patterns(), st.lists(st.floats(0, 1.5), min_size=1, max_size=25))
@settings(max_examples=40, deadline=None)
def test_runs_from_start_states_equal_plain_loops_that_do_not_clip(pattern, rainfall):
    states = start_states(pattern, rainfall[0])
    evolved = evolve(states[0], rainfall, len(rainfall))
    expected = plain(states, rainfall, 1.0, PYVEG)
    assert (expected >= 0).all()
    np.testing.assert_allclose(evolved, expected, rtol=1e-9, atol=1e-9)


@given(fields(20.0), RAIN, st.floats(0.01, 0.5))
@settings(max_examples=40, deadline=None)
def test_short_steps_from_any_state_equal_plain_loops(states, rain, dt):
    evolved = evolve(states[0], rain, 8, dt, PYVEG, *states[1:])
    np.testing.assert_allclose(evolved, plain(states, [rain] * 8, dt, PYVEG), rtol=1e-9, atol=1e-9)


@given(fields(1e4), st.lists(RAIN, max_size=20), st.floats(0.01, 1.1))
@settings(deadline=None)
def test_nothing_becomes_negative(states, rainfall, dt):
    evolved = evolve(states[0], rainfall, len(rainfall), dt, PYVEG, *states[1:])
    assert all((field >= 0).all() and np.isfinite(field).all() for field in evolved)


def test_heavy_rain_that_stops_suddenly_clips():
    rain = [4.0] + [0.0] * 18
    states = start_states([[1]], 4.0)
    assert plain(states, rain, 1.0, PYVEG).min() < 0
    assert min(field.min() for field in evolve(states[0], rain, 19)) >= 0


def test_clipping_where_plants_take_up_more_water_than_there_is():
    assert plain(([[90.0]] * np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1))), [0.0], 1.0, PYVEG)[1] < 0
    assert evolve([[90.0]], 0.0, 1, soil_water=1.0, surface_water=0.0)[1] == 0


@given(fields(), st.integers(0, 30))
@settings(deadline=None)
def test_diffusion_alone_conserves_sums_and_ranges(states, steps):
    evolved = evolve(states[0], 0.0, steps, 1.0, FLOW, *states[1:])
    for before, after in zip(states, evolved, strict=True):
        assert after.sum() == pytest.approx(before.sum(), rel=1e-12, abs=1e-300)
        slack = 1e-12 * before.max()
        assert before.min() - slack <= after.min() <= after.max() <= before.max() + slack


@given(fields(20.0), RAIN)
@settings(deadline=None)
def test_water_is_conserved_but_for_rain_and_losses(states, rain):
    closed = dataclasses.replace(PYVEG, d=0, beta=0, rw=0)
    plants, soil, surface = evolve(states[0], rain, 10, 0.5, closed, *states[1:])

    def water(plants, soil, surface):
        return plants.sum() / closed.c + soil.sum() + surface.sum()

    expected = water(*states) + 10 * 0.5 * rain * plants.size
    assert water(plants, soil, surface) == pytest.approx(expected, rel=1e-11, abs=1e-9)


@given(st.tuples(*[st.floats(0, 50)] * 3), RAIN, SHAPES)
@settings(deadline=None)
def test_uniform_states_follow_the_equations_without_space(values, rain, shape):
    evolved = evolve(np.full(shape, values[0]), rain, 20, 0.5, PYVEG, *values[1:])
    expected = plain([np.array([[value]]) for value in values], [rain] * 20, 0.5, PYVEG)
    for field, value in zip(evolved, expected.ravel(), strict=True):
        assert field.shape == shape
        assert (field == field[0, 0]).all()
        np.testing.assert_allclose(field, max(value, 0), rtol=1e-9, atol=1e-9)


@given(fields(), RAIN)
@settings(deadline=None)
def test_rotated_and_mirrored_starts_give_the_same_bits(states, rain):
    evolved = evolve(states[0], rain, 12, 1.0, PYVEG, *states[1:])
    for turn in (np.flipud, np.fliplr, np.transpose, np.rot90):
        plants, *water = (turn(field) for field in states)
        for field, expected in zip(evolve(plants, rain, 12, 1.0, PYVEG, *water), evolved, strict=True):
            np.testing.assert_array_equal(field, turn(expected))


def test_one_warm_cell_by_hand():
    plants = evolve([[0, 441.0, 0]], 0, 1, parameters=FLOW, soil_water=0, surface_water=0)[0]
    assert plants.ravel() == pytest.approx([90, 261, 90], rel=1e-15)


@given(patterns(), st.lists(RAIN, min_size=1, max_size=12))
@settings(deadline=None)
def test_a_series_equals_single_steps(pattern, rainfall):
    states = start_states(pattern, rainfall[0])
    evolved = evolve(states[0], rainfall, len(rainfall))
    for rain in rainfall:
        states = evolve(states[0], rain, 1, soil_water=states[1], surface_water=states[2])
    np.testing.assert_array_equal(evolved, states)


def test_scalar_equals_repeated_rainfall():
    start = random_pattern((10, 12), 3) * 90.0
    np.testing.assert_array_equal(evolve(start, 0.8, 30), evolve(start, np.full(30, 0.8), 30))


def test_inputs_stay_and_results_are_separate():
    start = np.arange(12, dtype=np.int32).reshape(3, 4)
    soil, surface = np.ones((3, 4)), np.ones((3, 4))
    evolved = evolve(start, [1.0, 0.5], 2, soil_water=soil, surface_water=surface)
    assert start.tolist() == np.arange(12).reshape(3, 4).tolist()
    assert (soil == 1).all()
    assert (surface == 1).all()
    for field in evolved:
        assert field.dtype == np.float64
        assert field.base is None
    unchanged = evolve(start, 1.0, 0)[0]
    np.testing.assert_array_equal(unchanged, start)


def test_less_rain_gives_less_biomass():
    start = random_pattern((40, 40), 0) * 90.0
    masses = [evolve(start, rain, 1500)[0].mean() for rain in (0.2, 0.6, 0.9, 1.2)]
    assert masses[0] < 0.01
    assert masses == sorted(masses)
    assert masses[3] > 5


# --- starts ---


def test_start_states_by_hand():
    plants, soil, surface = start_states([[0, 255], [51, 0]], 1.2)
    assert plants.tolist() == [[0, 90], [18, 0]]
    np.testing.assert_allclose(soil, np.full((2, 2), 12.0), rtol=1e-15)
    np.testing.assert_allclose(surface, np.full((2, 2), 80.0), rtol=1e-15)


def test_initial_water_is_in_equilibrium_on_bare_ground():
    _, soil, surface = start_states(np.eye(4), 0.7)
    bare = evolve(np.zeros((4, 4)), 0.7, 50)
    np.testing.assert_allclose(bare[2], surface, rtol=1e-12)
    # infiltration equals rain, and a soil with R / rw loses as much
    np.testing.assert_allclose(bare[1], soil, rtol=1e-12)


def test_random_patterns_are_seeded():
    pattern = random_pattern((100, 80), 7)
    assert pattern.shape == (100, 80)
    assert pattern.mean() == pytest.approx(0.1, abs=0.02)
    np.testing.assert_array_equal(pattern, random_pattern((100, 80), 7))
    assert (pattern != random_pattern((100, 80), 8)).any()


# --- a slope ---


def test_water_runs_down_a_slope_as_in_plain_loops():
    """Upwind: each cell gets the water of the one above it; the first row that of a cell like itself."""
    slope = dataclasses.replace(PYVEG, v=2.5, dif_o=40.0)
    random = np.random.default_rng(3)
    fields = [random.uniform(0, 20, (5, 4)) for _ in range(3)]
    flat = evolve(fields[0], 0.9, 1, 0.5, dataclasses.replace(slope, v=0.0), fields[1], fields[2])
    steep = evolve(fields[0], 0.9, 1, 0.5, slope, fields[1], fields[2])
    np.testing.assert_array_equal(steep[0], flat[0])
    np.testing.assert_array_equal(steep[1], flat[1])
    expected = flat[2].copy()
    for row in range(1, 5):
        expected[row] += 0.5 * 2.5 / 21 * (fields[2][row - 1] - fields[2][row])
    np.testing.assert_allclose(steep[2], expected, rtol=1e-13)


def test_a_slope_makes_steps_unstable():
    # 100 / 441 = 0.2268 of 0.25: 1.95 m/day are left
    evolve([[1.0]], 1.0, 1, parameters=dataclasses.replace(PYVEG, v=1.9))
    with pytest.raises(
        ValueError, match=r"unstable: dt x \(dif_o / cell\^2 \+ v / \(4 cell\)\) is 0.25.* use dt below 0.9"
    ):
        evolve([[1.0]], 1.0, 1, parameters=dataclasses.replace(PYVEG, v=2.0))


# --- refusals ---


@pytest.mark.parametrize(
    ("dt", "parameters"), [(1.1025, PYVEG), (2, PYVEG), (0.01, RIETKERK_2002), (1, Parameters(cell=20))]
)
def test_unstable_steps(dt, parameters):
    with pytest.raises(ValueError, match=r"unstable: dt x dif / cell\^2 is .* use dt below"):
        evolve([[1.0]], 1.0, 1, dt, parameters)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"plants": [1.0]}, "plants must be a two-dimensional array"),
        ({"plants": 1.0}, "plants must be a two-dimensional array"),
        ({"plants": np.zeros((0, 3))}, "plants must be a two-dimensional array"),
        ({"plants": np.zeros((1, 1, 1))}, "plants must be a two-dimensional array"),
        ({"plants": [[-1.0]]}, "plants must be finite and not negative"),
        ({"plants": [[np.nan]]}, "plants must be finite and not negative"),
        ({"plants": [[np.inf]]}, "plants must be finite and not negative"),
        ({"rainfall": -0.1}, r"rainfall must be finite and not negative \(mm/day\)"),
        ({"rainfall": np.nan}, "rainfall must be finite"),
        ({"rainfall": [1.0, -1.0]}, "rainfall must be finite"),
        ({"rainfall": [1.0]}, r"one number or one per step \(2\), not an array of shape \(1,\)"),
        ({"rainfall": [[1.0, 1.0]]}, r"one number or one per step \(2\), not an array of shape \(1, 2\)"),
        ({"steps": -1}, "steps must be a non-negative whole number, not -1"),
        ({"steps": 2.0}, "steps must be a non-negative whole number, not 2.0"),
        ({"dt": 0}, "dt must be a finite number of days above 0"),
        ({"dt": np.nan}, "dt must be a finite number"),
        ({"soil_water": [[1.0, 2.0]]}, "soil water must be a number or have the shape"),
        ({"surface_water": -1.0}, "surface water must be finite and not negative"),
        ({"parameters": Parameters(rw=0)}, "give both fields of water"),
    ],
)
def test_bad_inputs(changes, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        evolve(**({"plants": [[1.0]], "rainfall": 1.0, "steps": 2} | changes))
    assert "\n" not in str(error.value)


def test_bad_starts_and_parameters():
    with pytest.raises(ValueError, match="all of its cells are 0"):
        start_states(np.zeros((2, 2)), 1.0)
    with pytest.raises(ValueError, match="the start pattern must be finite"):
        start_states([[-1, 2]], 1.0)
    with pytest.raises(ValueError, match="rainfall must be"):
        start_states([[1]], -1.0)
    with pytest.raises(ValueError, match="parameter d must be a non-negative finite number, not -1"):
        Parameters(d=-1)
    with pytest.raises(ValueError, match="parameter k2 must be greater than 0"):
        Parameters(k2=0)
