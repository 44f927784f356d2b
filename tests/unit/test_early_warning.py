"""The parts of early warning: windows, surrogates with gaps, other treatments, verdicts and sentences."""

from dataclasses import replace

import numpy as np
import pytest

import slow
from planted import assert_same
from tigerbush.analysis.detrend import stl_operator
from tigerbush.analysis.early_warning import (
    Record,
    Treatment,
    Windows,
    refusal,
    sensitivity,
    spread_of_draws,
    trends_of_indicators,
    verdicts,
)

STEP = 365.2425 / 12
# from period 3 to 50: 48 periods, 45 values
PLACES = np.delete(np.arange(3, 51), [5, 6, 30])
DAYS = PLACES * STEP + np.random.default_rng(1).uniform(0, 8, 45)
VALUES = np.random.default_rng(0).gamma(2, 1, 45).cumsum() / 9 + np.sin(PLACES * 0.52)
RECORD = Record(VALUES, DAYS, PLACES, STEP)


@pytest.mark.parametrize(
    ("window", "width"),
    # of 48 periods; halves to even; at least 3, at most all
    [(0.5, 24), (0.3, 14), (0.51, 24), (0.5209, 25), (0.03, 3), (0.0, 3), (1.0, 48), (1.4, 48)],
)
def test_a_window_is_a_share_of_the_periods_from_the_first_value_to_the_last(window, width):
    windows = Windows(RECORD, Treatment(window))
    assert windows.width == width
    assert windows.ends.tolist() == list(range(3 + width - 1, 51))


def test_half_periods_are_rounded_to_even():
    for steps, width in ((45, 22), (47, 24)):
        places = np.arange(7, 7 + steps)
        assert Windows(Record(np.ones(steps), places * STEP, places, STEP), Treatment(0.5)).width == width


def test_the_treatment_unless_another_is_named():
    assert Treatment() == Treatment(window=0.5, bandwidth=0.3, harmonics=2, detrending="gaussian")
    windows = Windows(RECORD, Treatment())
    assert windows.width == 24
    np.testing.assert_allclose(windows.operator @ VALUES, slow.detrended(DAYS, VALUES, 0.3, 2), atol=1e-10)


def test_each_way_of_detrending():
    expected = {
        "gaussian": slow.detrended(DAYS, VALUES, 0.2, 1),
        "none": VALUES - VALUES.mean(),
        "stl": stl_operator(PLACES, 12) @ VALUES,
    }
    for detrending, residual in expected.items():
        windows = Windows(RECORD, Treatment(0.5, 0.2, 1, detrending))
        np.testing.assert_allclose(windows.operator @ VALUES, residual, atol=1e-10)
        assert windows.harmonics == (0 if detrending == "none" else 1)
        indicators = windows.indicators(np.vstack([VALUES, VALUES[::-1]]), ["variance", "lag2"])
        expected_two = slow.indicators(
            np.vstack([residual, windows.operator @ VALUES[::-1]]),
            PLACES.tolist(),
            DAYS,
            24,
            STEP,
            indicators,
        )
        assert list(indicators) == ["variance", "lag2"]
        for name, values in indicators.items():
            np.testing.assert_allclose(values, expected_two[name], rtol=1e-8, atol=1e-12)
    # two years bear harmonics, a shorter record none
    assert Windows(Record(VALUES[:20], DAYS[:20], PLACES[:20], STEP), Treatment()).harmonics == 0


@pytest.mark.parametrize(("step", "period"), [(365.2425 / 24, 24), (200.0, 2), (500.0, 2)])
def test_the_period_of_stl_is_a_year_of_dates(step, period):
    places = np.arange(60)
    record = Record(np.ones(60), places * step, places, step)
    operator = Windows(record, Treatment(detrending="stl")).operator
    np.testing.assert_allclose(operator, stl_operator(places, period), atol=1e-12)


def test_many_series_are_done_in_parts_and_in_order():
    places = np.arange(9)
    windows = Windows(Record(np.ones(9), places * STEP, places, STEP), Treatment(0.6, detrending="none"))
    values = np.random.default_rng(0).standard_normal((2100, 9))
    taus = windows.taus(values, ["variance"])["variance"]
    for i in (0, 999, 1000, 1049, 1050, 2099):
        expected = [np.var(values[i, k : k + 5], ddof=1) for k in range(5)]
        assert taus[i] == pytest.approx(slow.tau_b(expected), abs=1e-12)
    assert taus.shape == (2100,)


def test_phase_surrogates_have_the_spectrum_of_the_filled_rest_and_the_gaps_of_the_record():
    for harmonics in (0, 2):
        surrogates = Windows(RECORD, Treatment(harmonics=harmonics)).phase_surrogates(
            3, np.random.default_rng(4)
        )
        expected = slow.phase_surrogates(
            DAYS, VALUES, PLACES.tolist(), harmonics, 3, np.random.default_rng(4)
        )
        np.testing.assert_allclose(surrogates, expected, atol=1e-11)
        assert surrogates.shape == (3, 45)


def test_an_indicator_that_no_window_bears_has_no_p():
    """Of every three periods one is there: no pair of neighbours in any window."""
    places = np.arange(0, 90, 3)
    record = Record(np.sin(places**1.5), places * STEP, places, STEP)
    random = np.random.default_rng(3)
    drawn = random.standard_normal((19, 30))
    indicators, _ = trends_of_indicators(record, Treatment(), drawn, random, ("ar1", "variance"))
    assert list(indicators) == ["ar1", "variance"]
    assert indicators["ar1"]["p"] == {"ar1": None, "phase": None}
    assert np.isnan(indicators["ar1"]["tau"]) and np.isnan(indicators["ar1"]["values"]).all()
    assert all(0 < p <= 1 for p in indicators["variance"]["p"].values())


def test_steps_and_sensors_are_taken_off_with_the_trend():
    """From the record and from both kinds of surrogates."""
    columns = np.column_stack([np.arange(45) >= 20, np.arange(45) % 3 == 0]).astype(float)
    record = replace(RECORD, values=VALUES + columns @ [40, -9], columns=columns)
    drawn = np.random.default_rng(3).standard_normal((9, 45))
    indicators, taus = trends_of_indicators(record, Treatment(), drawn, np.random.default_rng(4))
    phases = slow.phase_surrogates(
        DAYS, record.values, PLACES.tolist(), 2, 9, np.random.default_rng(4), columns
    )
    expected = slow.trends(
        VALUES, PLACES.tolist(), DAYS, STEP, drawn, phases,
        detrend=lambda series: slow.detrended(DAYS, series, 0.3, 2, columns), width=24,
    )  # fmt: skip
    for name, fields in expected.items():
        same = {"label": indicators[name]["label"], "ends": indicators[name]["ends"].tolist(), **fields}
        assert_same(indicators[name] | {"ends": same["ends"]}, same, 1e-7, name)
        direction = fields["direction"]
        assert slow.share_as_far(fields["tau"], taus[name], direction) == fields["p"]["ar1"]
    without, _ = trends_of_indicators(
        record, Treatment(), drawn, np.random.default_rng(4), ["ar1"], phase=False
    )
    assert without["ar1"]["p"] == {"ar1": indicators["ar1"]["p"]["ar1"], "phase": None}
    # after STL they are taken off before it
    stl = Windows(record, Treatment(detrending="stl")).operator @ record.values
    rest = VALUES - columns @ np.linalg.lstsq(columns, VALUES, rcond=None)[0]
    np.testing.assert_allclose(stl, stl_operator(PLACES, 12) @ rest, atol=1e-9)


def test_tau_for_other_windows_after_stl():
    table = sensitivity(RECORD, Treatment(0.5, 0.45, 2, "stl"), ["variance", "ar1"])
    residual, names = (stl_operator(PLACES, 12) @ VALUES)[None], ("variance", "ar1")
    # 12 and 18 and 24 and 30 and 36 of 48 periods
    rows = [
        slow.taus(slow.indicators(residual, PLACES.tolist(), DAYS, width, STEP, names))
        for width in (12, 18, 24, 30, 36)
    ]
    expected = {
        name: {
            "windows": [0.25, 0.375, 0.5, 0.625, 0.75],
            "bandwidths": [0.45],
            "tau": [row[name] for row in rows],
        }
        for name in ("variance", "ar1")
    }
    assert_same(table, expected)


def test_the_spread_of_draws_is_lowest_median_and_highest():
    random = np.random.default_rng(9)
    draws = [Record(VALUES + random.normal(0, 1, 45), DAYS, PLACES, STEP) for _ in range(4)]
    spread = spread_of_draws(iter(draws), Treatment(0.5, 0.2, 1), ["ar1", "variance"])
    residuals = np.vstack([slow.detrended(DAYS, draw.values, 0.2, 1) for draw in draws])
    taus = slow.taus(slow.indicators(residuals, PLACES.tolist(), DAYS, 24, STEP, ("ar1", "variance")))
    assert_same(spread, {
        name: dict(zip(("low", "median", "high"), (min(taus[name]), np.median(taus[name]), max(taus[name])), strict=True))
        for name in ("ar1", "variance")
    })  # fmt: skip


def test_what_speaks_for_slowing_down_and_what_against():
    def indicator(p, direction=1):
        return {"direction": direction, "p": {"ar1": p, "phase": 0.5}}

    evidence = verdicts({
        "at the limit": indicator(0.05), "beyond": indicator(0.051), "none": indicator(None),
        "falling": indicator(0.001, -1), "either": indicator(0.001, 0), "before": indicator(0.949),
        "against": indicator(0.95), "far against": indicator(1.0, -1),
    })  # fmt: skip
    assert evidence == {
        "slowing": ["at the limit", "falling"],
        "opposite": ["against", "far against"],
        "unclear": ["beyond", "before"],
        "contradictory": True,
    }
    assert verdicts({"one": indicator(0.01)}) == {
        "slowing": ["one"], "opposite": [], "unclear": [], "contradictory": False
    }  # fmt: skip
    assert not verdicts({"one": indicator(0.99)})["contradictory"]


def test_short_series_are_refused_with_their_number():
    assert refusal(37, 36) is None
    assert refusal(61, 60) is None
    assert refusal(60, 61) == (
        "60 dates have data, and early warning needs more than 61 (analysis.minimum_dates): so short a series proves "
        "nothing either way."
    )
    assert refusal(36, 36).startswith("36 dates have data, and early warning needs more than 36 (")
