"""Analyse a site: series, early-warning indicators, recovery, and the pattern of each date."""

from pathlib import Path

from tigerbush.analysis.series import read_series, tidy_rows, write_series
from tigerbush.analysis.site import analyse_site, patch_size_series, spatial_series
from tigerbush.files import read_json, write_json
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
    write_series(tidy_rows(series), csv, parquet)
    write_json(analysis, result)


def measure_date(ndvi: Path, black_white: Path) -> tuple[str, dict, list[int]]:
    """Return the date, its spatial metrics, and its number of patches by size class."""
    raster, image = read_raster(ndvi), read_png(black_white)
    return (
        ndvi.parent.name,
        spatial_metrics(raster.data[0], image, raster.grid.resolution),
        patch_classes(image),
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.summary),
            [Path(path) for path in snakemake.input.ndvi],
            [Path(path) for path in snakemake.input.black_white],
            Path(snakemake.output.analysis),
            Path(snakemake.output.csv),
            Path(snakemake.output.parquet),
            **job_arguments(snakemake.params),
        )
