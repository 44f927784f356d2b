"""The parts of the analysis that any record shares: seeds, other settings, records too short, images, what is no number."""

import json

import numpy as np
import pytest
import yaml

import planted
from fabricate import ROOT
from planted import month
from tigerbush.analysis.pattern import patch_size_series, spatial_series
from tigerbush.analysis.series import read_series
from tigerbush.analysis.site import analyse_site, without_nan
from tigerbush.report.early_warning import early_warning

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"] | {"mode": "default"}
QUICK = SETTINGS | {"surrogates": 9, "repetitions": 3}


@pytest.fixture(scope="module")
def summary():
    """Of two sub-images and 40 dates."""
    random = np.random.default_rng(2)
    vegetation = {
        month(i): [
            {"latitude": latitude, "longitude": 2.0, "ndvi_mean": float(value), "n_obs": 2.0}
            for value, latitude in zip(random.normal(0.4 + 0.1 * np.sin(i), 0.05, 2), (1.0, 1.5), strict=True)
        ]
        for i in range(40)
    }
    return planted.summary_of(vegetation, {})


def warning_of(summary, **changes):
    return analyse_site(read_series(summary, "it"), QUICK | changes)["early_warning"]


def test_a_site_gives_the_same_numbers_again_and_another_seed_or_site_others(summary):
    """Of two sub-images one is drawn, since some dates have no other."""
    drawn = planted.changed(summary, lambda vegetation: [vegetation[month(i)].pop() for i in (3, 20, 21)])
    warning = warning_of(drawn)
    assert warning_of(drawn) == warning
    named = drawn | {"metadata": drawn["metadata"] | {"coords_id": "there"}}
    others = warning, warning_of(named), warning_of(drawn, seed=8)
    taus = [result["subsampling"]["variables"]["ndvi"]["tau"]["variance"] for result in others]
    assert taus[0] != taus[1] != taus[2] != taus[0]


def test_without_equal_draws_the_mean_of_all_is_analysed(summary):
    warning = warning_of(summary, equal_n=False, detrending="stl")
    assert warning["subsampling"] is None
    # two sub-images at every date: a draw of both is the mean, but for what sums lose
    drawn = warning_of(summary, detrending="stl")
    assert drawn["subsampling"]["variables"]["ndvi"]["n"] == 2
    for name, indicator in warning["indicators"]["ndvi"].items():
        np.testing.assert_allclose(
            indicator["values"], drawn["indicators"]["ndvi"][name]["values"], rtol=1e-6
        )
    # after STL there is one bandwidth
    assert warning["sensitivity"]["ndvi"]["ar1"]["bandwidths"] == [0.3]
    assert [trend["of"] for trend in drawn["observations"]] == ["n_obs"]


def test_an_unequal_draw_is_another_record(summary):
    """A date of a single sub-image has no equal draw, but a mean."""
    lone = planted.changed(summary, lambda vegetation: vegetation[month(20)].pop())
    indicator = warning_of(lone, equal_n=False)["indicators"]["ndvi"]["ar1"]
    # 1 is half of the usual 2, so that all dates are drawn from
    drawn = warning_of(lone)["subsampling"]["variables"]["ndvi"]
    assert (drawn["n"], drawn["dates"], drawn["left_out"]) == (1, 40, 0)
    assert len(indicator["values"]) == 21


@pytest.mark.parametrize("dates", [11, 12])
def test_a_measure_needs_twelve_values(summary, dates):
    """Where no measure has as many, that is why nothing is reported."""

    def few(vegetation):
        for i, parts in enumerate(vegetation.values()):
            for part in parts:
                value = part.pop("ndvi_mean")
                part |= {"offset50": -300.0}
                if i < dates:
                    part["ndvi_veg"] = 200 * value

    changed = planted.changed(summary, few)
    for equal_n in (True, False):
        warning = warning_of(changed, equal_n=equal_n, primary={"variable": "ndvi_veg", "indicator": "ar1"})
        # what never changes is not analysed
        if dates == 12:
            assert list(warning["indicators"]) == ["ndvi_veg"] and warning["refused"] is None
            assert warning["indicators"]["ndvi_veg"]["ar1"]["surrogates"] == 9
            # one of 20 is the level, and needs as many
            assert warning["primary"]["surrogates"] == 9
        else:
            assert warning["indicators"] == {}
            assert (
                warning["refused"]
                == "no measure of the vegetation has 12 values that vary beyond their season and trend, so there is nothing to test."
            )


CONSTANT = {
    "the same number": lambda i: 0.3,
    # three thirds of it, in another order each month
    "the same number, rounded otherwise": lambda i: 0.3 * (i + 1) / 7 / (i + 1) * 7,
    "zero": lambda i: 0.0,
}


@pytest.mark.input(
    "Analysis",
    "a series that does not vary beyond its season and trend",
    "not tested; the report says so",
)
@pytest.mark.parametrize("kind", CONSTANT)
@pytest.mark.parametrize(
    "settings",
    [{}, {"equal_n": False}, {"detrending": "stl"}, {"mode": "pyveg"}],
    ids=["equal", "all", "stl", "pyveg"],
)
def test_a_measure_that_does_not_vary_is_not_tested(summary, kind, settings):
    """Its residuals are rounding, whose memory would rise like any other."""

    random = np.random.default_rng(5)

    def constant(vegetation):
        for i, parts in enumerate(vegetation.values()):
            for k, part in enumerate(parts):
                part |= {"ndvi_mean": CONSTANT[kind](i) + 0.01 * k, "offset50": random.normal()}

    warning = warning_of(planted.changed(summary, constant), **settings)
    assert list(warning["indicators"]) == ["offset50"]
    assert warning["constant"] == ["ndvi"]
    assert list(warning["ornstein_uhlenbeck"]) == [] if settings.get("mode") else ["offset50"]
    assert warning["refused"] is None
    analysis = {"early_warning": warning, "mode": settings.get("mode", "default")}
    assert (warning["sign"], warning["why"]) == (None, ["constant"])
    found = early_warning(analysis)
    assert found[0] == (
        "Nothing is concluded about slowing down: the primary measure does not vary beyond its season and trend."
    )
    assert "NDVI does not vary beyond its season and trend, and is not tested." in found[1:]


def test_a_measure_that_varies_little_is_tested(summary):
    """By a millionth, a hundred times what the rounding of a number of four digits would be in a float32."""
    random = np.random.default_rng(5)

    def little(vegetation):
        for parts in vegetation.values():
            for part in parts:
                part["ndvi_mean"] = 0.3 + 1e-6 * random.normal()

    warning = warning_of(planted.changed(summary, little))
    assert list(warning["indicators"]) == ["ndvi"] and warning["constant"] == []


def test_in_mode_pyveg_a_measure_needs_twelve_dates(summary):
    def few(vegetation):
        for i, parts in enumerate(vegetation.values()):
            for part in parts:
                part["offset50"] = 100 * part["ndvi_mean"]
                if i % 3 or i > 33:
                    del part["ndvi_mean"]

    warning = warning_of(planted.changed(summary, few), mode="pyveg")
    assert list(warning["indicators"]) == ["offset50", "ndvi"]
    # the twelve values are every third month from the first to the 34th: 33 differences, the 16th ends the first window
    assert warning["indicators"]["ndvi"]["variance"]["dates"] == [month(i) for i in range(16, 34)]
    fewer = planted.changed(
        planted.changed(summary, few),
        lambda vegetation: [part.pop("ndvi_mean") for part in vegetation[month(0)]],
    )
    assert list(warning_of(fewer, mode="pyveg")["indicators"]) == ["offset50"]


@pytest.mark.parametrize("months", [1, 2, 6])
def test_very_short_series_go_through(summary, months):
    """Of the first months, the sixth of which has no data."""

    def cut(vegetation):
        for day in list(vegetation)[months:]:
            del vegetation[day]
        if months == 6:
            vegetation[month(5)] = None

    result = analyse_site(read_series(planted.changed(summary, cut), "it"), SETTINGS)
    assert json.dumps(result, allow_nan=False)
    assert result["early_warning"]["refused"].startswith(f"{min(months, 5)} dates have data")
    assert result["detrending"]["harmonics"] == 0
    assert result["completeness"]["with_data"] == min(months, 5)


def test_observations_of_two_dates_have_no_trend(summary):
    def unknown(vegetation, known):
        for i, parts in enumerate(vegetation.values()):
            for part in parts:
                part["n_obs"] = 1.0 + i
                if i >= known:
                    del part["n_obs"]

    def trends(known):
        return warning_of(planted.changed(summary, lambda vegetation: unknown(vegetation, known)))[
            "observations"
        ]

    n_obs = {"of": "n_obs", "value": None}
    assert trends(2) == [n_obs | {"tau": 0.0, "p": 1.0, "first": 1.0, "last": 1.0}]
    # of six orders of three dates two go as far
    assert trends(3) == [n_obs | {"tau": 1.0, "p": pytest.approx(1 / 3), "first": 1.0, "last": 3.0}]
    assert trends(0) == []


def test_what_is_not_finite_becomes_null():
    assert without_nan({"a": (np.float64("nan"), np.int64(3), [float("inf"), True, "x", None]), 1: np.array([1.5, np.nan])}) == {
        "a": [None, 3, [None, True, "x", None]],
        "1": [1.5, None],
    }  # fmt: skip
    assert type(without_nan(np.int64(3))) is int and type(without_nan(np.bool_(True))) is bool


def test_the_measures_of_dates_are_arranged_as_series():
    series = spatial_series(
        [("2017-01-16", {"x": 1.0, "y": 5}), ("2017-02-15", {"x": None, "y": 6})],
        {"x": ("X", "m"), "y": ("Y", "1")},
    )
    days = ["2017-01-16", "2017-02-15"]
    assert series == {
        "x": {"label": "X", "unit": "m", "dates": days, "values": [1.0, None]},
        "y": {"label": "Y", "unit": "1", "dates": days, "values": [5, 6]},
    }


def test_patch_sizes_are_in_square_metres():
    counts = [[3, 1] + [0] * 15, [0, 4] + [1] * 15]
    sizes = patch_size_series([("2017-01-16", counts[0]), ("2017-02-15", tuple(counts[1]))], 10)
    assert sizes == {
        "unit": "m2",
        "edges": [100 * 2**k for k in range(17)],
        "dates": ["2017-01-16", "2017-02-15"],
        "counts": counts,
    }
