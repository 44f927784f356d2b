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
from tigerbush.analysis import warning as module
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
def analysed(summary):
    """The warning, and for each variable the record and the surrogates that its indicators were made of."""
    given = []

    def trends(record, treatment, surrogates, *others, **options):
        given.append((record, surrogates))
        return original(record, treatment, surrogates, *others, **options)

    original = module.trends_of_indicators
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "trends_of_indicators", trends)
        result = analyse_site(read_series(summary, "it"), SETTINGS)["early_warning"]
    return result, given


@pytest.fixture(scope="module")
def warning(analysed):
    return analysed[0]


@pytest.fixture(scope="module")
def record(summary):
    """Values, places and days of the series that is analysed, drawn the slow way."""
    table, rows = own_table(summary, "ndvi_mean")
    values = slow.equal_draw(table, 3, random_of("planted", "ndvi", "draw"))
    return values[rows], DRAWN, [days_of(i) for i in DRAWN]


def columns_of(warning, variable):
    """What is in the mean besides trend and season: 1 from each step on."""
    steps = [step["date"] for step in warning["steps"][variable]]
    return np.array([[float(month(i) >= day) for day in steps] for i in DRAWN]).reshape(len(DRAWN), -1)


def same_indicators(result, values, places, days, step, surrogates, columns, *, name, width, dates):
    """Those of the slow reference, whose surrogates are the ones of the null model."""
    phases = slow.phase_surrogates(days, values, places, 2, 99, random_of(name, "ndvi", "phases"), columns)
    reference = slow.trends(
        values, places, days, step, surrogates, phases,
        detrend=lambda series: slow.detrended(days, series, 0.3, 2, columns), width=width,
    )  # fmt: skip
    for indicator, fields in reference.items():
        expected = {"label": LABELS[indicator], "dates": dates, **fields}
        # the moments are differences of sums
        assert_same(result[indicator], expected, 1e-7, indicator)


def test_every_indicator_with_its_tests_is_that_of_the_slow_reference(analysed, record, summary):
    warning, given = analysed
    values, places, days = record
    used, surrogates = given[1]
    np.testing.assert_allclose(used.values, values, rtol=1e-12)
    np.testing.assert_allclose(used.days, days, rtol=1e-12)
    n_obs = planted.table_of(summary, "n_obs")
    weights = [max(np.nanmean(n_obs[planted.indices().index(i)]), 1e-3) for i in DRAWN]
    np.testing.assert_allclose(used.weights, weights, rtol=1e-12)
    columns = columns_of(warning, "ndvi")
    np.testing.assert_array_equal(used.columns, columns)
    dates = planted.WINDOWS
    assert dates[0] == "2017-11-16" and dates[11:14] == ["2018-10-16", "2018-10-16", "2018-12-16"]
    same_indicators(
        warning["indicators"]["ndvi"], values, places, days, STEP, surrogates, columns,
        name="planted", width=27, dates=dates,
    )  # fmt: skip
    rate = warning["ornstein_uhlenbeck"]["ndvi"]
    share = rate["noise_share"]
    assert share in (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
    noise = share * np.mean(weights) / np.array(weights)
    means = np.column_stack([slow.regressors(days, 2, 1, drift=True), columns])
    process = slow.Process(days, STEP, means, noise)
    expected = slow.fit_site(process, values, 99, random_of("planted", "ndvi", "rate"))
    assert_same({key: rate[key] for key in expected}, expected, 1e-6)
    assert list(rate) == [
        *expected, "trend", "trend_low", "trend_high", "trend_unit", "evidence", "p_trend", "noise_share",
        "season_spread",
    ]  # fmt: skip


def test_which_variables_are_analysed(warning, summary):
    """There is no NDVI of vegetation; the other ones have the surrogates that were asked for."""
    assert list(warning) == [
        "sign", "why", "alternatives", "refused", "primary", "family", "power", "indicators", "ornstein_uhlenbeck",
        "steps", "noise", "season", "sensors", "rain", "observations", "sensitivity", "subsampling", "disagreement",
        "constant",
    ]  # fmt: skip
    for key in (
        "indicators", "ornstein_uhlenbeck", "sensitivity", "disagreement", "steps", "noise", "season"
    ):  # fmt: skip
        assert list(warning[key]) == ["offset50", "ndvi"]
    assert (warning["refused"], warning["constant"]) == (None, [])
    assert warning["family"]["variables"] == 2 and 0 < warning["family"]["p"] <= 1
    primary = dict(warning["primary"])
    p, low, high = (primary.pop(key) for key in ("p", "p_low", "p_high"))
    assert primary == {"variable": "ndvi", "indicator": "variance", "surrogates": 99}
    assert (p * 100) % 1 == pytest.approx(0, abs=1e-9) or p * 100 % 1 > 1 - 1e-9
    assert 0 < low < p < high <= 1
    # it is that of the falling rate, which is not the primary test here
    assert warning["power"] is None
    indicators = warning["indicators"]["offset50"]
    assert {name: indicator["surrogates"] for name, indicator in indicators.items()} == dict.fromkeys(
        LABELS, 99
    )
    table, rows = own_table(summary, "offset50")
    values = slow.equal_draw(table, 3, random_of("planted", "offset50", "draw"))[rows]
    days = [days_of(i) for i in DRAWN]
    columns = columns_of(warning, "offset50")
    expected = slow.indicators(slow.detrended(days, values[None], 0.3, 2, columns), DRAWN, days, 27, STEP)
    for name, indicator in indicators.items():
        assert_same(indicator["values"], expected[name][0], 1e-7, name)
        tau = kendalltau(range(28), expected[name][0]).statistic
        assert indicator["tau"] == pytest.approx(tau, abs=1e-12), name


def test_tau_for_other_windows_and_bandwidths(warning, record):
    values, places, days = record
    bandwidths = [0.1, 0.2, 0.3, 0.5, 0.75]
    columns = columns_of(warning, "ndvi")
    residuals = np.vstack([slow.detrended(days, values, bandwidth, 2, columns) for bandwidth in bandwidths])
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
    assert list(subsampling) == ["variables"] and list(subsampling["variables"]) == ["offset50", "ndvi"]
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
    # of 51 dates the first and the last 17
    first, last = (
        float(np.mean([value for _, value in mean[part]])) for part in (slice(17), slice(-17, None))
    )
    assert_same(
        warning["observations"],
        [{"of": "n_obs", "value": None, "tau": float(tau), "p": float(p), "first": first, "last": last}],
    )


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
    given = []

    def trends(record, treatment, surrogates, *others, **options):
        given.append((record, surrogates))
        return original(record, treatment, surrogates, *others, **options)

    original = module.trends_of_indicators
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "trends_of_indicators", trends)
        result = analyse_site(read_series(complete, "it"), SETTINGS)["early_warning"]
    values = planted.table_of(complete, "ndvi", lambda grey: grey * 2 / 255 - 1)[:, 0]
    places = list(range(47))
    first = planted.ordinal("2015-01-16")
    days = [planted.ordinal(month(i, 0)) - first for i in places]
    dates = [month(i, 0) for i in range(23, 47)]
    (used, surrogates), *_ = given
    # observations that never change tell nothing of their noise
    assert used.weights is None and result["ornstein_uhlenbeck"]["ndvi"]["noise_share"] == 0
    assert list(result["indicators"]) == ["ndvi"]
    steps = [
        month(i, 0) for i in places if any(step["date"] == month(i, 0) for step in result["steps"]["ndvi"])
    ]
    columns = np.array([[float(month(i, 0) >= day) for day in steps] for i in places]).reshape(47, -1)
    # 23.5 of 47, halves to even
    same_indicators(
        result["indicators"]["ndvi"], values, places, days, days[-1] / 46, surrogates, columns,
        name="complete", width=24, dates=dates,
    )  # fmt: skip
    # one sub-image leaves nothing to draw
    drawn = result["subsampling"]["variables"]["ndvi"]
    assert {key: drawn[key] for key in ("n", "repetitions", "dates", "left_out")} == {
        "n": 1, "repetitions": 3, "dates": 47, "left_out": 0,
    }  # fmt: skip
    assert result["observations"] == [
        {"of": "n_obs", "value": None, "tau": 0.0, "p": 1.0, "first": 3.0, "last": 3.0}
    ]
