"""What reports say of changes, each sentence as a whole."""

import re

import pytest

import sentences_of_changes
from sentences_of_changes import CHANGES, NO_MONTHS, SHORT, compared, not_compared
from tigerbush.report.changes import (
    change_sentence,
    change_sentences,
    first_and_last,
    pattern_sentences,
    threshold_sentences,
)


@pytest.mark.parametrize(("ends", "interval", "relative", "fields", "text"), sentences_of_changes.CASES)
def test_a_change_or_a_difference(ends, interval, relative, fields, text):
    change = compared(ends, interval, relative, (None, None, None, None), why=["too_short_for_trend"])
    first, last = re.findall(r"\{(.*?)\}", text)
    means = sentences_of_changes.ENDS.format(first, last)
    after = text.partition(":")[2]
    assert change_sentence("It", change | fields) == (
        f"It averaged {means}:{after}; the record is too short for a trend test."
    )


def test_what_never_changes():
    change = compared((0.3, 0.3, 0.0), (None, None), 0.0, (None, None, None, None), why=["constant"])
    means = sentences_of_changes.ENDS.format(0.3, 0.3)
    assert change_sentence("It", change) == (
        f"It averaged {means}: a difference of 0; no value differs from another."
    )


def test_changes_of_measures():
    assert change_sentences({"series": CHANGES, "changes": CHANGES}) == sentences_of_changes.CHANGED
    short = dict.fromkeys(("ndvi", "offset50", "total_precipitation", "msavi"), not_compared("too_short"))
    short["msavi"] = not_compared("too_short_for_trend", "months_do_not_match")
    assert change_sentences({"series": short, "changes": short}) == [
        f"No change is stated of NDVI, offset50 and rain per date: {SHORT}",
        f"No change is stated of MSAVI: {NO_MONTHS}",
    ]
    # a measure without a value
    assert change_sentences({"series": CHANGES, "changes": {}}) == []


def test_changes_of_the_pattern():
    analysis = {"changes": CHANGES, "ndvi_threshold": sentences_of_changes.THRESHOLD}
    assert pattern_sentences(analysis) == sentences_of_changes.PATTERN_CHANGED
    others = {name: CHANGES[name] for name in ("ndvi", "morans_i")}
    assert pattern_sentences({"changes": others}) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [sentences_of_changes.THRESHOLD_SHOWN]),
        ({"value": None, "separability": 0.26, "why": ["one_class"]}, [sentences_of_changes.NO_THRESHOLD]),
        (
            {"value": None, "separability": None, "why": ["one_class"]},
            [sentences_of_changes.NO_THRESHOLD.replace("0.26", "–")],
        ),
        ({"value": None, "separability": None, "why": ["no_data"]}, []),
    ],
)
def test_the_threshold(fields, expected):
    assert threshold_sentences({"ndvi_threshold": sentences_of_changes.THRESHOLD | fields}) == expected


def test_cells_of_tables():
    assert [first_and_last(CHANGES.get(name)) for name in ("ndvi", "total_precipitation", "patch_count", "none")] == [
        "0.4 → 0.12 (−0.28; −0.36 to −0.2)", "0 → 31", "–", "–",
    ]  # fmt: skip
