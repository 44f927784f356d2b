"""Accumulated rainfall that is taken for sums: it falls at one hour of the day alone."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from tigerbush.errors import TigerbushError
from tigerbush.weather.plausible import TO_METRES
from tigerbush.weather.records import Sample

# records further apart say too little: rain that grows through a day of four or more is rare, of two it is common
LONGEST_STEP = timedelta(hours=6)
# m; a decrease by less may be rounding of packed numbers
NOISE = 1e-5
# so many days on which an accumulation starts anew, and so many records in which rain has not decreased since
MIN_RESTARTS, MIN_KEPT = 2, 12


def refuse_accumulations(
    path: Path, samples: Sequence[Sample], step: timedelta, unit: str, kind: str
) -> None:
    """Refuse rainfall that looks accumulated over the day, while the configuration takes it for sums or rates.

    Sums by the hour fall whenever rain ends; an accumulation falls only when it starts anew, at the same time every
    day. It is recognised by two restarts and twelve further records after rain, none of them lower than the one before.

    Parameters
    ----------
    path : Path
        The file, for sentences.
    samples : sequence of Sample
        In order of time, in `unit`.
    step : timedelta
        The usual time between records; more than 6 hours are not judged.
    unit : str
        mm or m.
    kind : str
        `sum` or `mean_rate`, as configured.

    Raises
    ------
    TigerbushError
    """
    if step > LONGEST_STEP:
        return
    noise = NOISE / TO_METRES[unit]
    falls, rises = [], []
    for earlier, later in pairwise(sample for sample in samples if sample.value is not None):
        if earlier.value > noise:
            (falls if later.value < earlier.value - noise else rises).append(_hours(earlier.time, later.time))
    restarts = set(range(24)).intersection(*falls)
    if not restarts:
        return
    hour = min(restarts)
    kept = sum(hour not in hours for hours in rises)
    if len(falls) < MIN_RESTARTS or len(falls) <= len(rises) - kept or kept < MIN_KEPT:
        return
    advice = (
        "take the differences, because only what is accumulated from 00 UTC (kind: accumulated) can be read"
        if hour
        else "set weather.precipitation.kind: accumulated"
    )
    raise TigerbushError(
        f"{path}: rainfall never decreases but after {hour:02}:00 UTC, so it looks accumulated over the day, while "
        f"weather.precipitation.kind is {kind}; {advice}."
    )


def _hours(begin: datetime, end: datetime) -> set[int]:
    """Return the hours of the day (UTC) that strike from `begin` on and before `end`."""
    first = math.ceil(begin.timestamp() / 3600)
    last = math.ceil(end.timestamp() / 3600)
    return {hour % 24 for hour in range(first, min(last, first + 24))}
