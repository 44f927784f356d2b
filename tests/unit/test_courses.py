"""How rate, noise and season have changed: against a posterior summed in loops, generalised least squares and by hand."""

import math
from datetime import date

import numpy as np
import pytest
from statsmodels.regression.linear_model import GLS

import slow
from slow_evidence import Model, log_sum
from tigerbush.analysis.courses import p_of_season, rate_and_noise, season, yearly_amplitudes
from tigerbush.analysis.null_model import fit_null, single_seasons
from tigerbush.analysis.surrogates import ornstein_uhlenbeck

STEP, YEAR = 365.2425 / 12, 365.2425
DAYS = np.delete(np.arange(62), [4, 5, 30]) * STEP + np.random.default_rng(3).uniform(0, 8, 59)


def means_of(days, harmonics=1):
    return slow.regressors(days.tolist(), harmonics, 1, drift=True)


def quantile(grid, shares, level):
    """Of a density that is even around each point of a grid, half of the way to its neighbours."""
    total, below = sum(shares), 0.0
    for k, share in enumerate(shares):
        start = grid[0] if k == 0 else (grid[k - 1] + grid[k]) / 2
        end = grid[-1] if k == len(grid) - 1 else (grid[k] + grid[k + 1]) / 2
        if below + share / total >= level:
            return start + (level - below) / (share / total) * (end - start)
        below += share / total
    return grid[-1]


def test_the_posterior_of_rate_and_noise():
    """All changes of the rate are as likely before the data are seen; rates and intensities are averaged over."""
    rates = np.exp(np.linspace(1, -1, 58)) * 0.02
    values = ornstein_uhlenbeck(DAYS, rates, 1, np.random.default_rng(1))[0] * np.linspace(0.4, 2, 59)
    null = fit_null(DAYS, STEP, values, means_of(DAYS))
    profile = null.test.profile
    model = Model(DAYS, STEP, means_of(DAYS), profile=profile)
    changes = [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]
    scores = {}
    for change in changes:
        course = [math.exp(change * (time - 0.5)) for time in model.between]
        for rate in model.rates:
            for intensity in model.intensities:
                score = model.score(values, [rate * c for c in course], intensity)
                scores[change, rate, intensity] = score
    total = log_sum(list(scores.values()))
    shares = {key: math.exp(score - total) for key, score in scores.items()}
    of_change = [sum(share for key, share in shares.items() if key[0] == change) for change in changes]
    of_noise = [sum(share for key, share in shares.items() if key[2] == level) for level in model.intensities]
    middle = math.exp(sum(share * math.log(key[1]) for key, share in shares.items())) / STEP
    low, change, high = (quantile(changes, of_change, level) for level in (0.025, 0.5, 0.975))
    # of standard deviations, which are roots of variances
    noise = [quantile(model.intensities, of_noise, level) / 2 for level in (0.025, 0.5, 0.975)]
    found = rate_and_noise(null)
    assert found["rate"] == {
        "first": pytest.approx(middle * math.exp(-change / 2), rel=1e-6),
        "last": pytest.approx(middle * math.exp(change / 2), rel=1e-6),
        "change": pytest.approx(change, abs=1e-6),
        "low": pytest.approx(low, abs=1e-6),
        "high": pytest.approx(high, abs=1e-6),
    }
    expected = dict(
        zip(("low", "change", "high"), (pytest.approx(value, abs=1e-6) for value in noise), strict=True)
    )
    # noise that has grown by a factor of 5
    step = int(np.argmax(profile > profile[0]))
    assert profile[-1] / profile[0] > 2
    assert found["noise"] == expected | {"step": {"index": step, "factor": profile[-1] / profile[0]}}


def test_bounds_of_the_change_hold_the_truth():
    """ln of the ratio of rates is -2 and 0; of ten bounds of 95 % seven and fewer hold in 1 % of trials."""
    random, days = np.random.default_rng(5), np.arange(120) * STEP
    held = []
    for change in (-2.0, 0.0):
        rates = 0.03 * np.exp(change * (np.arange(119) / 119 - 0.5))
        for values in ornstein_uhlenbeck(days, rates, 5, random):
            rate = rate_and_noise(fit_null(days, STEP, values, means_of(days)))["rate"]
            low, high = (
                rate[key] if rate[key] is not None else end for key, end in (("low", -9), ("high", 9))
            )
            held.append(low <= change <= high)
    assert sum(held) >= 8


def test_without_drifting_noise_there_is_no_change_of_it():
    null = fit_null(DAYS, STEP, np.sin(DAYS), means_of(DAYS), drifting_noise=False)
    assert rate_and_noise(null)["noise"] == {"change": 0.0, "low": 0.0, "high": 0.0, "step": None}


@pytest.mark.parametrize(("harmonics", "steps"), [(1, 0), (2, 1)])
def test_a_season_that_doubles(harmonics, steps):
    """From a range of 2 to one of 4, later by 30 days; its F test is that of generalised least squares."""
    share = (DAYS - DAYS.mean()) / np.ptp(DAYS)
    # cosines in and out of phase, whose mean is the season at the middle
    first, last = (
        size * np.cos(2 * np.pi * (DAYS - peak) / YEAR) for size, peak in ((1.0, 100.0), (2.0, 130.0))
    )
    noise = ornstein_uhlenbeck(DAYS, 0.02, 1, np.random.default_rng(1))[0]
    values = (0.5 - share) * first + (0.5 + share) * last + 0.02 * noise
    columns = (np.arange(59) >= 30).astype(float)[:, None][:, :steps]
    values = values + 3 * columns.sum(axis=1)
    means = np.column_stack([means_of(DAYS, harmonics), columns])
    null = fit_null(DAYS, STEP, values, means)
    found = season(null, harmonics, columns)
    assert found["first"] == {"amplitude": pytest.approx(2, abs=0.3), "peak": pytest.approx(100, abs=8)}
    assert found["last"] == {"amplitude": pytest.approx(4, abs=0.3), "peak": pytest.approx(130, abs=8)}
    assert found["p"] < 1e-6
    for series in (values, np.cos(2 * np.pi * DAYS / YEAR) + noise / 5):
        null = fit_null(DAYS, STEP, series, means)
        model = Model(DAYS, STEP, means)
        rates = [float(np.exp(null.evidence.rate[0]))] * 58
        sigma = model.covariance(rates, float(null.evidence.intensity[0]))
        steady = np.delete(means, np.s_[2 + 2 * harmonics : 2 + 4 * harmonics], axis=1)
        none = np.delete(means, np.s_[2 : 2 + 4 * harmonics], axis=1)
        whole, part, less = (GLS(series, design, sigma=sigma).fit() for design in (means, steady, none))
        assert season(null, harmonics, columns)["p"] == pytest.approx(whole.compare_f_test(part)[1], rel=1e-6)
        assert p_of_season(null, harmonics, columns) == pytest.approx(whole.compare_f_test(less)[1], rel=1e-6)
    assert season(null, harmonics, columns)["p"] > 1e-3
    assert season(null, 0, columns) is None


def test_seasons_that_differ_at_random_have_not_changed():
    """Their differences are noise in the test; observations have a noise of their own."""
    days = np.arange(96) * STEP
    random = np.random.default_rng(2)
    strength = random.normal(1, 0.6, 9)[(days // YEAR).astype(int)]
    weights = np.tile([1.0, 16.0], 48)
    values = strength * (1 + np.cos(2 * np.pi * days / YEAR)) + random.normal(0, 1.5, 96) / np.sqrt(weights)
    seasons = single_seasons(days, values, 1)
    null = fit_null(days, STEP, values, means_of(days), weights=weights, seasons=seasons)
    assert null.season_spread > 0 and null.noise_share > 0
    noise = null.noise_share * weights.mean() / weights
    model = Model(
        days,
        STEP,
        means_of(days),
        noise=noise,
        seasons=seasons,
        spread=null.season_spread,
        profile=null.test.profile,
    )
    rates = [float(np.exp(null.evidence.rate[0]))] * 95
    sigma = model.covariance(rates, float(null.evidence.intensity[0]))
    np.testing.assert_allclose(null.covariance, sigma, rtol=1e-9, atol=1e-12)
    whole, part = (GLS(values, means, sigma=sigma).fit() for means in (means_of(days), means_of(days)[:, :4]))
    found = season(null, 1, np.empty((96, 0)))
    assert found["p"] == pytest.approx(whole.compare_f_test(part)[1], rel=1e-6)
    assert found["p"] > 0.05


def pettitt(values):
    """The place after which values changed most and its p, from the signs of all differences."""
    number = len(values)
    sums = [
        abs(sum(np.sign(values[i] - values[j]) for i in range(place) for j in range(place, number)))
        for place in range(1, number)
    ]
    return int(np.argmax(sums)), min(1.0, 2 * math.exp(-6 * max(sums) ** 2 / (number**3 + number**2)))


def seasons(strengths, first=40):
    """Days and values of years that begin on a day, each season of a strength of its own."""
    days = np.arange(12 * len(strengths) + 8) * STEP + first + 4
    year = np.minimum(((days - first) // YEAR).astype(int), len(strengths) - 1)
    shape = 1 - np.cos(2 * np.pi * (days - first) / YEAR)
    inside = days < first + len(strengths) * YEAR
    return days[inside], (np.array(strengths)[year] * shape)[inside]


STRENGTHS = [1.0, 1.1, 0.9, 1.05, 0.95, 2.0, 2.2, 1.9, 2.1, 2.3]


def test_the_strength_of_each_year():
    days, values = seasons(STRENGTHS)
    none = np.empty((len(days), 0))
    found = yearly_amplitudes(days, values + 5 + 0.001 * days, none, date(2010, 1, 1), 1)
    # 40 days after New Year
    assert found["years"] == list(range(2010, 2020))
    ratios = np.array(found["amplitude"]) / found["amplitude"][0]
    np.testing.assert_allclose(ratios, np.array(STRENGTHS) / STRENGTHS[0], rtol=0.05)
    assert np.mean(found["amplitude"]) == pytest.approx(1, abs=0.1)
    place, p = pettitt(STRENGTHS)
    assert place == 4
    assert (found["changed_after"], found["p"]) == (2014, pytest.approx(p, rel=1e-12))
    # a step in the mean is no season
    step = (np.arange(len(days)) >= 50).astype(float)[:, None]
    stepped = yearly_amplitudes(days, values + 9 * step[:, 0], step, date(2010, 1, 1), 1)
    ratios = np.array(stepped["amplitude"]) / stepped["amplitude"][0]
    np.testing.assert_allclose(ratios, np.array(STRENGTHS) / STRENGTHS[0], rtol=0.15)


def test_few_years_have_no_yearly_strength():
    none = np.empty((0, 0))
    for years, known in ((5, False), (6, True)):
        days, values = seasons(STRENGTHS[:years])
        found = yearly_amplitudes(days, values, np.empty((len(days), 0)), date(2010, 1, 1), 1)
        assert (found is not None) == known
    assert yearly_amplitudes(days, values, none, date(2010, 1, 1), 0) is None


def test_a_year_with_few_values_is_left_out():
    """Of the third of eight years four months are there, of the sixth seven: half of the usual number is six."""
    days, values = seasons(STRENGTHS[:8])
    number = ((days - 40) // YEAR).astype(int)
    month = np.arange(len(days)) % 12
    kept = ~((number == 2) & (month >= 4)) & ~((number == 5) & (month >= 7))
    found = yearly_amplitudes(days[kept], values[kept], np.empty((kept.sum(), 0)), date(2010, 1, 1), 1)
    assert found["years"] == [2010, 2011, 2013, 2014, 2015, 2016, 2017]
    assert len(found["amplitude"]) == 7
