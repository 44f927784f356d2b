"""Early warnings written by hand, and beside their fields the sentences and lines of a report that state them."""


def without(*lines):
    return {line: [] for line in lines}


def indicator(label, direction, tau, ar1, phase):
    return {"label": label, "direction": direction, "tau": tau, "p": {"ar1": ar1, "phase": phase}}


WARNING = {
    "sign": True,
    "why": ["rain_unknown"],
    "alternatives": {"surrogates_disagree": 0.02},
    "refused": None,
    "primary": {"variable": "ndvi", "indicator": "falling_rate", "p": 0.0123, "surrogates": 1999},
    "family": {"p": 0.0456, "variables": 2},
    "power": {"found": 0.3149, "series": 199, "ar1_first": 0.301, "ar1_last": 0.8975, "fall": 0.05},
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
            "trend_high": 0.0525, "trend_unit": "change of ln(rate) per year", "p_trend": 0.021,
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
    },
    "steps": {
        "offset50": [
            {
                "date": "2019-02-15", "after": "2019-01-16", "earliest": "2019-01-16", "latest": "2019-03-16",
                "size": -250.5, "low": -400, "high": -101, "p": 0.005,
            },
        ],
        "ndvi": [
            {
                "date": "2018-09-15", "after": "2018-07-16", "earliest": "2018-09-15", "latest": "2018-10-16",
                "size": -0.123, "low": -0.2, "high": -0.0461, "p": 0.0151,
            },
            {
                "date": "2020-03-16", "after": "2020-02-15", "earliest": "2019-12-16", "latest": "2020-05-16",
                "size": 0.0712, "low": 0.02, "high": 0.122, "p": 0.0449,
            },
        ],
    },
    "noise": {
        "offset50": {"change": 1, "low": 0.5, "high": 1.5, "step": None},
        # e to the power of it: 2, 1.5 and 3
        "ndvi": {"change": 0.6931472, "low": 0.4054651, "high": 1.0986123, "step": None},
    },
    "season": {
        "offset50": None,
        "ndvi": {
            "first": {"amplitude": 0.105, "peak": 40}, "last": {"amplitude": 0.2126, "peak": 51}, "p": 0.0312,
            "yearly": {"years": [2015], "amplitude": [1.0], "changed_after": 2017, "p": 0.0451},
        },
    },
    "rain": {"explained": 0.2345, "falling_rate": {"evidence": 0.5, "p": 0.4217}, "rate_under_red_noise": {}},
    "sensors": [
        {"sensor": "LE07", "against": "LT05", "difference": -0.0123, "low": -0.03, "high": 0.0054},
        {"sensor": "LC08", "against": "LT05", "difference": 0.0361, "low": 0.0201, "high": 0.0521},
    ],
    "observations": [
        {"of": "n_obs", "value": None, "tau": 0.37, "p": 0.004, "first": 1.25, "last": 5.5},
        {"of": "platform", "value": "S2A", "tau": -0.5, "p": 0.0004, "first": 1.0, "last": 0.3333},
        {"of": "platform", "value": "S2B", "tau": 0.1, "p": 0.0501, "first": 0.0, "last": 0.6667},
    ],
    "constant": ["ndvi_veg"],
}  # fmt: skip
TEST = "The pre-specified test, whether the restoring rate of NDVI falls, has p = 0.012 against 1999 surrogates without slowing."
SIGN = "That is a sign of slowing down."
RAIN_UNKNOWN = "Rain is not known here, and its memory cannot be excluded as the cause."
TESTED = f"{TEST} {SIGN} {RAIN_UNKNOWN}"
NO_VALUE = "Nothing is concluded about slowing down: the primary measure has no value here."
FAMILY = "All indicators of 2 measures together, adjusted for their number: p = 0.046."
DISAGREEMENT = {
    "offset50": "Indicators of offset50 point neither way: variance.",
    "ndvi": "Indicators of NDVI point towards slowing down: autocorrelation at lag 1, restoring rate by maximum "
    "likelihood; away from it: variance; neither way: autocorrelation at lag 2. They contradict each other.",
}
CONSTANT = "NDVI of vegetation does not vary beyond its season and trend, and is not tested."
STEPPED = [
    "NDVI stepped by −0.123 (−0.2 to −0.0461) between 2018-07-16 and 2018-09-15 (p = 0.015).",
    "NDVI stepped by 0.0712 (0.02 to 0.122) between 2020-02-15 and 2020-03-16 (p = 0.045).",
]
NOISE = "The noise of NDVI changed by a factor of 2 over the record (1.5 to 3)."
SEASON = "The season of NDVI changed (p = 0.031): its range went from 0.105 to 0.213."
YEARLY = "The strength of the seasons of NDVI changed most after that of 2017 (p = 0.045)."
RAIN = "Rain explains 23 % of the variance that season and trend leave; itself it shows no growing memory (p = 0.422)."
SENSORS = [
    "NDVI of LE07 differs from that of LT05 by −0.0123 (−0.03 to 0.0054), which the test accounts for.",
    "NDVI of LC08 differs from that of LT05 by 0.0361 (0.0201 to 0.0521), which the test accounts for.",
]
N_OBS = "Observations per pixel changed from 1.25 to 5.5 (first and last third; p = 0.004)."
PLATFORM = "The share of platform S2A changed from 100 % to 33 % (first and last third; p < 0.001)."
POWER = (
    "Of 199 simulated records like this one, but with an autocorrelation from date to date that rises from 0.30 to 0.90, "
    "the test finds 31 %."
)
WARNED = [
    TESTED,
    FAMILY,
    *DISAGREEMENT.values(),
    CONSTANT,
    *STEPPED,
    NOISE,
    SEASON,
    YEARLY,
    RAIN,
    *SENSORS,
    N_OBS,
    PLATFORM,
    POWER,
]

WARNING_EXPLAINED = [
    "## Early warning",
    "A system that loses resilience recovers more slowly from disturbance (critical slowing down). Its fluctuations then "
    "last longer and grow: autocorrelation and variance rise, and the restoring rate falls. The indicators are computed "
    "in moving windows; Kendall's τ tells whether they rise (up to 1) or fall (down to −1).",
]
INDICATORS_HEAD = "indicator | slowing down would | τ | AR(1) surrogates | phase surrogates"
OFFSET_VARIANCE = "variance | raise it | −0.215 | p = 0.457 | p = 0.789"
NDVI_AR1 = "autocorrelation at lag 1 | raise it | 0.624 | p = 0.012 | p = 0.034"
RATE = "NDVI | 0.0312 | 0.0115 to 0.0523 | −0.204 (−0.415 to 0.0525) change of ln(rate) per year | p = 0.021"
SUBSAMPLED = [
    "### With the same number of sub-images on each date",
    "table: NDVI: τ over 25 random draws of 3 sub-images; 2 dates with fewer are left out",
    "indicator | low | median | high",
    "autocorrelation at lag 1 | 0.31 | 0.44 | 0.58",
    "restoring rate by maximum likelihood | −0.62 | −0.5 | −0.1",
]
RATES = [
    "### Restoring rate by maximum likelihood",
    "table: Seasonal Ornstein–Uhlenbeck process on the dates as they are; 95 % confidence intervals are open where the "
    "data do not close them",
    "measure | rate, 1/day | 95 % interval | trend | falling",
    RATE,
    "NDVI of vegetation | the estimate did not converge",
]
STEPS = [
    "### Steps of the mean",
    "table: Steps are taken off before slowing down is tested",
    "measure | first date after it | 95 % interval | size | 95 % interval | p",
    "offset50 | 2019-02-15 | 2019-01-16 to 2019-03-16 | −250 | −400 to −101 | p = 0.005",
    "NDVI | 2018-09-15 | 2018-09-15 to 2018-10-16 | −0.123 | −0.2 to −0.0461 | p = 0.015",
    "NDVI | 2020-03-16 | 2019-12-16 to 2020-05-16 | 0.0712 | 0.02 to 0.122 | p = 0.045",
]
WARNING_SHOWN = [
    *WARNING_EXPLAINED,
    TESTED,
    POWER,
    "[indicators] Each indicator in moving windows, one column for each measure; the table below gives the trends.",
    "table: offset50",
    INDICATORS_HEAD,
    OFFSET_VARIANCE,
    DISAGREEMENT["offset50"],
    "table: NDVI; pre-specified test: falling restoring rate",
    INDICATORS_HEAD,
    NDVI_AR1,
    "variance | raise it | −0.75 | p = 0.991 | p = 0.970",
    "skewness | – | 0.1 | p = 0.330 | p = 0.440",
    "autocorrelation at lag 2 | raise it | 0.05 | p < 0.001 | p = 0.001",
    "restoring rate by maximum likelihood, 1/day | lower it | −0.5 | p = 0.045 | p = 0.200",
    DISAGREEMENT["ndvi"],
    "Only the pre-specified test is one; the indicators are shown so that any disagreement is visible. Of many indicators "
    "without a trend, one in twenty has a p-value below 0.05 by chance.",
    *RATES,
    *STEPS,
    "### Sensitivity to window and bandwidth",
    "[sensitivity] Kendall's tau of each indicator over lengths of the window and bandwidths.",
    "figure: NDVI. Where the sign changes, the trend depends on the choice of window or bandwidth.",
    *SUBSAMPLED,
]

REFUSED = {
    "sign": None,
    "why": ["too_short"],
    "alternatives": {},
    "refused": "28 dates have data, and early warning needs more than 36",
    "primary": {"variable": "ndvi", "indicator": "falling_rate", "p": None, "surrogates": None},
    "family": None,
    "power": None,
    "indicators": {},
    "disagreement": {},
    "ornstein_uhlenbeck": {},
    "sensitivity": {},
    "subsampling": None,
    "steps": {},
    "noise": {},
    "season": {},
    "sensors": [],
    "rain": None,
    "observations": [],
    "constant": [],
}
NOT_ASSESSED = "28 dates have data, and early warning needs more than 36."
WARNING_REFUSED = [*WARNING_EXPLAINED, f"Not assessed. {NOT_ASSESSED}"]

# ---- Each case of a sentence

TOLD = "Whether that is slowing down cannot be told:"
TEST_NOT = TEST.replace("p = 0.012", "p = 0.430")
# p of the test, sign, why, p of the alternatives, and what is said
VERDICTS = [
    ((0.0123, True, [], {}), f"{TEST} {SIGN}"),
    ((0.0123, True, ["rain_unknown"], {"surrogates_disagree": None}), f"{TEST} {SIGN} {RAIN_UNKNOWN}"),
    ((0.43, False, [], {"step": 0.06}), f"{TEST_NOT} That is no sign of slowing down, and no evidence of stability."),
    *(
        ((0.05, None, [code], {code: 0.0512, "other": 0.03}), f"{TEST.replace('0.012', '0.050')} {TOLD} {text} it has only p = 0.051.")
        for code, text in (
            ("sensor_change", "with the change of sensors taken out"),
            ("platform_change", "with the change of platforms taken out"),
            ("orbit_change", "with the change of relative orbits taken out"),
            ("baseline_change", "with the change of processing baselines taken out"),
            ("rain_memory", "with the rain and its memory taken out"),
            ("surrogates_disagree", "against series of the same spectrum"),
        )
    ),
    *(
        ((0.43, None, [code], {code: 0.0004}), f"{TEST_NOT} {TOLD} without {text} accounted for it would have p < 0.001.")
        for code, text in (
            ("step", "the steps of the mean"),
            ("sensor_change", "the change of sensors"),
            ("observations_trend", "the trend of the number of observations"),
            ("noise_change", "the change of the noise"),
            ("season_change", "the change of the season"),
        )
    ),
    (
        (0.0123, None, ["rain_memory", "surrogates_disagree"], {"rain_memory": 0.31, "surrogates_disagree": 0.06}),
        f"{TEST} {TOLD} with the rain and its memory taken out it has only p = 0.310; against series of the same spectrum it "
        "has only p = 0.060.",
    ),
]  # fmt: skip
CONCLUDED = "Nothing is concluded about slowing down:"
# why no p is there, and what is said
UNTESTED = [
    (["constant"], f"{CONCLUDED} the primary measure does not vary beyond its season and trend."),
    (["no_value"], NO_VALUE),
    ([], NO_VALUE),
    (
        ["mode_pyveg"],
        f"{CONCLUDED} mode pyveg interpolates and differences the series, which itself changes their autocorrelation.",
    ),
]
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
    ("primary p", {TESTED: [NO_VALUE]}),
    ("family", without(FAMILY)),
    ("family p", without(FAMILY)),
    ("power", without(POWER)),
    ("indicators ndvi ar1 tau", {NDVI_AR1: [NDVI_AR1.replace("0.624", "–")]}),
    ("indicators ndvi ar1 p ar1", {NDVI_AR1: [NDVI_AR1.replace("p = 0.012", "–")]}),
    ("indicators ndvi ar1 p phase", {NDVI_AR1: [NDVI_AR1.replace("p = 0.034", "–")]}),
    ("indicators offset50 variance tau", {OFFSET_VARIANCE: [OFFSET_VARIANCE.replace("−0.215", "–")]}),
    ("indicators offset50 variance p ar1", {OFFSET_VARIANCE: [OFFSET_VARIANCE.replace("p = 0.457", "–")]}),
    ("indicators offset50 variance p phase", {OFFSET_VARIANCE: [OFFSET_VARIANCE.replace("p = 0.789", "–")]}),
    ("ornstein_uhlenbeck ndvi rate", {RATE: [RATE.replace("0.0312", "–")]}),
    ("ornstein_uhlenbeck ndvi low", {RATE: [RATE.replace("0.0115", "open")]}),
    ("ornstein_uhlenbeck ndvi high", {RATE: [RATE.replace("0.0523", "open")]}),
    ("ornstein_uhlenbeck ndvi trend", {RATE: [RATE.replace("−0.204", "–")]}),
    ("ornstein_uhlenbeck ndvi trend_low", {RATE: [RATE.replace("−0.415", "open")]}),
    ("ornstein_uhlenbeck ndvi trend_high", {RATE: [RATE.replace("0.0525", "open")]}),
    ("ornstein_uhlenbeck ndvi p_trend", {RATE: [RATE.replace("p = 0.021", "–")]}),
    ("subsampling", without(*SUBSAMPLED)),
    ("subsampling variables ndvi", without(*SUBSAMPLED)),
    ("subsampling variables ndvi tau ar1", {SUBSAMPLED[3]: []}),
    ("season ndvi", without(SEASON, YEARLY)),
    ("season ndvi yearly", without(YEARLY)),
    ("rain", without(RAIN)),
]
# where variance of offset50, with a tau of 0.287, is the primary indicator
OTHER_PRIMARY = {
    TESTED: [
        "The pre-specified test, a trend of variance of offset50 (Kendall's τ = 0.287), has p = 0.457 against 99 surrogates "
        "without slowing. That is no sign of slowing down, and no evidence of stability."
    ],
    STEPPED[0]: ["offset50 stepped by −250 (−400 to −101) between 2019-01-16 and 2019-02-15 (p = 0.005)."],
    STEPPED[1]: [],
    **{sentence: [sentence.replace("NDVI", "offset50")] for sentence in SENSORS},
    NOISE: ["The noise of offset50 changed by a factor of 2.72 over the record (1.65 to 4.48)."],
    **without(SEASON, YEARLY),
    "table: offset50": ["table: offset50; pre-specified test: variance"],
    OFFSET_VARIANCE: [OFFSET_VARIANCE.replace("−0.215", "0.287")],
    "table: NDVI; pre-specified test: falling restoring rate": ["table: NDVI"],
    "figure: NDVI. Where the sign changes, the trend depends on the choice of window or bandwidth.": [
        "figure: offset50. Where the sign changes, the trend depends on the choice of window or bandwidth."
    ],
    **without(*SUBSAMPLED[3:]),
    SUBSAMPLED[1]: [
        "table: offset50: τ over 8 random draws of 9 sub-images; 7 dates with fewer are left out"
    ],
}
