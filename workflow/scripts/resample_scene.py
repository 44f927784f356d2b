"""Resample bands of a whole product to one resolution."""

from pathlib import Path

from tigerbush.failures import or_placeholder
from tigerbush.files import job_log
from tigerbush.raster import write_raster
from tigerbush.scene import scene_placeholder, write_scene


def main(out: Path, *, product: str, path: str, scene: dict, last_attempt: bool) -> None:
    def stand_in(reason: str) -> None:
        write_raster(out, scene_placeholder(product, reason, scene["bands"], scene["resolution"]))

    or_placeholder(lambda: write_scene(Path(path), out, **scene), stand_in, last_attempt)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output[0]),
            product=snakemake.wildcards.product,
            # the local copy when there is one, else where the product lies
            path=[*snakemake.input, snakemake.params.path][0],
            scene=snakemake.params.scene,
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
        )
