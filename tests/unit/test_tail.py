"""p-values from few surrogates, against distributions whose tails are known."""

import numpy as np
import pytest
from scipy import stats

from tigerbush.analysis.tail import exponential_tail, significance


def test_a_p_that_is_not_small_is_a_share():
    surrogates = np.arange(99.0)
    # 90 to 98 and the record itself
    found = significance(90.0, surrogates, 1)
    assert (found.p, found.surrogates) == (pytest.approx(0.1), 99)
    # of a share of 100, relative: the root of 0.9 / (0.1 x 100)
    assert (found.low, found.high) == pytest.approx((0.1 * np.exp(-1.96 * 0.3), 0.1 * np.exp(1.96 * 0.3)))
    assert significance(8.0, surrogates, -1).p == pytest.approx(0.1)
    # either way: twice the smaller
    assert significance(90.0, surrogates, 0).p == significance(8.0, surrogates, 0).p == pytest.approx(0.2)
    everything = significance(-1.0, surrogates, 1)
    assert (everything.p, everything.low, everything.high) == (1, 1, 1)


@pytest.mark.parametrize(
    ("number", "beyond", "counted"),
    [(1999, 10, True), (1999, 9, False), (99, 1, True), (99, 0, False), (1099, 10, True), (1099, 9, False)],
)
def test_the_tail_is_continued_where_few_are_as_extreme(number, beyond, counted):
    """Where with the record itself no more than ten are, and no more than one in a hundred."""
    surrogates = stats.expon.isf((np.arange(number) + 0.5) / number)
    share = (beyond + 1) / (number + 1)
    # far beyond all others, or none
    found = significance(surrogates[beyond - 1] if beyond else 30.0, surrogates, 1)
    assert (found.p == pytest.approx(share, rel=1e-12)) is counted
    assert counted or found.p < share


def test_the_share_holds_whatever_the_tail():
    """An exponential tail of a uniform distribution would be 3 %."""
    assert exponential_tail(98.5, np.arange(99.0))[0] > 0.03
    assert significance(98.5, np.arange(99.0), 1).p == pytest.approx(0.01)


def test_a_tail_does_not_contradict_the_surrogates_that_are_as_extreme():
    """All but one of the tail are alike, so that its excess would be 2 ** 100 times as rare."""
    surrogates = np.repeat([0.0, 0.99, 1.0], [898, 100, 1])
    assert exponential_tail(1.0, surrogates)[0] < 1e-20
    found = significance(1.0, surrogates, 1)
    assert (found.p, found.high) == pytest.approx([0.002 * np.exp(-1.96 * np.sqrt(0.998 / 2))] * 2)
    assert found.low < 1e-20


def test_the_tail_written_out():
    """Of 30 surrogates the 20 largest, beyond the one before them."""
    surrogates = np.array([*np.arange(-9.0, 1.0), *np.linspace(0.5, 10, 20)])[::-1]
    total = np.linspace(0.5, 10, 20).sum()
    p, low, high = exponential_tail(15.0, surrogates)
    assert p == pytest.approx(21 / 31 * (1 + 15 / total) ** -20, rel=1e-12)
    # of the share, and of the mean of 20 exponential values
    share = 1.96 / np.sqrt(20)
    means = (stats.gamma(20).ppf([0.025, 0.975]) - 20) * 15 / total
    logs = np.log(21 / 31) - 20 * 15 / total
    assert np.log([low, high]) == pytest.approx(
        [logs - np.hypot(share, means[1]), logs + np.hypot(share, means[0])], rel=1e-9
    )


@pytest.mark.parametrize("number", [99, 200, 999])
def test_a_further_value_of_an_exponential_is_as_rare_as_its_p(number):
    """20,000 values, each among surrogates of its own: 0.1 % have a p of 0.1 % or less (99.9 % limits: 15 to 25)."""
    random = np.random.default_rng(number)
    values = random.exponential(size=20_000)
    # the p of a value among surrogates of which few are as extreme; the others cannot be that small
    extreme = np.flatnonzero(values > stats.expon.isf(0.01))
    p = [exponential_tail(values[i], random.exponential(size=number))[0] for i in extreme]
    expected = stats.poisson.interval(0.999, 20)
    assert expected[0] <= np.count_nonzero(np.array(p) <= 0.001) <= expected[1]


@pytest.mark.parametrize("chance", [1e-3, 1e-5, 1e-7])
def test_the_interval_holds_the_chance(chance):
    """Of 2000 sets of exponential surrogates, 93.5 to 96.5 %: three standard errors."""
    random = np.random.default_rng(3)
    found = [significance(stats.expon.isf(chance), random.exponential(size=999), 1) for _ in range(2000)]
    held = np.mean([one.low <= chance <= one.high for one in found])
    assert 0.935 <= held <= 0.965
    # its median is 1.04, 1.4 and 2.3 times the chance, its mean over further records the chance
    assert 0.99 < np.median([one.p for one in found]) / chance < 2.5


@pytest.mark.parametrize(
    "law", [stats.norm, stats.uniform, stats.beta(5, 5)], ids=["normal", "uniform", "bounded"]
)
def test_lighter_tails_give_a_p_that_is_too_large(law):
    random, chance = np.random.default_rng(4), 1e-4
    p = [significance(law.isf(chance), law.rvs(size=999, random_state=random), 1).p for _ in range(100)]
    assert np.median(p) > chance and np.quantile(p, 0.05) > chance / 2
    # a share could not be less
    assert np.median(p) <= 1e-3


def test_surrogates_without_a_value_are_not_extreme():
    surrogates = np.random.default_rng(5).exponential(size=999)
    gone = surrogates.copy()
    gone[np.argsort(surrogates)[:100]] = np.nan
    assert significance(12.0, gone, 1) == significance(12.0, surrogates, 1)
    assert significance(-12.0, -gone, -1) == significance(12.0, surrogates, 1)


@pytest.mark.parametrize("surrogates", [np.zeros(999), np.full(999, np.nan)], ids=["alike", "none"])
def test_a_tail_without_spread_is_counted(surrogates):
    found = significance(1.0, surrogates, 1)
    assert (found.p, found.low, found.high) == pytest.approx(
        (1e-3, 1e-3 * np.exp(-1.96 * np.sqrt(0.999)), 1e-3 * np.exp(1.96 * np.sqrt(0.999)))
    )
