"""The periods of a run; each is named by its middle day, the date."""

from calendar import monthrange
from collections.abc import Iterable
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


def read_range(start: str, end: str) -> tuple[date, date]:
    """Return the first day of a range, and the day after its last.

    Raises
    ------
    TigerbushError
        When they are not days in order.
    """
    try:
        day, last = date.fromisoformat(start), date.fromisoformat(end)
    except ValueError as error:
        raise TigerbushError(
            f"period.start {start!r} and period.end {end!r} must be days: {error}."
        ) from None
    if day >= last:
        raise TigerbushError(f"period.end {end} must be after period.start {start}.")
    return day, last


def read_periods(start: str, end: str, step: str) -> dict[str, tuple[str, str]]:
    """Return (start, end) of each period of [start, end) by its middle day; an incomplete last one is dropped.

    Raises
    ------
    TigerbushError
        When there is none, or more than MAX_DATES.
    """
    day, last = read_range(start, end)
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
        raise TigerbushError(
            f"{cuts} 0 dates; choose a wider period (period.end is the day after its last day) or a shorter step."
        )
    if len(periods) > MAX_DATES:
        raise TigerbushError(
            f"{cuts} more than {MAX_DATES:,} dates; choose a narrower period or a longer step."
        )
    return periods


def dropped_period(start: str, end: str, step: str) -> tuple[str, str] | None:
    """Return the first day of the incomplete last period, and the day after it; None when the last one is complete.

    Raises
    ------
    TigerbushError
        As `read_periods`.
    """
    first = max(read_periods(start, end, step).values())[1]
    if first == end:
        return None
    try:
        return first, step_from(date.fromisoformat(first), step).isoformat()
    except (ValueError, OverflowError):
        # the calendar of Python ends before it does
        return None


def period_warning(start: str, end: str, step: str, days: Iterable[str] = ()) -> str | None:
    """Return a warning about an incomplete last period, which is dropped; None where nobody would expect it.

    It is expected when products lie in it, and when the end looks like the last day instead of the day after it.

    Parameters
    ----------
    start, end, step : str
        `period` of the configuration.
    days : iterable of str
        Days of the products, YYYY-MM-DD.

    Raises
    ------
    TigerbushError
        As `read_periods`.
    """
    dropped = dropped_period(start, end, step)
    if dropped is None:
        return None
    first, following = dropped
    count = sum(first <= day < end for day in days)
    if not (count or _is_last_day(date.fromisoformat(end), following, step)):
        return None
    products = f" with {count} product{'s' * (count > 1)}" if count else ""
    return (
        f"period.end {end} is not the last day but the day after it: the last period ({first} to {following}) is "
        f"incomplete and dropped{products}; set period.end: {following} to use it, or {first} to leave it out."
    )


def _is_last_day(end: date, following: str, step: str) -> bool:
    """Tell whether an end looks like the last day of a period, or that of a month where periods are months or years."""
    tomorrow = end + timedelta(days=1)
    return tomorrow.isoformat() == following or (step[-1] in "my" and tomorrow.day == 1)
