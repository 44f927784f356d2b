"""Analyse a site: series, early-warning indicators, recovery, and the pattern of each date."""

from pathlib import Path

from tigerbush.analysis import analyse_site, spatial_series
from tigerbush.files import job_arguments, job_log, read_json, write_json
from tigerbush.images import read_png
from tigerbush.raster import read_raster
from tigerbush.series import read_series, tidy_rows, write_series
from tigerbush.spatial import METRICS, spatial_metrics


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
) -> None:
    series = read_series(read_json(summary), str(summary))
    result = analyse_site(series, settings, sites)
    result["spatial"] = spatial_series(map(measured, ndvi, black_white), METRICS)
    write_series(tidy_rows(series), csv, parquet)
    write_json(analysis, result)


def measured(ndvi: Path, black_white: Path) -> tuple[str, dict]:
    raster = read_raster(ndvi)
    return ndvi.parent.name, spatial_metrics(raster.data[0], read_png(black_white), raster.grid.resolution)


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
