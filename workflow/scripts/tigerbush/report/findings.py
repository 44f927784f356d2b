"""What an analysis found, in plain words: sentences that say no more than the numbers do."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from tigerbush.pyveg import CAVEAT, MODES, gaps_sentence
from tigerbush.variables import row_of, with_subject

# a probability below it is called significant
LEVEL = 0.05
NO_VERDICT = "What a kind of pattern says about the direction of change is contested, so no verdict follows."

# caveats of a site and over sites alike
OF_ALL = (
    "Each indicator is shown by itself; there is no merged score, because the methods contradict each other over most "
    "of the land.",
    "No indicator knows the future. A series without a warning may tip, and one with a warning may not.",
)


def findings(analysis: Mapping) -> list[str]:
    """Say what was found at a site.

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
    told = [coverage(analysis)]
    told += [
        text
        for row in with_subject(series)
        if row.name in series and (text := change(row.subject, series[row.name]))
    ]
    told += pattern_change(analysis["spatial"])
    return told + early_warning(analysis)


def coverage(analysis: Mapping) -> str:
    """Say how many dates have data, and which do not."""
    found = analysis["completeness"]
    text = f"{found['with_data']} of {found['dates']} dates have data."
    gaps = next((one["gaps"] for one in analysis["series"].values() if one["n"]), [])
    if gaps and found["with_data"]:
        longest = max(gap["dates"] for gap in gaps)
        text += (
            f" {gaps_sentence(len(gaps))}"
            if MODES[analysis["mode"]].fills_gaps
            else f" There {'is 1 gap' if len(gaps) == 1 else f'are {len(gaps)} gaps'}, the longest of "
            f"{longest} {'date' if longest == 1 else 'dates'}; gaps stay gaps, nothing is filled in."
        )
    return text


def change(name: str, one: Mapping) -> str | None:
    """Compare the first and the last year of a series (thirds of one shorter than two years)."""
    ends = first_and_last(one["dates"], one["mean"])
    if ends is None:
        return None
    (first, last), part = ends
    unit = "" if one["unit"] == "1" else f" {one['unit']}"
    if np.sign(first) == np.sign(last) != 0:
        share = 100 * (abs(last) / abs(first) - 1)
        much = f"{abs(share):.0f} % {'more' if share > 0 else 'less'}{' in size' if first < 0 else ''}"
    else:
        much = f"a change of {number(last - first)}{unit}"
    return f"{name} was {number(first)}{unit} on average in the first {part}, {number(last)}{unit} in the last: {much}."


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


def median_error(one: Mapping) -> float | None:
    """Return the median of the relative differences between measured and true values of a metric."""
    pairs = [
        (measured, true)
        for measured, true in zip(one["measured"], one["truth"], strict=True)
        if measured is not None and true
    ]
    return float(np.median([abs(measured / true - 1) for measured, true in pairs])) if pairs else None


def pattern_change(spatial: Mapping) -> list[str]:
    """Say how cover, wavelength and patches changed."""
    words = {
        "cover": ("vegetation covers", 100, " % of the ground"),
        "wavelength": ("the pattern repeats itself every", 1, " m"),
        "patch_count": ("patches of vegetation number", 1, " per km²"),
        "patch_mean_area": ("their mean area is", 1, " m²"),
    }
    told, part = [], ""
    for metric, (text, factor, unit) in words.items():
        one = spatial.get(metric)
        ends = one and first_and_last(one["dates"], one["values"])
        if ends:
            (first, last), part = ends
            told.append(f"{text} {number(first * factor)}, then {number(last * factor)}{unit}")
    if not told:
        return []
    return [f"In the first and the last {part}, {'; '.join(told)}. {NO_VERDICT}"]


def early_warning(analysis: Mapping) -> list[str]:
    """Say what the indicators can tell: the refusal, or the one named before and how the others disagree."""
    warning = analysis["early_warning"]
    if warning["refused"]:
        return [f"No early warning is given. {sentence(warning['refused'])}"]
    primary = warning["primary"]
    one = warning["indicators"].get(primary["variable"], {}).get(primary["indicator"])
    if one is None or one["tau"] is None:
        told = ["The indicator that was named before has no value here, so that nothing is tested."]
    else:
        told = [primary_sentence(primary["variable"], one)]
    for variable, groups in warning["disagreement"].items():
        told.append(disagreement(variable, groups, warning["indicators"].get(variable, {})))
    return [*told, sentence(warning["power"])]


def primary_sentence(variable: str, one: Mapping) -> str:
    """Tell the one test that was named before the data were seen."""
    p = {name: value for name, value in one["p"].items() if value is not None}
    surrogates = {"ar1": "AR(1)", "phase": "phase-randomised"}
    against = " and ".join(
        f"{p_value(value)} against {surrogates[name]} surrogates" for name, value in p.items()
    )
    if p and max(p.values()) < LEVEL:
        verdict = "That is a sign of slowing recovery, by this one indicator."
    elif p and min(p.values()) < LEVEL:
        verdict = "The two kinds of surrogates disagree, so it is no firm sign of slowing recovery."
    else:
        verdict = "That is no evidence of slowing recovery, and no evidence against it."
    return (
        f"The indicator named before, {one['label']} of {row_of(variable).short}, has a trend of Kendall's τ = "
        f"{one['tau']:.2f} ({against}). {verdict}"
    )


def disagreement(variable: str, groups: Mapping, indicators: Mapping) -> str:
    """Say which indicators of a variable point which way."""

    def label(name: str) -> str:
        return indicators[name]["label"].partition(",")[0] if name in indicators else name

    parts = [
        f"{name}: {', '.join(map(label, groups[key]))}"
        for key, name in (
            ("slowing", "towards slowing"),
            ("opposite", "away from it"),
            ("unclear", "neither"),
        )
        if groups[key]
    ]
    text = f"Indicators of {row_of(variable).short} point {'; '.join(parts)}." if parts else ""
    return f"{text} They contradict each other.".strip() if groups.get("contradictory") else text


def caveats(analysis: Mapping, simulated: bool) -> list[str]:
    """List what the reader has to keep in mind."""
    told = [
        "Sub-images are parts of one place and share its weather and scenes; they are no replicates, and "
        "their spread is no error of the mean.",
        "Autocorrelation and variance also change when the number of observations per date, the "
        "satellites, their orbits or the cloud masks change. Compare with the completeness below.",
        "A median of slightly shifted scenes blurs a pattern, the more scenes the more.",
        *OF_ALL,
    ]
    if MODES[analysis["mode"]].fills_gaps:
        told.insert(0, CAVEAT)
    if simulated:
        told.insert(0, "These products are simulated: nothing in this report was seen by a satellite.")
    return told


def number(value: float | None) -> str:
    """Write a number with three digits; a dash for none."""
    if value is None:
        return "–"
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}".replace(",", "\u202f")
    return text.replace("-", "−").replace("e−0", "e−")


def p_value(value: float | None) -> str:
    """Write a probability."""
    return "–" if value is None else "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
