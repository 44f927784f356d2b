"""The findings of an analysis in plain words: sentences that say no more than the numbers do."""

from collections.abc import Mapping

import numpy as np

from tigerbush.pyveg import CAVEAT, MODES, gaps_sentence
from tigerbush.report.changes import change_sentences, pattern_sentences
from tigerbush.report.early_warning import early_warning
from tigerbush.report.pattern import pattern_found, spatial_warning_found
from tigerbush.report.quality import quality_sentences
from tigerbush.report.words import counted

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
        Sentences in plain words: masks and levels of the products, coverage, changes, pattern, early warning.
    """
    return [
        *quality_sentences(analysis),
        coverage(analysis),
        *change_sentences(analysis),
        *pattern_found(analysis.get("spatial_summary")),
        *pattern_sentences(analysis),
        *spatial_warning_found(analysis.get("spatial_warning")),
        *early_warning(analysis),
    ]


def coverage(analysis: Mapping) -> str:
    """State how many dates have data, and how long the gaps are."""
    completeness = analysis["completeness"]
    have = "has" if completeness["with_data"] == 1 else "have"
    text = f"{completeness['with_data']} of {counted(completeness['dates'], 'date')} {have} data."
    gaps = next((series["gaps"] for series in analysis["series"].values() if any(series["n"])), [])
    if not gaps or not completeness["with_data"]:
        return text
    if MODES[analysis["mode"]].fills_gaps:
        return f"{text} {gaps_sentence(len(gaps))}"
    longest = counted(max(gap["dates"] for gap in gaps), "date")
    if len(gaps) == 1:
        return f"{text} There is 1 gap, of {longest}; it is not filled."
    return f"{text} There are {len(gaps)} gaps, the longest of {longest}; gaps are not filled."


def median_error(compared: Mapping) -> float | None:
    """Return the median of the relative differences between measured and true values of a metric."""
    pairs = [
        (measured, true)
        for measured, true in zip(compared["measured"], compared["truth"], strict=True)
        if measured is not None and true
    ]
    return float(np.median([abs(measured / true - 1) for measured, true in pairs])) if pairs else None


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
        texts.insert(0, "These data are simulated: nothing in this report was seen by a satellite.")
    return texts
