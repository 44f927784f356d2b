"""Over sites: one table, one test for each site, and the false discovery rate among them.

A site has one pre-specified primary indicator (analysis.primary). Sub-images are not replicates: they share weather,
scenes and neighbours. There is no combined score; indicators that disagree are shown as such.
"""

import math
from collections.abc import Mapping, Sequence

from tigerbush.spreadsheet import format_table

COLUMNS = (
    "site",
    "variable",
    "indicator",
    "n_dates",
    "tau",
    "p",
    "q",
    "rejected",
    "sign",
    "why",
    "sign_among_sites",
    "family_p",
    "refused",
    "slowing",
    "opposite",
    "disagreement",
)
# of a variable that was not analysed
NOTHING = {"slowing": [], "opposite": [], "contradictory": False}
METHODS = {"by": "Benjamini-Yekutieli", "bh": "Benjamini-Hochberg"}


def surrogates_needed(tests: int, method: str, q: float) -> int:
    """Return how many surrogates a test needs to be able to be significant among others.

    The smallest p of B surrogates is 1 / (B + 1); the strictest threshold is q / (tests c), with c = 1 for `bh` and
    1 + 1/2 + ... + 1/tests for `by`.
    """
    harmonic = sum(1 / i for i in range(1, tests + 1)) if method == "by" else 1
    return math.ceil(tests * harmonic / q)


def compare(analyses: Sequence[Mapping], method: str, q: float) -> dict:
    """Compare sites by their primary indicator.

    Parameters
    ----------
    analyses : sequence of dict
        analysis.json of each site.
    method : {"by", "bh"}
        Benjamini-Yekutieli holds under any dependence, as of sites that share their weather.
    q : float
        False discovery rate.

    Returns
    -------
    dict
        method, q, n_tests, rows (`COLUMNS`): p of the primary test, q adjusted, rejected (q is small enough); sign, why
        and family_p as the site's own analysis has them; sign_among_sites (a sign that is rejected as well). None where
        refused.
    """
    rows = [_row(analysis) for analysis in analyses]
    tested = [row for row in rows if row["p"] is not None]
    if tested:
        from scipy.stats import false_discovery_control

        adjusted = false_discovery_control([row["p"] for row in tested], method=method)
        for row, own in zip(tested, adjusted.tolist(), strict=True):
            row |= {"q": own, "rejected": own <= q, "sign_among_sites": bool(row["sign"]) and own <= q}
    return {"method": METHODS[method], "q": q, "n_tests": len(tested), "rows": rows}


def _row(analysis: Mapping) -> dict:
    warning = analysis["early_warning"]
    primary = warning["primary"]
    # a falling rate is no trend of windows and has no tau
    indicator = warning["indicators"].get(primary["variable"], {}).get(primary["indicator"], {})
    groups = warning["disagreement"].get(primary["variable"], NOTHING)
    return {
        "site": analysis["site"],
        "variable": primary["variable"],
        "indicator": primary["indicator"],
        "n_dates": analysis["completeness"]["with_data"],
        "tau": indicator.get("tau"),
        "p": primary["p"],
        "q": None,
        "rejected": None,
        "sign": warning["sign"],
        "why": ", ".join(warning["why"]),
        "sign_among_sites": None,
        "family_p": (warning["family"] or {}).get("p"),
        "refused": warning["refused"],
        "slowing": ", ".join(groups["slowing"]),
        "opposite": ", ".join(groups["opposite"]),
        "disagreement": groups["contradictory"],
    }


def table_text(comparison: Mapping) -> str:
    """Return sites.csv: the rows of a comparison, empty where there is nothing."""
    return format_table(comparison["rows"], COLUMNS)
