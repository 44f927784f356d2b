"""Resample the window of a product that a site needs, and its cloud mask."""

from pathlib import Path

from tigerbush.job import job_log, results_folder
from tigerbush.masks import MaskOptions
from tigerbush.placeholder import placeholder_on_failure
from tigerbush.raster import Raster, write_raster
from tigerbush.sensors import sensor_of
from tigerbush.site import Site
from tigerbush.sites.product import resample_site, site_placeholder
from tigerbush.verification import records_folder, verify_product


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
    records: Path | None = None,
) -> None:
    def work() -> tuple[Raster, Raster]:
        if records is not None:
            verify_product(Path(path), sensor_of(product).site_bands, records)
        return resample_site(Path(path), site, options, max_negative_fraction)

    rasters = placeholder_on_failure(
        work,
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
            # a copy was verified when it was made; verifying changes no result, so it is not a parameter
            records=None
            if snakemake.input
            else records_folder(
                snakemake.config["source"], results_folder(snakemake.output.fingerprint).parent
            ),
        )
