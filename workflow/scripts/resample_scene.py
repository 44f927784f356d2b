"""Resample bands of a whole product to one resolution."""

from pathlib import Path

from tigerbush.files import job_log
from tigerbush.scene import make_scene

if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        make_scene(
            # the local copy when there is one, else where the product lies
            Path([*snakemake.input, snakemake.params.path][0]),
            Path(snakemake.output[0]),
            snakemake.wildcards.product,
            snakemake.params.scene,
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
        )
