"""The conclusion: what is asked of a record, and what follows from each answer."""

from types import SimpleNamespace

import numpy as np
import pytest

from tigerbush.analysis.assessment import Assessment, Circumstances, conclude
from tigerbush.analysis.early_warning import Record

NUMBER = 30
RAIN = np.arange(90.0).reshape(30, 3)
SENSORS = (np.arange(30) >= 9).astype(float)[:, None]
STEPS = (np.arange(30) >= 20).astype(float)[:, None]


def stub(explanations=(), hidden=(), rain=None):
    """An assessment whose answers are known; only those that are needed may be asked for."""
    return SimpleNamespace(
        explanations=lambda: iter(explanations),
        hidden=lambda: iter(hidden),
        circumstances=SimpleNamespace(rain=rain),
    )


EXPLANATIONS = [
    "platform_change", "orbit_change", "baseline_change", "sensor_change", "rain_memory", "surrogates_disagree",
]  # fmt: skip
HIDDEN = ["step", "sensor_change", "observations_trend", "noise_change", "season_change"]


@pytest.mark.parametrize("p", [0.001, 0.05])
def test_slowing_that_nothing_explains_is_a_sign(p):
    """At the level itself as well; where rain is unknown that is said, and the sign stays."""
    answers = [(code, 0.05) for code in EXPLANATIONS]
    known = conclude(stub(answers, [("step", 0.001)], RAIN), p)
    assert known == {"sign": True, "why": [], "alternatives": dict(answers)}
    unknown = conclude(stub(answers), p)
    assert unknown == {"sign": True, "why": ["rain_unknown"], "alternatives": dict(answers)}


@pytest.mark.parametrize("code", EXPLANATIONS)
def test_slowing_that_something_explains_cannot_be_told(code):
    answers = [(other, 0.0501 if other == code else 0.05) for other in EXPLANATIONS]
    for rain in (None, RAIN):
        # the unknown rain is no reason of its own
        assert conclude(stub(answers, rain=rain), 0.05) == {
            "sign": None, "why": [code], "alternatives": dict(answers)
        }  # fmt: skip


def test_all_reasons_are_named_in_order():
    answers = [("platform_change", 0.2), ("rain_memory", 0.01), ("surrogates_disagree", 0.06)]
    assert conclude(stub(answers), 0.01)["why"] == ["platform_change", "surrogates_disagree"]
    answers = [("step", 0.01), ("noise_change", 0.3), ("season_change", 0.04)]
    assert conclude(stub(hidden=answers), 0.2)["why"] == ["step", "season_change"]


def test_what_cannot_be_asked_explains_nothing():
    """A record with gaps has no spectrum; an indicator without a value has no p."""
    assert conclude(stub([("surrogates_disagree", None)], rain=RAIN), 0.01)["sign"] is True
    answers = {"step": None, "noise_change": 0.5}
    assert conclude(stub(hidden=answers.items()), 0.2) == {"sign": False, "why": [], "alternatives": answers}


@pytest.mark.parametrize("p", [0.0501, 1.0])
def test_no_slowing_is_no_sign(p):
    """Whatever would explain slowing, and whether rain is known or not."""
    answers = [(code, 0.0501) for code in HIDDEN]
    found = conclude(stub([("rain_memory", 0.9)], answers), p)
    assert found == {"sign": False, "why": [], "alternatives": dict(answers)}
    assert conclude(stub(), p) == {"sign": False, "why": [], "alternatives": {}}


@pytest.mark.parametrize("code", HIDDEN)
def test_slowing_that_something_would_feign_cannot_be_told(code):
    answers = [(other, 0.05 if other == code else 0.0501) for other in HIDDEN]
    assert conclude(stub(hidden=answers), 0.0501) == {
        "sign": None, "why": [code], "alternatives": dict(answers)
    }  # fmt: skip


class Asked(Assessment):
    """Fits nothing; what a question was asked with is written down, and the answer is its number."""

    def __init__(self, circumstances, *, found=(), noise=(-1.0, 1.0), season=0.5, weights=True, step=None):
        record = Record(
            np.zeros(NUMBER), np.arange(30.0), np.arange(30), 1.0, np.ones(NUMBER) if weights else None
        )
        super().__init__(record, 1, circumstances, lambda name: name, self.ask)
        columns = STEPS if found else np.empty((NUMBER, 0))
        self.__dict__ |= {
            "found": (list(found), columns),
            "courses": {"noise": dict(zip(("low", "high", "step"), (*noise, step), strict=True))},
            "season": None if season is None else {"p": season},
            "null": SimpleNamespace(p_phase=lambda positions, size, random: (len(positions), size, random)),
        }
        self.asked = {}

    def fit(self, columns, **options):
        return columns, options

    def ask(self, null, columns, size, random):
        fitted, options = null
        np.testing.assert_array_equal(fitted, columns)
        # as it stands in the mean, the columns in order
        self.asked[random] = columns.sum(axis=0).tolist(), options, size
        return SimpleNamespace(p=float(len(self.asked)))


def nothing():
    return np.empty((NUMBER, 0))


def test_a_plain_record_is_asked_little():
    plain = Asked(Circumstances(nothing()))
    assert list(plain.hidden()) == []
    assert list(plain.explanations()) == [("surrogates_disagree", (NUMBER, 199, "phase"))]
    # noise that may not have changed, at the bound itself; a season that has not
    for noise in ((0.0, 1.0), (-1.0, 0.0)):
        assert list(Asked(Circumstances(nothing()), noise=noise, season=None).hidden()) == []
    assert list(Asked(Circumstances(nothing(), n_obs_trends=True), weights=False).hidden()) == []


def test_what_would_feign_slowing_is_left_out_of_the_model_one_by_one():
    """30 dates: the sensor is of 21 of them, and 10 follow the step."""
    all_of_it = Asked(
        Circumstances(SENSORS, n_obs_trends=True), found=["a step"], noise=(0.1, 1.0), season=0.05
    )
    assert [code for code, _ in all_of_it.hidden()] == HIDDEN
    assert all_of_it.asked == {
        "step": ([21.0], {"steps": False}, 199),
        "sensor_change": ([10.0], {}, 199),
        "observations_trend": ([21.0, 10.0], {"weighted": False}, 199),
        "noise_change": ([21.0, 10.0], {"drifting_noise": False}, 199),
        "season_change": ([21.0, 10.0], {"drift": False}, 199),
    }
    for noise, step in (((-1.0, -0.1), None), ((-1.0, 1.0), {"index": 4, "factor": 2.0})):
        changed = Asked(Circumstances(nothing()), noise=noise, step=step)
        assert [code for code, _ in changed.hidden()] == ["noise_change"]


def test_what_may_explain_slowing_is_taken_out_of_the_mean_one_by_one():
    factors = {"platform_change": SENSORS * 0.5, "orbit_change": np.hstack([STEPS, STEPS]) * 2}
    explained = Asked(Circumstances(SENSORS, factors, RAIN), found=["a step"])
    answers = list(explained.explanations())
    assert [code for code, _ in answers] == [*factors, "rain_memory", "surrogates_disagree"]
    assert explained.asked == {
        "platform_change": ([21.0, 10.0, 10.5], {}, 199),
        "orbit_change": ([21.0, 10.0, 20.0, 20.0], {}, 199),
        "rain_memory": ([21.0, 10.0, *RAIN.sum(axis=0)], {}, 199),
    }


def test_steps_are_not_looked_for_on_request():
    record = Record(np.zeros(NUMBER), np.arange(30.0), np.arange(30), 1.0)
    still = Assessment(record, 0, Circumstances(SENSORS), lambda name: name, None, steps=False)
    steps, columns = still.found
    assert (steps, columns.shape) == ([], (30, 0))
    np.testing.assert_array_equal(still.columns, SENSORS)


@pytest.mark.parametrize(("height", "growth", "kept"), [(0.0, 0.0, 0), (2.0, 0.0, 2), (0.0, 4.0, 2)])
def test_a_measure_without_a_season_has_none_in_its_model(height, growth, kept):
    """A season that fades and comes back upside down is one as well; a sensor sees it higher by 3."""
    days, random = np.arange(75) * 30.436875, np.random.default_rng(4)
    sensors = (np.arange(75) >= 50).astype(float)[:, None]
    cycle = np.cos(2 * np.pi * np.arange(75) / 12)
    values = (
        random.standard_normal(75)
        + (height + growth * np.linspace(-0.5, 0.5, 75)) * cycle
        + 3 * sensors[:, 0]
    )
    record = Record(values, days, np.arange(75), 30.436875)
    assessment = Assessment(record, 2, Circumstances(sensors), np.random.default_rng, None, steps=False)
    assert assessment.harmonics == kept
    # level, line and sensor; sine and cosine twice, each with its drift
    assert assessment.first.test.means.shape[1] == 3 + 4 * kept
    assert (assessment.season is None) == (kept == 0)
