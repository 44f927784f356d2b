"""Over sites: one table, one test for each site, and the false discovery rate among them.

A site has one pre-specified primary indicator (analysis.primary). Sub-images are not replicates: they share weather,
scenes and neighbours. There is no combined score; indicators that disagree are shown as such.
"""

from collections.abc import Iterable, Mapping

from tigerbush.spreadsheet import format_table

COLUMNS = (
    "site",
    "variable",
    "indicator",
    "n_dates",
    "tau",
    "p",
    "p_low",
    "p_high",
    "q",
    "rejected",
    "uncertain",
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


def compare(analyses: Iterable[Mapping], method: str, q: float) -> dict:
    """Compare sites by their primary indicator.

    Parameters
    ----------
    analyses : iterable of dict
        analysis.json of each site; of thousands, one at a time.
    method : {"by", "bh"}
        Benjamini-Yekutieli holds under any dependence, as of sites that share their weather.
    q : float
        False discovery rate.

    Returns
    -------
    dict
        method, q, n_tests, rows (`COLUMNS`): p of the primary test with its 95 % interval, q adjusted, rejected (q is
        small enough), uncertain (whether it is depends on the error of p); sign, why and family_p as the site's own
        analysis has them; sign_among_sites (a sign that is rejected as well). None where refused.
    """
    rows = [_row(analysis) for analysis in analyses]
    tested = [row for row in rows if row["p"] is not None]
    if tested:
        from scipy.stats import false_discovery_control

        adjusted = false_discovery_control([row["p"] for row in tested], method=method)
        for row, own in zip(tested, adjusted.tolist(), strict=True):
            row |= {"q": own, "rejected": own <= q, "sign_among_sites": bool(row["sign"]) and own <= q}
            # an analysis of an earlier release has no interval
            if row["p_low"] is not None:
                # q is proportional to p as long as the order of the sites is the same
                low, high = (own * row[key] / row["p"] for key in ("p_low", "p_high"))
                row["uncertain"] = low <= q < high
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
        **{key: primary.get(key) for key in ("p", "p_low", "p_high")},
        "q": None,
        "rejected": None,
        "uncertain": None,
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
