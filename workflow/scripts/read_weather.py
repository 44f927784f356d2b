"""Rainfall and temperature of the period of a date."""

from pathlib import Path

from tigerbush.files import write_json
from tigerbush.job import job_arguments, job_log
from tigerbush.weather.read import read_weather


def main(
    precipitation_path: Path,
    temperature_path: Path,
    out: Path,
    *,
    period: tuple[str, str],
    site: dict,
    date: str,
    precipitation: dict,
    temperature: dict,
) -> None:
    weather = read_weather(
        precipitation_path,
        *period,
        site=site,
        date=date,
        precipitation=precipitation | {"path": precipitation_path},
        temperature=temperature | {"path": temperature_path},
    )
    write_json(out, weather)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.precipitation),
            Path(snakemake.input.temperature),
            Path(snakemake.output[0]),
            **job_arguments(snakemake.params),
        )
