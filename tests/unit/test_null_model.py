"""The null model of a record: its noise, its seasons, its surrogates, and what is tested with them."""

from types import SimpleNamespace

import numpy as np
import pytest

import slow
from slow_evidence import Model
from tigerbush.analysis.null_model import NullModel, fit_null, noise_step, single_seasons
from tigerbush.analysis.surrogates import ornstein_uhlenbeck

STEP, YEAR = 365.2425 / 12, 365.2425
PLACES = np.delete(np.arange(62), [4, 5, 30])
DAYS = PLACES * STEP + np.random.default_rng(3).uniform(0, 8, 59)


def means_of(days, harmonics=1):
    return slow.regressors(days.tolist(), harmonics, 1, drift=True)


def memory_of(days, seed, rate=0.02):
    return ornstein_uhlenbeck(days, rate, 1, np.random.default_rng(seed))[0]


def test_the_share_of_noise_is_that_of_the_greatest_likelihood():
    """Of records with more and more of it, found as the slow reference finds it."""
    weights = np.tile([1.0, 7.0], 30)[:59]
    noise = np.random.default_rng(1).standard_normal(59) * np.sqrt(weights.mean() / weights)
    shares, found = [0.0, 0.1, 0.25, 0.5, 1.0, 2.0], []
    for size in (0, 0.5, 1, 3):
        values = memory_of(DAYS, 5) / 5 + size * noise
        likelihoods = []
        for share in shares:
            model = Model(DAYS, STEP, means_of(DAYS), noise=share * weights.mean() / weights)
            likelihoods.append(max(model.score(values, [rate] * 58, 0.0) for rate in model.rates))
        null = fit_null(DAYS, STEP, values, means_of(DAYS), weights=weights)
        assert null.noise_share == shares[int(np.argmax(likelihoods))]
        expected = null.noise_share * weights.mean() / weights
        np.testing.assert_allclose(null.test.noise if null.noise_share else 0 * weights, expected)
        found.append(null.noise_share)
    assert found[0] == 0 and found[-1] == 2 and found == sorted(found)
    assert fit_null(DAYS, STEP, values, means_of(DAYS)).noise_share == 0


def test_seasons_that_differ_are_told_from_those_that_do_not():
    days = np.arange(72) * STEP
    season, years = 1 + np.cos(2 * np.pi * days / YEAR), (days // YEAR).astype(int)
    strength = np.random.default_rng(2).normal(1, 0.5, 7)[years]
    spreads = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0]
    for values, differs in (
        (season + memory_of(days, 1, 0.03) / 20, False),
        (season * strength + memory_of(days, 1, 0.03) / 20, True),
    ):
        seasons = single_seasons(days, values, 1)
        null = fit_null(days, STEP, values, means_of(days), seasons=seasons)
        likelihoods = []
        for spread in spreads:
            model = Model(days, STEP, means_of(days), seasons=seasons, spread=spread)
            likelihoods.append(max(model.score(values, [rate] * 71, 0.0) for rate in model.rates))
        assert null.season_spread == spreads[int(np.argmax(likelihoods))]
        assert (null.season_spread > 0.25) == differs


def test_what_a_single_season_may_add():
    """To a season that is lowest on day 40: the season above its lowest point, and its slope, in each year from there."""
    days = np.sort(np.random.default_rng(1).uniform(0, 3.4 * YEAR, 90))
    angle = 2 * np.pi * (days - 40) / YEAR
    values = 9 + 0.01 * days - 3 * np.cos(angle)
    columns = single_seasons(days, values, 1)
    number = np.floor((days - 40) / YEAR)
    years = sorted(set(number))
    assert years == [-1, 0, 1, 2, 3] and columns.shape == (90, 10)
    # both have a standard deviation of 1 over a year
    for year, season, slope in zip(years, columns.T[::2], columns.T[1::2], strict=True):
        inside = number == year
        np.testing.assert_allclose(season, np.where(inside, np.sqrt(2) * (1 - np.cos(angle)), 0), atol=0.02)
        np.testing.assert_allclose(slope, np.where(inside, np.sqrt(2) * np.sin(angle), 0), atol=0.03)
    assert single_seasons(days, values, 0) is None


def test_surrogates_have_the_times_the_memory_and_the_growing_noise_of_the_record():
    """A rate of 0.6 a step; the noise of the record grows to e times its variance and more."""
    values = memory_of(DAYS, 4) * np.linspace(0.5, 2, 59)
    null = fit_null(DAYS, STEP, values, means_of(DAYS))
    drawn = null.simulate(6000, np.random.default_rng(1))
    assert drawn.shape == (6000, 59)
    rates = [float(np.exp(null.evidence.rate[0]))] * 58
    matrix = Model(DAYS, STEP, means_of(DAYS)).covariance(rates, float(null.evidence.intensity[0]))
    expected = matrix / np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))
    np.testing.assert_allclose(np.corrcoef(drawn.T), expected, atol=0.07)
    # innovations are those of the same season, so that single dates have a variance of their own
    growth = drawn.var(axis=0) / np.diag(matrix)
    assert null.evidence.intensity[0] > 1 and abs(np.log(growth[30:].mean() / growth[:29].mean())) < 0.25


def test_innovations_are_those_of_the_season():
    """Half of the year is wild, the other calm, and only the wild one is skewed."""
    days = np.arange(240) * STEP
    random, wild = np.random.default_rng(6), np.sin(2 * np.pi * (days + 15) / YEAR) > 0
    values = np.where(wild, random.exponential(3, 240), random.normal(0, 0.3, 240))
    null = fit_null(days, STEP, values, means_of(days))
    drawn = null.simulate(500, random)
    # months whose neighbours within 45 days are all alike
    inner = {name: drawn[:, np.arange(240) % 12 == month] for name, month in (("wild", 2), ("calm", 8))}
    assert inner["wild"].std() > 3 * inner["calm"].std()
    assert (inner["wild"] - inner["wild"].mean(axis=0)).max() > 2 * abs(
        (inner["wild"] - inner["wild"].mean(axis=0)).min()
    )
    assert set(np.round(null.innovations, 9)) and abs(null.innovations.std() - 1) < 1e-9


@pytest.mark.parametrize(
    ("beyond", "surrogates", "p", "number"),
    [
        # in batches of 199: enough when 20 are as extreme
        ([20, 0, 0], 597, 21 / 200, 199),
        ([19, 1, 0], 597, 21 / 399, 398),
        ([19, 0, 0], 597, 20 / 598, 597),
        ([0, 0, 5], 450, 6 / 451, 450),
        ([199], 199, 1.0, 199),
        ([3], 20, 4 / 21, 20),
    ],
)
def test_drawing_ends_when_p_is_no_small_one(beyond, surrogates, p, number):
    """The p of Besag and Clifford: as many as are as extreme, the record counted, of all that were drawn."""
    batches = []

    def simulate(size, random):
        batches.append(size)
        # as extreme as the record itself counts
        return np.where(np.arange(size) < beyond[len(batches) - 1], 1.0, 0.99)

    stub = SimpleNamespace(
        evidence=SimpleNamespace(slowing=np.array([1.0])),
        simulate=simulate,
        test=SimpleNamespace(evidence=lambda drawn: SimpleNamespace(slowing=drawn)),
    )
    found = NullModel.p(stub, surrogates, None)
    assert (found.p, found.surrogates) == (pytest.approx(p, rel=1e-12), number)
    assert sum(batches) == number and max(batches) <= 199


def test_series_of_the_same_spectrum_need_a_record_without_gaps():
    values = memory_of(DAYS, 4)
    null = fit_null(DAYS, STEP, values, means_of(DAYS))
    assert null.p_phase(PLACES, 19, np.random.default_rng(1)) is None
    assert null.p_phase(np.arange(7, 66), 19, np.random.default_rng(1)) is not None


def test_the_p_against_series_of_the_same_spectrum():
    """The growth of the noise is taken off the rest, whose waves get other phases, and put back."""
    days = np.arange(47) * STEP
    values = memory_of(days, 4) * np.exp(np.linspace(-1, 1, 47))
    null = fit_null(days, STEP, values, means_of(days))
    growth = np.exp(null.evidence.intensity[0] * (np.arange(47) / 46 - 0.5) / 2)
    rest = slow.rest_of(days, values, 1, drift=True) / growth
    phases = np.random.default_rng(5).random((19, 24))
    drawn = np.array([slow.waves(rest, row) * growth for row in phases])
    evidence = null.test.evidence(drawn).slowing
    expected = (1 + sum(evidence >= null.evidence.slowing[0])) / 20
    assert growth[-1] > 1.5
    assert null.p_phase(np.arange(47), 19, np.random.default_rng(5)) == pytest.approx(expected)


def innovations_of(number, place, factor, seed, tails=None):
    random = np.random.default_rng([9, seed])
    values = random.normal(size=number) if tails is None else random.standard_t(tails, number)
    return np.where(np.arange(number) < place, 1.0, factor) * values


@pytest.mark.parametrize("number", [120, 121])
@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_noise_that_changed_at_once(number, factor):
    profile = noise_step(innovations_of(number, 70, factor, 1))
    place = int(np.diff(profile).nonzero()[0][0]) + 1
    assert abs(place - 70) <= 2 and len(np.unique(profile)) == 2
    # of 70 and 50 values: the ratio of deviations within 3 standard errors of 13 %
    assert abs(np.log(profile[-1] / profile[0] / factor)) < 0.39
    assert np.log(profile).mean() == pytest.approx(0, abs=1e-12)


def test_noise_that_does_not_change_at_once_has_no_step():
    """Steady, of heavy tails, or growing slowly: of 50 records of each fewer than 6 have one."""
    for name, records in {
        "steady": [innovations_of(120, 0, 1, seed) for seed in range(50)],
        "tails": [innovations_of(120, 0, 1, seed, tails=3) for seed in range(50)],
        "slowly": [
            innovations_of(120, 0, 1, seed) * np.exp(np.linspace(-0.5, 0.5, 120)) for seed in range(50)
        ],
    }.items():
        assert sum(noise_step(record) is not None for record in records) < 6, name


def test_a_record_too_short_for_two_kinds_of_noise():
    assert noise_step(innovations_of(23, 12, 50, 1)) is None
    assert noise_step(innovations_of(24, 12, 50, 1)) is not None


def test_the_null_model_has_noise_that_changed_at_once():
    days = np.arange(120) * STEP
    values = innovations_of(120, 70, 5.0, 3)
    null = fit_null(days, STEP, values, means_of(days))
    profile = null.test.profile
    assert profile[-1] / profile[0] == pytest.approx(5, rel=0.4)
    drawn = null.simulate(400, np.random.default_rng(1))
    assert drawn[:, 75:].std() / drawn[:, :65].std() == pytest.approx(profile[-1] / profile[0], rel=0.4)
    np.testing.assert_array_equal(null.with_columns(np.eye(120)[:, :1]).test.profile, profile)
    steady = fit_null(days, STEP, values, means_of(days), drifting_noise=False)
    assert (steady.test.profile == 1).all()


def test_power_is_higher_in_longer_records():
    chances = []
    for number in (36, 160):
        days = np.arange(number) * STEP
        null = fit_null(days, STEP, memory_of(days, 3), means_of(days))
        power = null.power(199, np.random.default_rng(1))
        chances.append(power["found"])
        # the rate is e^1.5 times its mean at the start, and e^3 times lower at the end
        rate = np.exp(null.evidence.rate[0])
        assert power == {
            "found": power["found"],
            "series": 199,
            "ar1_first": pytest.approx(np.exp(-rate * np.exp(1.5))),
            "ar1_last": pytest.approx(np.exp(-rate * np.exp(-1.5))),
            "fall": pytest.approx(np.exp(-3)),
        }
    assert 0.03 < chances[0] < chances[1] - 0.2 and chances[1] <= 1


def test_more_columns_keep_the_shares():
    weights = np.tile([1.0, 7.0], 30)[:59]
    values = memory_of(DAYS, 5) / 5 + np.random.default_rng(1).standard_normal(59) * np.sqrt(4 / weights)
    null = fit_null(DAYS, STEP, values, means_of(DAYS), weights=weights)
    step = (np.arange(59) >= 20).astype(float)[:, None]
    more = null.with_columns(step)
    assert more.noise_share == null.noise_share > 0 and more.test.freedom == null.test.freedom - 1
    reference = Model(
        DAYS, STEP, np.column_stack([means_of(DAYS), step]), noise=null.noise_share * weights.mean() / weights
    )
    assert more.evidence.slowing[0] == pytest.approx(reference.evidence(values)["slowing"], abs=1e-8)
