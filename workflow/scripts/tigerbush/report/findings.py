"""The findings of an analysis in plain words: sentences that say no more than the numbers do."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from tigerbush.pyveg import CAVEAT, MODES, gaps_sentence
from tigerbush.variables import row_of, with_subject

# a p-value below it is called significant
LEVEL = 0.05
NO_CONCLUSION = (
    "Whether a kind of pattern tells the direction of change is contested, so no conclusion is drawn from it."
)
# measure of the pattern to what it is called in a sentence, factor and unit
PATTERN = {
    "cover": ("vegetation cover", 100, " %"),
    "wavelength": ("wavelength", 1, " m"),
    "patch_count": ("density of patches", 1, " per km²"),
    "patch_mean_area": ("mean patch area", 1, " m²"),
}
SURROGATES = {"ar1": "AR(1)", "phase": "phase-randomised"}

# caveats of a site and over sites alike
OF_ALL = (
    "Each indicator is shown separately; there is no combined score, because methods contradict each other over most "
    "of the land.",
    "No indicator predicts the future: a system may tip without a warning, and may not tip after one.",
)


def findings(analysis: Mapping) -> list[str]:
    """State the findings at a site.

    Parameters
    ----------
    analysis : dict
        Contents of analysis.json.

    Returns
    -------
    list of str
        Sentences in plain words: coverage, changes, pattern, early warning.
    """
    series = analysis["series"]
    changes = [
        change_sentence(row.subject, series[row.name]) for row in with_subject(series) if row.name in series
    ]
    return [
        coverage(analysis),
        *filter(None, changes),
        *pattern_change(analysis["spatial"]),
        *early_warning(analysis),
    ]


def coverage(analysis: Mapping) -> str:
    """State how many dates have data, and how long the gaps are."""
    completeness = analysis["completeness"]
    text = f"{completeness['with_data']} of {completeness['dates']} dates have data."
    gaps = next((series["gaps"] for series in analysis["series"].values() if series["n"]), [])
    if not gaps or not completeness["with_data"]:
        return text
    if MODES[analysis["mode"]].fills_gaps:
        return f"{text} {gaps_sentence(len(gaps))}"
    longest = _counted(max(gap["dates"] for gap in gaps), "date")
    if len(gaps) == 1:
        return f"{text} There is 1 gap, of {longest}; it is not filled."
    return f"{text} There are {len(gaps)} gaps, the longest of {longest}; gaps are not filled."


def change_sentence(subject: str, series: Mapping) -> str | None:
    """Compare the first and the last year of a series (thirds of one shorter than two years)."""
    ends = first_and_last(series["dates"], series["mean"])
    if ends is None:
        return None
    (first, last), part = ends
    unit = "" if series["unit"] == "1" else f" {series['unit']}"
    if np.sign(first) == np.sign(last) != 0:
        share = 100 * (abs(last) / abs(first) - 1)
        percent = f"{abs(share):.0f}"
        direction = "a change" if percent == "0" else "an increase" if share > 0 else "a decrease"
        magnitude = " in magnitude" if first < 0 else ""
        difference = f"{direction} of {'less than 1' if percent == '0' else percent} %{magnitude}"
    else:
        difference = f"a change of {number(last - first)}{unit}"
    return (
        f"{subject} averaged {number(first)}{unit} in the first {part} and {number(last)}{unit} in the last: "
        f"{difference}."
    )


def first_and_last(
    dates: Sequence[str], values: Sequence[float | None]
) -> tuple[tuple[float, float], str] | None:
    """Return the means of the first and of the last part of a series, and what the part is.

    Returns
    -------
    (first, last), "year" or "third"
        None when fewer than six dates have a value.
    """
    known = [
        (date.fromisoformat(day), value)
        for day, value in zip(dates, values, strict=True)
        if value is not None
    ]
    if len(known) < 6:
        return None
    start, end = known[0][0], known[-1][0]
    if (end - start).days >= 2 * 365:
        early = [value for day, value in known if (day - start).days < 365]
        late = [value for day, value in known if (end - day).days < 365]
        return (float(np.mean(early)), float(np.mean(late))), "year"
    third = len(known) // 3
    values = [value for _, value in known]
    return (float(np.mean(values[:third])), float(np.mean(values[-third:]))), "third"


def median_error(compared: Mapping) -> float | None:
    """Return the median of the relative differences between measured and true values of a metric."""
    pairs = [
        (measured, true)
        for measured, true in zip(compared["measured"], compared["truth"], strict=True)
        if measured is not None and true
    ]
    return float(np.median([abs(measured / true - 1) for measured, true in pairs])) if pairs else None


def pattern_change(spatial: Mapping) -> list[str]:
    """State cover, wavelength and patches in the first and the last part of the series."""
    clauses, part = [], ""
    for metric, (name, factor, unit) in PATTERN.items():
        series = spatial.get(metric)
        ends = series and first_and_last(series["dates"], series["values"])
        if ends:
            (first, last), part = ends
            clauses.append(f"{name} {number(first * factor)} and {number(last * factor)}{unit}")
    if not clauses:
        return []
    return [f"The pattern in the first and the last {part}: {'; '.join(clauses)}. {NO_CONCLUSION}"]


def caveats(analysis: Mapping, simulated: bool) -> list[str]:
    """List what limits the findings."""
    texts = [
        "Sub-images of a site share its weather and its scenes; they are not replicates, and their spread is not the "
        "error of the mean.",
        "Autocorrelation and variance also change when the number of observations per date, the "
        "satellites, their orbits or the cloud masks change. Compare with the completeness below.",
        "A median of slightly misregistered scenes blurs the pattern, the more so the more scenes there are.",
        *OF_ALL,
    ]
    if MODES[analysis["mode"]].fills_gaps:
        texts.insert(0, CAVEAT)
    if simulated:
        texts.insert(0, "These products are simulated: nothing in this report was seen by a satellite.")
    return texts


def number(value: float | None) -> str:
    """Write a number with three digits; a dash for none."""
    if value is None:
        return "–"
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", "\u202f")
    return text.replace("-", "−").replace("e−0", "e−")


def p_value(value: float | None) -> str:
    """Write a p-value."""
    return "–" if value is None else "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"
