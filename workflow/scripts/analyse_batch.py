"""Analyse the sites of a batch: as analyse_site, from what was measured in memory."""

from collections.abc import Mapping
from pathlib import Path

from tigerbush.analysis.batches import read_measured
from tigerbush.analysis.files import write_analysis
from tigerbush.bundle import index_at
from tigerbush.job import job_log
from tigerbush.runs.made import digest_of, is_made, record_made
from tigerbush.site import Site

FILES = ("analysis", "csv", "parquet", "dates")


def main(
    dates: Mapping[str, Path],
    summaries: Mapping[str, Path],
    out: Mapping[str, Mapping[str, Path]],
    *,
    code: str,
    sites: Mapping[str, Mapping],
    settings: Mapping,
) -> None:
    indexes = {day: index_at(bundle) for day, bundle in dates.items()}
    for name, site in sites.items():
        measured = {day: indexes[day][name].digest for day in site["dates"]}
        made = digest_of(code, measured, site, settings, summaries[name])
        files = [out[name][key] for key in FILES]
        if is_made(out[name]["record"], made, files):
            continue
        bundles = {day: dates[day] for day in site["dates"]}
        write_analysis(
            summaries[name],
            lambda _, bundles=bundles, name=name: read_measured(bundles, name),
            *files,
            settings=settings,
            site=Site(**site["site"]),
        )
        record_made(out[name]["record"], made)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        names = list(snakemake.params.sites)
        main(
            {Path(path).stem: Path(path) for path in snakemake.input.dates},
            {name: Path(path) for name, path in zip(names, snakemake.input.summaries, strict=True)},
            {
                name: {key: Path(snakemake.output[key][i]) for key in (*FILES, "record")}
                for i, name in enumerate(names)
            },
            code=str(snakemake.params.library),
            sites=snakemake.params.sites,
            settings=snakemake.params.settings,
        )
