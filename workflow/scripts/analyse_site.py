"""Analyse a site: series, changes, early-warning indicators, recovery, and the pattern of each date."""

from pathlib import Path

from tigerbush.job import job_arguments, job_log
from tigerbush.measured.files import write_analysis
from tigerbush.measured.images import measure_files
from tigerbush.site import Site


def main(
    summary: Path,
    ndvi: list[Path],
    black_white: list[Path],
    *out: Path,
    settings: dict,
    site: Site | None,
    mode: str,
) -> None:
    write_analysis(
        summary,
        lambda series: measure_files(ndvi, black_white, series, site, mode, settings["seed"]),
        *out,
        settings=settings,
        site=site,
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        arguments = job_arguments(snakemake.params)
        main(
            Path(snakemake.input.summary),
            [Path(path) for path in snakemake.input.ndvi],
            [Path(path) for path in snakemake.input.black_white],
            *(Path(snakemake.output[name]) for name in ("analysis", "csv", "parquet", "dates")),
            # a record without images has no pixels to place
            **arguments | {"site": Site(**arguments["site"]) if arguments["site"] else None},
        )
