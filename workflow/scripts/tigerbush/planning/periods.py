"""The periods of a run; each is named by its middle day, the date."""

from calendar import monthrange
from datetime import date, timedelta

from tigerbush.errors import TigerbushError

MAX_DATES = 5000


def step_from(day: date, step: str) -> date:
    """Return the day one step later, as in pyveg: the day of the month is kept where the month has it."""
    number, unit = int(step[:-1]), step[-1]
    if unit in "dw":
        return day + timedelta(days=number * (7 if unit == "w" else 1))
    months = day.year * 12 + day.month - 1 + number * (12 if unit == "y" else 1)
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def read_periods(start: str, end: str, step: str) -> dict[str, tuple[str, str]]:
    """Return (start, end) of each period of [start, end) by its middle day; an incomplete last one is dropped.

    Raises
    ------
    TigerbushError
        When there is none, or more than MAX_DATES.
    """
    try:
        day, last = date.fromisoformat(start), date.fromisoformat(end)
    except ValueError as error:
        raise TigerbushError(
            f"period.start {start!r} and period.end {end!r} must be days: {error}."
        ) from None
    if day >= last:
        raise TigerbushError(f"period.end {end} must be after period.start {start}.")
    periods: dict[str, tuple[str, str]] = {}
    while len(periods) <= MAX_DATES:
        try:
            following = step_from(day, step)
        except (ValueError, OverflowError):
            break
        if following > last:
            break
        middle = day + (following - day) // 2
        periods[middle.isoformat()] = (day.isoformat(), following.isoformat())
        day = following
    cuts = f"period.step {step} cuts {start} to {end} into"
    if not periods:
        raise TigerbushError(f"{cuts} 0 dates; choose a wider period or a shorter step.")
    if len(periods) > MAX_DATES:
        raise TigerbushError(
            f"{cuts} more than {MAX_DATES:,} dates; choose a narrower period or a longer step."
        )
    return periods
