"""What a report says of a site's pattern and of its spatial early warning: whole sentences, from fields."""

import pytest

from test_report import ANALYSIS, lines_of, report_of
from tigerbush.report.findings import findings
from tigerbush.report.pattern import pattern_found, spatial_warning_found

SPOTS = {
    "pattern": "spots",
    "reason": None,
    "dates": 30,
    "classified": 27,
    "classes": {"labyrinths": 9, "none": 2, "spots": 16},
    "reasons": {"no_peak": 2},
    "first": "labyrinths",
    "last": "spots",
    "contrast": {"limit": 1.0, "median": 8.0, "hidden": []},
    "wavelength": {"dates": 25, "median": 104.6},
    "offset50_low_contrast": {},
}
FOUND = (
    "The pattern is classed as spots on 16 of 27 dates; its median wavelength is 105 m (25 dates).",
    "Its most frequent class is labyrinths in the first third of these dates and spots in the last.",
)
NONE = {
    "pattern": "none",
    "reason": "no_peak",
    "classes": {"none": 20, "gaps": 3},
    "reasons": {"contrast": 6, "no_peak": 14},
    "classified": 23,
    "first": "none",
    "last": "gaps",
}


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({}, FOUND),
        ({"last": "labyrinths"}, FOUND[:1]),
        ({"first": None, "last": None, "wavelength": {"dates": 1, "median": 1234}, "classified": 1, "classes": {"spots": 1}},
         ["The pattern is classed as spots on 1 of 1 date; its median wavelength is 1\u202f234 m (1 date)."]),
        (NONE,
         ["The site has no regular pattern: on 20 of 23 dates there is none, most often because no wavelength stands out of "
          "longer ones (14)."]),
        (NONE | {"reason": "contrast", "reasons": {"contrast": 20}},
         ["The site has no regular pattern: on 20 of 23 dates there is none, most often because NDVI stands out of its noise "
          "by less than the limit of contrast (20)."]),
        (NONE | {"reason": "constant", "reasons": {"constant": 20}},
         ["The site has no regular pattern: on 20 of 23 dates there is none, most often because NDVI is constant (20)."]),
        ({"pattern": None, "classified": 0, "classes": {}, "first": None, "last": None},
         ["Whether the site has a pattern cannot be told: on each date more than a quarter of the pixels are masked."]),
        ({"dates": 0}, []),
        ({"offset50_low_contrast": {"2020-01-16": [{}, {}], "2020-03-16": [{}]}},
         [*FOUND, "On 2 of 30 dates offset50 of some sub-images (3 in all) rests on too little contrast: it describes noise."]),
    ],
)  # fmt: skip
def test_the_pattern(changes, sentences):
    assert pattern_found(SPOTS | changes) == list(sentences)


def test_an_analysis_without_images_says_nothing():
    assert pattern_found({}) == pattern_found(None) == []
    assert spatial_warning_found({}) == spatial_warning_found(None) == []


def trend(tau=0.4, p=0.01, adjusted=0.02, reason=None):
    return {"tau": tau, "p": p, "p_adjusted": adjusted, "reason": reason}


def indicator(label, found):
    nulls = {"permuted": {"z": [3.0, 2.0], "p": [0.01, 0.1]}}
    days = ["2020-01-16", "2020-02-15"]
    return {"label": label, "unit": "m", "dates": days, "values": [1.0, 2.0], "nulls": nulls, "trend": found}


WARNING = {
    "level": 0.05,
    "indicators": {
        "a": indicator("length of paths", trend()),
        "b": indicator("ratio", trend(-0.5, 0.0004, 0.0012)),
        "c": indicator("area", trend(0.1, 0.4, 0.4)),
        "d": indicator("same", trend(None, None, None, "constant")),
    },
    "rising": ["a"],
    "falling": ["b"],
}
CAUTION = " Rain and the number of observations change them as well: this alone is no warning."


@pytest.mark.parametrize(
    ("rising", "falling", "clause"),
    [
        (["a"], ["b"], "1 rises (length of paths) and 1 falls (ratio) over the dates, at 5 % for all of them together." + CAUTION),
        (["a", "c"], [], "2 rise (length of paths, area) over the dates, at 5 % for all of them together." + CAUTION),
        ([], ["b", "a"], "2 fall (ratio, length of paths) over the dates, at 5 % for all of them together." + CAUTION),
        ([], [], "none has a trend over the dates, at 5 % for all of them together."),
    ],
)  # fmt: skip
def test_spatial_indicators(rising, falling, clause):
    warning = WARNING | {"rising": rising, "falling": falling}
    assert spatial_warning_found(warning) == [f"Of 3 spatial indicators, {clause}"]


@pytest.mark.parametrize(
    ("reasons", "clause"),
    [
        (["too_short"] * 4, "fewer than 12 dates have one"),
        (
            ["undefined", "constant"] * 2,
            "an indicator does not change; an indicator is not defined on every date",
        ),
    ],
)
def test_nothing_could_be_tested(reasons, clause):
    indicators = {
        name: row | {"trend": trend(None, None, None, reason)}
        for (name, row), reason in zip(WARNING["indicators"].items(), reasons, strict=True)
    }
    assert spatial_warning_found(WARNING | {"indicators": indicators}) == [
        f"Trends of spatial indicators are not tested: {clause}."
    ]


def test_the_report_shows_them():
    dates = {
        "2020-01-16": {"reason": None, "wavelength_reason": None, "class": "spots"},
        "2020-02-15": {"reason": None, "wavelength_reason": "masked", "class": None},
        "2020-03-16": {"reason": "contrast", "wavelength_reason": "contrast", "class": "none"},
        "2020-04-16": {"reason": None, "wavelength_reason": "masked", "class": None},
    }
    fields = {"spatial_dates": dates, "spatial_summary": SPOTS, "spatial_warning": WARNING}
    before, lines = lines_of(report_of(ANALYSIS)), lines_of(report_of(ANALYSIS | fields))
    assert [line for line in lines if line not in before] == [
        f"- {FOUND[0]}",
        f"- {FOUND[1]}",
        "- Of 3 spatial indicators, 1 rises (length of paths) and 1 falls (ratio) over the dates, at 5 % for all of them "
        "together." + CAUTION,
        "table: Dates without a wavelength",
        "why | dates",
        "more than a quarter of the pixels are masked | 2020-02-15, 2020-04-16",
        "NDVI stands out of its noise by less than the limit of contrast | 2020-03-16",
        "### Spatial early warning",
        "[spatial_warning] Spatial indicators of each date: length of paths, ratio, area, same.",
        "figure: Filled: differs (p of 0.05 or less) from random fields of the same spectrum, or, where these have the same "
        "value by construction, from the same pixels at random places.",
        "table: Trends over the dates, against series without a trend that have the same memory; adjusted (Holm) for the "
        "number of indicators",
        "indicator | τ | p | adjusted",
        "length of paths | 0.4 | p = 0.010 | p = 0.020",
        "ratio | −0.5 | p < 0.001 | p = 0.001",
        "area | 0.1 | p = 0.400 | p = 0.400",
        "same | – | – | –",
    ]
    assert [line for line in before if line not in lines] == []
    said = [sentence for sentence in findings(ANALYSIS | fields) if sentence not in findings(ANALYSIS)]
    assert len(said) == 3
