"""A site's analysis written by hand, and beside its fields the sentences of the report that state them.

What is said of early warning, of the pattern, of methods and over sites is in the files `sentences_of_*`. Lines of a
report are as `report_lines.lines_of` gives them. No number comes from the code under test.
"""

from sentences_of_methods import (
    CAVEATS,
    COMPOSITE,
    DETRENDING,
    METHODS,
    REFERENCES_LISTED,
    SETTINGS,
    SETTINGS_SHOWN,
)
from sentences_of_pattern import COVER, PATTERN_CHANGE, PATTERN_SHOWN, SPATIAL
from sentences_of_warning import (
    DISAGREEMENT,
    NOT_ASSESSED,
    POWER,
    REFUSED,
    TESTED,
    WARNING,
    WARNING_NULLS,
    WARNING_REFUSED,
    WARNING_SHOWN,
    without,
)


def listed(texts):
    return [f"- {text}" for text in texts]


def series(label, unit, known, *, outliers=(), gaps=()):
    values = list(known.values())
    return {
        "label": label,
        "unit": unit,
        "dates": list(known),
        "mean": values,
        "std": [None if value is None else abs(value) / 8 for value in values],
        "n": [0 if value is None else 4 for value in values],
        "outliers": list(outliers),
        "gaps": [{"start": start, "end": end, "dates": dates} for start, end, dates in gaps],
    }


# ---- Head

METADATA = {
    "coords_id": "Bandia-7",
    "latitude": -11.5,
    "longitude": 27.9,
    "start_date": "2018-01-01",
    "end_date": "2020-10-01",
    "time_per_point": "1m",
    "region_size": 0.08,
    "config": {
        "source": {"kind": "stac"},
        "composite": {"method": "median", "resolution": 20},
        "subimages": {"size": 48},
    },
    "missing": {"2018-03-16": "no product in the period", "2019-07-16": "all 2 products left out: cloudy"},
    "failed_products": {"S2A_1": "the file of band B4 is missing", "S2B_2": "does not decode"},
}
HEAD = [
    "title: Bandia-7: vegetation report",
    "# Bandia-7",
    "11.5° S, 27.9° E · 2018-01-01 to 2020-10-01, steps of 1m · square of 0.08° of latitude",
]

# ---- Findings: coverage and changes

COMPLETENESS = {
    "dates": 21,
    "with_data": 17,
    "n_sub_images": [4, 0, 3],
    "n_obs": [1.5, None, 2.25],
    "products": {"2018-01-16": 2, "2018-02-15": 0, "2018-03-16": 3},
}
SERIES = {
    # 729 days are less than two years: the means are of the first and the last third, two of the eight values
    "offset50": series(
        "network centrality (offset50)",
        "1",
        {
            "2018-12-01": None, "2019-01-01": -1200, "2019-03-01": -1300, "2019-06-01": -1700, "2019-09-01": -1500,
            "2020-01-01": -2000, "2020-05-01": -900, "2020-09-01": -2600, "2020-12-30": -2650, "2021-02-01": None,
        },
        outliers=["2019-06-01", "2020-05-01"],
        gaps=[("2018-12-01", "2018-12-01", 3), ("2021-02-01", "2021-02-01", 1)],
    ),
    # the first year ends 364 days after the first value, the last begins 364 days before the last
    "ndvi": series(
        "NDVI",
        "1",
        {
            "2018-01-16": None, "2018-02-15": 0.3, "2019-02-14": 0.5, "2019-02-15": 0.9, "2019-06-01": 0.95,
            "2019-08-21": 0.05, "2019-08-22": 0.1, "2020-08-20": 0.14, "2020-09-15": None,
        },
        outliers=["2019-08-21"],
        gaps=[("2018-01-16", "2018-01-16", 1)],
    ),
    "ndvi_veg": series("NDVI of vegetation", "1", {"2018-01-16": 0.6, "2018-02-15": 0.7, "2018-03-16": None}),
    "total_precipitation": series(
        "precipitation",
        "mm",
        {
            "2018-01-16": 0, "2018-02-15": None, "2018-03-16": 0, "2018-04-16": 5, "2018-05-16": 90,
            "2018-06-16": 40, "2018-07-16": 22,
        },
    ),
    "temperature": series("air temperature at 2 m", "degC", {"2018-01-16": 24.5, "2018-02-15": 27}),
}  # fmt: skip
COVERAGE = "17 of 21 dates have data. There are 2 gaps, the longest of 3 dates; gaps are not filled."
NDVI_CHANGE = "NDVI averaged 0.4 in the first year and 0.12 in the last: a decrease of 70 %."
OFFSET_CHANGE = (
    "Offset50, a measure of the connectivity of bare ground, averaged −1\u202f250 in the first third and −2\u202f625 in "
    "the last: an increase of 110 % in magnitude."
)
RAIN_CHANGE = "Rain per date averaged 0 mm in the first third and 31 mm in the last: a change of 31 mm."
ALT_SERIES = (
    "[series] Time series of network centrality (offset50), NDVI, NDVI of vegetation, precipitation, air temperature at "
    "2 m; the sentences under Findings tell how they changed."
)
OUTLIERS = [
    "table: Outliers",
    "measure | dates",
    "network centrality (offset50) | 2019-06-01, 2020-05-01",
    "NDVI | 2019-08-21",
]
SERIES_SHOWN = [
    "## Time series",
    ALT_SERIES,
    "figure: Lines: means over the sub-images; bands: one standard deviation. Grey: dates without data. Rings: outliers, "
    "values far from their neighbours; they are marked, not removed.",
    *OUTLIERS,
]

# ---- Pictures and completeness

DATES = ["2018-02-15", "2019-02-15", "2020-08-20"]
PICTURES_SHOWN = [
    "## Images",
    "[png] first date with data, 2018-02-15: colour composite",
    "figure: 2018-02-15",
    "[png] middle date with data, 2019-02-15: colour composite",
    "figure: 2019-02-15",
    "[png] last date with data, 2020-08-20: colour composite",
    "figure: 2020-08-20",
    "[png] first date with data, 2018-02-15: vegetation in black, bare ground in white",
    "[png] middle date with data, 2019-02-15: vegetation in black, bare ground in white",
    "[png] last date with data, 2020-08-20: vegetation in black, bare ground in white",
    "First, middle and last date with data. Above: colour composites, each stretched to its own maximum, so that "
    "brightness cannot be compared between dates; masked pixels are black. Below: vegetation (black), bare ground "
    "(white), masked (grey).",
]
MISSING = [
    "table: Dates without data",
    "date | why",
    "2018-03-16 | no product in the period",
    "2019-07-16 | all 2 products left out: cloudy",
]
FAILED = [
    "table: Products that could not be read",
    "product | why",
    "S2A_1 | the file of band B4 is missing",
    "S2B_2 | does not decode",
]
COMPLETENESS_SHOWN = [
    "## Completeness",
    "[completeness] Bars per date: sub-images used, observations per pixel, products.",
    "figure: More observations make a composite less noisy: a change in their number can look like a change in the "
    "vegetation.",
    *MISSING,
    *FAILED,
]

# ---- Weather and recovery

LAGS = {
    "offset50": {"best_lag": 0, "best_correlation": -0.42},
    "ndvi": {"best_lag": 1, "best_correlation": 0.571},
    "ndvi_veg": {"best_lag": 3, "best_correlation": 0.123},
}
LAGS_SHOWN = [
    "- offset50: strongest at 0 dates after the rain, correlation −0.42.",
    "- NDVI: strongest at 1 date after the rain, correlation 0.571.",
    "- NDVI of vegetation: strongest at 3 dates after the rain, correlation 0.123.",
    "The strongest of several correlations is large by chance alone; this is a description, not a test.",
]
RECOVERY = {
    "annual_cycle": {
        "offset50": {"decay_rate": None, "r2": 0.15},
        "ndvi": {"decay_rate": 0.213, "r2": 0.93},
        "ndvi_veg": {"decay_rate": 0.312, "r2": 0.87},
    },
    "dry_spells": [
        {"start": "2018-11-16", "variable": "offset50", "rate": 0.0123, "r2": 0.456, "used": True},
        {"start": "2019-11-16", "variable": "ndvi", "rate": 0.0456, "r2": 0.123, "used": False},
    ],
}
CYCLES_SHOWN = [
    "table: Decay of the mean annual cycle after its maximum (exponential fit)",
    "measure | rate, 1/month | R²",
    "NDVI | 0.213 | 0.93",
    "NDVI of vegetation | 0.312 | 0.87",
]
SPELLS_SHOWN = [
    "table: Recovery after dry spells (exponential fit; poor fits are not used)",
    "end of the spell | measure | rate, 1/day | R² | used",
    "2018-11-16 | offset50 | 0.0123 | 0.456 | yes",
    "2019-11-16 | NDVI | 0.0456 | 0.123 | no",
]
RECOVERY_ALT = "[recovery] Means of each month of the year."
WEATHER_SHOWN = [
    "## Weather and recovery",
    "[weather] Correlation of each measure with the rain of earlier dates.",
    *LAGS_SHOWN,
    RECOVERY_ALT,
    *CYCLES_SHOWN,
    *SPELLS_SHOWN,
]

# ---- The whole

FOUND = [
    COVERAGE,
    NDVI_CHANGE,
    OFFSET_CHANGE,
    RAIN_CHANGE,
    PATTERN_CHANGE,
    TESTED,
    *DISAGREEMENT.values(),
    POWER,
]
FOUND_REFUSED = [*FOUND[:5], f"Early warning is not assessed. {NOT_ASSESSED}"]
ANALYSIS = {
    "site": "Bandia-7",
    "mode": "default",
    "software": {"tigerbush": "0.9.1", "numpy": "2.1.3"},
    "seed": 1357,
    "configuration": SETTINGS,
    "days_per_step": 30.4,
    "detrending": DETRENDING,
    "metadata": METADATA,
    "series": SERIES,
    "completeness": COMPLETENESS,
    "early_warning": WARNING,
    "weather": {"lagged_correlation": LAGS},
    "recovery": RECOVERY,
    "spatial": SPATIAL,
}


def report(
    *,
    findings=FOUND,
    caveats=CAVEATS,
    parts=(PICTURES_SHOWN, SERIES_SHOWN, COMPLETENESS_SHOWN, WARNING_SHOWN, PATTERN_SHOWN, WEATHER_SHOWN),
    methods=METHODS,
    ends=SETTINGS_SHOWN,
):
    """The lines of a report, of its parts."""
    return [
        *HEAD,
        "## Findings",
        *listed(findings),
        "## Caveats",
        *listed(caveats),
        *(line for part in parts for line in part),
        "## Methods",
        *listed(methods),
        "### References",
        *REFERENCES_LISTED,
        *ends,
    ]


# ---- Nothing to show

EMPTY = ANALYSIS | {
    "series": {"ndvi": series("NDVI", "1", {"2018-01-16": None}, gaps=[("2018-01-16", "2018-01-16", 1)])},
    "completeness": COMPLETENESS | {"with_data": 0},
    "metadata": METADATA | {"missing": {}, "failed_products": {}},
    "early_warning": REFUSED,
    "weather": {"lagged_correlation": {}},
    "recovery": {"annual_cycle": {}, "dry_spells": []},
    "spatial": {},
}
EMPTY_SHOWN = (
    [PICTURES_SHOWN[0], "No date has data."],
    [
        SERIES_SHOWN[0],
        "[series] Time series of NDVI; the sentences under Findings tell how they changed.",
        SERIES_SHOWN[2],
    ],
    [*COMPLETENESS_SHOWN[:3], "No product failed."],
    WARNING_REFUSED,
    [PATTERN_SHOWN[0], "No date has a pattern that could be measured.", PATTERN_SHOWN[3]],
    [*WEATHER_SHOWN[:2], RECOVERY_ALT],
)
SAMPLE_ENDS = [*SETTINGS_SHOWN[:-1], ""]

# ---- Each case of a sentence

# dates with data of 9, the mode, gaps (numbers of dates) of the first series with numbers, and what is said of them
COVERAGES = [
    (9, "default", [], "9 of 9 dates have data."),
    (8, "default", [1], "8 of 9 dates have data. There is 1 gap, of 1 date; it is not filled."),
    (7, "default", [2], "7 of 9 dates have data. There is 1 gap, of 2 dates; it is not filled."),
    (
        4,
        "default",
        [1, 3, 1],
        "4 of 9 dates have data. There are 3 gaps, the longest of 3 dates; gaps are not filled.",
    ),
    (
        4,
        "pyveg",
        [1, 4],
        "4 of 9 dates have data. There are 2 gaps, which mode pyveg fills by interpolation.",
    ),
    (9, "pyveg", [], "9 of 9 dates have data."),
    (0, "default", [9], "0 of 9 dates have data."),
]
# unit, six values of three months: means of the first and the last two, and what is said of them
CHANGES = [
    ("1", (2, 4, 9, 9, 3, 6), "It averaged 3 in the first third and 4.5 in the last: an increase of 50 %."),
    ("1", (4, 6, 9, 9, 1, 3), "It averaged 5 in the first third and 2 in the last: a decrease of 60 %."),
    ("1", (2, 4, 9, 9, 4, 2), "It averaged 3 in the first third and 3 in the last: a change of less than 1 %."),
    # 0.4 and 0.6 % more
    ("1", (500, 500, 9, 9, 502, 502), "It averaged 500 in the first third and 502 in the last: a change of less than 1 %."),
    ("1", (500, 500, 9, 9, 503, 503), "It averaged 500 in the first third and 503 in the last: an increase of 1 %."),
    ("mm", (-2, -4, 9, 9, -3, -6), "It averaged −3 mm in the first third and −4.5 mm in the last: an increase of 50 % in magnitude."),
    ("mm", (-4, -6, 9, 9, -1, -3), "It averaged −5 mm in the first third and −2 mm in the last: a decrease of 60 % in magnitude."),
    ("m", (1, 2, 9, 9, -1, -3), "It averaged 1.5 m in the first third and −2 m in the last: a change of −3.5 m."),
    ("1", (-1, -3, 9, 9, 1, 2), "It averaged −2 in the first third and 1.5 in the last: a change of 3.5."),
    ("m", (0, 0, 9, 9, 0, 0), "It averaged 0 m in the first third and 0 m in the last: a change of 0 m."),
    ("1", (3, 4, 9, 9, -1, 1), "It averaged 3.5 in the first third and 0 in the last: a change of −3.5."),
    ("1", (None, 2, 9, 9, 3, 6), None),
]  # fmt: skip

# ---- Without a number

# where null stands in analysis.json, and the lines of the report that become others, or none
NULLS = [
    ("series ndvi mean 2", {NDVI_CHANGE: [NDVI_CHANGE.replace("0.4", "0.3").replace("70", "60")]}),
    (
        "series ndvi mean 7",
        {NDVI_CHANGE: ["NDVI averaged 0.4 in the first third and 0.075 in the last: a decrease of 81 %."]},
    ),
    ("series total_precipitation mean 3", {RAIN_CHANGE: []}),
    ("series offset50 std 1", {}),
    ("spatial cover values 0", {PATTERN_CHANGE: [PATTERN_CHANGE.replace(COVER, "")]}),
    ("completeness n_obs", {}),
    ("completeness n_obs 0", {}),
    ("metadata config", {COMPOSITE: []}),
    ("metadata missing", without(*MISSING)),
    ("metadata failed_products", {FAILED[0]: ["No product failed."]} | without(*FAILED[1:])),
    ("weather lagged_correlation ndvi best_lag", {LAGS_SHOWN[1]: []}),
    (
        "weather lagged_correlation ndvi best_correlation",
        {LAGS_SHOWN[1]: [LAGS_SHOWN[1].replace("0.571", "–")]},
    ),
    ("recovery annual_cycle ndvi decay_rate", {CYCLES_SHOWN[2]: []}),
    ("recovery annual_cycle ndvi r2", {CYCLES_SHOWN[2]: ["NDVI | 0.213 | –"]}),
    ("recovery dry_spells 0 rate", {SPELLS_SHOWN[2]: ["2018-11-16 | offset50 | – | 0.456 | yes"]}),
    ("recovery dry_spells 1 r2", {SPELLS_SHOWN[3]: ["2019-11-16 | NDVI | 0.0456 | – | no"]}),
    *((f"early_warning {field}", changed) for field, changed in WARNING_NULLS),
]
