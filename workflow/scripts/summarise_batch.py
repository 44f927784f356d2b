"""Write results_summary.json and missing.tsv of the sites of a batch, with the weather of their dates."""

from collections.abc import Mapping
from pathlib import Path

from tigerbush.bundle import contents_of
from tigerbush.job import job_log
from tigerbush.runs.made import digest_of, make_outdated
from tigerbush.summary.files import read_measured_summary, write_summary
from tigerbush.weather.read import read_weather


def main(
    dates: Mapping[str, Path],
    out: Mapping[str, tuple[Path, Path]],
    record: Path,
    *,
    code: str,
    sites: Mapping[str, Mapping],
    weather: Mapping | None,
    periods: Mapping[str, tuple[str, str]],
    about: Mapping,
) -> None:
    contents = {day: contents_of(bundle) for day, bundle in dates.items()}

    def made_of(name: str) -> str:
        site = sites[name]
        measured = {day: contents[day][name] for day in site["dates"]}
        return digest_of(code, measured, site, weather, list(periods), about, *map(Path, site["weather"]))

    def summarise(name: str) -> None:
        site = sites[name]
        climate = {}
        if weather:
            files = [Path(path) for path in site["weather"]]
            climate = {day: weather_at(files, period, site, weather) for day, period in periods.items()}
        write_summary(
            [
                read_measured_summary(dates[day], name) | {"weather": climate.get(day)}
                for day in site["dates"]
            ],
            {day: value for day, value in climate.items() if day not in site["dates"]},
            *out[name],
            site=site["site"],
            left_out=site["left_out"],
            periods=list(periods),
            **about,
        )

    make_outdated(record, {name: made_of(name) for name in sites}, out, summarise)


def weather_at(files: list[Path], period: tuple[str, str], site: Mapping, weather: Mapping) -> dict | None:
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
        pairs = zip(snakemake.output.summary, snakemake.output.missing, strict=True)
        main(
            {Path(path).stem: Path(path) for path in snakemake.input.dates},
            {
                name: (Path(summary), Path(missing))
                for name, (summary, missing) in zip(snakemake.params.sites, pairs, strict=True)
            },
            Path(snakemake.output.record),
            code=str(snakemake.params.library),
            sites=snakemake.params.sites,
            weather=snakemake.params.weather,
            periods=snakemake.params.periods,
            about=snakemake.params.about,
        )
