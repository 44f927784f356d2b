"""Early warning of simulated records whose truth is known, from the summary to the sentence.

Monthly, in standard deviations of a constant site, with a season; of each kind the first record that is drawn.
"""

import numpy as np
import pytest
import yaml

import planted
from fabricate import ROOT
from planted import month
from tigerbush.analysis import assessment, steps
from tigerbush.analysis import warning as warning_module
from tigerbush.analysis.series import read_series
from tigerbush.analysis.warning import early_warning
from tigerbush.report.early_warning import conclusion

SETTINGS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["analysis"] | {
    "mode": "default", "surrogates": 39, "equal_n": False, "seed": 1,
}  # fmt: skip


def memory(course, random, deviation=1.0):
    """AR(1) of a variance of 1 (times deviation squared), the coefficient as it stands at each date."""
    course, deviation = np.asarray(course), np.broadcast_to(deviation, len(course))
    values = np.empty(len(course))
    values[0] = random.normal() * deviation[0]
    for i in range(1, len(course)):
        noise = random.normal() * np.sqrt(1 - course[i] ** 2) * deviation[i]
        values[i] = course[i] * values[i - 1] + noise
    return values


def warning_of(values, *, n_obs=None, rain=None, products=None, without=()):
    """The early warning of NDVI of a single sub-image with a season."""
    number = len(values)
    season = 2 * np.cos(2 * np.pi * np.arange(number) / 12)
    vegetation, weather = {}, {}
    for i in range(number):
        record = {"latitude": 1.0, "longitude": 2.0, "ndvi_mean": float(0.4 + 0.02 * (values[i] + season[i]))}
        if n_obs is not None:
            record["n_obs"] = float(n_obs[i])
        vegetation[month(i)] = None if i in without else [record]
        if rain is not None:
            weather[month(i)] = {"total_precipitation": float(0.05 + 0.01 * rain[i])}
    named = {month(i): [name] for i, name in enumerate(products or ())}
    series = read_series(planted.summary_of(vegetation, weather, products=named), "it")
    return early_warning(series, SETTINGS)


def random_of(seed):
    return np.random.default_rng([23, seed])


def constant(random):
    return {"values": memory([0.5] * 120, random)}


def burnt(random):
    """A fire after 70 % of the record."""
    return {"values": memory([0.5] * 120, random) - 4 * (np.arange(120) >= 84)}


def more_observations(random):
    n_obs = np.repeat([1, 3, 6], 24)
    return {
        "values": memory([0.5] * 72, random) + 2 * random.normal(size=72) / np.sqrt(n_obs),
        "n_obs": n_obs,
    }


def growing_noise(random):
    return {"values": memory([0.5] * 120, random, np.linspace(0.6, 1.5, 120))}


def rain_memory(random):
    """Rain whose own memory grows drives a site that does not change."""
    rain = memory(np.linspace(0, 0.7, 120), random)
    values = rain + 0.5 * random.normal(size=120)
    for i in range(1, 120):
        values[i] += 0.5 * values[i - 1]
    return {"values": values, "rain": rain}


@pytest.fixture(scope="module", autouse=True)
def few_surrogates():
    """Enough for a p below the level, and no more."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (assessment, warning_module):
            patch.setattr(module, "FEW", 39)
        patch.setattr(steps, "SURROGATES", 99)
        yield


KINDS = [constant, burnt, more_observations, growing_noise, rain_memory]


@pytest.fixture(scope="module")
def warnings():
    """Of a record of each kind."""
    return {kind: warning_of(**kind(random_of(0))) for kind in KINDS}


def test_nothing_that_does_not_slow_down_is_a_sign(warnings):
    for kind, warning in warnings.items():
        assert warning["sign"] is not True
        assert warning["primary"]["indicator"] == "falling_rate" and 0 < warning["primary"]["p"] <= 1
        assert (warning["rain"] is not None) == (kind is rain_memory)
        assert "rain_unknown" not in warning["why"]
        assert (warning["sign"] is None) == bool(warning["why"])
        assert set(warning["why"]) <= set(warning["alternatives"])
        assert list(warning["power"]) == ["found", "series", "ar1_first", "ar1_last", "fall"]
        assert 0 <= warning["power"]["found"] <= 1 and warning["power"]["series"] == 39


def test_what_has_changed_instead_is_told(warnings):
    # ln(2.5) is 0.92
    noise = warnings[growing_noise]["noise"]["ndvi"]
    at_once = np.log(noise["step"]["factor"]) if noise["step"] else 0
    assert noise["low"] < np.log(2.5) - at_once < noise["high"] and noise["change"] + at_once > 0
    assert warnings[rain_memory]["rain"]["explained"] > 0.5
    observed = warnings[more_observations]
    assert observed["observations"][0]["p"] < 1e-6
    assert observed["ornstein_uhlenbeck"]["ndvi"]["noise_share"] > 0


def test_a_fire_is_dated():
    """Of six deviations: the step lies between the last date before it and the first after it."""
    values = memory([0.5] * 120, random_of(0)) - 6 * (np.arange(120) >= 84)
    warning = warning_of(values)
    assert warning["sign"] is not True
    (step,) = warning["steps"]["ndvi"]
    assert (step["after"], step["date"]) == (month(83), month(84))
    # a deviation is 0.02 of NDVI
    assert step["low"] < -0.12 < step["high"] < 0 and step["low"] < step["size"] < step["high"]


def test_slowing_is_found():
    """Autocorrelation that rises from 0.3 to 0.9 over twenty years."""
    warning = warning_of(memory(np.linspace(0.3, 0.9, 240), random_of(0)))
    assert (warning["sign"], warning["why"]) == (True, ["rain_unknown"])
    assert warning["primary"]["p"] <= 0.05 and warning["family"]["p"] <= 1
    assert warning["power"]["found"] > 0.3
    assert conclusion(warning).endswith(
        "That is a sign of slowing down. Rain is not known here, and its memory cannot be excluded as the cause."
    )


def test_a_change_of_sensors_is_in_the_mean():
    """Landsat 5 sees NDVI four deviations lower than Landsat 8; a step of the sensors is none of the site."""
    random = random_of(0)
    products = [f"{'LT05' if i < 70 else 'LC08'}_L2SP_198047_20100110_20200909_02_T1" for i in range(120)]
    values = memory([0.5] * 120, random) + 4 * (np.arange(120) >= 70)
    warning = warning_of(values, products=products)
    assert warning["sign"] is not True
    near = [step for step in warning["steps"]["ndvi"] if month(67) <= step["date"] <= month(73)]
    assert near == []
    trend = {(row["of"], row["value"]): row for row in warning["observations"]}
    assert trend["sensor", "LC08"]["first"] == 0 and trend["sensor", "LC08"]["last"] == 1
