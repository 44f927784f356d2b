"""A site's analysis written by hand, and beside its fields the sentences of the report that state them.

What is said of early warning, of the pattern, of methods and over sites is in the files `sentences_of_*`. Lines of a
report are as `report_lines.lines_of` gives them. No number comes from the code under test.
"""

from sentences_of_changes import CHANGED, CHANGES, PATTERN_CHANGED, THRESHOLD
from sentences_of_methods import (
    CAVEATS,
    COMPOSITE,
    DETRENDING,
    METHODS,
    REFERENCES_LISTED,
    SETTINGS,
    SETTINGS_SHOWN,
)
from sentences_of_pattern import PATTERN_SHOWN, SPATIAL
from sentences_of_warning import (
    NOT_ASSESSED,
    REFUSED,
    WARNED,
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

# ---- Findings: products and coverage

COMPLETENESS = {
    "dates": 21,
    "with_data": 17,
    "n_sub_images": [4, 0, 3],
    "n_obs": [1.5, None, 2.25],
    "products": {"2018-01-16": 2, "2018-02-15": 0, "2018-03-16": 3},
}
SERIES = {
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
QUALITY = {
    "products": 9, "levels": {"L1C": 4, "L2A": 5}, "top_of_atmosphere": 4, "unmasked": 3, "without_shadow": 1, "dates": 8,
    "dates_unmasked": 2,
}  # fmt: skip
RESTS_ON = [
    "3 of 9 products are used without a cloud mask, on 2 of 8 dates with products: clouds and their shadows may be in these "
    "numbers.",
    "The cloud mask of 1 of 9 products has no cloud shadows, which may be in these numbers.",
    "4 of 9 products are not corrected for the atmosphere, so that haze and water vapour change NDVI.",
]
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
    "What the numbers of each date rest on: dates.csv.",
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
    "lowest value | measure | rate, 1/day | R² | used",
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
    *RESTS_ON,
    COVERAGE,
    *CHANGED,
    *PATTERN_CHANGED,
    *WARNED,
]
FOUND_REFUSED = [*FOUND[:14], f"Early warning is not assessed. {NOT_ASSESSED}"]
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
    "changes": CHANGES,
    "completeness": COMPLETENESS,
    "data_quality": QUALITY,
    "ndvi_threshold": THRESHOLD,
    "early_warning": WARNING,
    "sub_images": {"variable": "ndvi"},
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
    "changes": {},
    "completeness": COMPLETENESS | {"with_data": 0},
    "data_quality": QUALITY | {"products": 0},
    "ndvi_threshold": THRESHOLD | {"value": None, "separability": None, "why": ["no_data"]},
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
        *SERIES_SHOWN[2:4],
    ],
    [*COMPLETENESS_SHOWN[:3], "No product failed."],
    WARNING_REFUSED,
    [PATTERN_SHOWN[0], "No date has a pattern that could be measured.", *PATTERN_SHOWN[3:6]],
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
    (1, "pyveg", [8], "1 of 9 dates has data. There is 1 gap, which mode pyveg fills by interpolation."),
]
# ---- Without a number

# where null stands in analysis.json, and the lines of the report that become others, or none
NULLS = [
    ("series ndvi mean 2", {}),
    ("series offset50 std 1", {}),
    ("spatial cover values 0", {}),
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
