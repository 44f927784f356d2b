"""Early warnings written by hand, and beside their fields the sentences and lines of a report that state them."""


def without(*lines):
    return {line: [] for line in lines}


def indicator(label, direction, tau, ar1, phase):
    return {"label": label, "direction": direction, "tau": tau, "p": {"ar1": ar1, "phase": phase}}


WARNING = {
    "refused": None,
    "power": "a rise is found in some 15 % of series of 60 dates.",
    "primary": {"variable": "ndvi", "indicator": "ar1"},
    "indicators": {
        "offset50": {"variance": indicator("variance", 1, -0.215, 0.4567, 0.789)},
        "ndvi": {
            "ar1": indicator("autocorrelation at lag 1", 1, 0.624, 0.012, 0.034),
            "variance": indicator("variance", 1, -0.75, 0.991, 0.97),
            "skewness": indicator("skewness", 0, 0.1, 0.33, 0.44),
            "lag2": indicator("autocorrelation at lag 2", 1, 0.05, 0.0004, 0.001),
            "rate_ou": indicator("restoring rate by maximum likelihood, 1/day", -1, -0.5, 0.045, 0.2),
        },
    },
    "disagreement": {
        "offset50": {"slowing": [], "opposite": [], "unclear": ["variance"], "contradictory": False},
        "ndvi": {"slowing": ["ar1", "rate_ou"], "opposite": ["variance"], "unclear": ["lag2"], "contradictory": True},
    },
    "ornstein_uhlenbeck": {
        "ndvi": {
            "converged": True, "rate": 0.0312, "low": 0.0115, "high": 0.0523, "trend": -0.204, "trend_low": -0.415,
            "trend_high": 0.0525, "trend_unit": "change of ln(rate) per year", "p_trend": 0.021, "p_trend_phase": 0.0432,
        },
        "ndvi_veg": {"converged": False, "rate": 0.5},
    },
    "subsampling": {
        "variables": {
            "offset50": {"n": 9, "repetitions": 8, "left_out": 7, "tau": {}},
            "ndvi": {
                "n": 3, "repetitions": 25, "left_out": 2,
                "tau": {
                    "ar1": {"low": 0.31, "median": 0.44, "high": 0.58},
                    "rate_ou": {"low": -0.62, "median": -0.5, "high": -0.1},
                },
            },
        },
        "observations": {"tau": 0.37, "p": 0.004},
    },
}  # fmt: skip
PRIMARY = (
    "The pre-specified primary indicator, autocorrelation at lag 1 of NDVI, has a trend of Kendall's τ = 0.62"
)
SLOWING = "That is a sign of slowing down, by this indicator alone."
TORN = "The two kinds of surrogates disagree, so this is no firm sign of slowing down."
NO_EVIDENCE = "That is evidence neither for nor against slowing down."
NO_VALUE = "The pre-specified primary indicator has no value here, so nothing is tested."
TESTED = f"{PRIMARY} (p = 0.012 against AR(1) surrogates and p = 0.034 against phase-randomised surrogates). {SLOWING}"
DISAGREEMENT = {
    "offset50": "Indicators of offset50 point neither way: variance.",
    "ndvi": "Indicators of NDVI point towards slowing down: autocorrelation at lag 1, restoring rate by maximum "
    "likelihood; away from it: variance; neither way: autocorrelation at lag 2. They contradict each other.",
}
POWER = "A rise is found in some 15 % of series of 60 dates."

WARNING_EXPLAINED = [
    "## Early warning",
    "A system that loses resilience recovers more slowly from disturbance (critical slowing down). Its fluctuations then "
    "last longer and grow: autocorrelation and variance rise, and the restoring rate falls. The indicators are computed "
    "in moving windows; Kendall's τ tells whether they rise (up to 1) or fall (down to −1).",
]
INDICATORS_HEAD = "indicator | slowing down would | τ | AR(1) surrogates | phase surrogates"
OFFSET_VARIANCE = "variance | raise it | −0.215 | p = 0.457 | p = 0.789"
NDVI_AR1 = "autocorrelation at lag 1 | raise it | 0.624 | p = 0.012 | p = 0.034"
RATE = "NDVI | 0.0312 | 0.0115 to 0.0523 | −0.204 (−0.415 to 0.0525) change of ln(rate) per year | p = 0.021 | p = 0.043"
SUBSAMPLED = [
    "### With the same number of sub-images on each date",
    "table: NDVI: τ over 25 random draws of 3 sub-images; 2 dates with fewer are left out",
    "indicator | low | median | high",
    "autocorrelation at lag 1 | 0.31 | 0.44 | 0.58",
    "restoring rate by maximum likelihood | −0.62 | −0.5 | −0.1",
]
OBSERVATIONS = (
    "The number of observations per pixel has a trend of τ = 0.37 (p = 0.004). The more observations, the less noisy the "
    "composites; composite.max_takes limits their number."
)
RATES = [
    "### Restoring rate by maximum likelihood",
    "table: Seasonal Ornstein–Uhlenbeck process on the dates as they are; 95 % confidence intervals are open where the "
    "data do not close them",
    "measure | rate, 1/day | 95 % interval | trend | falling: model surrogates | phase surrogates",
    RATE,
    "NDVI of vegetation | the estimate did not converge",
]
WARNING_SHOWN = [
    *WARNING_EXPLAINED,
    f"{POWER} The absence of a trend is therefore no proof of stability.",
    "[indicators] Each indicator in moving windows, one column for each measure; the table below gives the trends.",
    "table: offset50",
    INDICATORS_HEAD,
    OFFSET_VARIANCE,
    DISAGREEMENT["offset50"],
    "table: NDVI; pre-specified primary indicator: autocorrelation at lag 1",
    INDICATORS_HEAD,
    NDVI_AR1,
    "variance | raise it | −0.75 | p = 0.991 | p = 0.970",
    "skewness | – | 0.1 | p = 0.330 | p = 0.440",
    "autocorrelation at lag 2 | raise it | 0.05 | p < 0.001 | p = 0.001",
    "restoring rate by maximum likelihood, 1/day | lower it | −0.5 | p = 0.045 | p = 0.200",
    DISAGREEMENT["ndvi"],
    "Only the primary indicator is a test; the others are shown so that any disagreement is visible. Of many indicators "
    "without a trend, one in twenty has a p-value below 0.05 by chance.",
    *RATES,
    "### Sensitivity to window and bandwidth",
    "[sensitivity] Kendall's tau of each indicator over lengths of the window and bandwidths.",
    "figure: NDVI. Where the sign changes, the trend depends on the choice of window or bandwidth.",
    *SUBSAMPLED,
    OBSERVATIONS,
]

REFUSED = {
    "refused": "28 dates have data, and early warning needs more than 36",
    "power": "a rise is found in some 7 % of series of 36 dates.",
    "primary": {"variable": "ndvi", "indicator": "ar1"},
    "indicators": {},
    "disagreement": {},
    "ornstein_uhlenbeck": {},
    "sensitivity": {},
    "subsampling": None,
}
NOT_ASSESSED = "28 dates have data, and early warning needs more than 36."
WARNING_REFUSED = [*WARNING_EXPLAINED, f"Not assessed. {NOT_ASSESSED}"]

# ---- Each case of a sentence

# p against AR(1) and phase-randomised surrogates, and what is said of tau 0.624
VERDICTS = [
    ((0.0499, 0.0001), f"{PRIMARY} (p = 0.050 against AR(1) surrogates and p < 0.001 against phase-randomised surrogates). {SLOWING}"),
    ((0.05, 0.02), f"{PRIMARY} (p = 0.050 against AR(1) surrogates and p = 0.020 against phase-randomised surrogates). {TORN}"),
    ((0.012, 0.05), f"{PRIMARY} (p = 0.012 against AR(1) surrogates and p = 0.050 against phase-randomised surrogates). {TORN}"),
    ((0.05, 0.9), f"{PRIMARY} (p = 0.050 against AR(1) surrogates and p = 0.900 against phase-randomised surrogates). {NO_EVIDENCE}"),
    ((0.012, None), f"{PRIMARY} (p = 0.012 against AR(1) surrogates). {SLOWING}"),
    ((None, 0.034), f"{PRIMARY} (p = 0.034 against phase-randomised surrogates). {SLOWING}"),
    ((None, 0.05), f"{PRIMARY} (p = 0.050 against phase-randomised surrogates). {NO_EVIDENCE}"),
    ((None, None), f"{PRIMARY} (). {NO_EVIDENCE}"),
]  # fmt: skip
# the variable, what points where, and what is said of it where labels of ar1 and rate_ou alone are known
POINTING = [
    (
        "offset50",
        (["ar1"], [], [], False),
        "Indicators of offset50 point towards slowing down: autocorrelation at lag 1.",
    ),
    (
        "ndvi",
        ([], ["ar1", "other"], [], False),
        "Indicators of NDVI point away from it: autocorrelation at lag 1, other.",
    ),
    (
        "ndvi_veg",
        (["rate_ou"], ["ar1"], [], True),
        "Indicators of NDVI of vegetation point towards slowing down: restoring rate by maximum likelihood; away from it: "
        "autocorrelation at lag 1. They contradict each other.",
    ),
    ("ndvi", ([], [], [], False), ""),
    ("ndvi", ([], [], [], True), "They contradict each other."),
]
# where no label is known
UNLABELLED = [
    DISAGREEMENT["offset50"],
    "Indicators of NDVI point towards slowing down: ar1, rate_ou; away from it: variance; neither way: lag2. They "
    "contradict each other.",
]

# where null stands in early_warning, and the lines of the report that become others, or none
WARNING_NULLS = [
    ("indicators ndvi ar1 tau", {TESTED: [NO_VALUE], NDVI_AR1: [NDVI_AR1.replace("0.624", "–")]}),
    (
        "indicators ndvi ar1 p ar1",
        {TESTED: [VERDICTS[5][1]], NDVI_AR1: [NDVI_AR1.replace("p = 0.012", "–")]},
    ),
    (
        "indicators ndvi ar1 p phase",
        {TESTED: [VERDICTS[4][1]], NDVI_AR1: [NDVI_AR1.replace("p = 0.034", "–")]},
    ),
    ("indicators offset50 variance tau", {OFFSET_VARIANCE: [OFFSET_VARIANCE.replace("−0.215", "–")]}),
    ("indicators offset50 variance p ar1", {OFFSET_VARIANCE: [OFFSET_VARIANCE.replace("p = 0.457", "–")]}),
    ("indicators offset50 variance p phase", {OFFSET_VARIANCE: [OFFSET_VARIANCE.replace("p = 0.789", "–")]}),
    ("ornstein_uhlenbeck ndvi rate", {RATE: [RATE.replace("0.0312", "–")]}),
    ("ornstein_uhlenbeck ndvi low", {RATE: [RATE.replace("0.0115", "open")]}),
    ("ornstein_uhlenbeck ndvi high", {RATE: [RATE.replace("0.0523", "open")]}),
    ("ornstein_uhlenbeck ndvi trend", {RATE: [RATE.replace("−0.204", "–")]}),
    ("ornstein_uhlenbeck ndvi trend_low", {RATE: [RATE.replace("−0.415", "–")]}),
    ("ornstein_uhlenbeck ndvi trend_high", {RATE: [RATE.replace("0.0525", "–")]}),
    ("ornstein_uhlenbeck ndvi trend_unit", {RATE: [RATE.replace(" change of ln(rate) per year", "")]}),
    ("ornstein_uhlenbeck ndvi p_trend", {RATE: [RATE.replace("p = 0.021", "–")]}),
    ("ornstein_uhlenbeck ndvi p_trend_phase", {RATE: [RATE.replace("p = 0.043", "–")]}),
    ("subsampling", without(*SUBSAMPLED, OBSERVATIONS)),
    ("subsampling variables ndvi", without(*SUBSAMPLED)),
    ("subsampling variables ndvi tau ar1", {SUBSAMPLED[3]: []}),
    ("subsampling observations", {OBSERVATIONS: []}),
]
# where variance of offset50, with a tau of 0.287, is the primary indicator
OTHER_PRIMARY = {
    TESTED: [
        "The pre-specified primary indicator, variance of offset50, has a trend of Kendall's τ = 0.29 (p = 0.457 against "
        f"AR(1) surrogates and p = 0.789 against phase-randomised surrogates). {NO_EVIDENCE}"
    ],
    "table: offset50": ["table: offset50; pre-specified primary indicator: variance"],
    OFFSET_VARIANCE: [OFFSET_VARIANCE.replace("−0.215", "0.287")],
    "table: NDVI; pre-specified primary indicator: autocorrelation at lag 1": ["table: NDVI"],
    "figure: NDVI. Where the sign changes, the trend depends on the choice of window or bandwidth.": [
        "figure: offset50. Where the sign changes, the trend depends on the choice of window or bandwidth."
    ],
    **without(*SUBSAMPLED[3:]),
    SUBSAMPLED[1]: [
        "table: offset50: τ over 8 random draws of 9 sub-images; 7 dates with fewer are left out"
    ],
}
