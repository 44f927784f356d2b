"""Collect the measures, the weather and the lineage of a date."""

import json
from pathlib import Path

from tigerbush.files import read_json, write_json
from tigerbush.job import job_log
from tigerbush.raster import LINEAGE, read_tags
from tigerbush.summary.results import summarise_date


def main(
    composite: Path, ndvi: Path, centrality: Path, weather: Path | None, out: Path, *, date: str
) -> None:
    summary = summarise_date(
        date,
        centrality=read_json(centrality),
        ndvi=read_json(ndvi),
        lineage=json.loads(read_tags(composite)[LINEAGE]),
        weather=read_json(weather) if weather else None,
    )
    write_json(out, summary)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.input.composite),
            Path(snakemake.input.ndvi),
            Path(snakemake.input.centrality),
            Path(snakemake.input.weather[0]) if snakemake.input.weather else None,
            Path(snakemake.output[0]),
            date=snakemake.wildcards.date,
        )
