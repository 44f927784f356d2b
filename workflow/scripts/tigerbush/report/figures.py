"""Figures of the analysis of a site: narrow, so that they can be read on a phone, and in few colours."""

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

import matplotlib
import matplotlib.dates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tigerbush.analysis.null_model import LEVEL
from tigerbush.report.sub_images import draw_sub_images
from tigerbush.report.words import with_minus
from tigerbush.variables import BLACK, BLUE, GREEN, ORANGE, row_of

WIDTH = 5.4  # inches
# sites in one figure
MOST_SITES = 100
STYLE = {
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "lines.markersize": 4,
    "lines.linewidth": 1.2,
}


def analysis_figures(analysis: Mapping) -> dict[str, Figure]:
    """Draw every figure of `FIGURES`.

    Parameters
    ----------
    analysis : dict
        Contents of analysis.json.

    Returns
    -------
    dict of name to Figure
        One that has nothing to show holds the reason.
    """
    with matplotlib.rc_context(STYLE):
        return {name: draw(analysis) for name, draw in FIGURES.items()}


def draw_series(analysis: Mapping) -> Figure:
    """Draw the series of a site: means over sub-images, one standard deviation of them, gaps and outliers."""
    shown = {name: series for name, series in analysis["series"].items() if _has_values(series["mean"])}
    if not shown:
        return _text_figure("No date has data.")
    figure, panels = _stack(len(shown), 1.05)
    width = timedelta(days=analysis["days_per_step"])
    for axes, (name, series) in zip(panels, shown.items(), strict=True):
        days, mean, spread = _days(series["dates"]), _array(series["mean"]), _array(series["std"])
        colour = row_of(name).colour
        if row_of(name).is_sum:
            axes.bar(days, mean, width=0.8 * width, color=colour)
        else:
            axes.plot(days, mean, marker=".", color=colour)
            axes.fill_between(days, mean - spread, mean + spread, color=colour, alpha=0.25, linewidth=0)
        marked = [
            (day, value)
            for day, value in zip(series["dates"], mean, strict=True)
            if day in series["outliers"]
        ]
        if marked:
            axes.plot(
                _days(day for day, _ in marked),
                [value for _, value in marked],
                linestyle="none", marker="o", markersize=7, markerfacecolor="none", color=BLACK,
            )  # fmt: skip
        for step in analysis["early_warning"]["steps"].get(name, ()):
            axes.axvline(_days((step["date"],))[0] - width / 2, color=BLACK, linestyle=":", linewidth=1)
        for gap in series["gaps"]:
            start, end = _days((gap["start"], gap["end"]))
            axes.axvspan(start - width / 2, end + width / 2, color="0.85", zorder=0)
        axes.set_title(_heading(series))
    _time_axis(panels[-1])
    return figure


def draw_completeness(analysis: Mapping) -> Figure:
    """Draw how many sub-images, observations and products there are for each date."""
    completeness = analysis["completeness"]
    days = _days(next(iter(analysis["series"].values()))["dates"])
    rows = {"sub-images used": completeness["n_sub_images"], "observations per pixel": completeness["n_obs"]}
    if any(completeness["products"].values()):
        rows["products"] = list(completeness["products"].values())
    rows = {name: row for name, row in rows.items() if row and len(row) == len(days)}
    figure, panels = _stack(len(rows), 0.65)
    for axes, (name, row) in zip(panels, rows.items(), strict=True):
        axes.bar(
            days, np.nan_to_num(_array(row)), width=0.8 * timedelta(analysis["days_per_step"]), color=BLUE
        )
        axes.set_title(name)
    _time_axis(panels[-1])
    return figure


def draw_indicators(analysis: Mapping) -> Figure:
    """Draw each indicator in moving windows against the ends of the windows, a column per variable."""
    warning = analysis["early_warning"]
    columns = warning["indicators"]
    if not columns:
        return _text_figure(f"Not computed. {warning['refused'] or ''}")
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    labels = {name: indicator["label"] for column in columns.values() for name, indicator in column.items()}
    figure, panels = _panels(len(names), len(columns), 0.85, left=1.2, top=0.45, sharex=True)
    for row, name in zip(panels, names, strict=True):
        for axes, (variable, column) in zip(row, columns.items(), strict=True):
            if name not in column:
                axes.set_axis_off()
                continue
            indicator = column[name]
            axes.plot(_days(indicator["dates"]), _array(indicator["values"]), color=row_of(variable).colour)
            axes.set_title(with_minus(f"τ = {indicator['tau']:.2f}") if indicator["tau"] is not None else "")
            axes.tick_params(labelsize=7)
        row[0].annotate(
            _wrap(labels[name], 14), (-1.15, 0.5), xycoords=("axes points", "axes fraction"),
            xytext=(-78, 0), textcoords="offset points", va="center", fontsize=7,
        )  # fmt: skip
    for axes, variable in zip(panels[0], columns, strict=True):
        axes.set_title(f"{row_of(variable).short}\n{axes.get_title('left')}", fontsize=7.5)
    for axes in panels[-1]:
        _time_axis(axes, 3 if len(columns) <= 3 else 2)
    return figure


def draw_sensitivity(analysis: Mapping) -> Figure:
    """Draw Kendall's tau over the lengths of the window and the bandwidths, for the primary variable."""
    warning = analysis["early_warning"]
    indicators = warning["sensitivity"].get(warning["primary"]["variable"])
    if not indicators:
        return _text_figure(f"Not computed. {warning['refused'] or ''}")
    labels = warning["indicators"][warning["primary"]["variable"]]
    rows = math.ceil(len(indicators) / 2)
    figure, panels = _panels(rows, 2, 0.9, left=0.75, bottom=0.55, top=0.85, between=(0.62, 0.6))
    image = None
    for axes in panels.flat[len(indicators) :]:
        axes.set_axis_off()
    for axes, (name, table) in zip(panels.flat, indicators.items(), strict=False):
        axes.grid(visible=False)
        tau = np.atleast_2d(_array(table["tau"]))
        image = axes.imshow(tau, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
        for (i, j), value in np.ndenumerate(tau):
            dark = abs(value) > 0.6
            text = with_minus(f"{value:.2f}")
            axes.text(j, i, text, ha="center", va="center", fontsize=7, color="w" if dark else "k")
        axes.set_yticks(range(tau.shape[0]), [f"{value:g}" for value in table["windows"][: tau.shape[0]]])
        axes.set_xticks(range(tau.shape[1]), [f"{value:g}" for value in table["bandwidths"][: tau.shape[1]]])
        label = labels[name]["label"] if name in labels else name
        axes.set_title(_wrap(label, 34))
    tall = figure.get_figheight()
    figure.text(0.02, 0.5, "length of the window, share of the series", fontsize=8, rotation=90, va="center")
    figure.text(0.5, 0.15 / tall, "bandwidth of the trend, share of the series", fontsize=8, ha="center")
    place = figure.add_axes((0.2, 1 - 0.4 / tall, 0.6, 0.12 / tall))
    figure.colorbar(image, cax=place, orientation="horizontal")
    figure.text(0.5, 1 - 0.2 / tall, "Kendall's τ", fontsize=8, ha="center")
    return figure


def draw_weather(analysis: Mapping) -> Figure:
    """Draw the correlation of each measure with earlier rain."""
    correlations = analysis["weather"]["lagged_correlation"]
    if not correlations:
        return _text_figure("There is no precipitation to compare with.")
    figure, ((axes,),) = _panels(1, 1, 1.6, bottom=0.45)
    for name, lagged in correlations.items():
        axes.plot(
            lagged["lags"], _array(lagged["correlation"]), marker="o",
            color=row_of(name).colour, label=row_of(name).short,
        )  # fmt: skip
    axes.axhline(0, color=BLACK, linewidth=0.8)
    axes.set_ylim(-1, 1)
    axes.set_xlabel("lag behind the rain (dates)")
    axes.set_title("correlation with rain, detrended and deseasonalised")
    axes.legend(frameon=False, fontsize=7.5, ncols=3)
    return figure


def draw_recovery(analysis: Mapping) -> Figure:
    """Draw the mean of each month of the year."""
    cycles = {
        name: cycle
        for name, cycle in analysis["recovery"]["annual_cycle"].items()
        if _has_values(cycle.get("mean") or [])
    }
    if not cycles:
        return _text_figure("There are too few dates for a mean annual cycle.")
    figure, panels = _stack(len(cycles), 0.95, bottom=0.45)
    for axes, (name, cycle) in zip(panels, cycles.items(), strict=True):
        axes.plot(cycle["months"], _array(cycle["mean"]), marker="o", color=row_of(name).colour)
        axes.set_title(f"{row_of(name).short}, mean of each month")
        axes.set_xticks(range(1, 13))
    panels[-1].set_xlabel("month")
    return figure


def draw_spatial(analysis: Mapping) -> Figure:
    """Draw the measures of the pattern of each date."""
    measures = {name: series for name, series in analysis["spatial"].items() if _has_values(series["values"])}
    if not measures:
        return _text_figure("No date has a pattern that could be measured.")
    return draw_grid(
        measures,
        lambda axes, days, series: axes.plot(days, _array(series["values"]), marker=".", color=GREEN),
    )


def draw_spatial_warning(analysis: Mapping) -> Figure:
    """Draw the spatial indicators of each date; filled where random fields (or permuted images) differ."""
    indicators = (analysis.get("spatial_warning") or {}).get("indicators") or {}
    measures = {name: series for name, series in indicators.items() if _has_values(series["values"])}
    if not measures:
        return _text_figure("No date has a pattern whose spatial indicators could be measured.")

    def draw(axes: Axes, days: list[date], series: Mapping) -> None:
        nulls = series["nulls"]
        p = _array(nulls.get("red", nulls["permuted"])["p"])
        values = _array(series["values"])
        colours = [GREEN if value <= LEVEL else "white" for value in p]
        axes.plot(days, values, color=GREEN)
        axes.scatter(days, values, s=10, c=colours, edgecolors=GREEN, linewidths=0.8, zorder=3)

    return draw_grid(measures, draw)


def draw_patches(analysis: Mapping) -> Figure:
    """Draw the distribution of patch sizes of the first, the middle and the last date that has patches."""
    patches = analysis.get("patch_sizes") or {"dates": []}
    dated = [
        (day, _array(counts))
        for day, counts in zip(patches["dates"], patches.get("counts", ()), strict=True)
        if any(counts)
    ]
    if not dated:
        return _text_figure("No date has patches of vegetation.")
    figure, ((axes,),) = _panels(1, 1, 1.7, bottom=0.5)
    shown = sorted({0, len(dated) // 2, len(dated) - 1})
    for place, colour, mark in zip(shown, (GREEN, BLUE, ORANGE), "os^", strict=False):
        day, counts = dated[place]
        # how many are as large or larger: classes without any patch leave no hole
        larger = counts[::-1].cumsum()[::-1]
        present = larger > 0
        axes.plot(np.array(patches["edges"])[present], larger[present], marker=mark, color=colour, label=day)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("area (m²)")
    axes.set_title("patches of vegetation of at least this area")
    axes.legend(frameon=False, fontsize=7.5)
    return figure


def draw_grid(measures: Mapping, draw: Callable[[Axes, list[date], Mapping], object]) -> Figure:
    """Draw a panel for each series of `measures`, in two columns; `draw` gets axes, days and the series."""
    rows = math.ceil(len(measures) / 2)
    figure, panels = _panels(rows, 2, 0.85, top=0.4, between=(0.5, 0.55), sharex=True)
    for axes in panels.flat[len(measures) :]:
        axes.set_axis_off()
    for axes, series in zip(panels.flat, measures.values(), strict=False):
        draw(axes, _days(series["dates"]), series)
        axes.set_title(_wrap(_heading(series), 36))
    for axes in panels[-1]:
        _time_axis(axes, 4)
    return figure


def sites_figure(comparison: Mapping) -> Figure:
    """Draw the p of the primary test for the sites that were tested.

    Parameters
    ----------
    comparison : dict
        Contents of sites.json. Of more than `MOST_SITES` sites, those with the smallest p are drawn.
    """
    rows = [row for row in comparison["rows"] if row["p"] is not None]
    if not rows:
        return _text_figure("No site could be tested for early warning.")
    if left_out := rows[MOST_SITES:]:
        rows = sorted(rows, key=lambda row: row["p"])[:MOST_SITES]
    with matplotlib.rc_context(STYLE):
        figure, ((axes,),) = _panels(1, 1, 0.2 * len(rows) + 0.2, left=1.3, bottom=0.5, right=0.25)
        for place, row in enumerate(rows):
            shows = row["sign_among_sites"]
            axes.plot(row["p"], place, marker="o" if shows else "s", color=ORANGE if shows else BLUE)
        axes.axvline(0.05, color=BLACK, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [row["site"] for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xscale("log")
        axes.set_xlim(min(0.001, *(row["p"] for row in rows)) / 2, 1)
        axes.invert_xaxis()
        axes.set_xlabel("p of the primary test; orange circles: a sign of slowing down")
        if left_out:
            axes.set_title(f"the {MOST_SITES} smallest of {MOST_SITES + len(left_out)}")
    return figure


FIGURES: dict[str, Callable[[Mapping], Figure]] = {
    "series": draw_series,
    "completeness": draw_completeness,
    "indicators": draw_indicators,
    "sensitivity": draw_sensitivity,
    "weather": draw_weather,
    "recovery": draw_recovery,
    "spatial": draw_spatial,
    "patches": draw_patches,
    "sub_images": draw_sub_images,
    "spatial_warning": draw_spatial_warning,
}


def _panels(
    rows: int,
    columns: int,
    height: float,
    *,
    left: float = 0.6,
    bottom: float = 0.35,
    top: float = 0.25,
    right: float = 0.1,
    between: tuple[float, float] = (0.4, 0.55),
    **options: object,
) -> tuple[Figure, np.ndarray]:
    """Make panels of a height with margins and lanes (down, across), all in inches.

    A layout that measures every label would take longer than all the drawing.
    """
    tall = bottom + rows * height + (rows - 1) * between[0] + top
    wide = (WIDTH - left - right - (columns - 1) * between[1]) / columns
    figure = Figure(figsize=(WIDTH, tall))
    panels = figure.subplots(
        rows,
        columns,
        squeeze=False,
        gridspec_kw={
            "left": left / WIDTH,
            "right": 1 - right / WIDTH,
            "bottom": bottom / tall,
            "top": 1 - top / tall,
            "hspace": between[0] / height,
            "wspace": between[1] / wide,
        },
        **options,
    )
    return figure, panels


def _stack(number: int, height: float, **options: float) -> tuple[Figure, list[Axes]]:
    figure, panels = _panels(number, 1, height, between=(0.32, 0), sharex=True, **options)
    return figure, list(panels[:, 0])


def _text_figure(text: str) -> Figure:
    lines = _wrap(text, 75)
    figure = Figure(figsize=(WIDTH, 0.25 * (lines.count("\n") + 1) + 0.4))
    figure.text(0.02, 0.5, lines, va="center")
    return figure


def _wrap(text: str, width: int) -> str:
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _heading(series: Mapping) -> str:
    unit = series["unit"].replace("degC", "°C").replace("km2", "km²").replace("m2", "m²")
    return series["label"] if unit == "1" else f"{series['label']} ({unit.replace('degree', '°')})"


def _has_values(values: Sequence) -> bool:
    return any(value is not None for value in values)


def _array(values: Sequence) -> np.ndarray:
    return np.array(values, dtype=float)


def _days(dates: Sequence[str]) -> list[date]:
    return [date.fromisoformat(day) for day in dates]


def _time_axis(axes: Axes, most: int = 6) -> None:
    locator = matplotlib.dates.AutoDateLocator(minticks=2, maxticks=most)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))
