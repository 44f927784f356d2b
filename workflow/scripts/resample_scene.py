"""Resample bands of a whole product to one resolution."""

from pathlib import Path

from tigerbush.failures import or_placeholder
from tigerbush.files import job_log
from tigerbush.raster import write_raster
from tigerbush.scene import resample_scene, scene_placeholder


def main(
    out: Path,
    *,
    product: str,
    path: str,
    bands: list[str],
    resolution: int,
    upsampling: str,
    downsampling: str,
    last_attempt: bool,
) -> None:
    raster = or_placeholder(
        lambda: resample_scene(Path(path), bands, resolution, upsampling, downsampling),
        lambda reason: scene_placeholder(product, reason, bands, resolution),
        last_attempt,
    )
    write_raster(out, raster)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        params = dict(snakemake.params)
        main(
            Path(snakemake.output[0]),
            product=snakemake.wildcards.product,
            last_attempt=snakemake.resources.attempt > params.pop("retries"),
            **params,
        )
