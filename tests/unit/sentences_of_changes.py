"""Changes written by hand as analysis.json holds them, and what a report says of them."""

YEAR = list(range(1, 13))
NOTHING = dict.fromkeys(
    ("first", "last", "difference", "low", "high", "relative", "p", "slope", "slope_low", "slope_high")
)


def compared(ends, interval, relative, trend, *, unit="1", months=YEAR, years=1, why=()):
    """A change of `ends`; trend is p, slope and its interval; the periods are those of `PERIODS`."""
    first, last, difference = ends
    low, high = interval
    p, slope, slope_low, slope_high = trend
    return {
        "unit": unit, "first": first, "last": last, "difference": difference, "low": low, "high": high,
        "relative": relative, "p": p, "slope": slope, "slope_low": slope_low, "slope_high": slope_high,
        "months": months, "years": years, "first_period": ["2018-02", "2019-01"], "last_period": ["2019-09", "2020-08"],
        "n": 17, "why": list(why),
    }  # fmt: skip


def not_compared(*why, unit="1"):
    return NOTHING | {"unit": unit, "months": [], "years": None, "first_period": None, "last_period": None, "n": 9, "why": list(why)}  # fmt: skip


CHANGES = {
    "offset50": compared(
        (-1250.0, -2625.0, -1375.0), (-2900.0, 150.0), 1.1, (0.345, -410.0, None, 35.0), months=[1, 2, 3, 5, 9, 12],
        years=2,
    ),
    "ndvi": compared((0.4, 0.12, -0.28), (-0.36, -0.2), -0.7, (0.012, -0.1, -0.15, -0.04)),
    "ndvi_veg": compared((0.6, 0.7, 0.1), (0.05, 0.15), 1 / 6, (0.5, 0.1, 0.05, 0.15)),
    "total_precipitation": compared(
        (0.0, 31.0, 31.0), (None, None), None, (None, 10.0, None, None), unit="mm",
        why=("too_short_for_trend", "too_short_for_interval"),
    ),
    "temperature": not_compared("too_short", unit="degC"),
    "cover": compared((0.6, 0.15, -0.45), (-0.6, -0.3), -0.75, (0.0004, -0.12, -0.2, -0.05)),
    "cover_ndvi": compared((0.5, 0.52, 0.02), (-0.1, 0.14), 0.04, (0.75, 0.01, None, None)),
    "wavelength": compared((102.0, 86.0, -16.0), (-20.0, -12.0), -16 / 102, (0.03, -4.0, -6.0, -2.0), unit="m", months=[4]),
    "patch_count": not_compared("months_do_not_match", unit="1/km2"),
    "patch_mean_area": not_compared("too_short", unit="m2"),
    "morans_i": compared((0.1, 0.2, 0.1), (0.05, 0.15), 1.0, (0.01, 0.1, 0.05, 0.15)),
}  # fmt: skip
THRESHOLD = {"value": 0.355, "separability": 0.8125, "least": 0.7, "why": []}

ENDS = "{} in the first year (2018-02 to 2019-01) and {} in the last year (2019-09 to 2020-08)"
TEST = "seasonal Mann–Kendall test, "
NDVI_CHANGE = (
    f"NDVI averaged {ENDS.format(0.4, 0.12)}: a change of −0.28 (95 % interval −0.36 to −0.2; −70 %); trend −0.1 per year "
    f"(−0.15 to −0.04; {TEST}p = 0.012)."
)
OFFSET_CHANGE = (
    "Offset50, a measure of the connectivity of bare ground, averaged −1\u202f250 in the first 2 years (2018-02 to 2019-01) "
    "and −2\u202f625 in the last 2 years (2019-09 to 2020-08), in January to March, May, September and December of both: a "
    "difference of −1\u202f375 (95 % interval −2\u202f900 to 150), which variation between years may explain; trend −410 per "
    f"year (open to 35; {TEST}p = 0.345)."
)
RAIN_CHANGE = f"Rain per date averaged {ENDS.format('0 mm', '31 mm')}: a difference of 31 mm; so few years give no interval."
CHANGED = [NDVI_CHANGE, OFFSET_CHANGE, RAIN_CHANGE]
COVER_CHANGE = (
    f"The share of pixels darker than their surroundings averaged {ENDS.format('60 %', '15 %')}: a change of −45 "
    f"percentage points (95 % interval −60 to −30); trend −12 percentage points per year (−20 to −5; {TEST}p < 0.001)."
)
COVER_NDVI_CHANGE = (
    f"The share of pixels with NDVI above the site's threshold averaged {ENDS.format('50 %', '52 %')}: a difference of 2 "
    "percentage points (95 % interval −10 to 14), which variation between years may explain; trend 1 percentage points per "
    f"year (an open interval; {TEST}p = 0.750)."
)
WAVELENGTH_CHANGE = (
    f"The wavelength of the pattern averaged {ENDS.format('102 m', '86 m')}, in April of both: a change of −16 m (95 % "
    f"interval −20 to −12; −15.7 %); trend −4 m per year (−6 to −2; {TEST}p = 0.030)."
)
SHORT = "the first value and the last are less than two years apart."
NO_MONTHS = "the first and the last years have no calendar month in common."
THRESHOLD_SHOWN = (
    "The site's threshold of NDVI, 0.355, separates dense from sparse ground on all dates together (Otsu's criterion 0.812, "
    "between 0 and 1)."
)
NO_THRESHOLD = (
    "Cover is not measured by a threshold of NDVI, since none separates two classes of ground on all dates together (Otsu's "
    "criterion 0.26; 0.7 is needed)."
)
NO_CONCLUSION = (
    "Whether a kind of pattern tells the direction of change is contested, so no conclusion is drawn from it."
)
PATTERN_CHANGED = [
    COVER_CHANGE,
    COVER_NDVI_CHANGE,
    WAVELENGTH_CHANGE,
    f"No change is stated of the mean area of a patch: {SHORT}",
    f"No change is stated of the density of patches: {NO_MONTHS}",
    THRESHOLD_SHOWN,
    NO_CONCLUSION,
]
# ends, interval, relative change, trend, other fields, and what is said of them after the means
CASES = [
    ((2.0, 3.0, 1.0), (0.5, 1.5), 0.5, {}, "averaged {2} and {3}: a change of 1 (95 % interval 0.5 to 1.5; +50 %)"),
    ((-2.0, -3.0, -1.0), (-1.5, -0.5), 0.5, {}, "averaged {−2} and {−3}: a change of −1 (95 % interval −1.5 to −0.5; +50 % in magnitude)"),
    ((-3.0, -2.0, 1.0), (0.5, 1.5), -1 / 3, {}, "averaged {−3} and {−2}: a change of 1 (95 % interval 0.5 to 1.5; −33.3 % in magnitude)"),
    ((-1.0, 2.0, 3.0), (1.0, 5.0), None, {}, "averaged {−1} and {2}: a change of 3 (95 % interval 1 to 5)"),
    ((1.0, 2.0, 1.0), (0.0, 2.0), 1.0, {}, "averaged {1} and {2}: a difference of 1 (95 % interval 0 to 2), which variation between years may explain"),
    ((2.0, 1.0, -1.0), (-2.0, 0.0), -0.5, {"unit": "degC"}, "averaged {2 °C} and {1 °C}: a difference of −1 °C (95 % interval −2 to 0), which variation between years may explain"),
    ((1.0, 2.0, 1.0), (0.5, 1.5), 1.0, {"unit": "1/km2"}, "averaged {1 per km²} and {2 per km²}: a change of 1 per km² (95 % interval 0.5 to 1.5; +100 %)"),
]  # fmt: skip
