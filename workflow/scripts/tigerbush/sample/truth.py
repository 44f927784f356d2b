"""Compare measurements of the sample with the simulated truth, which has no clouds, no noise and no swath edge."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tigerbush.analysis.cover import COVER_METRICS
from tigerbush.grid import Grid
from tigerbush.images import BARE, VEGETATION, black_white, grey_ndvi
from tigerbush.patches import patch_areas
from tigerbush.report.figures import STYLE, draw_grid
from tigerbush.sample.simulate import CELL, TILE, fractional_cover
from tigerbush.spatial import METRICS
from tigerbush.spectrum import dominant_wave
from tigerbush.variables import BLACK, BLUE, NDVI, VARIABLES

# of the pattern, what the simulation knows
PATTERN = ("cover", "cover_ndvi", "wavelength", "patch_count", "patch_mean_area")
Image = NDArray[np.float64]


def compare_truth(analysis: Mapping, truth: Mapping[str, NDArray], grid: Grid) -> dict:
    """Compare the measured series with the truth of the simulation.

    NDVI is the mean of the site; the truth of the share above the threshold of NDVI is the fractional cover; the
    wavelength is that of the model's biomass (cells of 20 m); patches, and the share of pixels darker than their
    surroundings, are those of the NDVI without noise and clouds, classified as measured images are.

    Parameters
    ----------
    analysis : dict
        Contents of analysis.json.
    truth : mapping of str to array
        Contents of truth.npz, see `tigerbush.sample.simulate.simulate_products`.
    grid : Grid
        Grid of the site's pixels.

    Returns
    -------
    dict
        Label, unit, dates, measured and true values of each metric; None where undefined.
    """
    row, column = (round(metres / grid.resolution) for metres in (TILE.y - grid.y, grid.x - TILE.x))
    window = np.s_[row : row + grid.height, column : column + grid.width]
    products = {str(name): i for i, name in enumerate(truth["product"])}
    true_values = {}
    for day, lineage in analysis["metadata"]["products"].items():
        used = [products[name] for name in lineage["products"] if name in products]
        if used:
            true_values[day] = _measure(truth["biomass"][used].mean(0), truth["ndvi"][used].mean(0), window)
    measured = {NDVI: analysis["series"].get(NDVI)} | {
        name: analysis["spatial"].get(name) for name in PATTERN
    }
    labels = {**METRICS, **COVER_METRICS, NDVI: (VARIABLES[NDVI].label, VARIABLES[NDVI].unit)}
    return {
        metric: {
            "label": labels[metric][0],
            "unit": labels[metric][1],
            "dates": series["dates"],
            "measured": series["mean" if metric == NDVI else "values"],
            "truth": [true_values[day][metric] if day in true_values else None for day in series["dates"]],
        }
        for metric, series in measured.items()
        if series
    }


def _measure(biomass: Image, index: Image, window: tuple[slice, slice]) -> dict[str, float | None]:
    """Measure the true biomass and NDVI within a window of pixels."""
    cells = tuple(slice(side.start * 10 // CELL, side.stop * 10 // CELL) for side in window)
    split = black_white(grey_ndvi(index))[window]
    areas = patch_areas(split == VEGETATION)
    pixels = np.isin(split, (BARE, VEGETATION)).sum()
    ground = pixels * 100  # m2
    return {
        "ndvi": float(index[window].mean()),
        "cover": float((split == VEGETATION).sum() / pixels),
        "cover_ndvi": float(fractional_cover(biomass.astype(np.float64))[window].mean()),
        "wavelength": dominant_wave(biomass[cells], CELL)["wavelength"],
        "patch_count": float(len(areas) / ground * 1e6),
        "patch_mean_area": float(areas.mean() * 100) if len(areas) else None,
    }


def truth_figure(compared: Mapping) -> Figure:
    """Draw measured values as points, and the truth as lines."""

    def draw(axes: Axes, days: Sequence, series: Mapping) -> None:
        axes.plot(days, np.array(series["truth"], float), color=BLACK, label="truth")
        axes.plot(
            days, np.array(series["measured"], float), linestyle="none", marker=".", color=BLUE, label="measured"
        )  # fmt: skip

    with matplotlib.rc_context(STYLE):
        figure = draw_grid(compared, draw)
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="lower right", ncols=2)
    return figure
