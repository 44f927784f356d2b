"""Resample bands of a whole product to one resolution."""

from pathlib import Path

from tigerbush.job import job_log, results_folder
from tigerbush.scenes.engines import make_scene
from tigerbush.scenes.scene import SceneOptions
from tigerbush.scenes.snap import Limits
from tigerbush.verification import records_folder

if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        make_scene(
            # the local copy if there is one, else where the product is in the source
            Path([*snakemake.input, snakemake.params.path][0]),
            Path(snakemake.output[0]),
            snakemake.wildcards.product,
            SceneOptions(**snakemake.params.scene),
            limits=Limits(snakemake.threads, snakemake.resources.mem_mb),
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
            # a copy was verified when it was made; verifying changes no result, so it is not a parameter
            records=None
            if snakemake.input
            else records_folder(snakemake.config["source"], results_folder(snakemake.output.fingerprint)),
        )
