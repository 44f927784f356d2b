"""Draw a site: images of some dates, and the series of NDVI, network centrality and rain."""

from pathlib import Path

from tigerbush.figures import encode_figure, shown_dates, site_figure
from tigerbush.files import job_log, read_json, write_bytes
from tigerbush.images import read_png


def main(summary: Path, rgb: list[Path], black_white: list[Path], out: Path) -> None:
    contents = read_json(summary)
    paths = {pair[0].parent.name: pair for pair in zip(rgb, black_white, strict=True)}
    images = {day: [read_png(path) for path in paths[day]] for day in shown_dates(contents)}
    write_bytes(out, encode_figure(site_figure(contents, images)))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.summary),
            [Path(path) for path in snakemake.input.rgb],
            [Path(path) for path in snakemake.input.black_white],
            Path(snakemake.output[0]),
        )
