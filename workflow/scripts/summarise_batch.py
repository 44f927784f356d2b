"""Write results_summary.json and missing.tsv of the sites of a batch, with the weather of their dates."""

from collections.abc import Mapping
from pathlib import Path

from tigerbush.analysis.batches import read_summary
from tigerbush.bundle import index_at
from tigerbush.job import job_log
from tigerbush.runs.made import digest_of, is_made, record_made
from tigerbush.summary.files import write_summary
from tigerbush.weather.read import read_weather


def main(
    dates: Mapping[str, Path],
    out: Mapping[str, Mapping[str, Path]],
    *,
    code: str,
    sites: Mapping[str, Mapping],
    weather: Mapping | None,
    periods: Mapping[str, tuple[str, str]],
    about: Mapping,
) -> None:
    indexes = {day: index_at(bundle) for day, bundle in dates.items()}
    for name, site in sites.items():
        measured = {day: indexes[day][name].digest for day in site["dates"]}
        files = [Path(path) for path in site["weather"]]
        made = digest_of(code, measured, site, weather, list(periods), about, *files)
        target = out[name]
        if is_made(target["record"], made, (target["summary"], target["missing"])):
            continue
        climate = {}
        if weather:
            climate = {day: weather_at(files, period, day, site, weather) for day, period in periods.items()}
        write_summary(
            [read_summary(dates[day], name) | {"weather": climate.get(day)} for day in site["dates"]],
            {day: value for day, value in climate.items() if day not in measured},
            target["summary"],
            target["missing"],
            site=site["site"],
            left_out=site["left_out"],
            periods=list(periods),
            **about,
        )
        record_made(target["record"], made)


def weather_at(
    files: list[Path], period: tuple[str, str], day: str, site: Mapping, weather: Mapping
) -> dict | None:
    """Read the weather of a site in a period."""
    precipitation, temperature = files[0], files[-1]
    return read_weather(
        precipitation,
        *period,
        site=site["site"],
        date=weather["date"],
        precipitation=weather["precipitation"] | {"path": precipitation},
        temperature=weather["temperature"] | {"path": temperature},
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            {Path(path).stem: Path(path) for path in snakemake.input.dates},
            {
                name: {key: Path(snakemake.output[key][i]) for key in ("summary", "missing", "record")}
                for i, name in enumerate(snakemake.params.sites)
            },
            code=str(snakemake.params.library),
            sites=snakemake.params.sites,
            weather=snakemake.params.weather,
            periods=snakemake.params.periods,
            about=snakemake.params.about,
        )
