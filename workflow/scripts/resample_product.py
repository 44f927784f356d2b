"""Resample the window of a product that a site needs, and its cloud mask."""

from pathlib import Path

from tigerbush.failures import or_placeholder
from tigerbush.files import job_log
from tigerbush.raster import write_raster
from tigerbush.scene import resample_site, site_placeholder


def main(image: Path, mask: Path, *, product: str, path: str, site: dict, last_attempt: bool) -> None:
    rasters = or_placeholder(
        lambda: resample_site(Path(path), **site),
        lambda reason: site_placeholder(product, reason, **site),
        last_attempt,
    )
    for target, raster in zip((image, mask), rasters, strict=True):
        write_raster(target, raster)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output.image),
            Path(snakemake.output.mask),
            product=snakemake.wildcards.product,
            path=snakemake.params.path,
            site=snakemake.params.site,
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
        )
