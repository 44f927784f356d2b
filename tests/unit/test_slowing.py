"""The evidence of a falling rate, against dense covariances written out and generalised least squares."""

import numpy as np
import pytest
from statsmodels.regression.linear_model import GLS

import slow
from slow_evidence import Model
from tigerbush.analysis.slowing import SlowingTest, grids

STEP = 30.44
RANDOM = np.random.default_rng(3)
# irregular, with gaps: an odd and an even number of dates
ODD = np.delete(np.arange(46), [4, 5, 30]) * STEP + 80 + RANDOM.uniform(0, 9, 43)
EVEN = np.delete(np.arange(46), [4, 5, 30, 31]) * STEP + RANDOM.uniform(0, 9, 42)


def means_of(days):
    return slow.regressors(days.tolist(), 1, 1)


def seasons_of(days):
    """What each of three years adds."""
    years = (days - days[0]) // 365.2425
    return np.column_stack([np.where(years == year, np.sin(days / 58) + 1.2, 0) for year in range(3)])


def series_of(days):
    """Three series: white noise, a growing memory, and a step in growing noise."""
    random, number = np.random.default_rng(8), len(days)
    memory = np.zeros(number)
    for i in range(1, number):
        memory[i] = i / number * memory[i - 1] + random.normal()
    step = np.where(np.arange(number) >= 28, 5, 0) + random.normal(size=number) * np.linspace(0.5, 2, number)
    return np.vstack([random.normal(size=number), memory, step]) * 3 + 7 - days / 200


CASES = {
    "plain": (ODD, {}),
    "noise": (EVEN, {"noise": np.tile([0.2, 0.9], 21)}),
    "seasons": (EVEN, {"seasons": seasons_of(EVEN), "spread": 0.5}),
    "noise and seasons": (ODD, {"noise": np.linspace(2, 0.1, 43), "seasons": seasons_of(ODD), "spread": 2.0}),
    "steady noise": (EVEN, {"drifting": False}),
    "no steps": (ODD, {"steps": False}),
}


def both_of(name, means=None):
    """The test and its reference."""
    days, options = CASES[name]
    means = means_of(days) if means is None else means
    test = SlowingTest(
        days,
        STEP,
        means,
        options.get("noise"),
        options.get("seasons"),
        options.get("spread", 0.0),
        drifting_noise=options.get("drifting", True),
        steps=options.get("steps", True),
    )
    return test, Model(days, STEP, means, **options)


@pytest.mark.parametrize("name", CASES)
def test_the_evidence_is_a_ratio_of_average_likelihoods(name):
    test, reference = both_of(name)
    values = series_of(test.days)
    evidence = test.evidence(values)
    for k, series in enumerate(values):
        for field, expected in reference.evidence(series).items():
            assert getattr(evidence, field)[k] == pytest.approx(expected, rel=1e-8, abs=1e-8), field
    # a step is where it was made
    assert evidence.place[2] == 28 and evidence.step[2] > 2


def test_columns_that_depend_on_each_other_are_counted_once():
    means = means_of(ODD)
    test, _ = both_of("plain", np.column_stack([means, means[:, 1] * 2 + means[:, 0]]))
    once, _ = both_of("plain")
    values = series_of(ODD)
    assert test.freedom == once.freedom == 43 - 4
    np.testing.assert_allclose(test.evidence(values).slowing, once.evidence(values).slowing, rtol=1e-9)


@pytest.mark.parametrize("name", ["plain", "noise and seasons"])
def test_the_evidence_does_not_depend_on_unit_level_trend_and_season(name):
    test, _ = both_of(name)
    values = series_of(test.days)
    moved = -4 * values + means_of(test.days) @ [50, 9, -3, 20]
    np.testing.assert_allclose(test.evidence(moved).slowing, test.evidence(values).slowing, atol=1e-8)
    np.testing.assert_array_equal(test.evidence(moved).place, test.evidence(values).place)


@pytest.mark.parametrize("name", ["plain", "noise", "seasons"])
def test_what_a_step_takes_off_is_that_of_generalised_least_squares(name):
    test, reference = both_of(name)
    values, rates = series_of(test.days), [0.4] * (len(test.days) - 1)
    gains, squares = test.step_gains(test.cell(np.array(rates), 1.0), values)
    for k, series in enumerate(values):
        without, expected = reference.step_gains(series, rates, 1.0)
        # four values or more on either side
        assert [place for (place,) in expected] == test.places.tolist() == list(range(4, len(series) - 3))
        assert squares[k] == pytest.approx(without, rel=1e-9)
        np.testing.assert_allclose(gains[k], list(expected.values()), rtol=1e-7, atol=1e-9)
        for place in (4, 20):
            columns = np.column_stack([means_of(test.days), np.arange(len(series)) >= place])
            fitted = GLS(series, columns, sigma=reference.curved(rates, 1.0)).fit()
            statistic = gains[k, place - 4] / (squares[k] - gains[k, place - 4]) * fitted.df_resid
            assert statistic == pytest.approx(fitted.tvalues[-1] ** 2, rel=1e-7)


@pytest.mark.parametrize("name", ["plain", "noise and seasons"])
def test_the_likeliest_two_steps_are_those_of_every_pair(name):
    test, reference = both_of(name)
    values = series_of(test.days)
    values[1, 14:30] -= 15
    found, ratios = test.likely_pairs(values)
    pairs = [(i, j) for i in range(4, len(test.days) - 3) for j in range(i + 4, len(test.days) - 3)]
    for k, series in enumerate(values):
        pair, ratio = reference.likely_steps(series, pairs)
        assert tuple(test.places[found[k]]) == pair
        assert ratios[k] == pytest.approx(ratio, rel=1e-8)
    assert tuple(test.places[found[1]]) == (14, 30)


def test_a_long_record_is_searched_for_pairs_at_every_other_place():
    days = np.arange(127) * STEP
    test = SlowingTest(days, STEP, means_of(days))
    pair, _ = test.likely_pairs(series_of(days)[:1])
    assert len(test.places) == 120 and (pair % 2 == 0).all()


def test_a_short_record_has_no_place_for_two_steps():
    days = np.arange(11) * STEP
    pair, ratio = SlowingTest(days, STEP, slow.regressors(days.tolist(), 0, 1)).likely_pairs(np.ones((3, 11)))
    assert pair.tolist() == [[0, 0]] * 3 and ratio.tolist() == [0, 0, 0]


def test_noise_of_a_profile_is_that_of_values_divided_by_it():
    """Of a rate so high that nothing is kept from one date to the next."""
    days, random = np.arange(40) * STEP * 9, np.random.default_rng(2)
    profile = np.where(np.arange(40) < 25, 0.5, 2.0)
    means, values = slow.regressors(days.tolist(), 0, 1), random.normal(size=(2, 40))
    test = SlowingTest(days, STEP, means, profile=profile, drifting_noise=False)
    flat = SlowingTest(days, STEP, means / profile[:, None], drifting_noise=False)
    rates = np.full(39, 4.0)
    with_profile, without = test.cell(rates, 0.0), flat.cell(rates, 0.0)
    np.testing.assert_allclose(with_profile.rest(values * profile), without.rest(values), atol=1e-9)
    drawn = (
        test.draw(rates, 0.0, np.ones((40, 1)), random)[0]
        / flat.draw(rates, 0.0, np.ones((40, 1)), random)[0]
    )
    np.testing.assert_allclose(drawn, profile, rtol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_the_greatest_likelihood_is_that_of_the_rates_with_steady_noise(name):
    test, reference = both_of(name)
    values = series_of(test.days)[1]
    number = len(values) - 1
    scores = [reference.score(values, [rate] * number, 0.0) for rate in reference.rates]
    assert test.likelihood(values) == pytest.approx(max(scores), abs=1e-8)


@pytest.mark.parametrize("name", ["plain", "noise"])
def test_what_is_left_is_white_without_mean_curvature_and_step(name):
    """By generalised least squares, with normal priors of curvature and step."""
    test, reference = both_of(name)
    values = series_of(test.days)[2]
    evidence = test.evidence(values[None])
    rates = [float(np.exp(evidence.rate[0]))] * (len(values) - 1)
    inverse = np.linalg.inv(np.linalg.cholesky(reference.covariance(rates, float(evidence.intensity[0]))))
    step = (np.arange(len(values)) >= evidence.place[0]).astype(float)
    columns = inverse @ np.column_stack([means_of(test.days), reference.arc, step])
    variance = reference.variance(rates)
    prior = np.diag([0] * 4 + [1 / (9 * variance), 1 / (49 * variance)])
    sizes = np.linalg.solve(columns.T @ columns + prior, columns.T @ (inverse @ values))
    np.testing.assert_allclose(test.rest(values, evidence), inverse @ values - columns @ sizes, atol=1e-8)


@pytest.mark.parametrize("name", ["plain", "noise"])
def test_series_are_drawn_with_the_covariance_of_the_model(name):
    """Unit innovations, one at a time, give the columns of a root of the covariance."""
    test, reference = both_of(name)
    number = len(test.days)
    rates = np.linspace(2, 0.01, number - 1)
    root = test.draw(rates, 1.5, np.eye(number), np.random.default_rng(1))
    np.testing.assert_allclose(root.T @ root, reference.covariance(rates, 1.5), rtol=1e-9, atol=1e-12)


def test_single_seasons_are_drawn_with_their_spread():
    test, _ = both_of("seasons")
    rates, number = np.full(41, 0.5), 20000
    drawn = test.draw(rates, 0.0, np.zeros((42, number)), np.random.default_rng(1))
    # 1 / (2 x 0.5 a step) is the variance of the process
    expected = 0.5**2 * STEP * seasons_of(EVEN) @ seasons_of(EVEN).T
    np.testing.assert_allclose(drawn.T @ drawn / number, expected, atol=0.03 * expected.max())


@pytest.mark.parametrize(
    ("number", "rates", "half"),
    # 0.73 x sqrt(120) = 8.0; 8 / (6 sqrt(24 / 120)) = 2.98; of 400 14.6 and 5.4
    [(12, 6, 3), (67, 6, 3), (120, 8, 3), (122, 8, 4), (400, 15, 6)],
)
def test_longer_records_have_denser_grids(number, rates, half):
    grid, intensities = grids(number)
    assert (len(grid), len(intensities)) == (rates, 2 * half + 1)
    assert grid[[0, -1]] == pytest.approx([0.03, 4]) and np.ptp(np.diff(np.log(grid))) < 1e-12
    assert intensities[[0, half, -1]].tolist() == [-4, 0, 4]
