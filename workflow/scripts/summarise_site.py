"""Write results_summary.json of a site, and missing.tsv: what it lacks and why."""

from pathlib import Path

from tigerbush.files import read_json, write_bytes, write_json
from tigerbush.job import job_arguments, job_log
from tigerbush.spreadsheet import format_table
from tigerbush.summary.missing import COLUMNS, missing_rows
from tigerbush.summary.results import summarise_site


def main(
    dates: list[Path],
    weather: list[Path],
    out: Path,
    missing: Path,
    *,
    site: dict,
    periods: list,
    left_out: dict,
    config: dict,
    config_files: list,
) -> None:
    date_summaries = [read_json(path) for path in dates]
    summary = summarise_site(
        site,
        dates=date_summaries,
        periods=periods,
        left_out=left_out,
        weather={path.parent.name: read_json(path) for path in weather},
        config=config,
        config_files=config_files,
    )
    write_bytes(missing, format_table(missing_rows(summary, date_summaries), COLUMNS, "\t").encode())
    write_json(out, summary)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            [Path(path) for path in snakemake.input.dates],
            [Path(path) for path in snakemake.input.weather],
            Path(snakemake.output.summary),
            Path(snakemake.output.missing),
            **job_arguments(snakemake.params),
        )
