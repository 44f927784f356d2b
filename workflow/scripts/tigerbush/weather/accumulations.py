"""Accumulated rainfall that is taken for sums: it falls at one hour of the day alone."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, timedelta
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
MIN_RESTARTS, MIN_KEPT = 2, 6


def refuse_accumulations(
    path: Path, samples: Sequence[Sample], step: timedelta, unit: str, kind: str
) -> None:
    """Refuse rainfall that looks accumulated over the day, while the configuration takes it for sums or rates.

    Sums by the hour fall whenever rain ends; an accumulation falls only when it starts anew, at the same time every
    day. It is recognised by two restarts and six further records with rain, none of them lower than the one before.

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
    restarts, kept = Counter(), Counter()
    for earlier, later in pairwise(sample for sample in samples if sample.value is not None):
        if earlier.value <= noise or later.time - earlier.time > 1.5 * step:
            continue
        hour = earlier.time.astimezone(UTC).time()
        falls = later.value < earlier.value - noise
        (restarts if falls else kept)[hour] += 1
    if len(restarts) != 1:
        return
    [(hour, number)] = restarts.items()
    if number < max(MIN_RESTARTS, kept.pop(hour, 0)) or kept.total() < MIN_KEPT:
        return
    advice = (
        "set weather.precipitation.kind: accumulated"
        if hour.hour == hour.minute == 0
        else "take the differences, because only what is accumulated from 00 UTC (kind: accumulated) can be read"
    )
    raise TigerbushError(
        f"{path}: rainfall never decreases but after {hour:%H:%M} UTC, so it looks accumulated over the day, while "
        f"weather.precipitation.kind is {kind}; {advice}."
    )
