"""Distributions of patch sizes: against the package powerlaw, sums to the end, and samples of known parameters."""

import math
import warnings

import numpy as np
import pytest
from scipy import optimize, stats

from tigerbush.patches import (
    DISTRIBUTIONS,
    exponential,
    fit_patches,
    lognormal,
    patch_areas,
    power_law,
    truncated_power_law,
)

SIZES = np.arange(1.0, 200_001)


def sample(kind, number=600, seed=1):
    random = np.random.default_rng(seed)
    drawn = {
        "power_law": lambda: stats.zipf.rvs(2.2, size=number, random_state=random),
        "truncated_power_law": lambda: random.choice(
            SIZES, number, p=(weights := SIZES**-1.3 * np.exp(-SIZES / 40)) / weights.sum()
        ),
        "exponential": lambda: random.geometric(0.12, number),
        "lognormal": lambda: np.rint(random.lognormal(2.0, 0.7, 3 * number)),
    }[kind]()
    return drawn[drawn >= 1][:number].astype(int)


@pytest.mark.parametrize(
    ("log_mass", "parameters"),
    [
        (power_law, (2.5,)), (truncated_power_law, (1.4, 0.02)), (truncated_power_law, (0.3, 0.2)),
        (truncated_power_law, (2.1, 1e-3)), (truncated_power_law, (-0.5, 0.01)), (exponential, (0.05,)),
        (lognormal, (1.5, 0.8)), (lognormal, (-2.0, 2.0)),
    ],
)  # fmt: skip
def test_probabilities_add_up_to_one(log_mass, parameters):
    total = np.exp(log_mass(SIZES, *parameters)).sum()
    # beyond the last size: the tail of the power law, by its integral
    rest = SIZES[-1] ** (1 - parameters[0]) / (parameters[0] - 1) / 1.3415 if log_mass is power_law else 0
    assert total + rest == pytest.approx(1, abs=1e-6)


def test_probabilities_by_hand():
    assert np.exp(power_law(np.array([1.0, 2.0]), 2.0)) == pytest.approx([6 / math.pi**2, 1.5 / math.pi**2])
    assert np.exp(exponential(np.array([1.0, 3.0]), math.log(2))) == pytest.approx([0.5, 0.125])
    # weights 1/2, 1/8, 1/24 ... of x^-1 2^-x add up to ln 2
    assert np.exp(truncated_power_law(np.array([1.0, 2.0]), 1.0, math.log(2))) == pytest.approx(
        [0.5 / math.log(2), 0.125 / math.log(2)]
    )
    normal = stats.norm(1, 0.5)
    above = normal.sf(np.log([0.5, 1.5, 2.5]))
    assert np.exp(lognormal(np.array([1.0, 2.0]), 1, 0.5)) == pytest.approx(-np.diff(above) / above[0])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("power_law", {"exponent": 2.2}), ("truncated_power_law", {"exponent": 1.3, "rate": 1 / 40}),
        ("exponential", {"rate": -math.log(0.88)}), ("lognormal", {"mu": 2.0, "sigma": 0.7}),
    ],
)  # fmt: skip
def test_the_distribution_of_a_sample_is_found(kind, expected):
    fits = fit_patches(sample(kind, 3000))
    assert fits["best"] == kind
    for name, value in expected.items():
        assert fits[kind]["parameters"][name] == pytest.approx(value, rel=0.1, abs=0.03)


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
def test_fits_are_those_of_powerlaw(kind):
    import powerlaw

    areas = sample(kind)
    with warnings.catch_warnings(action="ignore"):
        judge = powerlaw.Fit(areas, xmin=1, discrete=True, verbose=False)
        fits = fit_patches(areas)
        compared = [
            ("power_law", judge.power_law, ("exponent",), ("alpha",)),
            ("exponential", judge.exponential, ("rate",), ("Lambda",)),
            ("truncated_power_law", judge.truncated_power_law, ("exponent", "rate"), ("alpha", "Lambda")),
            ("lognormal", judge.lognormal, ("mu", "sigma"), ("mu", "sigma")),
        ]
        for name, theirs, ours, attributes in compared:
            likelihood = float(np.sum(theirs.loglikelihoods(areas)))
            # theirs may stop short of the maximum, and then on a flat ridge
            assert fits[name]["log_likelihood"] >= likelihood - 2e-3
            if name == kind or name in ("power_law", "exponential"):
                assert fits[name]["log_likelihood"] == pytest.approx(likelihood, abs=0.02)
                for mine, attribute in zip(ours, attributes, strict=True):
                    assert fits[name]["parameters"][mine] == pytest.approx(
                        getattr(theirs, attribute), rel=0.02, abs=2e-3
                    )


def test_criteria_are_those_of_their_definition():
    areas = sample("lognormal", 200)
    fits = fit_patches(areas)
    for name, number in (("power_law", 1), ("truncated_power_law", 2), ("exponential", 1), ("lognormal", 2)):
        likelihood = DISTRIBUTIONS[name][1](areas, *fits[name]["parameters"].values()).sum()
        assert fits[name]["log_likelihood"] == pytest.approx(likelihood, rel=1e-9)
        assert fits[name]["aic"] == pytest.approx(2 * number - 2 * likelihood)
        assert fits[name]["bic"] == pytest.approx(number * math.log(200) - 2 * likelihood)
    assert fits["best"] == min(DISTRIBUTIONS, key=lambda name: fits[name]["bic"])
    # the maximum of one parameter, by another method
    best = optimize.minimize_scalar(lambda a: -power_law(areas, a).sum(), bounds=(1.01, 5), method="bounded")
    assert fits["power_law"]["parameters"]["exponent"] == pytest.approx(best.x, abs=1e-4)


def test_few_or_equal_patches_are_not_fitted():
    assert fit_patches(np.arange(1, 50)) is None
    assert fit_patches(np.full(80, 3)) is None
    assert fit_patches(np.arange(1, 51)) is not None


@pytest.mark.data
def test_along_the_cellular_automaton_patches_grow(shared_data):
    """Plants spread better with growing b: cover rises, and the exponent of the patches falls until they join."""
    covers, largest = [], []
    for path in sorted((shared_data / "patterns" / "ca").glob("*.npz")):
        with np.load(path) as contents:
            occupied = contents["occupied"] > 0
        areas = patch_areas(occupied)
        covers.append(occupied.mean())
        largest.append(areas.max())
        fits = fit_patches(areas)
        assert fits is None or set(fits) == {*DISTRIBUTIONS, "best"}
    order = np.arange(len(covers))
    assert stats.kendalltau(order, covers)[0] > 0.9
    assert stats.kendalltau(order, largest)[0] > 0.8
