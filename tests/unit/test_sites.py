"""The comparison of sites: each field of each row, and the table of them."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from tigerbush.analysis.sites import compare, table_text

COLUMNS = (
    "site,variable,indicator,n_dates,tau,p,p_low,p_high,q,rejected,uncertain,sign,why,sign_among_sites,family_p,refused,slowing,opposite,"
    "disagreement"
)


def analysis_of(
    site, p, *, dates=60, refused=None, slowing=(), opposite=(), contradictory=False, sign=False, why=()
):
    """The part of analysis.json that a comparison reads, with an indicator and a variable beside that are no tests."""
    beside = {"tau": -0.9, "p": {"ar1": 1e-9, "phase": 1e-9}}
    # the test has surrogates of its own
    tested = {} if p is None else {"lag2": {"tau": p / 2, "p": {"ar1": 1.1 * p, "phase": 0.77}}}
    groups = {"slowing": list(slowing), "opposite": list(opposite), "contradictory": contradictory}
    return {
        "site": site,
        "completeness": {"with_data": dates, "dates": 99},
        "early_warning": {
            "refused": refused,
            "sign": None if p is None else sign,
            "why": list(why),
            "family": None if p is None else {"p": 2 * p, "variables": 2},
            "primary": {"variable": "offset50", "indicator": "lag2"} | interval(p),
            "indicators": {"ndvi": {"lag2": beside}, "offset50": {"ar1": beside} | tested},
            "disagreement": {
                "offset50": groups,
                "ndvi": {"slowing": ["no"], "opposite": ["no"], "contradictory": True},
            },
        },
    }


def interval(p):
    """A p that may be a tenth smaller, or a quarter larger."""
    return {"p": p, "p_low": p and 0.9 * p, "p_high": p and 1.25 * p}


def row(site, p=None, **fields):
    return {
        "site": site, "variable": "offset50", "indicator": "lag2", "n_dates": 60, "tau": None, **interval(p), "q": None,
        "rejected": None, "uncertain": None, "sign": None, "why": "", "sign_among_sites": None, "family_p": None, "refused": None, "slowing": "", "opposite": "", "disagreement": False,
    } | fields  # fmt: skip


@pytest.fixture(scope="module")
def analyses():
    short = analysis_of("b", None, dates=30, refused="too short", why=["too_short"])
    short["early_warning"] |= {"indicators": {}, "disagreement": {}}
    without = analysis_of("d", None, why=["no_value"])
    without["early_warning"]["family"] = {"p": 0.3, "variables": 1}
    return [
        analysis_of(
            "a", 0.04, slowing=["lag2", "ar1"], opposite=["variance"], contradictory=True, sign=True,
            why=["rain_unknown"],
        ),
        short,
        analysis_of("c", 0.01, dates=61, opposite=["rate_ou"], sign=True),
        without,
        analysis_of(
            "e", 0.03, dates=62, slowing=["skewness"], sign=None, why=["rain_memory", "surrogates_disagree"]
        ),
        analysis_of("f", None, dates=63),
    ]  # fmt: skip


def test_a_row_for_each_site(analyses):
    """Three are tested: p of 0.01, 0.03 and 0.04 become 0.03, 0.045 and so 0.04, and 0.04.

    A p of 0.0125, which 0.01 may be, becomes 0.0375, above the level; of 0.036, which 0.04 may be, no less than 0.036.
    """
    comparison = compare(analyses, "bh", 0.035)
    rows = comparison.pop("rows")
    assert comparison == {"method": "Benjamini-Hochberg", "q": 0.035, "n_tests": 3}
    q = [rows[i].pop("q") for i in (0, 2, 4)]
    assert q == pytest.approx([0.04, 0.03, 0.04], rel=1e-12)
    contradictory = {"slowing": "lag2, ar1", "opposite": "variance", "disagreement": True}
    expected = [
        row(
            "a", tau=0.02, p=0.04, rejected=False, uncertain=False, sign=True, why="rain_unknown", sign_among_sites=False,
            family_p=0.08, **contradictory,
        ),
        row("b", n_dates=30, why="too_short", refused="too short"),
        row(
            "c", n_dates=61, tau=0.005, p=0.01, rejected=True, uncertain=True, sign=True, sign_among_sites=True, family_p=0.02,
            opposite="rate_ou",
        ),
        row("d", why="no_value", family_p=0.3),
        row(
            "e", n_dates=62, tau=0.015, p=0.03, rejected=False, uncertain=False, why="rain_memory, surrogates_disagree",
            sign_among_sites=False, family_p=0.06, slowing="skewness",
        ),
        row("f", n_dates=63),
    ]  # fmt: skip
    for i in (0, 2, 4):
        del expected[i]["q"]
    assert rows == expected


def test_under_any_dependence_there_is_a_factor(analyses):
    comparison = compare(analyses, "by", 0.1)
    assert (comparison["method"], comparison["n_tests"]) == ("Benjamini-Yekutieli", 3)
    # 1 + 1/2 + 1/3
    assert [site["q"] for site in comparison["rows"]] == [
        pytest.approx(0.04 * 11 / 6), None, pytest.approx(0.03 * 11 / 6), None, pytest.approx(0.04 * 11 / 6), None
    ]  # fmt: skip
    assert [site["rejected"] for site in comparison["rows"]] == [True, None, True, None, True, None]
    assert [site["uncertain"] for site in comparison["rows"]] == [False, None, False, None, False, None]
    # the last of the three has no sign of its own
    signs = [site["sign_among_sites"] for site in comparison["rows"]]
    assert signs == [True, None, True, None, False, None]


def test_an_analysis_of_an_earlier_release_has_no_interval():
    analysis = analysis_of("a", 0.01, sign=True)
    for key in ("p_low", "p_high"):
        del analysis["early_warning"]["primary"][key]
    (found,) = compare([analysis], "bh", 0.05)["rows"]
    assert (found["p"], found["p_low"], found["p_high"]) == (0.01, None, None)
    assert (found["rejected"], found["uncertain"]) == (True, None)


def test_a_falling_rate_has_no_tau():
    analysis = analysis_of("a", 0.01, sign=True)
    analysis["early_warning"]["primary"]["indicator"] = "falling_rate"
    (found,) = compare([analysis], "bh", 0.05)["rows"]
    assert (found["indicator"], found["tau"], found["sign_among_sites"]) == ("falling_rate", None, True)


@pytest.mark.parametrize(("method", "name"), [("by", "fdr_by"), ("bh", "fdr_bh")])
def test_false_discoveries_are_those_of_statsmodels(method, name):
    p = [0.03, 0.0005, 0.9, 0.02, 0.004, 0.2]
    comparison = compare([analysis_of(f"s{i}", value) for i, value in enumerate(p)], method, 0.05)
    rejected, adjusted, *_ = multipletests(p, 0.05, name)
    assert [value["rejected"] for value in comparison["rows"]] == rejected.tolist()
    assert 0 < sum(rejected) < 6
    np.testing.assert_allclose([value["q"] for value in comparison["rows"]], adjusted, rtol=1e-12)


@pytest.mark.parametrize(("q", "rejected"), [(0.25, True), (0.2499, False)])
def test_a_sign_at_the_level_itself_counts(q, rejected):
    assert compare([analysis_of("a", 0.25)], "bh", q)["rows"][0]["rejected"] is rejected


def test_nothing_may_be_compared():
    assert compare([], "by", 0.05) == {"method": "Benjamini-Yekutieli", "q": 0.05, "n_tests": 0, "rows": []}
    assert compare([analysis_of("f", None, dates=63)], "by", 0.05)["rows"] == [row("f", n_dates=63)]


def test_the_table():
    rows = [
        row(
            "a",
            tau=-0.25,
            p=0.5,
            q=0.75,
            rejected=False,
            uncertain=True,
            sign=True,
            why="rain_memory, step",
            sign_among_sites=False,
            family_p=0.125,
            slowing="ar1, lag2",
            opposite="variance",
            disagreement=True,
        ),
        row("b", n_dates=30, refused="too short, <b>"),
    ]
    assert table_text({"rows": rows, "method": "of no matter"}).splitlines() == [
        COLUMNS,
        'a,offset50,lag2,60,-0.25,0.5,0.45,0.625,0.75,False,True,True,"rain_memory, step",False,0.125,,"ar1, lag2",variance,True',
        'b,offset50,lag2,30,,,,,,,,,,,,"too short, <b>",,,False',
    ]
