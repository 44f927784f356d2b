"""Copy the bands, metadata and masks of a product into one zip."""

from pathlib import Path

from tigerbush.failures import or_placeholder
from tigerbush.files import job_log
from tigerbush.site import SITE_BANDS
from tigerbush.sources import copy_product, write_failed_copy


def main(out: Path, *, path: str, bands: list[str], last_attempt: bool) -> None:
    or_placeholder(
        lambda: copy_product(Path(path), out, dict.fromkeys([*SITE_BANDS, *bands])),
        lambda reason: write_failed_copy(out, reason),
        last_attempt,
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output[0]),
            # what the workflow made itself, else where the product lies
            path=[*snakemake.input, snakemake.params.path][0],
            bands=snakemake.params.bands,
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
        )
