"""Draw a site: images of some dates with the series, and the figures of its analysis, as PNG and SVG."""

from collections.abc import Mapping
from pathlib import Path

from tigerbush.files import read_json, write_bytes
from tigerbush.images import read_png
from tigerbush.job import job_log, job_outputs
from tigerbush.report.figures import analysis_figures
from tigerbush.report.overview import encode_figure, shown_dates, site_figure


def main(
    summary: Path, analysis: Path, rgb: list[Path], black_white: list[Path], out: Mapping[str, Path]
) -> None:
    contents = read_json(summary)
    paths = {pair[0].parent.name: pair for pair in zip(rgb, black_white, strict=True)}
    images = {day: [read_png(path) for path in paths[day]] for day in shown_dates(contents)}
    figures = {"overview": site_figure(contents, images)} | analysis_figures(read_json(analysis))
    for name, figure in figures.items():
        for form in ("png", "svg"):
            write_bytes(out[f"{name}_{form}"], encode_figure(figure, form))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.summary),
            Path(snakemake.input.analysis),
            [Path(path) for path in snakemake.input.rgb],
            [Path(path) for path in snakemake.input.black_white],
            job_outputs(snakemake.output),
        )
