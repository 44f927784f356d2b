"""Fetch the windows of a product that a site needs into one zip."""

from pathlib import Path

from tigerbush.job import job_log
from tigerbush.placeholder import placeholder_on_failure, write_placeholder_zip
from tigerbush.site import Site
from tigerbush.sites.stream import stream_product
from tigerbush.sources.download import open_store


def main(
    out: Path,
    *,
    source: dict,
    files: list[dict],
    site: Site,
    buffer: int,
    connections: int,
    last_attempt: bool,
) -> None:
    store = open_store(source, connections)
    placeholder_on_failure(
        lambda: stream_product(store, out.stem, files, out, site=site, buffer=buffer),
        lambda reason: write_placeholder_zip(out, reason),
        last_attempt,
        result=out,
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output[0]),
            # allowed hosts do not change results, so they are not a parameter
            source=snakemake.config["source"] | snakemake.params.store,
            files=snakemake.params.files,
            site=Site(**snakemake.params.site),
            buffer=snakemake.params.buffer,
            connections=snakemake.resources.connections,
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
        )
