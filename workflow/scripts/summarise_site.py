"""Write results_summary.json of a site, and missing.tsv: what it lacks and why."""

from pathlib import Path

from tigerbush.files import read_json
from tigerbush.job import job_arguments, job_log
from tigerbush.summary.files import write_summary


def main(dates: list[Path], weather: list[Path], out: Path, missing: Path, **about) -> None:
    write_summary(
        map(read_json, dates), {path.parent.name: read_json(path) for path in weather}, out, missing, **about
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.input.dates],
            [Path(path) for path in snakemake.input.weather],
            Path(snakemake.output.summary),
            Path(snakemake.output.missing),
            **job_arguments(snakemake.params),
        )
