"""Text in place of weather: what a server answers when it refuses a download, saved under the name of the file."""

import re
from pathlib import Path

from tigerbush.errors import quoted
from tigerbush.weather.plausible import NAMES
from tigerbush.weather_suffixes import JSON, TABLE

# what pyveg's JSON has near its beginning
_PYVEG = re.compile(rf'"\d{{4}}-\d\d-\d\d"\s*:|"time-series-data"|{"|".join(NAMES.values())}')
_REFUSAL = re.compile(
    r"\b(?:errors?|exceptions?|denied|forbidden|unauthori[sz]ed|permission|limit|quota|exceeded|too many|not found"
    r"|no such|invalid|expired|unavailable|not available|time[d]?[ -]?out|fail(?:ed|ure)|refused|rejected|log ?in"
    r"|sign in|credentials?|token|api[ _-]?key|bad request|maintenance|unable|cannot|could not|missing|required)\b",
    re.IGNORECASE,
)
_SEPARATORS = (",", ";", "\t", "|", None)
_NUMBER = re.compile(r"[-+]?\d[\d.,:TZ/ +-]*(?:e[-+]?\d+)?", re.IGNORECASE)
_TAGS = re.compile(
    r"<(?:script|style)\b.*?(?:</(?:script|style)>|\Z)|<[^>]*(?:>|\Z)", re.DOTALL | re.IGNORECASE
)
# characters of a message
_LONGEST = 8000
_ADVICE = "do what it says, and save the data themselves"


def message_sentence(path: Path, text: str, expected: str) -> str | None:
    """Say that a text is no weather, but perhaps the message of a server; None when it may be weather.

    Parameters
    ----------
    path : Path
        The file, for the sentence.
    text : str
        What it begins with.
    expected : str
        The format that its suffix stands for.
    """
    is_refusal = _REFUSAL.search(text[:500]) is not None
    if text.startswith(("{", "[")):
        if _PYVEG.search(text) or (expected == JSON and not is_refusal):
            # the reader of JSON says what it lacks
            return None
        what = "JSON without pyveg's weather"
    else:
        lines = text.splitlines()
        has_rows = any(map(_is_row, lines))
        is_table = has_rows and len(lines) > 1
        # a table without records, or with long titles above them, is for its reader
        is_for_reader = has_rows or expected in (TABLE, JSON)
        if is_table or (is_for_reader and (not is_refusal or len(text) > _LONGEST)):
            return None
        what = "text without a table"
    if is_refusal:
        return (
            f"{path} is not {expected} but a message, as of a server that refused the download: {quoted(text)}; "
            f"{_ADVICE}."
        )
    return f"{path} is {what}, not {expected}: {quoted(text)}; if a server answered this, {_ADVICE}."


def page_words(text: str) -> str:
    """Return what a page or XML says, without its tags, for a message; empty if it says nothing."""
    words = " ".join(_TAGS.sub(" ", text).split())
    return f" that says {quoted(words)}" if words else ""


def _is_row(line: str) -> bool:
    """Tell whether a line can be a row of a table: two fields are dates or numbers, and half of words in a sentence."""
    for separator in _SEPARATORS:
        fields = [field.strip(" \"'") for field in line.split(separator)]
        numbers = sum(_NUMBER.fullmatch(field) is not None for field in fields)
        if numbers > 1 and (separator or 2 * numbers >= len(fields)):
            return True
    return False
