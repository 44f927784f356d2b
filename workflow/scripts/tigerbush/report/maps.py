"""Maps of what was measured in each sub-image: per date, side by side, one after the other, and as a GeoTIFF."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tigerbush.analysis.series import SiteSeries
from tigerbush.grid import Grid
from tigerbush.raster import Raster
from tigerbush.site import numbered
from tigerbush.sites.layout import SubImage
from tigerbush.variables import row_of

# dark is little for NDVI; offset50 is negative, and the more negative the more connected the bare ground
NO_DATA = "0.85"
COLOURS = matplotlib.colormaps["viridis"].with_extremes(bad=NO_DATA)
WIDTH, LEGEND = 7.2, 0.7  # inches
MILLISECONDS = 350
COLUMNS = 8


@dataclass(frozen=True)
class Maps:
    """One metric on the grid of sub-images.

    Attributes
    ----------
    metric : str
        A variable of the vegetation.
    dates : list of str
    values : (dates, rows, columns) float32 array
        NaN where a sub-image has no number; row 0 is north.
    grid : Grid
        Of sub-images: its resolution is their side in metres.
    epsg : int
    """

    metric: str
    dates: list[str]
    values: NDArray[np.float32]
    grid: Grid
    epsg: int

    @property
    def label(self) -> str:
        """What the metric is, for legends."""
        return row_of(self.metric).label

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the greatest value of all dates, 0 and 1 without any."""
        if np.isnan(self.values).all():
            return 0.0, 1.0
        return float(np.nanmin(self.values)), float(np.nanmax(self.values))


def map_metric(
    series: SiteSeries, metric: str, parts: Sequence[SubImage], grid: Grid, epsg: int, size: int
) -> Maps:
    """Put a metric of every date on the grid of sub-images.

    Parameters
    ----------
    series : SiteSeries
    metric : str
        A variable of the vegetation.
    parts : sequence of SubImage
        Every sub-image of the site, with the centres that the summary has.
    grid : Grid
        Of the site's pixels.
    epsg : int
    size : int
        Side of a sub-image in pixels.
    """
    cells = [(part.rows.start // size, part.columns.start // size) for part in parts]
    places = dict(zip(numbered((part.latitude, part.longitude) for part in parts), cells, strict=True))
    values = np.full((len(series.dates), grid.height // size, grid.width // size), np.nan, np.float32)
    for place, numbers in zip(numbered(series.places), series.vegetation[metric].T, strict=True):
        if place in places:
            values[:, *places[place]] = numbers
    side = grid.resolution * size
    return Maps(metric, list(series.dates), values, Grid(grid.x, grid.y, side, *values.shape[:0:-1]), epsg)


def maps_figure(maps: Maps) -> Figure:
    """Draw a metric of all dates side by side on one scale; sub-images without a number are grey."""
    count, height, width = maps.values.shape
    columns = min(COLUMNS, count)
    rows = math.ceil(count / columns)
    # all maps in one axes, for an axes of each would take seconds
    lane = 0.15 * width + 0.15 * height
    span, drop = columns * (width + lane) - lane, rows * (height + lane)
    # places in inches: a layout that measures labels would take longer than the drawing
    tall = WIDTH * drop / span + LEGEND
    figure = Figure(figsize=(WIDTH, tall))
    axes = figure.add_axes((0.01, LEGEND / tall, 0.98, 1 - LEGEND / tall))
    axes.set_axis_off()
    low, high = maps.limits
    for number, (day, layer) in enumerate(zip(_labels(maps.dates), maps.values, strict=True)):
        row, column = divmod(number, columns)
        left, top = column * (width + lane), row * (height + lane) + lane
        extent = (left, left + width, top + height, top)
        image = axes.imshow(layer, cmap=COLOURS, vmin=low, vmax=high, extent=extent, interpolation="nearest")
        axes.text(left + width / 2, top - 0.1 * lane, day, fontsize=7, ha="center")
    place = figure.add_axes((0.1, 0.45 / tall, 0.8, 0.15 / tall))
    figure.colorbar(image, cax=place, orientation="horizontal", label=f"{maps.label}; grey: no data")
    # each picture had set them to its own
    axes.set_xlim(0, span)
    axes.set_ylim(drop, 0)
    return figure


def animate_maps(maps: Maps) -> bytes:
    """Draw a metric as an animated WebP, a frame per date; it loops and has no loss."""
    figure = Figure(figsize=(4, 5), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.03, 0.16, 0.94, 0.76))
    axes.set_xticks([])
    axes.set_yticks([])
    low, high = maps.limits
    image = axes.imshow(maps.values[0], cmap=COLOURS, vmin=low, vmax=high, interpolation="nearest")
    place = figure.add_axes((0.1, 0.1, 0.8, 0.03))
    figure.colorbar(image, cax=place, orientation="horizontal", label=f"{maps.label}; grey: no data")
    title = axes.set_title(maps.dates[0])
    # what is the same in every frame is drawn once
    for artist in (image, title):
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    frames = []
    for day, layer in zip(maps.dates, maps.values, strict=True):
        canvas.restore_region(still)
        image.set_data(layer)
        title.set_text(day)
        axes.draw_artist(image)
        axes.draw_artist(title)
        frames.append(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., 2::-1]))
    animation = cv2.Animation()
    animation.frames = frames
    animation.durations = np.full(len(frames), MILLISECONDS, dtype=np.int32)
    # beyond 100 is lossless
    _, encoded = cv2.imencodeanimation(".webp", animation, [cv2.IMWRITE_WEBP_QUALITY, 101])
    return encoded.tobytes()


def maps_raster(maps: Maps) -> Raster:
    """Give the maps as a GeoTIFF: a band per date, a pixel per sub-image."""
    return Raster(
        data=maps.values,
        grid=maps.grid,
        epsg=maps.epsg,
        bands=tuple(maps.dates),
        nodata=np.nan,
        tags={"TIGERBUSH_METRIC": maps.label},
    )


def _labels(dates: Sequence[str]) -> list[str]:
    """Shorten dates to months where no month has two."""
    months = [day[:7] for day in dates]
    return months if len(set(months)) == len(months) else list(dates)
