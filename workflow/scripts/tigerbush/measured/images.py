"""What is measured in the images of the dates of a site: patterns, masked pixels, cover and patches."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tigerbush.analysis.changes import changes_of
from tigerbush.analysis.cover import COVER_METRICS, cover_metrics, ndvi_histogram, ndvi_threshold
from tigerbush.analysis.pattern import DatePattern, Place, measure_date, spatial_analysis, spatial_series
from tigerbush.analysis.series import SiteSeries
from tigerbush.analysis.site import without_nan
from tigerbush.analysis.surrogates import generator
from tigerbush.images import read_png
from tigerbush.raster import Raster, read_raster
from tigerbush.site import Site, numbered
from tigerbush.sites.layout import place_sub_images


@dataclass(frozen=True)
class MeasuredImages:
    """What is measured in the images of a date, whatever is asked of its series later.

    Attributes
    ----------
    day : str
    masked : float
        Share of masked pixels.
    pattern : DatePattern or None
        None at a date without data.
    ndvi : callable
        Returns NDVI, (h, w) float32 array, NaN where masked: a long record of a large site does not fit into memory.
        In place of the values there may be others of the same classes (`tigerbush.analysis.cover.ndvi_of_classes`).
    """

    day: str
    masked: float
    pattern: DatePattern | None
    ndvi: Callable[[], NDArray[np.float32]]


def measure_files(
    ndvi: Iterable[Path], black_white: Iterable[Path], series: SiteSeries, site: Site, mode: str, seed: int
) -> list[MeasuredImages]:
    """Measure the images of the dates of a site, in files ndvi.tif and bwndvi.png in a folder for each date."""
    used = {day for day, known in zip(series.dates, series.with_data, strict=True) if known}
    measured = []
    for index, classes in zip(ndvi, black_white, strict=True):
        day, image = index.parent.name, read_raster(index)
        pattern = None
        if day in used:
            places = series.places_with_data(day)
            pattern = measure_image(
                day, image, read_png(classes), places, site, mode, generator(seed, series.site, day)
            )
        measured.append(
            MeasuredImages(
                day, masked_share(image.data[0]), pattern, lambda path=index: read_raster(path).data[0]
            )
        )
    return measured


def measure_image(
    day: str,
    ndvi: Raster,
    black_white: NDArray[np.uint8],
    used: set[Place],
    site: Site,
    mode: str,
    random: np.random.Generator,
) -> DatePattern:
    """Measure the pattern of a date and of its sub-images that are used.

    Parameters
    ----------
    day : str
    ndvi : Raster
    black_white : (h, w) uint8 array
    used : set of (latitude, longitude, number)
        From `SiteSeries.places_with_data`.
    site : Site
    mode : str
        One of `tigerbush.pyveg.MODES`.
    random : Generator
    """
    parts = place_sub_images(ndvi.grid, ndvi.epsg, site, mode)
    places = numbered((part.latitude, part.longitude) for part in parts)
    cuts = {
        place: (part.rows, part.columns) for place, part in zip(places, parts, strict=True) if place in used
    }
    return measure_date(day, ndvi.data[0], black_white, ndvi.grid.resolution, cuts, random)


def masked_share(ndvi: NDArray[np.float32]) -> float:
    """Return the share of masked pixels."""
    return float(np.isnan(ndvi).mean())


def add_images(
    result: dict, series: SiteSeries, dates: Iterable[MeasuredImages], resolution: int, seed: int
) -> None:
    """Add what was measured in images to the analysis of a site.

    Parameters
    ----------
    result : dict
        From `tigerbush.analysis.site.analyse_site`.
    series : SiteSeries
    dates : iterable of MeasuredImages
        In order.
    resolution : int
        m
    seed : int
    """
    dates = list(dates)
    shown = [date for date in dates if date.pattern]
    random = generator(seed, series.site, "pattern")
    result |= without_nan(spatial_analysis([date.pattern for date in shown], series, resolution, random))
    result["completeness"]["masked"] = {date.day: date.masked for date in dates}
    threshold = ndvi_threshold([ndvi_histogram(date.ndvi()) for date in shown])
    measures = [(date.day, cover_metrics(date.ndvi(), threshold["value"], resolution)) for date in shown]
    result["ndvi_threshold"] = threshold
    result["spatial"] |= without_nan(spatial_series(measures, COVER_METRICS))
    result["changes"] |= changes_of(result["spatial"], series.days_per_step)
