"""How a site was observed: factors from the names of products, and their trends."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from tigerbush.analysis.observations import Factor, factors_of, trends

DAYS = np.arange(12) * 30.0
DATES = [f"2020-{month:02}-15" for month in range(1, 13)]


def sentinel2(platform, orbit=122, baseline="0204", sensed="20170510T084701"):
    return f"{platform}_MSIL2A_{sensed}_N{baseline}_R{orbit:03}_T33TVL_20170510T090000"


def landsat(kind):
    return f"{kind}_L2SP_198047_20100110_20200909_02_T1"


def products_of(*names):
    """Of the dates, in order; an empty one has no entry at all."""
    return {day: {"products": list(of_day)} for day, of_day in zip(DATES, names, strict=True) if of_day}


def test_the_factors_of_sentinel_2():
    """Of platforms, orbits and baselines each with the shares of a date; a date without products is unknown."""
    early = [sentinel2("S2A"), sentinel2("S2A", 79)]
    late = [
        sentinel2("S2A", baseline="0500"),
        sentinel2("S2B", baseline="0500"),
        sentinel2("S2B", 79, "0500"),
    ]
    factors = factors_of(DATES, products_of(*[early] * 7, (), *[late] * 4))
    assert [factor.name for factor in factors] == ["platform", "relative_orbit", "baseline"]
    platform, orbit, baseline = factors
    # that of most dates first; both orbits are there on all eleven
    assert (platform.levels, orbit.levels) == (("S2A", "S2B"), ("R079", "R122"))
    assert len(baseline.levels) == 2
    nan = [np.nan, np.nan]
    np.testing.assert_allclose(platform.shares, [[1, 0]] * 7 + [nan] + [[1 / 3, 2 / 3]] * 4)
    np.testing.assert_allclose(orbit.shares, [[0.5, 0.5]] * 7 + [nan] + [[1 / 3, 2 / 3]] * 4)
    np.testing.assert_allclose(baseline.shares, [[1, 0]] * 7 + [nan] + [[0, 1]] * 4)
    # unknown ones are of the most frequent; columns are of the others
    rows = np.arange(12) >= 6
    np.testing.assert_allclose(platform.columns(rows), [[0], [0]] + [[2 / 3]] * 4)


def test_the_sensors_of_landsat():
    """Each is another one; what is no name of a product tells nothing."""
    names = (
        [[landsat("LT05")]] * 5 + [[landsat("LE07"), landsat("LT05")]] * 3 + [[landsat("LC08"), "a.tif"]] * 4
    )
    (sensor,) = factors_of(DATES, products_of(*names))
    assert (sensor.name, sensor.levels) == ("sensor", ("LT05", "LC08", "LE07"))
    expected = [[1, 0, 0]] * 5 + [[0.5, 0, 0.5]] * 3 + [[0, 1, 0]] * 4
    np.testing.assert_allclose(sensor.shares, expected)


def test_sensors_of_different_missions():
    names = [[landsat("LC08")]] * 6 + [[sentinel2("S2A")]] * 6
    (sensor,) = factors_of(DATES, products_of(*names))
    assert (sensor.name, sensor.levels) == ("sensor", ("LC08", "Sentinel-2"))


def test_a_value_of_two_products_tells_nothing():
    """Three are enough; a factor of one value is none."""
    for number, levels in ((2, None), (3, ("S2A", "S2B"))):
        names = [[sentinel2("S2B")]] * number + [[sentinel2("S2A")]] * (12 - number)
        factors = factors_of(DATES, products_of(*names))
        assert [factor.levels for factor in factors] == ([levels] if levels else [])


@pytest.mark.parametrize(
    "products",
    [
        {},
        dict.fromkeys(DATES),
        {day: {} for day in DATES},
        {day: {"products": ["", "S2A", "../../etc/passwd", "LC08", "<b>", "é" * 500]} for day in DATES},
    ],
)
def test_untrusted_names_give_nothing(products):
    assert factors_of(DATES, products) == []


def test_trends_are_those_of_kendall():
    n_obs = np.array([1, 2, 1, 3, np.nan, 2, 4, 5, 3, 6, 7, 6.0])
    share = np.array([0, 0, 0, 0, 0.5, np.nan, 0.5, 1, 0.25, 1, 1, 1])
    factor = Factor("platform", ("S2A", "S2B"), np.column_stack([1 - share, share]))
    rows = trends(DAYS, n_obs, [factor])
    assert [(row["of"], row["value"]) for row in rows] == [
        ("n_obs", None), ("platform", "S2A"), ("platform", "S2B")
    ]  # fmt: skip
    for row, values in zip(rows, (n_obs, 1 - share, share), strict=True):
        known = np.isfinite(values)
        tau, p = kendalltau(DAYS[known], values[known])
        assert (row["tau"], row["p"]) == (pytest.approx(tau), pytest.approx(p))
    # of eleven the first and the last three
    assert (rows[0]["first"], rows[0]["last"]) == (pytest.approx(4 / 3), pytest.approx(19 / 3))
    assert (rows[2]["first"], rows[2]["last"]) == (0, 1)
    assert trends(DAYS, None, []) == []


def test_what_never_changes_has_no_trend():
    steady = {"of": "n_obs", "value": None, "tau": 0.0, "p": 1.0}
    assert trends(DAYS, np.full(12, 3.0), []) == [steady | {"first": 3.0, "last": 3.0}]
    assert trends(DAYS, np.full(12, np.nan), []) == [steady | {"first": None, "last": None}]
    two = np.where(np.arange(12) < 2, np.arange(12) + 4.0, np.nan)
    assert trends(DAYS, two, []) == [steady | {"first": 4.0, "last": 4.0}]
