"""What a report says about the pattern of a site: each sentence is made of fields, and says no more than they do."""

from collections.abc import Mapping

from tigerbush.report.words import counted, number

# why a date has no class, no wavelength or no numbers of its pattern
PATTERN_REASONS = {
    "no_pixels": "fewer than nine pixels are valid",
    "constant": "NDVI is constant",
    "contrast": "NDVI stands out of its noise by less than the limit of contrast",
    "masked": "more than a quarter of the pixels are masked",
    "no_peak": "no wavelength stands out of longer ones",
}
# why the trend of a spatial indicator is not tested
TREND_REASONS = {
    "too_short": "fewer than 12 dates have one",
    "constant": "an indicator does not change",
    "undefined": "an indicator is not defined on every date",
}


def pattern_found(summary: Mapping | None) -> list[str]:
    """State whether the site has a pattern, of which class, and where offset50 is that of noise."""
    if not summary or not summary["dates"]:
        return []
    dates = counted(summary["classified"], "date")
    if summary["pattern"] is None:
        sentences = [
            f"Whether the site has a pattern cannot be told: on each date {PATTERN_REASONS['masked']}."
        ]
    elif summary["pattern"] == "none":
        reason = summary["reason"]
        sentences = [
            f"The site has no regular pattern: on {summary['classes']['none']} of {dates} there is none, most often "
            f"because {PATTERN_REASONS[reason]} ({summary['reasons'][reason]})."
        ]
    else:
        wavelength = summary["wavelength"]
        sentences = [
            f"The pattern is classed as {summary['pattern']} on {summary['classes'][summary['pattern']]} of {dates}; "
            f"its median wavelength is {number(wavelength['median'])} m ({counted(wavelength['dates'], 'date')})."
        ]
        if summary["first"] != summary["last"]:
            sentences.append(
                f"Its most frequent class is {summary['first']} in the first third of these dates and "
                f"{summary['last']} in the last."
            )
    hidden = summary["offset50_low_contrast"]
    if hidden:
        parts = sum(map(len, hidden.values()))
        sentences.append(
            f"On {len(hidden)} of {counted(summary['dates'], 'date')} offset50 of some sub-images ({parts} in all) "
            "rests on too little contrast: it describes noise."
        )
    return sentences


def spatial_warning_found(warning: Mapping | None) -> list[str]:
    """State which spatial indicators have a trend, or why none was tested."""
    indicators = (warning or {}).get("indicators") or {}
    tested = [name for name, indicator in indicators.items() if indicator["trend"]["reason"] is None]
    if not indicators:
        return []
    if not tested:
        reasons = sorted({TREND_REASONS[indicator["trend"]["reason"]] for indicator in indicators.values()})
        return [f"Trends of spatial indicators are not tested: {'; '.join(reasons)}."]
    clauses = []
    for way, verbs in (("rising", ("rises", "rise")), ("falling", ("falls", "fall"))):
        labels = [indicators[name]["label"] for name in warning[way]]
        if labels:
            clauses.append(f"{len(labels)} {verbs[len(labels) > 1]} ({', '.join(labels)})")
    found = " and ".join(clauses) or "none has a trend"
    text = f"Of {counted(len(tested), 'spatial indicator')}, {found} over the dates"
    caution = (
        " Rain and the number of observations change them as well: this alone is no warning."
        if clauses
        else ""
    )
    return [f"{text}, at {100 * warning['level']:g} % for all of them together.{caution}"]
