"""Early warning of planted records: every number of it against slow references, the dates of windows by hand."""

import zlib

import numpy as np
import pytest
import yaml
from scipy.stats import kendalltau

import planted
import slow
from fabricate import ROOT
from planted import DRAWN, STEP, assert_same, days_of, month
from tigerbush.analysis.series import read_series
from tigerbush.analysis.site import analyse_site

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"] | {
    "mode": "default",
    "primary": {"variable": "ndvi", "indicator": "variance"},
    "surrogates": 99,
    "repetitions": 3,
    "seed": 7,
}
LABELS = {
    "ar1": "autocorrelation at lag 1",
    "variance": "variance",
    "skewness": "skewness",
    "kurtosis": "excess kurtosis",
    "lag2": "autocorrelation at lag 2",
    "rate_from_ar1": "restoring rate from AR(1), 1/day",
    "rate_from_variance": "restoring rate from variance, 1/day",
    "rate_ou": "restoring rate by maximum likelihood, 1/day",
}


def random_of(*names):
    """The generator of a seed and names."""
    return np.random.default_rng([7, *(zlib.crc32(name.encode()) for name in names)])


def own_table(summary, key):
    """Of the periods that are drawn, and of all that have a key."""
    table = planted.table_of(summary, key)
    return table, [planted.indices().index(i) for i in DRAWN]


@pytest.fixture(scope="module")
def summary():
    return planted.long_summary()


@pytest.fixture(scope="module")
def warning(summary):
    settings = SETTINGS | {"observation_noise": True}
    return analyse_site(read_series(summary, "it"), settings, sites=3)["early_warning"]


@pytest.fixture(scope="module")
def record(summary):
    """Values, places and days of the series that is analysed, drawn the slow way."""
    table, rows = own_table(summary, "ndvi_mean")
    values = slow.equal_draw(table, 3, random_of("planted", "ndvi", "draw"))
    return values[rows], DRAWN, [days_of(i) for i in DRAWN]


def test_every_indicator_with_its_tests_is_that_of_the_slow_reference(warning, record, summary):
    values, places, days = record
    n_obs = planted.table_of(summary, "n_obs")
    weights = np.array([max(np.nanmean(n_obs[planted.indices().index(i)]), 1e-3) for i in DRAWN])
    shares = [0.0, 0.1, 0.25, 0.5, 1.0]
    scores = [
        slow.top(slow.Process(days, STEP, 2, share * weights.mean() / weights).scores(values[None])[:, 0])[0]
        for share in shares
    ]
    share = shares[int(np.argmax(scores))]
    assert share > 0
    reference, rate = slow.early_warning(
        values, places, days, STEP, random_of("planted", "ndvi"),
        detrend=lambda series: slow.detrended(days, series, 0.3, 2), harmonics=2, width=27, size=99,
        # 3 sites: 3 (1 + 1/2 + 1/3) / 0.05
        extra=[("variance", 110 - 99)], noise=share * weights.mean() / weights,
    )  # fmt: skip
    dates = planted.WINDOWS
    assert dates[0] == "2017-11-16" and dates[11:14] == ["2018-10-16", "2018-10-16", "2018-12-16"]
    for name, fields in reference.items():
        expected = {"label": LABELS[name], "dates": dates, **fields}
        # the moments are differences of sums
        assert_same(warning["indicators"]["ndvi"][name], expected, 1e-7, name)
    p_trend = rate.pop("p_trend_phase")
    expected = {**rate, "noise_share": share, "p_trend_phase": p_trend}
    assert_same(warning["ornstein_uhlenbeck"]["ndvi"], expected, 1e-7)
    assert p_trend is None


def test_which_variables_are_analysed(warning, summary):
    """There is no NDVI of vegetation; the other ones have the surrogates that were asked for."""
    assert list(warning) == [
        "refused", "power", "primary", "indicators", "ornstein_uhlenbeck", "sensitivity", "subsampling",
        "disagreement", "constant",
    ]  # fmt: skip
    for key in ("indicators", "ornstein_uhlenbeck", "sensitivity", "disagreement"):
        assert list(warning[key]) == ["offset50", "ndvi"]
    assert warning["refused"] is None
    assert warning["primary"] == {"variable": "ndvi", "indicator": "variance"}
    assert warning["power"] == (
        "an autocorrelation that rises from 0.3 to 0.9 is found in some 7 % of series of 36 dates."
    )
    indicators = warning["indicators"]["offset50"]
    assert {name: indicator["surrogates"] for name, indicator in indicators.items()} == dict.fromkeys(
        LABELS, 99
    )
    table, rows = own_table(summary, "offset50")
    values = slow.equal_draw(table, 3, random_of("planted", "offset50", "draw"))[rows]
    days = [days_of(i) for i in DRAWN]
    expected = slow.indicators(slow.detrended(days, values[None], 0.3, 2), DRAWN, days, 27, STEP)
    for name, indicator in indicators.items():
        assert_same(indicator["values"], expected[name][0], 1e-7, name)
        tau = kendalltau(range(28), expected[name][0]).statistic
        assert indicator["tau"] == pytest.approx(tau, abs=1e-12), name


def test_tau_for_other_windows_and_bandwidths(warning, record):
    values, places, days = record
    bandwidths = [0.1, 0.2, 0.3, 0.5, 0.75]
    residuals = np.vstack([slow.detrended(days, values, bandwidth, 2) for bandwidth in bandwidths])
    # of 54 periods: 13.5 and 20.25 and 27 and 33.75 and 40.5, halves to even
    rows = [
        slow.taus(slow.indicators(residuals, places, days, width, STEP)) for width in (14, 20, 27, 34, 40)
    ]
    expected = {
        name: {
            "windows": [0.25, 0.375, 0.5, 0.625, 0.75],
            "bandwidths": bandwidths,
            "tau": [row[name] for row in rows],
        }
        for name in LABELS
    }
    assert_same(warning["sensitivity"]["ndvi"], expected)


def test_the_spread_over_draws_and_the_trend_of_the_observations(warning, summary):
    table, rows = own_table(summary, "ndvi_mean")
    random, days = random_of("planted", "ndvi", "draw"), [days_of(i) for i in DRAWN]
    draws = np.array([slow.equal_draw(table, 3, random)[rows] for _ in range(3)])
    drawn = slow.taus(slow.indicators(slow.detrended(days, draws, 0.3, 2), DRAWN, days, 27, STEP))
    subsampling = warning["subsampling"]
    assert list(subsampling) == ["variables", "observations"] and list(subsampling["variables"]) == [
        "offset50",
        "ndvi",
    ]
    expected = {"n": 3, "repetitions": 3, "dates": 50, "left_out": 1}
    spread = {}
    for name, taus in drawn.items():
        low, median, high = sorted(taus)
        spread[name] = {"low": low, "median": median, "high": high}
    assert_same(subsampling["variables"]["ndvi"], expected | {"tau": spread})
    n_obs = planted.table_of(summary, "n_obs")
    mean = [
        (days_of(i), np.nanmean(row))
        for i, row in zip(planted.indices(), n_obs, strict=True)
        if (row >= 0).any()
    ]
    tau, p = kendalltau(*zip(*mean, strict=True))
    assert len(mean) == 51 and 0.7 < tau < 1
    assert_same(subsampling["observations"], {"tau": float(tau), "p": float(p)})


def test_what_speaks_for_slowing_and_what_against(warning):
    for variable, groups in warning["disagreement"].items():
        p = {name: indicator["p"]["ar1"] for name, indicator in warning["indicators"][variable].items()}
        directed = [name for name in LABELS if name not in ("skewness", "kurtosis")]
        slowing = [name for name in directed if p[name] <= 0.05]
        opposite = [name for name in directed if p[name] >= 0.95]
        assert groups == {
            "slowing": slowing,
            "opposite": opposite,
            "unclear": [name for name in directed if name not in slowing + opposite],
            "contradictory": bool(slowing and opposite),
        }


@pytest.fixture(scope="module")
def complete():
    """An odd number of months, of a single sub-image, whose observations never change."""
    return planted.complete_summary()


def test_a_record_without_gaps(complete):
    result = analyse_site(read_series(complete, "it"), SETTINGS)["early_warning"]
    values = planted.table_of(complete, "ndvi", lambda grey: grey * 2 / 255 - 1)[:, 0]
    places = list(range(47))
    first = planted.ordinal("2015-01-16")
    days = [planted.ordinal(month(i, 0)) - first for i in places]
    step = days[-1] / 46
    expected, rate = slow.early_warning(
        values, places, days, step, random_of("complete", "ndvi"),
        # 23.5 of 47, halves to even
        detrend=lambda series: slow.detrended(days, series, 0.3, 2), harmonics=2, width=24, size=99,
    )  # fmt: skip
    dates = [month(i, 0) for i in range(23, 47)]
    assert list(result["indicators"]) == ["ndvi"]
    for name, fields in expected.items():
        assert_same(
            result["indicators"]["ndvi"][name], {"label": LABELS[name], "dates": dates, **fields}, 1e-7, name
        )
    assert 0 < rate["p_trend_phase"] < 1
    p_trend = rate.pop("p_trend_phase")
    expected = {**rate, "noise_share": 0.0, "p_trend_phase": p_trend}
    assert_same(result["ornstein_uhlenbeck"]["ndvi"], expected, 1e-7)
    # one sub-image leaves nothing to draw
    drawn = result["subsampling"]["variables"]["ndvi"]
    assert {key: drawn[key] for key in ("n", "repetitions", "dates", "left_out")} == {
        "n": 1, "repetitions": 3, "dates": 47, "left_out": 0,
    }  # fmt: skip
    for name, fields in drawn["tau"].items():
        assert fields == dict.fromkeys(("low", "median", "high"), result["indicators"]["ndvi"][name]["tau"])
    assert result["subsampling"]["observations"] == {"tau": 0.0, "p": 1.0}
