"""What a report says about early warning: each sentence is made of one field of `early_warning`, and says no more."""

import math
from collections.abc import Iterator, Mapping, Sequence

from tigerbush.analysis.indicators import INDICATORS
from tigerbush.analysis.null_model import LEVEL
from tigerbush.report.words import counted, number, p_value, sentence
from tigerbush.variables import row_of

# reason of `why` to what it means for a test that finds slowing, and for one that does not
EXPLAINED = {
    "platform_change": "the change of platforms",
    "orbit_change": "the change of relative orbits",
    "baseline_change": "the change of processing baselines",
    "sensor_change": "the change of sensors",
    "rain_memory": "the rain and its memory",
}
FEIGNED = {
    "step": "the steps of the mean",
    "sensor_change": "the change of sensors",
    "observations_trend": "the trend of the number of observations",
    "noise_change": "the change of the noise",
    "season_change": "the change of the season",
}
WHY_NOT = {
    "constant": "the primary measure does not vary beyond its season and trend",
    "no_value": "the primary measure has no value here",
    "mode_pyveg": "mode pyveg interpolates and differences the series, which itself changes their autocorrelation",
}
UNKNOWN_RAIN = "Rain is not known here, and its memory cannot be excluded as the cause."
OBSERVED = {
    "sensor": "sensor",
    "platform": "platform",
    "relative_orbit": "relative orbit",
    "baseline": "processing baseline",
}


def early_warning(analysis: Mapping) -> list[str]:
    """State the conclusion, what limits it, and what else has changed, or why there is no early warning."""
    warning = analysis["early_warning"]
    if warning["refused"]:
        return [f"Early warning is not assessed. {sentence(warning['refused'])}"]
    return [
        conclusion(warning),
        *family(warning),
        *disagreements(warning),
        *(
            f"{row_of(variable).short} does not vary beyond its season and trend, and is not tested."
            for variable in warning["constant"]
        ),
        *changes_of_primary(warning),
        *sensors(warning),
        *observations(warning["observations"]),
        *power(warning),
    ]


def conclusion(warning: Mapping) -> str:
    """State the one test that was specified before the data were seen, and the sign."""
    primary, why = warning["primary"], warning["why"]
    if primary["p"] is None:
        reason = next((WHY_NOT[code] for code in why if code in WHY_NOT), WHY_NOT["no_value"])
        return f"Nothing is concluded about slowing down: {reason}."
    return f"{_test(warning)} {_verdict(warning)}"


def _test(warning: Mapping) -> str:
    primary = warning["primary"]
    of, p = row_of(primary["variable"]).short, p_value(primary["p"])
    against = f"against {primary['surrogates']} surrogates without slowing"
    if primary["indicator"] not in INDICATORS:
        return f"The pre-specified test, whether the restoring rate of {of} falls, has {p} {against}."
    label = indicator_label(primary["indicator"])
    tau = warning["indicators"][primary["variable"]][primary["indicator"]]["tau"]
    return f"The pre-specified test, a trend of {label} of {of} (Kendall's τ = {number(tau)}), has {p} {against}."


def _verdict(warning: Mapping) -> str:
    sign, why, alternatives = warning["sign"], warning["why"], warning["alternatives"]
    if sign:
        text = "That is a sign of slowing down."
        return f"{text} {UNKNOWN_RAIN}" if "rain_unknown" in why else text
    if sign is False:
        return "That is no sign of slowing down, and no evidence of stability."
    parts = []
    found = warning["primary"]["p"] <= LEVEL
    for code in why:
        p = p_value(alternatives[code])
        if code == "surrogates_disagree":
            parts.append(f"against series of the same spectrum it has only {p}")
        elif found:
            parts.append(f"with {EXPLAINED[code]} taken out it has only {p}")
        else:
            parts.append(f"without {FEIGNED[code]} accounted for it would have {p}")
    return f"Whether that is slowing down cannot be told: {'; '.join(parts)}."


def indicator_label(name: str) -> str:
    """Return what an indicator is called in a sentence."""
    return INDICATORS[name][0].partition(",")[0] if name in INDICATORS else "falling restoring rate"


def family(warning: Mapping) -> Iterator[str]:
    """State the p of all tests together."""
    together = warning["family"]
    if together and together["p"] is not None:
        measures = "measure" if together["variables"] == 1 else "measures"
        yield (
            f"All indicators of {together['variables']} {measures} together, adjusted for their number: "
            f"{p_value(together['p'])}."
        )


def disagreements(warning: Mapping) -> Iterator[str]:
    """State for each measure which indicators point which way."""
    for variable, groups in warning["disagreement"].items():
        if text := disagreement(variable, groups, warning["indicators"].get(variable, {})):
            yield text


def disagreement(variable: str, groups: Mapping, indicators: Mapping) -> str:
    """State which indicators of a variable point which way; nothing where none has a p-value."""

    def label(name: str) -> str:
        return indicators[name]["label"].partition(",")[0] if name in indicators else name

    parts = [
        f"{direction}: {', '.join(map(label, groups[key]))}"
        for key, direction in (
            ("slowing", "towards slowing down"),
            ("opposite", "away from it"),
            ("unclear", "neither way"),
        )
        if groups[key]
    ]
    text = f"Indicators of {row_of(variable).short} point {'; '.join(parts)}." if parts else ""
    return f"{text} They contradict each other.".strip() if groups.get("contradictory") else text


def changes_of_primary(warning: Mapping) -> Iterator[str]:
    """State the steps, and the changes of noise, season and rain, of the primary measure."""
    variable = warning["primary"]["variable"]
    name = row_of(variable).short
    for step in warning["steps"].get(variable, ()):
        yield (
            f"{name} stepped by {number(step['size'])} ({number(step['low'])} to {number(step['high'])}) between "
            f"{step['after']} and {step['date']} ({p_value(step['p'])})."
        )
    noise = warning["noise"].get(variable)
    if noise and noise["step"]:
        step = noise["step"]
        yield (
            f"The noise of {name} changed by a factor of {number(step['factor'])} at once between {step['after']} and "
            f"{step['date']}."
        )
    if noise and not noise["low"] <= 0 <= noise["high"]:
        slowly = "besides, slowly" if noise["step"] else "over the record"
        factor, low, high = (number(math.exp(noise[key])) for key in ("change", "low", "high"))
        yield f"The noise of {name} changed by a factor of {factor} {slowly} ({low} to {high})."
    season = warning["season"].get(variable)
    if season and season["p"] <= LEVEL:
        ends = number(season["first"]["amplitude"]), number(season["last"]["amplitude"])
        yield f"The season of {name} changed ({p_value(season['p'])}): its range went from {ends[0]} to {ends[1]}."
    yearly = season and season["yearly"]
    if yearly and yearly["p"] <= LEVEL:
        year = yearly["changed_after"]
        yield f"The strength of the seasons of {name} changed most after that of {year} ({p_value(yearly['p'])})."
    rain = warning["rain"]
    if rain:
        memory = rain["falling_rate"]["p"]
        grows = "has a growing memory" if memory <= LEVEL else "shows no growing memory"
        yield (
            f"Rain explains {100 * max(rain['explained'], 0):.0f} % of the variance that season and trend leave; "
            f"itself it {grows} ({p_value(memory)})."
        )


def sensors(warning: Mapping) -> Iterator[str]:
    """State how much each sensor differs from the most frequent one; it is taken off before the test."""
    name = row_of(warning["primary"]["variable"]).short
    for each in warning["sensors"]:
        yield (
            f"{name} of {each['sensor']} differs from that of {each['against']} by {number(each['difference'])} "
            f"({number(each['low'])} to {number(each['high'])}), which the test accounts for."
        )


def observations(trends: list[Mapping]) -> Iterator[str]:
    """State what about the observations has a trend."""
    for trend in trends:
        if trend["p"] > LEVEL:
            continue
        if trend["of"] == "n_obs":
            yield (
                f"Observations per pixel changed from {number(trend['first'])} to {number(trend['last'])} (first and "
                f"last third; {p_value(trend['p'])})."
            )
        else:
            first, last = (f"{100 * trend[end]:.0f} %" for end in ("first", "last"))
            yield (
                f"The share of {OBSERVED[trend['of']]} {trend['value']} changed from {first} to {last} (first and last "
                f"third; {p_value(trend['p'])})."
            )


def power(warning: Mapping) -> Iterator[str]:
    """State how often slowing would be found in records like this one."""
    chance = warning["power"]
    if chance:
        yield (
            f"Of {chance['series']} simulated records like this one, but with an autocorrelation from date to date "
            f"that rises from {chance['ar1_first']:.2f} to {chance['ar1_last']:.2f}, the test finds "
            f"{100 * chance['found']:.0f} %."
        )


def findings_over_sites(comparison: Mapping) -> list[str]:
    """State how many sites show a sign, and how many cannot tell."""
    rows = comparison["rows"]
    tested = [row for row in rows if row["p"] is not None]
    sentences = [
        f"Of {counted(len(rows), 'site')}, {len(tested)} could be tested for early warning; {len(rows) - len(tested)} "
        "could not, for the reasons below."
    ]
    if tested:
        rejected = [row for row in tested if row["rejected"]]
        signs = [row["site"] for row in rejected if row["sign_among_sites"]]
        untold = sum(row["sign"] is None for row in rejected)
        sentences += [
            f"{len(rejected)} of them {'has' if len(rejected) == 1 else 'have'} an adjusted p-value of at most "
            f"{comparison['q']:g} (of such, at most {100 * comparison['q']:g} % are expected to be false).",
            f"{len(signs)} of these {'shows' if len(signs) == 1 else 'show'} a sign of slowing down"
            f"{': ' + ', '.join(signs) if signs else ''}{f'; of {untold} it cannot be told' if untold else ''}.",
            *_uncertain(tested),
            "The absence of a sign does not show that a site is stable: short series have little power.",
        ]
    contradicting = sum(row["disagreement"] for row in rows)
    if contradicting:
        sentences.append(f"At {contradicting} of the sites, significant indicators contradict each other.")
    return sentences


def _uncertain(tested: Sequence[Mapping]) -> Iterator[str]:
    """Say for how many sites the error of their p decides."""
    if number := sum(bool(row["uncertain"]) for row in tested):
        yield (
            f"Whether the adjusted p-value of {counted(number, 'site')} is small enough depends on the error of the p "
            "itself, which more surrogates would reduce (analysis.surrogates)."
        )
