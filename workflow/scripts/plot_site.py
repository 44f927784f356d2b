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
    figures = analysis_figures(read_json(analysis))
    if "overview_png" in out:
        images = {day: [read_png(path) for path in paths[day]] for day in shown_dates(contents)}
        figures["overview"] = site_figure(contents, images)
    for name, path in out.items():
        figure, _, form = name.rpartition("_")
        write_bytes(path, encode_figure(figures[figure], form))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.summary),
            Path(snakemake.input.analysis),
            [Path(path) for path in snakemake.input.rgb],
            [Path(path) for path in snakemake.input.black_white],
            job_outputs(snakemake.output),
        )
