"""Write the report over all sites: one HTML file that opens anywhere."""

from pathlib import Path

from tigerbush.files import read_json, write_bytes
from tigerbush.job import job_log
from tigerbush.report.figures import sites_figure
from tigerbush.report.html import picture_uri, sites_report
from tigerbush.report.overview import encode_figure


def main(comparison: Path, analyses: list[Path], report: Path, png: Path, svg: Path) -> None:
    contents = read_json(comparison)
    figure = sites_figure(contents)
    write_bytes(png, encode_figure(figure))
    write_bytes(svg, encode_figure(figure, "svg"))
    html = sites_report(contents, map(read_json, analyses), picture_uri(svg))
    write_bytes(report, html.encode())


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.comparison),
            [Path(path) for path in snakemake.input.analyses],
            *(Path(snakemake.output[name]) for name in ("report", "png", "svg")),
        )
