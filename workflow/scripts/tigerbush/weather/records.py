"""Records of rainfall and temperature: the time that each covers, and what they add up to over a period."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tigerbush.errors import TigerbushError
from tigerbush.weather.plausible import DAY, KELVIN_OFFSET, LABELS, MAX_DAY, TO_METRES

log = logging.getLogger(__name__)

Period = tuple[datetime, datetime]
MONTH = timedelta(days=28)
# m; with coarsely packed numbers an accumulation may decrease by less than this
PACKING_ERROR = 1e-4


class Sample(NamedTuple):
    """One record as given in a file."""

    time: datetime
    value: float | None
    month: bool = False  # given as YYYY-MM
    line: int | None = None


class Series(NamedTuple):
    """The records of a quantity around a period, in order of time, and the median step of the whole file."""

    samples: list[Sample]
    step: timedelta


class Record(NamedTuple):
    """A value and the interval [begin, end) that it covers."""

    begin: datetime
    end: datetime
    value: float


def total_or_mean(
    path: Path, series: Series, name: str, quantity: Mapping[str, str], period: Period
) -> float | None:
    """Return the sum of rainfall (m) or the mean temperature (K) of a period.

    Parameters
    ----------
    path : Path
        The file, for sentences.
    series : Series
        Its records, those around the period at least.
    name : str
        `precipitation` or `temperature`.
    quantity : mapping
        `unit` and, of precipitation, `kind`.
    period : (datetime, datetime)
        [start, end), UTC.

    Returns
    -------
    float or None
        None when the records leave gaps, of which a warning names the first.

    Raises
    ------
    TigerbushError
        When records overlap, or are not of the kind that the configuration says.
    """
    records = _records(path, series, quantity)
    length = period[1] - period[0]
    shares = [
        (record, max(min(record.end, period[1]) - max(record.begin, period[0]), timedelta(0)))
        for record in records
    ]
    if sum((share for _, share in shares), timedelta(0)) < length:
        log.warning("%s", _gap_sentence(path, records, series.samples, name, period))
        return None
    if name == "temperature":
        return (
            sum(record.value * (share / length) for record, share in shares) + KELVIN_OFFSET[quantity["unit"]]
        )
    total = sum(value * (share / (end - begin)) for (begin, end, value), share in shares)
    metres = total * TO_METRES[quantity["unit"]]
    if metres > MAX_DAY * max(length / DAY, 1):
        raise TigerbushError(
            f"{path}: {metres:g} m of rain from {period[0]:%Y-%m-%d} to {period[1]:%Y-%m-%d} is not possible; correct "
            "weather.precipitation.unit and kind."
        )
    return metres


def _records(path: Path, series: Series, quantity: Mapping[str, str]) -> list[Record]:
    """Return each sample that has a value with the interval that it covers."""
    samples, step = series
    kind = quantity.get("kind")  # temperature has none
    if kind == "accumulated":
        tolerance = PACKING_ERROR / TO_METRES[quantity["unit"]]
        records = list(
            _differences(path, [sample for sample in samples if sample.value is not None], tolerance)
        )
    else:
        next_times = [*(later.time for later in samples[1:]), None][: len(samples)]
        records = [
            Record(*_interval(sample, step, next_time), sample.value)
            for sample, next_time in zip(samples, next_times, strict=True)
            if sample.value is not None
        ]
    if kind == "mean_rate":
        records = [Record(begin, end, value * ((end - begin) / DAY)) for begin, end, value in records]
    for earlier, later in pairwise(records):
        if later.begin < earlier.end or later.end == earlier.end:
            raise overlap(path, earlier.begin, later.begin)
    return records


def overlap(path: Path, earlier: datetime, later: datetime) -> TigerbushError:
    """Return the error for two records of the same time."""
    return TigerbushError(
        f"{path} has two records for one date ({earlier:%Y-%m-%d %H:%M} and {later:%Y-%m-%d %H:%M} overlap); keep one "
        "of them, and convert local times to UTC."
    )


def _interval(sample: Sample, step: timedelta, next_time: datetime | None) -> Period:
    if not (sample.month or step >= MONTH):
        # until the next record, because dekads have 8 to 11 days, but not across a gap
        near = next_time is not None and sample.time < next_time <= sample.time + 1.5 * step
        return sample.time, next_time if near else sample.time + step
    # the month of the local time, when times have a UTC offset
    first = datetime(sample.time.year, sample.time.month, 1, tzinfo=UTC)
    return first, (first + 31 * DAY).replace(day=1)


def _differences(path: Path, samples: Sequence[Sample], tolerance: float) -> Iterator[Record]:
    """Yield the rainfall since the previous record, or since accumulation started at 00 UTC."""
    previous = None
    for sample in samples:
        time = sample.time.astimezone(UTC)
        midnight = (time - timedelta.resolution).replace(hour=0, minute=0, second=0, microsecond=0)
        begin, rainfall = midnight, sample.value
        if previous and previous.begin > midnight:
            begin, rainfall = previous.begin, sample.value - previous.value
        if rainfall < -tolerance:
            raise TigerbushError(
                f"{path}: rainfall decreases from {begin:%Y-%m-%d %H:%M} to {time:%H:%M} UTC, so it is not accumulated "
                "over the day; set weather.precipitation.kind to what it is (sum, mean_rate)."
            )
        yield Record(begin, time, rainfall)
        previous = Record(time, time, sample.value)


def _gap_sentence(
    path: Path, records: Sequence[Record], samples: Sequence[Sample], name: str, period: Period
) -> str:
    """Return the warning that a period is not covered, with the first gap."""
    begin, end = _first_gap(records, period)
    empty = next((sample for sample in samples if sample.value is None and sample.time == begin), None)
    where = "" if empty is None else f" ({_place(empty)} no value, or a fill value)"
    # grids are in UTC
    is_table = bool(samples) and samples[0].line is not None
    return (
        f"{path} does not cover the period from {period[0]:%Y-%m-%d} to {period[1]:%Y-%m-%d}: {LABELS[name]} is first "
        f"missing from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC{where}"
        f"{'; times without a UTC offset are taken for UTC' if is_table else ''}; the weather is null"
    )


def _place(sample: Sample) -> str:
    return "its record has" if sample.line is None else f"line {sample.line} has"


def _first_gap(records: Sequence[Record], period: Period) -> Period:
    """Return the first part of a period that no record covers."""
    covered, end = period
    for record in records:
        if record.begin > covered:
            return covered, min(record.begin, end)
        covered = max(covered, record.end)
    return covered, end
