"""Resample the window of a product that a site needs, and its cloud mask."""

from pathlib import Path

from tigerbush.files import job_log
from tigerbush.placeholder import or_placeholder
from tigerbush.raster import write_raster
from tigerbush.sentinel2.masks import MaskOptions
from tigerbush.sites.product import resample_site, site_placeholder


def main(
    image: Path, mask: Path, *, product: str, path: str, site: dict, mask_options: dict, last_attempt: bool
) -> None:
    rasters = or_placeholder(
        lambda: resample_site(Path(path), **site, options=MaskOptions(**mask_options)),
        lambda reason: site_placeholder(product, reason, **site),
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
            # the local copy when there is one, else where the product lies
            path=[*snakemake.input, snakemake.params.path][0],
            site=snakemake.params.site,
            mask_options=snakemake.params.mask_options,
            last_attempt=snakemake.resources.attempt > snakemake.params.retries,
        )
