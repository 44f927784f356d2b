"""Analyse the sites of a batch: as analyse_site, from what was measured in memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tigerbush.bundle import contents_of
from tigerbush.job import job_log
from tigerbush.measured.batches import read_measured
from tigerbush.measured.files import write_analysis
from tigerbush.runs.made import digest_of, make_outdated
from tigerbush.site import Site


def main(
    dates: Mapping[str, Path],
    summaries: Mapping[str, Path],
    out: Mapping[str, Sequence[Path]],
    record: Path,
    *,
    code: str,
    sites: Mapping[str, Mapping],
    settings: Mapping,
) -> None:
    contents = {day: contents_of(bundle) for day, bundle in dates.items()}

    def made_of(name: str) -> str:
        measured = {day: contents[day][name] for day in sites[name]["dates"]}
        return digest_of(code, measured, sites[name], settings, summaries[name])

    def analyse(name: str) -> None:
        bundles = {day: dates[day] for day in sites[name]["dates"]}
        write_analysis(
            summaries[name],
            lambda _: read_measured(bundles, name),
            *out[name],
            settings=settings,
            site=Site(**sites[name]["site"]),
        )

    make_outdated(record, {name: made_of(name) for name in sites}, out, analyse)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        names = list(snakemake.params.sites)
        files = [snakemake.output[key] for key in ("analysis", "csv", "parquet", "dates")]
        main(
            {Path(path).stem: Path(path) for path in snakemake.input.dates},
            {name: Path(path) for name, path in zip(names, snakemake.input.summaries, strict=True)},
            {name: [Path(paths[i]) for paths in files] for i, name in enumerate(names)},
            Path(snakemake.output.record),
            code=str(snakemake.params.library),
            sites=snakemake.params.sites,
            settings=snakemake.params.settings,
        )
