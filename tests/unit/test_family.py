"""All tests of a site as one: the smallest p of dependent tests, and Bonferroni's inequality over variables."""

import numpy as np
import pytest

from tigerbush.analysis.family import over_variables, within_variable

DIRECTIONS = {"ar1": 1, "variance": 1, "skewness": 0, "lag2": 1, "rate_ou": -1}


def smallest_of(tests, size):
    """The p of the smallest p, in loops: every surrogate takes the place of the record once.

    Parameters
    ----------
    tests : list of (observed, surrogates, direction)
    """
    rows = [
        [direction * value for value in (*surrogates[:size], observed)]
        for observed, surrogates, direction in tests
    ]
    smallest = []
    for k in range(size + 1):
        shares = [sum(other >= row[k] for other in row) / (size + 1) for row in rows]
        smallest.append(min(shares))
    return sum(value <= smallest[-1] for value in smallest) / (size + 1)


def record(seed, size, together):
    """Observed values and surrogates of each test, which depend on each other."""
    random = np.random.default_rng(seed)
    common = random.standard_normal(size)
    taus = {
        name: np.round(direction * common * together + random.standard_normal(size), 1)
        for name, direction in DIRECTIONS.items()
    }
    observed = {name: float(np.round(random.normal(0, 2), 1)) for name in DIRECTIONS}
    return observed, taus, common + random.standard_normal(size)


@pytest.mark.parametrize("together", [0.0, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_p_of_the_smallest_p(seed, together):
    """With ties; skewness has no direction, and indicators without a p are no tests."""
    observed, taus, drawn = record(seed, 60, together)
    indicators = {name: {"tau": tau, "p": {"ar1": 0.5}} for name, tau in observed.items()}
    indicators["lag2"]["p"]["ar1"] = None
    tests = [
        (observed[name], taus[name], direction)
        for name, direction in DIRECTIONS.items()
        if name not in ("skewness", "lag2")
    ]
    # the evidence is of fewer surrogates, and so the taus
    found = within_variable(indicators, taus, 1.7, drawn[:40])
    assert found == pytest.approx(smallest_of([(1.7, drawn, 1), *tests], 40), rel=1e-12)
    assert within_variable(indicators, taus, None, None) == pytest.approx(smallest_of(tests, 60), rel=1e-12)


def test_one_test_is_its_own_family():
    drawn = np.arange(19.0)
    assert within_variable({}, {}, 16.5, drawn) == pytest.approx(3 / 20)
    lone = {"variance": {"tau": -5.0, "p": {"ar1": 1.0}}}
    assert within_variable(lone, {"variance": drawn}, None, None) == 1


def test_two_tests_cost_less_than_bonferroni_where_they_are_alike():
    drawn = np.arange(99.0)
    same = {"ar1": {"tau": 96.5, "p": {"ar1": 0.03}}, "lag2": {"tau": 96.5, "p": {"ar1": 0.03}}}
    assert within_variable(same, {"ar1": drawn, "lag2": drawn}, None, None) == pytest.approx(0.03)
    # where they are contrary the smallest p is twice as often as small
    contrary = same | {"lag2": {"tau": 50.5, "p": {"ar1": 0.49}}}
    assert within_variable(contrary, {"ar1": drawn, "lag2": drawn[::-1]}, None, None) == pytest.approx(
        0.06, abs=0.011
    )


def test_no_test_has_no_p():
    skewness = {"skewness": {"tau": 0.5, "p": {"ar1": 0.01}}}
    assert within_variable(skewness, {"skewness": np.arange(9.0)}, None, None) is None


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ({}, {"p": None, "variables": 0}),
        ({"a": None}, {"p": None, "variables": 0}),
        ({"a": 0.02, "b": None, "c": 0.5}, {"p": 0.04, "variables": 2}),
        ({"a": 0.02, "b": 0.01, "c": 0.5}, {"p": 0.03, "variables": 3}),
        ({"a": 0.7, "b": 0.6}, {"p": 1.0, "variables": 2}),
    ],
)
def test_variables_are_counted(p, expected):
    assert over_variables(p) == {
        "p": expected["p"] and pytest.approx(expected["p"]),
        "variables": expected["variables"],
    }
