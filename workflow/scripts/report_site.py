"""Write the report of a site: one HTML file that opens anywhere."""

from pathlib import Path

from tigerbush.job import job_log
from tigerbush.report.files import images_by_date, write_report


def main(
    analysis: Path, summary: Path, rgb: list[Path], black_white: list[Path], *pictures: list[Path], out: Path
) -> None:
    write_report(analysis, summary, images_by_date(rgb, black_white), *pictures, out)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.analysis),
            Path(snakemake.input.summary),
            *(
                [Path(path) for path in snakemake.input.get(name, [])]
                for name in ("rgb", "black_white", "figures", "maps", "truth")
            ),
            out=Path(snakemake.output[0]),
        )
