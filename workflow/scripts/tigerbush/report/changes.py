"""Sentences about changes, made from the fields `changes.{measure}` of an analysis (`tigerbush.analysis.changes`)."""

import calendar
from collections.abc import Mapping

from tigerbush.report.words import joined, number, p_value
from tigerbush.variables import with_subject

NO_CONCLUSION = (
    "Whether a kind of pattern tells the direction of change is contested, so no conclusion is drawn from it."
)
# measure of the pattern to the subject of its sentence
PATTERN = {
    "cover": "The share of pixels darker than their surroundings",
    "cover_ndvi": "The share of pixels with NDVI above the site's threshold",
    "wavelength": "The wavelength of the pattern",
    "patch_count": "The density of patches",
    "patch_mean_area": "The mean area of a patch",
}
SHARES = ("cover", "cover_ndvi")
UNITS = {"1": "", "degC": " °C", "1/km2": " per km²", "m2": " m²"}
# why nothing is compared, of the subjects that it holds for
NOT_COMPARED = {
    "too_short": "No change is stated of {}: the first value and the last are less than two years apart.",
    "months_do_not_match": "No change is stated of {}: the first and the last years have no calendar month in common.",
}


def change_sentences(analysis: Mapping) -> list[str]:
    """State how measures and weather changed, and of which no change is stated, and why."""
    return _sentences(
        {row.name: row.subject for row in with_subject(analysis["series"])}, analysis["changes"]
    )


def pattern_sentences(analysis: Mapping) -> list[str]:
    """State how cover, wavelength and patches changed; nothing without a pattern."""
    texts = _sentences(PATTERN, analysis["changes"]) + threshold_sentences(analysis)
    return [*texts, NO_CONCLUSION] if texts else []


def threshold_sentences(analysis: Mapping) -> list[str]:
    """State the threshold of NDVI of the site, or why it has none; nothing without images."""
    threshold = analysis.get("ndvi_threshold") or {"value": None, "why": []}
    if threshold["value"] is not None:
        return [
            f"The site's threshold of NDVI, {number(threshold['value'])}, separates dense from sparse ground on all "
            f"dates together (Otsu's criterion {number(threshold['separability'])}, between 0 and 1)."
        ]
    if "one_class" not in threshold["why"]:
        return []
    return [
        "Cover is not measured by a threshold of NDVI, since none separates two classes of ground on all dates "
        f"together (Otsu's criterion {number(threshold['separability'])}; {number(threshold['least'])} is needed)."
    ]


def change_sentence(subject: str, change: Mapping, *, share: bool = False) -> str:
    """State the means of the first and the last years, their difference with its interval, and the trend.

    Parameters
    ----------
    subject : str
    change : dict
        `changes.{measure}` with a comparison.
    share : bool
        A share of 1, written as a percentage.
    """
    factor, unit = (100, " %") if share else (1, UNITS.get(change["unit"], f" {change['unit']}"))
    of_difference = " percentage points" if share else unit

    def means(period: str) -> str:
        return f"{number(factor * change[period])}{unit} in {_years(change, period)}"

    difference = f"{number(factor * change['difference'])}{of_difference}"
    text = f"{subject} averaged {means('first')} and {means('last')}{_months(change)}: "
    if change["low"] is None:
        reason = (
            "no value differs from another"
            if "constant" in change["why"]
            else "so few years give no interval"
        )
        return f"{text}a difference of {difference}; {reason}."
    interval = f"95 % interval {number(factor * change['low'])} to {number(factor * change['high'])}"
    if change["low"] <= 0 <= change["high"]:
        text += f"a difference of {difference} ({interval}), which variation between years may explain"
    else:
        text += f"a change of {difference} ({interval}{_relative(change, share)})"
    return f"{text}{_trend(change, factor, of_difference)}."


def first_and_last(change: Mapping | None) -> str:
    """Write the means of the first and the last years for a table; a dash where they are not compared."""
    if change is None or change["difference"] is None:
        return "–"
    text = f"{number(change['first'])} → {number(change['last'])}"
    if change["low"] is None:
        return text
    return f"{text} ({number(change['difference'])}; {number(change['low'])} to {number(change['high'])})"


def _sentences(subjects: Mapping[str, str], changes: Mapping[str, Mapping]) -> list[str]:
    told = {name: changes[name] for name in subjects if name in changes}
    sentences = [
        change_sentence(subjects[name], change, share=name in SHARES)
        for name, change in told.items()
        if change["difference"] is not None
    ]
    for code, text in NOT_COMPARED.items():
        names = [_within_sentence(subjects[name]) for name, change in told.items() if code in change["why"]]
        if names:
            sentences.append(text.format(joined(names)))
    return sentences


def _years(change: Mapping, which: str) -> str:
    """Write which years are compared, such as `the first 2 years (2016-04 to 2018-03)`."""
    years = "year" if change["years"] == 1 else f"{change['years']} years"
    start, end = change[f"{which}_period"]
    return f"the {which} {years} ({start} to {end})"


def _months(change: Mapping) -> str:
    """Write which months are compared, if not all, such as `, in January to March and May of both`."""
    months = change["months"]
    if len(months) == 12:
        return ""
    begins = [month for month in months if month - 1 not in months]
    ends = [month for month in months if month + 1 not in months]
    names = [
        calendar.month_name[begin] + (f" to {calendar.month_name[end]}" if end > begin else "")
        for begin, end in zip(begins, ends, strict=True)
    ]
    return f", in {joined(names)} of both"


def _relative(change: Mapping, share: bool) -> str:
    """Write the change in percent where it is one of the measure's size."""
    if share or change["relative"] is None:
        return ""
    sign = "+" if change["relative"] > 0 else ""
    magnitude = " in magnitude" if change["first"] < 0 else ""
    return f"; {sign}{number(100 * change['relative'])} %{magnitude}"


def _trend(change: Mapping, factor: int, unit: str) -> str:
    if change["p"] is None:
        return "; the record is too short for a trend test"
    ends = [change[key] for key in ("slope_low", "slope_high")]
    low, high = ("open" if end is None else number(factor * end) for end in ends)
    interval = "an open interval" if ends == [None, None] else f"{low} to {high}"
    return (
        f"; trend {number(factor * change['slope'])}{unit} per year ({interval}; seasonal Mann–Kendall test, "
        f"{p_value(change['p'])})"
    )


def _within_sentence(subject: str) -> str:
    """Write a subject as an object: without its apposition, and with a small letter unless it is an abbreviation."""
    words = subject.partition(",")[0]
    return words if words.isupper() else words[:1].lower() + words[1:]
