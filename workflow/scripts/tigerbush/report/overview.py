"""Pictures of a site: how its pattern and its numbers change."""

import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date

import matplotlib
import matplotlib.dates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tigerbush.summary.results import VEGETATION_COLLECTION, WEATHER_COLLECTION
from tigerbush.variables import WEATHER, Variable, indices_in, with_subject

COLUMNS = 4


def shown_dates(summary: Mapping, columns: int = COLUMNS, among: Collection[str] | None = None) -> list[str]:
    """Choose the dates whose images are shown: the first, the last and some between, of those with data.

    Parameters
    ----------
    summary : dict
        Contents of results_summary.json.
    columns : int
        At most so many, evenly spaced; dates with most sub-images are preferred near each place.
    among : collection of str, optional
        The dates whose images there are; by default all.
    """
    series = summary[VEGETATION_COLLECTION]["time-series-data"]
    dates = _dates_with_data(summary, among)
    if len(dates) <= columns:
        return dates
    places = np.linspace(0, len(dates) - 1, columns).round().astype(int)
    reach = min(2, (len(dates) - 1) // (2 * columns))
    return [
        max(dates[max(place - reach, 0) : place + reach + 1], key=lambda day: len(series[day]))
        for place in places
    ]


def first_middle_last(summary: Mapping, among: Collection[str] | None = None) -> list[str]:
    """Return the first, the middle and the last date with data, each once; `among` as in `shown_dates`."""
    dates = _dates_with_data(summary, among)
    return [dates[i] for i in sorted({0, len(dates) // 2, len(dates) - 1})] if dates else []


def _dates_with_data(summary: Mapping, among: Collection[str] | None) -> list[str]:
    series = summary[VEGETATION_COLLECTION]["time-series-data"]
    return [day for day, records in series.items() if records and (among is None or day in among)]


def site_figure(summary: Mapping, images: Mapping[str, Sequence[NDArray[np.uint8]]]) -> Figure:
    """Draw a site: images of some dates above, the series of its measures below.

    Parameters
    ----------
    summary : dict
        Contents of results_summary.json.
    images : dict of date to (RGB, black/white NDVI)
        (h, w, 3) and (h, w) uint8 arrays of the dates to show, in order.

    Returns
    -------
    Figure
        Lines are means over the sub-images, bands one standard deviation of them; dates without data are grey.
    """
    figure = Figure(figsize=(9, 9.5), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    figure.suptitle(_title(summary["metadata"]))
    _draw_images(top, images)
    _draw_series(bottom, summary)
    return figure


def encode_figure(figure: Figure, form: str = "png") -> bytes:
    """Encode a figure as "png" or "svg"; a figure drawn anew gives the same bytes."""
    encoded = io.BytesIO()
    # text stays text, and identifiers do not change from run to run
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tigerbush"}):
        if form == "svg":
            figure.savefig(encoded, format="svg", metadata={"Date": None, "Creator": None})
        else:
            figure.savefig(encoded, format="png", dpi=110, metadata={"Software": None})
    return encoded.getvalue()


def place_of(metadata: Mapping) -> str:
    """Write where a site is: degrees north or south, east or west."""
    north, east = metadata["latitude"], metadata["longitude"]
    return f"{abs(north):g}° {'N' if north >= 0 else 'S'}, {abs(east):g}° {'E' if east >= 0 else 'W'}"


def _title(metadata: Mapping) -> str:
    return (
        f"{metadata['coords_id']} ({place_of(metadata)}), {metadata['start_date']} to {metadata['end_date']}"
    )


def _draw_images(figure: Figure, images: Mapping[str, Sequence[NDArray[np.uint8]]]) -> None:
    if not images:
        figure.text(0.5, 0.5, "no date has data", ha="center")
        return
    rows = figure.subplots(2, len(images), squeeze=False)
    for column, (day, pictures) in enumerate(images.items()):
        rows[0, column].set_title(day)
        for axes, picture in zip(rows[:, column], pictures, strict=True):
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
    rows[0, 0].set_ylabel("RGB")
    rows[1, 0].set_ylabel("bare ground (white)")


def _draw_series(figure: Figure, summary: Mapping) -> None:
    vegetation = summary[VEGETATION_COLLECTION]["time-series-data"]
    weather = summary[WEATHER_COLLECTION]["time-series-data"]
    days = [date.fromisoformat(day) for day in vegetation]
    width = np.median(np.diff(matplotlib.dates.date2num(days))) if len(days) > 1 else 30
    rows = _shown_variables(vegetation.values(), weather.values())
    heights = tuple(2 if row.collection == WEATHER else 3 for row in rows)
    panels = figure.subplots(len(rows), 1, sharex=True, height_ratios=heights)
    for axes, row in zip(panels, rows, strict=True):
        if row.collection == WEATHER:
            values = [row.value_in(record or {}) for record in weather.values()]
            axes.bar(days, np.array(values, dtype=float), width=0.8 * width, color=row.colour)
        else:
            _draw_measure(axes, days, vegetation.values(), row)
        axes.set_ylabel(row.heading)
        axes.grid(alpha=0.3)
        _mark_gaps(axes, days, vegetation.values(), width)
    locator = matplotlib.dates.AutoDateLocator(minticks=4)
    panels[-1].xaxis.set_major_locator(locator)
    panels[-1].xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))


def _shown_variables(records: Iterable[list | None], weather: Collection[Mapping | None]) -> list[Variable]:
    """Return the variables that have a panel: weather only where there is any."""
    keys = {key for parts in records for part in parts or () for key in part}
    return [
        row
        for row in with_subject(indices_in(keys))
        if row.collection != WEATHER or any(row.value_in(record or {}) is not None for record in weather)
    ]


def _draw_measure(axes: Axes, days: Sequence[date], records: Iterable[list | None], row: Variable) -> None:
    values = [
        [value for part in parts or () if (value := row.value_in(part)) is not None] for parts in records
    ]
    mean = np.array([np.mean(of_date) if of_date else np.nan for of_date in values])
    deviation = np.array([np.std(of_date) if of_date else np.nan for of_date in values])
    axes.plot(days, mean, marker=".", color=row.colour)
    axes.fill_between(days, mean - deviation, mean + deviation, color=row.colour, alpha=0.25, linewidth=0)


def _mark_gaps(axes: Axes, days: Sequence[date], records: Sequence[list | None], width: float) -> None:
    half = width / 2
    for day, parts in zip(matplotlib.dates.date2num(days), records, strict=True):
        if not parts:
            axes.axvspan(day - half, day + half, color="0.85", zorder=0)
