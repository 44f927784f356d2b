"""Resample the window of a product that a site needs, and its cloud mask."""

from pathlib import Path

from tigerbush.job import job_log
from tigerbush.masks import MaskOptions
from tigerbush.placeholder import placeholder_on_failure
from tigerbush.raster import write_raster
from tigerbush.site import Site
from tigerbush.sites.product import resample_site, site_placeholder


def main(
    image: Path,
    mask: Path,
    *,
    product: str,
    path: str,
    site: Site,
    options: MaskOptions,
    max_negative_fraction: float | None,
    last_attempt: bool,
) -> None:
    rasters = placeholder_on_failure(
        lambda: resample_site(Path(path), site, options, max_negative_fraction),
        lambda reason: site_placeholder(product, reason, site),
        last_attempt,
        source=Path(path),
    )
    for target, raster in zip((image, mask), rasters, strict=True):
        write_raster(target, raster)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output.image),
            Path(snakemake.output.mask),
            product=snakemake.wildcards.product,
            # the local copy if there is one, else where the product is in the source
            path=[*snakemake.input, snakemake.params.path][0],
            site=Site(**snakemake.params.site),
            options=MaskOptions(**snakemake.params.mask_options),
            max_negative_fraction=snakemake.params.max_negative_fraction,
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
        )
