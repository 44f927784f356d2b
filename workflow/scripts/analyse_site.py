"""Analyse a site: series, changes, early-warning indicators, recovery, and the pattern of each date."""

from pathlib import Path

import numpy as np

from tigerbush.analysis.changes import changes_of
from tigerbush.analysis.cover import COVER_METRICS, cover_metrics, ndvi_histogram, ndvi_threshold
from tigerbush.analysis.quality import dates_table
from tigerbush.analysis.series import read_series, tidy_rows, write_series
from tigerbush.analysis.site import analyse_site, patch_size_series, spatial_series
from tigerbush.files import read_json, write_bytes, write_json
from tigerbush.images import read_png
from tigerbush.job import job_arguments, job_log
from tigerbush.raster import read_raster
from tigerbush.spatial import METRICS, patch_classes, spatial_metrics


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
    sites: int,
    resolution: int,
) -> None:
    series = read_series(read_json(summary), str(summary))
    result = analyse_site(series, settings, sites)
    dates = list(map(measure_date, ndvi, black_white))
    result["spatial"] = spatial_series([(day, metrics) for day, metrics, _ in dates], METRICS)
    result["patch_sizes"] = patch_size_series([(day, counts) for day, _, counts in dates], resolution)
    add_cover(result, ndvi, resolution)
    result["changes"] |= changes_of(result["spatial"], series.days_per_step)
    write_series(tidy_rows(series), csv, parquet)
    write_bytes(dates_csv, dates_table(result).encode())
    write_json(analysis, result)


def measure_date(ndvi: Path, black_white: Path) -> tuple[str, dict, list[int]]:
    """Return the date, its spatial metrics, and its number of patches by size class."""
    raster, image = read_raster(ndvi), read_png(black_white)
    return (
        ndvi.parent.name,
        spatial_metrics(raster.data[0], image, raster.grid.resolution),
        patch_classes(image),
    )


def add_cover(result: dict, ndvi: list[Path], resolution: int) -> None:
    """Add the threshold of NDVI, cover and patches by it, and the share of masked pixels of each date."""
    masked, histograms = {}, []
    for path in ndvi:
        image = read_raster(path).data[0]
        masked[path.parent.name] = float(np.isnan(image).mean())
        histograms.append(ndvi_histogram(image))
    result["completeness"]["masked"] = masked
    result["ndvi_threshold"] = ndvi_threshold(histograms)
    threshold = result["ndvi_threshold"]["value"]
    # read again, since a long record of a large site does not fit into memory
    measures = [
        (path.parent.name, cover_metrics(read_raster(path).data[0], threshold, resolution)) for path in ndvi
    ]
    result["spatial"] |= spatial_series(measures, COVER_METRICS)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.summary),
            [Path(path) for path in snakemake.input.ndvi],
            [Path(path) for path in snakemake.input.black_white],
            Path(snakemake.output.analysis),
            Path(snakemake.output.csv),
            Path(snakemake.output.parquet),
            Path(snakemake.output.dates),
            **job_arguments(snakemake.params),
        )
