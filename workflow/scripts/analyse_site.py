"""Analyse a site: series, changes, early-warning indicators, recovery, and the pattern of each date."""

from pathlib import Path

import numpy as np

from tigerbush.analysis.changes import changes_of
from tigerbush.analysis.cover import COVER_METRICS, cover_metrics, ndvi_histogram, ndvi_threshold
from tigerbush.analysis.pattern import DatePattern, measure_date, spatial_analysis, spatial_series
from tigerbush.analysis.quality import dates_table
from tigerbush.analysis.series import SiteSeries, read_series, tidy_rows, write_series
from tigerbush.analysis.site import analyse_site, without_nan
from tigerbush.analysis.surrogates import generator
from tigerbush.files import read_json, write_bytes, write_json
from tigerbush.images import read_png
from tigerbush.job import job_arguments, job_log
from tigerbush.raster import read_raster
from tigerbush.site import Site, numbered
from tigerbush.sites.layout import place_sub_images


def main(
    summary: Path,
    ndvi: list[Path],
    black_white: list[Path],
    analysis: Path,
    csv: Path,
    parquet: Path,
    dates_csv: Path,
    *,
    settings: dict,
    site: Site | None,
    mode: str,
) -> None:
    series = read_series(read_json(summary), str(summary))
    result = analyse_site(series, settings)
    if site:
        add_pattern(result, series, ndvi, black_white, site, mode, settings["seed"])
    write_series(tidy_rows(series), csv, parquet)
    write_bytes(dates_csv, dates_table(result).encode())
    write_json(analysis, result)


def add_pattern(
    result: dict,
    series: SiteSeries,
    ndvi: list[Path],
    black_white: list[Path],
    site: Site,
    mode: str,
    seed: int,
) -> None:
    """Add what is measured in the images of the dates."""
    used = {day for day, known in zip(series.dates, series.with_data, strict=True) if known}
    shown = [paths for paths in zip(ndvi, black_white, strict=True) if paths[0].parent.name in used]
    dates = [measure(series, *paths, site, mode, seed) for paths in shown]
    random = generator(seed, series.site, "pattern")
    result |= without_nan(spatial_analysis(dates, series, site.resolution, random))
    result["completeness"]["masked"] = {path.parent.name: masked_share(path) for path in ndvi}
    add_cover(result, [path for path, _ in shown], site.resolution)
    result["changes"] |= changes_of(result["spatial"], series.days_per_step)


def measure(
    series: SiteSeries, ndvi: Path, black_white: Path, site: Site, mode: str, seed: int
) -> DatePattern:
    """Measure the pattern of a date and of its sub-images that are used."""
    day, raster = ndvi.parent.name, read_raster(ndvi)
    parts = place_sub_images(raster.grid, raster.epsg, site, mode)
    places = numbered((part.latitude, part.longitude) for part in parts)
    used = series.places_with_data(day)
    return measure_date(
        day,
        raster.data[0],
        read_png(black_white),
        raster.grid.resolution,
        {
            place: (part.rows, part.columns)
            for place, part in zip(places, parts, strict=True)
            if place in used
        },
        generator(seed, series.site, day),
    )


def masked_share(ndvi: Path) -> float:
    """Return the share of masked pixels of a date."""
    return float(np.isnan(read_raster(ndvi).data[0]).mean())


def add_cover(result: dict, ndvi: list[Path], resolution: int) -> None:
    """Add the threshold of NDVI, and cover and patches by it."""
    threshold = ndvi_threshold([ndvi_histogram(read_raster(path).data[0]) for path in ndvi])
    # read again, since a long record of a large site does not fit into memory
    measures = [
        (path.parent.name, cover_metrics(read_raster(path).data[0], threshold["value"], resolution))
        for path in ndvi
    ]
    result["ndvi_threshold"] = threshold
    result["spatial"] |= without_nan(spatial_series(measures, COVER_METRICS))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        arguments = job_arguments(snakemake.params)
        main(
            Path(snakemake.input.summary),
            [Path(path) for path in snakemake.input.ndvi],
            [Path(path) for path in snakemake.input.black_white],
            Path(snakemake.output.analysis),
            Path(snakemake.output.csv),
            Path(snakemake.output.parquet),
            Path(snakemake.output.dates),
            # a record without images has no pixels to place
            **arguments | {"site": Site(**arguments["site"]) if arguments["site"] else None},
        )
