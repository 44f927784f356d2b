"""Sentences about the products that a site's numbers rest on, made from the field `data_quality` of an analysis."""

from collections.abc import Mapping

from tigerbush.report.words import counted, joined


def quality_sentences(analysis: Mapping) -> list[str]:
    """State missing masks and missing corrections, which stand first in a report; nothing where nothing is missing."""
    quality = analysis["data_quality"]
    if not quality["products"]:
        known = not analysis["completeness"]["with_data"]
        return (
            [] if known else ["The summary names no products: their level and their cloud masks are unknown."]
        )
    return [sentence for sentence in (_masks(quality), _shadows(quality), _corrections(quality)) if sentence]


def _masks(quality: Mapping) -> str | None:
    unmasked, number = quality["unmasked"], quality["products"]
    if unmasked is None:
        return "The summary does not tell whether clouds were masked."
    if not unmasked:
        return None
    are = "is" if unmasked == 1 else "are"
    text = f"{_of(unmasked, number)} {are} used without a cloud mask"
    if unmasked < number:
        text += f", on {quality['dates_unmasked']} of {counted(quality['dates'], 'date')} with products"
    return f"{text}: clouds and their shadows may be in these numbers."


def _shadows(quality: Mapping) -> str | None:
    shadows, number = quality["without_shadow"], quality["products"]
    if not shadows:
        return None
    those = _of(shadows, number)
    return (
        f"The cloud {'mask' if shadows == 1 else 'masks'} of {those[:1].lower() + those[1:]} "
        f"{'has' if shadows == 1 else 'have'} no cloud shadows, which may be in these numbers."
    )


def _corrections(quality: Mapping) -> str | None:
    uncorrected, number = quality["top_of_atmosphere"], quality["products"]
    if not uncorrected:
        return None
    are = "is" if uncorrected == 1 else "are"
    levels = f" ({joined(list(quality['levels']))})" if uncorrected == number else ""
    return (
        f"{_of(uncorrected, number)} {are} not corrected for the atmosphere{levels}, so that haze and water vapour "
        "change NDVI."
    )


def _of(count: int, number: int) -> str:
    if count == number:
        return "The only product" if number == 1 else f"All {number} products"
    return f"{count} of {number} products"
