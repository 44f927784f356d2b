"""Draw a site: images of some dates with the series, and the figures of its analysis, as PNG and SVG."""

from collections.abc import Mapping
from pathlib import Path

from tigerbush.job import job_log, job_outputs
from tigerbush.report.files import images_by_date, write_figures


def main(
    summary: Path, analysis: Path, rgb: list[Path], black_white: list[Path], out: Mapping[str, Path]
) -> None:
    write_figures(summary, analysis, images_by_date(rgb, black_white), out)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.summary),
            Path(snakemake.input.analysis),
            [Path(path) for path in snakemake.input.rgb],
            [Path(path) for path in snakemake.input.black_white],
            job_outputs(snakemake.output),
        )
