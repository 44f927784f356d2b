"""Maps of the trends of indicators in the sub-images of a site."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from tigerbush.analysis.indicators import INDICATORS

COLUMNS = 3
# inches
WIDTH, LANE, EDGE, LEGEND = 5.4, 0.3, 0.2, 0.75
SIDE = (WIDTH - 2 * EDGE - (COLUMNS - 1) * LANE) / COLUMNS
NO_VALUE = "0.85"


def draw_sub_images(analysis: Mapping) -> Figure:
    """Draw Kendall's tau of each indicator in each sub-image, where it lies; grey where there is none.

    Parameters
    ----------
    analysis : dict
        Contents of analysis.json.
    """
    trends = analysis["sub_images"]
    if trends["refused"] or not trends["n"]:
        figure = Figure(figsize=(WIDTH, 0.7))
        reason = trends["refused"] or "no sub-image has data."
        figure.text(0.02, 0.5, f"Not computed. {reason}", va="center", wrap=True)
        return figure
    rows = math.ceil(len(trends["tau"]) / COLUMNS)
    tall = rows * (SIDE + LANE) + LEGEND
    figure = Figure(figsize=(WIDTH, tall))
    latitude, longitude = np.array(trends["latitude"]), np.array(trends["longitude"])
    # squares of as many as there may be in a row, in points
    size = (0.8 * 72 * SIDE / max(math.ceil(math.sqrt(len(latitude))), 2)) ** 2
    for number, (name, taus) in enumerate(trends["tau"].items()):
        row, column = divmod(number, COLUMNS)
        place = (EDGE + column * (SIDE + LANE), tall - (row + 1) * (SIDE + LANE), SIDE, SIDE)
        axes = figure.add_axes([part / whole for part, whole in zip(place, (WIDTH, tall) * 2, strict=True)])
        axes.scatter(longitude, latitude, s=size, marker="s", color=NO_VALUE, linewidths=0)
        image = axes.scatter(
            longitude, latitude, s=size, marker="s", c=np.array(taus, float), cmap="PuOr", vmin=-1, vmax=1,
            linewidths=0,
        )  # fmt: skip
        axes.margins(0.5 / max(math.sqrt(len(latitude)) - 1, 1) + 0.02)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(INDICATORS[name][0].partition(",")[0], fontsize=7)
    legend = figure.add_axes((0.2, 0.5 / tall, 0.6, 0.1 / tall))
    figure.colorbar(image, cax=legend, orientation="horizontal", label="Kendall's τ; grey: too few values")
    return figure
