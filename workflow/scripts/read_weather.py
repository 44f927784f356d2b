"""Rainfall and temperature of the period of a date."""

from pathlib import Path

from tigerbush.files import job_log, write_json
from tigerbush.weather import read_weather


def main(
    table: Path, out: Path, *, period: tuple[str, str], date: str, precipitation: dict, temperature: dict
) -> None:
    weather = read_weather(table, *period, date=date, precipitation=precipitation, temperature=temperature)
    write_json(out, weather)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(Path(snakemake.input.table), Path(snakemake.output[0]), **snakemake.params)
