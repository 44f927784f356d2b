"""Numbers and words as reports write them."""


def number(value: float | None) -> str:
    """Write a number with three digits; a dash for none."""
    if value is None:
        return "–"
    # -0.0 is 0
    text = f"{value or 0.0:.3g}"
    if abs(float(text)) >= 1000:
        text = f"{value:,.0f}".replace(",", "\u202f")
    return with_minus(text).replace("e−0", "e−")


def with_minus(text: str) -> str:
    """Write hyphens of numbers as minus signs."""
    return text.replace("-", "−")


def p_value(value: float | None) -> str:
    """Write a p-value."""
    return "–" if value is None else "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


def counted(count: int, noun: str) -> str:
    """Write a number of things; the noun is given in the singular."""
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def joined(words: list[str]) -> str:
    """Write a list: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
