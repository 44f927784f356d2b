"""Write the report of a site: one HTML file that opens anywhere."""

from pathlib import Path

from tigerbush.files import read_json, write_bytes
from tigerbush.images import read_png
from tigerbush.job import job_log
from tigerbush.report.html import picture_uri, site_report
from tigerbush.report.overview import first_middle_last
from tigerbush.variables import row_of


def main(
    analysis: Path,
    summary: Path,
    rgb: list[Path],
    black_white: list[Path],
    figures: list[Path],
    maps: list[Path],
    truth: list[Path],
    out: Path,
) -> None:
    paths = {pair[0].parent.name: pair for pair in zip(rgb, black_white, strict=True)}
    prefix = {".svg": "map_", ".webp": "animation_"}
    report = site_report(
        read_json(analysis),
        {
            day: [read_png(path) for path in paths[day]]
            for day in first_middle_last(read_json(summary))
            if day in paths
        },
        {path.stem: picture_uri(path) for path in (*figures, *truth[1:])}
        | {prefix[path.suffix] + path.stem: picture_uri(path) for path in maps},
        {path.stem: row_of(path.stem).label for path in maps},
        read_json(truth[0]) if truth else None,
    )
    write_bytes(out, report.encode())


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.analysis),
            Path(snakemake.input.summary),
            *(
                [Path(path) for path in snakemake.input.get(name, [])]
                for name in ("rgb", "black_white", "figures", "maps", "truth")
            ),
            Path(snakemake.output[0]),
        )
