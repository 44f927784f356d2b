"""The sample's truth beside what was measured: the simulation knows plants without clouds, noise and swath."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tigerbush.grid import Grid
from tigerbush.images import BARE, VEGETATION, black_white, grey_ndvi
from tigerbush.report.figures import STYLE, draw_grid
from tigerbush.sample.simulate import CELL, TILE, cover_of
from tigerbush.spatial import METRICS, dominant_wave, patch_areas
from tigerbush.variables import BLACK, BLUE, NDVI, VARIABLES

# of the pattern, what the simulation knows
PATTERN = ("cover", "wavelength", "patch_count", "patch_mean_area")
Image = NDArray[np.float64]


def compare_truth(analysis: Mapping, truth: Mapping[str, NDArray], grid: Grid) -> dict:
    """Put the truth of the simulation beside the measured series.

    NDVI is the mean of the site; the share of vegetation is that of the ground that plants cover; the wavelength is
    that of the model's biomass (cells of 20 m); patches are those of the NDVI without noise and clouds, split as images
    are: cover has no edge of its own.

    Parameters
    ----------
    analysis : dict
        Contents of analysis.json.
    truth : mapping of str to array
        Contents of truth.npz, see `tigerbush.sample.simulate.simulate_products`.
    grid : Grid
        Of the site's pixels.

    Returns
    -------
    dict
        Per metric label, unit, dates, measured, truth; None where a number does not exist.
    """
    row, column = (round(way / grid.resolution) for way in (TILE.y - grid.y, grid.x - TILE.x))
    window = np.s_[row : row + grid.height, column : column + grid.width]
    products = {str(name): i for i, name in enumerate(truth["product"])}
    known = {}
    for day, lineage in analysis["metadata"]["products"].items():
        used = [products[name] for name in lineage["products"] if name in products]
        if used:
            known[day] = _measure(truth["biomass"][used].mean(0), truth["ndvi"][used].mean(0), window)
    measured = {NDVI: analysis["series"].get(NDVI)} | {
        name: analysis["spatial"].get(name) for name in PATTERN
    }
    labels = {**METRICS, NDVI: (VARIABLES[NDVI].label, VARIABLES[NDVI].unit)}
    return {
        metric: {
            "label": labels[metric][0],
            "unit": labels[metric][1],
            "dates": series["dates"],
            "measured": series["mean" if metric == NDVI else "values"],
            "truth": [known[day][metric] if day in known else None for day in series["dates"]],
        }
        for metric, series in measured.items()
        if series
    }


def _measure(biomass: Image, index: Image, window: tuple[slice, slice]) -> dict[str, float | None]:
    cells = tuple(slice(side.start * 10 // CELL, side.stop * 10 // CELL) for side in window)
    split = black_white(grey_ndvi(index))[window]
    areas = patch_areas(split == VEGETATION)
    ground = np.isin(split, (BARE, VEGETATION)).sum() * 100  # m2
    return {
        "ndvi": float(index[window].mean()),
        "cover": float(cover_of(biomass.astype(np.float64))[window].mean()),
        "wavelength": dominant_wave(biomass[cells], CELL)["wavelength"],
        "patch_count": float(len(areas) / ground * 1e6),
        "patch_mean_area": float(areas.mean() * 100) if len(areas) else None,
    }


def truth_figure(compared: Mapping) -> Figure:
    """Draw what was measured as points, the truth as lines."""

    def draw(axes: Axes, days: Sequence, one: Mapping) -> None:
        axes.plot(days, np.array(one["truth"], float), color=BLACK, label="truth")
        axes.plot(
            days, np.array(one["measured"], float), linestyle="none", marker=".", color=BLUE, label="measured"
        )  # fmt: skip

    with matplotlib.rc_context(STYLE):
        figure = draw_grid(compared, draw)
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="lower right", ncols=2)
    return figure
