"""A comparison of sites written by hand, and beside it what the report over sites says of it."""

from sentences import ANALYSIS, EMPTY, SERIES, listed
from sentences_of_changes import CHANGES
from sentences_of_methods import BENJAMINI, BUXTON, METHODS_OVER_SITES, OF_ALL


def row(site, dates, tau, p, q, rejected, **others):
    return {
        "site": site,
        "variable": "ndvi",
        "indicator": "ar1",
        "n_dates": dates,
        "tau": tau,
        "p": p,
        "q": q,
        "rejected": rejected,
        "uncertain": None if p is None else False,
        "sign": False if p is not None else None,
        "why": "",
        "sign_among_sites": False if p is not None else None,
        "family_p": None,
        "refused": None,
        "slowing": "",
        "opposite": "",
        "disagreement": False,
    } | others


SIGN = {"sign": True, "sign_among_sites": True}
UNKNOWN = {"sign": None, "sign_among_sites": False}
ROWS = [
    row(
        "Ansongo", 61, 0.512, 0.001, 0.0146, True, **SIGN,
        slowing="ar1, lag2", opposite="variance", disagreement=True,
    ),
    row("Bandia", 62, 0.24, 0.22, 0.733, False, slowing="ar1", why="step", **UNKNOWN),
    row("Chad", 33, None, None, None, None, why="too_short", refused="33 dates have data, more are needed"),
    row(
        "Dori", 64, 0.475, 0.0002, 0.00583, True, variable="ndvi_veg", indicator="rate_ou", opposite="lag2",
        why="rain_memory, surrogates_disagree", **UNKNOWN,
    ),
    row("Ebba", 65, None, None, None, None, variable="offset50", indicator="lag2", why="no_value"),
    row("Faya", 66, -0.33, 0.9, 1.0, False, slowing="skewness", opposite="kurtosis, ar1", disagreement=True),
    row(
        "Gao", 67, None, 0.002, 0.0292, True, indicator="falling_rate", why="rain_unknown", uncertain=True, **SIGN,
    ),
    # a sign of its own, but not among so many
    row("Hombori", 68, None, 0.04, 0.31, False, indicator="falling_rate", sign=True),
    # above the level of a site, below that of all
    row("Iferouane", 69, None, 0.06, 0.12, True, indicator="falling_rate"),
]  # fmt: skip
COMPARISON = {"method": "Benjamini-Hochberg", "q": 0.125, "n_tests": 17, "rows": ROWS}

UNTESTED = "could not, for the reasons below."
UNCERTAIN = (
    "Whether the adjusted p-value of 1 site is small enough depends on the error of the p itself, which more surrogates "
    "would reduce (analysis.surrogates)."
)
STABLE = "The absence of a sign does not show that a site is stable: short series have little power."
EXPECTED = "(of such, at most 12.5 % are expected to be false)."
HAVE = f"have an adjusted p-value of at most 0.125 {EXPECTED}"
CONTRADICTING = "At 2 of the sites, significant indicators contradict each other."
FOUND_OVER_SITES = [
    f"Of 9 sites, 7 could be tested for early warning; 2 {UNTESTED}",
    f"4 of them {HAVE}",
    "2 of these show a sign of slowing down: Ansongo, Gao; of 1 it cannot be told.",
    UNCERTAIN,
    STABLE,
    CONTRADICTING,
]
# which rows are compared, and what is found
FOUND_AMONG = [
    (ROWS, FOUND_OVER_SITES),
    (
        ROWS[1:4],
        [
            f"Of 3 sites, 2 could be tested for early warning; 1 {UNTESTED}",
            f"1 of them {HAVE.replace('have', 'has')}",
            "0 of these show a sign of slowing down; of 1 it cannot be told.",
            STABLE,
        ],
    ),
    (
        ROWS[6:7],
        [
            f"Of 1 site, 1 could be tested for early warning; 0 {UNTESTED}",
            f"1 of them {HAVE.replace('have', 'has')}",
            "1 of these shows a sign of slowing down: Gao.",
            UNCERTAIN,
            STABLE,
        ],
    ),
    (
        ROWS[8:],
        [
            f"Of 1 site, 1 could be tested for early warning; 0 {UNTESTED}",
            f"1 of them {HAVE.replace('have', 'has')}",
            "0 of these show a sign of slowing down.",
            STABLE,
        ],
    ),
    (
        [ROWS[1], ROWS[5]],
        [
            f"Of 2 sites, 2 could be tested for early warning; 0 {UNTESTED}",
            f"0 of them {HAVE}",
            "0 of these show a sign of slowing down.",
            STABLE,
            "At 1 of the sites, significant indicators contradict each other.",
        ],
    ),
    ([ROWS[2]], [f"Of 1 site, 0 could be tested for early warning; 1 {UNTESTED}"]),
]
CAVEATS_OVER_SITES = [
    "Each site has one test, of the pre-specified primary indicator; nothing was selected by its result.",
    "Sites that share their weather are not independent.",
    *OF_ALL,
]

# the analyses of three of them; the second was made by other releases
ANALYSES = [
    ANALYSIS | {"site": "Ansongo"},
    EMPTY | {"site": "Chad", "software": {"tigerbush": "0.9.1", "numpy": "2.0.2"}},
    ANALYSIS
    | {
        "site": "Dori",
        "series": {"ndvi": SERIES["ndvi"]},
        "changes": {"ndvi": CHANGES["ndvi"]},
        "completeness": ANALYSIS["completeness"] | {"with_data": 64},
    },
]
NOT_TESTED = [
    "### Not tested",
    "- Chad: 33 dates have data, more are needed.",
    "- Ebba: The test has no value here.",
]
DISAGREEING = [
    "site | towards slowing down | away from it",
    "Ansongo | ar1, lag2 | variance",
    "Faya | skewness | kurtosis, ar1",
]
NONE_DISAGREES = "At none of the sites tested do significant indicators contradict each other."
OVER_SITES = [
    "title: Vegetation report over sites",
    "# 9 sites compared",
    "## Findings",
    *listed(FOUND_OVER_SITES),
    "## Caveats",
    *listed(CAVEATS_OVER_SITES),
    "## One test for each site",
    "[sites] The p-values of the primary test, of 100 sites at most: those with the smallest.",
    "table: The pre-specified test at each site; q is the p-value adjusted for the number of tests (Benjamini-Hochberg)",
    "site | measure and test | dates | τ | p | q | sign of slowing down | reasons",
    "Ansongo | NDVI, autocorrelation at lag 1 | 61 | 0.512 | p = 0.001 | 0.0146 | yes | ",
    "Bandia | NDVI, autocorrelation at lag 1 | 62 | 0.24 | p = 0.220 | 0.733 | cannot be told | step",
    "Chad | NDVI, autocorrelation at lag 1 | 33 | not tested, see below",
    "Dori | NDVI of vegetation, restoring rate by maximum likelihood | 64 | 0.475 | p < 0.001 | 0.00583 | cannot be told | "
    "rain_memory, surrogates_disagree",
    "Ebba | offset50, autocorrelation at lag 2 | 65 | not tested, see below",
    "Faya | NDVI, autocorrelation at lag 1 | 66 | −0.33 | p = 0.900 | 1 | no | ",
    "Gao | NDVI, falling restoring rate | 67 | – | p = 0.002 | 0.0292 | yes | rain_unknown",
    "Hombori | NDVI, falling restoring rate | 68 | – | p = 0.040 | 0.31 | no | ",
    "Iferouane | NDVI, falling restoring rate | 69 | – | p = 0.060 | 0.12 | no | ",
    *NOT_TESTED,
    "## Where indicators disagree",
    *DISAGREEING,
    "## Change at each site",
    "table: Means of the first and of the last years in equal calendar months; in brackets their difference and its 95 % "
    "interval; a dash where the record is too short or no month is at both ends",
    "site | dates with data | NDVI | offset50 | rain (mm)",
    "Ansongo | 17 | 0.4 → 0.12 (−0.28; −0.36 to −0.2) | −1\u202f250 → −2\u202f625 (−1\u202f375; −2\u202f900 to 150) | 0 → 31",
    "Chad | 0 | – | – | –",
    "Dori | 64 | 0.4 → 0.12 (−0.28; −0.36 to −0.2) | – | –",
    "## Methods",
    *listed(METHODS_OVER_SITES),
    "### References",
    BUXTON,
    BENJAMINI,
    "numpy 2.0.2, tigerbush 0.9.1; numpy 2.1.3, tigerbush 0.9.1",
]
# one site that could not be tested
ALONE = [
    *OVER_SITES[:1],
    "# 1 site compared",
    "## Findings",
    *listed(FOUND_AMONG[-1][1]),
    *OVER_SITES[9 : OVER_SITES.index("## One test for each site") + 4],
    "Chad | NDVI, autocorrelation at lag 1 | 33 | not tested, see below",
    *NOT_TESTED[:2],
    "## Where indicators disagree",
    NONE_DISAGREES,
    *OVER_SITES[OVER_SITES.index("## Change at each site") :][:3],
    "Chad | 0 | – | – | –",
    *OVER_SITES[OVER_SITES.index("## Methods") : -1],
    "numpy 2.0.2, tigerbush 0.9.1",
]
