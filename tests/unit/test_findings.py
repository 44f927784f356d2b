"""What an analysis found, in sentences: each as a whole, with the numbers of its fields."""

import pytest

import sentences
import sentences_of_changes
import sentences_of_methods
import sentences_of_warning
from sentences import ANALYSIS, SERIES
from sentences_of_warning import WARNING
from tigerbush.report.early_warning import changes_of_primary, conclusion, disagreement, early_warning
from tigerbush.report.findings import (
    caveats,
    coverage,
    findings,
    median_error,
)
from tigerbush.report.methods import methods, methods_over_sites
from tigerbush.report.words import number, p_value, sentence, with_minus


def test_everything_that_was_found():
    assert findings(ANALYSIS) == sentences.FOUND
    refused = ANALYSIS | {"early_warning": sentences_of_warning.REFUSED}
    assert findings(refused) == sentences.FOUND_REFUSED
    bare = {"series": {}, "changes": {}, "ndvi_threshold": None}
    assert findings(refused | bare) == [
        *sentences.RESTS_ON,
        "17 of 21 dates have data.",
        sentences.FOUND_REFUSED[-1],
    ]


@pytest.mark.parametrize(("present", "mode", "gaps", "expected"), sentences.COVERAGES)
def test_coverage(present, mode, gaps, expected):
    analysis = {
        "completeness": {"with_data": present, "dates": 9},
        "mode": mode,
        # that of a series without any date is not looked at, nor that of a second one
        "series": {
            "a": {"n": [], "gaps": [{"dates": 50}] * 5},
            "b": {"n": [4], "gaps": [{"dates": dates} for dates in gaps]},
            "c": {"n": [4], "gaps": [{"dates": 70}]},
        },
    }
    assert coverage(analysis) == expected
    assert coverage(analysis | {"series": {}}) == expected.partition(".")[0] + "."


@pytest.mark.parametrize(("fields", "sentence"), sentences_of_warning.VERDICTS)
def test_the_conclusion_is_that_of_its_fields(fields, sentence):
    p, sign, why, alternatives = fields
    warning = WARNING | {"sign": sign, "why": why, "alternatives": alternatives}
    assert conclusion(warning | {"primary": WARNING["primary"] | {"p": p}}) == sentence


@pytest.mark.parametrize(("why", "sentence"), sentences_of_warning.UNTESTED)
def test_nothing_is_concluded_without_a_test(why, sentence):
    untested = {"sign": None, "why": why, "primary": WARNING["primary"] | {"p": None, "surrogates": None}}
    assert conclusion(WARNING | untested) == sentence


def test_a_quiet_record_has_few_sentences():
    """Whatever is at its level is told, and what is above it is not."""
    season = WARNING["season"]["ndvi"] | {"p": 0.051, "yearly": {"changed_after": 2017, "p": 0.051}}
    quiet = WARNING | {
        "constant": [],
        "sensors": [],
        "steps": {"ndvi": []},
        "noise": {"ndvi": {"change": 0.2, "low": -0.1, "high": 0.4, "step": None}},
        "season": {"ndvi": season},
        "rain": {"explained": -0.004, "falling_rate": {"p": 0.05}},
        "observations": [row | {"p": 0.051} for row in WARNING["observations"]],
        "disagreement": {},
        "family": {"p": 0.0004, "variables": 1},
        "power": None,
    }
    rain = "Rain explains 0 % of the variance that season and trend leave; itself it has a growing memory (p = 0.050)."
    family = "All indicators of 1 measure together, adjusted for their number: p < 0.001."
    assert early_warning({"early_warning": quiet}) == [sentences_of_warning.TESTED, family, rain]
    calm = season | {"p": 0.05, "yearly": None}
    noise = {"change": -0.6931472, "low": -1.0986123, "high": 0.0, "step": None}
    observed = [
        {"of": name, "value": value, "p": 0.05, "first": 0.1, "last": 0.25}
        for name, value in (("sensor", "LC08"), ("relative_orbit", "R122"), ("baseline", "05.00"))
    ]
    changed = sentences_of_warning.SEASON.replace("0.031", "0.050")
    at_level = quiet | {
        "season": {"ndvi": calm},
        "noise": {"ndvi": noise},
        "rain": None,
        "observations": observed,
        "family": None,
    }
    assert early_warning({"early_warning": at_level}) == [
        sentences_of_warning.TESTED,
        changed,
        *(
            f"The share of {thing} changed from 10 % to 25 % (first and last third; p = 0.050)."
            for thing in ("sensor LC08", "relative orbit R122", "processing baseline 05.00")
        ),
    ]
    at_level["noise"]["ndvi"] = noise | {"high": -0.001}
    assert early_warning({"early_warning": at_level})[1] == (
        "The noise of NDVI changed by a factor of 0.5 over the record (0.333 to 0.999)."
    )


def test_noise_that_changed_at_once():
    step = {"date": "2019-06-16", "after": "2019-05-17", "factor": 2.4987}
    at_once = "The noise of NDVI changed by a factor of 2.5 at once between 2019-05-17 and 2019-06-16."
    noise = {"change": -0.6931472, "low": -1.0986123, "high": 0.0, "step": step}
    alone = WARNING | {"steps": {}, "season": {}, "rain": None}
    assert list(changes_of_primary(alone | {"noise": {"ndvi": noise}})) == [at_once]
    slowly = "The noise of NDVI changed by a factor of 0.5 besides, slowly (0.333 to 0.999)."
    assert list(changes_of_primary(alone | {"noise": {"ndvi": noise | {"high": -0.001}}})) == [
        at_once,
        slowly,
    ]


def test_a_variable_without_indicators_may_disagree():
    found = early_warning({"early_warning": WARNING | {"indicators": {}}})
    assert found[2:4] == sentences_of_warning.UNLABELLED


@pytest.mark.parametrize(("variable", "named", "sentence"), sentences_of_warning.POINTING)
def test_where_indicators_point(variable, named, sentence):
    groups = dict(zip(("slowing", "opposite", "unclear", "contradictory"), named, strict=True))
    labels = {name: WARNING["indicators"]["ndvi"][name] for name in ("ar1", "rate_ou")}
    assert disagreement(variable, groups, labels) == sentence


@pytest.mark.parametrize(
    ("mode", "simulated", "first"),
    [
        ("default", False, []),
        ("pyveg", False, [sentences_of_methods.PYVEG]),
        ("default", True, [sentences_of_methods.SIMULATED]),
        ("pyveg", True, [sentences_of_methods.SIMULATED, sentences_of_methods.PYVEG]),
    ],
)
def test_caveats(mode, simulated, first):
    assert caveats({"mode": mode}, simulated) == [*first, *sentences_of_methods.CAVEATS]


def test_methods():
    assert methods(ANALYSIS) == sentences_of_methods.METHODS
    sentences = [methods(ANALYSIS | {"detrending": how})[2] for how, _ in sentences_of_methods.DETRENDED]
    assert sentences == [text for _, text in sentences_of_methods.DETRENDED]
    pyveg = methods(ANALYSIS | {"configuration": ANALYSIS["configuration"] | {"mode": "pyveg"}})
    assert pyveg == [
        text
        for text in sentences_of_methods.METHODS
        if text not in (sentences_of_methods.NOT_INTERPOLATED, sentences_of_methods.TESTED)
    ]
    config = ANALYSIS["metadata"]["config"]
    for known in (None, {"composite": config["composite"]}, {"subimages": config["subimages"]}):
        assert methods(ANALYSIS | {"metadata": {"config": known}}) == sentences_of_methods.METHODS[1:]
    comparison = {"method": "Benjamini-Hochberg", "n_tests": 17, "q": 0.125}
    assert methods_over_sites(comparison) == sentences_of_methods.METHODS_OVER_SITES


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (0, "0"), (0.12345, "0.123"), (-0.0456, "−0.0456"), (999.4, "999"), (1000, "1\u202f000"),
        (-999.4, "−999"), (-1000, "−1\u202f000"), (1234567.8, "1\u202f234\u202f568"), (1e-5, "1e−5"),
        (-1.25e-5, "−1.25e−5"), (2e-12, "2e−12"), (1e-4, "0.0001"), (999.5, "1\u202f000"), (-999.6, "−1\u202f000"),
        (99.95, "100"), (-0.0, "0"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_readers(value, text):
    assert number(value) == text


def test_words_are_written_for_readers():
    assert [p_value(p) for p in (None, 0, 0.00099, 0.001, 0.0126, 1)] == [
        "–", "p < 0.001", "p < 0.001", "p = 0.001", "p = 0.013", "p = 1.000"
    ]  # fmt: skip
    assert with_minus("τ = -0.25") == "τ = −0.25"
    assert [sentence(text) for text in ("", "a B.c", "As said.", "ends so...")] == [
        "",
        "A B.c.",
        "As said.",
        "Ends so.",
    ]


@pytest.mark.parametrize(
    ("measured", "truth", "error"),
    [
        # 50 %, 20 % and 10 % off, both ways; without a number, and of a truth of nothing, there is no share
        ([1, 6, None, 3, 9, 1.1], [2, 5, 1, None, 0, 1], 0.2),
        ([3, 6], [2, 5], 0.35),
        ([-3, 0], [-2, 5], 0.75),
        ([None, 2], [1, 0], None),
        ([], [], None),
    ],
)
def test_the_median_error(measured, truth, error):
    assert median_error({"measured": measured, "truth": truth}) == (
        None if error is None else pytest.approx(error, rel=1e-12)
    )


def test_series_that_are_told():
    """Temperature and NDVI of vegetation are no findings; what is missing is left out; the order is not that of the file."""
    backwards = dict(reversed(SERIES.items()))
    assert findings(ANALYSIS | {"series": backwards})[4:7] == sentences.FOUND[4:7]
    del backwards["offset50"]
    fewer = {name: ANALYSIS["changes"][name] for name in ("total_precipitation", "ndvi")}
    assert findings(ANALYSIS | {"series": backwards, "changes": fewer, "ndvi_threshold": None})[4:7] == [
        sentences_of_changes.NDVI_CHANGE,
        sentences_of_changes.RAIN_CHANGE,
        sentences_of_warning.TESTED,
    ]
